//! The default file is the reference for admins, so it must be complete and true.

use std::collections::BTreeSet;

use expect_test::expect;

use super::super::DEFAULTS;
use super::super::document::Document;
use super::super::keys::{self, KEYS, Node};
use super::{ONE_SOURCE, load};

/// The default file with its examples switched on: lines that begin with # and no blank. Without
/// the one example that contradicts another.
fn with_examples() -> String {
    let switched_on: Vec<_> = DEFAULTS
        .lines()
        .filter(|line| !line.starts_with("#verification"))
        .map(|line| match line.strip_prefix('#') {
            Some(rest) if rest.starts_with(|c: char| c == '[' || c.is_ascii_lowercase()) => rest,
            _ => line,
        })
        .collect();
    switched_on.join("\n")
}

const EXAMPLE_SECRETS: [(&str, &str); 7] = [
    ("BOOKGATE_OTLP_AUTHORIZATION", "otlp-value"),
    (
        "BOOKGATE_NOTICES_SECRET",
        "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
    ),
    ("BOOKGATE_CALENDLY_SECRET", "hook-secret-value"),
    ("BOOKGATE_CALENDLY_API_KEY", "api-key-value"),
    ("BOOKGATE_ADMIN_TOKEN", "token-value"),
    ("BOOKGATE_CALCOM_SECRET", "hook-secret-value"),
    ("BOOKGATE_CALCOM_API_KEY", "api-key-value"),
];

#[test]
fn writing_the_default_file_changes_nothing() {
    assert_eq!(load(DEFAULTS, &[]).unwrap(), load("", &[]).unwrap());
}

#[test]
fn the_examples_in_the_default_file_are_the_defaults_of_a_source() {
    let shown = load(&with_examples(), &EXAMPLE_SECRETS).unwrap();
    let calendly = ONE_SOURCE.replace("calcom", "calendly");
    let with_subscription = format!(
        "{calendly}[sources.calendly.subscription]\nurl = \"https://gate.example.org/webhooks/calendly\"\n"
    );
    let calcom = format!(
        "{ONE_SOURCE}[sources.calcom.subscription]\nurl = \"https://gate.example.org/webhooks/calcom\"\n"
    );
    let mut defaults = load(&calcom, &[]).unwrap().sources;
    defaults.extend(load(&with_subscription, &[]).unwrap().sources);
    let named = defaults.values_mut().last().unwrap().subscription.as_mut();
    let named = named.unwrap();
    // Shown as examples: both have no default.
    named.user = Some("https://api.calendly.com/users/ID".to_owned());
    named.group = Some("https://api.calendly.com/groups/ID".to_owned());
    assert_eq!(shown.sources, defaults);
    assert_eq!(shown.admin.tokens.len(), 1);
    let told = "[notices.ops]\nurl = \"https://hooks.example.org/bookgate\"
        secrets = [\"env:BOOKGATE_NOTICES_SECRET\"]\n";
    let told = load(told, &EXAMPLE_SECRETS).unwrap();
    assert_eq!(shown.notices, told.notices);
}

#[test]
fn the_default_file_names_every_key_and_no_other() {
    let mut expected = BTreeSet::new();
    walk(&KEYS, "", &mut expected);
    let mut shown = BTreeSet::new();
    let table: toml::Table = with_examples()
        .replace("#provider", "provider")
        .parse()
        .unwrap();
    leaves(&toml::Value::Table(table), "", &mut shown);
    // What is different for a source of another provider stands in an example of its own.
    let mut shown: BTreeSet<String> = shown
        .iter()
        .map(|key| key.replace("sources.calendly.", "sources.calcom."))
        .collect();
    shown.insert("sources.calcom.verification".to_owned());
    assert!(DEFAULTS.contains("\n#verification = \"none\""));
    assert_eq!(expected, shown);
}

#[test]
fn every_key_of_the_tree_has_its_place_in_the_document() {
    let table: toml::Table = format!("{}\n", with_examples()).parse().unwrap();
    let document = Document::layered(&[&table]).unwrap();
    let mut expected = BTreeSet::new();
    leaves(&toml::Value::Table(table), "", &mut expected);
    let mut kept = BTreeSet::new();
    leaves(&toml::Value::try_from(&document).unwrap(), "", &mut kept);
    // A source has the defaults, too, that its example leaves out.
    kept.retain(|key| expected.contains(key) || !key.starts_with("sources."));
    assert_eq!(expected, kept);
}

#[test]
fn every_key_is_explained() {
    let lines: Vec<_> = DEFAULTS.lines().collect();
    for (index, line) in lines.iter().enumerate() {
        let key = line.trim_start_matches('#');
        if key.contains(" = ") && key.starts_with(|c: char| c.is_ascii_lowercase()) {
            assert!(lines[index - 1].starts_with("# "), "{line}");
        }
    }
}

#[test]
fn the_defaults_are_the_pinned_ones() {
    let settings = load("", &[]).unwrap();
    assert!(settings.sources.is_empty() && settings.admin.tokens.is_empty());
    expect![[r#"
        Settings {
            server: ServerSettings {
                listen: 127.0.0.1:8080,
                admin_listen: 127.0.0.1:8081,
                acknowledge: Auto,
                when_store_is_down: Journal,
                body_bytes_max: 1048576,
                request_timeout_ms: 10000,
                shutdown_grace_ms: 10000,
            },
            storage: StorageSettings {
                database: Sqlite(
                    "/etc/bookgate/bookgate.db",
                ),
                busy_timeout_ms: 5000,
                read_connections: 4,
                connections_max: 10,
                statement_timeout_ms: 10000,
                tls: Prefer,
                tls_root_certificate: None,
            },
            journal: JournalSettings {
                dir: "/etc/bookgate/journal",
                segment_bytes_max: 16777216,
                bytes_max: 1073741824,
                age_max_ms: 604800000,
            },
            policies: PoliciesSettings {
                dir: "/etc/bookgate/policies",
                look_ms: 5000,
                start_with_last_good: true,
            },
            callouts: CalloutsSettings {
                hosts: [],
                allow_private: [],
                concurrency: 32,
                concurrency_per_host: 8,
            },
            units: {
                UnitCode(
                    "CREDIT",
                ): Unit {
                    code: UnitCode(
                        "CREDIT",
                    ),
                    scale: 2,
                },
            },
            admin: AdminSettings {
                failed_log_ins_max: 10,
                failed_log_in_delay_ms: 250,
                session_ms: 28800000,
                tokens: {},
            },
            sources: {},
            notices: {},
            low_balance: {},
            worker: WorkerSettings {
                concurrency: 64,
                lease_ms: 30000,
                batch_max: 512,
                attempt_grace_ms: 5000,
                retry_schedule_ms: [
                    60000,
                    300000,
                    900000,
                    1800000,
                    3600000,
                ],
                circuit_failures: 5,
                circuit_wait_ms: 5000,
                circuit_wait_ms_max: 300000,
            },
            reconcile: ReconcileSettings {
                interval_ms: 900000,
                days_back: 7,
            },
            retention: RetentionSettings {
                interval_ms: 86400000,
                batch_max: 200,
                delivery_bodies_days: 30,
                unparsed_bodies_days: 180,
                facts_days: 400,
                deliveries_days: 400,
                idempotency_days: 400,
            },
            telemetry: TelemetrySettings {
                otlp: None,
            },
            log: LogSettings {
                format: Text,
                level: Info,
            },
        }
    "#]]
    .assert_debug_eq(&settings);
}

#[test]
fn the_defaults_of_a_source_are_the_pinned_ones() {
    expect![[r#"
        {
            SourceName(
                "calcom",
            ): SourceSettings {
                provider: Calcom,
                verification: Signed(
                    [
                        Secret(…),
                    ],
                ),
                created: Decide,
                host_confirm: Respect,
                unknown_canceller: Organizer,
                settle_ms: 10000,
                series_settle_ms: 5000,
                shared_refusal: Defer,
                signature_tolerance_ms: None,
                legacy_signatures: [],
                api: ApiSettings {
                    base_url: Url {
                        scheme: "https",
                        cannot_be_a_base: false,
                        username: "",
                        password: None,
                        host: Some(
                            Domain(
                                "api.cal.com",
                            ),
                        ),
                        port: None,
                        path: "/",
                        query: None,
                        fragment: None,
                    },
                    dialect: Some(
                        V2,
                    ),
                    key: Secret(…),
                    version_header: Some(
                        "2024-08-13",
                    ),
                    requests_per_minute: 120,
                    connect_timeout_ms: 5000,
                    call_timeout_ms: 10000,
                },
                subscription: None,
            },
        }
    "#]]
    .assert_debug_eq(&load(ONE_SOURCE, &[]).unwrap().sources);
}

/// The names that the default file uses where the admin chooses.
fn example_name(path: &str) -> &'static str {
    match path {
        "units" => "CREDIT",
        "admin.tokens" | "notices" => "ops",
        _ => "calcom",
    }
}

fn walk(node: &Node, path: &str, keys: &mut BTreeSet<String>) {
    match node {
        Node::Table(children) => {
            for (key, child) in *children {
                walk(child, &keys::join(path, key), keys);
            }
        }
        Node::Named(_, each) => walk(each, &keys::join(path, example_name(path)), keys),
        Node::One(_) | Node::Many(..) => {
            keys.insert(path.to_owned());
        }
    }
}

fn leaves(value: &toml::Value, path: &str, keys: &mut BTreeSet<String>) {
    match value {
        toml::Value::Table(table) => {
            for (key, value) in table {
                leaves(value, &keys::join(path, key), keys);
            }
        }
        _ => {
            keys.insert(path.to_owned());
        }
    }
}
