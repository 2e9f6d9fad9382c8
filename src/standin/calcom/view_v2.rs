//! A booking as v2 shows it. It never shows the reason of a decline, and that of a cancel only while the
//! booking is cancelled; the meeting link is left out of the metadata.

use serde_json::{Map, Value, json};

use super::Person;
use super::fields::{extend, milliseconds, row_responses, username};
use super::rows::{Booking, HOST_ID, STRANGER_ID};
use super::state::{Shared, State};
use crate::domain::booking::Status;

/// The object in `data`.
pub(super) fn view(shared: &Shared, state: &State, booking: &Booking) -> Value {
    let event_type = shared.event_type(booking);
    let host = shared.host_of(booking);
    let mut view = Map::new();
    extend(
        &mut view,
        json!({
            "id": booking.number,
            "uid": booking.uid,
            "title": booking.title,
            "description": booking.notes.as_deref().unwrap_or_default(),
            "hosts": [{
                "id": if booking.host.is_some() { STRANGER_ID } else { HOST_ID },
                "name": host.name,
                "email": host.email,
                "username": username(host),
            }],
            "status": booking.status.as_str(),
            "start": milliseconds(booking.start),
            "end": milliseconds(booking.end),
            "duration": event_type.length_min,
            "eventType": { "id": event_type.id, "slug": event_type.slug },
            "eventTypeId": event_type.id,
            "location": event_type.place.text(),
            "meetingUrl": event_type.place.text(),
            "absentHost": false,
            "createdAt": milliseconds(booking.created_at),
            "updatedAt": milliseconds(booking.updated_at),
            "rating": null,
            "icsUid": booking.ical_uid,
            "metadata": booking.metadata,
        }),
    );
    extend(&mut view, people(shared, booking));
    extend(&mut view, history(state, booking));
    Value::Object(view)
}

/// Who comes, and what they answered. Of a shared booking, everyone by seat.
fn people(shared: &Shared, booking: &Booking) -> Value {
    let responses = row_responses(booking, &shared.event_type(booking).place);
    if booking.seats.is_empty() {
        return json!({
            "attendees": [attendee(booking, &booking.booker)],
            "guests": booking.guests,
            "bookingFieldsResponses": responses,
        });
    }
    let seated: Vec<_> = booking
        .seats
        .iter()
        .map(|seat| {
            let person = &seat.person;
            let mut view = attendee(booking, person);
            view["seatUid"] = json!(seat.id);
            view["metadata"] = json!({});
            view["bookingFieldsResponses"] = json!({ "name": person.name, "email": person.email });
            view
        })
        .collect();
    json!({ "attendees": seated })
}

fn attendee(booking: &Booking, person: &Person) -> Value {
    json!({
        "name": person.name,
        "email": person.email,
        "timeZone": person.time_zone,
        "language": person.locale,
        "absent": booking.absent.contains(&person.email),
    })
}

/// Where it came from, where it went, why it is over: only the keys that have something to say.
fn history(state: &State, booking: &Booking) -> Value {
    let mut view = Map::new();
    let mut put = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            view.insert(key.to_owned(), value);
        }
    };
    let text = |text: &Option<String>| text.as_ref().map(|text| json!(text));
    put(
        "rescheduledFromUid",
        booking.from_reschedule.as_ref().map(|uid| json!(uid)),
    );
    if booking.rescheduled {
        let successor = state.successor(&booking.uid);
        put(
            "rescheduledToUid",
            successor.map(|booking| json!(booking.uid)),
        );
        put("rescheduledByEmail", text(&booking.rescheduled_by));
    }
    if booking.status == Status::Cancelled {
        put("cancellationReason", text(&booking.cancellation_reason));
        put("cancelledByEmail", text(&booking.cancelled_by));
    }
    put("recurringBookingUid", text(&booking.series));
    Value::Object(view)
}
