//! The stand-in's memory: tables, and the making of ids. Held under one lock that is never kept across an
//! `await`: Cal.com holds none either, which is where most of its weaknesses come from.

use axum::http::{HeaderName, Method, header};
use serde_json::json;

use super::calls::Operation;
use super::refusal::Refusal;
use super::rows::{Booking, BookingRequest, EventType, Seat};
use super::sender::OutgoingWebhook;
use super::webhooks::Webhook;
use super::{Options, Person};
use crate::domain::booking::Status;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{SeatId, Uid};
use crate::standin::ids::Ids;
use crate::standin::world::{self, World};

/// The first numeric booking id.
const FIRST_NUMBER: i64 = 1_000;

/// The letters of a uid: no 0, O, I and l, which people mix up.
const UID_LETTERS: &[u8; 58] = b"123456789abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ";

/// What the handle, the API and the people share.
pub(super) type Shared = world::Shared<State>;

impl Shared {
    /// The event type of a booking.
    pub(super) fn event_type(&self, booking: &Booking) -> &EventType {
        self.options
            .event_types
            .iter()
            .find(|event_type| event_type.id == booking.event_type_id)
            .expect("a booking is made from an event type, and event types never go")
    }

    /// The event type with a slug.
    pub(super) fn event_type_by_slug(&self, slug: &str) -> Result<&EventType, Refusal> {
        self.options
            .event_types
            .iter()
            .find(|event_type| event_type.slug == slug)
            .ok_or_else(|| Refusal::not_found(format!("event type `{slug}` was not found")))
    }
}

/// Cal.com's tables.
pub struct State {
    pub(super) bookings: Vec<Booking>,
    pub(super) webhooks: Vec<Webhook>,
    /// Webhooks made so far, also those that are gone.
    pub(super) webhooks_made: u64,
    pub(super) last_sent_ms: i64,
    ids: Ids,
}

impl World for State {
    type Options = Options;
    type Operation = Operation;
    type Webhook = OutgoingWebhook;

    const WAIT_HEADER: HeaderName = header::RETRY_AFTER;

    fn classify(&self, method: &Method, path: &str) -> (Operation, Option<Uid>) {
        self.asked(method, path)
    }

    fn changes(operation: Operation) -> bool {
        operation.changes()
    }

    fn failure(path: &str, message: &str) -> String {
        let error = json!({ "code": "Error", "message": message });
        json!({ "status": "error", "path": path, "error": error }).to_string()
    }
}

impl State {
    /// Empty tables.
    pub(super) fn new(seed: u64) -> Self {
        Self {
            bookings: Vec::new(),
            webhooks: Vec::new(),
            webhooks_made: 0,
            last_sent_ms: i64::MIN,
            ids: Ids::new(seed),
        }
    }

    /// A booking by uid.
    pub(super) fn find(&self, uid: &Uid) -> Result<&Booking, Refusal> {
        self.bookings
            .iter()
            .find(|booking| booking.uid == *uid)
            .ok_or_else(|| Refusal::unknown_booking(uid))
    }

    /// A booking by uid, to be changed.
    pub(super) fn find_mut(&mut self, uid: &Uid) -> Result<&mut Booking, Refusal> {
        self.bookings
            .iter_mut()
            .find(|booking| booking.uid == *uid)
            .ok_or_else(|| Refusal::unknown_booking(uid))
    }

    /// The booking that took the place of another: the first made, if there are several.
    pub(super) fn successor(&self, uid: &Uid) -> Option<&Booking> {
        self.bookings
            .iter()
            .find(|booking| booking.from_reschedule.as_ref() == Some(uid))
    }

    /// Whether an accepted booking other than `moved` lies in the way. Pending ones block nothing.
    pub(super) fn is_taken(&self, start: Timestamp, end: Timestamp, moved: Option<&Uid>) -> bool {
        self.bookings.iter().any(|booking| {
            booking.status == Status::Accepted
                && booking.start < end
                && start < booking.end
                && Some(&booking.uid) != moved
        })
    }

    /// Adds a row for a new request.
    pub(super) fn insert(
        &mut self,
        request: &BookingRequest,
        event_type: &EventType,
        host: &Person,
        now: Timestamp,
    ) -> &mut Booking {
        let uid = self.new_uid();
        let status = if event_type.requires_confirmation {
            Status::Pending
        } else {
            Status::Accepted
        };
        self.append(Booking {
            number: 0,
            ical_uid: format!("{uid}@Cal.com"),
            uid,
            event_type_id: event_type.id,
            status,
            start: request.start,
            end: event_type.end_of(request.start),
            title: format!(
                "{} between {} and {}",
                event_type.title, host.name, request.booker.name
            ),
            host: None,
            booker: request.booker.clone(),
            guests: request.guests.clone(),
            notes: request.notes.clone(),
            answers: request.answers.clone(),
            metadata: request.metadata.clone(),
            seats: Vec::new(),
            from_reschedule: None,
            rescheduled: false,
            rescheduled_by: None,
            reschedule_reason: None,
            series: None,
            occurrences: 1,
            cancellation_reason: None,
            cancelled_by: None,
            rejection_reason: None,
            ical_sequence: 0,
            absent: Vec::new(),
            created_at: now,
            updated_at: now,
        })
    }

    /// Appends a row and gives it the next number.
    pub(super) fn append(&mut self, mut booking: Booking) -> &mut Booking {
        let row = self.bookings.len();
        booking.number = FIRST_NUMBER + i64::try_from(row).unwrap_or(i64::MAX - FIRST_NUMBER);
        self.bookings.push(booking);
        &mut self.bookings[row]
    }

    /// A seat for somebody.
    pub(super) fn new_seat(&mut self, person: Person) -> Seat {
        Seat {
            id: SeatId::new(self.new_uuid()),
            person,
        }
    }

    /// A booking's text id.
    pub(super) fn new_uid(&mut self) -> Uid {
        let letter = |byte: &u8| char::from(UID_LETTERS[usize::from(*byte) % UID_LETTERS.len()]);
        Uid::new(self.ids.draw()[..22].iter().map(letter).collect::<String>())
    }

    /// A UUID: of a seat, a series, or a one-time password.
    pub(super) fn new_uuid(&mut self) -> String {
        self.ids.uuid()
    }
}
