//! What the other rooms are given: one plain struct per section, checked and complete. Lengths of
//! time are milliseconds, sizes bytes; the limits stand in the key tree (`keys`).

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use url::Url;

use super::secret::Secret;
use crate::domain::notice::Topic;

/// A setting that is one of a few words: the type, its words, and how they are read, in one place.
macro_rules! choice {
    ($(#[$doc:meta])* $name:ident { $($(#[$word_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$word_doc])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            /// The words a settings file may use.
            pub const WORDS: &'static [&'static str] = &[$($word),+];

            /// The word for this choice.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }
    };
}

choice! {
    /// When a webhook is answered with 200.
    Acknowledge {
        /// `journal` on SQLite, `database` on PostgreSQL.
        Auto = "auto",
        /// Once it is on disk in the journal.
        Journal = "journal",
        /// Once the database has committed it.
        Database = "database",
    }
}

choice! {
    /// What happens to webhooks while the database cannot be written.
    WhenStoreIsDown {
        /// The journal keeps them and catches up later.
        Journal = "journal",
        /// They are answered 503.
        Refuse = "refuse",
    }
}

choice! {
    /// How the connection to a server is encrypted, in PostgreSQL's own words.
    Tls {
        /// Not at all.
        Disable = "disable",
        /// If the server can.
        Prefer = "prefer",
        /// Always, with whoever answers.
        Require = "require",
        /// Always, with a certificate of a known authority.
        VerifyCa = "verify-ca",
        /// Always, with the server's own certificate.
        VerifyFull = "verify-full",
    }
}

choice! {
    /// What an admin token may do.
    Role {
        /// Look.
        Read = "read",
        /// Look, and top up accounts.
        Credits = "credits",
        /// Look and change.
        Admin = "admin",
    }
}

choice! {
    /// The providers that a source can be.
    ProviderKind {
        /// Cal.com.
        Calcom = "calcom",
        /// Calendly.
        Calendly = "calendly",
    }
}

choice! {
    /// What stands in `verification`: the only way to run a source without secrets is to say so.
    VerificationWord {
        /// Webhooks are not checked.
        None = "none",
    }
}

choice! {
    /// What the creation of a booking that already stands means.
    Created {
        /// It is decided; a refusal cancels it.
        Decide = "decide",
        /// It stands and is taken note of.
        Observe = "observe",
    }
}

choice! {
    /// What a confirmation by hand means.
    HostConfirm {
        /// It stands.
        Respect = "respect",
        /// The policies decide all the same.
        Enforce = "enforce",
    }
}

choice! {
    /// Whose terms hold when the provider does not say who cancelled.
    UnknownCanceller {
        /// The organizer's.
        Organizer = "organizer",
        /// The booker's.
        Booker = "booker",
    }
}

choice! {
    /// What becomes of a refusal that would refuse others, too.
    SharedRefusal {
        /// A person must decide.
        Defer = "defer",
        /// The whole appointment is called off.
        CancelAll = "cancel_all",
    }
}

choice! {
    /// A form of signature that guides still show, and that a source has to ask for.
    LegacySignature {
        /// `t=<unix s>,s=sha256=<hex>`.
        SSha256 = "s-sha256",
        /// The bare hex of the body's HMAC.
        BodyHex = "body-hex",
    }
}

choice! {
    /// Whose bookings a webhook subscription tells of.
    SubscriptionScope {
        /// Everybody's in the organization.
        Organization = "organization",
        /// One user's.
        User = "user",
        /// One group's.
        Group = "group",
    }
}

choice! {
    /// The version of a provider's API.
    Dialect {
        /// The API that own installations may still serve.
        V1 = "v1",
        /// The current API.
        V2 = "v2",
    }
}

choice! {
    /// How log lines look.
    LogFormat {
        /// For people.
        Text = "text",
        /// One JSON object a line.
        Json = "json",
    }
}

choice! {
    /// From which severity on bookgate logs.
    LogLevel {
        /// A person must act.
        Error = "error",
        /// Something is not as it should be.
        Warn = "warn",
        /// What happens, in few lines.
        Info = "info",
        /// What happens, in many lines.
        Debug = "debug",
        /// Everything.
        Trace = "trace",
    }
}

/// `[server]`: the two listeners and how webhooks are taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerSettings {
    /// Where webhooks and probes come in.
    pub listen: SocketAddr,
    /// Where the admin endpoint listens.
    pub admin_listen: SocketAddr,
    /// When a webhook is answered with 200.
    pub acknowledge: Acknowledge,
    /// What happens while the database cannot be written.
    pub when_store_is_down: WhenStoreIsDown,
    /// The largest body taken.
    pub body_bytes_max: u64,
    /// The longest one request may take.
    pub request_timeout_ms: i64,
    /// The longest a shutdown waits for running work.
    pub shutdown_grace_ms: i64,
}

/// Which database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    /// A SQLite file; the path is absolute if the settings file's folder is.
    Sqlite(PathBuf),
    /// A PostgreSQL server, by its URL, which may hold a password.
    Postgres(Secret),
}

/// `[storage]`: the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageSettings {
    /// Which database.
    pub database: Database,
    /// How long to wait for a connection or for the database's lock.
    pub busy_timeout_ms: i64,
    /// SQLite: connections for reading.
    pub read_connections: u32,
    /// PostgreSQL: connections in all.
    pub connections_max: u32,
    /// PostgreSQL: the longest that one statement may take.
    pub statement_timeout_ms: i64,
    /// PostgreSQL: how the connection is encrypted, unless the URL says it.
    pub tls: Tls,
    /// PostgreSQL: the certificates that may sign the server's.
    pub tls_root_certificate: Option<PathBuf>,
}

/// `[journal]`: the append-only files in front of the inbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JournalSettings {
    /// The folder.
    pub dir: PathBuf,
    /// The size at which a new segment is begun; at least `server.body_bytes_max`.
    pub segment_bytes_max: u64,
    /// The size of all segments at which nothing more is taken.
    pub bytes_max: u64,
    /// The age of the oldest delivery at which nothing more is taken; 0 for any age.
    pub age_max_ms: i64,
}

/// `[policies]`: where the policies are, and when they are read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoliciesSettings {
    /// The folder.
    pub dir: PathBuf,
    /// How often it is looked at, whatever the file system tells; 0 for never, and also no watching.
    pub look_ms: i64,
    /// Whether a daemon whose folder is broken starts on the last good set.
    pub start_with_last_good: bool,
}

/// `[admin]`: who may use the admin endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminSettings {
    /// Wrong tokens from one address after which none is looked at for a while.
    pub failed_log_ins_max: u32,
    /// How long the answer to the first wrong token is kept back; twice as long for each that follows.
    pub failed_log_in_delay_ms: i64,
    /// How long one stays logged in to the page.
    pub session_ms: i64,
    /// Tokens by the name the admin gave them.
    pub tokens: BTreeMap<String, AdminToken>,
}

/// `[admin.tokens.NAME]`: one token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminToken {
    /// What it may do.
    pub role: Role,
    /// The token itself.
    pub secret: Secret,
}

/// How a source's webhooks are checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verification {
    /// Signed with one of these secrets; there is at least one.
    Signed(Vec<Secret>),
    /// Not at all, because the admin wrote so.
    None,
}

/// `[sources.NAME]`: a configured instance of a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceSettings {
    /// Which provider.
    pub provider: ProviderKind,
    /// How its webhooks are checked.
    pub verification: Verification,
    /// What the creation of a booking that already stands means.
    pub created: Created,
    /// What a confirmation by hand means.
    pub host_confirm: HostConfirm,
    /// Whose terms hold when it is unknown who cancelled.
    pub unknown_canceller: UnknownCanceller,
    /// How long the provider's own state may lag behind.
    pub settle_ms: i64,
    /// The quiet time after which a series is complete.
    pub series_settle_ms: i64,
    /// What becomes of a refusal that would refuse others, too.
    pub shared_refusal: SharedRefusal,
    /// How far the time in a signature may be from now; `None` where signatures carry none.
    pub signature_tolerance_ms: Option<i64>,
    /// Older forms of signature that are taken beside the provider's own.
    pub legacy_signatures: Vec<LegacySignature>,
    /// How the provider is called.
    pub api: ApiSettings,
    /// How the provider is told where to send webhooks; `None` if an admin does that by hand.
    pub subscription: Option<SubscriptionSettings>,
}

/// `[sources.NAME.subscription]`: the webhook subscription that bookgate keeps at the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionSettings {
    /// Where the provider reaches this source from outside.
    pub url: Url,
    /// Whether it is made, and mended, when the daemon starts and while it runs.
    pub ensure: bool,
    /// Whose bookings it tells of.
    pub scope: SubscriptionScope,
    /// The user's address at the provider; the key's own user without it.
    pub user: Option<String>,
    /// The group's address at the provider, for the scope `group`.
    pub group: Option<String>,
}

/// `[sources.NAME.api]`: how the provider is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiSettings {
    /// The address that paths are added to.
    pub base_url: Url,
    /// Which version of the API, where there are several.
    pub dialect: Option<Dialect>,
    /// The key.
    pub key: Secret,
    /// The version asked for in a header, where there is one.
    pub version_header: Option<String>,
    /// Calls a minute; 0 is no limit.
    pub requests_per_minute: u32,
    /// The longest wait for a connection.
    pub connect_timeout_ms: i64,
    /// The longest wait for an answer; at least `connect_timeout_ms`.
    pub call_timeout_ms: i64,
}

impl ApiSettings {
    /// The section as a provider takes it, with the key itself: for the provider's eyes only.
    pub fn to_table(&self) -> toml::Table {
        let text = |value: &str| toml::Value::from(value);
        let mut table = toml::Table::from_iter([
            ("base_url".to_owned(), text(self.base_url.as_str())),
            ("key".to_owned(), text(self.key.expose())),
            (
                "requests_per_minute".to_owned(),
                i64::from(self.requests_per_minute).into(),
            ),
            (
                "connect_timeout_ms".to_owned(),
                self.connect_timeout_ms.into(),
            ),
            ("call_timeout_ms".to_owned(), self.call_timeout_ms.into()),
        ]);
        if let Some(dialect) = self.dialect {
            table.insert("dialect".to_owned(), text(dialect.as_str()));
        }
        if let Some(version) = &self.version_header {
            table.insert("version_header".to_owned(), text(version));
        }
        table
    }
}

/// `[notices.NAME]`: somebody who is told what happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiverSettings {
    /// Where it is told.
    pub url: Url,
    /// What notices are signed with: `whsec_` and base64. There is at least one.
    pub secrets: Vec<Secret>,
    /// Of what it is told; there is at least one.
    pub events: Vec<Topic>,
    /// The longest an attempt may take.
    pub timeout_ms: u32,
}

/// `[worker]`: how stored webhooks become decisions and calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkerSettings {
    /// Chains worked at the same time.
    pub concurrency: u32,
    /// How long a lease lives without renewal.
    pub lease_ms: i64,
    /// Webhooks one transaction takes from the journal at most.
    pub batch_max: u32,
    /// The wait past the deadline of a call that was never answered.
    pub attempt_grace_ms: i64,
    /// The waits between attempts; when they are used up, the call is a dead letter.
    pub retry_schedule_ms: Vec<i64>,
    /// Failures in a row by which a provider counts as failing; 0 is never.
    pub circuit_failures: u32,
    /// The wait before a provider that is failing is looked at again.
    pub circuit_wait_ms: i64,
    /// What that wait doubles up to.
    pub circuit_wait_ms_max: i64,
}

/// `[reconcile]`: comparing what the provider has with what is known here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReconcileSettings {
    /// From one run to the next; 0 is never.
    pub interval_ms: i64,
    /// How long ago an appointment may have been, or the first run's changes may have been made, in days.
    pub days_back: i64,
}

/// `[retention]`: what is removed once it is old. An age of 0 days is for ever.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetentionSettings {
    /// From one run to the next.
    pub interval_ms: i64,
    /// Rows one transaction removes at most.
    pub batch_max: u32,
    /// Age of the bodies of webhooks that were understood.
    pub delivery_bodies_days: i64,
    /// Age of the bodies of webhooks that were not.
    pub unparsed_bodies_days: i64,
    /// Age of what is known of bookings that are over and settled, and of the calls made for them.
    pub facts_days: i64,
    /// Age of the lines of webhooks.
    pub deliveries_days: i64,
    /// Age of the answers to orders with an idempotency key.
    pub idempotency_days: i64,
}

/// `[telemetry]`: what is told to others than Prometheus.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TelemetrySettings {
    /// Where traces go; `None` if there are to be none.
    pub otlp: Option<OtlpSettings>,
}

/// `[telemetry.otlp]`, and the environment's `OTEL_` variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtlpSettings {
    /// The collector's address for traces.
    pub traces_url: Url,
    /// Headers that it asks for.
    pub headers: Vec<(String, Secret)>,
    /// What this daemon is called there.
    pub service_name: String,
}

/// `[log]`: what goes to stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogSettings {
    /// How lines look.
    pub format: LogFormat,
    /// From which severity on.
    pub level: LogLevel,
}
