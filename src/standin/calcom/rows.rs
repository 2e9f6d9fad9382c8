//! What the stand-in keeps in its tables: event types, people, bookings, webhook subscriptions. Plain
//! values; nothing here acts.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::domain::booking::Status;
use crate::domain::clock::{Timestamp, plus_ms};
use crate::domain::ids::{SeatId, Uid};
use crate::standin::Person;

/// The host's numeric user id.
pub(super) const HOST_ID: i64 = 1;
/// The numeric user id of whoever has another calendar.
pub(super) const STRANGER_ID: i64 = 2;

/// Where an appointment takes place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A meeting link; it becomes `metadata.videoCallUrl`.
    Link(String),
    /// A postal address.
    InPerson(String),
}

impl Place {
    /// The link or the address.
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Link(text) | Self::InPerson(text) => text,
        }
    }

    /// The word the booking's row stores instead of the text.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Link(_) => "link",
            Self::InPerson(_) => "inPerson",
        }
    }

    /// The meeting link, if it is one.
    pub(super) fn link(&self) -> Option<&str> {
        match self {
            Self::Link(url) => Some(url),
            Self::InPerson(_) => None,
        }
    }
}

/// What can be booked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventType {
    /// Numeric id.
    pub id: i64,
    /// The last part of its address; webhooks call it `type`.
    pub slug: String,
    /// Title for people.
    pub title: String,
    /// Text for people; may be empty.
    pub description: String,
    /// Length of an appointment in minutes.
    pub length_min: i64,
    /// Whether a booking waits for the host's answer.
    pub requires_confirmation: bool,
    /// How many may share one slot, if it is shared.
    pub seats: Option<usize>,
    /// Where.
    pub place: Place,
}

impl EventType {
    /// An event type whose bookings are accepted at once, for one person, by link.
    pub fn new(
        id: i64,
        slug: impl Into<String>,
        title: impl Into<String>,
        length_min: i64,
    ) -> Self {
        let slug = slug.into();
        Self {
            id,
            title: title.into(),
            description: String::new(),
            length_min,
            requires_confirmation: false,
            seats: None,
            place: Place::Link(format!("https://meet.example.net/{slug}")),
            slug,
        }
    }

    /// Its bookings wait for the host's answer.
    #[must_use]
    pub fn requiring_confirmation(mut self) -> Self {
        self.requires_confirmation = true;
        self
    }

    /// Up to `seats` people share one slot; booked with `StandIn::book_seat`.
    #[must_use]
    pub fn with_seats(mut self, seats: usize) -> Self {
        self.seats = Some(seats);
        self
    }

    /// The end of an appointment that starts at `start`.
    pub(super) fn end_of(&self, start: Timestamp) -> Timestamp {
        plus_ms(start, self.length_min * 60_000)
    }
}

/// What a booker sends off on the booking page.
#[derive(Debug, Clone, PartialEq)]
pub struct BookingRequest {
    /// Slug of the event type.
    pub event_type: String,
    /// Start of the appointment.
    pub start: Timestamp,
    /// Who books.
    pub booker: Person,
    /// Addresses of people brought along.
    pub guests: Vec<String>,
    /// Notes for the host.
    pub notes: Option<String>,
    /// Answers to the event type's own questions.
    pub answers: BTreeMap<String, Value>,
    /// `metadata[key]=value` from the booking page's address.
    pub metadata: BTreeMap<String, String>,
}

impl BookingRequest {
    /// A request with nothing but who, what and when.
    pub fn new(event_type: impl Into<String>, start: Timestamp, booker: Person) -> Self {
        Self {
            event_type: event_type.into(),
            start,
            booker,
            guests: Vec::new(),
            notes: None,
            answers: BTreeMap::new(),
            metadata: BTreeMap::new(),
        }
    }
}

/// One taken seat of a shared booking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seat {
    /// The seat's id, a UUID.
    pub id: SeatId,
    /// Who sits there.
    pub person: Person,
}

/// A row of the booking table.
#[derive(Debug, Clone, PartialEq)]
pub struct Booking {
    /// Numeric id.
    pub number: i64,
    /// Text id of 22 letters and digits.
    pub uid: Uid,
    /// Id of the event type.
    pub event_type_id: i64,
    /// State; never `PendingPayment` here.
    pub status: Status,
    /// Start.
    pub start: Timestamp,
    /// End.
    pub end: Timestamp,
    /// Title for people.
    pub title: String,
    /// Whose calendar it is on, if it is somebody else's: then the account's owner is who booked.
    pub host: Option<Person>,
    /// Who booked. Of a shared booking: who took the first seat.
    pub booker: Person,
    /// Addresses of people brought along.
    pub guests: Vec<String>,
    /// The booker's notes.
    pub notes: Option<String>,
    /// Answers to the event type's own questions.
    pub answers: BTreeMap<String, Value>,
    /// What the booker put into the booking page's address.
    pub metadata: BTreeMap<String, String>,
    /// Taken seats; empty unless the event type is shared.
    pub seats: Vec<Seat>,
    /// The booking this one replaced.
    pub from_reschedule: Option<Uid>,
    /// Whether it was moved away, or the booker was asked to move it.
    pub rescheduled: bool,
    /// Address of whoever moved it away.
    pub rescheduled_by: Option<String>,
    /// Why this booking was moved here, as the mover wrote it.
    pub reschedule_reason: Option<String>,
    /// The series it belongs to.
    pub series: Option<String>,
    /// How many occurrences the series was booked with; 1 outside a series.
    pub occurrences: usize,
    /// Reason of a cancel. A moved booking stores the reason of the move here: Cal.com does.
    pub cancellation_reason: Option<String>,
    /// Address of whoever cancelled, where it was told.
    pub cancelled_by: Option<String>,
    /// Reason of a decline. Stays when the booking is confirmed later.
    pub rejection_reason: Option<String>,
    /// Calendar id; a moved booking inherits it.
    pub ical_uid: String,
    /// Calendar revision.
    pub ical_sequence: i64,
    /// Addresses of those marked as not having come.
    pub absent: Vec<String>,
    /// When the row was made.
    pub created_at: Timestamp,
    /// When the row was last changed.
    pub updated_at: Timestamp,
}

impl Booking {
    /// Everybody who is expected beside the host: booker and guests, or those who have a seat.
    pub(super) fn attendees(&self, seat: Option<&SeatId>) -> Vec<Person> {
        if self.seats.is_empty() {
            let guest = |email: &String| Person {
                name: String::new(),
                email: email.clone(),
                ..self.booker.clone()
            };
            let guests = self.guests.iter().map(guest);
            return std::iter::once(self.booker.clone()).chain(guests).collect();
        }
        self.seats
            .iter()
            .filter(|taken| seat.is_none_or(|wanted| taken.id == *wanted))
            .map(|taken| taken.person.clone())
            .collect()
    }

    /// Whether the seat is one of this booking's.
    pub(super) fn has_seat(&self, seat: &SeatId) -> bool {
        self.seats.iter().any(|taken| taken.id == *seat)
    }
}

/// What happened, as a webhook names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Trigger {
    /// `BOOKING_REQUESTED`
    Requested,
    /// `BOOKING_CREATED`
    Created,
    /// `BOOKING_RESCHEDULED`
    Rescheduled,
    /// `BOOKING_REJECTED`
    Rejected,
    /// `BOOKING_CANCELLED`
    Cancelled,
    /// `BOOKING_NO_SHOW_UPDATED`
    NoShowUpdated,
}

impl Trigger {
    /// All that the stand-in sends.
    pub const ALL: [Self; 6] = [
        Self::Requested,
        Self::Created,
        Self::Rescheduled,
        Self::Rejected,
        Self::Cancelled,
        Self::NoShowUpdated,
    ];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "BOOKING_REQUESTED",
            Self::Created => "BOOKING_CREATED",
            Self::Rescheduled => "BOOKING_RESCHEDULED",
            Self::Rejected => "BOOKING_REJECTED",
            Self::Cancelled => "BOOKING_CANCELLED",
            Self::NoShowUpdated => "BOOKING_NO_SHOW_UPDATED",
        }
    }
}

/// Who wants to hear of what. The same address may be subscribed more than once (as by a user and by
/// an event type); each subscription gets its own copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Where to send; `http://` only.
    pub url: String,
    /// Key of the signature. Without one the header says `no-secret-provided`.
    pub secret: Option<String>,
    /// What to send.
    pub triggers: Vec<Trigger>,
}

impl Subscription {
    /// Everything, signed with `secret`.
    pub fn to_everything(url: impl Into<String>, secret: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            secret: Some(secret.into()),
            triggers: Trigger::ALL.to_vec(),
        }
    }
}
