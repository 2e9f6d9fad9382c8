//! Other bookings, as rules about one booking count them: how many the same person has, how full a day
//! is. Which of them are looked at depends on the booking that is decided.

use serde::{Deserialize, Serialize};

use super::clock::{Timestamp, ms_between};
use super::ids::{SourceName, Uid};
use super::owner::Owner;

/// The most other bookings that one rule looks at, those that start last. Beyond that it has no answer:
/// nothing is counted that nobody has seen.
pub const OTHERS_MAX: usize = 500;

/// Which other bookings are looked at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Wanted {
    /// Whose, or what for.
    pub of: Of,
    /// What of them lies between the two times.
    pub measured: Measured,
    /// From then on.
    pub from: Timestamp,
    /// Until then, exclusive.
    pub until: Timestamp,
}

/// Whose bookings, or bookings of what.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Of {
    /// Those of one person, wherever they were made.
    Booker(Owner),
    /// Those of everybody whose address is at this domain.
    Domain(String),
    /// Those of one event type, by its slug, or its id where it has no slug: whoever made them.
    EventType(String),
}

/// What of a booking is compared with the times that are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measured {
    /// Its start.
    Start,
    /// Any part of it.
    Part,
    /// When it was asked for; where that is not known, its start.
    Asked,
}

/// Another booking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OtherBooking {
    /// Where it comes from.
    pub source: SourceName,
    /// Its id.
    pub uid: Uid,
    /// The event type's numeric id, if it has one and it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_type_id: Option<i64>,
    /// The event type's slug, or its id as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_type: Option<String>,
    /// Its start.
    pub start: Timestamp,
    /// Its end.
    pub end: Timestamp,
    /// When it was asked for, by the provider's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_at: Option<Timestamp>,
    /// What became of it.
    pub fate: Fate,
    /// When it was called off or refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// Whether somebody did not come.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_show: bool,
}

/// What became of a booking, as far as others are concerned. One that nobody has decided yet is none: two
/// that wait for each other would both be refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// A person has still to decide.
    Waiting,
    /// It was accepted: it stands, or stood until it was over.
    Standing,
    /// It was accepted, and its booker called it off.
    CalledOff,
    /// It was accepted, and called off by the host, or nobody knows by whom.
    Withdrawn,
    /// It was refused.
    Refused,
}

impl OtherBooking {
    /// Whether nobody else can have its place: it stands, stood until it was over, or waits for a person.
    pub fn takes_a_place(&self) -> bool {
        matches!(self.fate, Fate::Waiting | Fate::Standing)
    }

    /// Whether its booker called it off with less notice than this, in milliseconds.
    pub fn called_off_within(&self, notice_ms: i64) -> bool {
        let had_ms = self.ended_at.map(|ended| ms_between(ended, self.start));
        self.fate == Fate::CalledOff && had_ms.is_some_and(|had_ms| had_ms < notice_ms)
    }
}

impl Of {
    /// Whether a booking by this booker and for this event type is one of them.
    pub fn means(&self, booker: Option<&Owner>, event_type: Option<&str>) -> bool {
        match self {
            Self::Booker(owner) => booker == Some(owner),
            Self::Domain(domain) => booker.is_some_and(|booker| booker.domain() == domain),
            Self::EventType(name) => event_type == Some(name),
        }
    }

    /// A word for it by which whoever counts these bookings keeps others from counting them at the same
    /// time.
    pub fn lock(&self) -> String {
        match self {
            Self::Booker(owner) => format!("booker {}", owner.as_str()),
            Self::Domain(domain) => format!("domain {domain}"),
            Self::EventType(name) => format!("event type {name}"),
        }
    }
}

impl Wanted {
    /// Whether a booking's times are those that are asked for.
    pub fn covers(&self, start: Timestamp, end: Timestamp, asked_at: Option<Timestamp>) -> bool {
        match self.measured {
            Measured::Start => self.from <= start && start < self.until,
            Measured::Part => self.from < end && start < self.until,
            Measured::Asked => {
                let asked = asked_at.unwrap_or(start);
                self.from <= asked && asked < self.until
            }
        }
    }
}
