//! What both API dialects need beside [`crate::provider::api`]: the paths, and how bookings stand in
//! answers.

#[cfg(test)]
mod tests;

use reqwest::{Method, RequestBuilder};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::time::Instant;
use url::Url;

use super::CalcomSettings;
use crate::domain::booking::Reading;
use crate::domain::clock::Timestamp;
pub(super) use crate::provider::api::not_sent;
use crate::provider::circuit::Circuit;
use crate::provider::client::{Effect, HttpAnswer};
use crate::provider::limiter::Limiter;
use crate::provider::registry::{BuildError, Calling};
use crate::provider::{CallError, Target, api};

/// The longest reason sent, in characters. API v1 takes it in the URL.
pub(super) const REASON_CHARS_MAX: usize = 500;
/// Said where a cancel is asked without a reason: API v2 refuses a host's cancel that has none.
pub(super) const REASON_DEFAULT: &str = "Cancelled by the organizer's booking rules";

/// The API of one Cal.com account.
pub(super) struct Api {
    inner: api::Api,
    pub(super) settings: CalcomSettings,
}

impl Api {
    pub(super) fn new(settings: CalcomSettings, calling: Calling) -> Result<Self, BuildError> {
        let version = settings.dialect.version();
        // `https://api.cal.com` and `https://api.cal.com/v2/` are the same. A prefix is kept.
        let base = api::base(&settings.base_url, Some(version), "https://api.cal.com/v2")?;
        Ok(Self {
            inner: api::Api::new(base, settings.limits(), calling)?,
            settings,
        })
    }

    pub(super) fn limiter(&self) -> &Limiter {
        self.inner.limiter()
    }

    pub(super) fn circuit(&self) -> &Circuit {
        self.inner.circuit()
    }

    pub(super) fn next_call_at(&self) -> Option<Timestamp> {
        self.inner.next_call_at()
    }

    pub(super) fn deadline(&self) -> Instant {
        self.inner.deadline()
    }

    /// The address of `bookings/{segments…}`, each segment percent-encoded.
    pub(super) fn bookings_url(&self, segments: &[&str]) -> Url {
        self.inner.url(&[&["bookings"], segments].concat())
    }

    /// The address of a path, each segment percent-encoded.
    pub(super) fn url(&self, segments: &[&str]) -> Url {
        self.inner.url(segments)
    }

    pub(super) fn request(&self, method: Method, url: Url) -> RequestBuilder {
        self.inner.request(method, url)
    }

    pub(super) async fn send(
        &self,
        request: RequestBuilder,
        effect: Effect,
        deadline: Instant,
    ) -> Result<HttpAnswer, CallError> {
        self.inner.send(request, effect, deadline).await
    }
}

/// Where the booking stands in an answer: `data` in v2 (one or, for a series, a list), `booking`
/// in v1.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, alias = "booking")]
    data: Option<&'a RawValue>,
}

/// The entries of a list; `None` if the answer is none.
pub(super) fn entries(answer: &HttpAnswer) -> Option<Vec<&RawValue>> {
    let envelope = serde_json::from_slice::<Envelope<'_>>(&answer.body).ok()?;
    serde_json::from_str(envelope.data?.get()).ok()
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

/// A reason as it is sent.
pub(super) fn cut_reason(reason: &str) -> String {
    reason.chars().take(REASON_CHARS_MAX).collect()
}
