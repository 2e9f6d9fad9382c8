//! Cal.com. Webhooks are understood in `webhook`, the API is spoken in one of two dialects,
//! `v2` or `v1`.

mod api;
mod details;
mod event_types;
mod payload;
mod reading;
mod subscriptions;
mod survey;
mod v1;
mod v2;
mod webhook;

use std::sync::Arc;

use async_trait::async_trait;
use reqwest::header::HeaderValue;
use serde::Deserialize;
use tokio::sync::OnceCell;
use url::Url;

use self::api::Api;
use self::reading::Me;
use super::api::Limits;
use super::circuit::Circuit;
use super::registry::{BuildError, Calling, Entry, SubscriptionSetup};
use super::signature::Scheme;
use super::subscriptions::Subscriptions;
use super::survey::Survey;
use super::{Answer, Call, CallError, EventType, Parsed, Provider, RawDelivery, Target};
use crate::domain::booking::Reading;
use crate::domain::clock::Timestamp;
use crate::domain::decision::Action;
use crate::domain::secret::Secret;
use crate::domain::timeline::Capabilities;

/// The registry's line.
pub const ENTRY: Entry = Entry {
    name: "calcom",
    settings_section: "api",
    signature: Scheme::HexHmacBody {
        header: "x-cal-signature-256",
    },
    legacy_signatures: &[],
    events: &subscriptions::TRIGGERS,
    build: |setup| {
        let settings = setup
            .api
            .try_into()
            .map_err(|error: toml::de::Error| BuildError::Settings(error.message().to_owned()))?;
        let calcom = Calcom::new(settings, setup.subscription, setup.calling)?;
        Ok(Arc::new(calcom))
    },
};

/// Which API a Cal.com server serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// Self-hosted servers that still have it.
    V1,
    /// cal.com cloud and current self-hosted servers.
    #[default]
    V2,
}

impl Dialect {
    /// The version as it stands in the API's path.
    fn version(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
        }
    }
}

/// How to reach one Cal.com account.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalcomSettings {
    /// Where the API is, with or without its version: `https://api.cal.com`,
    /// `https://cal.example.org/api/v1`.
    #[serde(default = "default_base_url")]
    pub base_url: Url,
    /// Which API it is.
    #[serde(default)]
    pub dialect: Dialect,
    /// The API key itself (a reference to it is resolved where settings are read).
    pub key: Secret,
    /// What `cal-api-version` says (API v2).
    #[serde(default = "default_version_header")]
    pub version_header: String,
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
    Url::parse("https://api.cal.com/v2").expect("a constant that is an address")
}

fn default_version_header() -> String {
    "2024-08-13".to_owned()
}

/// What Cal.com grants an API key.
fn default_requests_per_minute() -> u32 {
    120
}

fn default_connect_timeout_ms() -> u32 {
    5_000
}

/// Long, because a confirm waits for calendars, mails and our own webhook endpoint.
fn default_call_timeout_ms() -> u32 {
    30_000
}

impl CalcomSettings {
    fn check(&self) -> Result<(), BuildError> {
        let wrong = |text: &str| Err(BuildError::Settings(text.to_owned()));
        let is_header = |text: &str| !text.is_empty() && HeaderValue::from_str(text).is_ok();
        if !is_header(self.key.expose()) {
            return wrong("key is empty or has line breaks or control characters");
        }
        if !is_header(&self.version_header) {
            return wrong("version_header must be a date such as 2024-08-13");
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

/// One Cal.com account.
pub struct Calcom {
    api: Api,
    subscription: Option<SubscriptionSetup>,
    /// Whose key it is, once that was asked.
    me: OnceCell<Me>,
}

impl Calcom {
    /// A provider for these settings, which keeps this webhook if one is given.
    ///
    /// # Errors
    /// A setting is out of its bounds, or the HTTP client cannot be made.
    pub fn new(
        settings: CalcomSettings,
        subscription: Option<SubscriptionSetup>,
        calling: Calling,
    ) -> Result<Self, BuildError> {
        settings.check()?;
        Ok(Self {
            api: Api::new(settings, calling)?,
            subscription,
            me: OnceCell::new(),
        })
    }
}

#[async_trait]
impl Provider for Calcom {
    fn parse(&self, delivery: RawDelivery<'_>) -> Parsed {
        webhook::parse(delivery)
    }

    async fn read(&self, target: &Target) -> Result<Vec<Reading>, CallError> {
        match self.api.settings.dialect {
            Dialect::V1 => v1::read(&self.api, target).await,
            Dialect::V2 => v2::read(&self.api, target).await,
        }
    }

    async fn act(&self, call: &Call) -> Result<Answer, CallError> {
        match self.api.settings.dialect {
            Dialect::V1 => v1::act(&self.api, call).await,
            Dialect::V2 => v2::act(&self.api, call).await,
        }
    }

    async fn check_key(&self) -> Result<(), CallError> {
        match self.api.settings.dialect {
            Dialect::V1 => v1::check_key(&self.api).await,
            Dialect::V2 => self.ask_who_i_am().await.map(drop),
        }
    }

    async fn event_types(&self) -> Result<Option<Vec<EventType>>, CallError> {
        match self.api.settings.dialect {
            Dialect::V1 => Ok(None),
            Dialect::V2 => event_types::list(&self.api).await,
        }
    }

    /// Servers that still have v1 may be as old as the guide whose webhook says ACCEPTED of a booking
    /// that its reader is then told to accept.
    fn capabilities(&self) -> Capabilities {
        let v1 = self.api.settings.dialect == Dialect::V1;
        Capabilities {
            refusal_of_pending: if v1 { Action::Cancel } else { Action::Decline },
            names_series: !v1,
            reads_created: v1,
            // A list may show the new booking alone; the old one tells.
            reads_who_moved: !v1,
            reads_event_type: false,
            stands_at_once: false,
        }
    }

    /// API v1 has no call for webhooks that can be relied on: there, a person enters them.
    fn subscriptions(&self) -> Option<&dyn Subscriptions> {
        (self.api.settings.dialect == Dialect::V2).then_some(self)
    }

    /// API v1 lists neither what waits nor what has changed: there, what is known is read again.
    fn survey(&self) -> Option<&dyn Survey> {
        (self.api.settings.dialect == Dialect::V2).then_some(self)
    }

    fn call_timeout_ms(&self) -> i64 {
        self.api.settings.call_timeout_ms.into()
    }

    fn circuit(&self) -> Option<&Circuit> {
        Some(self.api.circuit())
    }

    fn next_call_at(&self) -> Option<Timestamp> {
        self.api.next_call_at()
    }

    fn share_limit(&self, instances: u32) {
        self.api.limiter().share(instances);
    }

    fn call_interval_ms(&self) -> i64 {
        self.api.limiter().interval_ms()
    }
}
