//! The parts that bodies and answers are made of: spellings of times and states, people, answers.

use jiff::tz::{Offset, TimeZone};
use serde_json::{Map, Value, json};

use super::Person;
use super::rows::{Booking, Place};
use crate::domain::booking::Status;
use crate::domain::clock::Timestamp;

/// The booker's metadata and the meeting link.
pub(super) fn row_metadata(booking: &Booking, place: &Place) -> Map<String, Value> {
    let own = booking.metadata.iter();
    let mut metadata: Map<_, _> = own
        .map(|(key, value)| (key.clone(), json!(value)))
        .collect();
    if let Some(url) = place.link() {
        metadata.insert("videoCallUrl".to_owned(), json!(url));
    }
    metadata
}

/// The answers as the row stores them: bare values, the place by its kind.
pub(super) fn row_responses(booking: &Booking, place: &Place) -> Map<String, Value> {
    let mut answers = Map::new();
    extend(
        &mut answers,
        json!({
            "name": booking.booker.name,
            "email": booking.booker.email,
            "guests": booking.guests,
            "location": { "value": place.kind(), "optionValue": "" },
        }),
    );
    if let Some(notes) = &booking.notes {
        extend(&mut answers, json!({ "notes": notes }));
    }
    if let Some(reason) = &booking.reschedule_reason {
        extend(&mut answers, json!({ "rescheduleReason": reason }));
    }
    for (name, value) in &booking.answers {
        answers.insert(name.clone(), value.clone());
    }
    answers
}

/// The host's name in addresses.
pub(super) fn username(host: &Person) -> &str {
    host.email.split('@').next().unwrap_or_default()
}

/// `2027-03-01T10:00:00Z`
pub(super) fn seconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// `2027-03-01T10:00:00.000Z`
pub(super) fn milliseconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// `2027-03-01T10:00:00+00:00`, in the zone the server runs in.
pub(super) fn in_server_zone(time: Timestamp, offset: Offset) -> String {
    let local = time.to_zoned(TimeZone::fixed(offset));
    local.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

/// A state as webhooks and v1 spell it.
pub(super) fn upper(status: Status) -> String {
    status.as_str().to_uppercase()
}

/// Moves the fields of an object into another.
pub(super) fn extend(body: &mut Map<String, Value>, more: Value) {
    if let Value::Object(fields) = more {
        body.extend(fields);
    }
}

/// One answer of the booking page: a field left empty has no value, a stored one is never hidden.
pub(super) fn field(label: &str, value: Option<Value>, is_hidden: Option<bool>) -> Value {
    let mut field = Map::new();
    field.insert("label".to_owned(), json!(label));
    if let Some(value) = value {
        field.insert("value".to_owned(), value);
    }
    if let Some(is_hidden) = is_hidden {
        field.insert("isHidden".to_owned(), json!(is_hidden));
    }
    Value::Object(field)
}

/// Somebody who comes, as the booking page's request has them.
pub(super) fn requested_attendee(person: &Person, at: Timestamp) -> Value {
    json!({
        "email": person.email,
        "name": person.name,
        "firstName": "",
        "lastName": "",
        "timeZone": person.time_zone,
        "language": { "locale": person.locale },
        "utcOffset": utc_offset_min(person, at),
    })
}

/// Somebody who comes, as the row has them.
pub(super) fn stored_attendee(person: &Person, at: Timestamp) -> Value {
    json!({
        "name": person.name,
        "email": person.email,
        "timeZone": person.time_zone,
        "phoneNumber": null,
        "language": { "locale": person.locale },
        "utcOffset": utc_offset_min(person, at),
    })
}

/// Minutes by which the person's clock is ahead of UTC at that time.
pub(super) fn utc_offset_min(person: &Person, at: Timestamp) -> i32 {
    let zone = TimeZone::get(&person.time_zone).unwrap_or(TimeZone::UTC);
    zone.to_offset(at).seconds() / 60
}
