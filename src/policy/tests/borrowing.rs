//! Groups of one policy that another uses.

use expect_test::expect;

use crate::domain::decision::Outcome;
use crate::policy::tests::evaluation::show;
use crate::policy::tests::loader::list;
use crate::policy::tests::support::{decide, facts, policies};
use crate::policy::{Evaluation, Facts, Loaded, Need};

/// A policy that is there to be borrowed from.
const LENDER: &str = r#"
schema = 1
[policy]
id = "lender"
mode = "off"
timezone = "America/New_York"
[credits]
cost = { base = "2" }
[groups]
late = { all = ["from-nine"], message = { default = "Too early.", de = "Zu früh." } }
paid = { all = ["credit"] }
checked = { all = ["person"] }
[[criterion]]
id = "from-nine"
kind = "window"
from = 09:00:00
[[criterion]]
id = "credit"
kind = "credit"
when = "from-nine"
[[criterion]]
id = "person"
kind = "manual"
"#;

fn borrower(group: &str, more: &str) -> String {
    format!(
        "schema = 1\n[policy]\nid = \"borrower\"\n[[criterion]]\nid = \"rule\"\nkind = \"use\"\n\
         policy = \"lender\"\ngroup = \"{group}\"\n{more}"
    )
}

/// The ordinary booking begins at 04:00 in New York.
fn at(start: &str) -> Facts {
    crate::policy::tests::booking(start, 60)
}

#[test]
fn a_group_is_asked_as_at_home_and_gives_its_reason() {
    let text = borrower("late", "");
    let set = policies(&[&text, LENDER]);
    let mut early = at("2026-03-05T13:59:00Z");
    early.details.booker.locale = Some("de".to_owned());
    expect![[r#"
        reject by borrower
        booker: Zu früh.
        borrower/rule Fail *"#]]
    .assert_eq(&show(&decide(&set, &early)));
    let verdict = decide(&set, &early);
    assert_eq!(
        verdict.trace.criteria[0]
            .facts
            .get("failed")
            .unwrap()
            .to_string(),
        "from-nine"
    );
    assert_eq!(
        decide(&set, &at("2026-03-05T14:00:00Z")).outcome,
        Outcome::Accept
    );
}

#[test]
fn what_a_group_needs_is_loaded_and_what_it_costs_is_its_own() {
    let set = policies(&[LENDER, &borrower("paid", "")]);
    let mut facts = at("2026-03-05T14:00:00Z");
    let Evaluation::Needs(needs) = set.evaluate(&facts) else {
        panic!("decided without looking at the account");
    };
    assert_eq!(needs.into_iter().collect::<Vec<_>>(), [Need::Account]);
    facts.account = Loaded::Known(None);
    let verdict = decide(&set, &facts);
    assert_eq!(verdict.outcome, Outcome::Reject);
    assert_eq!(verdict.terms.cost, None, "only the lender has a price");
    facts.account = Loaded::Failed("busy".to_owned());
    let note = decide(&set, &facts).note.unwrap();
    assert_eq!(note, "rule could not be answered: lender/credit: busy");
}

#[test]
fn a_group_may_ask_a_person() {
    let set = policies(&[LENDER, &borrower("checked", "")]);
    let verdict = decide(&set, &facts());
    assert_eq!(verdict.outcome, Outcome::Defer);
    assert_eq!(verdict.note.as_deref(), Some("rule asks for a person"));
}

#[test]
fn what_a_policy_borrows_is_part_of_its_meaning() {
    let hash = |lender: &str| {
        let set = policies(&[&borrower("late", ""), lender]);
        let found = set.policies().find(|policy| &*policy.id == "borrower");
        found.unwrap().hash
    };
    assert_eq!(hash(LENDER), hash(&format!("# a remark\n{LENDER}")));
    assert_ne!(hash(LENDER), hash(&LENDER.replace("09:00", "10:00")));
}

#[test]
fn tests_see_what_is_borrowed() {
    let test = |decision: &str| {
        let test = format!(
            "[[test]]\nname = \"t\"\nbooking = {{ start = 2026-03-05T13:00:00Z }}\nexpect = {{ decision = \"{decision}\" }}\n"
        );
        list(&[&borrower("late", &test), LENDER])
    };
    expect![[r#"
        BG0404 a.toml:4:1 no test shows `rule` passing
        BG0402 b.toml:4:6 `lender` has no tests"#]]
    .assert_eq(&test("reject"));
    expect![[r#"
        BG0404 a.toml:4:1 no test shows `rule` passing
        BG0401 a.toml:12:23 test `t` fails: expected accept, found reject
        BG0402 b.toml:4:6 `lender` has no tests"#]]
    .assert_eq(&test("accept"));
}

#[test]
fn mistakes_are_guessed_and_rings_are_found() {
    let with = |policy: &str, group: &str| {
        let text = borrower(group, "[groups]\nmine = { not = \"rule\" }\n");
        list(&[&text.replace("\"lender\"", policy), LENDER])
    };
    expect![[r#"
        BG0219 a.toml:7:10 there is no policy `lendr` -> "lender"
        BG0402 b.toml:4:6 `lender` has no tests"#]]
    .assert_eq(&with("\"lendr\"", "late"));
    expect![[r#"
        BG0219 a.toml:8:9 the policy `lender` has no group `lat` -> "late"
        BG0402 b.toml:4:6 `lender` has no tests"#]]
    .assert_eq(&with("\"lender\"", "lat"));
    expect![[r#"
        BG0217 a.toml:3:6 `borrower` waits for itself
        BG0402 b.toml:4:6 `lender` has no tests"#]]
    .assert_eq(&with("\"borrower\"", "mine"));
    // Where a file has mistakes, nobody is told that it does not exist.
    let broken = LENDER.replace("kind = \"manual\"", "kind = \"manul\"");
    expect![[r#"BG0201 b.toml:23:8 there is no kind of criterion `manul` -> "manual""#]]
        .assert_eq(&list(&[&borrower("late", ""), &broken]));
}
