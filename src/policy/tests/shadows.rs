//! Policies that are only watched: where they would stand, and that they change nothing.

use expect_test::expect;
use proptest::prelude::*;

use super::evaluation::show;
use super::loader::list;
use super::support::{booking, decide, policies};
use crate::domain::decision::Outcome;
use crate::policy::{Evaluation, Facts, PolicySet};

/// A policy that wants so much notice.
fn policy(id: &str, header: &str, hours: i64) -> String {
    format!(
        "schema = 1\n[policy]\nid = \"{id}\"\n{header}\n[[criterion]]\nid = \"notice\"\nkind = \"notice\"\n\
         min = \"{hours}h\"\n"
    )
}

/// The ordinary booking, which gives notice of so many hours.
fn ahead(hours: i64) -> Facts {
    let mut facts = booking("2026-03-05T14:00:00Z", 60);
    facts.now = crate::domain::clock::plus_ms(facts.details.start, -hours * 3_600_000);
    facts
}

/// What would be decided if the shadow of this id were in force.
fn would(set: &PolicySet, id: &str, facts: &Facts) -> String {
    let shadow = set.shadows().find(|policy| *policy.id == *id).unwrap();
    match set.evaluate_if(shadow, facts) {
        None => "no word".to_owned(),
        Some(Evaluation::Decided(verdict)) => show(&verdict),
        Some(Evaluation::Needs(needs)) => format!("{needs:?}"),
    }
}

#[test]
fn a_shadow_takes_the_place_of_another_or_that_of_its_rank() {
    let enforced = policy("club", "priority = 5", 24);
    let guard = policy("house", "kind = \"guardrail\"", 1);
    let same = policy("same", "mode = \"shadow\"\npriority = 5", 48);
    let low = policy("low", "mode = \"shadow\"\npriority = 4", 48);
    let next = policy("next", "mode = \"shadow\"\nshadow_of = \"club\"", 48);
    let strict = policy(
        "strict",
        "kind = \"guardrail\"\nmode = \"shadow\"\nshadow_of = \"house\"",
        72,
    );
    let set = policies(&[&enforced, &guard, &same, &low, &next, &strict]);
    let facts = ahead(30);
    assert_eq!(decide(&set, &facts).outcome, Outcome::Accept);
    let reject = |id: &str, before: &str| {
        format!(
            "reject by {id}\nbooker: Bookings are made at least 48 hours ahead.\n{before}{id}/notice Fail *"
        )
    };
    for id in ["same", "next"] {
        let told = would(&set, id, &facts);
        let expected = reject(id, "house/notice Pass\n");
        assert_eq!(told.lines().next(), expected.lines().next(), "{told}");
        assert_eq!(told.lines().last(), expected.lines().last(), "{told}");
    }
    assert_eq!(would(&set, "low", &facts), "no word");
    let told = would(&set, "strict", &facts);
    assert!(told.starts_with("reject by strict"), "{told}");
    assert!(!told.contains("house/"), "{told}");
}

#[test]
fn a_shadow_that_is_for_others_leaves_its_place_empty() {
    let club = policy("club", "", 24);
    let narrow = format!(
        "{}[match]\nsources = [\"elsewhere\"]\n",
        policy("next", "mode = \"shadow\"\nshadow_of = \"club\"", 1)
    );
    let other = narrow.replace("\"next\"", "\"other\"");
    let other = other.replace("shadow_of = \"club\"", "");
    let set = policies(&[&club, &narrow, &other]);
    let told = would(&set, "next", &ahead(30));
    assert_eq!(told, "defer by none\nadmin: no policy matches this booking");
    assert_eq!(would(&set, "other", &ahead(30)), "no word");
}

#[test]
fn a_place_that_there_is_not_is_told() {
    let shadow = |id: &str, more: &str, of: &str| {
        policy(
            id,
            &format!("{more}mode = \"shadow\"\nshadow_of = \"{of}\""),
            1,
        )
    };
    expect![[r#"
        BG0402 a.toml:3:6 `club` has no tests
        BG0402 b.toml:3:6 `next` has no tests
        BG0213 b.toml:5:13 there is no policy `clubb` -> "club"
        BG0402 c.toml:3:6 `mirror` has no tests
        BG0213 c.toml:5:13 `mirror` cannot take its own place
        BG0402 d.toml:3:6 `guard` has no tests
        BG0213 d.toml:6:13 `club` is of another kind"#]]
    .assert_eq(&list(&[
        &policy("club", "", 24),
        &shadow("next", "", "clubb"),
        &shadow("mirror", "", "mirror"),
        &shadow("guard", "kind = \"guardrail\"\n", "club"),
    ]));
}

proptest! {
    /// Whatever is only watched, those in force decide as they do without it; and a shadow says what it
    /// would say in force, in the other's place.
    #[test]
    fn what_is_watched_changes_nothing(hours in 0..100_i64, min in 1..100_i64, next in 1..100_i64) {
        let club = policy("club", "", min);
        let shadow = policy("next", "mode = \"shadow\"\nshadow_of = \"club\"", next);
        let facts = ahead(hours);
        let (alone, with) = (policies(&[&club]), policies(&[&club, &shadow]));
        let (alone, mut watched) = (decide(&alone, &facts), decide(&with, &facts));
        watched.set_hash = alone.set_hash;
        prop_assert_eq!(alone, watched);
        let enforced = policies(&[&policy("next", "", next)]);
        prop_assert_eq!(would(&with, "next", &facts), show(&decide(&enforced, &facts)));
    }
}
