//! What bookgate decided, and what it tells the provider.

use serde::{Deserialize, Serialize};

use super::amount::Amount;

/// What is to become of a booking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It may stand.
    Accept,
    /// It may not.
    Reject,
    /// A person decides.
    Defer,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Accept, Self::Reject, Self::Defer];

    /// The outcome as it is written in answers and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Reject => "reject",
            Self::Defer => "defer",
        }
    }
}

/// What is asked of the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Let a pending booking stand.
    Confirm,
    /// Refuse a pending booking.
    Decline,
    /// Call off a booking that stands.
    Cancel,
}

impl Action {
    /// The action as it is written in answers and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Confirm => "confirm",
            Self::Decline => "decline",
            Self::Cancel => "cancel",
        }
    }
}

/// One line of a refund schedule: with at least this much notice, this much comes back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundLine {
    /// Notice before the start, in milliseconds.
    pub notice_ms: i64,
    /// Percent that is returned, 0 to 100.
    pub percent: u8,
}

/// What an accepted booking costs and what of it comes back: copied into the decision, so that a
/// later edit of the policy does not change what was agreed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// The price; `None` if the booking is free.
    pub cost: Option<Amount>,
    /// What the booker gets back for a cancel, by notice; the first line whose notice is met wins,
    /// none means nothing is returned.
    pub refund: Vec<RefundLine>,
    /// Percent that comes back when the host cancels.
    pub organizer_percent: u8,
    /// Percent that comes back when the booker did not come.
    pub no_show_percent: u8,
}

impl Terms {
    /// Nothing to pay, nothing to return.
    pub fn free() -> Self {
        Self {
            cost: None,
            refund: Vec::new(),
            organizer_percent: 100,
            no_show_percent: 0,
        }
    }

    /// Percent the booker gets back for a cancel `notice_ms` before the start.
    pub fn booker_percent(&self, notice_ms: i64) -> u8 {
        self.refund
            .iter()
            .find(|line| notice_ms >= line.notice_ms)
            .map_or(0, |line| line.percent)
    }
}
