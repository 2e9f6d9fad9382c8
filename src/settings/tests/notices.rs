//! Who is told what happens: what an admin is told who writes it wrongly.

use expect_test::expect;

use super::{check, load};
use crate::domain::notice::Topic;

const SECRET: (&str, &str) = (
    "NOTICES",
    "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
);

#[test]
fn a_receiver_needs_an_address_and_a_secret_and_asks_for_everything() {
    let text =
        "[notices.ops]\nurl = \"https://hooks.example.org/in\"\nsecrets = [\"env:NOTICES\"]\n";
    let settings = load(text, &[SECRET]).unwrap();
    let receiver = &settings.notices["ops"];
    assert_eq!(receiver.events, Topic::ALL);
    assert_eq!(receiver.timeout_ms, 5_000);
    assert_eq!(receiver.secrets[0].expose(), SECRET.1);
    check(
        "[notices.ops]\n",
        &[],
        &expect![[r#"
        error: `notices.ops.url` is missing
         --> bookgate.toml:1:10
          |
        1 | [notices.ops]
          |          ^^^ write url = "https://hooks.example.org/bookgate" under [notices.ops]

        error: `notices.ops.secrets` is missing
         --> bookgate.toml:1:10
          |
        1 | [notices.ops]
          |          ^^^ write secrets = ["env:BOOKGATE_OPS_NOTICES_SECRET"] under [notices.ops]

        error: 2 problems in the settings"#]],
    );
}

#[test]
fn an_address_that_anybody_on_the_way_can_read_must_be_asked_for() {
    let text =
        "[notices.ops]\nurl = \"http://hooks.example.org/in\"\nsecrets = [\"env:NOTICES\"]\n";
    check(
        text,
        &[SECRET],
        &expect![[r#"
        error: `notices.ops.url` would be sent to without encryption
         --> bookgate.toml:2:7
          |
        2 | url = "http://hooks.example.org/in"
          |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ write https, or set `allow_http = true` beside it"#]],
    );
    let asked = format!("{text}allow_http = true\n");
    assert!(load(&asked, &[SECRET]).is_ok());
    let here = text.replace("hooks.example.org", "127.0.0.1:9000");
    assert!(load(&here, &[SECRET]).is_ok());
}

#[test]
fn a_secret_is_one_of_the_scheme_and_never_shown() {
    let text =
        "[notices.ops]\nurl = \"https://hooks.example.org/in\"\nsecrets = [\"env:NOTICES\"]\n";
    check(
        text,
        &[("NOTICES", "hunter2")],
        &expect![[r#"
        error: the secret for `notices.ops.secrets[0]` is none of Standard Webhooks
         --> bookgate.toml:3:12
          |
        3 | secrets = ["env:NOTICES"]
          |            ^^^^^^^^^^^^^ `whsec_` and then 24 to 64 random bytes in base64
          |
          = help: make one: echo "whsec_$(openssl rand -base64 32)""#]],
    );
    for wrong in [
        "whsec_",
        "whsec_c2hvcnQ=",
        "whsec_not base64 at all not base64!",
    ] {
        assert!(load(text, &[("NOTICES", wrong)]).is_err(), "{wrong}");
    }
}

#[test]
fn events_are_known_ones() {
    let text =
        "[notices.ops]\nurl = \"https://hooks.example.org/in\"\nsecrets = [\"env:NOTICES\"]\n";
    let wrong = format!("{text}events = [\"booking.decide\"]\n");
    check(
        &wrong,
        &[SECRET],
        &expect![[r#"
            error: `notices.ops.events[0]` must be "booking.decided", "booking.deferred", "dead_letter.added", "source.failing", "source.recovered" or "balance.low"
             --> bookgate.toml:4:11
              |
            4 | events = ["booking.decide"]
              |           ^^^^^^^^^^^^^^^^ did you mean "booking.decided"?"#]],
    );
    let none = format!("{text}events = []\n");
    check(
        &none,
        &[SECRET],
        &expect![[r#"
        error: `notices.ops.events` is empty: nothing would ever be sent
         --> bookgate.toml:4:10
          |
        4 | events = []
          |          ^^ name some, or leave it out for all"#]],
    );
}

#[test]
fn a_low_balance_is_an_amount_of_its_unit() {
    let low = |text: &str| format!("[units.CREDIT]\nscale = 1\nlow_balance = {text}\n");
    let settings = load(&low("\"2.5\""), &[]).unwrap();
    assert_eq!(settings.low_balance.values().collect::<Vec<_>>(), [&25]);
    check(
        &low("\"2.55\""),
        &[],
        &expect![[r#"
        error: `units.CREDIT.low_balance` is no amount of this unit
         --> bookgate.toml:3:15
          |
        3 | low_balance = "2.55"
          |               ^^^^^^ `2.55` has more decimals than CREDIT allows: at most 1"#]],
    );
    check(
        &low("5"),
        &[],
        &expect![[r#"
        error: `units.CREDIT.low_balance` must be an amount in quotes, such as "5" or "2.50"
         --> bookgate.toml:3:15
          |
        3 | low_balance = 5
          |               ^ this is a number"#]],
    );
    check(
        &low("\"-1\""),
        &[],
        &expect![[r#"
        error: `units.CREDIT.low_balance` must be an amount in quotes, such as "5" or "2.50"
         --> bookgate.toml:3:15
          |
        3 | low_balance = "-1"
          |               ^^^^ this is none"#]],
    );
}
