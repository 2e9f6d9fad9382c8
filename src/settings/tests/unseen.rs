//! A secret in the wrong place is refused without being shown.

use expect_test::expect;

use super::{check, load};

#[test]
fn a_password_in_the_url_of_the_database_is_not_shown() {
    let text = "[storage]\nurl = \"postgres://bookgate:hunter2@db/bookgate\"\n";
    check(
        text,
        &[],
        &expect![[r#"
            error: `storage.url` must be a URL, such as "sqlite://bookgate.db" or "postgres://bookgate@db.example.org/bookgate", or a reference to one
             --> bookgate.toml:2:7
              |
            2 | url = "***************************************"
              |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ a password does not belong here: write url = "env:NAME" and put the whole URL into that variable, or leave the password to PGPASSWORD"#]],
    );
}

#[test]
fn an_inline_secret_is_refused_and_not_shown() {
    let text = "[admin.tokens.ops]\nrole = \"admin\"\nsecret = \"hunter2hunter2\"\n\
                [admin.tokens.eve]\nrole = \"read\"\nsecrt = \"hunter2hunter2\"\n";
    check(
        text,
        &[],
        &expect![[r#"
        error: `admin.tokens.ops.secret` must be a reference: "env:NAME" or "file:PATH"
         --> bookgate.toml:3:10
          |
        3 | secret = "**************"
          |          ^^^^^^^^^^^^^^^^ not a reference (and not repeated here)

        error: unknown key `secrt` in [admin.tokens.eve]
         --> bookgate.toml:6:1
          |
        6 | secrt = "**************"
          | ^^^^^ did you mean `secret`?
          |
          = help: known here: role, secret

        error: 2 problems in the settings"#]],
    );
    let text = "[sources]\n\
                calcom = { provider = \"calcom\", signing_secrets = [\"hunter2\"], key = 1234567 }\n";
    check(
        text,
        &[],
        &expect![[r#"
            error: `sources.calcom.api.key` is missing
             --> bookgate.toml:2:1
              |
            2 | calcom = { provider = "calcom", signing_secrets = ["*******"], key = ******* }
              | ^^^^^^ write key = "env:BOOKGATE_CALCOM_API_KEY" under [sources.calcom.api]

            error: `sources.calcom.signing_secrets[0]` must be a reference: "env:NAME" or "file:PATH"
             --> bookgate.toml:2:52
              |
            2 | calcom = { provider = "calcom", signing_secrets = ["*******"], key = ******* }
              |                                                    ^^^^^^^^^ not a reference (and not repeated here)

            error: unknown key `key` in [sources.calcom]
             --> bookgate.toml:2:64
              |
            2 | calcom = { provider = "calcom", signing_secrets = ["*******"], key = ******* }
              |                                                                ^^^ there is no such key
              |
              = help: known here: provider, signing_secrets, verification, created, host_confirm, unknown_canceller, settle_ms, series_settle_ms, shared_refusal, signature_tolerance_ms, legacy_signatures, api, subscription

            error: 3 problems in the settings"#]],
    );
}

#[test]
fn a_syntax_error_is_shown_without_values() {
    check(
        "[log]\nlevel = \"info\"\n[sources.calcom.api]\nkey = hunter2\n",
        &[],
        &expect![[r#"
            error: this is not TOML
             --> bookgate.toml:4:7
              |
            4 | key = *******
              |       ^^^^^^^ string values must be quoted, expected literal string"#]],
    );
    check(
        "[log\nlevel = \"info\"\n",
        &[],
        &expect![[r#"
        error: this is not TOML
         --> bookgate.toml:1:5
          |
        1 | [log
          |     ^ unclosed table, expected `]`"#]],
    );
}

#[test]
fn no_way_of_writing_a_secret_shows_it() {
    let tables = [
        "sources.calcom",
        "sources.calcom.api",
        "admin.tokens.ops",
        "source.calcom",
    ];
    let keys = [
        "signing_secrets",
        "key",
        "secret",
        "api",
        "tokens",
        "sceret",
        "a.b",
        "api.kye",
    ];
    let values = [
        "\"hunter2\"",
        "'hunter2'",
        "\"\"\"\nhunter2\"\"\"",
        "[\"hunter2\"]",
        "[\n  \"hunter2\",\n]",
        "[[\"hunter2\"]]",
        "{ x = \"hunter2\" }",
        "{ key = [\"hunter2\"], signing_secrets = \"hunter2\" }",
        "hunter2",
        "\"hunter2",
        "[hunter2]",
        "\"env:hunter2 \"",
    ];
    for table in tables {
        for key in keys {
            for value in values {
                let text = format!("[{table}]\n{key} = {value}\n");
                let error = load(&text, &[]).expect_err("these settings are wrong");
                let shown = format!("{error} {error:?}");
                assert!(!shown.contains("hunter2"), "{text}\n{error}");
            }
        }
    }
}
