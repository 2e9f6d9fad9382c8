//! Wrong keys and values in the settings file: what the admin is told.

use expect_test::expect;

use super::{ONE_SOURCE, check};

#[test]
fn an_unknown_key_is_suggested() {
    check(
        "[server]\nlisen = \"127.0.0.1:1\"\n",
        &[],
        &expect![[r#"
        error: unknown key `lisen` in [server]
         --> bookgate.toml:2:1
          |
        2 | lisen = "***********"
          | ^^^^^ did you mean `listen`?
          |
          = help: known here: listen, admin_listen, acknowledge, when_store_is_down, body_bytes_max, request_timeout_ms, shutdown_grace_ms"#]],
    );
}

#[test]
fn an_unknown_key_like_no_other_lists_what_there_is() {
    check(
        "[journal]\nsurprise = 1\n",
        &[],
        &expect![[r#"
            error: unknown key `surprise` in [journal]
             --> bookgate.toml:2:1
              |
            2 | surprise = *
              | ^^^^^^^^ there is no such key
              |
              = help: known here: dir, segment_bytes_max, bytes_max, age_max_ms"#]],
    );
}

#[test]
fn an_unknown_section_is_suggested() {
    check(
        "[source.calcom]\nprovider = \"calcom\"\n",
        &[],
        &expect![[r#"
            error: unknown section `source`
             --> bookgate.toml:1:2
              |
            1 | [source.calcom]
              |  ^^^^^^ did you mean `sources`?
              |
              = help: known here: server, storage, journal, policies, callouts, units, admin, sources, notices, worker, reconcile, retention, telemetry, log"#]],
    );
}

#[test]
fn a_section_is_not_a_value() {
    check(
        "server = 8080\n[admin]\ntokens = [\"a\"]\n",
        &[],
        &expect![[r#"
            error: `server` must be a table: [server]
             --> bookgate.toml:1:10
              |
            1 | server = ****
              |          ^^^^ this is a number

            error: `admin.tokens` must be a table: [admin.tokens]
             --> bookgate.toml:3:10
              |
            3 | tokens = ["*"]
              |          ^^^^^ this is a list

            error: 2 problems in the settings"#]],
    );
}

#[test]
fn wrong_types() {
    let text = "[server]\nbody_bytes_max = \"1 MiB\"\nlisten = 8080\nrequest_timeout_ms = 1.5\n\
                [worker]\nretry_schedule_ms = 60000\n[log]\nlevel = true\n";
    check(
        text,
        &[],
        &expect![[r#"
            error: `server.body_bytes_max` must be a whole number from 1024 to 67108864
             --> bookgate.toml:2:18
              |
            2 | body_bytes_max = "1 MiB"
              |                  ^^^^^^^ this is a text: write the number without quotes

            error: `server.listen` must be an IP address and a port, such as "127.0.0.1:8080"
             --> bookgate.toml:3:10
              |
            3 | listen = 8080
              |          ^^^^ this is a number

            error: `server.request_timeout_ms` must be a whole number from 100 to 300000
             --> bookgate.toml:4:22
              |
            4 | request_timeout_ms = 1.5
              |                      ^^^ this is a number with decimals

            error: `worker.retry_schedule_ms` must be a list: [..., ...]
             --> bookgate.toml:6:21
              |
            6 | retry_schedule_ms = *****
              |                     ^^^^^ this is a number

            error: `log.level` must be "error", "warn", "info", "debug" or "trace"
             --> bookgate.toml:8:9
              |
            8 | level = true
              |         ^^^^ this is true or false

            error: 5 problems in the settings"#]],
    );
}

#[test]
fn values_out_of_range() {
    let text = "[server]\nbody_bytes_max = 10\n[worker]\nconcurrency = 0\n\
                retry_schedule_ms = [1000, 0, 99_999_999_999_999_999_999]\n";
    check(
        text,
        &[],
        &expect![[r#"
        error: `server.body_bytes_max` must be a whole number from 1024 to 67108864
         --> bookgate.toml:2:18
          |
        2 | body_bytes_max = 10
          |                  ^^ 10 is too small

        error: `worker.concurrency` must be a whole number from 1 to 256
         --> bookgate.toml:4:15
          |
        4 | concurrency = 0
          |               ^ 0 is too small

        error: `worker.retry_schedule_ms[1]` must be a whole number from 1 to 604800000
         --> bookgate.toml:5:28
          |
        5 | retry_schedule_ms = [1000, 0, 99_999_999_999_999_999_999]
          |                            ^ 0 is too small

        error: `worker.retry_schedule_ms[2]` must be a whole number from 1 to 604800000
         --> bookgate.toml:5:31
          |
        5 | retry_schedule_ms = [1000, 0, 99_999_999_999_999_999_999]
          |                               ^^^^^^^^^^^^^^^^^^^^^^^^^^ 99999999999999999999 is out of range

        error: 4 problems in the settings"#]],
    );
}

#[test]
fn a_choice_lists_its_words() {
    check(
        "[log]\nlevel = \"verbose\"\n",
        &[],
        &expect![[r#"
            error: `log.level` must be "error", "warn", "info", "debug" or "trace"
             --> bookgate.toml:2:9
              |
            2 | level = "verbose"
              |         ^^^^^^^^^ there is no such choice"#]],
    );
}

#[test]
fn urls() {
    let text =
        format!("{ONE_SOURCE}base_url = \"api.cal.com\"\n[storage]\nurl = \"bookgate.db\"\n");
    check(
        &text,
        &[],
        &expect![[r#"
            error: `sources.calcom.api.base_url` must be an http or https URL, such as "https://api.cal.com"
             --> bookgate.toml:7:12
              |
            7 | base_url = "api.cal.com"
              |            ^^^^^^^^^^^^^ relative URL without a base

            error: `storage.url` must be a URL, such as "sqlite://bookgate.db" or "postgres://bookgate@db.example.org/bookgate", or a reference to one
             --> bookgate.toml:9:7
              |
            9 | url = "bookgate.db"
              |       ^^^^^^^^^^^^^ this begins neither with sqlite:// nor with postgres://

            error: 2 problems in the settings"#]],
    );
    let text = format!("{ONE_SOURCE}base_url = \"https://me:hunter2@cal.example.org/api\"\n");
    check(
        &text,
        &[],
        &expect![[r#"
        error: `sources.calcom.api.base_url` must be an http or https URL, such as "https://api.cal.com"
         --> bookgate.toml:7:12
          |
        7 | base_url = "**************************************"
          |            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ a user name or password does not belong here"#]],
    );
}

#[test]
fn a_database_in_memory_is_refused() {
    check(
        "[storage]\nurl = \"sqlite://:memory:\"\n",
        &[],
        &expect![[r#"
            error: `storage.url` must be a URL, such as "sqlite://bookgate.db" or "postgres://bookgate@db.example.org/bookgate", or a reference to one
             --> bookgate.toml:2:7
              |
            2 | url = "sqlite://:memory:"
              |       ^^^^^^^^^^^^^^^^^^^ the name of the file is missing"#]],
    );
}

#[test]
fn names_of_sources_are_plain() {
    check(
        "[sources.Cal-Com]\nprovider = \"calcom\"\n",
        &[],
        &expect![[r#"
            error: `Cal-Com` is not the name of a source
             --> bookgate.toml:1:10
              |
            1 | [sources.Cal-Com]
              |          ^^^^^^^ a name is a-z, 0-9 and _, at most 32 characters
              |
              = help: write `cal_com`"#]],
    );
    check(
        "[units.credit]\nscale = 2\n",
        &[],
        &expect![[r#"
            error: `credit` is not the name of a unit
             --> bookgate.toml:1:8
              |
            1 | [units.credit]
              |        ^^^^^^ a name is a capital letter, then capitals, digits and _, at most 16 characters
              |
              = help: write `CREDIT`"#]],
    );
}

#[test]
fn a_key_of_another_provider_is_an_error() {
    let secrets = "signing_secrets = [\"env:SECRET\"]";
    let text = format!(
        "[sources.one]\nprovider = \"calendly\"\n{secrets}\n[sources.one.api]\nkey = \"env:SECRET\"\ndialect = \"v2\"\nversion_header = \"2024-08-13\"\n\
         [sources.two]\nprovider = \"calcom\"\n{secrets}\nlegacy_signatures = [\"body-hex\"]\nsignature_tolerance_ms = 1000\n[sources.two.api]\nkey = \"env:SECRET\"\n\
         [sources.two.subscription]\nurl = \"https://gate.example.org/webhooks/two\"\nscope = \"user\"\n"
    );
    check(
        &text,
        &[("SECRET", "x")],
        &expect![[r#"
        error: `api.dialect` means nothing to a source of `calendly`
         --> bookgate.toml:6:11
          |
        6 | dialect = "v2"
          |           ^^^^ only sources of `calcom` have it

        error: `api.version_header` means nothing to a source of `calendly`
         --> bookgate.toml:7:18
          |
        7 | version_header = "2024-08-13"
          |                  ^^^^^^^^^^^^ only sources of `calcom` have it

        error: `legacy_signatures` means nothing to a source of `calcom`
          --> bookgate.toml:11:21
           |
        11 | legacy_signatures = ["body-hex"]
           |                     ^^^^^^^^^^^^ only sources of `calendly` have it

        error: `signature_tolerance_ms` means nothing to a source of `calcom`
          --> bookgate.toml:12:26
           |
        12 | signature_tolerance_ms = 1000
           |                          ^^^^ only sources of `calendly` have it

        error: `subscription.scope` means nothing to a source of `calcom`
          --> bookgate.toml:17:9
           |
        17 | scope = "user"
           |         ^^^^^^ only sources of `calendly` have it

        error: 5 problems in the settings"#]],
    );
}

#[test]
fn a_subscription_for_a_group_names_it() {
    let text = "[sources.one]\nprovider = \"calendly\"\nsigning_secrets = [\"env:SECRET\"]\n[sources.one.api]\nkey = \"env:SECRET\"\n\
                [sources.one.subscription]\nurl = \"https://gate.example.org/webhooks/one\"\nscope = \"group\"\n";
    check(
        text,
        &[("SECRET", "x")],
        &expect![[r#"
        error: `sources.one.subscription.group` is missing
         --> bookgate.toml:6:14
          |
        6 | [sources.one.subscription]
          |              ^^^^^^^^^^^^ write group = "https://api.calendly.com/groups/ID" under [sources.one.subscription]"#]],
    );
}
