//! What is known of a booking: who, when, for what, and the state the provider says it is in.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::clock::Timestamp;
use super::ids::{SeatId, Uid};
use super::owner::Owner;
use super::phone::Phone;

/// The state of a booking at the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Waits for payment; nobody is asked yet.
    PendingPayment,
    /// Waits for an answer.
    Pending,
    /// Stands.
    Accepted,
    /// Was declined while pending.
    Rejected,
    /// Was called off.
    Cancelled,
}

impl Status {
    /// The state as it is written in answers and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PendingPayment => "pending_payment",
            Self::Pending => "pending",
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether the booking is over: rejected or cancelled.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Rejected | Self::Cancelled)
    }
}

/// Who did something to a booking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Party {
    /// The person who booked.
    Booker,
    /// The person whose calendar it is, or someone acting for them.
    Host,
}

/// What the booker answered to one question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Answer {
    /// One text; numbers and booleans are written as text.
    Text(String),
    /// Several texts.
    Many(Vec<String>),
}

/// The person who booked.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Booker {
    /// The address, normalised. `None` if the provider named none that is an address.
    pub email: Option<Owner>,
    /// The name as typed; untrusted.
    pub name: String,
    /// IANA time zone, as the provider says.
    pub time_zone: Option<String>,
    /// Language tag, such as `en`.
    pub locale: Option<String>,
    /// The phone number, if the provider named one that has its country code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<Phone>,
}

/// A person whose calendar it is, as far as the provider names them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Host {
    /// The address, normalised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<Owner>,
    /// The name in the host's booking link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The provider's own id: a number or an address of its API, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

impl Host {
    /// Whether anything is known of them.
    pub fn is_named(&self) -> bool {
        self.email.is_some() || self.username.is_some() || self.id.is_some()
    }
}

/// What a booking is about. Every text comes from strangers: never trusted, never logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    /// Start of the appointment.
    pub start: Timestamp,
    /// End of the appointment.
    pub end: Timestamp,
    /// The title the provider gives it.
    pub title: String,
    /// The event type's numeric id, if it has one.
    pub event_type_id: Option<i64>,
    /// The event type's slug.
    pub event_type_slug: Option<String>,
    /// Whatever else a policy may call the event type by: its address, its title.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub event_type_aliases: Vec<String>,
    /// Who booked.
    pub booker: Booker,
    /// Whose calendar it is; several where a team receives. Empty if the provider names nobody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<Host>,
    /// Further people the booker invited, normalised; those without an address are left out.
    pub guests: Vec<Owner>,
    /// Answers by field name. Fields without a value are absent.
    pub answers: BTreeMap<String, Answer>,
    /// Metadata, values as text (booker-supplied in part).
    pub metadata: BTreeMap<String, String>,
    /// Where it takes place.
    pub location: Option<String>,
    /// The booker's notes.
    pub notes: Option<String>,
    /// Whether several people share one booking, each with a seat.
    pub seated: bool,
    /// Whether it is one occurrence of a series.
    pub recurring: bool,
}

impl Details {
    /// A booking of which nothing else is known than when it is.
    pub fn between(start: Timestamp, end: Timestamp) -> Self {
        Self {
            start,
            end,
            title: String::new(),
            event_type_id: None,
            event_type_slug: None,
            event_type_aliases: Vec::new(),
            booker: Booker::default(),
            hosts: Vec::new(),
            guests: Vec::new(),
            answers: BTreeMap::new(),
            metadata: BTreeMap::new(),
            location: None,
            notes: None,
            seated: false,
            recurring: false,
        }
    }

    /// What the event type is called: its slug, or its id where it has none.
    pub fn event_type_name(&self) -> Option<String> {
        let id = || self.event_type_id.map(|id| id.to_string());
        self.event_type_slug.clone().or_else(id)
    }

    /// Length in whole minutes, never negative.
    pub fn length_min(&self) -> i64 {
        (self.end.as_second() - self.start.as_second()).max(0) / 60
    }
}

/// What one read of the provider's API says of one booking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// The booking.
    pub uid: Uid,
    /// Its numeric id, where the provider has one.
    pub number: Option<i64>,
    /// Its state.
    pub status: Status,
    /// Start and end as the API has them.
    pub start: Timestamp,
    /// See `start`.
    pub end: Timestamp,
    /// The booking that replaced it, if it was moved.
    pub moved_to: Option<Uid>,
    /// The booking it replaced.
    pub moved_from: Option<Uid>,
    /// Who moved it, where it was moved and the provider says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_by: Option<Party>,
    /// Who called it off, where it was called off and the provider says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancelled_by: Option<Party>,
    /// When it was called off, by the provider's own clock, where it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// The series it belongs to.
    pub series: Option<String>,
    /// When the provider made the booking, by its own clock.
    pub created_at: Option<Timestamp>,
    /// The seats that are taken, where the provider lists them.
    pub seats: Option<Vec<SeatId>>,
    /// The reason it was cancelled with, where the provider shows it.
    pub cancellation_reason: Option<String>,
    /// Who, what and why, where the answer carries enough to decide on.
    pub details: Option<Box<Details>>,
}
