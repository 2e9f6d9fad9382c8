//! The stand-in's memory: tables, logs, and the making of ids. Held under one lock that is never kept
//! across an `await`: Cal.com holds none either, which is where most of its weaknesses come from.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sha2::{Digest, Sha256};

use super::calls::ApiCall;
use super::faults::Armed;
use super::refusal::Refusal;
use super::rows::{Booking, BookingRequest, EventType, Person, Seat, Subscription};
use super::sender::OutgoingWebhook;
use super::{Delivery, Options};
use crate::domain::booking::Status;
use crate::domain::clock::{Clock, Timestamp};
use crate::domain::ids::{SeatId, Uid};

/// The first numeric booking id.
const FIRST_NUMBER: i64 = 1_000;

/// Most calls and most held webhooks that are kept; the oldest go first.
pub(super) const KEPT_MAX: usize = 100_000;

/// The letters of a uid: no 0, O, I and l, which people mix up.
const UID_LETTERS: &[u8; 58] = b"123456789abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ";

/// What the handle, the API and the people share.
pub(super) struct Shared {
    state: Mutex<State>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) options: Options,
}

impl Shared {
    pub(super) fn new(clock: Arc<dyn Clock>, options: Options) -> Self {
        let state = State {
            bookings: Vec::new(),
            subscriptions: Vec::new(),
            delivery: options.delivery,
            outbox: VecDeque::new(),
            calls: VecDeque::new(),
            calls_seen: 0,
            faults: Vec::new(),
            last_sent_ms: i64::MIN,
            ids_drawn: 0,
            seed: options.seed,
        };
        Self {
            state: Mutex::new(state),
            clock,
            options,
        }
    }

    /// The tables. A panic elsewhere leaves them usable: every change is made in one go.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

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

/// Tables and logs.
pub(super) struct State {
    pub(super) bookings: Vec<Booking>,
    pub(super) subscriptions: Vec<Subscription>,
    pub(super) delivery: Delivery,
    pub(super) outbox: VecDeque<OutgoingWebhook>,
    pub(super) calls: VecDeque<ApiCall>,
    pub(super) calls_seen: u64,
    pub(super) faults: Vec<Armed>,
    pub(super) last_sent_ms: i64,
    ids_drawn: u64,
    seed: u64,
}

impl State {
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
        Uid::new(self.draw()[..22].iter().map(letter).collect::<String>())
    }

    /// A UUID: of a seat, a series, or a one-time password.
    pub(super) fn new_uuid(&mut self) -> String {
        let drawn = self.draw();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&drawn[..16]);
        uuid::Builder::from_random_bytes(bytes)
            .into_uuid()
            .to_string()
    }

    /// The next 32 bytes: the same for the same seed and the same number of draws before.
    fn draw(&mut self) -> [u8; 32] {
        self.ids_drawn += 1;
        let mut digest = Sha256::new();
        digest.update(self.seed.to_be_bytes());
        digest.update(self.ids_drawn.to_be_bytes());
        digest.finalize().into()
    }
}

/// Appends and forgets the oldest beyond [`KEPT_MAX`].
pub(super) fn keep<T>(kept: &mut VecDeque<T>, item: T) {
    if kept.len() == KEPT_MAX {
        kept.pop_front();
    }
    kept.push_back(item);
}
