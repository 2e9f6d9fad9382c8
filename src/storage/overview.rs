//! What a person looks at first: what waits, what is in hand, and when a source was last called.

use super::backend::{Sql, Tx};
use super::bookings::booking;
use super::error::StorageError;
use super::records::{BookingRow, CallRow, WaitingRow};
use super::words::from_word_or_null;
use crate::domain::clock::Timestamp;
use crate::domain::ids::SourceName;

// The outcome stands here for the sake of its index.
const WAITING: Sql = Sql::same(
    "SELECT booking.*, decision.note, decision.decided_at
     FROM booking JOIN decision ON decision.id = booking.decision_id
     WHERE booking.outcome = 'defer' AND booking.start_at > $1
         AND booking.status IN ('pending', 'pending_payment', 'accepted')
     ORDER BY booking.start_at, booking.source, booking.uid, booking.seat LIMIT $2",
);
const IN_HAND: Sql = Sql::same(
    "SELECT booking.* FROM chain JOIN booking ON booking.chain_id = chain.id
     WHERE chain.due_at IS NOT NULL AND booking.settled = $1
     ORDER BY chain.due_at, booking.source, booking.uid, booking.seat LIMIT $2",
);
// Of the newest calls only: a source that was never called must not have all of them looked at.
const LAST_CALL: Sql = Sql::same(
    "SELECT newest.started_at, newest.answered_at, newest.result, newest.http_status
     FROM (SELECT * FROM attempt ORDER BY id DESC LIMIT $2) AS newest
     JOIN command ON command.id = newest.command_id JOIN chain ON chain.id = command.chain_id
     WHERE chain.source = $1 ORDER BY newest.id DESC LIMIT 1",
);
/// Calls of all sources among which the last one of a source is looked for.
const CALLS_SEARCHED_MAX: i64 = 1_000;

impl Tx {
    /// Bookings that were left to a person and begin after `now`, the next one first.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn waiting_for_person(
        &mut self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<WaitingRow>, StorageError> {
        let rows = self.query(WAITING).bind(now).bind(i64::from(limit));
        let rows = rows.all().await?;
        let waiting = rows.iter().map(|row| {
            Ok(WaitingRow {
                booking: booking(row)?,
                note: row.get("note")?,
                since: row.get("decided_at")?,
            })
        });
        waiting.collect()
    }

    /// Bookings with something left to do, what is due first first.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn bookings_in_hand(&mut self, limit: u32) -> Result<Vec<BookingRow>, StorageError> {
        let rows = self.query(IN_HAND).bind(false).bind(i64::from(limit));
        rows.all().await?.iter().map(booking).collect()
    }

    /// The last call to a source's provider that was made for a booking, if it was made lately.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn last_call(
        &mut self,
        source: &SourceName,
    ) -> Result<Option<CallRow>, StorageError> {
        let row = self.query(LAST_CALL).bind(source).bind(CALLS_SEARCHED_MAX);
        let row = row.optional().await?;
        row.map(|row| {
            Ok(CallRow {
                started_at: row.get("started_at")?,
                answered_at: row.get("answered_at")?,
                result: from_word_or_null(&row, "result")?,
                http_status: row.get("http_status")?,
            })
        })
        .transpose()
    }
}
