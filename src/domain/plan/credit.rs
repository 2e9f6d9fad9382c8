//! What the credit set aside for a chain's bookings should become, given where they stand.

use super::decide::is_open;
use super::{CreditStep, Plan, decision_of, revived_by_us};
use crate::domain::amount::percent_of;
use crate::domain::booking::{Party, Status};
use crate::domain::chain::{ChainRecord, Hold, HoldState};
use crate::domain::clock::{Timestamp, ms_between, plus_ms};
use crate::domain::decision::{Outcome, Terms};
use crate::domain::ids::UnitKey;
use crate::domain::timeline::{AcceptedBy, End, EndedBy, Rules, Standing, Timeline, Unit};

pub(super) fn plan(
    plan: &mut Plan,
    record: &ChainRecord,
    timeline: &Timeline<'_>,
    rules: &Rules,
    now: Timestamp,
) {
    let undecided = |key: &UnitKey| {
        let unit = timeline.unit(key);
        unit.is_some_and(|unit| is_open(record, unit, rules))
    };
    let mut steps = Vec::new();
    let mut wake = None;
    for hold in &record.holds {
        let Some(unit) = timeline.unit(&hold.unit) else {
            continue;
        };
        if unit.closed {
            continue;
        }
        let head = timeline.final_heir(&unit.key);
        // A decision that is to be made carries what its forebears hold; nothing is done before it.
        if undecided(&unit.key) || undecided(head) {
            continue;
        }
        match next_step(record, timeline, unit, hold, rules, now) {
            Next::Do(step) => steps.push(step),
            Next::LookAgain(at) => wake = Some(wake.map_or(at, |w: Timestamp| w.min(at))),
            Next::Nothing => {}
        }
    }
    plan.credit = steps;
    if let Some(at) = wake {
        plan.wake_no_later_than(at);
    }
}

enum Next {
    Do(CreditStep),
    LookAgain(Timestamp),
    Nothing,
}

fn next_step(
    record: &ChainRecord,
    timeline: &Timeline<'_>,
    unit: &Unit<'_>,
    hold: &Hold,
    rules: &Rules,
    now: Timestamp,
) -> Next {
    match unit.standing {
        Standing::Superseded => {
            if heir_has_no_claim(record, timeline, unit) {
                return give_back(hold, 100, "moved");
            }
            Next::Nothing
        }
        Standing::At(Status::Accepted) if hold.state == HoldState::Held => {
            Next::Do(CreditStep::Capture(hold.id))
        }
        Standing::At(Status::Accepted) if unit.missed => {
            let percent = percent_for_missing(record, unit);
            give_back(hold, percent, "nobody came")
        }
        Standing::At(Status::Accepted) if unit.marked => charge_again(record, unit, hold),
        Standing::At(Status::Rejected | Status::Cancelled) => {
            let Some(end) = unit.end else {
                return Next::Nothing;
            };
            let stood = matches!(unit.accepted, Some(AcceptedBy::Provider | AcceptedBy::Host));
            let called_off = end.status == Status::Cancelled && end.by != EndedBy::Us;
            if hold.state == HoldState::Held && stood && called_off {
                return Next::Do(CreditStep::Capture(hold.id));
            }
            if hold.state == HoldState::Held || revived_by_us(record, timeline, &unit.key, rules) {
                return give_back(hold, 100, "not standing");
            }
            let settled_at = plus_ms(end.heard_at, rules.settle_ms);
            if end.only_read && settled_at > now && hold.state == HoldState::Captured {
                return Next::LookAgain(settled_at);
            }
            let terms = decision_of(record, &unit.key).map(|decision| &decision.terms);
            let (percent, reason) =
                terms.map_or((100, "no terms"), |terms| refund(terms, unit, end, rules));
            give_back(hold, percent, reason)
        }
        Standing::At(_) if unit.lapsed && hold.state == HoldState::Held => {
            give_back(hold, 100, "never answered")
        }
        _ => Next::Nothing,
    }
}

/// Percent that comes back because the booker did not come, or came back before the mark was taken back.
fn percent_for_missing(record: &ChainRecord, unit: &Unit<'_>) -> u8 {
    let decision = decision_of(record, &unit.key).filter(|_| unit.marked);
    decision.map_or(0, |decision| decision.terms.no_show_percent)
}

/// The booker did come after all: what came back for not coming is taken again, once, or waived.
fn charge_again(record: &ChainRecord, unit: &Unit<'_>, hold: &Hold) -> Next {
    let is_open = hold.state == HoldState::Captured && !record.waivers.contains(&hold.decision);
    if !is_open || hold.refunded == 0 || was_ended(record, unit, hold) {
        return Next::Nothing;
    }
    Next::Do(CreditStep::ChargeAgain {
        hold: hold.id,
        minor: hold.refunded,
    })
}

/// Whether more came back of what was taken than for not coming: then its booking had ended.
pub(super) fn was_ended(record: &ChainRecord, unit: &Unit<'_>, hold: &Hold) -> bool {
    hold.refunded > percent_of(hold.captured, percent_for_missing(record, unit))
}

/// Whether the booking at the end of the moves can no longer carry this one's credit: it was decided
/// (and then carried or refused it), or it is over.
fn heir_has_no_claim(record: &ChainRecord, timeline: &Timeline<'_>, unit: &Unit<'_>) -> bool {
    let head = timeline.final_heir(&unit.key);
    let decided = decision_of(record, head)
        .is_some_and(|decision| matches!(decision.outcome, Outcome::Accept | Outcome::Reject));
    decided
        || timeline
            .unit(head)
            .is_some_and(|head| head.standing.is_over())
}

/// Percent that comes back, by who ended the booking and how early.
fn refund(terms: &Terms, unit: &Unit<'_>, end: End, rules: &Rules) -> (u8, &'static str) {
    let by_notice = || {
        let start = unit.details.map_or(end.heard_at, |details| details.start);
        let cancelled_at = end.provider_time.unwrap_or(end.heard_at);
        terms.booker_percent(ms_between(cancelled_at, start))
    };
    match (end.by, rules.unknown_canceller) {
        (EndedBy::Us, _) => (100, "cancelled by bookgate"),
        (_, _) if end.status == Status::Rejected => (100, "declined"),
        (EndedBy::Booker, _) => (by_notice(), "cancelled by the booker"),
        (EndedBy::Host, _) => (terms.organizer_percent, "cancelled by the host"),
        (EndedBy::Unknown, Party::Host) => (
            terms.organizer_percent,
            "cancelled, the provider does not say by whom",
        ),
        (EndedBy::Unknown, Party::Booker) => {
            (by_notice(), "cancelled, the provider does not say by whom")
        }
    }
}

/// The step that brings the hold to where `percent` of it is given back; what was given back before
/// is not taken again.
fn give_back(hold: &Hold, percent: u8, reason: &'static str) -> Next {
    match hold.state {
        HoldState::Held => Next::Do(CreditStep::Release(hold.id)),
        HoldState::Captured => {
            let minor = percent_of(hold.captured, percent) - hold.refunded;
            if minor <= 0 {
                return Next::Nothing;
            }
            Next::Do(CreditStep::Refund {
                hold: hold.id,
                minor,
                reason,
            })
        }
        HoldState::Released | HoldState::Carried => Next::Nothing,
    }
}
