//! The one HTTP client: every call to a provider's API goes through [`HttpClient::send`], which
//! turns what came of it into an answer or a [`CallError`] class. It follows no redirect, repeats
//! nothing, and never puts a URL, a key, a body or an address into an error.

mod outcome;
mod retry_after;
#[cfg(test)]
mod tests;

use std::fmt::Display;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Once;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::dns::Resolve;
pub use reqwest::{Method, RequestBuilder};
use reqwest::{Response, StatusCode};
use serde::de::IgnoredAny;
use tokio::time::Instant;
use url::{Host, Url};

use super::CallError;
use crate::domain::clock::Timestamp;

/// The largest answer that is read, in bytes; a longer one counts as unreadable.
pub const ANSWER_BYTES_MAX: usize = 1 << 20;

/// How long a connection may lie idle and still be used again, in milliseconds. Node closes them
/// after five seconds; a call that meets the closing end has an unknown outcome for nothing.
const IDLE_MS_MAX: u64 = 4_000;

/// What is sent as `User-Agent`.
pub const USER_AGENT: &str = concat!("bookgate/", env!("CARGO_PKG_VERSION"));

/// Whether a call changes anything at the provider: decides if a call without an answer may simply
/// be made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It only looks.
    Read,
    /// It may have changed something even if no answer came.
    Change,
}

/// An answer that settles a call: HTTP 2xx.
#[derive(Debug, Clone)]
pub struct HttpAnswer {
    /// The status, 200 to 299.
    pub status: u16,
    /// The body: well-formed JSON, or nothing at all after a 204.
    pub body: Bytes,
}

/// Whatever a server answered: see [`HttpClient::exchange`].
#[derive(Debug, Clone)]
pub struct RawAnswer {
    /// The status, any.
    pub status: u16,
    /// How long it asks to be left alone (`Retry-After`), in ms; longer than 15 minutes is taken for
    /// those.
    pub wait_ms: Option<i64>,
    /// What the server's clock says (`Date`).
    pub date: Option<Timestamp>,
    /// Whether it says that it repeats an earlier answer: `Idempotent-Replayed: true`.
    pub replayed: bool,
    /// The body, any; empty if it is longer than [`ANSWER_BYTES_MAX`] or breaks off.
    pub body: Bytes,
}

/// The client could not be made.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client cannot be set up: are the system's root certificates installed?")]
pub struct ClientError(#[source] reqwest::Error);

/// What is wrong with a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unread {
    /// The connection ended, or the time was over.
    #[error("a body that broke off")]
    BrokenOff,
    /// It is longer than is read.
    #[error("a body that is too long")]
    TooLong,
}

/// An HTTP client for one source.
#[derive(Debug, Clone)]
pub struct HttpClient {
    inner: reqwest::Client,
}

impl HttpClient {
    /// A client for an address, that gives up on a connection after `connect_timeout_ms`. A proxy is
    /// used only if the environment names one (`HTTPS_PROXY`, `NO_PROXY` and their like), and never
    /// for this machine's own addresses, which no proxy could reach.
    ///
    /// # Errors
    /// The system has no root certificates to check the provider's against.
    pub fn new(address: &Url, connect_timeout_ms: u32) -> Result<Self, ClientError> {
        let builder = reqwest::Client::builder();
        let builder = match is_here(address) {
            true => builder.no_proxy(),
            false => builder,
        };
        Self::build(builder, connect_timeout_ms)
    }

    /// A client that finds hosts by `names`, and uses no proxy, which would find them by itself.
    ///
    /// # Errors
    /// As [`HttpClient::new`].
    pub(super) fn finding(
        names: impl Resolve + 'static,
        connect_timeout_ms: u32,
    ) -> Result<Self, ClientError> {
        let builder = reqwest::Client::builder().no_proxy();
        Self::build(builder.dns_resolver(names), connect_timeout_ms)
    }

    fn build(
        builder: reqwest::ClientBuilder,
        connect_timeout_ms: u32,
    ) -> Result<Self, ClientError> {
        install_crypto();
        builder
            .user_agent(USER_AGENT)
            .connect_timeout(Duration::from_millis(connect_timeout_ms.into()))
            .pool_idle_timeout(Duration::from_millis(IDLE_MS_MAX))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .build()
            .map(|inner| Self { inner })
            .map_err(|error| ClientError(error.without_url()))
    }

    /// Starts a request; [`HttpClient::send`] sends it.
    pub fn request(&self, method: Method, url: Url) -> RequestBuilder {
        self.inner.request(method, url)
    }

    /// The request, and what it asks for, hashed: its path, which names the booking where it is about one.
    ///
    /// # Errors
    /// `Transient`: it cannot be sent.
    pub fn subject(
        request: RequestBuilder,
        effect: Effect,
    ) -> Result<(RequestBuilder, u64), CallError> {
        let (client, request) = request.build_split();
        let request = request.map_err(|error| outcome::without_answer(&error, effect))?;
        let mut hasher = DefaultHasher::new();
        request.url().path().hash(&mut hasher);
        let request = RequestBuilder::from_parts(client, request);
        Ok((request, hasher.finish()))
    }

    /// Sends a request and waits for the whole answer, until `deadline`.
    ///
    /// # Errors
    /// - `Limited`: 429.
    /// - `Transient`: nothing was sent (refused, no such host, timeout or TLS failure
    ///   while connecting), or 408 or 425. For a read, all of `Unknown` too.
    /// - `NotFound`: 404 and 410.
    /// - `Rejected`: any other 4xx, and a redirect.
    /// - `Unknown`: timeout or reset after sending, 5xx, and a 2xx that cannot be read
    ///   or is not JSON, such as a proxy's page.
    pub async fn send(
        &self,
        request: RequestBuilder,
        effect: Effect,
        deadline: Instant,
    ) -> Result<HttpAnswer, CallError> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(CallError::Transient {
                http_status: None,
                detail: "not sent: the time for this call was over".to_owned(),
            });
        }
        let response = request
            .timeout(left)
            .send()
            .await
            .map_err(|error| outcome::without_answer(&error, effect))?;
        let status = response.status();
        if status == StatusCode::TOO_MANY_REQUESTS {
            let wait_ms = retry_after::wait_ms(response.headers());
            return Err(CallError::Limited { wait_ms });
        }
        if !status.is_success() {
            // The status alone tells the class, so a body that breaks off is only a shorter text.
            let body = read_limited(response, ANSWER_BYTES_MAX).await;
            let body = body.unwrap_or_default();
            return Err(outcome::refused(status, effect, &body));
        }
        let unreadable = |what: &dyn Display| {
            let detail = format!("HTTP {} with {what}", status.as_u16());
            outcome::unsettled(effect, Some(status), detail)
        };
        let body = read_limited(response, ANSWER_BYTES_MAX).await;
        let body = body.map_err(|unread| unreadable(&unread))?;
        let empty_as_it_should = status == StatusCode::NO_CONTENT && body.is_empty();
        if !empty_as_it_should && serde_json::from_slice::<IgnoredAny>(&body).is_err() {
            return Err(unreadable(&"a body that is not JSON"));
        }
        Ok(HttpAnswer {
            status: status.as_u16(),
            body,
        })
    }

    /// Sends a request and hands back the answer as it is, whatever its status: for the command line,
    /// which shows it to a person.
    ///
    /// # Errors
    /// `Transient` if nothing was sent, `Unknown` if no answer came after that.
    pub async fn exchange(
        &self,
        request: RequestBuilder,
        timeout: Duration,
    ) -> Result<RawAnswer, CallError> {
        let response = request.timeout(timeout).send().await;
        let response = response.map_err(|error| outcome::without_answer(&error, Effect::Change))?;
        let replayed = response.headers().get("idempotent-replayed");
        Ok(RawAnswer {
            status: response.status().as_u16(),
            wait_ms: retry_after::asked_ms(response.headers()),
            date: retry_after::date(response.headers()),
            replayed: replayed.is_some_and(|value| value == "true"),
            body: read_limited(response, ANSWER_BYTES_MAX)
                .await
                .unwrap_or_default(),
        })
    }
}

/// Whether an address is this machine's own.
fn is_here(address: &Url) -> bool {
    match address.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// Reads a body of at most `bytes_max`.
pub(super) async fn read_limited(
    mut response: Response,
    bytes_max: usize,
) -> Result<Bytes, Unread> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|_| Unread::BrokenOff)? {
        if body.len() + chunk.len() > bytes_max {
            return Err(Unread::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// No answer came to a request that may simply be made again.
pub(super) fn unanswered(error: &reqwest::Error) -> CallError {
    outcome::without_answer(error, Effect::Read)
}

/// Chooses the TLS crypto for the process, once. Someone may have chosen before: that is fine too.
fn install_crypto() {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        let _already_chosen = rustls::crypto::ring::default_provider().install_default();
    });
}
