//! Faults on demand: what a test wants the API to do wrong, to which call, before or after the work.
//! Waiting is always for a handle to be released, never for a time.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderValue, Method, Response, StatusCode, header};
use tokio::sync::Notify;

use super::StandIn;
use super::calls::ApiCall;
use super::world::{Shared, World};
use crate::domain::ids::Uid;

/// Which calls a fault is meant for. What is not said matches everything.
#[derive(Debug, Clone)]
pub struct Matcher<Operation> {
    operation: Option<Operation>,
    uid: Option<Uid>,
    method: Option<Method>,
    path_part: Option<String>,
}

impl<Operation: PartialEq> Matcher<Operation> {
    /// Every call.
    pub fn any() -> Self {
        Self {
            operation: None,
            uid: None,
            method: None,
            path_part: None,
        }
    }

    /// Calls that ask for `operation`, in whatever dialect.
    pub fn operation(operation: Operation) -> Self {
        Self {
            operation: Some(operation),
            ..Self::any()
        }
    }

    /// Only about this booking, or whatever else the path names.
    #[must_use]
    pub fn of(mut self, uid: &Uid) -> Self {
        self.uid = Some(uid.clone());
        self
    }

    /// Only with this HTTP method.
    #[must_use]
    pub fn with_method(mut self, method: Method) -> Self {
        self.method = Some(method);
        self
    }

    /// Only where the path contains this.
    #[must_use]
    pub fn with_path_part(mut self, part: impl Into<String>) -> Self {
        self.path_part = Some(part.into());
        self
    }

    fn matches(&self, call: &ApiCall<Operation>) -> bool {
        self.operation
            .as_ref()
            .is_none_or(|wanted| *wanted == call.operation)
            && (self.uid.is_none() || self.uid == call.uid)
            && self
                .method
                .as_ref()
                .is_none_or(|method| *method == call.method)
            && self
                .path_part
                .as_ref()
                .is_none_or(|part| call.path.contains(part))
    }
}

/// What failures say: real ones repeat whom they are about, too.
const SCRIPTED: &str = "as scripted, for Somebody.Else@hush-hush.example";

/// When a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum When {
    /// Before anything is looked at: nothing is done.
    BeforeWork,
    /// When everything is done, its webhooks included: only the answer goes wrong.
    AfterWork,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// Answers with this status instead.
    Status(u16),
    /// Answers 429, with or without the provider's header that tells how long to wait.
    RateLimited {
        /// Seconds to wait, as the header says.
        retry_after_s: Option<u64>,
    },
    /// Answers with a web page, as a proxy in front would, under this status.
    Html(u16),
    /// Resets the connection instead of an answer.
    Reset,
}

/// A fault that waits for its call.
pub(super) struct Armed<Operation> {
    matcher: Matcher<Operation>,
    when: When,
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    Fault(Fault),
    /// Strikes every call, until faults are cleared.
    Outage(Fault),
    Pause(Arc<Gate>),
}

#[derive(Default)]
struct Gate {
    reached: Notify,
    released: Notify,
}

/// Holds one call until released. Dropping it releases the call.
pub struct Pause(Arc<Gate>);

impl Pause {
    /// Waits until the call has come to the point where it is held.
    pub async fn reached(&self) {
        self.0.reached.notified().await;
        // Asking again must not wait for a second call.
        self.0.reached.notify_one();
    }

    /// Lets the call go on. Before it came, it will not be held at all.
    pub fn release(&self) {
        self.0.released.notify_one();
    }
}

impl Drop for Pause {
    fn drop(&mut self) {
        self.release();
    }
}

impl<W: World> StandIn<W> {
    /// The next call that matches goes wrong, once. Several faults strike one call each, in the order
    /// in which they were set.
    pub fn fail_next(&self, matcher: Matcher<W::Operation>, when: When, fault: Fault) {
        self.arm(matcher, when, Kind::Fault(fault));
    }

    /// Every call that matches goes wrong before anything is looked at, until [`StandIn::clear_faults`].
    pub fn fail_all(&self, matcher: Matcher<W::Operation>, fault: Fault) {
        self.arm(matcher, When::BeforeWork, Kind::Outage(fault));
    }

    /// The next call that matches is held before it looks at anything: the moment between a caller's
    /// read and its act. The work goes on after the release even if the caller has hung up.
    pub fn pause_next(&self, matcher: Matcher<W::Operation>) -> Pause {
        self.pause_next_at(matcher, When::BeforeWork)
    }

    /// As [`StandIn::pause_next`], but held at `when`.
    pub fn pause_next_at(&self, matcher: Matcher<W::Operation>, when: When) -> Pause {
        let gate = Arc::new(Gate::default());
        self.arm(matcher, when, Kind::Pause(Arc::clone(&gate)));
        Pause(gate)
    }

    /// Forgets faults that have not struck yet; lets pauses that have not been reached go.
    pub fn clear_faults(&self) {
        self.shared.desk().faults.clear();
    }

    fn arm(&self, matcher: Matcher<W::Operation>, when: When, kind: Kind) {
        let armed = Armed {
            matcher,
            when,
            kind,
        };
        self.shared.desk().faults.push(armed);
    }
}

impl<W: World> Shared<W> {
    /// Holds the call at its pauses, then gives the fault that strikes it, if any.
    pub(super) async fn strike(&self, when: When, call: &ApiCall<W::Operation>) -> Option<Fault> {
        while let Some(kind) = self.disarm(when, call) {
            match kind {
                Kind::Fault(fault) | Kind::Outage(fault) => return Some(fault),
                Kind::Pause(gate) => {
                    gate.reached.notify_one();
                    gate.released.notified().await;
                }
            }
        }
        None
    }

    fn disarm(&self, when: When, call: &ApiCall<W::Operation>) -> Option<Kind> {
        let mut desk = self.desk();
        let strikes =
            |armed: &Armed<W::Operation>| armed.when == when && armed.matcher.matches(call);
        let place = desk.faults.iter().position(strikes)?;
        Some(match &desk.faults[place].kind {
            lasting @ Kind::Outage(_) => lasting.clone(),
            Kind::Fault(_) | Kind::Pause(_) => desk.faults.remove(place).kind,
        })
    }
}

impl Fault {
    /// The answer, or `None` if there is none to be.
    pub(super) fn answer<W: World>(self, path: &str) -> Option<Response<Body>> {
        let (status, media, body) = match self {
            Self::Reset => return None,
            Self::Status(status) => (status, "application/json", W::failure(path, SCRIPTED)),
            Self::RateLimited { .. } => (
                429,
                "application/json",
                W::failure(path, "too many requests"),
            ),
            Self::Html(status) => (
                status,
                "text/html; charset=utf-8",
                "<!doctype html><title>One moment</title>".to_owned(),
            ),
        };
        let mut answer = Response::new(Body::from(body));
        *answer.status_mut() =
            StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = answer.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
        if let Self::RateLimited {
            retry_after_s: Some(seconds),
        } = self
        {
            headers.insert(W::WAIT_HEADER, seconds.into());
        }
        Some(answer)
    }
}
