//! What a person may decide, and that two who act at once come to one end.

use super::*;
use crate::domain::booking::Status;
use crate::domain::chain::{Decider, HoldState};
use crate::domain::decision::Outcome;
use crate::domain::event::{BookingEvent, EventKind};
use crate::domain::ids::UnitKey;
use crate::domain::testing::*;
use crate::domain::timeline::Standing;

fn asked() -> ChainRecord {
    chain([(1, event(EventKind::Requested, "a", 1))])
}

fn deferred() -> ChainRecord {
    let mut record = asked();
    decided(&mut record, key("a"), Outcome::Defer);
    record
}

fn hear(record: &mut ChainRecord, received: i64, event: BookingEvent) {
    record.facts.extend(chain([(received, event)]).facts);
}

fn confirmed_by_host(record: &mut ChainRecord) {
    let confirmed = BookingEvent {
        after_confirm: true,
        ..event(EventKind::Created, "a", 20)
    };
    hear(record, 20, confirmed);
}

/// The person's word, as it is written down; what that leads to is the plan's.
fn decides(record: &mut ChainRecord, outcome: Outcome) {
    decided(record, key("a"), outcome);
    let decision = record.decisions.last_mut().unwrap();
    decision.round = 2;
    decision.decider = Decider::Person("token:ops".to_owned());
}

/// The units that are open with it, or why it is not.
fn ask(record: &ChainRecord, unit: &str, wish: Wish<'_>) -> Result<Vec<UnitKey>, NotOpen> {
    ask_at(record, unit, wish, 30)
}

fn ask_at(
    record: &ChainRecord,
    unit: &str,
    wish: Wish<'_>,
    now: i64,
) -> Result<Vec<UnitKey>, NotOpen> {
    let rules = rules();
    let timeline = Timeline::fold(record, &rules);
    let unit = timeline.unit(&key(unit)).unwrap();
    match for_person(record, &timeline, unit, &rules, wish, at(now))? {
        ForPerson::Open(left) => Ok(left.deferred.iter().map(|one| one.unit.clone()).collect()),
        ForPerson::Done => Ok(Vec::new()),
    }
}

fn plan_of(record: &ChainRecord, rules: &Rules) -> Plan {
    Plan::make(record, &Timeline::fold(record, rules), rules, at(30))
}

#[test]
fn only_what_was_left_open_is_open() {
    assert_eq!(ask(&asked(), "a", Wish::Accept), Err(NotOpen::Undecided));
    assert_eq!(ask(&deferred(), "a", Wish::Accept), Ok(vec![key("a")]));
    for outcome in [Outcome::Accept, Outcome::Reject] {
        let mut record = asked();
        decided(&mut record, key("a"), outcome);
        let by_policy = NotOpen::Decided {
            outcome,
            by: Decider::Policy,
            at: at(1),
        };
        assert_eq!(ask(&record, "a", Wish::Accept), Err(by_policy.clone()));
        assert_eq!(ask(&record, "a", Wish::Refuse("no")), Err(by_policy));
    }
}

#[test]
fn the_same_word_again_is_no_other_word() {
    let mut record = deferred();
    decides(&mut record, Outcome::Reject);
    assert_eq!(ask(&record, "a", Wish::Refuse("no")), Ok(Vec::new()));
    for other in [Wish::Refuse("never"), Wish::Accept] {
        let said = ask(&record, "a", other).unwrap_err().to_string();
        assert!(
            said.starts_with("it was refused by person:token:ops"),
            "{said}"
        );
    }
    // Also once it is over.
    hear(&mut record, 40, event(EventKind::Cancelled, "a", 40));
    assert_eq!(ask(&record, "a", Wish::Refuse("no")), Ok(Vec::new()));
}

#[test]
fn what_is_over_or_moved_is_not_open() {
    let mut over = deferred();
    hear(&mut over, 10, event(EventKind::Cancelled, "a", 10));
    let standing = Standing::At(Status::Cancelled);
    assert_eq!(
        ask(&over, "a", Wish::Accept),
        Err(NotOpen::Standing(standing))
    );
    let mut moved = deferred();
    hear(
        &mut moved,
        10,
        moved_from(event(EventKind::Rescheduled, "b", 10), "a"),
    );
    assert_eq!(
        ask(&moved, "a", Wish::Accept),
        Err(NotOpen::Moved(key("b")))
    );
}

#[test]
fn what_began_is_not_told_any_more() {
    let begun = Err(NotOpen::Begun(at(100_000)));
    let record = deferred();
    assert_eq!(
        ask_at(&record, "a", Wish::Accept, 99_999),
        Ok(vec![key("a")])
    );
    assert_eq!(ask_at(&record, "a", Wish::Accept, 100_000), begun);
    assert_eq!(ask_at(&record, "a", Wish::Refuse("no"), 100_000), begun);
    let mut stands = chain([(1, event(EventKind::Created, "a", 1))]);
    decided(&mut stands, key("a"), Outcome::Defer);
    // Nobody has to be told that it may stand.
    assert_eq!(
        ask_at(&stands, "a", Wish::Accept, 200_000),
        Ok(vec![key("a")])
    );
    assert_eq!(ask_at(&stands, "a", Wish::Refuse("no"), 200_000), begun);
}

#[test]
fn occurrences_of_one_series_are_open_together() {
    let mut record = asked();
    for uid in ["b", "c", "d"] {
        hear(&mut record, 1, event(EventKind::Requested, uid, 1));
    }
    for uid in ["a", "b", "c"] {
        let mut seen = reading(uid, Status::Pending);
        seen.series = Some("weekly".to_owned());
        read(&mut record, 2, seen);
    }
    for uid in ["a", "b", "d"] {
        decided(&mut record, key(uid), Outcome::Defer);
    }
    decided(&mut record, key("c"), Outcome::Accept);
    let mut open = ask(&record, "b", Wish::Accept).unwrap();
    open.sort();
    assert_eq!(open, [key("a"), key("b")]);
    assert_eq!(ask(&record, "d", Wish::Accept), Ok(vec![key("d")]));
}

#[test]
fn a_place_that_was_taken_over_brings_its_credit_along() {
    let mut record = asked();
    let paid = decided(&mut record, key("a"), Outcome::Accept);
    held(&mut record, key("a"), paid, HoldState::Captured);
    let moved = moved_from(event(EventKind::Rescheduled, "b", 10), "a");
    hear(&mut record, 10, moved);
    decided(&mut record, key("b"), Outcome::Defer);
    let rules = rules();
    let timeline = Timeline::fold(&record, &rules);
    let unit = timeline.unit(&key("b")).unwrap();
    let open = for_person(&record, &timeline, unit, &rules, Wish::Accept, at(30));
    let Ok(ForPerson::Open(left)) = open else {
        panic!("{open:?}");
    };
    assert_eq!(left.carry_from, [record.holds[0].id]);
}

#[test]
fn a_person_and_a_host_come_to_one_end_in_either_order() {
    let rules = rules();
    let mut host_first = deferred();
    confirmed_by_host(&mut host_first);
    assert_eq!(
        ask(&host_first, "a", Wish::Refuse("no")),
        Err(NotOpen::HostConfirmed)
    );
    for outcome in [Outcome::Accept, Outcome::Reject] {
        let mut person_first = deferred();
        decides(&mut person_first, outcome);
        confirmed_by_host(&mut person_first);
        let plan = plan_of(&person_first, &rules);
        assert_eq!(plan.commands, [], "the provider is told nothing");
        let overtaken = plan.decide.iter().map(|one| (&one.how, one.round));
        let overtaken: Vec<_> = overtaken.collect();
        match outcome {
            Outcome::Accept => assert_eq!(overtaken, []),
            _ => assert_eq!(overtaken, [(&How::HostConfirm, 3)]),
        }
    }
}

#[test]
fn an_unnamed_occurrence_that_the_host_confirms_is_left_to_nobody_again() {
    let mut rules = rules();
    rules.provider.names_series = false;
    let mut record = deferred();
    for fact in &mut record.facts {
        let crate::domain::chain::FactBody::Event(event) = &mut fact.body else {
            continue;
        };
        event.details.as_mut().unwrap().recurring = true;
    }
    confirmed_by_host(&mut record);
    let plan = plan_of(&record, &rules);
    assert_eq!(plan.decide.len(), 1);
    assert_eq!(
        (&plan.decide[0].how, plan.decide[0].round),
        (&How::HostConfirm, 2)
    );
}
