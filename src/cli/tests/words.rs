//! What commands say to people who do not know them yet.

use std::fs;

use clap::Parser;
use serde_json::Value;

use super::{Cli, bookgate};

/// The settings of a source, without its secrets.
const SOURCE: &str = "[sources.calcom]\nprovider = \"calcom\"\n\
                      signing_secrets = [\"env:BOOKGATE_CALCOM_SECRET\"]\n\
                      [sources.calcom.api]\nkey = \"env:BOOKGATE_CALCOM_API_KEY\"\n";

#[test]
fn a_choice_that_is_missing_is_told_with_all_its_ways() {
    let folder = tempfile::tempdir().unwrap();
    for (line, ways) in [
        (
            &["bookings", "decide", "calcom", "4711"][..],
            "<--accept|--refuse <REASON>>",
        ),
        (&["deliveries", "replay"], "--all"),
        (&["dead-letters", "retry"], "--all"),
        (&["dead-letters", "purge"], "--all"),
        (
            &["audit", "list", "--action", "nonsense"],
            "dead_letter.retry_forced",
        ),
    ] {
        let (code, error) = bookgate(folder.path(), &[], line).unwrap_err();
        let error = error.unwrap();
        assert_eq!(code, 2, "{error}");
        assert!(error.contains(ways), "{error}");
    }
    let decide = ["bookgate", "bookings", "decide", "calcom/4711"];
    for (rest, is_right) in [
        (&["--reject", "no"][..], true),
        (&["--accept", "--reject", "no"], false),
        (&["--refuse", "no", "--waive-credits"], false),
    ] {
        let line = decide.iter().chain(rest);
        assert_eq!(Cli::try_parse_from(line).is_ok(), is_right, "{rest:?}");
    }
}

#[test]
fn only_commands_that_can_write_the_database_say_so() {
    let folder = tempfile::tempdir().unwrap();
    for (line, writes) in [
        (&["bookings", "decide"][..], false),
        (&["policy", "reload"], false),
        (&["reconcile"], false),
        (&["credits", "top-up"], true),
    ] {
        let line = [line, &["--help"]].concat();
        let help = bookgate(folder.path(), &[], &line).unwrap_err().1.unwrap();
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(help.contains("else the database is written"), writes);
        assert!(help.contains("server.admin_listen"), "{help}");
    }
}

#[test]
fn an_import_blames_the_option_that_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let good = "sqlite://x.db";
    for (option, from, to) in [
        ("--to", good, "postgres://x"),
        ("--from", "sqlite:x", "postgres://u@h/x"),
        ("--to", good, "env:ABSENT"),
    ] {
        let line = ["import", "--from", from, "--to", to];
        let (code, error) = bookgate(folder.path(), &[], &line).unwrap_err();
        let error = error.unwrap();
        assert_eq!(code, 2, "{error}");
        assert!(error.contains(&format!("option {option}")), "{error}");
        assert!(error.contains(&format!("`{option}`")), "{error}");
        assert!(!error.to_lowercase().contains("storage"), "{error}");
    }
}

#[test]
fn what_is_not_there_is_told_with_what_is() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("bookgate.toml"), SOURCE).unwrap();
    bookgate(folder.path(), &[], &["migrate"]).unwrap();
    let fails = |line: &[&str]| {
        let (code, error) = bookgate(folder.path(), &[], line).unwrap_err();
        (code, error.unwrap())
    };
    let run = ["jobs", "run", "nonsense"];
    let (code, error) = fails(&run);
    assert_eq!(code, 3, "{error}");
    assert!(error.contains("there is no job `nonsense`"), "{error}");
    assert!(error.contains("before a daemon"), "{error}");
    let (code, error) = fails(&["jobs", "run", "retention"]);
    assert_eq!(code, 3);
    assert!(error.contains("`bookgate retention run`"), "{error}");

    for command in ["show", "explain"] {
        let (code, error) = fails(&["bookings", command, "calcum", "4711"]);
        assert_eq!(code, 3, "{error}");
        let why = "the settings have no source `calcum`, but calcom; no booking";
        assert!(error.contains(why), "{error}");
        let (code, error) = fails(&["bookings", command, "calcom/4711"]);
        assert_eq!(code, 3);
        assert!(
            error.starts_with("error: no booking `calcom/4711`"),
            "{error}"
        );
        assert_eq!(fails(&["bookings", command, "calcom"]).0, 2);
    }
}

#[test]
fn entries_tell_who_put_credit_on_an_account_and_why() {
    let folder = tempfile::tempdir().unwrap();
    let top_up = |amount: &str| {
        let line = ["credits", "top-up", "ada@example.org", amount];
        let rest = ["--reason", "Won in March", "--idempotency-key", "raffle"];
        bookgate(folder.path(), &[], &[&line[..], &rest[..]].concat())
    };
    bookgate(folder.path(), &[], &["migrate"]).unwrap();
    top_up("5").unwrap();
    let line = ["credits", "entries", "ada@example.org", "--since", "1d"];
    let printed = bookgate(folder.path(), &[], &line).unwrap();
    assert!(printed.contains("cli: Won in March"), "{printed}");
    assert!(printed.lines().all(|line| line.len() <= 80), "{printed}");
    let later = [&line[..4], &["+1d"]].concat();
    let printed = bookgate(folder.path(), &[], &later).unwrap();
    assert_eq!(printed, "nothing has moved\n");
    // The cause comes before the key.
    let (_, error) = top_up("6").unwrap_err();
    let error = error.unwrap();
    let (cause, key) = (error.find("amount"), error.find("raffle"));
    assert!(cause.is_some() && cause < key, "{error}");
}

#[test]
fn secrets_that_are_not_set_are_told_with_the_file_that_has_them() {
    let folder = tempfile::tempdir().unwrap();
    let club = folder.path().join("club");
    bookgate(folder.path(), &[], &["init", "club"]).unwrap();
    let show = ["settings", "show"];
    let (code, error) = bookgate(&club, &[], &show).unwrap_err();
    let error = error.unwrap();
    assert_eq!(code, 2, "{error}");
    let help = "help: `set -a; . ./bookgate.env; set +a` sets";
    assert_eq!(error.matches(help).count(), 1, "{error}");
    let elsewhere = [&show[..], &["--config", "club/bookgate.toml"]].concat();
    let (_, error) = bookgate(folder.path(), &[], &elsewhere).unwrap_err();
    let error = error.unwrap();
    assert!(error.contains(" . club/bookgate.env; "), "{error}");
    fs::remove_file(club.join("bookgate.env")).unwrap();
    let (_, error) = bookgate(&club, &[], &show).unwrap_err();
    assert!(!error.unwrap().contains("help"));
}

#[test]
fn a_word_of_two_letters_is_not_taken_for_another() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!("{SOURCE}dialect = \"v3\"\n");
    fs::write(folder.path().join("bookgate.toml"), text).unwrap();
    let (_, error) = bookgate(folder.path(), &[], &["settings", "show"]).unwrap_err();
    let error = error.unwrap();
    assert!(!error.contains("did you mean"), "{error}");
    assert!(error.contains("\"v1\" or \"v2\""), "{error}");
}

#[test]
fn defaults_are_also_had_as_json() {
    let folder = tempfile::tempdir().unwrap();
    let printed = bookgate(folder.path(), &[], &["settings", "default", "--json"]).unwrap();
    let defaults: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(defaults["server"]["listen"], "127.0.0.1:8080");
}
