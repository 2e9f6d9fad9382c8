//! Commands as the shell runs them.

mod words;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use clap::{CommandFactory, Parser};
use expect_test::expect;
use serde_json::Value;

use super::{Cli, Context, NotFound, UsageError, describe, exit_code, run};
use crate::domain::clock::ManualClock;
use crate::settings::{DEFAULTS, LoadOptions, Settings};

const SECRET: (&str, &str) = ("BOOKGATE_CALCOM_SECRET", "a secret of the tests");

/// Runs a command line in a folder; what it printed, or why it failed and how the process ends.
fn bookgate(
    folder: &Path,
    env: &[(&str, &str)],
    line: &[&str],
) -> Result<String, (u8, Option<String>)> {
    let cli = Cli::try_parse_from(["bookgate"].iter().chain(line))
        .map_err(|error| (2, Some(error.to_string())))?;
    let clock = ManualClock::new("2030-01-01T08:30:00.250Z".parse().unwrap());
    let mut out = Vec::new();
    let mut context = Context {
        options: LoadOptions {
            file: None,
            working_dir: folder.to_owned(),
            env: env.iter().copied().collect(),
        },
        clock: Arc::new(clock),
        out: &mut out,
    };
    run(cli, &mut context).map_err(|error| (exit_code(&error), describe(&error)))?;
    Ok(String::from_utf8(out).unwrap())
}

#[test]
fn the_tree_of_commands_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_that_does_something_shows_examples() {
    fn check(command: &clap::Command) {
        let children: Vec<_> = command.get_subcommands().collect();
        if children.is_empty() {
            let help = command.get_after_help().map(ToString::to_string);
            let has_examples = help.is_some_and(|help| help.contains("Examples:\n"));
            assert!(has_examples, "{}", command.get_name());
        }
        children.into_iter().for_each(check);
    }
    check(&Cli::command());
}

#[test]
fn errors_end_the_process_as_documented() {
    let code = |error: anyhow::Error| exit_code(&error);
    assert_eq!(code(anyhow::anyhow!("broken")), 1);
    assert_eq!(code(UsageError("wrong".into()).into()), 2);
    assert_eq!(code(NotFound("absent".into()).into()), 3);
    let pipe: anyhow::Error = std::io::Error::from(std::io::ErrorKind::BrokenPipe).into();
    assert_eq!((exit_code(&pipe), describe(&pipe)), (0, None));
    let chain = anyhow::anyhow!("no space left").context("cannot write x");
    assert_eq!(
        describe(&chain).unwrap(),
        "error: cannot write x: no space left"
    );
}

#[test]
fn settings_default_is_the_default_file() {
    let folder = tempfile::tempdir().unwrap();
    let printed = bookgate(folder.path(), &[], &["settings", "default"]).unwrap();
    assert_eq!(printed, DEFAULTS);
}

#[test]
fn settings_show_prints_what_holds_and_where_it_comes_from() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("my.toml"),
        "[log]\nlevel = \"debug\"\n[admin.tokens.ops]\nrole = \"read\"\nsecret = \"env:TOKEN\"\n",
    )
    .unwrap();
    let env = [("TOKEN", "hunter2"), ("BOOKGATE__WORKER__CONCURRENCY", "3")];
    let line = ["settings", "show", "--config", "my.toml"];
    let printed = bookgate(folder.path(), &env, &line).unwrap();
    expect![[r#"
        admin.failed_log_in_delay_ms = 250         # default
        admin.failed_log_ins_max = 10              # default
        admin.session_ms = 28800000                # default
        admin.tokens.ops.role = "read"             # my.toml:4
        admin.tokens.ops.secret = env:TOKEN (set)  # my.toml:5
        callouts.allow_private = []                # default
        callouts.concurrency = 32                  # default
        callouts.concurrency_per_host = 8          # default
        callouts.hosts = []                        # default
        journal.age_max_ms = 604800000             # default
        journal.bytes_max = 1073741824             # default
        journal.dir = "journal"                    # default
        journal.segment_bytes_max = 16777216       # default
        log.format = "text"                        # default
        log.level = "debug"                        # my.toml:2
        policies.dir = "policies"                  # default
        policies.look_ms = 5000                    # default
        policies.start_with_last_good = true       # default
        reconcile.days_back = 7                    # default
        reconcile.interval_ms = 900000             # default
        retention.batch_max = 200                  # default
        retention.deliveries_days = 400            # default
        retention.delivery_bodies_days = 30        # default
        retention.facts_days = 400                 # default
        retention.idempotency_days = 400           # default
        retention.interval_ms = 86400000           # default
        retention.unparsed_bodies_days = 180       # default
        server.acknowledge = "auto"                # default
        server.admin_listen = "127.0.0.1:8081"     # default
        server.body_bytes_max = 1048576            # default
        server.listen = "127.0.0.1:8080"           # default
        server.request_timeout_ms = 10000          # default
        server.shutdown_grace_ms = 10000           # default
        server.when_store_is_down = "journal"      # default
        storage.busy_timeout_ms = 5000             # default
        storage.connections_max = 10               # default
        storage.read_connections = 4               # default
        storage.statement_timeout_ms = 10000       # default
        storage.tls = "prefer"                     # default
        storage.url = "sqlite://bookgate.db"       # default
        units.CREDIT.scale = 2                     # default
        worker.attempt_grace_ms = 5000             # default
        worker.batch_max = 512                     # default
        worker.circuit_failures = 5                # default
        worker.circuit_wait_ms = 5000              # default
        worker.circuit_wait_ms_max = 300000        # default
        worker.concurrency = 3                     # BOOKGATE__WORKER__CONCURRENCY
        worker.lease_ms = 30000                    # default
        worker.retry_schedule_ms = [60000, 300000, 900000, 1800000, 3600000]  # default
    "#]]
    .assert_eq(&printed);
    let line = ["--json", "--config", "my.toml", "settings", "show"];
    let json: Value = serde_json::from_str(&bookgate(folder.path(), &env, &line).unwrap()).unwrap();
    expect![[r#"{"key":"admin.failed_log_in_delay_ms","origin":"default","value":250}"#]]
        .assert_eq(&json[0].to_string());
    let set = json
        .as_array()
        .unwrap()
        .iter()
        .find(|s| s["key"] == "log.level");
    expect![[
        r#"{"key":"log.level","origin":{"file":{"line":2,"path":"my.toml"}},"value":"debug"}"#
    ]]
    .assert_eq(&set.unwrap().to_string());
}

#[test]
fn settings_show_fails_where_a_daemon_would() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[admin.tokens.ops]\nrole = \"read\"\nsecret = \"env:TOKEN\"\n";
    fs::write(folder.path().join("bookgate.toml"), text).unwrap();
    let (code, error) = bookgate(folder.path(), &[], &["settings", "show"]).unwrap_err();
    assert_eq!(code, 2);
    expect![[r#"
        error: the secret for `admin.tokens.ops.secret` cannot be had
         --> bookgate.toml:3:10
          |
        3 | secret = "env:TOKEN"
          |          ^^^^^^^^^^^ the environment variable TOKEN is not set"#]]
    .assert_eq(&error.unwrap());
}

#[test]
fn a_signature_is_the_hmac_of_the_exact_body() {
    let folder = tempfile::tempdir().unwrap();
    // RFC 4231, test case 2.
    fs::write(folder.path().join("body"), "what do ya want for nothing?").unwrap();
    let line = ["webhook", "sign", "--body", "body", "--secret", "env:KEY"];
    let printed = bookgate(folder.path(), &[("KEY", "Jefe")], &line).unwrap();
    expect![[r#"
        content-type: application/json
        x-cal-signature-256: 5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843
        x-cal-webhook-version: 2021-10-20

        what do ya want for nothing?
    "#]]
    .assert_eq(&printed);
}

#[test]
fn a_sample_is_the_same_for_the_same_arguments() {
    let folder = tempfile::tempdir().unwrap();
    let line = [
        "webhook",
        "sign",
        "--uid",
        "sampleUid",
        "--email",
        "ada@example.org",
        "--start",
        "2030-02-01T18:00:00Z",
        "--trigger",
        "booking_rescheduled",
        "--reschedule-uid",
        "olderUid",
    ];
    let printed = bookgate(folder.path(), &[SECRET], &line).unwrap();
    expect![[r#"
        content-type: application/json
        x-cal-signature-256: 8c6a1bdb8c38d3535a7627ce7f87b9574e4f00b22c0528ed228375f60f5300e4
        x-cal-webhook-version: 2021-10-20

        {"triggerEvent":"BOOKING_RESCHEDULED","createdAt":"2030-01-01T08:30:00.250Z","payload":{"additionalNotes":"","attendees":[{"email":"ada@example.org","language":{"locale":"en"},"name":"Robin Reader","timeZone":"Europe/Lisbon"}],"bookingId":804228,"currency":"usd","customInputs":{},"endTime":"2030-02-01T18:45:00Z","eventTitle":"Book club","eventTypeId":7,"length":45,"location":"The reading room","metadata":{},"organizer":{"email":"casey@example.net","id":12,"language":{"locale":"en"},"name":"Casey Host","timeZone":"Europe/Lisbon","username":"casey"},"price":0,"requiresConfirmation":true,"rescheduleEndTime":"2030-01-31T18:45:00Z","rescheduleId":260254,"rescheduleStartTime":"2030-01-31T18:00:00Z","rescheduleUid":"olderUid","rescheduledBy":"ada@example.org","responses":{"email":{"label":"email_address","value":"ada@example.org"},"guests":{"label":"additional_guests","value":[]},"name":{"label":"your_name","value":"Robin Reader"},"notes":{"label":"additional_notes"}},"startTime":"2030-02-01T18:00:00Z","status":"ACCEPTED","title":"Book club between Casey Host and Robin Reader","type":"exec-book-club","uid":"sampleUid","userFieldsResponses":{}}}
    "#]].assert_eq(&printed);
    assert_eq!(printed, bookgate(folder.path(), &[SECRET], &line).unwrap());
}

#[test]
fn every_trigger_has_a_sample_with_the_status_that_fits() {
    let folder = tempfile::tempdir().unwrap();
    let body = |line: &[&str]| -> Value {
        let line = [&["webhook", "sign", "--output", "body.json"], line].concat();
        let headers = bookgate(folder.path(), &[SECRET], &line).unwrap();
        assert!(headers.contains("x-cal-signature-256: ") && !headers.contains('{'));
        serde_json::from_slice(&fs::read(folder.path().join("body.json")).unwrap()).unwrap()
    };
    for (trigger, status) in [
        ("BOOKING_REQUESTED", "PENDING"),
        ("BOOKING_CREATED", "ACCEPTED"),
        ("BOOKING_RESCHEDULED", "ACCEPTED"),
        ("BOOKING_CANCELLED", "CANCELLED"),
        ("BOOKING_REJECTED", "REJECTED"),
    ] {
        let body = body(&[
            "--trigger",
            trigger,
            "--uid",
            "new",
            "--reschedule-uid",
            "old",
        ]);
        assert_eq!(body["triggerEvent"], trigger);
        assert_eq!(body["payload"]["status"], status);
        assert_eq!(body["payload"]["rescheduleUid"], "old");
    }
    let made_up = body(&["--status", "AWAITING_HOST"]);
    assert_eq!(made_up["payload"]["status"], "AWAITING_HOST");
    assert_eq!(made_up["payload"]["startTime"], "2030-01-04T08:00:00Z");
    assert_eq!(made_up["payload"]["uid"].as_str().unwrap().len(), 22);
    assert_ne!(made_up["payload"]["uid"], body(&[])["payload"]["uid"]);
}

#[test]
fn wrong_ways_to_sign() {
    let folder = tempfile::tempdir().unwrap();
    let fails = |line: &[&str]| {
        let line = [&["webhook", "sign"], line].concat();
        bookgate(folder.path(), &[SECRET], &line).unwrap_err()
    };
    let (code, error) = fails(&["--secret", "hunter2"]);
    assert_eq!(code, 2);
    assert!(!error.unwrap().contains("hunter2"));
    assert_eq!(fails(&["--secret", "env:ABSENT"]).0, 2);
    assert_eq!(fails(&["--trigger", "BOOKING_RESCHEDULED"]).0, 2);
    assert_eq!(fails(&["--trigger", "BOOKING_LOST"]).0, 2);
    assert_eq!(fails(&["--start", "soon"]).0, 2);
    assert_eq!(fails(&["--body", "absent.json"]).0, 1);
    assert_eq!(fails(&["--body", "absent.json", "--uid", "x"]).0, 2);
}

/// The variables of a file of `NAME=value` lines.
fn variables(path: &Path) -> Vec<(String, String)> {
    let text = fs::read_to_string(path).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let pairs = lines.filter_map(|line| line.split_once('='));
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[test]
fn init_writes_files_that_load_once_the_api_key_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let line = ["init", "club", "--public-url", "https://gate.example.org/"];
    let printed = bookgate(folder.path(), &[], &line).unwrap();
    let shown = printed.replace(&folder.path().display().to_string(), "FOLDER");
    expect![[r#"
        wrote FOLDER/club/bookgate.toml
        wrote FOLDER/club/bookgate.env
        wrote FOLDER/club/policies/executive-book-club.toml

        At Cal.com:
          1. Event type > Advanced: switch on "Requires confirmation", so that a booking waits for an
             answer. Its slug belongs under [match] in
             policies/executive-book-club.toml.
          2. Settings > Developer > Webhooks > New webhook:
               Subscriber URL
                  https://gate.example.org/webhooks/calcom
               Event triggers, these and no others
                  BOOKING_REQUESTED
                  BOOKING_CREATED
                  BOOKING_RESCHEDULED
                  BOOKING_CANCELLED
                  BOOKING_REJECTED
               Secret
                  the value of BOOKGATE_CALCOM_SECRET in bookgate.env
               Payload template
                  leave it switched off
          3. Settings > Developer > API keys > New: the key must belong to a host of the event type.
             Put it behind BOOKGATE_CALCOM_API_KEY= in bookgate.env.

        Here:
          4. cd FOLDER/club
             set -a; . ./bookgate.env; set +a
             bookgate settings show
             bookgate policy check
          5. bookgate serve
             A proxy with TLS passes https://gate.example.org/webhooks/calcom
             on to `server.listen` in bookgate.toml.
    "#]].assert_eq(&shown);

    let club = folder.path().join("club");
    let mode = fs::metadata(club.join("bookgate.env"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let mut variables = variables(&club.join("bookgate.env"));
    let load = |variables: &[(String, String)]| {
        Settings::load(&LoadOptions {
            file: None,
            working_dir: club.clone(),
            env: variables.iter().cloned().collect(),
        })
    };
    let error = load(&variables).unwrap_err().to_string();
    assert!(
        error.contains("BOOKGATE_CALCOM_API_KEY is empty"),
        "{error}"
    );
    variables.last_mut().unwrap().1 = "cal_test".to_owned();
    let settings = load(&variables).unwrap();
    settings.require_source().unwrap();
    assert!(
        settings
            .policies
            .dir
            .join("executive-book-club.toml")
            .exists()
    );
    let token = settings.admin.tokens["ops"].secret.expose();
    assert_eq!(token.len(), 64);
    assert_ne!(token, variables[1].1);
}

#[test]
fn init_overwrites_only_when_told() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("bookgate.env"), "MINE=1\n").unwrap();
    let (code, error) = bookgate(folder.path(), &[], &["init"]).unwrap_err();
    assert_eq!(code, 2);
    assert!(error.unwrap().contains("bookgate.env"));
    assert!(!folder.path().join("bookgate.toml").exists());
    bookgate(folder.path(), &[], &["init", "--force", "--json"]).unwrap();
    let secrets = folder.path().join("bookgate.env");
    assert_eq!(variables(&secrets).len(), 3);
    assert_eq!(
        fs::metadata(&secrets).unwrap().permissions().mode() & 0o777,
        0o600
    );
}

#[test]
fn init_refuses_an_odd_public_url() {
    let folder = tempfile::tempdir().unwrap();
    for url in ["ftp://x.example", "https://x.example/?a=b", "x.example"] {
        let line = ["init", "--public-url", url];
        assert_eq!(
            bookgate(folder.path(), &[], &line).unwrap_err().0,
            2,
            "{url}"
        );
    }
    assert!(fs::read_dir(folder.path()).unwrap().next().is_none());
}
