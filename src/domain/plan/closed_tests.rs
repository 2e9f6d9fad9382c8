//! What retention has closed asks for nothing, whatever comes in about it again.

use proptest::prelude::*;

use super::*;
use crate::domain::booking::{Party, Status};
use crate::domain::chain::{Closed, Fact, FactBody, HoldState};
use crate::domain::decision::Outcome;
use crate::domain::event::{BookingEvent, EventKind};
use crate::domain::testing::*;
use crate::domain::timeline::Standing;

const DISTANT: i64 = 40_000_000;

/// Leaves of these bookings what retention leaves.
fn close(record: &mut ChainRecord, standings: &[(&str, Standing)]) {
    record.commands.clear();
    record.facts = standings
        .iter()
        .map(|(uid, standing)| Fact {
            received_at: at(DISTANT),
            body: FactBody::Closed(Box::new(Closed {
                unit: key(uid),
                number: None,
                standing: *standing,
            })),
        })
        .collect();
}

fn hear(record: &mut ChainRecord, event: BookingEvent) {
    record.facts.push(Fact {
        received_at: at(DISTANT + 1),
        body: FactBody::Event(Box::new(event)),
    });
}

fn plan_of(record: &ChainRecord) -> Plan {
    let rules = rules();
    let timeline = Timeline::fold(record, &rules);
    Plan::make(record, &timeline, &rules, at(DISTANT + 2))
}

/// Without its closing, a host's confirm that comes again would bring back, and charge, what was
/// cancelled and paid back.
#[test]
fn a_confirm_by_hand_that_comes_again_is_not_charged_again() {
    let mut record = chain([]);
    let decision = decided(&mut record, key("a"), Outcome::Accept);
    held(&mut record, key("a"), decision, HoldState::Captured);
    record.holds[0].refunded = 200;
    let mut confirmed = event(EventKind::Created, "a", 10);
    confirmed.after_confirm = true;
    hear(&mut record, confirmed.clone());
    assert_eq!(plan_of(&record).decide[0].round, 2, "if it were not closed");

    close(&mut record, &[("a", Standing::At(Status::Cancelled))]);
    hear(&mut record, confirmed);
    assert!(plan_of(&record).is_idle());
}

#[test]
fn a_move_of_a_closed_booking_is_decided_and_carries_its_credit() {
    let mut record = chain([]);
    let decision = decided(&mut record, key("a"), Outcome::Accept);
    held(&mut record, key("a"), decision, HoldState::Captured);
    close(&mut record, &[("a", Standing::At(Status::Accepted))]);
    hear(
        &mut record,
        moved_from(event(EventKind::Requested, "b", 20), "a"),
    );
    let plan = plan_of(&record);
    assert_eq!(plan.decide[0].units, [key("b")]);
    assert_eq!(plan.decide[0].carry_from, [HoldId(1)]);
    assert!(plan.credit.is_empty());
}

fn any_event() -> impl Strategy<Value = BookingEvent> {
    let kinds = prop::sample::select(vec![
        EventKind::Requested,
        EventKind::Created,
        EventKind::Rescheduled,
        EventKind::Rejected,
        EventKind::Cancelled,
        EventKind::Paid,
    ]);
    let party = prop::sample::select(vec![None, Some(Party::Booker), Some(Party::Host)]);
    (
        kinds,
        0..2_usize,
        0..100_i64,
        any::<bool>(),
        any::<bool>(),
        party,
    )
        .prop_map(|(kind, uid, sent, after_confirm, moved, by)| {
            let mut event = event(kind, ["a", "b"][uid], sent);
            event.after_confirm = after_confirm;
            event.moved_by = by;
            event.cancelled_by = by;
            if moved && uid == 1 {
                event = moved_from(event, "a");
            }
            event
        })
}

fn any_hold() -> impl Strategy<Value = Option<(HoldState, i64)>> {
    prop::sample::select(vec![
        None,
        Some((HoldState::Captured, 0)),
        Some((HoldState::Captured, 100)),
        Some((HoldState::Captured, 200)),
        Some((HoldState::Released, 0)),
        Some((HoldState::Carried, 0)),
    ])
}

proptest! {
    #[test]
    fn nothing_wakes_a_closed_chain(
        events in prop::collection::vec(any_event(), 0..6),
        outcomes in prop::collection::vec(
            prop::sample::select(vec![
                None,
                Some(Outcome::Accept),
                Some(Outcome::Reject),
                Some(Outcome::Defer),
            ]),
            2,
        ),
        holds in prop::collection::vec(any_hold(), 2),
        stood in prop::collection::vec(prop::sample::select(Standing::ALL.to_vec()), 2),
    ) {
        let mut record = chain([]);
        for (index, uid) in ["a", "b"].into_iter().enumerate() {
            let Some(outcome) = outcomes[index] else { continue };
            let decision = decided(&mut record, key(uid), outcome);
            if let (Outcome::Accept, Some((state, refunded))) = (outcome, holds[index]) {
                held(&mut record, key(uid), decision, state);
                record.holds.last_mut().unwrap().refunded = refunded;
            }
        }
        close(&mut record, &[("a", stood[0]), ("b", stood[1])]);
        for event in events {
            hear(&mut record, event);
        }
        let plan = plan_of(&record);
        prop_assert!(plan.is_idle(), "{:?}", plan);
        let timeline = Timeline::fold(&record, &rules());
        prop_assert_eq!(timeline.units.len(), 2);
    }
}
