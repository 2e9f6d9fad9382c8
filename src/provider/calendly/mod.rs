//! Calendly. A booking is one invitee of one scheduled event, and its id is `EVENT.INVITEE`, the last
//! parts of the invitee's URI. Webhooks are understood in `webhook`; the API is spoken in `bookings`,
//! `subscriptions` and `survey`.
//!
//! What is special: a booking stands from the moment it is made, so a refusal cancels it; a move is told
//! in two halves, a cancel of the old and a creation of the new, in any order; several invitees of one
//! event are several bookings, which can only be called off together.

mod bookings;
mod client;
mod details;
mod event_types;
mod payload;
mod subscriptions;
mod survey;
#[cfg(test)]
mod tests;
mod uris;
mod webhook;

use std::sync::Arc;

use async_trait::async_trait;
use reqwest::header::HeaderValue;
use serde::Deserialize;
use tokio::sync::OnceCell;
use url::Url;

use self::client::Client;
use self::event_types::EventTypes;
use self::subscriptions::Myself;
use super::api::Limits;
use super::circuit::Circuit;
use super::registry::{BuildError, Calling, Entry, SubscriptionSetup};
use super::signature::Scheme;
use super::subscriptions::Subscriptions;
use super::survey::Survey;
use super::{Answer, Call, CallError, Parsed, Provider, RawDelivery, Target};
use crate::domain::booking::Reading;
use crate::domain::clock::Timestamp;
use crate::domain::decision::Action;
use crate::domain::secret::Secret;
use crate::domain::timeline::Capabilities;

/// Where signatures stand.
const SIGNATURE_HEADER: &str = "calendly-webhook-signature";
/// How old Calendly's own example lets a signature be, in ms (contract §1.1).
const TOLERANCE_MS: i64 = 180_000;

/// The registry's line.
pub const ENTRY: Entry = Entry {
    name: "calendly",
    settings_section: "api",
    signature: Scheme::TimestampedHmac {
        header: SIGNATURE_HEADER,
        mark: "v1=",
        tolerance_ms: TOLERANCE_MS,
    },
    legacy_signatures: &[
        (
            "s-sha256",
            Scheme::TimestampedHmac {
                header: SIGNATURE_HEADER,
                mark: "s=sha256=",
                tolerance_ms: TOLERANCE_MS,
            },
        ),
        (
            "body-hex",
            Scheme::HexHmacBody {
                header: SIGNATURE_HEADER,
            },
        ),
    ],
    events: &subscriptions::EVENTS,
    build: |setup| {
        let settings = setup
            .api
            .try_into()
            .map_err(|error: toml::de::Error| BuildError::Settings(error.message().to_owned()))?;
        let calendly = Calendly::new(&settings, setup.subscription, setup.calling)?;
        Ok(Arc::new(calendly))
    },
};

/// How to reach one Calendly account.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalendlySettings {
    /// Where the API is.
    #[serde(default = "default_base_url")]
    pub base_url: Url,
    /// The access token itself (a reference to it is resolved where settings are read).
    pub key: Secret,
    /// Calls a minute; 0 means no limit.
    #[serde(default = "default_requests_per_minute")]
    pub requests_per_minute: u32,
    /// How long a connection may take, in milliseconds.
    #[serde(default = "default_connect_timeout_ms")]
    pub connect_timeout_ms: u32,
    /// How long one read or one action may take, in milliseconds.
    #[serde(default = "default_call_timeout_ms")]
    pub call_timeout_ms: u32,
}

fn default_base_url() -> Url {
    Url::parse("https://api.calendly.com").expect("a constant that is an address")
}

/// What Calendly allows a user of the free plan.
fn default_requests_per_minute() -> u32 {
    50
}

fn default_connect_timeout_ms() -> u32 {
    5_000
}

fn default_call_timeout_ms() -> u32 {
    10_000
}

impl CalendlySettings {
    fn check(&self) -> Result<(), BuildError> {
        let key = self.key.expose();
        if key.is_empty() || HeaderValue::from_str(key).is_err() {
            let text = "key is empty or has line breaks or control characters";
            return Err(BuildError::Settings(text.to_owned()));
        }
        self.limits().check()
    }

    fn limits(&self) -> Limits {
        Limits {
            requests_per_minute: self.requests_per_minute,
            connect_timeout_ms: self.connect_timeout_ms,
            call_timeout_ms: self.call_timeout_ms,
        }
    }
}

/// One Calendly account.
pub struct Calendly {
    client: Client,
    types: EventTypes,
    subscription: Option<SubscriptionSetup>,
    myself: OnceCell<Myself>,
}

impl Calendly {
    /// A provider for these settings, which keeps this webhook subscription if one is given.
    ///
    /// # Errors
    /// A setting is out of its bounds, or the HTTP client cannot be made.
    pub fn new(
        settings: &CalendlySettings,
        subscription: Option<SubscriptionSetup>,
        calling: Calling,
    ) -> Result<Self, BuildError> {
        settings.check()?;
        Ok(Self {
            client: Client::new(settings, calling)?,
            types: EventTypes::default(),
            subscription,
            myself: OnceCell::new(),
        })
    }
}

#[async_trait]
impl Provider for Calendly {
    fn parse(&self, delivery: RawDelivery<'_>) -> Parsed {
        webhook::parse(delivery, &self.types)
    }

    async fn read(&self, target: &Target) -> Result<Vec<Reading>, CallError> {
        Ok(vec![self.read_booking(&target.uid).await?])
    }

    async fn act(&self, call: &Call) -> Result<Answer, CallError> {
        self.call_off(call).await
    }

    async fn check_key(&self) -> Result<(), CallError> {
        self.myself().await.map(drop)
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            refusal_of_pending: Action::Cancel,
            names_series: false,
            reads_created: false,
            reads_who_moved: true,
            reads_event_type: true,
            stands_at_once: true,
        }
    }

    fn subscriptions(&self) -> Option<&dyn Subscriptions> {
        Some(self)
    }

    fn survey(&self) -> Option<&dyn Survey> {
        Some(self)
    }

    fn call_timeout_ms(&self) -> i64 {
        self.client.call_timeout_ms()
    }

    fn circuit(&self) -> Option<&Circuit> {
        Some(self.client.circuit())
    }

    fn next_call_at(&self) -> Option<Timestamp> {
        self.client.next_call_at()
    }

    fn share_limit(&self, instances: u32) {
        self.client.limiter().share(instances);
    }

    fn call_interval_ms(&self) -> i64 {
        self.client.limiter().interval_ms()
    }
}
