//! What the stand-in keeps in its tables: event types, scheduled events, and those who are invited to
//! them. Plain values; nothing here acts.

use crate::domain::clock::{Timestamp, plus_ms};
use crate::domain::ids::Uid;
use crate::standin::Person;

/// Where an appointment takes place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A postal address.
    Physical(String),
    /// Free text, where hosts like to put a link.
    Custom(String),
    /// A meeting room that was made for it: the place is null and the link is elsewhere.
    Conference(String),
}

/// What can be booked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventType {
    /// Its id, a UUID.
    pub uuid: Uid,
    /// The last part of its address.
    pub slug: String,
    /// Name for people.
    pub name: String,
    /// Length of an appointment in minutes.
    pub duration_min: i64,
    /// How many may come at the same time; more than one makes it a group event.
    pub invitees_max: usize,
    /// What is asked, in order.
    pub questions: Vec<String>,
    /// Where.
    pub location: Location,
}

impl EventType {
    /// An event type for one invitee, without questions.
    pub fn new(
        uuid: impl Into<String>,
        slug: impl Into<String>,
        name: impl Into<String>,
        duration_min: i64,
    ) -> Self {
        let slug = slug.into();
        Self {
            uuid: Uid::new(uuid),
            name: name.into(),
            duration_min,
            invitees_max: 1,
            questions: Vec::new(),
            location: Location::Conference(format!("https://rooms.example.net/{slug}")),
            slug,
        }
    }

    /// Up to `invitees_max` people share one scheduled event.
    #[must_use]
    pub fn for_groups_of(mut self, invitees_max: usize) -> Self {
        self.invitees_max = invitees_max;
        self
    }

    /// Asks one more question.
    #[must_use]
    pub fn asking(mut self, question: impl Into<String>) -> Self {
        self.questions.push(question.into());
        self
    }

    /// The end of an appointment that starts at `start`.
    pub(super) fn end_of(&self, start: Timestamp) -> Timestamp {
        plus_ms(start, self.duration_min * 60_000)
    }
}

/// What came along in the address of the booking page. Empty is `null` on the wire.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tracking {
    /// `utm_campaign`
    pub campaign: Option<String>,
    /// `utm_source`
    pub source: Option<String>,
    /// `utm_medium`
    pub medium: Option<String>,
    /// `utm_content`
    pub content: Option<String>,
    /// `utm_term`
    pub term: Option<String>,
    /// `salesforce_uuid`
    pub salesforce_uuid: Option<String>,
}

/// What somebody sends off on the booking page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookingRequest {
    /// Slug of the event type.
    pub event_type: String,
    /// Start of the appointment.
    pub start: Timestamp,
    /// Who books.
    pub person: Person,
    /// Addresses of people brought along.
    pub guests: Vec<String>,
    /// Answers, in the order of the event type's questions. Those left out are not told at all.
    pub answers: Vec<String>,
    /// From the address of the booking page.
    pub tracking: Tracking,
}

impl BookingRequest {
    /// A request with nothing but who, what and when.
    pub fn new(event_type: impl Into<String>, start: Timestamp, person: Person) -> Self {
        Self {
            event_type: event_type.into(),
            start,
            person,
            guests: Vec::new(),
            answers: Vec::new(),
            tracking: Tracking::default(),
        }
    }
}

/// Who acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Actor {
    /// The person who is invited.
    Invitee,
    /// The person whose calendar it is.
    Host,
}

impl Actor {
    /// `canceler_type` on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invitee => "invitee",
            Self::Host => "host",
        }
    }
}

/// How scheduled events and invitees stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// It stands.
    Active,
    /// It was called off, or moved away.
    Canceled,
}

impl Status {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Canceled => "canceled",
        }
    }
}

/// How something was called off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cancellation {
    /// Name of whoever did it.
    pub canceled_by: String,
    /// What they said.
    pub reason: Option<String>,
    /// Which side they are on.
    pub canceler: Actor,
    /// When.
    pub created_at: Timestamp,
}

/// That somebody did not come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoShow {
    /// Its id, a UUID.
    pub uuid: Uid,
    /// When it was said.
    pub created_at: Timestamp,
}

/// An appointment, with one invitee or with several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduledEvent {
    /// Its id, a UUID.
    pub uuid: Uid,
    /// Id of the event type.
    pub event_type: Uid,
    /// Whether it stands.
    pub status: Status,
    /// Start.
    pub start: Timestamp,
    /// End.
    pub end: Timestamp,
    /// Addresses of people whom invitees brought along, and since when.
    pub guests: Vec<(String, Timestamp)>,
    /// How it was called off.
    pub cancellation: Option<Cancellation>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// Somebody's part in a scheduled event. A reschedule makes a new one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitee {
    /// Its id, a UUID.
    pub uuid: Uid,
    /// Id of the scheduled event.
    pub event: Uid,
    /// Who.
    pub person: Person,
    /// Whether it stands.
    pub status: Status,
    /// Whether it was moved away: said of the old one.
    pub rescheduled: bool,
    /// The one it took the place of.
    pub old_invitee: Option<Uid>,
    /// The one that took its place.
    pub new_invitee: Option<Uid>,
    /// How it was called off.
    pub cancellation: Option<Cancellation>,
    /// That the person did not come.
    pub no_show: Option<NoShow>,
    /// Questions and answers, in order.
    pub answers: Vec<(String, String)>,
    /// From the address of the booking page.
    pub tracking: Tracking,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}
