use super::*;
use crate::domain::booking::{Reading, Status};
use crate::domain::chain::ChainRecord;
use crate::domain::event::EventKind;
use crate::domain::testing::{at, chain, event, read, reading, rules};

/// A reading at that second beside a chain.
fn beside(record: &ChainRecord, second: i64, reading: &Reading) -> Comparison {
    compare(record.clone(), reading, at(second), &rules())
}

fn requested() -> ChainRecord {
    chain([(0, event(EventKind::Requested, "a", 0))])
}

#[test]
fn what_is_known_is_the_same() {
    let record = requested();
    let pending = reading("a", Status::Pending);
    assert_eq!(beside(&record, 100, &pending), Comparison::Same);
    let cancelled = chain([(0, event(EventKind::Cancelled, "a", 0))]);
    // It was declined as well.
    let rejected = reading("a", Status::Rejected);
    assert_eq!(beside(&cancelled, 100, &rejected), Comparison::Same);
}

#[test]
fn what_a_person_did_there_differs() {
    for status in [Status::Accepted, Status::Rejected, Status::Cancelled] {
        let found = beside(&requested(), 100, &reading("a", status));
        assert_eq!(found, Comparison::Differs(Standing::At(status)));
    }
    let mut moved = reading("a", Status::Cancelled);
    moved.moved_to = Some(crate::domain::ids::Uid::new("b"));
    let found = beside(&requested(), 100, &moved);
    assert_eq!(found, Comparison::Differs(Standing::Superseded));
}

#[test]
fn what_was_followed_once_is_the_same_from_then_on() {
    for status in [Status::Accepted, Status::Rejected, Status::Cancelled] {
        let mut record = requested();
        let seen = reading("a", status);
        read(&mut record, 100, seen.clone());
        assert_eq!(beside(&record, 200, &seen), Comparison::Same);
    }
}

#[test]
fn a_cancel_that_was_just_told_is_not_undone_by_a_row_that_is_late() {
    let mut record = requested();
    let accepted = reading("a", Status::Accepted);
    read(&mut record, 10, accepted.clone());
    let cancelled = event(EventKind::Cancelled, "a", 50);
    record.facts.extend(chain([(50, cancelled)]).facts);
    assert_eq!(beside(&record, 51, &accepted), Comparison::Unsettled);
    // Long after, it is no longer late: somebody brought the booking back.
    let found = beside(&record, 500, &accepted);
    assert_eq!(found, Comparison::Differs(Standing::At(Status::Accepted)));
}

#[test]
fn what_ended_and_came_back_unheard_of_is_followed() {
    let mut record = requested();
    read(&mut record, 10, reading("a", Status::Cancelled));
    let found = beside(&record, 500, &reading("a", Status::Accepted));
    assert_eq!(found, Comparison::Differs(Standing::At(Status::Accepted)));
}

#[test]
fn what_only_a_link_names_is_unheard_of() {
    let mut moved = reading("b", Status::Cancelled);
    moved.moved_to = Some(crate::domain::ids::Uid::new("a"));
    let mut record = chain([]);
    read(&mut record, 0, moved);
    let found = beside(&record, 100, &reading("a", Status::Pending));
    assert_eq!(found, Comparison::Unheard);
}

#[test]
fn what_still_waits_when_it_has_ended_has_lapsed_once() {
    let mut record = requested();
    let pending = reading("a", Status::Pending);
    assert_eq!(beside(&record, 103_600, &pending), Comparison::Same);
    assert_eq!(beside(&record, 103_601, &pending), Comparison::Lapsed);
    read(&mut record, 103_601, pending.clone());
    assert_eq!(beside(&record, 200_000, &pending), Comparison::Same);
}
