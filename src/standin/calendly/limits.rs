//! Who may call, and how often: the user agent, the token, and the calls in a minute.

use std::sync::Arc;

use axum::extract::{Request, State as Extracted};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::refusal::Refusal;
use super::state::{Shared, State};
use crate::domain::clock::{Timestamp, ms_between};

/// Calls in a minute that there may be.
const LIMIT_HEADER: HeaderName = HeaderName::from_static("x-ratelimit-limit");
/// Calls that are left of them.
const REMAINING_HEADER: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
/// Seconds until the next minute begins: a duration, not a time.
pub(super) const RESET_HEADER: HeaderName = HeaderName::from_static("x-ratelimit-reset");

const WINDOW_MS: i64 = 60_000;

/// What a proxy in front says to callers without a name.
const NAMELESS: &str = "<!doctype html><title>Access denied</title><p>error code: 1010</p>";

/// What a token may be allowed to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Permission {
    /// `users:read`
    ReadUsers,
    /// `event_types:read`
    ReadEventTypes,
    /// `scheduled_events:read`; also needed to subscribe to what happens to them.
    ReadScheduledEvents,
    /// `scheduled_events:write`
    WriteScheduledEvents,
    /// `webhooks:read`
    ReadWebhooks,
    /// `webhooks:write`
    WriteWebhooks,
}

impl Permission {
    /// All there are.
    pub const ALL: [Self; 6] = [
        Self::ReadUsers,
        Self::ReadEventTypes,
        Self::ReadScheduledEvents,
        Self::WriteScheduledEvents,
        Self::ReadWebhooks,
        Self::WriteWebhooks,
    ];
}

/// A personal access token of the host's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The text behind `Bearer`.
    pub text: String,
    /// What it allows.
    pub permissions: Vec<Permission>,
}

impl Token {
    /// One that allows everything.
    pub fn full(text: impl Into<String>) -> Self {
        Self::with(text, &Permission::ALL)
    }

    /// One that allows this only.
    pub fn with(text: impl Into<String>, permissions: &[Permission]) -> Self {
        Self {
            text: text.into(),
            permissions: permissions.to_vec(),
        }
    }
}

/// What the caller may do: what handlers get of the token.
#[derive(Clone)]
pub(super) struct Caller(Vec<Permission>);

impl Caller {
    /// # Errors
    /// 403 without the permission.
    pub(super) fn require(&self, permission: Permission) -> Result<(), Refusal> {
        let allowed = self.0.contains(&permission);
        allowed.then_some(()).ok_or_else(Refusal::permission)
    }
}

/// The calls of one token in the minute that runs.
pub(super) struct Window {
    began_at: Timestamp,
    calls: u32,
}

/// Lets a call in, or says why not. Every answer to a known token says how many calls are left.
pub(super) async fn admit(
    Extracted(shared): Extracted<Arc<Shared>>,
    mut request: Request,
    next: Next,
) -> Response {
    if !request.headers().contains_key(header::USER_AGENT) {
        let media = (header::CONTENT_TYPE, "text/html; charset=utf-8");
        return (StatusCode::FORBIDDEN, [media], NAMELESS).into_response();
    }
    let Some(token) = shared.token_of(request.headers()) else {
        return Refusal::unauthenticated().into_response();
    };
    let limit = shared.options.calls_per_minute;
    let used = shared.state().count_call(&token.text, shared.clock.now());
    let mut answer = if used.calls > limit {
        Refusal::rate_limited().into_response()
    } else {
        request
            .extensions_mut()
            .insert(Caller(token.permissions.clone()));
        next.run(request).await
    };
    let headers = answer.headers_mut();
    headers.insert(LIMIT_HEADER, limit.into());
    headers.insert(REMAINING_HEADER, limit.saturating_sub(used.calls).into());
    headers.insert(RESET_HEADER, HeaderValue::from(used.seconds_left));
    answer
}

struct Used {
    calls: u32,
    seconds_left: i64,
}

impl State {
    fn count_call(&mut self, token: &str, now: Timestamp) -> Used {
        let fresh = || Window {
            began_at: now,
            calls: 0,
        };
        let window = self.windows.entry(token.to_owned()).or_insert_with(fresh);
        if !(0..WINDOW_MS).contains(&ms_between(window.began_at, now)) {
            *window = fresh();
        }
        window.calls += 1;
        let left_ms = WINDOW_MS - ms_between(window.began_at, now);
        Used {
            calls: window.calls,
            seconds_left: (left_ms + 999) / 1_000,
        }
    }
}

impl Shared {
    fn token_of(&self, headers: &HeaderMap) -> Option<&Token> {
        let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let text = value.strip_prefix("Bearer ")?;
        let mut tokens = self.options.tokens.iter();
        tokens.find(|token| token.text == text)
    }
}
