//! The key tree: every key there is, and what its value may be. Settings file, environment and the
//! embedded defaults are all held against it, so a key is added here, in `document`, and in
//! `settings.default.toml` (a test compares the three).

use super::kind::Kind;
use super::kind::Kind::{
    Address, AddressBlock, Amount, BaseUrl, Choice, HeaderValue, Host, Path, Secret, StorageUrl,
    Switch, Whole,
};
use super::sections as section;
use crate::domain::amount::{SCALE_MAX, UnitCode};
use crate::domain::notice::Topic;

/// One place in the tree.
#[derive(Debug)]
pub(super) enum Node {
    /// A table with these keys and no others.
    Table(&'static [(&'static str, Node)]),
    /// A table whose keys are names that the admin chooses.
    Named(Names, &'static Node),
    /// One value.
    One(Kind),
    /// A list of at most so many values.
    Many(Kind, usize),
}

/// The names that the admin may choose.
#[derive(Debug, Clone, Copy)]
pub(super) enum Names {
    /// Sources.
    Source,
    /// Admin tokens.
    Token,
    /// Units of account.
    Unit,
    /// Those who are told what happens.
    Receiver,
}

/// The longest name of a source, token or receiver.
const NAME_BYTES_MAX: usize = 32;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// A hundred years: who means for ever writes 0.
const DAYS_MAX: i64 = 36_500;
const KIB: i64 = 1_024;
const MIB: i64 = 1_024 * KIB;
const GIB: i64 = 1_024 * MIB;

use Node::{Many, Named, One, Table};

/// The whole tree.
pub(super) static KEYS: Node = Table(&[
    (
        "server",
        Table(&[
            ("listen", One(Address)),
            ("admin_listen", One(Address)),
            ("acknowledge", One(Choice(section::Acknowledge::WORDS))),
            (
                "when_store_is_down",
                One(Choice(section::WhenStoreIsDown::WORDS)),
            ),
            ("body_bytes_max", One(Whole(KIB, 64 * MIB))),
            ("request_timeout_ms", One(Whole(100, 5 * MINUTE))),
            ("shutdown_grace_ms", One(Whole(0, 10 * MINUTE))),
        ]),
    ),
    (
        "storage",
        Table(&[
            ("url", One(StorageUrl)),
            ("busy_timeout_ms", One(Whole(0, MINUTE))),
            ("read_connections", One(Whole(1, 64))),
            ("connections_max", One(Whole(2, 256))),
            ("statement_timeout_ms", One(Whole(100, 10 * MINUTE))),
            ("tls", One(Choice(section::Tls::WORDS))),
            ("tls_root_certificate", One(Path)),
        ]),
    ),
    (
        "journal",
        Table(&[
            ("dir", One(Path)),
            ("segment_bytes_max", One(Whole(64 * KIB, GIB))),
            ("bytes_max", One(Whole(MIB, 1_024 * GIB))),
            ("age_max_ms", One(Whole(0, 365 * DAY))),
        ]),
    ),
    (
        "policies",
        Table(&[
            ("dir", One(Path)),
            ("look_ms", One(Whole(0, HOUR))),
            ("start_with_last_good", One(Switch)),
        ]),
    ),
    (
        "callouts",
        Table(&[
            ("hosts", Many(Host, 256)),
            ("allow_private", Many(AddressBlock, 64)),
            ("concurrency", One(Whole(1, 1_000))),
            ("concurrency_per_host", One(Whole(1, 1_000))),
        ]),
    ),
    (
        "units",
        Named(
            Names::Unit,
            &Table(&[
                ("scale", One(Whole(0, SCALE_MAX as i64))),
                ("low_balance", One(Amount)),
            ]),
        ),
    ),
    (
        "admin",
        Table(&[
            ("failed_log_ins_max", One(Whole(1, 1_000_000))),
            ("failed_log_in_delay_ms", One(Whole(0, MINUTE))),
            ("session_ms", One(Whole(MINUTE, 30 * DAY))),
            ("tokens", Named(Names::Token, &TOKEN)),
        ]),
    ),
    ("sources", Named(Names::Source, &SOURCE)),
    ("notices", Named(Names::Receiver, &RECEIVER)),
    (
        "worker",
        Table(&[
            ("concurrency", One(Whole(1, 256))),
            ("lease_ms", One(Whole(SECOND, 10 * MINUTE))),
            ("batch_max", One(Whole(1, 10_000))),
            ("attempt_grace_ms", One(Whole(0, 10 * MINUTE))),
            ("retry_schedule_ms", Many(Whole(1, 7 * DAY), 32)),
            ("circuit_failures", One(Whole(0, 1_000))),
            ("circuit_wait_ms", One(Whole(1, HOUR))),
            ("circuit_wait_ms_max", One(Whole(1, DAY))),
        ]),
    ),
    (
        "reconcile",
        Table(&[
            ("interval_ms", One(Whole(0, 30 * DAY))),
            ("days_back", One(Whole(0, 365))),
        ]),
    ),
    (
        "retention",
        Table(&[
            ("interval_ms", One(Whole(MINUTE, 30 * DAY))),
            ("batch_max", One(Whole(1, 10_000))),
            ("delivery_bodies_days", One(Whole(0, DAYS_MAX))),
            ("unparsed_bodies_days", One(Whole(0, DAYS_MAX))),
            ("facts_days", One(Whole(0, DAYS_MAX))),
            ("deliveries_days", One(Whole(0, DAYS_MAX))),
            ("idempotency_days", One(Whole(0, DAYS_MAX))),
        ]),
    ),
    (
        "telemetry",
        Table(&[(
            "otlp",
            Table(&[("endpoint", One(BaseUrl)), ("authorization", One(Secret))]),
        )]),
    ),
    (
        "log",
        Table(&[
            ("format", One(Choice(section::LogFormat::WORDS))),
            ("level", One(Choice(section::LogLevel::WORDS))),
        ]),
    ),
]);

static TOKEN: Node = Table(&[
    ("role", One(Choice(section::Role::WORDS))),
    ("secret", One(Secret)),
]);

static SOURCE: Node = Table(&[
    ("provider", One(Choice(section::ProviderKind::WORDS))),
    ("signing_secrets", Many(Secret, 8)),
    (
        "verification",
        One(Choice(section::VerificationWord::WORDS)),
    ),
    ("created", One(Choice(section::Created::WORDS))),
    ("host_confirm", One(Choice(section::HostConfirm::WORDS))),
    (
        "unknown_canceller",
        One(Choice(section::UnknownCanceller::WORDS)),
    ),
    ("settle_ms", One(Whole(0, 10 * MINUTE))),
    ("series_settle_ms", One(Whole(0, 10 * MINUTE))),
    ("shared_refusal", One(Choice(section::SharedRefusal::WORDS))),
    ("signature_tolerance_ms", One(Whole(SECOND, DAY))),
    (
        "legacy_signatures",
        Many(Choice(section::LegacySignature::WORDS), 2),
    ),
    (
        "api",
        Table(&[
            ("base_url", One(BaseUrl)),
            ("dialect", One(Choice(section::Dialect::WORDS))),
            ("key", One(Secret)),
            ("version_header", One(HeaderValue)),
            ("requests_per_minute", One(Whole(0, 100_000))),
            ("connect_timeout_ms", One(Whole(10, MINUTE))),
            ("call_timeout_ms", One(Whole(10, 5 * MINUTE))),
        ]),
    ),
    (
        "subscription",
        Table(&[
            ("url", One(BaseUrl)),
            ("ensure", One(Switch)),
            ("scope", One(Choice(section::SubscriptionScope::WORDS))),
            ("user", One(BaseUrl)),
            ("group", One(BaseUrl)),
        ]),
    ),
]);

static RECEIVER: Node = Table(&[
    ("url", One(BaseUrl)),
    ("secrets", Many(Secret, 4)),
    ("events", Many(Choice(Topic::WORDS), 16)),
    ("timeout_ms", One(Whole(100, MINUTE))),
    ("allow_http", One(Switch)),
]);

impl Names {
    /// Whether this is such a name.
    pub(super) fn allow(self, name: &str) -> bool {
        match self {
            Self::Source | Self::Token | Self::Receiver => {
                (1..=NAME_BYTES_MAX).contains(&name.len())
                    && name
                        .bytes()
                        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
            }
            Self::Unit => UnitCode::try_from(name).is_ok(),
        }
    }

    /// What is named, with its article.
    pub(super) fn what(self) -> &'static str {
        match self {
            Self::Source => "a source",
            Self::Token => "an admin token",
            Self::Unit => "a unit",
            Self::Receiver => "a receiver of notices",
        }
    }

    /// What names are made of.
    pub(super) fn rule(self) -> &'static str {
        match self {
            Self::Source | Self::Token | Self::Receiver => "a-z, 0-9 and _, at most 32 characters",
            Self::Unit => "a capital letter, then capitals, digits and _, at most 16 characters",
        }
    }

    /// The name that a segment of an environment variable stands for: variables are written in
    /// capitals, names of sources, tokens and receivers are not.
    pub(super) fn name_in_variable(self, segment: &str) -> String {
        match self {
            Self::Source | Self::Token | Self::Receiver => segment.to_ascii_lowercase(),
            Self::Unit => segment.to_ascii_uppercase(),
        }
    }
}

/// `key` below `parent`, dotted; the root is empty.
pub(super) fn join(parent: &str, key: &str) -> String {
    if parent.is_empty() {
        key.to_owned()
    } else {
        format!("{parent}.{key}")
    }
}

/// The word among `known` that was most likely meant. Words of two letters are as near to each other as to
/// anything, so none is meant.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_ascii_lowercase();
    let length = word.chars().count();
    if length <= 2 {
        return None;
    }
    let edits_max = (length / 3).max(1);
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word, candidate), candidate))
        .filter(|(edits, _)| *edits <= edits_max)
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}
