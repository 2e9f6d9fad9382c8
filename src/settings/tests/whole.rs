//! What is missing, what does not go together, and what the environment gets wrong.

use expect_test::expect;

use super::{ONE_SOURCE, check, load};

#[test]
fn a_source_needs_secrets_or_the_word() {
    let text =
        "[sources.calcom]\nprovider = \"calcom\"\n[sources.calcom.api]\nkey = \"env:API_KEY\"\n";
    check(
        text,
        &[],
        &expect![[r#"
            error: `sources.calcom.signing_secrets` is missing
             --> bookgate.toml:1:10
              |
            1 | [sources.calcom]
              |          ^^^^^^ write signing_secrets = ["env:BOOKGATE_CALCOM_SECRET"] under [sources.calcom]"#]],
    );
    let open = text.replace("\n[", "\nverification = \"none\"\n[");
    assert!(load(&open, &[]).is_ok());
    let both = text.replace(
        "\n[",
        "\nverification = \"none\"\nsigning_secrets = [\"env:HOOK_SECRET\"]\n[",
    );
    check(
        &both,
        &[],
        &expect![[r#"
        error: source `calcom` has signing secrets and no verification
         --> bookgate.toml:3:16
          |
        3 | verification = "none"
          |                ^^^^^^ remove this, and webhooks are checked"#]],
    );
}

#[test]
fn an_empty_source_is_told_all_it_needs() {
    check(
        "[sources.calcom]\n[admin.tokens.ops]\n[units.MINUTES]\n",
        &[],
        &expect![[r#"
            error: `sources.calcom.provider` is missing
             --> bookgate.toml:1:10
              |
            1 | [sources.calcom]
              |          ^^^^^^ write provider = "calcom" or "calendly" under [sources.calcom]

            error: `sources.calcom.signing_secrets` is missing
             --> bookgate.toml:1:10
              |
            1 | [sources.calcom]
              |          ^^^^^^ write signing_secrets = ["env:BOOKGATE_CALCOM_SECRET"] under [sources.calcom]

            error: `sources.calcom.api.key` is missing
             --> bookgate.toml:1:10
              |
            1 | [sources.calcom]
              |          ^^^^^^ write key = "env:BOOKGATE_CALCOM_API_KEY" under [sources.calcom.api]

            error: `admin.tokens.ops.role` is missing
             --> bookgate.toml:2:15
              |
            2 | [admin.tokens.ops]
              |               ^^^ write role = "read", "credits" or "admin" under [admin.tokens.ops]

            error: `admin.tokens.ops.secret` is missing
             --> bookgate.toml:2:15
              |
            2 | [admin.tokens.ops]
              |               ^^^ write secret = "env:BOOKGATE_OPS_SECRET" under [admin.tokens.ops]

            error: `units.MINUTES.scale` is missing
             --> bookgate.toml:3:8
              |
            3 | [units.MINUTES]
              |        ^^^^^^^ write scale = 2 under [units.MINUTES]

            error: 6 problems in the settings"#]],
    );
}

#[test]
fn rules_that_join_keys() {
    let text = format!(
        "[server]\nadmin_listen = \"127.0.0.1:8080\"\n[journal]\nsegment_bytes_max = 65536\n\
         bytes_max = 1048576\n{ONE_SOURCE}connect_timeout_ms = 60000\n"
    );
    check(
        &text,
        &[],
        &expect![[r#"
        error: the admin endpoint cannot listen where webhooks come in
         --> bookgate.toml:2:16
          |
        2 | admin_listen = "127.0.0.1:8080"
          |                ^^^^^^^^^^^^^^^^ `server.listen` is 127.0.0.1:8080 too

        error: a journal segment must hold the largest body
         --> bookgate.toml:4:21
          |
        4 | segment_bytes_max = 65536
          |                     ^^^^^ at least `server.body_bytes_max`, 1048576

        error: connecting cannot take longer than the whole call
          --> bookgate.toml:12:22
           |
        12 | connect_timeout_ms = 60000
           |                      ^^^^^ at most `call_timeout_ms`, 10000

        error: 3 problems in the settings"#]],
    );
}

#[test]
fn unknown_variables_are_errors() {
    let variables = [
        ("BOOKGATE__SERVER__LISEN", "127.0.0.1:1"),
        ("BOOKGATE__SEVER__LISTEN", "127.0.0.1:1"),
        ("BOOKGATE__SERVER", "127.0.0.1:1"),
        ("BOOKGATE__SERVER__LISTEN__PORT", "1"),
        ("BOOKGATE__SOURCES__CAL-COM__PROVIDER", "calcom"),
        ("BOOKGATE__", "1"),
    ];
    check(
        "",
        &variables,
        &expect![[r#"
            error: BOOKGATE__ is no setting
            --> environment variable BOOKGATE__
             = note: a name is missing after __
             = help: known here: SERVER, STORAGE, JOURNAL, POLICIES, CALLOUTS, UNITS, ADMIN, SOURCES, NOTICES, WORKER, RECONCILE, RETENTION, TELEMETRY, LOG

            error: BOOKGATE__SERVER names a section, not a key
            --> environment variable BOOKGATE__SERVER
             = note: go on with __KEY
             = help: known here: LISTEN, ADMIN_LISTEN, ACKNOWLEDGE, WHEN_STORE_IS_DOWN, BODY_BYTES_MAX, REQUEST_TIMEOUT_MS, SHUTDOWN_GRACE_MS

            error: BOOKGATE__SERVER__LISEN is no setting
            --> environment variable BOOKGATE__SERVER__LISEN
             = note: did you mean BOOKGATE__SERVER__LISTEN?
             = help: known here: LISTEN, ADMIN_LISTEN, ACKNOWLEDGE, WHEN_STORE_IS_DOWN, BODY_BYTES_MAX, REQUEST_TIMEOUT_MS, SHUTDOWN_GRACE_MS

            error: BOOKGATE__SERVER__LISTEN__PORT is no setting
            --> environment variable BOOKGATE__SERVER__LISTEN__PORT
             = note: `server.listen` has no keys below it

            error: BOOKGATE__SEVER__LISTEN is no setting
            --> environment variable BOOKGATE__SEVER__LISTEN
             = note: did you mean BOOKGATE__SERVER__LISTEN?
             = help: known here: SERVER, STORAGE, JOURNAL, POLICIES, CALLOUTS, UNITS, ADMIN, SOURCES, NOTICES, WORKER, RECONCILE, RETENTION, TELEMETRY, LOG

            error: BOOKGATE__SOURCES__CAL-COM__PROVIDER is no setting
            --> environment variable BOOKGATE__SOURCES__CAL-COM__PROVIDER
             = note: a name is a-z, 0-9 and _, at most 32 characters

            error: 6 problems in the settings"#]],
    );
}

#[test]
fn wrong_values_of_variables() {
    let variables = [
        ("BOOKGATE__SERVER__LISTEN", "8080"),
        ("BOOKGATE__WORKER__CONCURRENCY", "many"),
        ("BOOKGATE__WORKER__RETRY_SCHEDULE_MS", "1000,soon"),
        ("BOOKGATE__SOURCES__CALCOM__API__KEY", "hunter2"),
    ];
    check(
        ONE_SOURCE,
        &variables,
        &expect![[r#"
        error: `server.listen` must be an IP address and a port, such as "127.0.0.1:8080"
        --> environment variable BOOKGATE__SERVER__LISTEN
         = note: not an address with a port

        error: `sources.calcom.api.key` must be a reference: "env:NAME" or "file:PATH"
        --> environment variable BOOKGATE__SOURCES__CALCOM__API__KEY
         = note: not a reference (and not repeated here)

        error: `worker.concurrency` must be a whole number from 1 to 256
        --> environment variable BOOKGATE__WORKER__CONCURRENCY
         = note: `many` is not a whole number

        error: `worker.retry_schedule_ms` must be a whole number from 1 to 604800000
        --> environment variable BOOKGATE__WORKER__RETRY_SCHEDULE_MS
         = note: `soon` is not a whole number

        error: 4 problems in the settings"#]],
    );
}

#[test]
fn problems_of_all_sorts_are_reported_at_once() {
    let text = "[server]\nlisen = \"127.0.0.1:1\"\nbody_bytes_max = 1\n\n\
                [sources.calcom]\nprovider = \"calcon\"\nsigning_secret = [\"env:HOOK_SECRET\"]\n\n\
                [sources.calcom.api]\nkey = \"env:NOT_THERE\"\n";
    check(
        text,
        &[("BOOKGATE__LOG__FORMAT", "xml")],
        &expect![[r#"
            error: unknown key `lisen` in [server]
             --> bookgate.toml:2:1
              |
            2 | lisen = "***********"
              | ^^^^^ did you mean `listen`?
              |
              = help: known here: listen, admin_listen, acknowledge, when_store_is_down, body_bytes_max, request_timeout_ms, shutdown_grace_ms

            error: `server.body_bytes_max` must be a whole number from 1024 to 67108864
             --> bookgate.toml:3:18
              |
            3 | body_bytes_max = 1
              |                  ^ 1 is too small

            error: `sources.calcom.provider` must be "calcom" or "calendly"
             --> bookgate.toml:6:12
              |
            6 | provider = "calcon"
              |            ^^^^^^^^ did you mean "calcom"?

            error: unknown key `signing_secret` in [sources.calcom]
             --> bookgate.toml:7:1
              |
            7 | signing_secret = ["***************"]
              | ^^^^^^^^^^^^^^ did you mean `signing_secrets`?
              |
              = help: known here: provider, signing_secrets, verification, created, host_confirm, unknown_canceller, settle_ms, series_settle_ms, shared_refusal, signature_tolerance_ms, legacy_signatures, api, subscription

            error: the secret for `sources.calcom.api.key` cannot be had
              --> bookgate.toml:10:7
               |
            10 | key = "env:NOT_THERE"
               |       ^^^^^^^^^^^^^^^ the environment variable NOT_THERE is not set

            error: `log.format` must be "text" or "json"
            --> environment variable BOOKGATE__LOG__FORMAT
             = note: there is no such choice

            error: 6 problems in the settings"#]],
    );
}

#[test]
fn no_source_is_no_daemon() {
    let error = load("", &[]).unwrap().require_source().unwrap_err();
    expect![[r#"
        error: there is no source: nothing could send a webhook
         |
         = note: write these sections, or let `bookgate init` write a whole settings file:
                 [sources.calcom]
                 provider = "calcom"
                 signing_secrets = ["env:BOOKGATE_CALCOM_SECRET"]
                 [sources.calcom.api]
                 key = "env:BOOKGATE_CALCOM_API_KEY""#]]
    .assert_eq(&error.to_string());
    assert!(load(ONE_SOURCE, &[]).unwrap().require_source().is_ok());
}

#[test]
fn a_flood_of_problems_is_cut_and_counted() {
    let text: String = (0..30).map(|n| format!("[units.a{n}]\n")).collect();
    let shown = load(&text, &[]).unwrap_err().to_string();
    assert_eq!(shown.matches("is not the name of a unit").count(), 20);
    assert!(shown.ends_with("error: 30 problems in the settings, the first 20 are shown"));
    let deep = format!("a = {}", "[".repeat(1_000));
    let error = load(&deep, &[]).unwrap_err();
    assert_eq!(error.count(), 2, "{error}");
}
