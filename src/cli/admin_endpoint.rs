//! The admin endpoint from the outside: sends an order to a running daemon, and turns its answer, or
//! its problem document, into what a command says.

use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::{NotFound, UsageError};
use crate::provider::CallError;
use crate::provider::client::{HttpClient, Method, RawAnswer, RequestBuilder};
use crate::settings::Secret;

/// How long to try to connect.
pub(super) const CONNECT_TIMEOUT_MS: u32 = 5_000;
/// How long to wait for an answer; longer than `server.request_timeout_ms` usually is.
pub(super) const ANSWER_TIMEOUT_MS: u64 = 30_000;

/// An admin endpoint and the token for it.
pub(super) struct AdminEndpoint {
    client: HttpClient,
    base: Url,
    token: Secret,
}

/// An order's answer: HTTP 2xx.
pub(super) struct Answer {
    /// Whether it was carried out before, under the same key.
    pub(super) replayed: bool,
    /// The body; null if there is none.
    pub(super) body: Value,
}

/// What a daemon says when it refuses (RFC 9457).
#[derive(Deserialize)]
struct Problem {
    detail: String,
}

/// A daemon has understood an order, and does not carry it out.
#[derive(Debug, thiserror::Error)]
#[error("the daemon refuses (HTTP {status}): {detail}")]
pub(super) struct Refusal {
    status: u16,
    detail: String,
    /// All that it says.
    pub(super) problem: Value,
}

impl AdminEndpoint {
    pub(super) fn new(base: Url, token: Secret) -> anyhow::Result<Self> {
        if base.cannot_be_a_base() || !matches!(base.scheme(), "http" | "https") {
            let message = "--admin-url must be an http or https URL".to_owned();
            return Err(UsageError(message).into());
        }
        let client = HttpClient::new(&base, CONNECT_TIMEOUT_MS)?;
        Ok(Self {
            client,
            base,
            token,
        })
    }

    /// Sends an order. `path` are the segments of its path, not yet escaped.
    pub(super) async fn post(
        &self,
        path: &[&str],
        key: Option<&str>,
        body: Option<&Value>,
    ) -> anyhow::Result<Answer> {
        let mut request = self.client.request(Method::POST, self.url(path));
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        self.send(request).await
    }

    /// Asks for something. `path` as in [`AdminEndpoint::post`].
    pub(super) async fn get(&self, path: &[&str]) -> anyhow::Result<Answer> {
        self.send(self.client.request(Method::GET, self.url(path)))
            .await
    }

    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }

    async fn send(&self, request: RequestBuilder) -> anyhow::Result<Answer> {
        let request = request.bearer_auth(self.token.expose());
        let timeout = Duration::from_millis(ANSWER_TIMEOUT_MS);
        match self.client.exchange(request, timeout).await {
            Ok(answer) => self.understand(&answer),
            Err(error @ CallError::Transient { .. }) => Err(anyhow!(
                "no daemon answers at {}: {error}; if it is elsewhere, say where with --admin-url, and \
                 if another command has the database, try again",
                self.base
            )),
            Err(error) => Err(anyhow!(
                "the daemon at {} did not answer, so it may or may not have been done: {error}",
                self.base
            )),
        }
    }

    fn understand(&self, answer: &RawAnswer) -> anyhow::Result<Answer> {
        let RawAnswer { status, .. } = *answer;
        if (200..300).contains(&status) {
            let body = match answer.body.is_empty() {
                true => Value::Null,
                false => serde_json::from_slice(&answer.body).with_context(|| {
                    format!("{} answered, but not as a bookgate does", self.base)
                })?,
            };
            let replayed = answer.replayed;
            return Ok(Answer { replayed, body });
        }
        let problem = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
        let Ok(Problem { detail }) = Problem::deserialize(&problem) else {
            bail!(
                "{} answered HTTP {status}, and not as a bookgate does: is it the admin endpoint?",
                self.base
            );
        };
        Err(match status {
            404 => NotFound(detail).into(),
            400 => UsageError(detail).into(),
            401 | 403 => UsageError(format!("the daemon refuses the token: {detail}")).into(),
            _ => Refusal {
                status,
                detail,
                problem,
            }
            .into(),
        })
    }
}
