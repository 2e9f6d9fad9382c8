//! How bookings end, which ends are our own doing, and what may bring a booking back.

use super::fold::{Read, Told, stands};
use super::{End, EndedBy, Rules};
use crate::domain::booking::{Party, Status};
use crate::domain::chain::{AttemptResult, Command};
use crate::domain::clock::{Timestamp, plus_ms};
use crate::domain::decision::Action;
use crate::domain::event::{BookingEvent, EventKind};
use crate::domain::ids::UnitKey;

/// A call of ours that may have had its effect.
#[derive(Debug, Clone, Copy)]
pub(in crate::domain) struct OurCall<'a> {
    /// What was asked.
    pub(in crate::domain) action: Action,
    /// The reason it gave.
    pub(in crate::domain) reason: Option<&'a str>,
    /// When it was over at the latest, by our clock.
    pub(in crate::domain) over_at: Timestamp,
    /// Whether the provider said that it was done.
    pub(in crate::domain) certain: bool,
}

/// The calls about `unit` that had, or may have had, an effect.
pub(in crate::domain) fn our_calls<'a>(
    commands: &'a [Command],
    unit: &UnitKey,
    rules: &Rules,
) -> Vec<OurCall<'a>> {
    let about = commands.iter().filter(|command| command.unit == *unit);
    about
        .flat_map(|command| {
            command
                .attempts
                .iter()
                .map(move |attempt| (command, attempt))
        })
        .filter_map(|(command, attempt)| {
            let (over_at, certain) = match attempt.result {
                Some(AttemptResult::Ok | AttemptResult::Settled) => {
                    (attempt.answered_at.unwrap_or(attempt.deadline_at), true)
                }
                Some(AttemptResult::Unknown) | None => {
                    (plus_ms(attempt.deadline_at, rules.attempt_grace_ms), false)
                }
                Some(_) => return None,
            };
            Some(OurCall {
                action: command.action,
                reason: command.reason.as_deref(),
                over_at,
                certain,
            })
        })
        .collect()
}

/// Everything that says the booking is over: what was told, in the order of provider time, our own
/// calls, and at last what was read.
pub(super) fn ends(
    told: &[Told<'_>],
    read: &[Read<'_>],
    calls: &[OurCall<'_>],
    key: &UnitKey,
) -> Vec<End> {
    let mut ends: Vec<End> = Vec::new();
    for (heard_at, event) in told {
        let status = match event.kind {
            EventKind::Cancelled => Status::Cancelled,
            EventKind::Rejected => Status::Rejected,
            _ => continue,
        };
        let ours = calls.iter().find(|call| is_echo(event, call));
        let by = match (ours, event.cancelled_by) {
            (Some(_), _) => EndedBy::Us,
            (None, _) if event.reschedule_requested || status == Status::Rejected => EndedBy::Host,
            (None, by) => ended_by(by),
        };
        ends.push(End {
            status,
            by,
            provider_time: event.sent_at,
            // An echo may come any time after the call; it tells of nothing later than the call.
            heard_at: ours.map_or(*heard_at, |call| call.over_at.min(*heard_at)),
            only_read: false,
        });
    }
    for call in calls.iter().filter(|call| call.certain) {
        let status = match call.action {
            Action::Confirm => continue,
            Action::Decline => Status::Rejected,
            Action::Cancel => Status::Cancelled,
        };
        ends.push(End {
            status,
            by: EndedBy::Us,
            provider_time: None,
            heard_at: call.over_at,
            only_read: false,
        });
    }
    for (heard_at, reading) in read {
        // A reading of a shared booking says nothing of one seat.
        if reading.status.is_over() && key.seat.is_none() && reading.moved_to.is_none() {
            ends.push(End {
                status: reading.status,
                by: ended_by(reading.cancelled_by),
                provider_time: reading.ended_at,
                heard_at: *heard_at,
                only_read: true,
            });
        }
    }
    ends
}

fn ended_by(party: Option<Party>) -> EndedBy {
    match party {
        Some(Party::Booker) => EndedBy::Booker,
        Some(Party::Host) => EndedBy::Host,
        None => EndedBy::Unknown,
    }
}

/// Whether our own call caused this webhook: same act, and the reason we gave (if it shows one).
fn is_echo(event: &BookingEvent, call: &OurCall<'_>) -> bool {
    let same_act = match event.kind {
        EventKind::Cancelled => call.action == Action::Cancel,
        EventKind::Rejected => call.action == Action::Decline,
        _ => false,
    };
    let reason = |text: &str| text.trim().to_owned();
    same_act
        && match (event.reason.as_deref(), call.reason) {
            (Some(theirs), Some(ours)) => reason(theirs) == reason(ours),
            (None, _) => true,
            (Some(_), None) => false,
        }
}

/// The end that counts: ours if we ended it, else the first by provider time, else what was read.
pub(super) fn first_end(ends: &[End]) -> Option<End> {
    let ours = ends.iter().find(|end| end.by == EndedBy::Us);
    ours.or_else(|| ends.first()).copied()
}

/// Whether what ended lives again, and, if that must be asked, when to read.
///
/// A confirm may revive what was cancelled or declined (contract §8, flows 29 to 31). If the confirm
/// was ours, it is taken back elsewhere; if not, a person wanted it, and only a reading taken after the
/// provider's state has settled can tell.
pub(super) fn revival(
    ends: &[End],
    told: &[Told<'_>],
    read: &[Read<'_>],
    calls: &[OurCall<'_>],
    rules: &Rules,
) -> (bool, Option<Timestamp>) {
    let told_ends = ends.iter().filter(|end| !end.only_read);
    let last_told = told_ends.map(|end| end.heard_at).max();
    // Nothing lags behind what the API itself has shown.
    let last_read = ends.iter().map(|end| end.heard_at).max();
    let Some(last_heard) = last_told.or(last_read) else {
        return (false, None);
    };
    let settled_at = last_told.map_or(last_heard, |at| plus_ms(at, rules.settle_ms));
    // What a confirm of ours may have revived has ended again if we took it back, or if a look at it that
    // began when the confirm was answered, or later, shows so.
    let ended_since = |confirmed_at: Timestamp| {
        calls.iter().any(|call| {
            call.certain && call.action != Action::Confirm && call.over_at >= confirmed_at
        }) || read
            .iter()
            .any(|(at, reading)| *at >= confirmed_at && reading.status.is_over())
    };
    let ours = calls.iter().any(|call| {
        call.action == Action::Confirm
            && plus_ms(call.over_at, rules.settle_ms) >= last_heard
            && !ended_since(call.over_at)
    });
    if ours {
        return (false, None);
    }
    let ended = ends.iter().filter_map(|end| end.provider_time).max();
    let confirmed_heard_at = told
        .iter()
        .filter(|(_, event)| stands(event) && event.sent_at.is_some() && event.sent_at > ended)
        .map(|(at, _)| *at)
        .max();
    let later_reading = read.iter().rev().find(|(at, _)| *at >= settled_at);
    // What is heard after a reading may have happened after it: then that reading does not tell.
    let unread = confirmed_heard_at
        .filter(|_| last_told.is_some())
        .filter(|heard_at| later_reading.is_none_or(|(read_at, _)| read_at <= heard_at));
    (
        later_reading.is_some_and(|(_, reading)| reading.status == Status::Accepted),
        unread.map(|heard_at| plus_ms(heard_at, 1).max(settled_at)),
    )
}
