use proptest::prelude::*;

use super::*;
use crate::domain::chain::{AttemptResult, ChainRecord};
use crate::domain::decision::Outcome;
use crate::domain::event::{BookingEvent, EventKind};
use crate::domain::ids::{SeatId, Uid};
use crate::domain::testing::*;

fn standings(record: &ChainRecord) -> Vec<(String, &'static str)> {
    let timeline = Timeline::fold(record, &rules());
    let mut all: Vec<_> = timeline
        .units
        .values()
        .map(|unit| (unit.key.to_string(), unit.standing.as_str()))
        .collect();
    all.sort();
    all
}

fn standing(record: &ChainRecord, unit: &UnitKey) -> &'static str {
    let timeline = Timeline::fold(record, &rules());
    timeline
        .unit(unit)
        .map_or("none", |unit| unit.standing.as_str())
}

#[test]
fn a_cancel_before_its_create_is_remembered() {
    let record = chain([
        (0, event(EventKind::Cancelled, "a", 20)),
        (1, event(EventKind::Requested, "a", 10)),
    ]);
    assert_eq!(standing(&record, &key("a")), "cancelled");
}

#[test]
fn reschedule_before_create_is_one_booking() {
    let record = chain([
        (0, moved_from(event(EventKind::Requested, "b", 20), "a")),
        (1, event(EventKind::Requested, "a", 10)),
    ]);
    assert_eq!(
        standings(&record),
        [("a".to_owned(), "superseded"), ("b".to_owned(), "pending")]
    );
}

#[test]
fn an_old_id_never_comes_back() {
    let mut record = chain([
        (0, event(EventKind::Requested, "a", 10)),
        (1, moved_from(event(EventKind::Requested, "b", 20), "a")),
        (2, event(EventKind::Created, "a", 30)),
    ]);
    read(&mut record, 300, reading("a", Status::Accepted));
    assert_eq!(standing(&record, &key("a")), "superseded");
}

#[test]
fn of_two_successors_the_first_by_provider_time_is_the_heir() {
    let record = chain([
        (0, moved_from(event(EventKind::Requested, "c", 30), "a")),
        (1, moved_from(event(EventKind::Requested, "b", 20), "a")),
    ]);
    let timeline = Timeline::fold(&record, &rules());
    assert_eq!(timeline.final_heir(&key("a")), &key("b"));
}

#[test]
fn a_created_after_our_confirm_is_an_echo_and_without_it_the_hosts() {
    let mut record = chain([
        (0, event(EventKind::Requested, "a", 10)),
        (9, event(EventKind::Created, "a", 20)),
    ]);
    let accepted = |record: &ChainRecord| {
        let timeline = Timeline::fold(record, &rules());
        timeline.unit(&key("a")).and_then(|unit| unit.accepted)
    };
    assert_eq!(accepted(&record), Some(AcceptedBy::Host));
    decided(&mut record, key("a"), Outcome::Accept);
    told(
        &mut record,
        key("a"),
        Action::Confirm,
        Some(AttemptResult::Unknown),
        5,
    );
    assert_eq!(accepted(&record), Some(AcceptedBy::Us));
}

#[test]
fn a_created_alone_is_the_providers_unless_it_has_the_shape_of_a_confirm() {
    let mut created = event(EventKind::Created, "a", 10);
    let asked = |event: &BookingEvent| {
        let record = chain([(0, event.clone())]);
        let timeline = Timeline::fold(&record, &rules());
        timeline
            .unit(&key("a"))
            .and_then(|unit| unit.ask)
            .map(|ask| ask.by)
    };
    assert_eq!(asked(&created), Some(AskedBy::Booker));
    created.after_confirm = true;
    assert_eq!(asked(&created), Some(AskedBy::HostConfirm));
}

#[test]
fn what_ended_lives_again_only_by_a_settled_reading() {
    let mut record = chain([
        (0, event(EventKind::Requested, "a", 0)),
        (10, event(EventKind::Cancelled, "a", 10)),
        (12, event(EventKind::Created, "a", 12)),
    ]);
    assert_eq!(standing(&record, &key("a")), "cancelled");
    let timeline = Timeline::fold(&record, &rules());
    assert_eq!(timeline.unit(&key("a")).unwrap().read_at, Some(at(20)));

    let mut stale = record.clone();
    read(&mut stale, 15, reading("a", Status::Accepted));
    assert_eq!(
        standing(&stale, &key("a")),
        "cancelled",
        "a reading right after CANCELLED is stale"
    );

    read(&mut record, 20, reading("a", Status::Accepted));
    assert_eq!(standing(&record, &key("a")), "accepted");
    let timeline = Timeline::fold(&record, &rules());
    assert_eq!(
        timeline.unit(&key("a")).unwrap().accepted,
        Some(AcceptedBy::Host)
    );
}

#[test]
fn a_confirm_heard_after_a_reading_asks_for_another() {
    let mut record = chain([
        (0, event(EventKind::Requested, "a", 0)),
        (1, event(EventKind::Cancelled, "a", 1)),
        (30, event(EventKind::Created, "a", 29)),
    ]);
    read(&mut record, 20, reading("a", Status::Cancelled));
    let read_at = |record: &ChainRecord| {
        let timeline = Timeline::fold(record, &rules());
        timeline.unit(&key("a")).unwrap().read_at
    };
    assert_eq!(standing(&record, &key("a")), "cancelled");
    let again_at = read_at(&record).unwrap();
    assert!(again_at > at(30), "not in the same moment: {again_at}");

    read(&mut record, 31, reading("a", Status::Accepted));
    assert_eq!(standing(&record, &key("a")), "accepted");
    assert_eq!(read_at(&record), None);
}

#[test]
fn a_booking_that_the_provider_does_not_show_is_not_asked_for_again() {
    let mut record = chain([
        (0, event(EventKind::Requested, "a", 0)),
        (10, event(EventKind::Cancelled, "a", 10)),
        (12, event(EventKind::Created, "a", 12)),
    ]);
    record.facts.push(crate::domain::chain::Fact {
        received_at: at(20),
        body: crate::domain::chain::FactBody::Missing { uid: Uid::new("a") },
    });
    let timeline = Timeline::fold(&record, &rules());
    let unit = timeline.unit(&key("a")).unwrap();
    assert_eq!((unit.read_at, unit.standing.as_str()), (None, "cancelled"));
}

#[test]
fn our_own_confirm_revives_nothing() {
    let mut record = chain([
        (0, event(EventKind::Requested, "a", 0)),
        (7, event(EventKind::Cancelled, "a", 4)),
        (8, event(EventKind::Created, "a", 6)),
    ]);
    decided(&mut record, key("a"), Outcome::Accept);
    told(
        &mut record,
        key("a"),
        Action::Confirm,
        Some(AttemptResult::Ok),
        5,
    );
    read(&mut record, 60, reading("a", Status::Accepted));
    assert_eq!(standing(&record, &key("a")), "cancelled");
}

#[test]
fn what_we_took_back_may_be_brought_back_by_hand() {
    let mut record = chain([
        (0, event(EventKind::Requested, "a", 0)),
        (7, event(EventKind::Cancelled, "a", 4)),
        (90, event(EventKind::Created, "a", 90)),
    ]);
    decided(&mut record, key("a"), Outcome::Accept);
    let done = Some(AttemptResult::Ok);
    told(&mut record, key("a"), Action::Confirm, done, 5);
    told(&mut record, key("a"), Action::Cancel, done, 8);
    let timeline = Timeline::fold(&record, &rules());
    let unit = timeline.unit(&key("a")).unwrap();
    assert_eq!(unit.standing.as_str(), "cancelled");
    assert!(unit.read_at.is_some(), "somebody confirmed it after us");
    read(&mut record, 100, reading("a", Status::Accepted));
    assert_eq!(standing(&record, &key("a")), "accepted");
}

#[test]
fn a_confirm_of_ours_that_had_no_effect_does_not_hide_one_by_hand() {
    let mut record = chain([
        (0, event(EventKind::Requested, "a", 0)),
        (1, event(EventKind::Rejected, "a", 1)),
        (60, event(EventKind::Created, "a", 60)),
    ]);
    decided(&mut record, key("a"), Outcome::Accept);
    let unknown = Some(AttemptResult::Unknown);
    told(&mut record, key("a"), Action::Confirm, unknown, 5);
    let read_at = |record: &ChainRecord| {
        let timeline = Timeline::fold(record, &rules());
        timeline.unit(&key("a")).unwrap().read_at
    };
    assert_eq!(read_at(&record), None, "it may have been ours");
    read(&mut record, 50, reading("a", Status::Rejected));
    assert!(read_at(&record).is_some(), "it was not");
}

#[test]
fn the_echo_of_our_decline_does_not_undo_a_later_confirm_by_hand() {
    let mut record = chain([
        (0, event(EventKind::Requested, "a", 0)),
        (30, event(EventKind::Created, "a", 30)),
    ]);
    decided(&mut record, key("a"), Outcome::Reject);
    told(
        &mut record,
        key("a"),
        Action::Decline,
        Some(AttemptResult::Ok),
        5,
    );
    read(&mut record, 41, reading("a", Status::Accepted));
    assert_eq!(standing(&record, &key("a")), "accepted");
    let mut echo = event(EventKind::Rejected, "a", 6);
    echo.reason = Some("no".to_owned());
    record.facts.extend(chain([(50, echo)]).facts);
    assert_eq!(standing(&record, &key("a")), "accepted");
}

#[test]
fn a_cancel_without_a_seat_ends_every_seat() {
    let with_seat = |name: &str| {
        let mut event = event(EventKind::Created, "a", 10);
        event.seat = Some(SeatId::new(name));
        event
    };
    let mut one = event(EventKind::Cancelled, "a", 20);
    one.seat = Some(SeatId::new("s1"));
    let mut record = chain([(0, with_seat("s1")), (0, with_seat("s2")), (1, one)]);
    assert_eq!(standing(&record, &seat("a", "s1")), "cancelled");
    assert_eq!(standing(&record, &seat("a", "s2")), "accepted");
    let all = event(EventKind::Cancelled, "a", 30);
    record.facts.extend(chain([(2, all)]).facts);
    assert_eq!(standing(&record, &seat("a", "s2")), "cancelled");
}

#[test]
fn a_number_and_its_uid_are_one_booking() {
    let mut cancelled = event(EventKind::Cancelled, "id:91", 20);
    cancelled.number = Some(91);
    let mut requested = event(EventKind::Requested, "a", 10);
    requested.number = Some(91);
    let record = with_final_names(chain([(0, cancelled), (1, requested)]));
    assert_eq!(standings(&record), [("a".to_owned(), "cancelled")]);
}

/// What Cal.com may send about one booking that is moved twice, with some facts of each kind.
fn story() -> Vec<BookingEvent> {
    let mut cancelled = event(EventKind::Cancelled, "c", 70);
    cancelled.cancelled_by = Some(Party::Booker);
    vec![
        event(EventKind::Requested, "a", 10),
        event(EventKind::Created, "a", 20),
        moved_from(event(EventKind::Requested, "b", 30), "a"),
        event(EventKind::Created, "b", 40),
        moved_from(event(EventKind::Rescheduled, "c", 50), "b"),
        cancelled,
        event(EventKind::NoShow, "c", 80),
    ]
}

proptest! {
    #[test]
    fn any_order_and_any_repeats_fold_to_the_same(
        order in proptest::collection::vec(0..7_usize, 0..20),
        shuffled in Just((0..7_usize).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let story = story();
        let straight = chain(story.iter().cloned().map(|event| (0, event)));
        let mut events: Vec<_> = shuffled.iter().map(|&index| (0, story[index].clone())).collect();
        events.extend(order.iter().map(|&index| (5, story[index].clone())));
        prop_assert_eq!(standings(&chain(events)), standings(&straight));
    }

    #[test]
    fn folding_is_total(kinds in proptest::collection::vec((0..10_u8, 0..4_u8, 0..4_u8, 0..100_i64), 0..12)) {
        let all = [EventKind::PaymentInitiated, EventKind::Requested, EventKind::Paid, EventKind::Created,
            EventKind::Rescheduled, EventKind::Reassigned, EventKind::LocationUpdated, EventKind::NoShow,
            EventKind::Rejected, EventKind::Cancelled];
        let events = kinds.iter().map(|&(kind, uid, from, sent)| {
            let mut event = event(all[usize::from(kind)], &format!("u{uid}"), sent);
            if from != uid {
                event = moved_from(event, &format!("u{from}"));
            }
            (0, event)
        });
        let record = chain(events);
        let timeline = Timeline::fold(&record, &rules());
        for unit in timeline.units.keys() {
            // Rings of moves must end, too.
            let _ = timeline.final_heir(unit);
            let _ = timeline.ancestry(unit);
            let _ = timeline.origin(unit);
        }
        prop_assert!(timeline.unit(&UnitKey::booking(Uid::new("nobody"))).is_none());
    }
}

#[test]
fn a_move_told_under_the_old_id_supersedes_it_and_waits_for_the_new_one() {
    let mut record = chain([
        (0, event(EventKind::Created, "a", 10)),
        (5, moved_to("a", "b", 20)),
    ]);
    assert_eq!(
        standings(&record),
        [("a".to_owned(), "superseded"), ("b".to_owned(), "unknown")]
    );
    let read_at = |record: &ChainRecord| {
        let timeline = Timeline::fold(record, &rules());
        timeline.unit(&key("b")).unwrap().read_at
    };
    assert_eq!(
        read_at(&record),
        Some(at(15)),
        "fetched, should it not come"
    );

    let mut told = record.clone();
    let new = moved_from(event(EventKind::Rescheduled, "b", 20), "a");
    told.facts.push(crate::domain::chain::Fact {
        received_at: at(6),
        body: crate::domain::chain::FactBody::Event(Box::new(new)),
    });
    assert_eq!(read_at(&told), None);
    assert_eq!(standing(&told, &key("b")), "accepted");

    read(&mut record, 15, reading("b", Status::Accepted));
    assert_eq!(
        (read_at(&record), standing(&record, &key("b"))),
        (None, "accepted")
    );
}

#[test]
fn who_moved_a_booking_may_be_told_of_either_half_or_read() {
    let new = moved_from(event(EventKind::Rescheduled, "b", 20), "a");
    let asked_by = |record: &ChainRecord| {
        let timeline = Timeline::fold(record, &rules());
        timeline.unit(&key("b")).unwrap().ask.unwrap().by
    };
    let by_host = |mut event: BookingEvent| {
        event.moved_by = Some(Party::Host);
        event
    };
    assert_eq!(asked_by(&chain([(0, new.clone())])), AskedBy::Booker);
    assert_eq!(
        asked_by(&chain([(0, by_host(new.clone()))])),
        AskedBy::HostMove
    );
    let old = by_host(moved_to("a", "b", 20));
    assert_eq!(
        asked_by(&chain([(0, new.clone()), (1, old.clone())])),
        AskedBy::HostMove
    );
    assert_eq!(
        asked_by(&chain([(0, old), (1, new.clone())])),
        AskedBy::HostMove
    );

    let mut record = chain([(0, new)]);
    let mut seen = reading("a", Status::Cancelled);
    seen.moved_to = Some(Uid::new("b"));
    seen.moved_by = Some(Party::Host);
    read(&mut record, 1, seen);
    assert_eq!(asked_by(&record), AskedBy::HostMove);
}

/// A booking that is moved three times and then called off, in the two halves that each move is told in.
fn a_restless_booking() -> Vec<BookingEvent> {
    let moved = |uid, from, sent| moved_from(event(EventKind::Rescheduled, uid, sent), from);
    vec![
        event(EventKind::Created, "a", 10),
        moved_to("a", "b", 20),
        moved("b", "a", 20),
        moved_to("b", "c", 30),
        moved("c", "b", 30),
        moved_to("c", "d", 40),
        moved("d", "c", 40),
        event(EventKind::Cancelled, "d", 50),
    ]
}

proptest! {
    #[test]
    fn a_booking_moved_in_two_halves_ends_the_same_in_every_order(
        order in Just((0..8).collect::<Vec<usize>>()).prop_shuffle(),
        again in prop::collection::vec(0..8_usize, 0..8),
    ) {
        let events = a_restless_booking();
        let received = order.iter().chain(&again).zip(0..);
        let record = chain(received.map(|(which, at)| (at, events[*which].clone())));
        let expected = [("a", "superseded"), ("b", "superseded"), ("c", "superseded"), ("d", "cancelled")];
        let expected = expected.map(|(uid, standing)| (uid.to_owned(), standing));
        prop_assert_eq!(standings(&record), expected);
        let timeline = Timeline::fold(&record, &rules());
        let (first, last) = (key("a"), key("d"));
        prop_assert_eq!(timeline.final_heir(&first), &last);
        prop_assert_eq!(timeline.origin(&last), &first);
        prop_assert_eq!(timeline.origin(&first), &first);
    }
}
