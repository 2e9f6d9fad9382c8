//! What the provider is to be told.

use super::{Plan, decision_of, revived_by_us};
use crate::domain::booking::{Reading, Status};
use crate::domain::chain::{
    ChainRecord, Command, CommandChange, CommandState, Fact, FactBody, Purpose,
};
use crate::domain::clock::Timestamp;
use crate::domain::decision::{Action, Outcome};
use crate::domain::ids::{DecisionId, UnitKey};
use crate::domain::timeline::our_calls;
use crate::domain::timeline::{AcceptedBy, HostConfirm, Rules, Standing, Timeline, Unit};

/// What the booker is told when a confirm of ours had revived a booking that was already gone.
const COMPENSATION_REASON: &str = "This booking was cancelled or moved before it was confirmed.";
/// What the booker is told when a policy gives no reason.
const REFUSAL_REASON: &str = "This booking could not be accepted.";

/// A command that should exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedCommand {
    /// The booking or seat it is about.
    pub unit: UnitKey,
    /// The booking's numeric id.
    pub number: Option<i64>,
    /// The decision it carries out.
    pub decision: Option<DecisionId>,
    /// What is asked.
    pub action: Action,
    /// Why.
    pub purpose: Purpose,
    /// The reason for the booker.
    pub reason: Option<String>,
}

pub(super) fn plan(
    plan: &mut Plan,
    record: &ChainRecord,
    timeline: &Timeline<'_>,
    rules: &Rules,
    now: Timestamp,
) {
    for unit in timeline.units.values() {
        compensate(plan, record, timeline, unit, rules);
    }
    for unit in timeline.units.values() {
        if !plan.decide.iter().any(|one| one.units.contains(&unit.key)) {
            carry_out(plan, record, timeline, unit, rules);
        }
    }
    let mut open: Vec<&Command> = open_commands(record).collect();
    open.sort_by_key(|command| (command.purpose != Purpose::Compensation, command.id));
    for command in open {
        if plan.changes.iter().any(|change| change.id == command.id) {
            continue;
        }
        // What a call without an answer has done shows only once it can do nothing any more.
        let earlier = our_calls(&record.commands, &command.unit, rules).into_iter();
        let unclear = earlier.filter(|call| !call.certain);
        let clear_at = unclear.map(|call| call.over_at).max();
        let due_at = clear_at.map_or(command.due_at, |at| at.max(command.due_at));
        if due_at > now {
            plan.wake_no_later_than(due_at);
        } else if plan.deliver.is_none() {
            plan.deliver = Some(command.id);
        }
    }
}

fn open_commands(record: &ChainRecord) -> impl Iterator<Item = &Command> {
    record
        .commands
        .iter()
        .filter(|command| command.state == CommandState::Open)
}

fn compensate(
    plan: &mut Plan,
    record: &ChainRecord,
    timeline: &Timeline<'_>,
    unit: &Unit<'_>,
    rules: &Rules,
) {
    let known = record
        .commands
        .iter()
        .any(|command| command.unit == unit.key && command.purpose == Purpose::Compensation);
    if !known && unit.standing.is_over() && revived_by_us(record, timeline, &unit.key, rules) {
        plan.commands.push(WantedCommand {
            unit: unit.key.clone(),
            number: unit.number,
            decision: decision_of(record, &unit.key).map(|decision| decision.id),
            action: Action::Cancel,
            purpose: Purpose::Compensation,
            reason: Some(COMPENSATION_REASON.to_owned()),
        });
    }
}

/// Brings the commands of one booking in line with what its decision asks for.
fn carry_out(
    plan: &mut Plan,
    record: &ChainRecord,
    timeline: &Timeline<'_>,
    unit: &Unit<'_>,
    rules: &Rules,
) {
    let Some(action) = wanted(record, unit, rules) else {
        // A dead letter, too, is settled once the booking no longer asks for it.
        let unsettled = record.commands.iter().filter(|command| {
            command.unit == unit.key
                && command.purpose == Purpose::Decision
                && matches!(command.state, CommandState::Open | CommandState::Dead)
        });
        let why = if unit.lapsed {
            "the booking has ended unanswered".to_owned()
        } else {
            format!("the booking is {}", unit.standing.as_str())
        };
        plan.changes.extend(unsettled.map(|command| CommandChange {
            state: CommandState::Obsolete,
            note: Some(why.clone()),
            ..command.unchanged()
        }));
        return;
    };
    let open = open_commands(record)
        .find(|command| command.unit == unit.key && command.purpose == Purpose::Decision);
    match open {
        Some(command) if command.action != action => plan.changes.push(CommandChange {
            action,
            ..command.unchanged()
        }),
        Some(_) => {}
        None => begin(plan, record, timeline, unit, action),
    }
}

fn begin(
    plan: &mut Plan,
    record: &ChainRecord,
    timeline: &Timeline<'_>,
    unit: &Unit<'_>,
    action: Action,
) {
    let Some(decision) = decision_of(record, &unit.key) else {
        return;
    };
    // Done once is done, dead is for a person: neither is begun again by itself.
    let tried = record.commands.iter().any(|command| {
        command.decision == Some(decision.id)
            && command.unit == unit.key
            && command.action == action
            && command.purpose == Purpose::Decision
            && matches!(command.state, CommandState::Done | CommandState::Dead)
    });
    if tried || series_is_busy(plan, record, timeline, unit) {
        return;
    }
    let reason = (action != Action::Confirm).then(|| {
        decision
            .message
            .clone()
            .unwrap_or_else(|| REFUSAL_REASON.to_owned())
    });
    plan.commands.push(WantedCommand {
        unit: unit.key.clone(),
        number: unit.number,
        decision: Some(decision.id),
        action,
        purpose: Purpose::Decision,
        reason,
    });
}

/// One answer to an occurrence answers the whole series, so only one command of a series is open at a
/// time; the others look again once it is done, and mostly find nothing left to do.
fn series_is_busy(
    plan: &Plan,
    record: &ChainRecord,
    timeline: &Timeline<'_>,
    unit: &Unit<'_>,
) -> bool {
    let Some(series) = unit.series else {
        return false;
    };
    let same = |key: &UnitKey| timeline.unit(key).and_then(|other| other.series) == Some(series);
    open_commands(record).any(|command| same(&command.unit))
        || plan.commands.iter().any(|command| same(&command.unit))
}

/// What the decision asks of the provider, given where the booking stands.
fn wanted(record: &ChainRecord, unit: &Unit<'_>, rules: &Rules) -> Option<Action> {
    let decision = decision_of(record, &unit.key)?;
    let Standing::At(status) = unit.standing else {
        return None;
    };
    if unit.closed || unit.lapsed {
        return None;
    }
    match (decision.outcome, status) {
        (Outcome::Accept, Status::Pending) => Some(Action::Confirm),
        (Outcome::Reject, Status::Pending) => Some(rules.provider.refusal_of_pending),
        (Outcome::Reject, Status::Accepted) => {
            let by_hand = unit.accepted == Some(AcceptedBy::Host);
            let stands = by_hand && rules.host_confirm == HostConfirm::Respect;
            (!stands).then_some(Action::Cancel)
        }
        _ => None,
    }
}

/// What a command still asks for, now that the booking was read; `None` if nothing is left to do.
pub fn still_wanted(
    record: &ChainRecord,
    command: &Command,
    reading: &Reading,
    read_at: Timestamp,
    rules: &Rules,
) -> Option<Action> {
    if command.purpose == Purpose::Compensation {
        return (!reading.status.is_over()).then_some(Action::Cancel);
    }
    let mut record = record.clone();
    record.facts.push(Fact {
        received_at: read_at,
        body: FactBody::Reading(Box::new(reading.clone())),
    });
    let timeline = Timeline::fold(&record, rules);
    let unit = timeline.unit(&command.unit)?;
    wanted(&record, unit, rules)
}
