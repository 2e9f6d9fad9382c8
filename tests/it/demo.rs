//! The real binary tells the story of `bookgate demo`.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

const WIDTH: usize = 80;

/// Runs the binary with a folder of its own for temporary files.
fn bookgate(temporary: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bookgate"))
        .args(arguments)
        .env("TMPDIR", temporary)
        // What is on this machine is asked of no proxy, so one that is dead does no harm.
        .env("http_proxy", "http://127.0.0.1:9")
        .output()
        .unwrap()
}

fn told(output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    assert_eq!(stderr, "", "nothing is wrong, so nothing is said of it");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn demo_tells_what_was_decided_and_leaves_nothing_behind() {
    let temporary = tempfile::tempdir().unwrap();
    let told = told(&bookgate(temporary.path(), &["demo"]));
    for line in [
        "decision ACCEPT by executive-book-club, price 2",
        "pass  has-credit: available 5, cost 2, held 0, missing 0",
        "balance  ada@reader.example   3 CREDIT: 0 held, 3 available",
        "decision REJECT by executive-book-club, price 2",
        "FAIL  has-credit: available 1.5, cost 2, held 0, missing 0.5",
        "told     \"This session costs 2 credits and you have 1.5.",
        "=>       Answered 200, stored once (2 deliveries before and after)",
        "balance  cleo@reader.example  0 CREDIT: 0 held, 0 available",
        "7. A reschedule at Calendly comes in halves, the wrong way round",
        "=>       One booking, one charge.",
        "balance  dora@reader.example  0 CREDIT: 0 held, 0 available",
        "balance  ada@reader.example   4 CREDIT: 0 held, 4 available",
        "Everything came out as told",
        "bookgate init",
        "bookgate serve",
    ] {
        assert!(told.contains(line), "`{line}` is missing in\n{told}");
    }
    for line in told.lines() {
        assert!(line.chars().count() <= WIDTH, "too wide: {line}");
    }
    let left: Vec<_> = fs::read_dir(temporary.path()).unwrap().collect();
    assert!(left.is_empty(), "left behind: {left:?}");
}

#[test]
fn demo_tells_the_same_as_json_and_keeps_what_it_was_asked_to_keep() {
    let temporary = tempfile::tempdir().unwrap();
    let told = told(&bookgate(temporary.path(), &["demo", "--json", "--keep"]));
    let story: Value = serde_json::from_str(&told).unwrap();
    let outcomes: Vec<_> = story["steps"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|step| step["decision"]["outcome"].as_str())
        .collect();
    assert_eq!(outcomes, ["accept", "reject", "accept", "accept"]);
    assert_eq!(story["steps"][1]["calls"][1]["method"], "POST");
    assert_eq!(story["steps"][4]["webhooks"][0]["answered"], 401);

    let kept = Path::new(story["kept"].as_str().unwrap());
    assert_eq!(kept.parent(), Some(temporary.path()));
    assert!(kept.join("bookgate.db").is_file());
    let settings = kept.join("bookgate.toml");
    let arguments = ["--config", settings.to_str().unwrap(), "settings", "show"];
    let shown = bookgate(temporary.path(), &arguments);
    assert!(shown.status.success(), "a daemon could go on from there");
}

#[test]
fn demo_fails_where_it_cannot_begin() {
    let temporary = tempfile::tempdir().unwrap();
    let output = bookgate(&temporary.path().join("absent"), &["demo"]);
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        stderr.starts_with("error: cannot make a temporary folder"),
        "{stderr}"
    );
}
