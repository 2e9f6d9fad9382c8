//! What an admin is told about a file that is not right.

use expect_test::{Expect, expect};

use crate::policy::Diagnostics;
use crate::policy::codes::Severity;
use crate::policy::tests::support::load_texts;

/// A file that is right, to be spoiled.
const RIGHT: &str = r#"schema = 1
[policy]
id = "club"
[credits]
unit = "CREDIT"
cost = { base = "2" }
[[criterion]]
id = "has-credit"
kind = "credit"
[require]
all = ["has-credit"]
[[test]]
name = "nothing to pay with"
expect = { decision = "reject" }
[[test]]
name = "enough to pay with"
given = { account = { available = "2" } }
expect = { decision = "accept" }
"#;

fn diagnostics(texts: &[&str]) -> Diagnostics {
    match load_texts(texts) {
        Ok((_, diagnostics)) | Err(diagnostics) => diagnostics,
    }
}

fn check(texts: &[&str], expected: &Expect) {
    expected.assert_eq(&diagnostics(texts).render(false));
}

/// Replaces a part of [`RIGHT`].
fn spoiled(part: &str, by: &str) -> String {
    assert!(RIGHT.contains(part), "{part}");
    RIGHT.replace(part, by)
}

/// One line for each diagnostic.
pub(super) fn list(texts: &[&str]) -> String {
    let diagnostics = diagnostics(texts);
    let lines = diagnostics.iter().map(|d| {
        let suggestion = d
            .suggestion
            .as_ref()
            .map(|s| format!(" -> {}", s.replacement.trim()));
        format!(
            "{} {}:{}:{} {}{}",
            d.code,
            d.file,
            d.line,
            d.column,
            d.message,
            suggestion.unwrap_or_default()
        )
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_file_that_is_right_has_no_remarks() {
    check(&[RIGHT], &expect![""]);
}

#[test]
fn an_unknown_key_is_located_and_guessed() {
    check(
        &[&spoiled(
            "kind = \"credit\"",
            "kind = \"credit\"\nmesage = \"No.\"",
        )],
        &expect![[r#"
            error[BG0103]: unknown key `mesage` in `[[criterion]]`
              --> a.toml:10:1
               |
            10 | mesage = "No."
               | ^^^^^^
               |
               = help: known here: `allow_limit`, `cost`, `id`, `kind`, `message`, `mode`, `note`, `on_error`, `on_error_message`, `unit`, `when`
            help: did you mean `message`?
               |
            10 | message = "No."
               |    +"#]],
    );
}

#[test]
fn an_amount_that_is_no_text_gets_a_patch() {
    check(
        &[&spoiled("base = \"2\"", "base = 2.5")],
        &expect![[r#"
        error[BG0105]: `base` is an amount and has to be written as text
         --> a.toml:6:17
          |
        6 | cost = { base = 2.5 }
          |                 ^^^
          |
        help: put it in quotes
          |
        6 - cost = { base = 2.5 }
        6 + cost = { base = "2.5" }
          |"#]],
    );
}

#[test]
fn a_placeholder_is_located_inside_its_text() {
    let text = spoiled(
        "kind = \"credit\"",
        "kind = \"credit\"\nmessage = \"You have {availabel}.\"",
    );
    check(
        &[&text],
        &expect![[r#"
        error[BG0209]: the placeholder `availabel` is not offered here
          --> a.toml:10:22
           |
        10 | message = "You have {availabel}."
           |                      ^^^^^^^^^
           |
           = help: offered: `cost`, `available`, `held`, `missing`
        help: did you mean `available`?
           |
        10 - message = "You have {availabel}."
        10 + message = "You have {available}."
           |"#]],
    );
}

#[test]
fn a_failing_test_says_what_happened() {
    let text = spoiled(
        "expect = { decision = \"reject\" }",
        "given = { account = { available = \"1.5\" } }\nexpect = { decision = \"accept\" }",
    );
    check(
        &[&text],
        &expect![[r#"
            error[BG0401]: test `nothing to pay with` fails: expected accept, found reject
              --> a.toml:15:23
               |
            15 | expect = { decision = "accept" }
               |                       ^^^^^^^^
               |
               = help: has-credit fail (available 1.5, cost 2, held 0, missing 0.5)"#]],
    );
}

#[test]
fn a_tie_names_both_places() {
    let other = spoiled("\"club\"", "\"clubs\"");
    check(
        &[RIGHT, &other],
        &expect![[r#"
        error[BG0212]: `clubs` and `club` claim the same bookings with the same rank
         --> b.toml:3:6
          |
        3 | id = "clubs"
          |      ^^^^^^^
          |
          = note: the other one is here
          |
         ::: a.toml:3:6
          |
        3 | id = "club"
          |      ^^^^^^
          |
          = help: give one of them a higher `priority`, or describe its bookings more closely in `[match]`"#]],
    );
}

#[test]
fn a_secret_is_refused_and_never_shown() {
    let text = spoiled(
        "kind = \"credit\"",
        "kind = \"credit\"\nsecret = \"hunter2\"",
    );
    let rendered = diagnostics(&[&text]).render(false);
    assert!(rendered.contains("BG0501"));
    assert!(
        !rendered.lines().any(|line| line.contains("hunter2")),
        "{rendered}"
    );
    for unreadable in ["secret = \"hunter2", "secret = \"hunter2\" x"] {
        let text = spoiled("kind = \"credit\"", unreadable);
        let rendered = diagnostics(&[&text]).render(false);
        assert!(
            rendered.contains("BG0002") && !rendered.contains("hunter2"),
            "{rendered}"
        );
    }
    let by_name = spoiled(
        "kind = \"credit\"",
        "kind = \"credit\"\nsecret = \"env:KEY\"",
    );
    assert!(!list(&[&by_name]).contains("BG0501"));
}

#[test]
fn tools_get_json() {
    let diagnostics = diagnostics(&[&spoiled("kind = \"credit\"", "kind = \"credits\"")]);
    expect![[r#"
        [
          {
            "code": "BG0201",
            "severity": "error",
            "file": "a.toml",
            "line": 9,
            "column": 8,
            "end_line": 9,
            "end_column": 17,
            "message": "there is no kind of criterion `credits`",
            "help": "one of `account`, `allow-list`, `answer`, `attendees`, `capacity`, `concurrent`, `credit`, `deny-list`, `duplicate`, `duration-quota`, `email-domain`, `expr`, `history`, `http`, `invite-code`, `length`, `location`, `manual`, `metadata`, `min-gap`, `notice`, `quota`, `reputation`, `risk`, `routing`, `sample`, `tag`, `use`, `verified-email`, `window`",
            "suggestion": {
              "text": "did you mean `credit`?",
              "span": {
                "start": 119,
                "end": 128
              },
              "replacement": "\"credit\""
            },
            "related": []
          }
        ]"#]].assert_eq(&serde_json::to_string_pretty(&diagnostics).unwrap());
}

#[test]
fn colours_are_only_there_when_asked_for() {
    let diagnostics = diagnostics(&["schema = 2"]);
    assert!(diagnostics.render(true).contains('\u{1b}'));
    assert!(!diagnostics.render(false).contains('\u{1b}'));
}

/// Sections with many slips.
const WRONG_SECTIONS: &str = r#"
[polcy]
id = "x"
[policy]
id = "Not An Id"
title = 3
kind = "guard"
mode = "of"
timezone = "Europe/Lundon"
on_unknown = "accept"
priority = 10000000
[match]
sources = []
event_types = [7.5]
[credits]
unit = "CREDITS"
cost = { base = "2" }
refund = [{ notice = "2 days", percent = 101 }, { percent = 1 }]
reschedule = "rehold"
"#;

/// Criteria, lists and tests with many slips.
const WRONG_CRITERIA: &str = r#"schema = 1
[policy]
id = "y"
[lists.vip]
emails = ["no address"]
[lists.idle]
domains = ["idle.example"]
[lists.both]
file = "blocked.txt"
names = ["Eve"]
[lists.wrong]
file = "wrong.txt"
[[criterion]]
kind = "notice"
[[criterion]]
id = "a"
kind = "notice"
min = "2d"
max = "1h"
[[criterion]]
id = "a"
kind = "window"
from = "08:00"
until = 2026-01-01
except = ["2026-12-25"]
days = ["monday"]
[[criterion]]
id = "b"
kind = "answer"
matches = '(unclosed'
min_chars = 9
max_chars = 3
[[criterion]]
id = "c"
kind = "deny-list"
list = "vips"
[[criterion]]
id = "d"
kind = "allow-list"
list = { file = "empty.txt" }
[[criterion]]
id = "e"
kind = "email-domain"
deny = { file = "missing.txt" }
[[criterion]]
id = "f"
kind = "credit"
[[criterion]]
id = "g"
kind = "length"
message = "odd } brace"
[[criterion]]
id = "h"
kind = "account"
exists = false
status = ["open"]
[require]
all = ["a", "bb", { any = ["c"] }, { all = ["d"], not = "e" }, 7]
[[test]]
name = "t"
now = 2026-03-02
booking = { email = "x", guests = -1, length = "60" }
expect = { decision = "yes", held = "1" }
"#;

#[test]
fn everything_wrong_in_all_files_is_said_at_once() {
    let syntax = "schema = 1\n[policy\nid = \"x\"\nmode = off\n";
    expect![[r#"
        BG0002 a.toml:2:8 unclosed table, expected `]`
        BG0113 b.toml:1:1 the file does not say which version of the language it is in -> schema = 1
        BG0103 b.toml:2:2 unknown key `polcy` in the file -> policy
        BG0108 b.toml:5:6 `Not An Id` is not an id
        BG0102 b.toml:6:9 `title` takes a text, found a whole number -> "3"
        BG0104 b.toml:7:8 `guard` is not allowed for `kind`
        BG0104 b.toml:8:8 `of` is not allowed for `mode` -> "off"
        BG0109 b.toml:9:12 there is no time zone `Europe/Lundon`
        BG0104 b.toml:10:14 `accept` is not allowed for `on_unknown`
        BG0107 b.toml:11:12 `priority` is out of range
        BG0207 b.toml:13:11 `sources` is empty, so no booking would match
        BG0102 b.toml:14:16 `event type` takes a number (its id) or a text (its slug), found a fractional number
        BG0116 b.toml:16:8 there is no unit `CREDITS` -> "CREDIT"
        BG0106 b.toml:18:22 `2 days` is not a duration
        BG0107 b.toml:18:42 `percent` is out of range
        BG0101 b.toml:18:49 `refund` needs `notice`
        BG0114 b.toml:19:14 `rehold` is not available yet
        BG0115 c.toml:5:11 `no address` does not belong into `emails`
        BG0104 c.toml:9:8 a list has entries, a file or a url, and only one of them
        BG0303 c.toml:12:8 line 2 of the list file `wrong.txt` is no address, domain, name or phone number
        BG0101 c.toml:13:1 `[[criterion]]` needs `id`
        BG0117 c.toml:13:1 this criterion checks nothing
        BG0206 c.toml:18:7 nothing is at least 2 days and at most 1 hour
        BG0204 c.toml:21:6 two criteria are called `a`
        BG0110 c.toml:23:8 `from` takes a time of day
        BG0110 c.toml:24:9 `until` takes a time of day
        BG0110 c.toml:25:11 `except` takes dates
        BG0104 c.toml:26:9 `monday` is not allowed for `days`
        BG0101 c.toml:27:1 `[[criterion]]` needs `field`
        BG0112 c.toml:30:11 this pattern cannot be used: unclosed group
        BG0206 c.toml:31:13 nothing can be at least 9 and at most 3
        BG0301 c.toml:36:8 there is no list `vips` -> "vip"
        BG0207 c.toml:40:8 nobody can be on this list
        BG0302 c.toml:44:17 the list file `missing.txt` cannot be read: entity not found
        BG0215 c.toml:45:1 the policy names no unit of credits
        BG0117 c.toml:48:1 this criterion checks nothing
        BG0210 c.toml:51:16 this brace belongs to no placeholder
        BG0104 c.toml:56:10 an account that must not exist has no status and no age
        BG0202 c.toml:58:13 there is no criterion `bb` -> "b"
        BG0205 c.toml:58:27 `any` with a single item
        BG0104 c.toml:58:36 a condition has exactly one of `all`, `any` and `not`
        BG0102 c.toml:58:64 `all` takes the id of a criterion or group, or a table with `all`, `any` or `not`, found a whole number
        BG0110 c.toml:61:7 `now` takes a moment
        BG0115 c.toml:62:21 `x` is not an e-mail address
        BG0107 c.toml:62:35 `guests` is out of range
        BG0102 c.toml:62:48 `length` takes a whole number, found a text
        BG0104 c.toml:63:23 `yes` is not allowed for `decision`
        BG0116 c.toml:63:37 the policy has no `[credits]`"#]].assert_eq(&list(&[syntax, WRONG_SECTIONS, WRONG_CRITERIA]));
}

#[test]
fn a_long_pattern_and_a_large_one_are_refused() {
    let answer = |pattern: &str| {
        let text = format!(
            "schema = 1\n[policy]\nid = \"a\"\n[[criterion]]\nid = \"b\"\nkind = \"answer\"\nfield = \"f\"\nmatches = '{pattern}'\n"
        );
        list(&[&text])
    };
    expect![[r#"
        BG0112 a.toml:8:11 this pattern cannot be used: it grows too large
        BG0112 a.toml:8:11 this pattern cannot be used: it is longer than 1024 bytes
        BG0112 a.toml:8:11 this pattern cannot be used: unclosed character class
        BG0112 a.toml:8:11 this pattern cannot be used: backreferences are not supported"#]]
    .assert_eq(
        &[
            answer("(a{999}){999}"),
            answer(&"a".repeat(2_000)),
            answer("["),
            answer(r"(a)\1"),
        ]
        .join("\n"),
    );
}

#[test]
fn remarks_that_do_not_stop_a_policy() {
    let text = r#"schema = 1
[policy]
id = "x"
mode = "shadow"
[credits]
refund = [{ notice = "1h", percent = 50 }, { notice = "2h", percent = 100 }]
[lists.idle]
domains = ["idle.example"]
[[criterion]]
id = "a"
kind = "length"
max = "1h"
[[criterion]]
id = "b"
kind = "length"
max = "2h"
[require]
any = ["a"]
"#;
    let diagnostics = diagnostics(&[text, "schema = 1\n[policy]\nid = \"y\"\n"]);
    assert!(diagnostics.iter().all(|d| d.severity != Severity::Error));
    expect![[r#"
        BG0402 a.toml:3:6 `x` has no tests
        BG0214 a.toml:6:44 this line is never reached
        BG0305 a.toml:7:8 the list `idle` is not used
        BG0203 a.toml:14:6 the criterion `b` is not used in `[require]`
        BG0205 a.toml:18:7 `any` with a single item
        BG0211 b.toml:1:1 the policy has no criteria
        BG0402 b.toml:3:6 `y` has no tests"#]]
    .assert_eq(&list(&[text, "schema = 1\n[policy]\nid = \"y\"\n"]));
}

#[test]
fn a_test_expects_more_than_a_decision() {
    let text = spoiled(
        "expect = { decision = \"reject\" }",
        "given = { account = { available = \"1\" } }\nexpect = { decision = \"reject\", failed = [\"other\"], message = \"No.\", held = \"2\" }",
    );
    expect![[r#"
        BG0401 a.toml:15:42 test `nothing to pay with` fails: expected {"other"}, found {"has-credit"}
        BG0401 a.toml:15:63 test `nothing to pay with` fails: expected "No.", found "This booking costs 2 and you have 1."
        BG0401 a.toml:15:77 test `nothing to pay with` fails: expected 2, found 0"#]].assert_eq(&list(&[&text]));
}

#[test]
fn too_large_a_file_is_not_even_parsed() {
    let text = format!("# {}\n[", "x".repeat(2 << 20));
    expect!["BG0001 a.toml:1:1 the file has 2097156 bytes"].assert_eq(&list(&[&text]));
}
