//! The outside: what a scheduling provider is to bookgate. One folder each, one line in
//! [`registry`], and nothing else in the crate knows a provider's name.

mod api;
pub mod calcom;
pub mod calendly;
pub mod callout;
pub mod circuit;
pub mod client;
mod lenient;
pub mod limiter;
pub mod registry;
#[cfg(test)]
mod scripted_server;
pub mod signature;
pub mod subscriptions;
pub mod survey;
pub mod traced;

use async_trait::async_trait;

use self::circuit::Circuit;
use self::subscriptions::Subscriptions;
use self::survey::Survey;
use crate::domain::booking::Reading;
use crate::domain::clock::Timestamp;
use crate::domain::decision::Action;
use crate::domain::event::BookingEvent;
use crate::domain::ids::{SeatId, Uid};
use crate::domain::timeline::Capabilities;

/// A webhook as it came in: verified, not yet understood.
#[derive(Debug, Clone, Copy)]
pub struct RawDelivery<'a> {
    /// The exact bytes that were signed.
    pub body: &'a [u8],
    /// The `Content-Type` header, if one was sent.
    pub content_type: Option<&'a str>,
}

/// What a delivery turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parsed {
    /// Something happened to a booking.
    Event(Box<BookingEvent>),
    /// Understood, and not for us: its trigger.
    Ignored(String),
    /// Not understood: why. Kept, listed, and parsed again after an upgrade.
    Unparsed(String),
}

/// Which booking a call is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The booking's id.
    pub uid: Uid,
    /// Its numeric id, which some dialects need.
    pub number: Option<i64>,
    /// The seat, if the call is about one.
    pub seat: Option<SeatId>,
}

/// A call that changes something at the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// What is asked.
    pub action: Action,
    /// Of which booking.
    pub target: Target,
    /// The reason for the booker, for a decline or a cancel.
    pub reason: Option<String>,
    /// Whether the booking is pending at this moment (just read): some dialects answer a seat that
    /// is pending by another call than one that stands.
    pub pending: bool,
}

/// An event type, by the names that policies may call it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventType {
    /// Its number.
    pub id: i64,
    /// The last part of its booking page's address.
    pub slug: String,
}

/// What the provider said to a call that it took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The booking as the answer shows it, if it does.
    pub reading: Option<Reading>,
    /// HTTP status, for the record.
    pub http_status: u16,
}

/// Why a call gave no answer that settles it. The classes say what may be done next.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The provider asks for patience (429), or our own limit does; nothing was done. Not an attempt.
    #[error("rate limit reached, wait {wait_ms} ms")]
    Limited {
        /// How long to wait before the next call, clamped to sane bounds.
        wait_ms: i64,
    },
    /// The provider has been failing, and this call was kept away from it. Not an attempt.
    #[error("the provider is failing; the next look is in {wait_ms} ms")]
    Away {
        /// How long until a call may go again, at the earliest.
        wait_ms: i64,
    },
    /// Nothing was done for sure, and it may work later: connection refused, DNS, 503 before work.
    #[error("{detail}")]
    Transient {
        /// HTTP status, if there was an answer.
        http_status: Option<u16>,
        /// What happened, without addresses, names or keys.
        detail: String,
    },
    /// The provider refused for good: 400, 401, 403, 422.
    #[error("{detail}")]
    Rejected {
        /// HTTP status.
        http_status: u16,
        /// What happened, without addresses, names or keys.
        detail: String,
    },
    /// There is no such booking, or none that this key may see.
    #[error("the provider has no such booking (HTTP {http_status})")]
    NotFound {
        /// HTTP status.
        http_status: u16,
    },
    /// It may or may not have been done: timeout, reset after sending, 5xx, an unreadable answer.
    #[error("{detail}")]
    Unknown {
        /// HTTP status, if there was an answer.
        http_status: Option<u16>,
        /// What happened, without addresses, names or keys.
        detail: String,
    },
}

impl CallError {
    /// The HTTP status, if there was an answer that had one.
    pub fn http_status(&self) -> Option<u16> {
        match self {
            Self::Limited { .. } => Some(429),
            Self::Away { .. } => None,
            Self::Rejected { http_status, .. } | Self::NotFound { http_status } => {
                Some(*http_status)
            }
            Self::Transient { http_status, .. } | Self::Unknown { http_status, .. } => *http_status,
        }
    }

    /// The class in a word, for counting.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Limited { .. } => "limited",
            Self::Away { .. } => "away",
            Self::Transient { .. } => "transient",
            Self::Rejected { .. } => "rejected",
            Self::NotFound { .. } => "not_found",
            Self::Unknown { .. } => "unknown",
        }
    }
}

/// A scheduling provider, as one configured source sees it.
#[async_trait]
pub trait Provider: Send + Sync {
    /// Understands a verified delivery. Never fails: what it cannot read is [`Parsed::Unparsed`].
    fn parse(&self, delivery: RawDelivery<'_>) -> Parsed;

    /// Reads one booking. Where the provider answers with a whole series, all of it, the one asked
    /// for first.
    ///
    /// # Errors
    /// See [`CallError`]; a read that fails is never [`CallError::Unknown`], because nothing changed.
    async fn read(&self, target: &Target) -> Result<Vec<Reading>, CallError>;

    /// Confirms, declines or cancels.
    ///
    /// # Errors
    /// See [`CallError`]. "Already done" as far as the HTTP status tells is `Rejected`: the caller
    /// reads the booking back and sees.
    async fn act(&self, call: &Call) -> Result<Answer, CallError>;

    /// Asks the API whose key this is, so that a wrong one is found before a booking needs it.
    ///
    /// # Errors
    /// See [`CallError`].
    async fn check_key(&self) -> Result<(), CallError>;

    /// The event types that the key's own user has; `None` where that cannot be asked.
    ///
    /// # Errors
    /// See [`CallError`].
    async fn event_types(&self) -> Result<Option<Vec<EventType>>, CallError> {
        Ok(None)
    }

    /// What the API can do, and what webhooks leave out.
    fn capabilities(&self) -> Capabilities;

    /// Its way to manage webhook subscriptions, if it has one.
    fn subscriptions(&self) -> Option<&dyn Subscriptions> {
        None
    }

    /// Its way to go through everything it has, if there is one. Else known bookings are read again.
    fn survey(&self) -> Option<&dyn Survey> {
        None
    }

    /// Longest time one call may take, in milliseconds: a call without an answer is unknown until
    /// then.
    fn call_timeout_ms(&self) -> i64;

    /// By what it is noticed that the provider is failing; `None` where nobody looks.
    fn circuit(&self) -> Option<&Circuit> {
        None
    }

    /// The earliest time at which the source's rate limit and its circuit would let a read go; `None`
    /// means now.
    fn next_call_at(&self) -> Option<Timestamp>;

    /// So many instances call at the same time, this one included: each keeps to its share of the
    /// source's rate limit from now on. Until it is told, an instance takes itself for the only one.
    fn share_limit(&self, instances: u32);

    /// Milliseconds between calls at the steady rate; 0 if there is no limit.
    fn call_interval_ms(&self) -> i64;
}
