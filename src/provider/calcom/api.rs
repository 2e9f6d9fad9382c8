//! What both API dialects need: the address of a call, the key, the limiter, one deadline per
//! action.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, RequestBuilder};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::time::Instant;
use url::Url;

use super::{CalcomSettings, Dialect};
use crate::domain::booking::Reading;
use crate::domain::clock::Clock;
use crate::provider::client::{Effect, HttpAnswer, HttpClient};
use crate::provider::limiter::Limiter;
use crate::provider::registry::BuildError;
use crate::provider::{CallError, Target};

/// Stands for the HTTP status of a call that was refused before it was sent, because it could not
/// have been right.
pub(super) const NOT_SENT: u16 = 0;
/// The longest reason sent, in characters. API v1 takes it in the URL.
pub(super) const REASON_CHARS_MAX: usize = 500;
/// Said where a cancel is asked without a reason: API v2 refuses a host's cancel that has none.
pub(super) const REASON_DEFAULT: &str = "Cancelled by the organizer's booking rules";

/// The API of one Cal.com account.
pub(super) struct Api {
    client: HttpClient,
    limiter: Limiter,
    base: Url,
    pub(super) settings: CalcomSettings,
}

impl Api {
    pub(super) fn new(settings: CalcomSettings, clock: Arc<dyn Clock>) -> Result<Self, BuildError> {
        Ok(Self {
            client: HttpClient::new(&settings.base_url, settings.connect_timeout_ms)?,
            limiter: Limiter::new(settings.requests_per_minute, clock),
            base: versioned(&settings.base_url, settings.dialect)?,
            settings,
        })
    }

    pub(super) fn limiter(&self) -> &Limiter {
        &self.limiter
    }

    /// When an action that begins now has to be over, all its calls and waits together.
    pub(super) fn deadline(&self) -> Instant {
        Instant::now() + Duration::from_millis(self.settings.call_timeout_ms.into())
    }

    /// The address of `bookings/{segments…}`, each segment percent-encoded.
    pub(super) fn bookings_url(&self, segments: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.push("bookings").extend(segments);
        }
        url
    }

    pub(super) fn request(&self, method: Method, url: Url) -> RequestBuilder {
        self.client.request(method, url)
    }

    /// Sends when the limiter lets it; a 429 makes everyone of this source wait.
    pub(super) async fn send(
        &self,
        request: RequestBuilder,
        effect: Effect,
        deadline: Instant,
    ) -> Result<HttpAnswer, CallError> {
        self.limiter.acquire(effect, deadline).await?;
        let outcome = self.client.send(request, effect, deadline).await;
        if let Err(CallError::Limited { wait_ms }) = outcome {
            self.limiter.pause(wait_ms);
        }
        outcome
    }
}

/// The base address with the dialect's version as its last segment, whether the settings name it
/// or not: `https://api.cal.com` and `https://api.cal.com/v2/` are the same. A prefix is kept.
fn versioned(base: &Url, dialect: Dialect) -> Result<Url, BuildError> {
    let mut url = base.clone();
    if !matches!(url.scheme(), "https" | "http") || !url.has_host() {
        return Err(BuildError::Settings(
            "base_url is not an http(s) address such as https://api.cal.com/v2".to_owned(),
        ));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(BuildError::Settings(
            "base_url must not carry a user or a password; the key goes into `key`".to_owned(),
        ));
    }
    url.set_query(None);
    url.set_fragment(None);
    let path: Vec<&str> = base
        .path_segments()
        .into_iter()
        .flatten()
        .filter(|segment| !segment.is_empty())
        .collect();
    let version = dialect.version();
    let missing = path.last() != Some(&version);
    if let Ok(mut segments) = url.path_segments_mut() {
        segments
            .clear()
            .extend(path)
            .extend(missing.then_some(version));
    }
    Ok(url)
}

/// Where the booking stands in an answer: `data` in v2 (one or, for a series, a list), `booking`
/// in v1.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, alias = "booking")]
    data: Option<&'a RawValue>,
}

/// All bookings in an answer, the one asked for first; `None` if there is none or one of them
/// cannot be read.
pub(super) fn readings(answer: &HttpAnswer, target: &Target) -> Option<Vec<Reading>> {
    let data = serde_json::from_slice::<Envelope<'_>>(&answer.body)
        .ok()?
        .data?;
    let raw = match serde_json::from_str::<Vec<&RawValue>>(data.get()) {
        Ok(list) => list,
        Err(_) => vec![data],
    };
    let mut readings = raw
        .into_iter()
        .map(|raw| super::reading::reading(raw, target.seat.as_ref()))
        .collect::<Option<Vec<_>>>()?;
    readings.sort_by_key(|reading| reading.uid != target.uid);
    (!readings.is_empty()).then_some(readings)
}

/// The first booking of an answer to a change, if it shows one.
pub(super) fn shown(answer: &HttpAnswer, target: &Target) -> Option<Reading> {
    readings(answer, target)?.into_iter().next()
}

/// A read that was answered, but not with a booking.
pub(super) fn unreadable(answer: &HttpAnswer) -> CallError {
    CallError::Transient {
        http_status: Some(answer.status),
        detail: format!(
            "HTTP {} whose JSON is not a booking with id, known state, start and end",
            answer.status
        ),
    }
}

/// A call that was not made because it cannot be right.
pub(super) fn not_sent(detail: &str) -> CallError {
    CallError::Rejected {
        http_status: NOT_SENT,
        detail: format!("not sent: {detail}"),
    }
}

/// A reason as it is sent.
pub(super) fn cut_reason(reason: &str) -> String {
    reason.chars().take(REASON_CHARS_MAX).collect()
}
