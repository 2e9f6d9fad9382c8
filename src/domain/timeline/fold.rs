//! The fold itself: for each booking, what the facts about it amount to.

use std::collections::BTreeMap;

use super::{AcceptedBy, Ask, AskedBy, Created, End, EndedBy, Rules, Standing, Timeline, Unit};
use crate::domain::booking::{Details, Party, Reading, Status};
use crate::domain::chain::{AttemptResult, ChainRecord, Command, FactBody};
use crate::domain::clock::{Timestamp, plus_ms};
use crate::domain::decision::Action;
use crate::domain::event::{BookingEvent, EventKind};
use crate::domain::ids::{Uid, UnitKey};

/// An event with the time we received it.
type Told<'a> = (Timestamp, &'a BookingEvent);
/// A reading with the time we took it.
type Read<'a> = (Timestamp, &'a Reading);

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

impl<'a> Timeline<'a> {
    /// Folds everything known about a chain. The record must carry final names
    /// ([`super::with_final_names`]).
    pub fn fold(record: &'a ChainRecord, rules: &Rules) -> Self {
        let mut events: Vec<Told<'a>> = Vec::new();
        let mut readings: Vec<Read<'a>> = Vec::new();
        let mut missing: Vec<&Uid> = Vec::new();
        for fact in &record.facts {
            match &fact.body {
                FactBody::Event(event) => events.push((fact.received_at, event)),
                FactBody::Reading(reading) => readings.push((fact.received_at, reading)),
                FactBody::Missing { uid } => missing.push(uid),
            }
        }
        // Provider time, then kind, then content: an order that receiving cannot influence.
        events.sort_by(|(_, a), (_, b)| {
            (a.sent_at, a.kind, &a.uid).cmp(&(b.sent_at, b.kind, &b.uid))
        });
        readings.sort_by_key(|(at, _)| *at);

        let mut timeline = Self::default();
        for key in unit_keys(&events, &readings) {
            let mut unit = fold_unit(&key, &events, &readings, &record.commands, rules);
            unit.was_read |= missing.contains(&&key.uid);
            timeline.units.insert(key, unit);
        }
        link_moves(&mut timeline, &events, &readings);
        timeline
    }
}

/// Every booking and seat that is spoken of. An end without a seat speaks of all seats of its booking
/// and makes a unit of its own only where nothing else is known.
fn unit_keys(events: &[Told<'_>], readings: &[Read<'_>]) -> Vec<UnitKey> {
    let mut keys: Vec<UnitKey> = Vec::new();
    let mut whole: Vec<UnitKey> = Vec::new();
    for (_, event) in events {
        let ends = matches!(event.kind, EventKind::Cancelled | EventKind::Rejected);
        if event.seat.is_none() && (ends || !names_times(event)) {
            whole.push(event.unit());
        } else {
            keys.push(event.unit());
        }
        if let Some(from) = &event.predecessor {
            whole.push(UnitKey::booking(from.uid.clone()));
        }
    }
    for (_, reading) in readings {
        whole.push(UnitKey::booking(reading.uid.clone()));
        let links = [&reading.moved_from, &reading.moved_to];
        whole.extend(links.into_iter().flatten().cloned().map(UnitKey::booking));
    }
    for key in whole {
        if !keys.iter().any(|known| known.uid == key.uid) {
            keys.push(key);
        }
    }
    keys.sort();
    keys.dedup();
    keys
}

fn names_times(event: &BookingEvent) -> bool {
    event.details.is_some()
}

fn fold_unit<'a>(
    key: &UnitKey,
    events: &[Told<'a>],
    readings: &[Read<'a>],
    commands: &[Command],
    rules: &Rules,
) -> Unit<'a> {
    let told: Vec<Told<'a>> = events
        .iter()
        .filter(|(_, event)| {
            event.uid == key.uid && (event.seat.is_none() || event.seat == key.seat)
        })
        .copied()
        .collect();
    let read: Vec<Read<'a>> = readings
        .iter()
        .filter(|(_, reading)| reading.uid == key.uid)
        .copied()
        .collect();
    let calls = our_calls(commands, key, rules);
    let accepted = accepted_by(&told, &read, &calls);
    let ends = ends(&told, &read, &calls, key);
    let (revived, read_at) = revival(&ends, &told, &read, &calls, rules);
    let status = if let (Some(end), false) = (first_end(&ends), revived) {
        Some(end.status)
    } else if accepted.is_some() || revived {
        Some(Status::Accepted)
    } else {
        waiting(&told, &read)
    };
    let asking = asking(&told, &read, accepted, rules);
    Unit {
        key: key.clone(),
        number: told
            .iter()
            .find_map(|(_, event)| event.number)
            .or_else(|| read.iter().find_map(|(_, reading)| reading.number)),
        standing: status.map_or(Standing::Unknown, Standing::At),
        details: asking
            .as_ref()
            .and_then(|(_, details)| *details)
            .or_else(|| {
                told.iter()
                    .rev()
                    .find_map(|(_, event)| event.details.as_deref())
            })
            .or_else(|| {
                read.iter()
                    .rev()
                    .find_map(|(_, reading)| reading.details.as_deref())
            }),
        ask: asking.map(|(ask, _)| ask),
        accepted: if revived {
            Some(AcceptedBy::Host)
        } else {
            accepted
        },
        end: first_end(&ends),
        heir: None,
        forebears: Vec::new(),
        gone_heard_at: ends
            .iter()
            .filter(|end| end.by != EndedBy::Us)
            .map(|end| end.heard_at)
            .min(),
        series: read
            .iter()
            .find_map(|(_, reading)| reading.series.as_deref()),
        was_read: !read.is_empty(),
        read_at,
        last_asked_at: told
            .iter()
            .filter(|(_, event)| asks(event))
            .map(|(at, _)| *at)
            .max(),
    }
}

/// Pending, waiting for payment, or not told.
fn waiting(told: &[Told<'_>], read: &[Read<'_>]) -> Option<Status> {
    let requested = told
        .iter()
        .any(|(_, event)| event.kind == EventKind::Requested);
    if requested
        || read
            .iter()
            .any(|(_, reading)| reading.status == Status::Pending)
    {
        return Some(Status::Pending);
    }
    let status = told.iter().rev().find_map(|(_, event)| event.status);
    status.or_else(|| read.last().map(|(_, reading)| reading.status))
}

fn stands(event: &BookingEvent) -> bool {
    matches!(event.kind, EventKind::Created | EventKind::Rescheduled)
        || event.status == Some(Status::Accepted)
}

/// Whether and by whom the booking was ever accepted.
fn accepted_by(told: &[Told<'_>], read: &[Read<'_>], calls: &[OurCall<'_>]) -> Option<AcceptedBy> {
    let confirms = calls.iter().filter(|call| call.action == Action::Confirm);
    let (mut sent, mut done) = (false, false);
    for call in confirms {
        sent = true;
        done |= call.certain;
    }
    let told_so = told.iter().any(|(_, event)| stands(event));
    let read_so = read
        .iter()
        .any(|(_, reading)| reading.status == Status::Accepted);
    if !(done || told_so || read_so) {
        return None;
    }
    if sent {
        return Some(AcceptedBy::Us);
    }
    let asked_first = told
        .iter()
        .any(|(_, event)| event.kind == EventKind::Requested);
    let by_hand = told.iter().any(|(_, event)| {
        (event.kind == EventKind::Created && event.after_confirm)
            || (event.kind == EventKind::Rescheduled && event.moved_by == Some(Party::Host))
    });
    let pending_once = read
        .iter()
        .any(|(_, reading)| reading.status == Status::Pending);
    Some(if asked_first || by_hand || pending_once {
        AcceptedBy::Host
    } else {
        AcceptedBy::Provider
    })
}

fn asks(event: &BookingEvent) -> bool {
    matches!(
        event.kind,
        EventKind::Requested | EventKind::Created | EventKind::Rescheduled
    )
}

/// Whether the booking is to be decided, and the details of the event that asks.
fn asking<'a>(
    told: &[Told<'a>],
    read: &[Read<'a>],
    accepted: Option<AcceptedBy>,
    rules: &Rules,
) -> Option<(Ask, Option<&'a Details>)> {
    let of = |wanted: &dyn Fn(&BookingEvent) -> bool, by: AskedBy| {
        let asking: Vec<_> = told.iter().filter(|(_, event)| wanted(event)).collect();
        let first = asking.first()?;
        let ask = Ask {
            by,
            provider_time: asking.iter().filter_map(|(_, event)| event.sent_at).min(),
            heard_at: asking.iter().map(|(at, _)| *at).min()?,
        };
        Some((ask, first.1.details.as_deref()))
    };
    let host_confirmed = accepted == Some(AcceptedBy::Host);
    let asked_by = |by_booker| {
        if host_confirmed {
            AskedBy::HostConfirm
        } else {
            by_booker
        }
    };

    let moved_by_host = |event: &BookingEvent| {
        event.kind == EventKind::Rescheduled && event.moved_by == Some(Party::Host)
    };
    if let Some(found) = of(&moved_by_host, AskedBy::HostMove) {
        return Some(found);
    }
    let requested = |event: &BookingEvent| event.kind == EventKind::Requested;
    if let Some(found) = of(&requested, asked_by(AskedBy::Booker)) {
        return Some(found);
    }
    let moved = |event: &BookingEvent| event.kind == EventKind::Rescheduled;
    if let Some(found) = of(&moved, AskedBy::Booker) {
        return Some(found);
    }
    if rules.created == Created::Decide {
        let created = |event: &BookingEvent| event.kind == EventKind::Created;
        if let Some(found) = of(&created, asked_by(AskedBy::Booker)) {
            return Some(found);
        }
    }
    // Only the API speaks of it: its webhook never came.
    let (at, reading) = read.iter().find(|(_, reading)| {
        reading.details.is_some()
            && match reading.status {
                Status::Pending => true,
                Status::Accepted => rules.created == Created::Decide && told.is_empty(),
                _ => false,
            }
    })?;
    let ask = Ask {
        by: asked_by(AskedBy::Booker),
        provider_time: reading.created_at,
        heard_at: *at,
    };
    Some((ask, reading.details.as_deref()))
}

/// Everything that says the booking is over, in the order of provider time; readings and our own
/// calls, which have none, come last.
fn ends(told: &[Told<'_>], read: &[Read<'_>], calls: &[OurCall<'_>], key: &UnitKey) -> Vec<End> {
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
            (None, Some(Party::Booker)) => EndedBy::Booker,
            (None, Some(Party::Host)) => EndedBy::Host,
            (None, None) => EndedBy::Unknown,
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
                by: EndedBy::Unknown,
                provider_time: None,
                heard_at: *heard_at,
                only_read: true,
            });
        }
    }
    ends
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
fn first_end(ends: &[End]) -> Option<End> {
    let ours = ends.iter().find(|end| end.by == EndedBy::Us);
    ours.or_else(|| ends.first()).copied()
}

/// Whether what ended lives again, and, if that must be asked, when to read.
///
/// A confirm may revive what was cancelled or declined (contract §8, flows 29 to 31). If the confirm
/// was ours, it is taken back elsewhere; if not, a person wanted it, and only a reading taken after the
/// provider's state has settled can tell.
fn revival(
    ends: &[End],
    told: &[Told<'_>],
    read: &[Read<'_>],
    calls: &[OurCall<'_>],
    rules: &Rules,
) -> (bool, Option<Timestamp>) {
    let Some(last_heard) = ends
        .iter()
        .filter(|end| !end.only_read)
        .map(|end| end.heard_at)
        .max()
    else {
        return (false, None);
    };
    let settled_at = plus_ms(last_heard, rules.settle_ms);
    let ours = calls.iter().any(|call| {
        call.action == Action::Confirm && plus_ms(call.over_at, rules.settle_ms) >= last_heard
    });
    if ours {
        return (false, None);
    }
    let later_reading = read.iter().rev().find(|(at, _)| *at >= settled_at);
    if let Some((_, reading)) = later_reading {
        return (reading.status == Status::Accepted, None);
    }
    let ended = ends.iter().filter_map(|end| end.provider_time).max();
    let confirmed_after = told
        .iter()
        .any(|(_, event)| stands(event) && event.sent_at.is_some() && event.sent_at > ended);
    (false, confirmed_after.then_some(settled_at))
}

/// Joins moved bookings: who took whose place.
fn link_moves(timeline: &mut Timeline<'_>, events: &[Told<'_>], readings: &[Read<'_>]) {
    // (old, provider time of the move, new, when we heard)
    let mut moves: Vec<(UnitKey, Option<Timestamp>, UnitKey, Timestamp)> = Vec::new();
    for (heard_at, event) in events {
        if let Some(from) = &event.predecessor {
            let seat = UnitKey {
                uid: from.uid.clone(),
                seat: event.seat.clone(),
            };
            let old = if timeline.units.contains_key(&seat) {
                seat
            } else {
                UnitKey::booking(from.uid.clone())
            };
            moves.push((old, event.sent_at, event.unit(), *heard_at));
        }
    }
    for (heard_at, reading) in readings {
        let this = UnitKey::booking(reading.uid.clone());
        if let Some(to) = &reading.moved_to {
            moves.push((this.clone(), None, UnitKey::booking(to.clone()), *heard_at));
        }
        if let Some(from) = &reading.moved_from {
            moves.push((UnitKey::booking(from.clone()), None, this, *heard_at));
        }
    }
    let mut heirs: BTreeMap<UnitKey, (Option<Timestamp>, UnitKey, Timestamp)> = BTreeMap::new();
    for (old, at, new, heard_at) in moves {
        if old.uid == new.uid
            || !timeline.units.contains_key(&old)
            || !timeline.units.contains_key(&new)
        {
            continue;
        }
        // A link that only a reading shows has no time of its own and counts as the latest.
        let rank = |at: Option<Timestamp>| at.unwrap_or(Timestamp::MAX);
        heirs
            .entry(old)
            .and_modify(|(best_at, best, first_heard)| {
                *first_heard = heard_at.min(*first_heard);
                if (rank(at), &new) < (rank(*best_at), &*best) {
                    (*best_at, *best) = (at, new.clone());
                }
            })
            .or_insert((at, new.clone(), heard_at));
    }
    for (old, (_, heir, heard_at)) in heirs {
        if let Some(unit) = timeline.units.get_mut(&heir) {
            unit.forebears.push(old.clone());
        }
        if let Some(unit) = timeline.units.get_mut(&old) {
            unit.standing = Standing::Superseded;
            unit.heir = Some(heir);
            unit.read_at = None;
            unit.gone_heard_at = Some(unit.gone_heard_at.map_or(heard_at, |at| at.min(heard_at)));
        }
    }
}
