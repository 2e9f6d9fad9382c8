//! Understands Cal.com's webhooks. The content type is not asked: some versions label JSON as a
//! form. What is said about a body that is not understood never quotes it.

#[cfg(test)]
mod tests;

use super::details::Source;
use super::payload::{self, Envelope, Loose, Payload, Person, Text};
use crate::domain::booking::{Details, Party, Status};
use crate::domain::clock::{Timestamp, plus_ms};
use crate::domain::event::{BookingEvent, EventKind, Predecessor};
use crate::domain::ids::Uid;
use crate::domain::owner::Owner;
use crate::provider::{Parsed, RawDelivery};

/// The longest trigger name taken, in bytes.
const TRIGGER_BYTES_MAX: usize = 64;

const REMOVE_TEMPLATE: &str =
    "remove the custom payload template from this webhook's settings in Cal.com";

/// Understands a delivery.
pub(super) fn parse(delivery: RawDelivery<'_>) -> Parsed {
    understand(delivery.body).unwrap_or_else(Parsed::Unparsed)
}

fn understand(body: &[u8]) -> Result<Parsed, String> {
    let envelope = envelope(body)?;
    let trigger = envelope.trigger_event.text().ok_or_else(|| {
        format!("no `triggerEvent`: not Cal.com's default payload; {REMOVE_TEMPLATE}")
    })?;
    if trigger.len() > TRIGGER_BYTES_MAX || !trigger.bytes().all(is_trigger_byte) {
        return Err("`triggerEvent` is not the name of a trigger".to_owned());
    }
    let Some(kind) = kind(trigger) else {
        return Ok(Parsed::Ignored(trigger.to_owned()));
    };
    let payload = envelope
        .payload
        .0
        .as_ref()
        .ok_or_else(|| format!("{trigger} without a `payload` object; {REMOVE_TEMPLATE}"))?;
    if kind == EventKind::NoShow && someone_missed(payload).is_none() {
        return Ok(Parsed::Ignored(trigger.to_owned()));
    }
    event(kind, trigger, &envelope.created_at, payload).map(|event| Parsed::Event(Box::new(event)))
}

fn envelope(body: &[u8]) -> Result<Envelope<'_>, String> {
    let text = std::str::from_utf8(body).map_err(|error| {
        format!(
            "not UTF-8 text: the first wrong byte is byte {}",
            error.valid_up_to()
        )
    })?;
    if text.trim() == "false" {
        return Err(format!(
            "the body is the bare word `false`, which Cal.com sends when a template gives no valid JSON; {REMOVE_TEMPLATE}"
        ));
    }
    serde_json::from_str(text).map_err(|error| {
        // The error's own text may quote the body.
        let (line, column) = (error.line(), error.column());
        if error.is_data() {
            format!("JSON, but not an object with `triggerEvent` and `payload`; {REMOVE_TEMPLATE}")
        } else {
            format!("not JSON at line {line}, column {column}: the body was cut or comes from a custom payload template")
        }
    })
}

fn is_trigger_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn kind(trigger: &str) -> Option<EventKind> {
    Some(match trigger {
        "BOOKING_REQUESTED" => EventKind::Requested,
        "BOOKING_CREATED" => EventKind::Created,
        "BOOKING_RESCHEDULED" => EventKind::Rescheduled,
        "BOOKING_CANCELLED" => EventKind::Cancelled,
        "BOOKING_REJECTED" => EventKind::Rejected,
        "BOOKING_PAYMENT_INITIATED" => EventKind::PaymentInitiated,
        "BOOKING_PAID" => EventKind::Paid,
        "BOOKING_NO_SHOW_UPDATED" => EventKind::NoShow,
        "BOOKING_LOCATION_UPDATED" => EventKind::LocationUpdated,
        "BOOKING_REASSIGNED" => EventKind::Reassigned,
        _ => return None,
    })
}

/// Whether the event cannot be worked without knowing when the booking starts.
fn needs_start(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::Requested
            | EventKind::Created
            | EventKind::Rescheduled
            | EventKind::PaymentInitiated
    )
}

/// Whether somebody did not come, or did after all: a no-show webhook is also sent when a mark is taken back.
/// `None` if it is about nobody who booked: a host was missing.
fn someone_missed(payload: &Payload<'_>) -> Option<bool> {
    let attendees = payload.attendees.entries();
    attendees.filter_map(|attendee| attendee.no_show.0).max()
}

fn event(
    kind: EventKind,
    trigger: &str,
    created_at: &Loose<Text<'_>>,
    payload: &Payload<'_>,
) -> Result<BookingEvent, String> {
    let number = payload.booking_id.0;
    let uid = payload
        .uid
        .uid()
        .or_else(|| payload.booking_uid.uid())
        .or_else(|| number.map(Uid::from_number))
        .ok_or_else(|| format!("{trigger} with neither `uid` nor `bookingId` that can be used"))?;
    let details = details(payload).map(Box::new);
    if details.is_none() && needs_start(kind) {
        return Err(format!(
            "{trigger} without a usable `startTime` and `endTime` (or `length`)"
        ));
    }
    let predecessor = predecessor(payload);
    let moved_by = predecessor
        .is_some()
        .then(|| party(payload, &payload.rescheduled_by))
        .flatten();
    Ok(BookingEvent {
        kind,
        uid,
        number,
        seat: payload.attendee_seat_id.seat(),
        sent_at: created_at.time(),
        status: status(kind, payload),
        after_confirm: kind == EventKind::Created && has_confirm_shape(payload),
        predecessor,
        successor: None,
        moved_by,
        cancelled_by: party(payload, &payload.cancelled_by),
        reschedule_requested: payload.request_reschedule.0 == Some(true),
        taken_back: kind == EventKind::NoShow && someone_missed(payload) == Some(false),
        reason: payload
            .cancellation_reason
            .kept()
            .or_else(|| payload.rejection_reason.kept()),
        details,
    })
}

/// When payment begins the body says `ACCEPTED`, although the booking is pending.
fn status(kind: EventKind, payload: &Payload<'_>) -> Option<Status> {
    match kind {
        EventKind::PaymentInitiated => Some(Status::PendingPayment),
        _ => payload::status(&payload.status),
    }
}

/// The body of a confirm is built from the database: times with milliseconds and no `iCalUID`. So
/// is the one after a payment that needs no confirm; a price leaves open which of the two it is.
fn has_confirm_shape(payload: &Payload<'_>) -> bool {
    let milliseconds = payload
        .start_time
        .text()
        .is_some_and(|time| time.contains('.'));
    let free = payload.price.0.is_none_or(|price| price == 0.0);
    milliseconds && free && payload.ical_uid.is_none()
}

fn predecessor(payload: &Payload<'_>) -> Option<Predecessor> {
    let number = payload.reschedule_id.0;
    let uid = payload.reschedule_uid.uid();
    Some(Predecessor {
        uid: uid.or_else(|| number.map(Uid::from_number))?,
        number,
    })
}

/// Who has this address: a host (the organizer or one of the team), the booker's side, or nobody
/// who is named here.
fn party(payload: &Payload<'_>, address: &Loose<Text<'_>>) -> Option<Party> {
    let address = Owner::parse(address.text()?).ok()?;
    let is = |person: &Person<'_>| {
        let email = person.email.text().and_then(|text| Owner::parse(text).ok());
        email.as_ref() == Some(&address)
    };
    if hosts(payload).any(is) {
        Some(Party::Host)
    } else if payload.attendees.entries().any(is) {
        Some(Party::Booker)
    } else {
        None
    }
}

/// The organizer, then the team's members.
fn hosts<'p, 'a>(payload: &'p Payload<'a>) -> impl Iterator<Item = &'p Person<'a>> {
    let team = payload.team.0.iter();
    let members = team.flat_map(|team| team.members.entries());
    payload.organizer.0.iter().chain(members)
}

fn details(payload: &Payload<'_>) -> Option<Details> {
    let start = payload.start_time.time()?;
    let end = payload
        .end_time
        .time()
        .or_else(|| end_by_length(start, payload))?;
    let source = Source {
        start,
        end,
        title: &payload.title,
        event_type_id: payload.event_type_id.0,
        // When it was paid, some versions send the title instead: a slug has no white space.
        event_type_slug: payload
            .event_type_slug
            .text()
            .filter(|slug| !slug.contains(char::is_whitespace)),
        responses: payload.responses.0.as_ref(),
        hosts: hosts(payload).map(Person::host).collect(),
        attendees: payload.attendees.entries().collect(),
        guests: Vec::new(),
        metadata: payload.metadata.0.as_ref(),
        location: &payload.location,
        notes: payload.additional_notes.text(),
        seated: payload.seats_per_time_slot.is_some() || payload.attendee_seat_id.text().is_some(),
        recurring: payload.recurring_event.is_some(),
    };
    Some(source.into_details())
}

fn end_by_length(start: Timestamp, payload: &Payload<'_>) -> Option<Timestamp> {
    let minutes = payload.length.0.filter(|minutes| *minutes > 0)?;
    Some(plus_ms(start, minutes.saturating_mul(60_000)))
}
