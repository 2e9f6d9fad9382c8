//! From everything known about a chain to where each of its bookings stands, whatever the order in
//! which it became known. Folding looks at the *set* of facts: provider times order provider facts,
//! our own clock is only ever compared with itself, and repeating a fact changes nothing.
//!
//! The rules (DESIGN §4, Cal.com contract §8):
//! - an id that was moved away is *superseded* and never comes back;
//! - a cancel or decline ends an id, also if it is heard of before the booking itself;
//! - what ended lives again only if a reading, taken after the dust has settled, shows it accepted
//!   and no call of ours explains that;
//! - a webhook that our own call caused is an observation, never a reason to act;
//! - what retention has closed stays as it stood.

mod compare;
#[cfg(test)]
mod compare_tests;
mod ends;
mod fold;
mod moves;
mod names;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::booking::{Details, Party, Status};
use super::clock::Timestamp;
use super::decision::Action;
use super::ids::UnitKey;

pub use compare::{Comparison, compare};
pub(in crate::domain) use ends::our_calls;
pub use names::with_final_names;

/// What a booking that was created without our doing means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Created {
    /// It is decided like any other; a refusal cancels it.
    Decide,
    /// It is only watched.
    Observe,
}

/// What a confirm by the host's own hand means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostConfirm {
    /// It stands; credit is taken if there is any, else waived.
    Respect,
    /// It is decided all the same, and cancelled if refused.
    Enforce,
}

/// What becomes of the refusal of a booking that cannot be called off alone: calling it off would call
/// off everybody who shares the appointment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SharedRefusal {
    /// A person must decide.
    Defer,
    /// The whole appointment is called off.
    CancelAll,
}

/// What a provider's API can do, and what its webhooks leave out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// How a booking that is refused while pending is told so: `Decline`, or `Cancel` where there is no
    /// decline.
    pub refusal_of_pending: Action,
    /// Whether the API names the series that an occurrence belongs to. Where it does not, a series is
    /// left to a person.
    pub names_series: bool,
    /// Whether a webhook may call a booking accepted that still waits for its host, so that it must be
    /// read before it is decided.
    pub reads_created: bool,
    /// Whether it takes a look at the old booking to know who moved it, unless a webhook has told:
    /// then that is read before the new one is decided.
    pub reads_who_moved: bool,
    /// Whether webhooks may leave out the event type's slug, by which policies name it, so that the
    /// booking must be read before it is decided.
    pub reads_event_type: bool,
    /// Whether a booking stands from the moment it is made, so that one that is over stood before, and
    /// may owe something, also if only its end is heard of.
    pub stands_at_once: bool,
}

/// How one source wants its bookings treated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// See [`Created`].
    pub created: Created,
    /// See [`HostConfirm`].
    pub host_confirm: HostConfirm,
    /// Who counts as the canceller where the provider does not say.
    pub unknown_canceller: Party,
    /// How long after a call or a fact the provider's own state may still lag behind, in ms.
    pub settle_ms: i64,
    /// How long no new occurrence of a series must have come before it is decided, in ms.
    pub series_settle_ms: i64,
    /// How long after its deadline a call without an answer may still take effect, in ms.
    pub attempt_grace_ms: i64,
    /// What becomes of a refusal that would refuse others, too.
    pub shared_refusal: SharedRefusal,
    /// What the provider can do and what it tells.
    pub provider: Capabilities,
}

/// Where a booking (or a seat of it) stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Heard of, but not in a way that tells its state.
    Unknown,
    /// In this state at the provider, as far as is known.
    At(Status),
    /// Moved away: another id has taken its place.
    Superseded,
}

impl Standing {
    /// Every standing there is.
    pub const ALL: [Self; 7] = [
        Self::At(Status::PendingPayment),
        Self::At(Status::Pending),
        Self::At(Status::Accepted),
        Self::At(Status::Rejected),
        Self::At(Status::Cancelled),
        Self::Superseded,
        Self::Unknown,
    ];

    /// The standing that is written so, if there is one.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == word)
    }

    /// The standing as it is written in answers and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::At(status) => status.as_str(),
            Self::Superseded => "superseded",
        }
    }

    /// Whether it is over for good: rejected, cancelled or superseded.
    pub fn is_over(self) -> bool {
        match self {
            Self::Unknown => false,
            Self::At(status) => status.is_over(),
            Self::Superseded => true,
        }
    }
}

/// How a booking came to be accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AcceptedBy {
    /// The provider took it without asking anyone.
    Provider,
    /// A confirm of ours.
    Us,
    /// The host, by hand.
    Host,
}

/// Why a booking is to be decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskedBy {
    /// The booker asks: a new booking, or a move of one.
    Booker,
    /// The host has confirmed it by hand.
    HostConfirm,
    /// The host has moved it; what was decided before goes with it.
    HostMove,
}

/// That a booking is to be decided, and as of when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    /// Why.
    pub by: AskedBy,
    /// The provider's time of asking: the smallest envelope time, or the time of creation.
    pub provider_time: Option<Timestamp>,
    /// When we first heard, by our clock.
    pub heard_at: Timestamp,
}

/// Who ended a booking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndedBy {
    /// A call of ours.
    Us,
    /// The booker.
    Booker,
    /// The host; a request to choose another time counts as one.
    Host,
    /// The provider does not say.
    Unknown,
}

impl EndedBy {
    /// The word as it is written in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Us => "us",
            Self::Booker => "booker",
            Self::Host => "host",
            Self::Unknown => "unknown",
        }
    }
}

/// How a booking ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// Rejected or cancelled.
    pub status: Status,
    /// By whom.
    pub by: EndedBy,
    /// The provider's time of it.
    pub provider_time: Option<Timestamp>,
    /// When we first heard, by our clock.
    pub heard_at: Timestamp,
    /// Whether only a reading tells, so that the webhook that says who did it may still come.
    pub only_read: bool,
}

/// One booking, or one seat of it.
#[derive(Debug, Clone)]
pub struct Unit<'a> {
    /// Which.
    pub key: UnitKey,
    /// The provider's numeric id.
    pub number: Option<i64>,
    /// Where it stands.
    pub standing: Standing,
    /// What it is about, as told by the event that asks, else by the latest that tells.
    pub details: Option<&'a Details>,
    /// Whether it is to be decided.
    pub ask: Option<Ask>,
    /// How it was accepted, if it ever was.
    pub accepted: Option<AcceptedBy>,
    /// How it ended, if it did (also if it lives again).
    pub end: Option<End>,
    /// The booking that took its place; the first by (provider time, id) if there are several.
    pub heir: Option<UnitKey>,
    /// The bookings whose place it took and whose credit it carries.
    pub forebears: Vec<UnitKey>,
    /// Who moved it here, where it took another's place and somebody told.
    pub moved_by: Option<Party>,
    /// When we first heard that it is gone (ended by others, or moved away), by our clock.
    pub gone_heard_at: Option<Timestamp>,
    /// The series it belongs to, as the API says.
    pub series: Option<&'a str>,
    /// Whether the API was asked about it at all.
    pub was_read: bool,
    /// Whether the API was asked about it since it was moved away: who moved it is known by then, if
    /// the API tells at all.
    pub move_was_read: bool,
    /// When it must be read: it ended, and then somebody confirmed it; or what should have told of it
    /// does not come.
    pub read_at: Option<Timestamp>,
    /// The latest time we heard of it asking, by our clock.
    pub last_asked_at: Option<Timestamp>,
    /// Whether the provider says that somebody did not come.
    pub missed: bool,
    /// Whether it has ever said so; a mark may be taken back.
    pub marked: bool,
    /// Whether a look at it after its end found it waiting still: nobody answers it any more, and nothing
    /// is to be kept for it.
    pub lapsed: bool,
    /// Whether it was over so long ago that it is left as it stands ([`Closed`]).
    ///
    /// [`Closed`]: super::chain::Closed
    pub closed: bool,
}

/// All bookings of a chain.
#[derive(Debug, Clone, Default)]
pub struct Timeline<'a> {
    /// By key.
    pub units: BTreeMap<UnitKey, Unit<'a>>,
}

impl<'a> Timeline<'a> {
    /// One booking or seat.
    pub fn unit(&self, key: &UnitKey) -> Option<&Unit<'a>> {
        self.units.get(key)
    }

    /// The booking that stands at the end of the moves that began with `key`; itself if it was never
    /// moved.
    pub fn final_heir<'t>(&'t self, key: &'t UnitKey) -> &'t UnitKey {
        let mut at = key;
        // Moves cannot form a ring at an honest provider; the bound keeps a dishonest one harmless.
        for _ in 0..self.units.len() {
            match self.units.get(at).and_then(|unit| unit.heir.as_ref()) {
                Some(heir) => at = heir,
                None => break,
            }
        }
        at
    }

    /// The booking that the moves to `key` began with, as far as is known; itself if it took nobody's
    /// place.
    pub fn origin<'t>(&'t self, key: &'t UnitKey) -> &'t UnitKey {
        let mut at = key;
        // Bounded as in `final_heir`.
        for _ in 0..self.units.len() {
            let forebears = self.units.get(at).map(|unit| unit.forebears.iter().min());
            match forebears.flatten() {
                Some(before) => at = before,
                None => break,
            }
        }
        at
    }

    /// Every booking whose place `key` took, over all moves.
    pub fn ancestry(&self, key: &UnitKey) -> Vec<&UnitKey> {
        self.units
            .keys()
            .filter(|other| *other != key && self.final_heir(other) == key)
            .collect()
    }
}
