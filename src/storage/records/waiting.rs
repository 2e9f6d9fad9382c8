//! What waits, as it is watched.

use serde::Serialize;

use crate::domain::clock::Timestamp;

/// Things that wait for the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Pile {
    /// How many, up to a bound.
    pub number: i64,
    /// Whether there may be more.
    pub more: bool,
    /// Since when the first of them does, where that is known.
    pub since: Option<Timestamp>,
}

/// Everything that waits in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Waiting {
    /// Stored webhooks that are not understood and filed yet.
    pub unfiled: Pile,
    /// When the chain that is due longest was due, if any is.
    pub overdue_since: Option<Timestamp>,
    /// Bookings that wait for a decision, since their last webhook.
    pub undecided: Pile,
    /// Bookings that wait for a person, since they were left to one.
    pub deferred: Pile,
    /// Calls to providers that are to be made, now or at their next try, since they were decided.
    pub calls: Pile,
    /// Calls that were given up, until a person has seen to them.
    pub dead_letters: Pile,
    /// Notices on their way.
    pub notices: Pile,
    /// Notices that nobody took.
    pub notices_given_up: Pile,
}
