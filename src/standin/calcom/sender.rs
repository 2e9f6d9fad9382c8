//! Sends webhooks as Cal.com does: signed, once, without a look at the answer, inside the request that
//! caused them. A test may hold them back instead and deliver them itself.

use std::io;
use std::time::Duration;

use axum::body::Bytes;
use serde_json::Value;
use url::Url;

use super::bodies::Envelope;
use super::fields::milliseconds;
use super::rows::{Subscription, Trigger};
use super::state::Shared;
use super::webhooks::Webhook;
use super::{BadSubscriber, StandIn};
use crate::domain::clock::Timestamp;
use crate::domain::ids::Uid;
use crate::standin::sender::{Headers, parse_url, post, sign};

/// The header that carries the signature.
pub const SIGNATURE_HEADER: &str = "X-Cal-Signature-256";

/// How long an answer is waited for. Cal.com's own limit is not known.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

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

impl StandIn {
    /// Adds a subscription. The same address again is a further one: every event then comes twice.
    ///
    /// # Errors
    /// The address is not `http://` with a host.
    pub fn subscribe(&self, subscription: Subscription) -> Result<(), BadSubscriber> {
        parse_url(&subscription.url)?;
        let triggers = subscription.triggers.iter();
        let triggers = triggers.map(|trigger| trigger.as_str().to_owned());
        self.shared.state().add_webhook(Webhook {
            id: String::new(),
            url: subscription.url,
            secret: subscription.secret,
            triggers: triggers.collect(),
            active: true,
            payload_template: None,
        });
        Ok(())
    }

    /// Sends one webhook now; as often and in whatever order the caller likes. Gives the status.
    ///
    /// # Errors
    /// No connection, no HTTP answer, or none within ten seconds.
    pub async fn deliver(&self, webhook: &OutgoingWebhook) -> io::Result<u16> {
        send_once(webhook).await
    }
}

impl Shared {
    /// Tells all subscribers, one after the other, and waits until each has answered or failed.
    pub(super) async fn send(&self, trigger: Trigger, uid: &Uid, payload: &Value) {
        for webhook in self.seal(trigger, uid, payload) {
            if let Err(error) = send_once(&webhook).await {
                let trigger = trigger.as_str();
                tracing::debug!(%error, webhook.trigger = trigger, "webhook not delivered");
            }
        }
    }

    /// One signed copy per subscriber; none if they are held back instead.
    fn seal(&self, trigger: Trigger, uid: &Uid, payload: &Value) -> Vec<OutgoingWebhook> {
        let mut state = self.state();
        let wanted = |webhook: &&Webhook| webhook.wants(trigger.as_str());
        let webhooks: Vec<_> = state.webhooks.iter().filter(wanted).cloned().collect();
        let mut sealed = Vec::with_capacity(webhooks.len());
        for webhook in webhooks {
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
            let url = parse_url(&webhook.url).expect("checked when it was subscribed");
            sealed.push(OutgoingWebhook {
                trigger,
                uid: uid.clone(),
                url,
                headers: headers(&body, webhook.secret.as_deref()),
                body: body.into(),
            });
        }
        self.hold(sealed)
    }
}

fn headers(body: &[u8], secret: Option<&str>) -> Headers {
    let signature = secret.map_or_else(
        || "no-secret-provided".to_owned(),
        |secret| sign(secret, &[body]),
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

async fn send_once(webhook: &OutgoingWebhook) -> io::Result<u16> {
    post(
        &webhook.url,
        &webhook.headers,
        &webhook.body,
        ANSWER_TIMEOUT,
    )
    .await
}
