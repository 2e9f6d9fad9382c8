//! Going through everything a provider has, page by page: how bookings whose webhook never came are
//! found, and what was changed there without our hearing of it.

use async_trait::async_trait;

use super::CallError;
use crate::domain::booking::Reading;
use crate::domain::clock::Timestamp;

/// How far back a survey goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Since {
    /// Appointments that ended before this are of no interest.
    pub ended: Timestamp,
    /// What has not changed since this was gone through before. A provider that cannot tell is gone
    /// through as a whole.
    pub changed: Timestamp,
}

/// One page of a survey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SurveyPage {
    /// What is on it.
    pub found: Vec<Surveyed>,
    /// How to ask for the next page; `None` on the last one.
    pub next: Option<String>,
}

/// One entry of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Surveyed {
    /// A booking.
    Booking(Box<Reading>),
    /// A booking on somebody else's calendar, to which the account's owner is invited: none of our
    /// business, unless a webhook has told of it.
    Elsewhere(Box<Reading>),
    /// An appointment whose bookings have to be asked for one by one, with [`Survey::open`]. Mostly
    /// there is no need to: how many there are tells whether any is news.
    Appointment(Appointment),
}

/// An appointment that one or more bookings share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appointment {
    /// What [`Survey::open`] takes.
    pub reference: String,
    /// What the ids of its bookings begin with.
    pub uid_prefix: String,
    /// Its bookings that stand.
    pub active: i64,
    /// All its bookings, those that were called off, too.
    pub total: i64,
}

/// A provider whose API can be gone through.
#[async_trait]
pub trait Survey: Send + Sync {
    /// A page of all that is there since then, standing or not, and of all that waits for an answer;
    /// `cursor` is the `next` of the page before. The same may be on several pages.
    ///
    /// # Errors
    /// See [`CallError`].
    async fn page(&self, since: Since, cursor: Option<&str>) -> Result<SurveyPage, CallError>;

    /// All bookings of one appointment.
    ///
    /// # Errors
    /// See [`CallError`].
    async fn open(&self, reference: &str) -> Result<Vec<Reading>, CallError>;
}
