//! Sends webhooks as Cal.com does: signed, once, without a look at the answer, inside the request that
//! caused them. A test may hold them back instead and deliver them itself.

use std::io;
use std::time::Duration;

use axum::body::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use url::Url;

use super::bodies::Envelope;
use super::fields::milliseconds;
use super::rows::{Subscription, Trigger};
use super::state::{Shared, keep};
use super::{Delivery, StandIn};
use crate::domain::clock::Timestamp;
use crate::domain::ids::Uid;

/// The header that carries the signature.
pub const SIGNATURE_HEADER: &str = "X-Cal-Signature-256";

/// How long an answer is waited for. Cal.com's own limit is not known.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest status line that is read.
const STATUS_LINE_BYTES_MAX: u64 = 1_024;

/// A webhook ready to go: signed, with its own time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutgoingWebhook {
    /// What it tells.
    pub trigger: Trigger,
    /// Of which booking.
    pub uid: Uid,
    /// Where it goes.
    pub url: Url,
    /// The exact bytes that were signed.
    pub body: Bytes,
    /// Name and value, as sent.
    pub headers: Vec<(&'static str, String)>,
}

/// The address cannot be subscribed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` cannot be subscribed: the stand-in sends to http:// addresses with a host only")]
pub struct BadSubscriber(String);

impl StandIn {
    /// Adds a subscription. The same address again is a further one: every event then comes twice.
    ///
    /// # Errors
    /// The address is not `http://` with a host.
    pub fn subscribe(&self, subscription: Subscription) -> Result<(), BadSubscriber> {
        parse_url(&subscription.url)?;
        self.shared.state().subscriptions.push(subscription);
        Ok(())
    }

    /// Whether webhooks are sent or held from now on. What is held already stays held.
    pub fn set_delivery(&self, delivery: Delivery) {
        self.shared.state().delivery = delivery;
    }

    /// Takes what was held, oldest first.
    pub fn take_outbox(&self) -> Vec<OutgoingWebhook> {
        self.shared.state().outbox.drain(..).collect()
    }

    /// Sends one webhook now; as often and in whatever order the caller likes. Gives the status.
    ///
    /// # Errors
    /// No connection, no HTTP answer, or none within ten seconds.
    pub async fn deliver(&self, webhook: &OutgoingWebhook) -> io::Result<u16> {
        post(webhook).await
    }
}

impl Shared {
    /// Tells all subscribers, one after the other, and waits until each has answered or failed.
    pub(super) async fn send(&self, trigger: Trigger, uid: &Uid, payload: &Value) {
        for webhook in self.seal(trigger, uid, payload) {
            if let Err(error) = post(&webhook).await {
                let trigger = trigger.as_str();
                tracing::debug!(%error, webhook.trigger = trigger, "webhook not delivered");
            }
        }
    }

    /// One signed copy per subscriber; none if they are held back instead.
    fn seal(&self, trigger: Trigger, uid: &Uid, payload: &Value) -> Vec<OutgoingWebhook> {
        let mut state = self.state();
        let wanted = |subscription: &&Subscription| subscription.triggers.contains(&trigger);
        let subscriptions: Vec<_> = state.subscriptions.iter().filter(wanted).cloned().collect();
        let mut sealed = Vec::with_capacity(subscriptions.len());
        for subscription in subscriptions {
            let earliest = state
                .last_sent_ms
                .saturating_add(self.options.created_at_step_ms);
            state.last_sent_ms = earliest.max(self.clock.now().as_millisecond());
            let envelope = Envelope {
                trigger_event: trigger.as_str(),
                created_at: milliseconds(
                    Timestamp::from_millisecond(state.last_sent_ms).unwrap_or(Timestamp::MAX),
                ),
                payload,
            };
            let body = serde_json::to_vec(&envelope).expect("a JSON value is always writable");
            let url = parse_url(&subscription.url).expect("checked when it was subscribed");
            sealed.push(OutgoingWebhook {
                trigger,
                uid: uid.clone(),
                url,
                headers: headers(&body, subscription.secret.as_deref()),
                body: body.into(),
            });
        }
        if state.delivery == Delivery::Held {
            for webhook in sealed.drain(..) {
                keep(&mut state.outbox, webhook);
            }
        }
        sealed
    }
}

fn parse_url(text: &str) -> Result<Url, BadSubscriber> {
    Url::parse(text)
        .ok()
        .filter(|url| url.scheme() == "http" && url.has_host())
        .ok_or_else(|| BadSubscriber(text.to_owned()))
}

fn headers(body: &[u8], secret: Option<&str>) -> Vec<(&'static str, String)> {
    let signature = secret.map_or_else(
        || "no-secret-provided".to_owned(),
        |secret| sign(secret, body),
    );
    vec![
        ("Content-Type", "application/json".to_owned()),
        (SIGNATURE_HEADER, signature),
        ("Accept", "*/*".to_owned()),
        ("Accept-Language", "*".to_owned()),
        ("Sec-Fetch-Mode", "cors".to_owned()),
        ("User-Agent", "node".to_owned()),
    ]
}

/// HMAC-SHA256 of the body in lower-case hex.
fn sign(secret: &str, body: &[u8]) -> String {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}

async fn post(webhook: &OutgoingWebhook) -> io::Result<u16> {
    tokio::time::timeout(ANSWER_TIMEOUT, post_without_limit(webhook))
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}

/// One HTTP/1.1 POST. Redirects are not followed and the answer's body is not read.
async fn post_without_limit(webhook: &OutgoingWebhook) -> io::Result<u16> {
    let url = &webhook.url;
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or(80);
    let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let mut head = format!("POST {target} HTTP/1.1\r\nHost: {host}:{port}\r\n");
    for (name, value) in &webhook.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let length = webhook.body.len();
    head.push_str(&format!(
        "Content-Length: {length}\r\nConnection: close\r\n\r\n"
    ));

    let connect_to = host.trim_matches(['[', ']']);
    let mut stream = TcpStream::connect((connect_to, port)).await?;
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&webhook.body).await?;

    let mut line = Vec::new();
    let mut answer = BufReader::new(tokio::io::AsyncReadExt::take(stream, STATUS_LINE_BYTES_MAX));
    answer.read_until(b'\n', &mut line).await?;
    let unreadable = || io::Error::new(io::ErrorKind::InvalidData, "no HTTP status line");
    std::str::from_utf8(&line)
        .ok()
        .filter(|line| line.starts_with("HTTP/1."))
        .and_then(|line| line.split(' ').nth(1))
        .and_then(|status| status.trim().parse().ok())
        .ok_or_else(unreadable)
}
