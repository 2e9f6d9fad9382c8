//! Understands Calendly's webhooks (contract §1.3, §1.4). What is said about a body that is not
//! understood never quotes it. The envelope's own time is not used: it may lie before the event.

#[cfg(test)]
mod tests;

use super::details::{canceller, details};
use super::event_types::EventTypes;
use super::payload::{Envelope, Invitee};
use super::uris;
use crate::domain::event::{BookingEvent, EventKind, Predecessor};
use crate::provider::{Parsed, RawDelivery};

/// The longest name of an event taken, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// Understands a delivery.
pub(super) fn parse(delivery: RawDelivery<'_>, types: &EventTypes) -> Parsed {
    understand(delivery.body, types).unwrap_or_else(Parsed::Unparsed)
}

fn understand(body: &[u8], types: &EventTypes) -> Result<Parsed, String> {
    let envelope = envelope(body)?;
    let name = envelope
        .event
        .text()
        .ok_or("no `event`: this is none of Calendly's webhooks")?;
    if name.len() > NAME_BYTES_MAX || !name.bytes().all(is_name_byte) {
        return Err("`event` is not the name of an event".to_owned());
    }
    if !KNOWN.contains(&name) {
        return Ok(Parsed::Ignored(name.to_owned()));
    }
    let payload = envelope.payload.0.as_ref();
    let invitee = payload.ok_or_else(|| format!("{name} without a `payload` object"))?;
    event(name, invitee, types).map(|event| Parsed::Event(Box::new(event)))
}

/// What is about a booking. `invitee.rescheduled` is in a guide but was never seen; should it come, it
/// is whichever half of the pair its invitee shows.
const KNOWN: [&str; 5] = [
    "invitee.created",
    "invitee.canceled",
    "invitee.rescheduled",
    "invitee_no_show.created",
    "invitee_no_show.deleted",
];

fn envelope(body: &[u8]) -> Result<Envelope<'_>, String> {
    serde_json::from_slice(body).map_err(|error| {
        // The error's own text may quote the body.
        let (line, column) = (error.line(), error.column());
        if error.is_data() {
            "JSON, but not an object with `event` and `payload`".to_owned()
        } else {
            format!("not JSON at line {line}, column {column}: the body was cut")
        }
    })
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_.".contains(&byte)
}

fn event(name: &str, invitee: &Invitee<'_>, types: &EventTypes) -> Result<BookingEvent, String> {
    let uid = invitee.uri.text().and_then(uris::booking);
    let uid = uid.ok_or_else(|| {
        format!("{name} whose `payload.uri` is not …/scheduled_events/ID/invitees/ID")
    })?;
    let old = invitee.old_invitee.text().and_then(uris::booking);
    let new = invitee.new_invitee.text().and_then(uris::booking);
    let cancelled = name == "invitee.canceled"
        || (name == "invitee.rescheduled" && invitee.status.text() == Some("canceled"));
    // The old half of a move: whoever is not told apart from a cancel by it loses the booking.
    let moved_away = cancelled && invitee.rescheduled.0 == Some(true);
    let kind = match (name, cancelled) {
        ("invitee_no_show.created" | "invitee_no_show.deleted", _) => EventKind::NoShow,
        (_, true) if moved_away => EventKind::Moved,
        (_, true) => EventKind::Cancelled,
        (_, false) if old.is_some() => EventKind::Rescheduled,
        (_, false) => EventKind::Created,
    };
    let cancellation = invitee.cancellation.0.as_ref().filter(|_| cancelled);
    let scheduled = invitee.scheduled_event.0.as_ref();
    let details = scheduled.and_then(|event| details(invitee, event, types.slug_of(event)));
    Ok(BookingEvent {
        kind,
        uid,
        number: None,
        seat: None,
        sent_at: invitee.updated_at.time(),
        // A booking stands from the moment it is made.
        status: None,
        after_confirm: false,
        predecessor: old.map(|uid| Predecessor { uid, number: None }),
        successor: new.filter(|_| moved_away),
        moved_by: canceller(cancellation).filter(|_| moved_away),
        cancelled_by: canceller(cancellation).filter(|_| !moved_away),
        reschedule_requested: false,
        taken_back: name == "invitee_no_show.deleted",
        reason: cancellation.and_then(|cancellation| cancellation.reason.kept()),
        details: details.map(Box::new),
    })
}
