//! Rows about sources, and what reconciliation asks of them.

use crate::domain::clock::Timestamp;
use crate::domain::ids::Uid;

/// A source, as the store knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceRow {
    /// Since when it is looked after.
    pub first_seen_at: Timestamp,
    /// When the last survey that came to its end was begun.
    pub surveyed_at: Option<Timestamp>,
    /// The booking that was read again last, where the API lists none.
    pub reread_after: Option<Uid>,
    /// Since when its provider has been failing, so that calls to it wait; `None` while it answers, as far as
    /// is known.
    pub failing_since: Option<Timestamp>,
}

/// A booking as it is asked for at its provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownBooking {
    /// The booking.
    pub uid: Uid,
    /// Its numeric id.
    pub number: Option<i64>,
}
