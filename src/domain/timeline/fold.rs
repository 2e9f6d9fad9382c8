//! The fold itself: for each booking, what the facts about it amount to.

use super::ends::{OurCall, ends, first_end, our_calls, revival};
use super::moves::link_moves;
use super::{AcceptedBy, Ask, AskedBy, Created, EndedBy, Rules, Standing, Timeline, Unit};
use crate::domain::booking::{Details, Party, Reading, Status};
use crate::domain::chain::{ChainRecord, Closed, Command, FactBody};
use crate::domain::clock::{Timestamp, plus_ms};
use crate::domain::decision::Action;
use crate::domain::event::{BookingEvent, EventKind};
use crate::domain::ids::{Uid, UnitKey};

/// An event with the time we received it.
pub(super) type Told<'a> = (Timestamp, &'a BookingEvent);
/// A reading with the time we took it.
pub(super) type Read<'a> = (Timestamp, &'a Reading);

impl<'a> Timeline<'a> {
    /// Folds everything known about a chain. The record must carry final names
    /// ([`super::with_final_names`]).
    pub fn fold(record: &'a ChainRecord, rules: &Rules) -> Self {
        let mut events: Vec<Told<'a>> = Vec::new();
        let mut readings: Vec<Read<'a>> = Vec::new();
        let mut missing: Vec<&Uid> = Vec::new();
        let mut closed: Vec<&Closed> = Vec::new();
        for fact in &record.facts {
            match &fact.body {
                FactBody::Event(event) => events.push((fact.received_at, event)),
                FactBody::Reading(reading) => readings.push((fact.received_at, reading)),
                FactBody::Missing { uid } => missing.push(uid),
                FactBody::Closed(left) => closed.push(left),
            }
        }
        // Provider time, then kind, then content: an order that receiving cannot influence.
        events.sort_by(|(_, a), (_, b)| {
            let order =
                |event: &'a BookingEvent| (event.sent_at, event.kind, event.taken_back, &event.uid);
            order(a).cmp(&order(b))
        });
        readings.sort_by_key(|(at, _)| *at);

        let mut timeline = Self::default();
        for key in unit_keys(&events, &readings, &closed) {
            let mut unit = fold_unit(&key, &events, &readings, &record.commands, rules);
            if missing.contains(&&key.uid) {
                // Asking again will not tell more.
                unit.was_read = true;
                unit.move_was_read = true;
                unit.read_at = None;
            }
            if let Some(left) = closed.iter().find(|left| left.unit == key) {
                unit = close(unit, left);
            }
            timeline.units.insert(key, unit);
        }
        link_moves(&mut timeline, &events, &readings, rules);
        timeline
    }
}

/// Every booking and seat that is spoken of. An end without a seat speaks of all seats of its booking
/// and makes a unit of its own only where nothing else is known.
fn unit_keys(events: &[Told<'_>], readings: &[Read<'_>], closed: &[&Closed]) -> Vec<UnitKey> {
    let mut keys: Vec<UnitKey> = closed.iter().map(|left| left.unit.clone()).collect();
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
        if let Some(to) = &event.successor {
            whole.push(UnitKey::booking(to.clone()));
        }
    }
    for (_, reading) in readings {
        keys.extend(only_seat(reading, events));
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

/// The seat that a reading of a shared booking is about, if one is taken: its holder is who asks. A webhook
/// that names no seat speaks of the booking as a whole, and then so does this.
fn only_seat(reading: &Reading, events: &[Told<'_>]) -> Option<UnitKey> {
    let [seat] = reading.seats.as_deref()? else {
        return None;
    };
    let whole = |event: &BookingEvent| {
        let ends = matches!(event.kind, EventKind::Cancelled | EventKind::Rejected);
        event.uid == reading.uid && event.seat.is_none() && names_times(event) && !ends
    };
    let spoken_of = events.iter().any(|(_, event)| whole(event));
    (reading.details.is_some() && !spoken_of).then(|| UnitKey {
        uid: reading.uid.clone(),
        seat: Some(seat.clone()),
    })
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
    let moved_by = moved_by(key, events, readings);
    let accepted = accepted_by(&told, &read, &calls, moved_by, rules);
    let ends = ends(&told, &read, &calls, key);
    let (revived, read_at) = revival(&ends, &told, &read, &calls, rules);
    let status = if let (Some(end), false) = (first_end(&ends), revived) {
        Some(end.status)
    } else if accepted.is_some() || revived {
        Some(Status::Accepted)
    } else {
        waiting(&told, &read)
    };
    // It was brought back by hand, whatever it had been.
    let accepted = if revived {
        Some(AcceptedBy::Host)
    } else {
        accepted
    };
    let mut marks = told
        .iter()
        .filter(|(_, event)| event.kind == EventKind::NoShow)
        .map(|(_, event)| !event.taken_back);
    let (marked, missed) = (marks.clone().any(|mark| mark), marks.next_back());
    let asking = asking(&told, &read, accepted, moved_by, rules);
    let nothing_asks = !told.iter().any(|(_, event)| asks(event));
    let only_its_end = nothing_asks && rules.provider.stands_at_once && read.is_empty();
    let read_at = read_at.or_else(|| {
        // Its beginning is late or lost, and with it what it is about and what it costs.
        let end = first_end(&ends).filter(|_| only_its_end)?;
        Some(plus_ms(end.heard_at, rules.settle_ms))
    });
    Unit {
        key: key.clone(),
        number: told
            .iter()
            .find_map(|(_, event)| event.number)
            .or_else(|| read.iter().find_map(|(_, reading)| reading.number)),
        standing: status.map_or(Standing::Unknown, Standing::At),
        details: details(
            asking.as_ref().and_then(|(_, details)| *details),
            &told,
            &read,
        ),
        ask: asking.map(|(ask, _)| ask),
        accepted,
        end: first_end(&ends),
        heir: None,
        forebears: Vec::new(),
        moved_by,
        gone_heard_at: ends
            .iter()
            .filter(|end| end.by != EndedBy::Us)
            .map(|end| end.heard_at)
            .min(),
        series: read
            .iter()
            .find_map(|(_, reading)| reading.series.as_deref()),
        was_read: !read.is_empty(),
        move_was_read: false,
        read_at,
        last_asked_at: told
            .iter()
            .filter(|(_, event)| asks(event))
            .map(|(at, _)| *at)
            .max(),
        missed: missed.unwrap_or_default(),
        marked,
        lapsed: status.is_some_and(waits) && read_waiting_after_all(&read, &calls),
        closed: false,
    }
}

fn waits(status: Status) -> bool {
    matches!(status, Status::Pending | Status::PendingPayment)
}

/// Whether a look after its end, and after all that we asked for, still found it waiting.
fn read_waiting_after_all(read: &[Read<'_>], calls: &[OurCall<'_>]) -> bool {
    read.iter().any(|(at, reading)| {
        waits(reading.status) && *at > reading.end && calls.iter().all(|call| call.over_at < *at)
    })
}

/// What the booking is about: as the event that asks has it, else the latest that tells. A reading may
/// know more of the event type.
fn details<'a>(
    asking: Option<&'a Details>,
    told: &[Told<'a>],
    read: &[Read<'a>],
) -> Option<&'a Details> {
    let by_event = || {
        let events = told.iter().rev();
        events
            .map(|(_, event)| *event)
            .find_map(|event| event.details.as_deref())
    };
    let all_read = read.iter().rev().map(|(_, reading)| *reading);
    let mut all_read = all_read.filter_map(|reading| reading.details.as_deref());
    match asking.or_else(by_event) {
        Some(told) if told.event_type_slug.is_none() => Some(
            all_read
                .find(|read| read.event_type_slug.is_some())
                .unwrap_or(told),
        ),
        Some(told) => Some(told),
        None => all_read.next(),
    }
}

/// Who moved another booking here: the new half may tell, or the old one, or a look at the old one.
fn moved_by(key: &UnitKey, events: &[Told<'_>], readings: &[Read<'_>]) -> Option<Party> {
    let new = events
        .iter()
        .filter(|(_, event)| {
            let moves = matches!(event.kind, EventKind::Rescheduled | EventKind::Requested);
            moves && event.uid == key.uid
        })
        .find_map(|(_, event)| event.moved_by);
    let old = || {
        let halves = events.iter().map(|(_, event)| *event);
        halves
            .filter(|event| event.successor.as_ref() == Some(&key.uid))
            .find_map(|event| event.moved_by)
    };
    let seen = || {
        let looks = readings.iter().map(|(_, reading)| *reading);
        looks
            .filter(|reading| reading.moved_to.as_ref() == Some(&key.uid))
            .find_map(|reading| reading.moved_by)
    };
    new.or_else(old).or_else(seen)
}

/// A closed booking asks for nothing and has not come to any end that could still matter. Only what it
/// is about may be shown.
fn close<'a>(told: Unit<'a>, left: &Closed) -> Unit<'a> {
    Unit {
        number: told.number.or(left.number),
        standing: left.standing,
        ask: None,
        accepted: None,
        end: None,
        gone_heard_at: None,
        read_at: None,
        last_asked_at: None,
        closed: true,
        ..told
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

pub(super) fn stands(event: &BookingEvent) -> bool {
    matches!(event.kind, EventKind::Created | EventKind::Rescheduled)
        || event.status == Some(Status::Accepted)
}

/// Whether and by whom the booking was ever accepted.
fn accepted_by(
    told: &[Told<'_>],
    read: &[Read<'_>],
    calls: &[OurCall<'_>],
    moved_by: Option<Party>,
    rules: &Rules,
) -> Option<AcceptedBy> {
    let confirms = calls.iter().filter(|call| call.action == Action::Confirm);
    let (mut sent, mut done) = (false, false);
    for call in confirms {
        sent = true;
        done |= call.certain;
    }
    let doubted = read_pending_after_created(told, read);
    let told_so = told
        .iter()
        .any(|(_, event)| stands(event) && !(doubted && is_plain_created(event)));
    let read_so = read
        .iter()
        .any(|(_, reading)| reading.status == Status::Accepted);
    let ended_so = rules.provider.stands_at_once
        && (told
            .iter()
            .any(|(_, event)| event.kind == EventKind::Cancelled)
            || !read.is_empty());
    if !(done || told_so || read_so || ended_so) {
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
            || (event.kind == EventKind::Rescheduled && moved_by == Some(Party::Host))
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

/// A new booking, not the confirm of one.
fn is_plain_created(event: &BookingEvent) -> bool {
    event.kind == EventKind::Created && !event.after_confirm
}

/// Old servers tell every new booking as created and accepted, also one that waits for its host: then
/// the row knows better, and copies of the webhook that come later change nothing.
fn read_pending_after_created(told: &[Told<'_>], read: &[Read<'_>]) -> bool {
    let asked_first = told
        .iter()
        .any(|(_, event)| event.kind == EventKind::Requested);
    let created = told.iter().filter(|(_, event)| is_plain_created(event));
    let Some(heard_at) = created.map(|(at, _)| *at).min() else {
        return false;
    };
    !asked_first
        && read
            .iter()
            .any(|(at, reading)| *at >= heard_at && reading.status == Status::Pending)
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
    moved_by: Option<Party>,
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
        event.kind == EventKind::Rescheduled && moved_by == Some(Party::Host)
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
    let at_once = rules.provider.stands_at_once;
    let decided =
        rules.created == Created::Decide && (told.is_empty() || at_once) || host_confirmed;
    let (at, reading) = read.iter().find(|(_, reading)| {
        reading.details.is_some()
            && match reading.status {
                Status::Pending => true,
                Status::Accepted => decided,
                Status::Cancelled => decided && at_once && reading.moved_to.is_none(),
                _ => false,
            }
    })?;
    let ask = Ask {
        by: match moved_by {
            Some(Party::Host) => AskedBy::HostMove,
            _ => asked_by(AskedBy::Booker),
        },
        provider_time: reading.created_at,
        heard_at: *at,
    };
    Some((ask, reading.details.as_deref()))
}
