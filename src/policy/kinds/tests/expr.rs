//! Expressions over facts; how they are guarded is tested in `policy/cel/`.

use super::{ask, ask_in, by, passes};
use crate::domain::booking::Answer;
use crate::domain::decision::Outcome;
use crate::domain::owner::Owner;
use crate::policy::tests::{booking, decide, facts, policies};
use crate::policy::{
    AccountFacts, AccountStatus, Balance, Evaluation, Facts, Loaded, Need, TraceResult,
};

fn expr(cel: &str) -> String {
    format!("cel = '''{cel}'''")
}

fn holds(cel: &str, facts: &Facts) -> bool {
    passes("expr", &expr(cel), facts)
}

fn with_answers(answers: &[(&str, Answer)]) -> Facts {
    let mut facts = facts();
    let answers = answers.iter().cloned();
    facts.details.answers = answers
        .map(|(key, answer)| (key.to_owned(), answer))
        .collect();
    facts
}

#[test]
fn an_expression_looks_at_the_booking() {
    let mut facts = by("ada@eu.example.org");
    facts.details.notes = Some("About my pension".to_owned());
    facts.details.guests = vec![Owner::parse("eve@b.example").unwrap()];
    facts
        .details
        .metadata
        .insert("plan".to_owned(), "team".to_owned());
    for (cel, met) in [
        ("size(booking.notes) >= 16", true),
        ("size(booking.notes) >= 17", false),
        ("booking.notes.contains('pension')", true),
        ("booking.notes.lowerAscii().startsWith('about')", true),
        (r"booking.notes.matches('^[A-Z]\\w+ my')", true),
        (r"booking.notes.matches(r'\d')", false),
        (
            "booking.length_minutes == 60 && booking.end - booking.start == duration('1h')",
            true,
        ),
        ("booking.start - now >= duration('72h')", true),
        ("booking.start - now > duration('72h')", false),
        (
            "booking.guests.all(guest, guest.endsWith('@b.example'))",
            true,
        ),
        ("size(booking.guests) + 1 <= 1", false),
        (
            "'team' in booking.metadata || booking.metadata['plan'] == 'team'",
            true,
        ),
        (
            "has(booking.metadata.plan) && !has(booking.metadata.seats)",
            true,
        ),
        (
            "booker.domain.endsWith('.example.org') && booker.name == 'Ada'",
            true,
        ),
        (
            "booker.phone == '' && booker.timezone == '' && booking.location == ''",
            true,
        ),
        (
            "event_type.id == 7 && event_type.slug in ['session', 'chat']",
            true,
        ),
        ("source == 'front_door' && booking.uid == 'b-1'", true),
        ("booking.seated || booking.recurring", false),
        ("cost == 200", true),
    ] {
        assert_eq!(holds(cel, &facts), met, "{cel}");
    }
}

#[test]
fn hours_are_those_of_the_zone_that_is_named() {
    // Midsummer, noon in UTC.
    let facts = booking("2026-06-23T12:00:00Z", 60);
    let passes =
        |zone: &str, cel: &str| ask_in(zone, "expr", &expr(cel), &facts).0 == TraceResult::Pass;
    assert!(passes("Europe/Berlin", "booking.start.getHours() == 12"));
    assert!(passes(
        "Europe/Berlin",
        "booking.start.getHours(timezone) == 14"
    ));
    assert!(passes(
        "America/New_York",
        "booking.start.getHours(timezone) == 8"
    ));
    assert!(passes("UTC", "booking.start.getDayOfWeek(timezone) == 2"));
}

#[test]
fn an_answer_may_be_a_text_or_several() {
    let facts = with_answers(&[
        ("topic", Answer::Text("pensions".to_owned())),
        ("seats", Answer::Text("3".to_owned())),
        (
            "days",
            Answer::Many(vec!["mon".to_owned(), "tue".to_owned()]),
        ),
    ]);
    for (cel, met) in [
        ("booking.answers.topic == 'pensions'", true),
        ("int(booking.answers.seats) > 3", false),
        ("booking.answers.days.exists(day, day == 'tue')", true),
        (
            "int(booking.answers['seats']) == 3 && 'mon' in booking.answers.days",
            true,
        ),
        (
            "!has(booking.answers.company) || booking.answers.company != ''",
            true,
        ),
    ] {
        assert_eq!(holds(cel, &facts), met, "{cel}");
    }
}

#[test]
fn what_has_no_answer_is_unknown_and_says_why_without_telling_what_was_written() {
    let facts = with_answers(&[("seats", Answer::Text("lots and lots".to_owned()))]);
    for (cel, why) in [
        ("booking.answers.topic == 'x'", "there is no `topic`"),
        (
            "int(booking.answers.seats) > 3",
            "`int` cannot make sense of its value",
        ),
        (
            "booking.answers.seats.all(seat, seat == 'x')",
            "found string instead of iterable",
        ),
        (
            "100 / size(booking.notes) > 3",
            "something is divided by zero",
        ),
        (
            "booking.guests[0] == 'eve@b.example'",
            "a list is shorter than that",
        ),
    ] {
        let text = format!(
            "schema = 1\n[policy]\nid = \"p\"\n[[criterion]]\nid = \"c\"\nkind = \"expr\"\n{}\n",
            expr(cel)
        );
        let verdict = decide(&policies(&[&text]), &facts);
        assert_eq!(verdict.outcome, Outcome::Defer, "{cel}");
        assert_eq!(
            verdict.trace.criteria[0].error.as_deref(),
            Some(why),
            "{cel}"
        );
        let closed = format!("{text}on_error = \"fail\"\n");
        assert_eq!(
            decide(&policies(&[&closed]), &facts).outcome,
            Outcome::Reject,
            "{cel}"
        );
    }
}

#[test]
fn the_account_is_asked_for_only_if_it_matters() {
    let text = format!(
        "schema = 1\n[policy]\nid = \"p\"\n[[criterion]]\nid = \"c\"\nkind = \"expr\"\n{}\n",
        expr("booking.title == 'x' || account.available.CREDIT >= 250")
    );
    let mut facts = facts();
    let Evaluation::Needs(needs) = policies(&[&text]).evaluate(&facts) else {
        panic!("decided without the account");
    };
    assert_eq!(needs.into_iter().collect::<Vec<_>>(), [Need::Account]);

    let balance = |available| Balance {
        posted: 300,
        held: 50,
        available,
        limit: 0,
    };
    let mut account = |status, available| {
        let unit = "CREDIT".try_into().unwrap();
        facts.account = Loaded::Known(Some(AccountFacts {
            status,
            created_at: facts.now,
            balances: [(unit, balance(available))].into(),
        }));
        facts.clone()
    };
    let rich = account(AccountStatus::Open, 250);
    let poor = account(AccountStatus::Frozen, 249);
    facts.account = Loaded::Known(None);
    assert!(holds(
        "account.available.CREDIT >= 250 && account.held.CREDIT == 50",
        &rich
    ));
    assert!(!holds("account.available.CREDIT >= 250", &poor));
    assert!(holds("account.status == 'frozen' && account.exists", &poor));
    assert!(holds(
        "account.available.CREDIT == 0 && !account.exists && account.status == ''",
        &facts
    ));
    assert!(holds("account.available['SEAT'] == 0", &rich));
    facts.account = Loaded::Failed("the store is away".to_owned());
    assert_eq!(
        ask("expr", &expr("account.exists"), &facts).0,
        TraceResult::Unknown
    );
}
