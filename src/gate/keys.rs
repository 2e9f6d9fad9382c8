//! The names by which a chain may be found: every id that an event or a reading mentions. Two chains
//! that share one are one.

use crate::domain::booking::Reading;
use crate::domain::event::BookingEvent;
use crate::domain::ids::Uid;

fn uid(keys: &mut Vec<String>, uid: &Uid) {
    // A booking of which only the number is known has no other name.
    if uid.as_str().starts_with("id:") {
        keys.push(uid.as_str().to_owned());
    } else {
        keys.push(format!("uid:{uid}"));
    }
}

fn number(keys: &mut Vec<String>, number: Option<i64>) {
    keys.extend(number.map(|number| Uid::from_number(number).to_string()));
}

/// The names in an event.
pub(super) fn of_event(event: &BookingEvent) -> Vec<String> {
    let mut keys = Vec::with_capacity(4);
    uid(&mut keys, &event.uid);
    number(&mut keys, event.number);
    if let Some(from) = &event.predecessor {
        uid(&mut keys, &from.uid);
        number(&mut keys, from.number);
    }
    if let Some(to) = &event.successor {
        uid(&mut keys, to);
    }
    keys.dedup();
    keys
}

/// The names in a reading.
pub(super) fn of_reading(reading: &Reading) -> Vec<String> {
    let mut keys = Vec::with_capacity(4);
    uid(&mut keys, &reading.uid);
    number(&mut keys, reading.number);
    for link in [&reading.moved_from, &reading.moved_to]
        .into_iter()
        .flatten()
    {
        uid(&mut keys, link);
    }
    keys.extend(reading.series.as_ref().map(|id| format!("series:{id}")));
    keys.dedup();
    keys
}
