//! What waits, as it is watched: how much of it, and since when. Each statement is answered from an index
//! made for it, and counts no further than [`COUNTED_MAX`], so that watching costs the same however much
//! is stored.

use super::backend::{Row, Sql, Tx};
use super::error::StorageError;
use super::records::{Pile, Waiting};
use crate::domain::clock::Timestamp;

/// What is counted at the most: more than that is too much, whatever the number.
const COUNTED_MAX: i64 = 10_000;
/// Undecided bookings looked at to find the one that has waited longest.
const UNDECIDED_MAX: i64 = 500;

const UNFILED: Sql = Sql::same(
    "SELECT COUNT(*) AS number, MIN(received_at) AS since FROM
         (SELECT received_at FROM delivery WHERE filed_at IS NULL ORDER BY id LIMIT $1) AS waiting",
);
const OVERDUE: Sql = Sql::same("SELECT MIN(due_at) AS since FROM chain WHERE due_at IS NOT NULL");
// Since its last webhook; since it was found, where none came. What has begun waits no more.
const UNDECIDED: Sql = Sql::same(
    "SELECT COUNT(*) AS number, MIN(since) AS since FROM
         (SELECT COALESCE(
              (SELECT MAX(received_at) FROM delivery WHERE delivery.chain_id = chain.id),
              chain.created_at) AS since
          FROM booking JOIN chain ON chain.id = booking.chain_id
          WHERE booking.status = 'pending' AND booking.outcome IS NULL
              AND (booking.start_at IS NULL OR booking.start_at > $2)
          ORDER BY booking.updated_at LIMIT $1) AS waiting",
);
const DEFERRED: Sql = Sql::same(
    "SELECT COUNT(*) AS number, MIN(updated_at) AS since FROM
         (SELECT updated_at FROM booking
          WHERE outcome = 'defer' AND status IN ('pending', 'accepted') AND start_at > $2
          ORDER BY start_at LIMIT $1) AS waiting",
);
// What has a call to be made is due, or will be: SQLite is to begin there, which a cross join tells it.
const CALLS: Sql = Sql::same(
    "SELECT COUNT(*) AS number, MIN(created_at) AS since FROM
         (SELECT command.created_at FROM chain CROSS JOIN command
          WHERE chain.due_at IS NOT NULL AND command.chain_id = chain.id AND command.state = 'open'
          LIMIT $1) AS waiting",
);
const DEAD: Sql = Sql::same(
    "SELECT COUNT(*) AS number, CAST(NULL AS BIGINT) AS since FROM
         (SELECT id FROM command WHERE state = 'dead' AND purged_at IS NULL
          ORDER BY id LIMIT $1) AS waiting",
);
const NOTICES: Sql = Sql::same(
    "SELECT COUNT(*) AS number, MIN(created_at) AS since FROM
         (SELECT created_at FROM notice WHERE due_at IS NOT NULL LIMIT $1) AS waiting",
);
const GIVEN_UP: Sql = Sql::same(
    "SELECT COUNT(*) AS number, CAST(NULL AS BIGINT) AS since FROM
         (SELECT id FROM notice WHERE due_at IS NULL LIMIT $1) AS waiting",
);
/// All of them, for the test that asks the database how it would answer them.
#[cfg(test)]
pub(super) const ALL: [Sql; 8] = [
    UNFILED, OVERDUE, UNDECIDED, DEFERRED, CALLS, DEAD, NOTICES, GIVEN_UP,
];

impl Tx {
    /// What waits at this time.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn waiting(&mut self, now: Timestamp) -> Result<Waiting, StorageError> {
        let first_due: Option<Timestamp> = self.query(OVERDUE).one().await?.get("since")?;
        Ok(Waiting {
            unfiled: self.pile(UNFILED, COUNTED_MAX).await?,
            overdue_since: first_due.filter(|due| *due <= now),
            undecided: self.bookings(UNDECIDED, UNDECIDED_MAX, now).await?,
            deferred: self.bookings(DEFERRED, COUNTED_MAX, now).await?,
            calls: self.pile(CALLS, COUNTED_MAX).await?,
            dead_letters: self.pile(DEAD, COUNTED_MAX).await?,
            notices: self.pile(NOTICES, COUNTED_MAX).await?,
            notices_given_up: self.pile(GIVEN_UP, COUNTED_MAX).await?,
        })
    }

    async fn pile(&mut self, sql: Sql, limit: i64) -> Result<Pile, StorageError> {
        pile(&self.query(sql).bind(limit).one().await?, limit)
    }

    async fn bookings(
        &mut self,
        sql: Sql,
        limit: i64,
        now: Timestamp,
    ) -> Result<Pile, StorageError> {
        pile(&self.query(sql).bind(limit).bind(now).one().await?, limit)
    }
}

fn pile(row: &Row, limit: i64) -> Result<Pile, StorageError> {
    let number = row.get("number")?;
    Ok(Pile {
        number,
        more: number >= limit,
        since: row.get("since")?,
    })
}
