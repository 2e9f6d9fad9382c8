//! Small builders for the tests of the timeline and the plan.

use super::amount::{Amount, UnitCode};
use super::booking::{Booker, Details, Party, Reading, Status};
use super::chain::{
    Attempt, AttemptResult, ChainRecord, Command, CommandState, Decider, Decision, Fact, FactBody,
    Hold, HoldState, Purpose,
};
use super::clock::{Timestamp, from_us, plus_ms};
use super::decision::{Action, Outcome, RefundLine, Terms};
use super::event::{BookingEvent, EventKind, Predecessor};
use super::ids::{
    AttemptId, ChainId, CommandId, DecisionId, HoldId, SeatId, SourceName, Uid, UnitKey,
};
use super::owner::Owner;
use super::timeline::{Capabilities, Created, HostConfirm, Rules, SharedRefusal};

/// `s` seconds after an arbitrary noon.
pub(super) fn at(s: i64) -> Timestamp {
    from_us(1_800_000_000_000_000 + s * 1_000_000)
}

pub(super) fn rules() -> Rules {
    Rules {
        created: Created::Decide,
        host_confirm: HostConfirm::Respect,
        unknown_canceller: Party::Host,
        settle_ms: 10_000,
        series_settle_ms: 5_000,
        attempt_grace_ms: 5_000,
        shared_refusal: SharedRefusal::Defer,
        provider: Capabilities {
            refusal_of_pending: Action::Decline,
            names_series: true,
            reads_created: false,
            reads_who_moved: false,
            reads_event_type: false,
            stands_at_once: false,
        },
    }
}

pub(super) fn key(uid: &str) -> UnitKey {
    UnitKey::booking(Uid::new(uid))
}

pub(super) fn seat(uid: &str, seat: &str) -> UnitKey {
    UnitKey {
        uid: Uid::new(uid),
        seat: Some(SeatId::new(seat)),
    }
}

pub(super) fn details() -> Details {
    Details {
        event_type_id: Some(7),
        booker: Booker {
            email: Owner::parse("ada@example.org").ok(),
            name: "Ada".to_owned(),
            ..Booker::default()
        },
        ..Details::between(at(100_000), at(103_600))
    }
}

/// An event about a booking, sent `sent` seconds after noon.
pub(super) fn event(kind: EventKind, uid: &str, sent: i64) -> BookingEvent {
    BookingEvent {
        kind,
        uid: Uid::new(uid),
        number: None,
        seat: None,
        sent_at: Some(at(sent)),
        status: None,
        after_confirm: false,
        predecessor: None,
        successor: None,
        moved_by: None,
        cancelled_by: None,
        reschedule_requested: false,
        taken_back: false,
        reason: None,
        details: Some(Box::new(details())),
    }
}

pub(super) fn moved_from(mut event: BookingEvent, uid: &str) -> BookingEvent {
    event.predecessor = Some(Predecessor {
        uid: Uid::new(uid),
        number: None,
    });
    event
}

/// The other half of a move, as it is told of the old booking.
pub(super) fn moved_to(uid: &str, to: &str, sent: i64) -> BookingEvent {
    BookingEvent {
        successor: Some(Uid::new(to)),
        ..event(EventKind::Moved, uid, sent)
    }
}

pub(super) fn reading(uid: &str, status: Status) -> Reading {
    Reading {
        uid: Uid::new(uid),
        number: None,
        status,
        start: at(100_000),
        end: at(103_600),
        moved_to: None,
        moved_from: None,
        moved_by: None,
        cancelled_by: None,
        ended_at: None,
        series: None,
        created_at: None,
        seats: None,
        cancellation_reason: None,
        details: None,
    }
}

/// A chain that consists of these events, received at these seconds.
pub(super) fn chain(events: impl IntoIterator<Item = (i64, BookingEvent)>) -> ChainRecord {
    let facts = events.into_iter().map(|(received, event)| Fact {
        received_at: at(received),
        body: FactBody::Event(Box::new(event)),
    });
    ChainRecord {
        chain: ChainId(1),
        source: SourceName::new("calcom"),
        version: 1,
        facts: facts.collect(),
        decisions: Vec::new(),
        commands: Vec::new(),
        holds: Vec::new(),
        waivers: Vec::new(),
    }
}

pub(super) fn read(record: &mut ChainRecord, received: i64, reading: Reading) {
    record.facts.push(Fact {
        received_at: at(received),
        body: FactBody::Reading(Box::new(reading)),
    });
}

/// Adds a decision; returns its id.
pub(super) fn decided(record: &mut ChainRecord, unit: UnitKey, outcome: Outcome) -> DecisionId {
    let id = DecisionId(i64::try_from(record.decisions.len()).unwrap() + 1);
    let credit = UnitCode::try_from("CREDIT").unwrap();
    record.decisions.push(Decision {
        id,
        unit,
        start: at(100_000),
        end: at(103_600),
        round: 1,
        outcome,
        decider: Decider::Policy,
        message: (outcome == Outcome::Reject).then(|| "no".to_owned()),
        terms: Terms {
            cost: Some(Amount {
                minor: 200,
                unit: credit,
            }),
            refund: vec![
                RefundLine {
                    notice_ms: 86_400_000,
                    percent: 100,
                },
                RefundLine {
                    notice_ms: 0,
                    percent: 50,
                },
            ],
            organizer_percent: 100,
            no_show_percent: 0,
        },
        decided_at: at(1),
    });
    id
}

/// Adds a hold of 2 credits for a decision.
pub(super) fn held(
    record: &mut ChainRecord,
    unit: UnitKey,
    decision: DecisionId,
    state: HoldState,
) {
    let captured = if state == HoldState::Captured { 200 } else { 0 };
    record.holds.push(Hold {
        id: HoldId(decision.0),
        decision,
        unit,
        owner: Owner::parse("ada@example.org").unwrap(),
        amount: Amount {
            minor: 200,
            unit: UnitCode::try_from("CREDIT").unwrap(),
        },
        captured,
        released: 0,
        refunded: 0,
        state,
    });
}

/// Adds a command with one attempt, made and answered at these seconds.
pub(super) fn told(
    record: &mut ChainRecord,
    unit: UnitKey,
    action: Action,
    result: Option<AttemptResult>,
    started: i64,
) -> CommandId {
    let id = CommandId(i64::try_from(record.commands.len()).unwrap() + 1);
    let decision = super::plan::decision_of(record, &unit).map(|decision| decision.id);
    let done = matches!(result, Some(AttemptResult::Ok | AttemptResult::Settled));
    record.commands.push(Command {
        id,
        decision,
        unit,
        number: None,
        action,
        purpose: Purpose::Decision,
        reason: (action != Action::Confirm).then(|| "no".to_owned()),
        state: if done {
            CommandState::Done
        } else {
            CommandState::Open
        },
        tries: 0,
        due_at: at(started),
        note: None,
        created_at: at(started),
        attempts: vec![Attempt {
            id: AttemptId(id.0),
            number: 1,
            worker: "w".to_owned(),
            started_at: at(started),
            deadline_at: plus_ms(at(started), 30_000),
            answered_at: result.map(|_| at(started + 1)),
            result,
            http_status: None,
            detail: None,
        }],
    });
    id
}
