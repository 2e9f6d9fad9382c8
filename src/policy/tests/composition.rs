//! Groups, `when`, `waive_if` and criteria in shadow.

use std::collections::BTreeMap;

use expect_test::{Expect, expect};
use proptest::prelude::*;

use crate::domain::amount::UnitCode;
use crate::domain::decision::Outcome;
use crate::policy::tests::evaluation::show;
use crate::policy::tests::loader::list;
use crate::policy::tests::support::{decide, facts, policies};
use crate::policy::{AccountFacts, AccountStatus, Balance, Evaluation, Facts, Loaded, TraceResult};

const HEAD: &str = "schema = 1\n[policy]\nid = \"p\"\n";

/// A policy of criteria about metadata: `is(x)` is met where the booking's `x` is `yes`.
fn is(id: &str, more: &str) -> String {
    format!(
        "[[criterion]]\nid = \"{id}\"\nkind = \"metadata\"\nkey = \"{id}\"\nequals = \"yes\"\nmessage = \"Not {id}.\"\n{more}\n"
    )
}

/// A booking of which all of these are true.
fn with(yes: &[&str]) -> Facts {
    let mut facts = facts();
    let entries = yes.iter().map(|key| ((*key).to_owned(), "yes".to_owned()));
    facts.details.metadata = entries.collect();
    facts
}

fn check(text: &str, facts: &Facts, expected: &Expect) {
    expected.assert_eq(&show(&decide(&policies(&[text]), facts)));
}

fn outcome(text: &str, yes: &[&str]) -> Outcome {
    decide(&policies(&[text]), &with(yes)).outcome
}

fn has(credit: i64) -> Loaded<Option<AccountFacts>> {
    let balance = Balance {
        posted: credit,
        held: 0,
        available: credit,
        limit: 0,
    };
    Loaded::Known(Some(AccountFacts {
        status: AccountStatus::Open,
        created_at: facts().now,
        balances: BTreeMap::from([(UnitCode::try_from("CREDIT").unwrap(), balance)]),
    }))
}

#[test]
fn a_group_stands_for_what_it_asks() {
    let text = [
        HEAD,
        "[groups]\ninner = { not = \"c\" }\n[groups.outer]\nany = [\"a\", \"inner\"]\nmessage = \"Neither.\"\n",
        "[require]\nall = [\"outer\", \"b\"]\n",
        &is("a", ""),
        &is("b", ""),
        &is("c", ""),
    ]
    .concat();
    for (yes, expected) in [
        (&["a", "b", "c"][..], Outcome::Accept),
        (&["b"], Outcome::Accept),
        (&["b", "c"], Outcome::Reject),
        (&["a"], Outcome::Reject),
    ] {
        assert_eq!(outcome(&text, yes), expected, "{yes:?}");
    }
    check(
        &text,
        &with(&["b", "c"]),
        &expect![[r#"
            reject by p
            booker: Neither.
            p/a Fail *
            p/b Pass
            p/c Pass *"#]],
    );
}

#[test]
fn a_criterion_whose_when_is_not_met_is_skipped() {
    let text = [
        HEAD,
        "show = \"all\"\n",
        &is("guest", "when = \"vip\""),
        &is("vip", ""),
        "[require]\nall = [\"guest\"]\n",
    ]
    .concat();
    check(
        &text,
        &with(&[]),
        &expect![[r#"
            accept by p
            p/guest Skipped
            p/vip Fail"#]],
    );
    check(
        &text,
        &with(&["vip"]),
        &expect![[r#"
            reject by p
            booker: Not guest.
            p/guest Fail *
            p/vip Pass"#]],
    );
    assert_eq!(outcome(&text, &["vip", "guest"]), Outcome::Accept);
}

#[test]
fn without_require_a_condition_of_others_is_none_of_its_own() {
    let text = [
        HEAD,
        &is("guest", "when = \"vip\""),
        &is("vip", ""),
        &is("b", ""),
    ]
    .concat();
    assert_eq!(outcome(&text, &["b"]), Outcome::Accept);
    assert_eq!(outcome(&text, &["vip", "b"]), Outcome::Reject);
    assert_eq!(outcome(&text, &[]), Outcome::Reject);
}

#[test]
fn nothing_is_loaded_for_what_is_skipped() {
    let text = [
        HEAD,
        "[credits]\ncost = { base = \"2\" }\n[[criterion]]\nid = \"credit\"\nkind = \"credit\"\nwhen = \"paid\"\n",
        &is("paid", ""),
        "[require]\nall = [\"credit\"]\n",
    ]
    .concat();
    let set = policies(&[&text]);
    assert_eq!(decide(&set, &with(&[])).outcome, Outcome::Accept);
    let needs = set.evaluate(&with(&["paid"]));
    assert!(matches!(needs, Evaluation::Needs(_)), "{needs:?}");
}

#[test]
fn whether_it_applies_may_be_unknown() {
    let text = |on_error: &str| {
        let looked = "[[criterion]]\nid = \"looked\"\nkind = \"manual\"\n";
        let more = format!("when = \"looked\"\n{on_error}");
        [HEAD, &is("a", &more), looked, "[require]\nall = [\"a\"]\n"].concat()
    };
    check(
        &text(""),
        &with(&[]),
        &expect![[r#"
            defer by p
            admin: a could not be answered: it is not known whether its `when` is met
            p/a Unknown *
            p/looked Unknown"#]],
    );
    let known_anyway = outcome(&text(""), &["a"]);
    assert_eq!(known_anyway, Outcome::Accept, "met or skipped is the same");
    let strict = "on_error = \"fail\"\non_error_message = \"Call us.\"";
    let verdict = decide(&policies(&[&text(strict)]), &with(&[]));
    assert_eq!(verdict.message.as_deref(), Some("Call us."));
}

#[test]
fn a_chain_of_whens_is_asked_from_its_beginning() {
    let text = [
        HEAD,
        &is("a", "when = \"b\""),
        &is("b", "when = \"both\""),
        &is("c", ""),
        &is("d", ""),
        "[groups]\nboth = { all = [\"c\", \"d\"] }\n[require]\nall = [\"a\"]\n",
    ]
    .concat();
    for (yes, expected) in [
        (&["c", "d", "b"][..], Outcome::Reject),
        (&["c", "d", "b", "a"], Outcome::Accept),
        (&["c", "d"], Outcome::Accept),
        // `b` is skipped, so it counts as met, and `a` applies.
        (&["c"], Outcome::Reject),
    ] {
        assert_eq!(outcome(&text, yes), expected, "{yes:?}");
    }
}

const PRICED: &str = "[credits]\ncost = { base = \"2\" }\nwaive_if = \"vip\"\n\
    [[criterion]]\nid = \"credit\"\nkind = \"credit\"\n\
    [[criterion]]\nid = \"own\"\nkind = \"credit\"\ncost = \"1\"\n";

#[test]
fn a_price_that_is_waived_is_not_asked_for() {
    let text = |require: &str| [HEAD, PRICED, &is("vip", ""), require].concat();
    let of_policy = text("[require]\nall = [\"credit\"]\n");
    let mut vip = with(&["vip"]);
    vip.account = Loaded::Known(None);
    let verdict = decide(&policies(&[&of_policy]), &vip);
    assert_eq!(
        (verdict.outcome, verdict.terms.cost),
        (Outcome::Accept, None)
    );
    let own_price = text("[require]\nall = [\"own\"]\n");
    let verdict = decide(&policies(&[&own_price]), &vip);
    assert_eq!(
        verdict.outcome,
        Outcome::Reject,
        "a criterion's own price stands"
    );

    let mut other = with(&[]);
    other.account = has(200);
    let verdict = decide(&policies(&[&of_policy]), &other);
    assert_eq!(verdict.terms.cost.unwrap().minor, 200);
}

#[test]
fn a_refused_booking_is_waived_too_because_a_person_may_let_it_stand() {
    let text = [
        HEAD,
        PRICED,
        &is("vip", ""),
        &is("a", ""),
        "[require]\nall = [\"a\"]\n",
    ]
    .concat();
    let verdict = decide(&policies(&[&text]), &with(&["vip"]));
    assert_eq!(
        (verdict.outcome, verdict.terms.cost),
        (Outcome::Reject, None)
    );
}

#[test]
fn a_waiver_that_is_not_known_waives_nothing() {
    let text = [
        HEAD,
        "[credits]\ncost = { base = \"2\" }\nwaive_if = \"person\"\n",
        "[[criterion]]\nid = \"person\"\nkind = \"manual\"\n",
        &is("a", ""),
        "[require]\nall = [\"a\"]\n",
    ]
    .concat();
    let verdict = decide(&policies(&[&text]), &with(&["a"]));
    assert_eq!(verdict.terms.cost.unwrap().minor, 200);
    assert_eq!(
        verdict.note.as_deref(),
        Some("it is not known whether `waive_if` is met, so the price stands")
    );
}

#[test]
fn what_is_in_shadow_is_asked_and_changes_nothing() {
    let shadow = "mode = \"shadow\"";
    let text = [
        HEAD,
        &is("a", ""),
        &is("b", shadow),
        &is("c", shadow),
        "[require]\nall = [\"a\", { any = [\"b\"] }, { not = \"c\" }]\n",
    ]
    .concat();
    check(
        &text,
        &with(&["a", "c"]),
        &expect![[r#"
            accept by p
            p/a Pass *
            p/b Fail (shadow)
            p/c Pass (shadow)"#]],
    );
    check(
        &text,
        &with(&["b"]),
        &expect![[r#"
            reject by p
            booker: Not a.
            p/a Fail *
            p/b Pass (shadow)
            p/c Fail (shadow)"#]],
    );
}

#[test]
fn what_is_in_shadow_has_its_facts_loaded_and_may_depend() {
    let text = [
        HEAD,
        "[credits]\nunit = \"CREDIT\"\n",
        &is("a", ""),
        "[[criterion]]\nid = \"rich\"\nkind = \"credit\"\ncost = \"1\"\nmode = \"shadow\"\nwhen = \"asked\"\n",
        &is("asked", ""),
        "[require]\nall = [\"a\"]\n",
    ]
    .concat();
    let set = policies(&[&text]);
    let verdict = decide(&set, &with(&[]));
    assert_eq!(verdict.trace.criteria[1].result, TraceResult::Skipped);
    let mut asked = with(&["asked"]);
    assert!(matches!(set.evaluate(&asked), Evaluation::Needs(_)));
    asked.account = Loaded::Known(None);
    let verdict = decide(&set, &asked);
    assert_eq!(verdict.trace.criteria[1].result, TraceResult::Fail);
    assert_eq!(verdict.failed, ["a"]);
}

#[test]
fn mistakes_in_names_are_guessed_and_rings_are_shown() {
    let text = [
        HEAD,
        "[groups]\na = { not = \"b\" }\nRing = { not = \"b\" }\none = { not = \"two\" }\ntwo = { any = [\"b\", \"one\"] }\n",
        "[credits]\ncost = { base = \"1\" }\nwaive_if = \"shaded\"\n",
        &is("a", "when = \"bb\""),
        &is("b", ""),
        &is("shaded", "mode = \"shadow\""),
        &is("shady", "when = \"shaded\"\nmode = \"shade\""),
        "[require]\nall = [\"tow\", \"a\"]\n",
    ]
    .concat();
    expect![[r#"
        BG0204 a.toml:5:1 a criterion and a group are both called `a`
        BG0108 a.toml:6:1 `Ring` is not an id
        BG0217 a.toml:8:21 the group `one` rests on itself
        BG0218 a.toml:11:12 `shaded` is in shadow, or has a part that is
        BG0202 a.toml:18:8 there is no criterion or group `bb` -> "b"
        BG0218 a.toml:39:8 `shaded` is in shadow, or has a part that is
        BG0104 a.toml:40:8 `shade` is not allowed for `mode` -> "shadow"
        BG0202 a.toml:42:8 there is no criterion or group `tow` -> "two""#]]
    .assert_eq(&list(&[&text]));
    let rings = |whens: &str| {
        let a = is("a", whens);
        let b = is("b", "when = \"c\"");
        let group = "[groups]\nc = { not = \"a\" }\n";
        list(&[&[HEAD, group, &a, &b].concat()])
    };
    expect![[r#"
        BG0211 a.toml:1:1 the policy requires none of its criteria
        BG0217 a.toml:12:8 this criterion would have to be answered before itself"#]]
    .assert_eq(&rings("when = \"b\""));
    expect!["BG0217 a.toml:12:8 this criterion would have to be answered before itself"]
        .assert_eq(&rings("when = \"a\""));
    let price = "[credits]\ncost = { base = \"1\" }\nwaive_if = \"rich\"\n[[criterion]]\nid = \"rich\"\nkind = \"credit\"\n";
    expect![[r#"
        BG0211 a.toml:1:1 the policy requires none of its criteria
        BG0217 a.toml:6:12 this criterion would have to be answered before itself"#]]
    .assert_eq(&list(&[&[HEAD, price].concat()]));
}

#[test]
fn groups_that_grow_beyond_measure_are_refused() {
    let doubling = |count: usize| {
        let groups = (1..count).map(|n| {
            let before = n - 1;
            format!("g{n} = {{ all = [\"g{before}\", \"g{before}\"] }}\n")
        });
        let groups: String = groups.collect();
        [
            HEAD,
            "[groups]\ng0 = { not = \"a\" }\n",
            &groups,
            &is("a", ""),
        ]
        .concat()
    };
    expect!["BG0111 a.toml:15:7 with all its groups, this condition has 3071 parts"]
        .assert_eq(&list(&[&doubling(14)]));
    expect!["BG0111 a.toml:15:7 with all its groups, this condition has 3071 parts"]
        .assert_eq(&list(&[&doubling(60)]));
}

proptest! {
    /// Watching changes nothing: a policy with more criteria, all in shadow, decides as before.
    #[test]
    fn shadows_never_change_a_verdict(yes in prop::collection::vec(prop::sample::select(vec!["a", "b", "c", "d"]), 0..4), when in prop::sample::select(vec!["", "when = \"a\"", "when = \"b\""])) {
        let own = [&*is("a", when.replace("\"a\"", "\"b\"").as_str()), &*is("b", "")].concat();
        let plain = [HEAD, &own, "[require]\nany = [\"a\", \"b\"]\n"].concat();
        let more = [&*is("c", &format!("mode = \"shadow\"\n{when}")), &*is("d", "mode = \"shadow\"")].concat();
        let watched = [HEAD, &own, &more, "[require]\nany = [\"a\", \"b\", \"c\", { not = \"d\" }]\n"].concat();
        let facts = with(&yes);
        let (plain, watched) = (decide(&policies(&[&plain]), &facts), decide(&policies(&[&watched]), &facts));
        prop_assert_eq!(plain.outcome, watched.outcome);
        prop_assert_eq!(plain.message, watched.message);
        prop_assert_eq!(plain.failed, watched.failed);
    }
}
