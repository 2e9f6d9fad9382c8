//! The settings as they are written: what the layers give when laid over each other, before secrets
//! are looked up and paths are resolved. Whatever may be missing is an `Option`, so that `resolve`
//! can say so at the right place.

use std::collections::BTreeMap;
use std::path::PathBuf;

use config::{Config, ConfigError, File, FileFormat};
use serde::{Deserialize, Serialize};

use super::sections::{
    Created, Dialect, HostConfirm, JournalSettings, LegacySignature, LogSettings, PoliciesSettings,
    ProviderKind, ReconcileSettings, RetentionSettings, Role, ServerSettings, SharedRefusal,
    SubscriptionScope, Tls, UnknownCanceller, VerificationWord, WorkerSettings,
};
use crate::domain::amount::UnitCode;
use crate::domain::notice::Topic;

/// The embedded defaults, which are also the reference for admins.
pub const DEFAULTS: &str = include_str!("../settings.default.toml");

/// All sections.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    pub(super) server: ServerSettings,
    pub(super) storage: StorageTable,
    pub(super) journal: JournalSettings,
    pub(super) policies: PoliciesSettings,
    pub(super) callouts: CalloutsTable,
    pub(super) units: BTreeMap<UnitCode, UnitTable>,
    pub(super) admin: AdminTable,
    #[serde(default)]
    pub(super) sources: BTreeMap<String, SourceTable>,
    #[serde(default)]
    pub(super) notices: BTreeMap<String, ReceiverTable>,
    pub(super) worker: WorkerSettings,
    pub(super) reconcile: ReconcileSettings,
    pub(super) retention: RetentionSettings,
    #[serde(default)]
    pub(super) telemetry: TelemetryTable,
    pub(super) log: LogSettings,
}

/// `[telemetry]`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TelemetryTable {
    pub(super) otlp: OtlpTable,
}

/// `[telemetry.otlp]`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct OtlpTable {
    pub(super) endpoint: Option<String>,
    pub(super) authorization: Option<String>,
}

/// `[storage]`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StorageTable {
    pub(super) url: String,
    pub(super) busy_timeout_ms: i64,
    pub(super) read_connections: u32,
    pub(super) connections_max: u32,
    pub(super) statement_timeout_ms: i64,
    pub(super) tls: Tls,
    pub(super) tls_root_certificate: Option<PathBuf>,
}

/// `[callouts]`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CalloutsTable {
    pub(super) hosts: Vec<String>,
    pub(super) allow_private: Vec<String>,
    pub(super) concurrency: u32,
    pub(super) concurrency_per_host: u32,
}

/// `[units.CODE]`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UnitTable {
    pub(super) scale: Option<u32>,
    pub(super) low_balance: Option<String>,
}

/// `[admin]`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AdminTable {
    pub(super) failed_log_ins_max: u32,
    pub(super) failed_log_in_delay_ms: i64,
    pub(super) session_ms: i64,
    #[serde(default)]
    pub(super) tokens: BTreeMap<String, TokenTable>,
}

/// `[admin.tokens.NAME]`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenTable {
    pub(super) role: Option<Role>,
    pub(super) secret: Option<String>,
}

/// `[sources.NAME]`. The defaults stand here because a source that nobody wrote has none; the
/// default file shows them as an example, and a test holds the two together.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SourceTable {
    pub(super) provider: Option<ProviderKind>,
    pub(super) signing_secrets: Vec<String>,
    pub(super) verification: Option<VerificationWord>,
    pub(super) created: Created,
    pub(super) host_confirm: HostConfirm,
    pub(super) unknown_canceller: UnknownCanceller,
    pub(super) settle_ms: i64,
    pub(super) series_settle_ms: i64,
    pub(super) shared_refusal: SharedRefusal,
    pub(super) signature_tolerance_ms: Option<i64>,
    pub(super) legacy_signatures: Option<Vec<LegacySignature>>,
    pub(super) api: ApiTable,
    pub(super) subscription: Option<SubscriptionTable>,
}

impl Default for SourceTable {
    fn default() -> Self {
        Self {
            provider: None,
            signing_secrets: Vec::new(),
            verification: None,
            created: Created::Decide,
            host_confirm: HostConfirm::Respect,
            unknown_canceller: UnknownCanceller::Organizer,
            settle_ms: 10_000,
            series_settle_ms: 5_000,
            shared_refusal: SharedRefusal::Defer,
            signature_tolerance_ms: None,
            legacy_signatures: None,
            api: ApiTable::default(),
            subscription: None,
        }
    }
}

/// `[sources.NAME.api]`. What is left out is the provider's own default (`resolve`).
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ApiTable {
    pub(super) base_url: Option<String>,
    pub(super) dialect: Option<Dialect>,
    pub(super) key: Option<String>,
    pub(super) version_header: Option<String>,
    pub(super) requests_per_minute: Option<u32>,
    pub(super) connect_timeout_ms: Option<i64>,
    pub(super) call_timeout_ms: Option<i64>,
}

/// `[sources.NAME.subscription]`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SubscriptionTable {
    pub(super) url: Option<String>,
    pub(super) ensure: bool,
    pub(super) scope: Option<SubscriptionScope>,
    pub(super) user: Option<String>,
    pub(super) group: Option<String>,
}

impl Default for SubscriptionTable {
    fn default() -> Self {
        Self {
            url: None,
            ensure: true,
            scope: None,
            user: None,
            group: None,
        }
    }
}

/// `[notices.NAME]`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ReceiverTable {
    pub(super) url: Option<String>,
    pub(super) secrets: Vec<String>,
    pub(super) events: Option<Vec<Topic>>,
    pub(super) timeout_ms: u32,
    pub(super) allow_http: bool,
}

impl Default for ReceiverTable {
    fn default() -> Self {
        Self {
            url: None,
            secrets: Vec::new(),
            events: None,
            timeout_ms: 5_000,
            allow_http: false,
        }
    }
}

impl Document {
    /// Lays the checked layers over the defaults; the later one wins, key by key, lists as a whole.
    pub(super) fn layered(layers: &[&toml::Table]) -> Result<Self, ConfigError> {
        let defaults = File::from_str(DEFAULTS, FileFormat::Toml);
        let mut builder = Config::builder().add_source(defaults);
        for layer in layers {
            let text =
                toml::to_string(layer).map_err(|error| ConfigError::Foreign(Box::new(error)))?;
            builder = builder.add_source(File::from_str(&text, FileFormat::Toml));
        }
        let mut document: Self = builder.build()?.try_deserialize()?;
        document
            .sources
            .values_mut()
            .for_each(SourceTable::complete);
        Ok(document)
    }
}

impl SourceTable {
    /// Fills in what differs from provider to provider. Nothing is known of a source without one.
    fn complete(&mut self) {
        let Some(provider) = self.provider else {
            return;
        };
        let api = &mut self.api;
        let fill = |value: &mut Option<String>, text: &str| {
            value.get_or_insert_with(|| text.to_owned());
        };
        api.connect_timeout_ms.get_or_insert(5_000);
        api.call_timeout_ms.get_or_insert(10_000);
        match provider {
            ProviderKind::Calcom => {
                fill(&mut api.base_url, "https://api.cal.com");
                fill(&mut api.version_header, "2024-08-13");
                api.dialect.get_or_insert(Dialect::V2);
                api.requests_per_minute.get_or_insert(120);
            }
            ProviderKind::Calendly => {
                fill(&mut api.base_url, "https://api.calendly.com");
                // What the free plan allows; a paid one allows 500.
                api.requests_per_minute.get_or_insert(50);
                self.signature_tolerance_ms.get_or_insert(180_000);
                if let Some(subscription) = &mut self.subscription {
                    let whole = SubscriptionScope::Organization;
                    subscription.scope.get_or_insert(whole);
                }
                self.legacy_signatures.get_or_insert_default();
            }
        }
    }
}
