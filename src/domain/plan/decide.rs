//! Which bookings are to be decided now, and how.

use std::collections::BTreeMap;

use super::credit::was_ended;
use super::{Deciding, How, Plan, decision_of};
use crate::domain::booking::Status;
use crate::domain::chain::{ChainRecord, HoldState};
use crate::domain::clock::{Timestamp, plus_ms};
use crate::domain::decision::Outcome;
use crate::domain::ids::{DecisionId, HoldId, UnitKey};
use crate::domain::timeline::{
    AcceptedBy, AskedBy, EndedBy, HostConfirm, Rules, SharedRefusal, Standing, Timeline, Unit,
};

const NO_SERIES: &str = "it is one occurrence of a series, and the provider's API does not tell which: \
                         answering one would answer all";
const NO_SEAT: &str = "the provider does not name the seat, and refusing the booking would refuse \
                       everyone who shares it";

pub(super) fn plan(
    plan: &mut Plan,
    record: &ChainRecord,
    timeline: &Timeline<'_>,
    rules: &Rules,
    now: Timestamp,
) {
    let mut series: BTreeMap<&str, Vec<&Unit<'_>>> = BTreeMap::new();
    for unit in timeline.units.values() {
        if let Some(read_at) = unit.read_at {
            read_when_due(plan, unit, read_at, now);
        }
        let Some(round) = next_round(record, unit, rules) else {
            continue;
        };
        if let Some(unclear) = to_read_first(timeline, unit, rules) {
            plan.read = plan.read.take().or_else(|| Some(unclear.clone()));
        } else if unit.details.is_none() {
            // Neither webhook nor API tells when it is: there is nothing to decide on.
        } else if !unit.details.is_some_and(|details| details.recurring) {
            plan.decide
                .push(alone(record, timeline, unit, rules, round));
        } else if !rules.provider.names_series || (unit.was_read && unit.series.is_none()) {
            let mut deciding = alone(record, timeline, unit, rules, round);
            // What the host has answered by hand needs no answer of ours.
            if deciding.how == How::Policy {
                deciding.how = How::Defer(NO_SERIES);
            }
            plan.decide.push(deciding);
        } else if let Some(id) = unit.series {
            series.entry(id).or_default().push(unit);
        } else if plan.read.is_none() {
            plan.read = Some(unit.key.clone());
        }
    }
    for units in series.into_values() {
        together(plan, record, timeline, &units, rules, now);
    }
}

fn read_when_due(plan: &mut Plan, unit: &Unit<'_>, read_at: Timestamp, now: Timestamp) {
    if read_at > now {
        plan.wake_no_later_than(read_at);
    } else if plan.read.is_none() {
        plan.read = Some(unit.key.clone());
    }
}

/// The booking that must be read before this one can be decided, because webhooks leave out what the
/// decision depends on. Each is read once: what the API does not tell either is done without.
fn to_read_first<'t>(
    timeline: &'t Timeline<'_>,
    unit: &'t Unit<'_>,
    rules: &Rules,
) -> Option<&'t UnitKey> {
    let provider = &rules.provider;
    let says_accepted = provider.reads_created && unit.accepted == Some(AcceptedBy::Provider);
    let untyped = provider.reads_event_type
        && unit
            .details
            .is_none_or(|details| details.event_type_slug.is_none());
    if !unit.was_read && (says_accepted || untyped || unit.details.is_none()) {
        return Some(&unit.key);
    }
    // What an earlier time of this booking has paid must not be asked for again: nobody knows yet whose
    // place such a one took.
    let unheard = |old: &&UnitKey| {
        let old = timeline.unit(old);
        old.is_some_and(|old| old.last_asked_at.is_none() && !old.was_read && !old.closed)
    };
    if let Some(old) = timeline.ancestry(&unit.key).into_iter().find(unheard) {
        return Some(old);
    }
    if !provider.reads_who_moved || unit.moved_by.is_some() {
        return None;
    }
    let mut forebears = unit.forebears.iter();
    forebears.find(|old| timeline.unit(old).is_some_and(|old| !old.move_was_read))
}

/// Whether the unit will still be decided, at once or when more is known of it.
pub(super) fn is_open(record: &ChainRecord, unit: &Unit<'_>, rules: &Rules) -> bool {
    let nothing_to_go_by = unit.was_read && unit.details.is_none();
    let beginning_unknown = unit.last_asked_at.is_none()
        && rules.provider.stands_at_once
        && matches!(unit.standing, Standing::At(Status::Cancelled))
        && !unit.was_read
        && !unit.closed;
    beginning_unknown || (next_round(record, unit, rules).is_some() && !nothing_to_go_by)
}

/// The number of the decision that the unit asks for now, if it asks for one.
pub(super) fn next_round(record: &ChainRecord, unit: &Unit<'_>, rules: &Rules) -> Option<i64> {
    let ask = unit.ask?;
    let open = match unit.standing {
        Standing::At(Status::Pending | Status::Accepted) => true,
        // It stood, and was called off before we came to decide it: decided all the same, because a
        // late cancel may cost something. Whatever order the two were received in, the same is owed.
        Standing::At(Status::Cancelled) => {
            matches!(unit.accepted, Some(AcceptedBy::Provider | AcceptedBy::Host))
                && unit.end.is_some_and(|end| {
                    end.by != EndedBy::Us && (!end.only_read || rules.provider.stands_at_once)
                })
        }
        _ => false,
    };
    if !open {
        return None;
    }
    let Some(decision) = decision_of(record, &unit.key) else {
        return Some(1);
    };
    let lives =
        unit.accepted == Some(AcceptedBy::Host) && unit.standing == Standing::At(Status::Accepted);
    if !lives {
        return None;
    }
    // The host let stand by hand what we refused or left open, or brought back what had ended and was
    // paid back.
    let refused = decision.outcome != Outcome::Accept && ask.by != AskedBy::HostMove;
    let overtaken = refused && rules.host_confirm == HostConfirm::Respect
        || gave_back(record, unit, decision.id);
    overtaken.then_some(decision.round + 1)
}

/// Whether credit that this decision took was given back, all or in part, because its booking ended.
fn gave_back(record: &ChainRecord, unit: &Unit<'_>, decision: DecisionId) -> bool {
    record.holds.iter().any(|hold| {
        hold.decision == decision
            && match hold.state {
                HoldState::Held | HoldState::Carried => false,
                HoldState::Captured => was_ended(record, unit, hold),
                HoldState::Released => true,
            }
    })
}

fn alone(
    record: &ChainRecord,
    timeline: &Timeline<'_>,
    unit: &Unit<'_>,
    rules: &Rules,
    round: i64,
) -> Deciding {
    let by_host = unit.accepted == Some(AcceptedBy::Host)
        || unit
            .ask
            .is_some_and(|ask| matches!(ask.by, AskedBy::HostConfirm | AskedBy::HostMove));
    // Only the move itself carries: what the host brings back later has to be paid anew.
    let moved_by_host = round == 1 && unit.ask.is_some_and(|ask| ask.by == AskedBy::HostMove);
    let how = match moved_by_host
        .then(|| decided_before(record, timeline, unit))
        .flatten()
    {
        Some(decision) => How::Carry(decision),
        None if by_host && rules.host_confirm == HostConfirm::Respect => How::HostConfirm,
        None => How::Policy,
    };
    let unnamed_seat =
        unit.key.seat.is_none() && unit.details.is_some_and(|details| details.seated);
    Deciding {
        units: vec![unit.key.clone()],
        how,
        round,
        carry_from: carried(record, timeline, &unit.key),
        refusal_defers: (unnamed_seat && rules.shared_refusal == SharedRefusal::Defer)
            .then_some(NO_SEAT),
    }
}

/// The accepting decision of the booking whose place this one took.
fn decided_before(
    record: &ChainRecord,
    timeline: &Timeline<'_>,
    unit: &Unit<'_>,
) -> Option<DecisionId> {
    let ancestry = timeline.ancestry(&unit.key);
    let accepted = ancestry
        .into_iter()
        .filter_map(|key| decision_of(record, key))
        .filter(|decision| decision.outcome == Outcome::Accept);
    accepted
        .max_by_key(|decision| decision.id)
        .map(|decision| decision.id)
}

/// Holds of this booking and of all that ended up as it, as far as they still bind credit.
pub(super) fn carried(record: &ChainRecord, timeline: &Timeline<'_>, key: &UnitKey) -> Vec<HoldId> {
    let ancestry = timeline.ancestry(key);
    let binding = record.holds.iter().filter(|hold| {
        (hold.unit == *key || ancestry.contains(&&hold.unit))
            && match hold.state {
                HoldState::Held => true,
                HoldState::Captured => hold.refunded < hold.captured,
                HoldState::Released | HoldState::Carried => false,
            }
    });
    binding.map(|hold| hold.id).collect()
}

/// A series is decided once no new occurrence has come for a while.
fn together(
    plan: &mut Plan,
    record: &ChainRecord,
    timeline: &Timeline<'_>,
    units: &[&Unit<'_>],
    rules: &Rules,
    now: Timestamp,
) {
    let last_asked = units.iter().filter_map(|unit| unit.last_asked_at).max();
    let ready_at = last_asked.map_or(now, |at| plus_ms(at, rules.series_settle_ms));
    if ready_at > now {
        plan.wake_no_later_than(ready_at);
        return;
    }
    let mut all = units
        .iter()
        .map(|unit| {
            let round = next_round(record, unit, rules).unwrap_or(1);
            alone(record, timeline, unit, rules, round)
        })
        .collect::<Vec<_>>();
    let by_policy = all
        .iter()
        .all(|one| one.how == How::Policy && one.round == 1);
    if !by_policy {
        // The host has answered some of them: those follow the host, each by itself.
        plan.decide.append(&mut all);
        return;
    }
    plan.decide.push(Deciding {
        units: all.iter().flat_map(|one| one.units.clone()).collect(),
        how: How::Policy,
        round: 1,
        carry_from: all.iter().flat_map(|one| one.carry_from.clone()).collect(),
        refusal_defers: all.iter().find_map(|one| one.refusal_defers),
    });
}
