//! What is left to do for a chain: decided from the folded timeline alone, so that a crash, a repeat
//! or another order of the same facts leads to the same end. Pure: the gate carries it out, a step at
//! a time, and plans anew after each.

#[cfg(test)]
mod closed_tests;
mod credit;
mod decide;
#[cfg(test)]
mod halves_tests;
mod outbox;
mod person;
#[cfg(test)]
mod person_tests;
#[cfg(test)]
mod tests;

use super::chain::{ChainRecord, CommandChange, Decision, Hold, HoldState};
use super::clock::{Timestamp, plus_ms};
use super::decision::Action;
use super::ids::{AttemptId, CommandId, DecisionId, HoldId, UnitKey};
use super::timeline::{Rules, Timeline};

pub use outbox::{WantedCommand, still_wanted};
pub use person::{ForPerson, LeftOpen, NotOpen, Wish, for_person};

/// How a booking is to be decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// By the policies.
    Policy,
    /// It stands by the host's hand; the policies only say what it costs.
    HostConfirm,
    /// It takes over this decision, because the host moved it.
    Carry(DecisionId),
    /// A person must decide; why.
    Defer(&'static str),
}

/// One decision to be made. Several units are decided together, all or none: a series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deciding {
    /// What is decided.
    pub units: Vec<UnitKey>,
    /// How.
    pub how: How,
    /// 1, or more where an earlier decision is overtaken by the host.
    pub round: i64,
    /// Holds of the bookings whose place this one takes; they are unwound in the same transaction.
    pub carry_from: Vec<HoldId>,
    /// Whether a refusal must be left to a person, because it would hit the wrong people.
    pub refusal_defers: Option<&'static str>,
}

/// One change of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CreditStep {
    /// The booking stands: what was held is spent.
    Capture(HoldId),
    /// It does not: what was held is free again.
    Release(HoldId),
    /// It was spent, and this many minor units of it come back.
    Refund {
        /// Of which hold.
        hold: HoldId,
        /// Minor units.
        minor: i64,
        /// Why, for the ledger's own record.
        reason: &'static str,
    },
    /// It came back for a reason that is there no more: it is spent again, if there is so much; else it is
    /// waived, for good.
    ChargeAgain {
        /// Of which hold.
        hold: HoldId,
        /// Minor units.
        minor: i64,
    },
}

impl CreditStep {
    /// Makes a hold what the ledger makes of it; another hold stays as it is.
    pub fn apply(&self, on: &mut Hold) {
        match *self {
            Self::Capture(hold) if hold == on.id => {
                (on.state, on.captured) = (HoldState::Captured, on.amount.minor);
            }
            Self::Release(hold) if hold == on.id => {
                (on.state, on.released) = (HoldState::Released, on.amount.minor);
            }
            Self::Refund { hold, minor, .. } if hold == on.id => on.refunded += minor,
            Self::ChargeAgain { hold, minor } if hold == on.id => on.refunded -= minor,
            _ => {}
        }
    }
}

/// What is left to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Attempts whose worker died and whose time is over: nobody knows how they ended.
    pub expired: Vec<(CommandId, AttemptId)>,
    /// Decisions to be made.
    pub decide: Vec<Deciding>,
    /// Changes of the ledger.
    pub credit: Vec<CreditStep>,
    /// Commands that changed.
    pub changes: Vec<CommandChange>,
    /// New commands.
    pub commands: Vec<WantedCommand>,
    /// A booking that must be read first.
    pub read: Option<UnitKey>,
    /// A command to be carried out now.
    pub deliver: Option<CommandId>,
    /// When to look again, if nothing happens before.
    pub wake_at: Option<Timestamp>,
}

impl Plan {
    /// Makes the plan. The record must carry final names.
    pub fn make(
        record: &ChainRecord,
        timeline: &Timeline<'_>,
        rules: &Rules,
        now: Timestamp,
    ) -> Self {
        let mut plan = Self::default();
        if plan.await_answers(record, rules, now) {
            return plan;
        }
        decide::plan(&mut plan, record, timeline, rules, now);
        credit::plan(&mut plan, record, timeline, rules, now);
        outbox::plan(&mut plan, record, timeline, rules, now);
        plan
    }

    /// Whether there is something to write before anything else can be done.
    pub fn writes(&self) -> bool {
        !(self.expired.is_empty()
            && self.decide.is_empty()
            && self.credit.is_empty()
            && self.changes.is_empty()
            && self.commands.is_empty())
    }

    /// Whether nothing is left, now or later.
    pub fn is_idle(&self) -> bool {
        !self.writes() && self.read.is_none() && self.deliver.is_none() && self.wake_at.is_none()
    }

    fn wake_no_later_than(&mut self, at: Timestamp) {
        self.wake_at = Some(self.wake_at.map_or(at, |wake| wake.min(at)));
    }

    /// A call whose answer was never recorded may still take effect: nothing is done about its chain
    /// until its deadline and a grace have passed; then it counts as unknown. True while waiting.
    fn await_answers(&mut self, record: &ChainRecord, rules: &Rules, now: Timestamp) -> bool {
        for command in &record.commands {
            for attempt in command
                .attempts
                .iter()
                .filter(|attempt| attempt.result.is_none())
            {
                let over_at = plus_ms(attempt.deadline_at, rules.attempt_grace_ms);
                if over_at > now {
                    self.wake_no_later_than(over_at);
                } else {
                    self.expired.push((command.id, attempt.id));
                }
            }
        }
        self.wake_at.is_some() || !self.expired.is_empty()
    }
}

/// The decision in force for a unit: the latest round.
pub fn decision_of<'r>(record: &'r ChainRecord, unit: &UnitKey) -> Option<&'r Decision> {
    let about = record
        .decisions
        .iter()
        .filter(|decision| decision.unit == *unit);
    about.max_by_key(|decision| (decision.round, decision.id))
}

/// Whether a confirm of ours may have revived this booking: it was ended by others or moved away
/// between our decision and `settle_ms` after our call (DESIGN §3.7). What was received before the
/// decision would have prevented the call, so the time of receiving is enough to tell.
fn revived_by_us(
    record: &ChainRecord,
    timeline: &Timeline<'_>,
    unit: &UnitKey,
    rules: &Rules,
) -> bool {
    let Some(gone_at) = timeline.unit(unit).and_then(|unit| unit.gone_heard_at) else {
        return false;
    };
    super::timeline::our_calls(&record.commands, unit, rules)
        .iter()
        .any(|call| {
            call.action == Action::Confirm && gone_at <= plus_ms(call.over_at, rules.settle_ms)
        })
}
