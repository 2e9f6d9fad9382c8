//! From facts to a verdict.

use std::collections::BTreeMap;

use expect_test::{Expect, expect};

use crate::domain::amount::UnitCode;
use crate::domain::decision::Outcome;
use crate::domain::owner::Owner;
use crate::policy::tests::support::{decide, facts, policies};
use crate::policy::{
    AccountFacts, AccountStatus, Balance, Evaluation, Facts, Loaded, TraceResult, Verdict,
};

const CLUB: &str = r#"
schema = 1
[policy]
id = "club"
[match]
event_types = [7]
[credits]
cost = { base = "2", per_extra_guest = "0.5", per_hour = "0.10" }
refund = [{ notice = "48h", percent = 100 }]
hold_expiry = "72h"
[[criterion]]
id = "notice"
kind = "notice"
min = "24h"
message = "At least {min}, not {notice}."
[[criterion]]
id = "credit"
kind = "credit"
message = "It costs {cost}, you have {available}, {missing} missing."
note = "short of {missing}"
"#;

fn account(available: i64) -> Loaded<Option<AccountFacts>> {
    let balance = Balance {
        posted: available,
        held: 0,
        available,
        limit: 0,
    };
    let unit = UnitCode::try_from("CREDIT").unwrap();
    Loaded::Known(Some(AccountFacts {
        status: AccountStatus::Open,
        created_at: facts().now,
        balances: BTreeMap::from([(unit, balance)]),
    }))
}

fn with_account(available: i64) -> Facts {
    let mut facts = facts();
    facts.account = account(available);
    facts
}

/// The verdict in a few lines.
pub(super) fn show(verdict: &Verdict) -> String {
    let policy = verdict.policy.as_ref().map_or("none", |policy| &*policy.id);
    let mut lines = vec![format!("{} by {policy}", verdict.outcome.as_str())];
    lines.extend(verdict.message.iter().map(|text| format!("booker: {text}")));
    lines.extend(verdict.note.iter().map(|text| format!("admin: {text}")));
    for seen in &verdict.trace.criteria {
        let decided = match (seen.decided, seen.shadow) {
            (true, _) => " *",
            (false, true) => " (shadow)",
            (false, false) => "",
        };
        lines.push(format!(
            "{}/{} {:?}{decided}",
            seen.policy, seen.id, seen.result
        ));
    }
    lines.join("\n")
}

fn check(texts: &[&str], facts: &Facts, expected: &Expect) {
    expected.assert_eq(&show(&decide(&policies(texts), facts)));
}

#[test]
fn the_price_is_computed_once_and_copied_into_the_terms() {
    let mut facts = with_account(300);
    facts.details.guests = vec![Owner::parse("guest@example.org").unwrap()];
    facts.details.end = facts.details.start + jiff::Span::new().minutes(61);
    let verdict = decide(&policies(&[CLUB]), &facts);
    // 2 + 0.5 + 61 minutes at 0.10 an hour, rounded up to 0.11.
    assert_eq!(verdict.terms.cost.as_ref().unwrap().minor, 261);
    assert_eq!(verdict.hold_expiry_ms, Some(72 * 3_600_000));
    assert_eq!(verdict.outcome, Outcome::Accept);
    assert_eq!(verdict.message, None);
}

#[test]
fn a_refusal_says_why_to_both() {
    check(
        &[CLUB],
        &with_account(150),
        &expect![[r#"
        reject by club
        booker: It costs 2.1, you have 1.5, 0.6 missing.
        admin: short of 0.6
        club/notice Pass
        club/credit Fail *"#]],
    );
}

#[test]
fn what_is_settled_early_asks_for_nothing_more() {
    let mut late = facts();
    late.details.start = late.now;
    check(
        &[CLUB],
        &late,
        &expect![[r#"
        reject by club
        booker: At least 24 hours, not 0 minutes.
        club/notice Fail *
        club/credit NotEvaluated"#]],
    );
}

#[test]
fn facts_that_are_not_needed_do_not_change_the_verdict() {
    let mut late = facts();
    late.details.start = late.now;
    let set = policies(&[CLUB]);
    let without = decide(&set, &late);
    late.account = account(0);
    assert_eq!(decide(&set, &late), without);
}

#[test]
fn a_fact_that_cannot_be_read_defers() {
    let mut facts = facts();
    facts.account = Loaded::Failed("database is busy".to_owned());
    check(
        &[CLUB],
        &facts,
        &expect![[r#"
        defer by club
        admin: credit could not be answered: database is busy
        club/notice Pass
        club/credit Unknown *"#]],
    );
}

#[test]
fn on_error_and_on_unknown_have_the_word_then() {
    let mut facts = facts();
    facts.account = Loaded::Failed("database is busy".to_owned());
    let outcome = |text: &str| decide(&policies(&[text]), &facts).outcome;
    let kind = "kind = \"credit\"";
    assert_eq!(
        outcome(&CLUB.replace(kind, "kind = \"credit\"\non_error = \"pass\"")),
        Outcome::Accept
    );
    let fails = CLUB.replace(kind, "kind = \"credit\"\non_error = \"fail\"");
    assert_eq!(outcome(&fails), Outcome::Reject);
    let strict = CLUB.replace("id = \"club\"", "id = \"club\"\non_unknown = \"reject\"");
    check(
        &[&strict],
        &facts,
        &expect![[r#"
        reject by club
        booker: This booking could not be checked just now. Please try again later.
        admin: credit could not be answered: database is busy
        club/notice Pass
        club/credit Unknown *"#]],
    );
}

#[test]
fn no_policy_defers() {
    let mut other = facts();
    other.details.event_type_id = Some(8);
    check(
        &[CLUB],
        &other,
        &expect![[r#"
        defer by none
        admin: no policy matches this booking"#]],
    );
    check(
        &[],
        &other,
        &expect![[r#"
        defer by none
        admin: no policy matches this booking"#]],
    );
}

#[test]
fn policies_that_are_off_or_in_the_shadow_do_not_count() {
    for mode in ["off", "shadow"] {
        let text = CLUB.replace(
            "id = \"club\"",
            &format!("id = \"club\"\nmode = \"{mode}\""),
        );
        assert_eq!(decide(&policies(&[&text]), &facts()).policy, None);
    }
}

const GUARD: &str = r#"
schema = 1
[policy]
id = "guard"
kind = "guardrail"
show = "all"
[[criterion]]
id = "blocked"
kind = "deny-list"
list = { file = "blocked.txt" }
note = "on the list"
[[criterion]]
id = "long"
kind = "length"
max = "30m"
message = "Too long."
[[criterion]]
id = "short"
kind = "length"
min = "10m"
[require]
all = ["blocked", { any = ["long", { not = "short", message = "Odd." }], message = "Short ones only." }]
"#;

#[test]
fn a_guardrail_refuses_whatever_the_deciding_policy_says() {
    let mut facts = with_account(900);
    facts.details.booker.email = Owner::parse("nuisance@example.com").ok();
    check(
        &[GUARD, CLUB],
        &facts,
        &expect![[r#"
        reject by guard
        booker: We cannot accept this booking. Short ones only.
        admin: on the list
        guard/blocked Fail *
        guard/long Fail *
        guard/short Pass *
        club/notice Pass
        club/credit NotEvaluated"#]],
    );
}

#[test]
fn a_guardrail_cannot_accept() {
    let mut facts = facts();
    facts.details.event_type_id = Some(8);
    facts.details.end = facts.details.start + jiff::Span::new().minutes(20);
    check(
        &[GUARD, CLUB],
        &facts,
        &expect![[r#"
        defer by none
        admin: no policy matches this booking
        guard/blocked Pass
        guard/long Pass
        guard/short Pass"#]],
    );
    facts.account = account(900);
    facts.details.event_type_id = Some(7);
    check(
        &[GUARD, CLUB],
        &facts,
        &expect![[r#"
            accept by club
            guard/blocked Pass *
            guard/long Pass *
            guard/short Pass
            club/notice Pass *
            club/credit Pass *"#]],
    );
}

#[test]
fn an_unanswered_guardrail_defers_what_would_be_accepted_but_not_what_would_be_refused() {
    let mut facts = with_account(900);
    facts.details.booker.email = None;
    facts.details.end = facts.details.start + jiff::Span::new().minutes(20);
    check(
        &[GUARD, CLUB],
        &facts,
        &expect![[r#"
        defer by guard
        admin: blocked could not be answered: the booking names no e-mail address
        guard/blocked Unknown *
        guard/long Pass
        guard/short Pass
        club/notice Pass
        club/credit Pass"#]],
    );
    facts.account = account(0);
    assert_eq!(
        decide(&policies(&[GUARD, CLUB]), &facts).outcome,
        Outcome::Reject
    );
}

/// A deciding policy that matches by `conditions`.
fn matching(id: &str, header: &str, conditions: &str) -> String {
    format!(
        "schema = 1\n[policy]\nid = \"{id}\"\n{header}\n[match]\n{conditions}\n[[criterion]]\nid = \"l\"\nkind = \"length\"\nmax = \"8h\"\n"
    )
}

#[test]
fn priority_decides_and_then_the_closer_match() {
    let mut facts = facts();
    facts.details.metadata = BTreeMap::from([("plan".to_owned(), "gold".to_owned())]);
    let texts = [
        matching("everything", "", ""),
        matching("by-metadata", "", "metadata = { plan = \"gold\" }"),
        matching("by-source", "", "sources = [\"front_door\"]"),
        matching("by-type", "", "event_types = [\"session\"]"),
        matching(
            "by-type-and-source",
            "",
            "event_types = [7]\nsources = [\"front_door\"]",
        ),
        matching("first", "priority = 1", "metadata = { plan = \"gold\" }"),
    ];
    let mut texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let mut order = Vec::new();
    while !texts.is_empty() {
        let id = decide(&policies(&texts), &facts).policy.unwrap().id;
        texts.retain(|text| !text.contains(&format!("id = \"{id}\"")));
        order.push(id.to_string());
    }
    let expected = [
        "first",
        "by-type-and-source",
        "by-type",
        "by-source",
        "by-metadata",
        "everything",
    ];
    assert_eq!(order, expected);
}

#[test]
fn a_tie_that_only_a_booking_shows_is_left_to_a_person() {
    let texts = [
        matching("by-id", "", "event_types = [7]"),
        matching("by-slug", "", "event_types = [\"session\"]"),
    ];
    check(
        &[&texts[0], &texts[1]],
        &facts(),
        &expect![[r#"
        defer by none
        admin: the policies by-id and by-slug claim this booking with the same rank; give one a higher priority"#]],
    );
}

#[test]
fn a_verdict_and_its_facts_survive_storage() {
    let facts = with_account(150);
    let verdict = decide(&policies(&[GUARD, CLUB]), &facts);
    let stored = serde_json::to_string(&(&facts, &verdict)).unwrap();
    let (facts_again, verdict_again): (Facts, Verdict) = serde_json::from_str(&stored).unwrap();
    assert_eq!((&facts_again, &verdict_again), (&facts, &verdict));
    assert_eq!(decide(&policies(&[GUARD, CLUB]), &facts_again), verdict);
}

#[test]
fn evaluation_is_stage_by_stage() {
    let set = policies(&[CLUB]);
    assert!(matches!(set.evaluate(&facts()), Evaluation::Needs(_)));
    let verdict = decide(&set, &with_account(900));
    assert!(
        verdict
            .trace
            .criteria
            .iter()
            .all(|seen| seen.result == TraceResult::Pass && seen.decided)
    );
}
