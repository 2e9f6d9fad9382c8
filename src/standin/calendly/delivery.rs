//! The delivery of webhooks as Calendly does it: a copy for each subscription, signed with its own key;
//! what is not answered with a 2xx is tried again and again for a day, ever more slowly; a subscription
//! that hears nothing well for a day is disabled **and nobody is told**.
//!
//! Nothing here waits for a time: retries are made when [`StandIn::retry_due`] is called, by the clock.

use std::io;
use std::time::Duration;

use axum::body::Bytes;
use serde::Serialize;
use serde_json::Value;
use url::Url;

use super::StandIn;
use super::rows::Invitee;
use super::spelling::microseconds;
use super::state::{Shared, State};
use super::subscriptions::Subscription;
use crate::domain::clock::{Timestamp, from_us, ms_between, plus_ms};
use crate::domain::ids::Uid;
use crate::standin::sender::{Headers, parse_url, post, sign};

/// The header that carries the signature, if there is one.
pub const SIGNATURE_HEADER: &str = "Calendly-Webhook-Signature";

/// How long after its first failure a webhook is tried, and how long a subscription may fail, in ms.
pub const RETRIED_FOR_MS: i64 = 24 * 60 * 60 * 1_000;

/// How long after its first failure a webhook is tried again; twice as long after each further one. Our
/// own guess: Calendly does not publish its steps.
const FIRST_RETRY_MS: i64 = 30_000;

/// What happened, as a webhook names it. The stand-in sends these four only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Event {
    /// `invitee.created`
    InviteeCreated,
    /// `invitee.canceled`
    InviteeCanceled,
    /// `invitee_no_show.created`
    NoShowCreated,
    /// `invitee_no_show.deleted`
    NoShowDeleted,
}

impl Event {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InviteeCreated => "invitee.created",
            Self::InviteeCanceled => "invitee.canceled",
            Self::NoShowCreated => "invitee_no_show.created",
            Self::NoShowDeleted => "invitee_no_show.deleted",
        }
    }
}

/// A webhook ready to go: a copy for one subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutgoingWebhook {
    /// What it tells.
    pub event: Event,
    /// Of which invitee.
    pub invitee: Uid,
    /// For which subscription.
    pub subscription: Uid,
    /// Where it goes.
    pub url: Url,
    /// The exact bytes that were signed.
    pub body: Bytes,
    /// Name and value, as sent.
    pub headers: Vec<(&'static str, String)>,
    /// Place in the order in which webhooks were made.
    number: u64,
}

/// A webhook that failed and is tried again.
pub(super) struct Retry {
    webhook: OutgoingWebhook,
    failures: u32,
    first_failed_at: Timestamp,
    due_at: Timestamp,
}

/// Something to tell of an invitee, as they are now.
pub(super) struct News {
    event: Event,
    invitee: Invitee,
}

impl News {
    pub(super) fn of(event: Event, invitee: &Invitee) -> Self {
        let invitee = invitee.clone();
        Self { event, invitee }
    }
}

/// Every webhook: the keys in this order.
#[derive(Serialize)]
struct Envelope<'a> {
    event: &'static str,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_by: Option<String>,
    payload: &'a Value,
}

impl StandIn {
    /// Sends one webhook now, as it is; as often and in whatever order the caller likes. Gives the
    /// status. The outcome counts: a failure is tried again later, and a success clears the
    /// subscription's trouble.
    ///
    /// # Errors
    /// No connection, no HTTP answer, or none in time.
    pub async fn deliver(&self, webhook: &OutgoingWebhook) -> io::Result<u16> {
        self.shared.attempt(webhook).await
    }

    /// The same webhook signed for now: what was held for long is stale otherwise.
    pub fn signed_now(&self, webhook: &OutgoingWebhook) -> OutgoingWebhook {
        self.shared.renewed(webhook)
    }

    /// When the next retry is due, if one waits: how far a test has to put the clock forward.
    pub fn next_retry_at(&self) -> Option<Timestamp> {
        let state = self.shared.state();
        state.retries.iter().map(|retry| retry.due_at).min()
    }

    /// Makes the retries that are due by the clock, each once and the longest due first; gives what was
    /// sent and the status, `None` without an answer.
    pub async fn retry_due(&self) -> Vec<(OutgoingWebhook, Option<u16>)> {
        let now = self.shared.clock.now();
        let mut due: Vec<_> = {
            let state = self.shared.state();
            let due = state.retries.iter().filter(|retry| retry.due_at <= now);
            due.map(|retry| (retry.due_at, retry.webhook.clone()))
                .collect()
        };
        due.sort_by_key(|(due_at, webhook)| (*due_at, webhook.number));
        let mut made = Vec::with_capacity(due.len());
        for (_, webhook) in due {
            // An earlier one may have been the end of the subscription.
            if !self.shared.state().is_waiting(&webhook) {
                continue;
            }
            let webhook = if self.shared.options.renews_time {
                self.shared.renewed(&webhook)
            } else {
                webhook
            };
            let status = self.shared.attempt(&webhook).await.ok();
            made.push((webhook, status));
        }
        made
    }
}

impl Shared {
    /// Tells everybody who wants to hear, in an order drawn by lot; returns after the first try of each.
    pub(super) async fn tell(&self, news: Vec<News>) {
        for webhook in self.seal(&news) {
            if let Err(error) = self.attempt(&webhook).await {
                let event = webhook.event.as_str();
                tracing::debug!(%error, webhook.event = event, "webhook not delivered");
            }
        }
    }

    /// One copy of everything for each subscription; none if they are held back instead.
    fn seal(&self, news: &[News]) -> Vec<OutgoingWebhook> {
        let mut state = self.state();
        let now = self.clock.now();
        let mut sealed = Vec::new();
        for News { event, invitee } in news {
            let payload = self.payload(&state, *event, invitee);
            let subscriptions = state.subscriptions.iter();
            let wanted: Vec<_> = subscriptions
                .filter(|one| one.wants(*event))
                .cloned()
                .collect();
            for subscription in wanted {
                let body = self.body(&subscription, *event, now, &payload);
                state.webhooks_made += 1;
                sealed.push(OutgoingWebhook {
                    event: *event,
                    invitee: invitee.uuid.clone(),
                    subscription: subscription.uuid.clone(),
                    url: parse_url(&subscription.url).expect("checked when it was subscribed"),
                    headers: headers(&subscription, now, &body),
                    body,
                    number: state.webhooks_made,
                });
            }
        }
        state.shuffle(&mut sealed);
        self.hold(sealed)
    }

    fn body(
        &self,
        subscription: &Subscription,
        event: Event,
        now: Timestamp,
        payload: &Value,
    ) -> Bytes {
        let creator = self.uris().of("users", &subscription.creator);
        let envelope = Envelope {
            event: event.as_str(),
            // In whole seconds, which is before the change that it tells of.
            created_at: microseconds(from_us(now.as_second().saturating_mul(1_000_000))),
            created_by: self.options.shape.names_creator().then_some(creator),
            payload,
        };
        let body = serde_json::to_vec(&envelope).expect("a JSON value is always writable");
        body.into()
    }

    async fn attempt(&self, webhook: &OutgoingWebhook) -> io::Result<u16> {
        let limit = Duration::from_millis(self.options.answer_timeout_ms);
        let answer = post(&webhook.url, &webhook.headers, &webhook.body, limit).await;
        let delivered = matches!(answer, Ok(200..=299));
        self.state().note(webhook, delivered, self.clock.now());
        answer
    }

    fn renewed(&self, webhook: &OutgoingWebhook) -> OutgoingWebhook {
        let state = self.state();
        let mut subscriptions = state.subscriptions.iter();
        let found = subscriptions.find(|one| one.uuid == webhook.subscription);
        let headers = found.map(|found| headers(found, self.clock.now(), &webhook.body));
        OutgoingWebhook {
            headers: headers.unwrap_or_else(|| webhook.headers.clone()),
            ..webhook.clone()
        }
    }
}

impl State {
    /// Deletes a subscription, and what was to be tried again for it.
    pub(super) fn unsubscribe(&mut self, uuid: &Uid) {
        self.subscriptions.retain(|one| one.uuid != *uuid);
        self.retries
            .retain(|retry| retry.webhook.subscription != *uuid);
    }

    fn shuffle(&mut self, webhooks: &mut [OutgoingWebhook]) {
        for last in (1..webhooks.len()).rev() {
            let drawn = usize::from(self.ids.draw()[0]);
            webhooks.swap(last, drawn % (last + 1));
        }
    }

    fn is_waiting(&self, webhook: &OutgoingWebhook) -> bool {
        let mut waiting = self.retries.iter();
        waiting.any(|retry| retry.webhook.number == webhook.number)
    }

    /// What a try does to the subscription, and to the webhook's next try. Of a subscription that was
    /// deleted meanwhile nothing is kept.
    fn note(&mut self, webhook: &OutgoingWebhook, delivered: bool, now: Timestamp) {
        let mut retries = self.retries.iter();
        let known = retries.position(|retry| retry.webhook.number == webhook.number);
        let mut subscriptions = self.subscriptions.iter_mut();
        let found = subscriptions.find(|one| one.uuid == webhook.subscription);
        let Some(subscription) = found else {
            return;
        };
        if delivered {
            subscription.retry_started_at = None;
            if let Some(known) = known {
                self.retries.remove(known);
            }
            return;
        }
        let trouble_began = *subscription.retry_started_at.get_or_insert(now);
        if ms_between(trouble_began, now) >= RETRIED_FOR_MS {
            subscription.active = false;
            subscription.updated_at = now;
            self.retries
                .retain(|retry| retry.webhook.subscription != webhook.subscription);
            return;
        }
        let mut retry = match known {
            Some(known) => self.retries.remove(known),
            None => Retry {
                webhook: webhook.clone(),
                failures: 0,
                first_failed_at: now,
                due_at: now,
            },
        };
        retry.failures += 1;
        let last_try_at = plus_ms(retry.first_failed_at, RETRIED_FOR_MS);
        if now < last_try_at {
            let wait_ms = FIRST_RETRY_MS.saturating_mul(1 << (retry.failures - 1).min(20));
            retry.due_at = plus_ms(now, wait_ms).min(last_try_at);
            self.retries.push(retry);
        }
    }
}

/// Without a key there is no signature at all.
fn headers(subscription: &Subscription, now: Timestamp, body: &[u8]) -> Headers {
    let mut headers = vec![
        ("Content-Type", "application/json".to_owned()),
        ("User-Agent", "Calendly-Webhook".to_owned()),
    ];
    if let Some(key) = &subscription.signing_key {
        let time = now.as_second().to_string();
        let signature = sign(key, &[time.as_bytes(), b".", body]);
        headers.push((SIGNATURE_HEADER, format!("t={time},v1={signature}")));
    }
    headers
}
