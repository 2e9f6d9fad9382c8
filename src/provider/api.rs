//! What every provider's API needs: the address of a call, the rate limit, one deadline for all calls
//! of one action.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, RequestBuilder};
use tokio::time::Instant;
use url::Url;

use super::CallError;
use super::circuit::Circuit;
use super::client::{Effect, HttpAnswer, HttpClient};
use super::limiter::Limiter;
use super::registry::{BuildError, CallTold, Calling};
use super::traced::CallSpan;
use crate::domain::clock::{Clock, Timestamp};

/// Stands for the HTTP status of a call that was refused before it was sent, because it could not
/// have been right.
pub(super) const NOT_SENT: u16 = 0;
/// The longest time any call may be given, in milliseconds.
const CALL_TIMEOUT_MS_MAX: u32 = 5 * 60 * 1_000;

/// How long calls may take and how many there may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Calls a minute; 0 means no limit.
    pub(super) requests_per_minute: u32,
    /// How long a connection may take, in milliseconds.
    pub(super) connect_timeout_ms: u32,
    /// How long one read or one action may take, in milliseconds.
    pub(super) call_timeout_ms: u32,
}

impl Limits {
    /// Whether they are within bounds.
    pub(super) fn check(self) -> Result<(), BuildError> {
        let wrong = |text: &str| Err(BuildError::Settings(text.to_owned()));
        if !(1..=CALL_TIMEOUT_MS_MAX).contains(&self.call_timeout_ms) {
            return wrong("call_timeout_ms must be between 1 and 300000");
        }
        if !(1..=self.call_timeout_ms).contains(&self.connect_timeout_ms) {
            return wrong("connect_timeout_ms must be between 1 and call_timeout_ms");
        }
        Ok(())
    }
}

/// The API of one account at a provider.
pub(super) struct Api {
    client: HttpClient,
    limiter: Limiter,
    circuit: Circuit,
    told: CallTold,
    clock: Arc<dyn Clock>,
    base: Url,
    limits: Limits,
}

impl Api {
    /// `base` is what paths are added to.
    pub(super) fn new(base: Url, limits: Limits, calling: Calling) -> Result<Self, BuildError> {
        Ok(Self {
            client: HttpClient::new(&base, limits.connect_timeout_ms)?,
            limiter: Limiter::new(limits.requests_per_minute, Arc::clone(&calling.clock)),
            circuit: Circuit::new(calling.circuit, Arc::clone(&calling.clock)),
            told: calling.told,
            clock: calling.clock,
            base,
            limits,
        })
    }

    pub(super) fn limiter(&self) -> &Limiter {
        &self.limiter
    }

    pub(super) fn circuit(&self) -> &Circuit {
        &self.circuit
    }

    /// When the next read may go; `None` if now.
    pub(super) fn next_call_at(&self) -> Option<Timestamp> {
        self.limiter.next_call_at().max(self.circuit.next_call_at())
    }

    pub(super) fn call_timeout_ms(&self) -> i64 {
        self.limits.call_timeout_ms.into()
    }

    /// When an action that begins now has to be over, all its calls and waits together.
    pub(super) fn deadline(&self) -> Instant {
        Instant::now() + Duration::from_millis(self.limits.call_timeout_ms.into())
    }

    /// The address of a path, each segment percent-encoded.
    pub(super) fn url(&self, segments: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.extend(segments);
        }
        url
    }

    pub(super) fn request(&self, method: Method, url: Url) -> RequestBuilder {
        self.client.request(method, url)
    }

    /// Sends when circuit and limiter let it; a 429 makes everyone of this source wait. What is kept away
    /// takes no turn of the limiter.
    pub(super) async fn send(
        &self,
        request: RequestBuilder,
        effect: Effect,
        deadline: Instant,
    ) -> Result<HttpAnswer, CallError> {
        self.circuit.look(effect)?;
        self.limiter.acquire(effect, deadline).await?;
        let (request, subject) = HttpClient::subject(request, effect)?;
        let permit = self.circuit.begin(effect, subject)?;
        let (request, span) = CallSpan::begin(request, self.clock.now());
        let began = Instant::now();
        let outcome = self.client.send(request, effect, deadline).await;
        permit.end(&outcome);
        if let Some(span) = span {
            let status = outcome.as_ref().map(|answer| answer.status);
            span.end(status, self.clock.now());
        }
        let word = outcome.as_ref().map_or_else(CallError::word, |_| "ok");
        (self.told)(effect, word, began.elapsed().as_secs_f64());
        if let Err(CallError::Limited { wait_ms }) = outcome {
            self.limiter.pause(wait_ms);
        }
        outcome
    }
}

/// The base address without query, fragment and empty segments, and with `last` at its end, whether the
/// settings name that or not. `example` is what to write.
pub(super) fn base(address: &Url, last: Option<&str>, example: &str) -> Result<Url, BuildError> {
    if !matches!(address.scheme(), "https" | "http") || !address.has_host() {
        return Err(BuildError::Settings(format!(
            "base_url is not an http(s) address such as {example}"
        )));
    }
    if !address.username().is_empty() || address.password().is_some() {
        return Err(BuildError::Settings(
            "base_url must not carry a user or a password; the key goes into `key`".to_owned(),
        ));
    }
    let mut url = address.clone();
    url.set_query(None);
    url.set_fragment(None);
    let path = address.path_segments().into_iter().flatten();
    let path: Vec<&str> = path.filter(|segment| !segment.is_empty()).collect();
    let missing = last.filter(|last| path.last() != Some(last));
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.clear().extend(path).extend(missing);
    }
    Ok(url)
}

/// A call that was not made because it cannot be right.
pub(super) fn not_sent(detail: &str) -> CallError {
    CallError::Rejected {
        http_status: NOT_SENT,
        detail: format!("not sent: {detail}"),
    }
}
