//! What a person may decide: what was left open to one, for as long as it is open. Pure, so that two
//! people, a person and a host, or a person and a worker, who act at once are told apart by what is
//! stored alone, whoever comes first.

use super::decide::{carried, next_round};
use super::decision_of;
use crate::domain::booking::Status;
use crate::domain::chain::{ChainRecord, Decider, Decision};
use crate::domain::clock::Timestamp;
use crate::domain::decision::Outcome;
use crate::domain::ids::{HoldId, UnitKey};
use crate::domain::timeline::{Rules, Standing, Timeline, Unit};

/// What a person wants to become of a booking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish<'w> {
    /// It may stand.
    Accept,
    /// It may not; the reason for the booker.
    Refuse(&'w str),
}

/// What there is for a person to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ForPerson<'r> {
    /// This is open, and may be decided so.
    Open(LeftOpen<'r>),
    /// A person has decided it just so before.
    Done,
}

/// Bookings that are decided with one word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOpen<'r> {
    /// The decisions that left them open. Several are a series: one answer answers all of it.
    pub deferred: Vec<&'r Decision>,
    /// Holds of the bookings whose place they take; they are unwound in the same transaction.
    pub carry_from: Vec<HoldId>,
}

/// Why a person may not decide a booking (so).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotOpen {
    /// Another booking has taken its place.
    #[error("it was moved; decide `{0}`, which took its place")]
    Moved(UnitKey),
    /// It was not decided at all.
    #[error(
        "it is not decided yet: wait until it is, and decide it only if it is left to a person"
    )]
    Undecided,
    /// It was decided, and not left open.
    #[error("it was {} by {by} at {at}", decided(*.outcome))]
    Decided {
        /// What was decided.
        outcome: Outcome,
        /// By whom.
        by: Decider,
        /// When.
        at: Timestamp,
    },
    /// Nothing can be decided about a booking that stands like this.
    #[error("it is {}", .0.as_str())]
    Standing(Standing),
    /// The host was quicker.
    #[error("the host has confirmed it by hand, and that stands")]
    HostConfirmed,
    /// The provider cannot be told any more.
    #[error("it began at {0}, so the provider cannot be told any more")]
    Begun(Timestamp),
}

fn decided(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Accept => "accepted",
        Outcome::Reject => "refused",
        Outcome::Defer => "left open",
    }
}

/// What there is for a person to decide about a booking or seat of this chain.
///
/// # Errors
/// Why there is nothing.
pub fn for_person<'r>(
    record: &'r ChainRecord,
    timeline: &Timeline<'_>,
    unit: &Unit<'_>,
    rules: &Rules,
    wish: Wish<'_>,
    now: Timestamp,
) -> Result<ForPerson<'r>, NotOpen> {
    if let Some(decision) = decision_of(record, &unit.key)
        && is_just_so(decision, wish)
    {
        return Ok(ForPerson::Done);
    }
    if unit.standing == Standing::Superseded {
        return Err(NotOpen::Moved(timeline.final_heir(&unit.key).clone()));
    }
    let mut deferred = vec![left_open(record, unit, rules, wish, now)?];
    if unit.series.is_some() {
        let others = timeline.units.values();
        let others = others.filter(|other| other.key != unit.key && other.series == unit.series);
        deferred.extend(others.filter_map(|other| {
            let open = left_open(record, other, rules, wish, now);
            open.ok()
        }));
    }
    let carry_from = deferred
        .iter()
        .flat_map(|decision| carried(record, timeline, &decision.unit));
    Ok(ForPerson::Open(LeftOpen {
        carry_from: carry_from.collect(),
        deferred,
    }))
}

fn is_just_so(decision: &Decision, wish: Wish<'_>) -> bool {
    let same = match wish {
        Wish::Accept => decision.outcome == Outcome::Accept,
        Wish::Refuse(reason) => {
            decision.outcome == Outcome::Reject && decision.message.as_deref() == Some(reason)
        }
    };
    same && matches!(decision.decider, Decider::Person(_))
}

/// The decision that left this booking open, if it is open still.
fn left_open<'r>(
    record: &'r ChainRecord,
    unit: &Unit<'_>,
    rules: &Rules,
    wish: Wish<'_>,
    now: Timestamp,
) -> Result<&'r Decision, NotOpen> {
    let decision = decision_of(record, &unit.key).ok_or(NotOpen::Undecided)?;
    if decision.outcome != Outcome::Defer {
        return Err(NotOpen::Decided {
            outcome: decision.outcome,
            by: decision.decider.clone(),
            at: decision.decided_at,
        });
    }
    let status = match unit.standing {
        Standing::At(status @ (Status::Pending | Status::Accepted)) if !unit.closed => status,
        standing => return Err(NotOpen::Standing(standing)),
    };
    // It will be decided as the host's as soon as a worker comes to it.
    if next_round(record, unit, rules).is_some() {
        return Err(NotOpen::HostConfirmed);
    }
    let needs_a_call = wish != Wish::Accept || status == Status::Pending;
    if needs_a_call && decision.start <= now {
        return Err(NotOpen::Begun(decision.start));
    }
    Ok(decision)
}
