//! Calls of Calendly's API v2 (contract §2): the token, and answers taken apart.

use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Method, RequestBuilder};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;
use url::Url;

use super::CalendlySettings;
use crate::domain::clock::Timestamp;
use crate::domain::secret::Secret;
use crate::provider::CallError;
use crate::provider::api::{Api, base, not_sent};
use crate::provider::circuit::Circuit;
use crate::provider::client::{Effect, HttpAnswer};
use crate::provider::limiter::Limiter;
use crate::provider::registry::{BuildError, Calling};

/// The API of one token.
pub(super) struct Client {
    api: Api,
    key: Secret,
}

impl Client {
    pub(super) fn new(settings: &CalendlySettings, calling: Calling) -> Result<Self, BuildError> {
        let base = base(&settings.base_url, None, "https://api.calendly.com")?;
        Ok(Self {
            api: Api::new(base, settings.limits(), calling)?,
            key: settings.key.clone(),
        })
    }

    pub(super) fn limiter(&self) -> &Limiter {
        self.api.limiter()
    }

    pub(super) fn circuit(&self) -> &Circuit {
        self.api.circuit()
    }

    pub(super) fn next_call_at(&self) -> Option<Timestamp> {
        self.api.next_call_at()
    }

    pub(super) fn call_timeout_ms(&self) -> i64 {
        self.api.call_timeout_ms()
    }

    pub(super) fn deadline(&self) -> Instant {
        self.api.deadline()
    }

    /// Reads something.
    pub(super) async fn get(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
        deadline: Instant,
    ) -> Result<HttpAnswer, CallError> {
        let mut url = self.api.url(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let request = self.request(Method::GET, url)?;
        self.api.send(request, Effect::Read, deadline).await
    }

    /// Makes something.
    pub(super) async fn post(
        &self,
        path: &[&str],
        body: &Value,
        deadline: Instant,
    ) -> Result<HttpAnswer, CallError> {
        let request = self.request(Method::POST, self.api.url(path))?.json(body);
        self.api.send(request, Effect::Change, deadline).await
    }

    /// Deletes something.
    pub(super) async fn delete(
        &self,
        path: &[&str],
        deadline: Instant,
    ) -> Result<HttpAnswer, CallError> {
        let request = self.request(Method::DELETE, self.api.url(path))?;
        self.api.send(request, Effect::Change, deadline).await
    }

    fn request(&self, method: Method, url: Url) -> Result<RequestBuilder, CallError> {
        let mut bearer = HeaderValue::try_from(format!("Bearer {}", self.key.expose()))
            .map_err(|_| not_sent("the token has characters that no header can carry"))?;
        bearer.set_sensitive(true);
        let request = self.api.request(method, url);
        Ok(request.header(AUTHORIZATION, bearer))
    }
}

/// What stands in an answer, borrowed from it, if it has the expected shape.
pub(super) fn parsed<'a, T: Deserialize<'a>>(
    answer: &'a HttpAnswer,
    what: &str,
) -> Result<T, CallError> {
    serde_json::from_slice(&answer.body).map_err(|_| unreadable(answer, what))
}

/// An answer that is not what was asked for.
pub(super) fn unreadable(answer: &HttpAnswer, what: &str) -> CallError {
    CallError::Transient {
        http_status: Some(answer.status),
        detail: format!("HTTP {} whose JSON is not {what}", answer.status),
    }
}
