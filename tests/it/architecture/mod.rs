//! The rooms of the crate and what each may use (the map is in `src/lib.rs`). Reads `src/` as text:
//! what is forbidden here cannot be forgotten in a review.

mod reading;

use std::collections::BTreeSet;

use reading::{Source, crates_used, dependencies, rooms_used, sources};

/// The longest file there may be, in lines.
const LINES_MAX: usize = 500;

/// A part of `src/`, the parts it may use, and the crates it may use beside `std`.
struct Room {
    name: &'static str,
    rooms: &'static [&'static str],
    crates: &'static [&'static str],
    /// Neither waits nor touches the world: no `async`, files, sockets, threads or clocks.
    pure: bool,
}

const fn pure(
    name: &'static str,
    rooms: &'static [&'static str],
    crates: &'static [&'static str],
) -> Room {
    Room {
        name,
        rooms,
        crates,
        pure: true,
    }
}

const fn room(
    name: &'static str,
    rooms: &'static [&'static str],
    crates: &'static [&'static str],
) -> Room {
    Room {
        name,
        rooms,
        crates,
        pure: false,
    }
}

const ROOMS: &[Room] = &[
    pure(
        "domain",
        &[],
        &[
            "idna",
            "jiff",
            "rust_decimal",
            "serde",
            "serde_json",
            "thiserror",
        ],
    ),
    pure(
        "policy",
        &["domain"],
        &[
            "annotate_snippets",
            "cel",
            "chrono",
            "hex",
            "icalendar",
            "jiff",
            "regex",
            "rrule",
            "rust_decimal",
            "serde",
            "serde_json",
            "sha2",
            "strsim",
            "thiserror",
            "toml",
            "url",
        ],
    ),
    pure("ledger", &[], &["serde"]),
    room(
        "journal",
        &["domain"],
        &["bytes", "crc32c", "thiserror", "tokio", "tracing"],
    ),
    room(
        "provider",
        &["domain"],
        &[
            "async_trait",
            "base64",
            "bytes",
            "hex",
            "hmac",
            "jiff",
            "reqwest",
            "rustls",
            "serde",
            "serde_json",
            "sha2",
            "subtle",
            "thiserror",
            "tokio",
            "toml",
            "url",
        ],
    ),
    room("notify", &["domain", "provider"], &["thiserror", "url"]),
    room(
        "storage",
        &["domain", "ledger"],
        &[
            "bytes",
            "futures_util",
            "rusqlite",
            "rustls",
            "serde",
            "serde_json",
            "sqlx",
            "thiserror",
            "tokio",
            "tokio_util",
            "tracing",
            "url",
        ],
    ),
    room(
        "gate",
        &[
            "domain", "journal", "notify", "policy", "provider", "storage",
        ],
        &[
            "arc_swap",
            "bytes",
            "futures_util",
            "hex",
            "prometheus_client",
            "serde",
            "serde_json",
            "sha2",
            "thiserror",
            "tokio",
            "tokio_util",
            "tracing",
        ],
    ),
    room(
        "http",
        &["domain", "gate"],
        &[
            "axum",
            "futures_util",
            "hex",
            "hmac",
            "hyper",
            "hyper_util",
            "maud",
            "serde",
            "serde_json",
            "sha2",
            "subtle",
            "tokio",
            "tokio_util",
            "tower",
            "tower_http",
            "tracing",
            "uuid",
        ],
    ),
    room(
        "settings",
        &["domain"],
        &[
            "annotate_snippets",
            "base64",
            "config",
            "serde",
            "strsim",
            "thiserror",
            "toml",
            "url",
        ],
    ),
    room(
        "standin",
        &["domain"],
        &[
            "axum",
            "hex",
            "hmac",
            "jiff",
            "serde",
            "serde_json",
            "sha2",
            "thiserror",
            "tokio",
            "tokio_util",
            "tracing",
            "url",
            "uuid",
        ],
    ),
];

/// Where everything is joined: these may use every room, and every crate that is not held elsewhere.
const JOINTS: &[&str] = &["app", "cli", "lib", "main", "telemetry"];

/// Crates that stay where they are, also from the joints.
const HELD: &[(&str, &[&str])] = &[
    ("axum", &["app", "http", "standin"]),
    ("hyper", &["http"]),
    ("hyper_util", &["http"]),
    ("opentelemetry", &["telemetry"]),
    ("opentelemetry_http", &["telemetry"]),
    ("opentelemetry_otlp", &["telemetry"]),
    ("opentelemetry_sdk", &["telemetry"]),
    ("reqwest", &["provider"]),
    ("rusqlite", &["storage"]),
    ("sqlx", &["storage"]),
];

/// Where a provider may be called by its name: its own folder, the list of providers, the stand-in,
/// and where people configure and try it.
const NAMES_PROVIDERS: &[&str] = &["provider/registry.rs", "standin/", "settings/", "cli/"];
const PROVIDERS: &[(&str, &[&str])] = &[
    ("calcom", &["calcom", "cal.com", "cal_com", "x-cal-"]),
    ("calendly", &["calendly"]),
    ("stripe", &["stripe"]),
    (
        "meetingbaas",
        &[
            "meetingbaas",
            "meeting-baas",
            "meeting_baas",
            "meeting baas",
        ],
    ),
];
/// What only waits, or only the world outside, can be.
const IMPURE: &[&str] = &[
    "async fn",
    "async move",
    ".await;",
    ".await?",
    ".await.",
    "std::fs",
    "std::net",
    "std::thread",
    "std::process",
    "std::env",
    "SystemTime",
    "Instant::now",
    "Timestamp::now",
    "Zoned::now",
];
/// The one place that knows the time: everybody else is given it.
const THE_CLOCK: (&str, [&str; 2]) = ("domain/clock.rs", ["Timestamp::now", "Instant::now"]);
/// Unfinished work.
const UNFINISHED: &[&str] = &["todo!", "unimplemented!", "dbg!", "#[ignore"];

/// The room of a file; `None` if it belongs to a joint.
fn room_of(source: &Source) -> Option<&'static Room> {
    let name = source.room();
    let room = ROOMS.iter().find(|room| room.name == name);
    let known = room.is_some() || JOINTS.contains(&name);
    assert!(
        known,
        "src/{} is in no room of the table in tests/it/architecture: say what it may use",
        source.path
    );
    room
}

fn fail_if_any(what: &str, violations: &[String]) {
    assert!(
        violations.is_empty(),
        "{what}:\n  {}",
        violations.join("\n  ")
    );
}

/// Holds `allowed` against what `used` finds in each file, both ways: what is used must be allowed,
/// and what is allowed must be used.
fn compare(
    allowed: fn(&'static Room) -> &'static [&'static str],
    used: impl Fn(&Source) -> Vec<(usize, String)>,
) -> Vec<String> {
    let mut violations = Vec::new();
    let mut unused: BTreeSet<(&str, &str)> = ROOMS
        .iter()
        .flat_map(|room| allowed(room).iter().map(|name| (room.name, *name)))
        .collect();
    for source in sources("src") {
        let Some(room) = room_of(&source) else {
            continue;
        };
        for (line, name) in used(&source) {
            unused.retain(|idle| *idle != (room.name, name.as_str()));
            if !allowed(room).contains(&name.as_str()) {
                let (at, may) = (source.at(line), allowed(room).join(", "));
                violations.push(format!(
                    "{at}: `{}` uses `{name}`; it may use: {may}",
                    room.name
                ));
            }
        }
    }
    let idle =
        |(room, name)| format!("`{room}` may use `{name}` and does not: take it out of the table");
    violations.extend(unused.into_iter().map(idle));
    violations
}

#[test]
fn a_room_uses_only_the_rooms_below_it() {
    // The stand-in is there for tests, also for those of a room.
    let used = |source: &Source| {
        let mut used = rooms_used(source);
        used.retain(|(line, name)| *line < source.tests_from || name != "standin");
        used
    };
    fail_if_any("rooms that reach over", &compare(|room| room.rooms, used));
}

#[test]
fn a_room_uses_only_the_crates_it_is_given() {
    let known = dependencies();
    let used = |source: &Source| crates_used(source, &known);
    fail_if_any(
        "crates in the wrong room",
        &compare(|room| room.crates, used),
    );
}

#[test]
fn crates_that_are_held_by_a_room_stay_there() {
    let known = dependencies();
    let mut violations = Vec::new();
    for source in sources("src") {
        for (line, name) in crates_used(&source, &known) {
            let held = HELD.iter().find(|(held, _)| *held == name);
            if let Some((_, rooms)) = held.filter(|(_, rooms)| !rooms.contains(&source.room())) {
                let (at, rooms) = (source.at(line), rooms.join(", "));
                violations.push(format!("{at}: `{name}` stays in: {rooms}"));
            }
        }
    }
    fail_if_any("crates out of their room", &violations);
}

/// Everybody goes through the trait and the registry: one provider knows nothing of another, and
/// nobody knows one by its module.
#[test]
fn a_provider_s_folder_is_opened_only_by_the_registry() {
    let mut violations = Vec::new();
    for source in sources("src") {
        for (line, text) in source.bare.iter().enumerate() {
            for (provider, _) in PROVIDERS {
                let at_home = source.path.starts_with(&format!("provider/{provider}"));
                let opened = text.contains(&format!("provider::{provider}"))
                    || text.contains(&format!("super::{provider}"));
                if opened && !at_home && source.path != "provider/registry.rs" {
                    violations.push(format!("{}: opens provider/{provider}", source.at(line)));
                }
            }
        }
    }
    fail_if_any("providers without their trait", &violations);
}

#[test]
fn pure_rooms_neither_wait_nor_touch_the_world() {
    let mut violations = Vec::new();
    for source in sources("src")
        .iter()
        .filter(|source| room_of(source).is_some_and(|room| room.pure))
    {
        for (line, text) in source.bare.iter().enumerate().take(source.tests_from) {
            for found in IMPURE.iter().filter(|word| text.contains(**word)) {
                if source.path == THE_CLOCK.0 && THE_CLOCK.1.contains(found) {
                    continue;
                }
                let at = source.at(line);
                violations.push(format!(
                    "{at}: `{found}`; `{}` only computes",
                    source.room()
                ));
            }
        }
    }
    fail_if_any("pure rooms", &violations);
}

#[test]
fn a_provider_is_named_only_where_it_is_at_home() {
    let mut violations = Vec::new();
    for source in sources("src") {
        let free = NAMES_PROVIDERS
            .iter()
            .any(|place| source.path.starts_with(place));
        for (line, text) in source.code.iter().enumerate().take(source.tests_from) {
            let text = text.to_lowercase();
            for (provider, names) in PROVIDERS {
                let home = source.path.starts_with(&format!("provider/{provider}"));
                let declared = text.trim_end().ends_with(&format!("mod {provider};"));
                let named = names.iter().any(|name| text.contains(name));
                if named && !free && !home && !declared {
                    let at = source.at(line);
                    violations.push(format!(
                        "{at}: names `{provider}`; only provider/{provider}, {} may",
                        NAMES_PROVIDERS.join(", ")
                    ));
                }
            }
        }
    }
    fail_if_any("providers out of their folder", &violations);
}

#[test]
fn no_file_is_longer_than_can_be_read_at_once() {
    let mut violations = Vec::new();
    for folder in ["src", "tests"] {
        for source in sources(folder) {
            if source.lines > LINES_MAX {
                let (path, lines) = (&source.path, source.lines);
                violations.push(format!(
                    "{folder}/{path}: {lines} lines; at most {LINES_MAX}"
                ));
            }
        }
    }
    fail_if_any("files to be parted", &violations);
}

#[test]
fn nothing_is_left_unfinished() {
    let mut violations = Vec::new();
    for folder in ["src", "tests"] {
        for source in sources(folder) {
            for (line, text) in source.bare.iter().enumerate() {
                for found in UNFINISHED.iter().filter(|word| text.contains(**word)) {
                    violations.push(format!("{folder}/{}:{}: `{found}`", source.path, line + 1));
                }
            }
        }
    }
    fail_if_any("unfinished", &violations);
}
