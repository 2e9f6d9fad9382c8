//! What looks an installation through: `doctor` and `status`; and completions.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use bookgate::domain::clock::SystemClock;
use bookgate::standin::calcom::{Fault, Matcher, Options, StandIn};
use serde_json::Value;
use tokio::net::TcpListener;

use super::home::{Home, Told, free_address};

/// A folder whose source is at a stand-in, and which has a place for its daemon's admin endpoint.
async fn home() -> (Home, StandIn) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let calcom = StandIn::start(listener, Arc::new(SystemClock), Options::default()).unwrap();
    let mut home = Home::new();
    home.set("BOOKGATE_CALCOM_API_KEY", calcom.api_key());
    home.set(
        "BOOKGATE__SOURCES__CALCOM__API__BASE_URL",
        &calcom.base_url(),
    );
    let admin = free_address();
    home.set("BOOKGATE__SERVER__ADMIN_LISTEN", &admin);
    (home, calcom)
}

/// The findings of `doctor --json` about one part: states and texts.
fn about(told: &Told, part: &str) -> Vec<(String, String)> {
    let seen: Value = serde_json::from_str(&told.stdout).unwrap_or_else(|_| panic!("{told:?}"));
    let all = seen["findings"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    all.filter(|finding| finding["part"] == part)
        .map(|finding| {
            let what = format!("{} -> {}", text(&finding["what"]), text(&finding["help"]));
            (text(&finding["state"]), what)
        })
        .collect()
}

/// The one finding about a part: its state, and that its text has these words.
#[track_caller]
fn is(told: &Told, part: &str, state: &str, words: &[&str]) {
    let found = about(told, part);
    let [(found, what)] = &found[..] else {
        panic!("{part}: {found:?}");
    };
    assert_eq!(found, state, "{part}: {what}");
    for word in words {
        assert!(what.contains(word), "{word} is missing: {what}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_doctor_finds_what_is_wrong_and_says_what_would_be_right() {
    let (mut home, calcom) = home().await;
    let doctor = ["doctor", "--json"];
    let told = home.run(&doctor);
    assert_eq!(told.code, Some(0), "{told:?}");
    for (part, state, words) in [
        ("settings", "ok", &["calcom"][..]),
        ("secrets", "ok", &[]),
        ("policies", "ok", &["1 in"]),
        ("database", "warning", &["not there yet", "bookgate serve"]),
        ("daemon", "warning", &["none answers", "bookgate serve"]),
        ("clock", "ok", &["127.0.0.1"]),
        ("api", "ok", &["takes the key"]),
        (
            "webhook",
            "warning",
            &["none of the 0", "[sources.calcom.subscription]"],
        ),
    ] {
        is(&told, part, state, words);
    }
    assert_eq!(about(&told, "disk").len(), 2);

    // Now with everything, while a daemon runs.
    let public = free_address();
    home.set("BOOKGATE__SERVER__LISTEN", &public);
    let hook = format!("http://{public}/webhooks/calcom");
    home.set("BOOKGATE__SOURCES__CALCOM__SUBSCRIPTION__URL", &hook);
    let daemon = home.serve();
    home.wait_for(&doctor, |seen| {
        let all = seen["findings"].as_array().into_iter().flatten();
        all.filter(|one| one["state"] == "ok").count() == 11
    });
    assert_eq!(home.run(&["healthcheck"]).done(), "ok\n");
    let told = home.run(&["healthcheck", "--json"]).json();
    assert_eq!(told["ready"], true, "{told}");
    let text = home.run(&["doctor"]).done();
    assert!(text.contains("ok: 11, warnings: 0, failed: 0"), "{text}");
    assert!(
        text.lines()
            .all(|line| line.chars().count() <= 80 || line.contains('/')),
        "{text}"
    );
    let status = home.run(&["status"]).done();
    for part in [
        "(0.1.0, started",
        "deferred      none",
        "last webhook  none lately",
        "reconcile",
    ] {
        assert!(status.contains(part), "{part} is missing:\n{status}");
    }
    assert_eq!(daemon.stop(), Some(0));
    assert!(home.run(&["status"]).done().contains("none lives"));

    // Somebody switches a webhook off, and the key is revoked.
    let made = calcom.webhooks()[0].id.clone();
    let delete = ["calcom", "webhooks", "delete", &made];
    home.run(&delete).done();
    let told = home.run(&doctor);
    is(
        &told,
        "webhook",
        "failed",
        &["none sends here", "calcom webhooks ensure"],
    );
    assert_eq!(told.code, Some(1));
    home.set("BOOKGATE_CALCOM_API_KEY", "cal_revoked");
    let told = home.run(&doctor);
    is(
        &told,
        "api",
        "failed",
        &["refuses the key", "sources.calcom.api.key"],
    );
    let error = home.run(&["doctor"]).failed(1);
    assert!(error.contains("1 check failed"), "{error}");
    home.set("BOOKGATE__SOURCES__CALCOM__API__DIALECT", "v1");
    is(&home.run(&doctor), "api", "failed", &["refuses the key"]);
    home.set("BOOKGATE_CALCOM_API_KEY", calcom.api_key());
    is(
        &home.run(&doctor),
        "webhook",
        "warning",
        &["cannot be seen", "BOOKING_REQUESTED"],
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_broken_part_does_not_hide_the_others() {
    let (mut home, _calcom) = home().await;
    home.unset("BOOKGATE_ADMIN_TOKEN");
    home.set("BOOKGATE_CALCOM_SECRET", "short");
    let sound = std::fs::read_to_string(home.path("policies/executive-book-club.toml")).unwrap();
    let wrong = sound.replace("kind = \"account\"", "kind = \"acount\"");
    home.write("policies/executive-book-club.toml", &wrong);
    home.write(
        "bookgate.db",
        "no database at all, but a text of some length",
    );
    let told = home.run(&["doctor", "--json"]);
    assert_eq!(told.code, Some(1));
    let settings = about(&told, "settings");
    assert!(
        settings[0].1.contains("BOOKGATE_ADMIN_TOKEN is not set"),
        "{settings:?}"
    );
    is(
        &told,
        "secrets",
        "warning",
        &["sources.calcom.signing_secrets", "openssl"],
    );
    is(
        &told,
        "policies",
        "failed",
        &["acount", "executive-book-club.toml"],
    );
    is(&told, "database", "failed", &["bookgate.db"]);
    is(&told, "api", "ok", &[]);
    home.run(&["doctor", "--offline"]).failed(1);

    home.write("bookgate.toml", "[server\n");
    let told = home.run(&["doctor", "--json"]);
    is(&told, "settings", "failed", &["bookgate.toml:1"]);
    assert_eq!(told.code, Some(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_everybody_may_read_is_told() {
    let (home, _calcom) = home().await;
    home.run(&["migrate"]).done();
    let told = home.run(&["doctor", "--json", "--offline"]);
    assert!(about(&told, "disk").iter().all(|(state, _)| state == "ok"));
    let file = home.path("bookgate.db");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let told = home.run(&["doctor", "--json", "--offline"]);
    let found = about(&told, "disk");
    let warned = found.iter().find(|(state, _)| state == "warning").unwrap();
    assert!(
        warned.1.contains("bookgate.db") && warned.1.contains("chmod"),
        "{warned:?}"
    );
}

/// A command in the wrong folder must not make a database of its own there, and say that all went well.
#[test]
fn nothing_is_made_where_nothing_is() {
    let home = Home::new();
    let elsewhere = tempfile::tempdir().unwrap();
    for line in [
        &["credits", "top-up", "ada@example.org", "5"][..],
        &["tags", "add", "ada@example.org", "vip"],
        &["retention", "run"],
        &["dead-letters", "purge", "1"],
        &["deliveries", "replay", "1"],
        &["jobs", "run", "ledger"],
        &["bookings", "list"],
    ] {
        let output = home.command(line).current_dir(&elsewhere).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{line:?}: {told}");
        assert!(told.contains("nor a bookgate.toml in"), "{line:?}: {told}");
        let made = fs::read_dir(&elsewhere).unwrap().count();
        assert_eq!(made, 0, "{line:?}");
    }
    let told = home.run(&["credits", "top-up", "ada@example.org", "5"]);
    assert!(
        told.failed(3)
            .contains("`bookgate migrate` without starting")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_status_says_that_a_provider_is_failing_until_it_answers() {
    let (mut home, calcom) = home().await;
    home.set("BOOKGATE__WORKER__CIRCUIT_FAILURES", "1");
    home.set("BOOKGATE__WORKER__CIRCUIT_WAIT_MS", "1000");
    calcom.fail_all(Matcher::any(), Fault::Status(503));
    let daemon = home.serve();
    let status = ["status", "--json"];
    home.wait_for(&status, |seen| {
        seen["sources"][0]["failing_since"].is_string()
    });
    let text = home.run(&["status"]).done();
    assert!(text.contains("    provider      FAILING, first "), "{text}");
    calcom.clear_faults();
    // Once its wait is over, the next call finds out; until then there is none.
    home.wait_for(&status, |seen| {
        home.run(&["reconcile", "--now"]);
        seen["sources"][0]["failing_since"].is_null()
    });
    assert!(!home.run(&["status"]).done().contains("FAILING"));
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn shells_are_told_how_to_complete() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = home.run(&["completions", shell]).done();
        assert!(script.contains("dead-letters"), "{shell}");
    }
    home.run(&["completions", "tcsh"]).failed(2);
}
