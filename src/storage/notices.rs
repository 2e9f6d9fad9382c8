//! Notices on their way out. One is written in the transaction that makes what it tells of, so that
//! neither is ever there without the other. Whoever sends it has it to itself until it is due again; its
//! number of tries is the fence.

use super::backend::{Row, Sql, Tx};
use super::error::StorageError;
use super::records::{NewNotice, NoticeFilter, NoticeRow, WaitingNotice};
use super::words::{from_word, word};
use crate::domain::clock::{Timestamp, plus_ms};

// The same message to the same receiver tells the same.
const INSERT: Sql = Sql::same(
    "INSERT INTO notice (receiver, message, kind, body, created_at, due_at)
     VALUES ($1, $2, $3, $4, $5, $5) ON CONFLICT (receiver, message) DO NOTHING",
);
// On a server, rows that another instance is taking at this moment are passed over.
const CLAIM: Sql = Sql::each(
    "UPDATE notice SET due_at = $3, tries = tries + 1
     WHERE id IN (SELECT id FROM notice WHERE receiver = $1 AND due_at <= $2
                  ORDER BY due_at, id LIMIT $4)
     RETURNING id, message, kind, body, tries",
    "UPDATE notice SET due_at = $3, tries = tries + 1
     WHERE id = ANY(ARRAY(SELECT id FROM notice WHERE receiver = $1 AND due_at <= $2
                          ORDER BY due_at, id LIMIT $4 FOR UPDATE SKIP LOCKED))
     RETURNING id, message, kind, body, tries",
);
const TAKEN: Sql = Sql::same("DELETE FROM notice WHERE id = $1 AND tries = $2");
const AGAIN: Sql =
    Sql::same("UPDATE notice SET due_at = $3, detail = $4 WHERE id = $1 AND tries = $2");
const HOLD_BACK: Sql =
    Sql::same("UPDATE notice SET due_at = $2 WHERE receiver = $1 AND due_at < $2");
const NEXT: Sql =
    Sql::same("SELECT MIN(due_at) AS at FROM notice WHERE receiver = $1 AND due_at IS NOT NULL");
const FORGET: Sql = Sql::same(
    "DELETE FROM notice WHERE id IN
         (SELECT id FROM notice WHERE created_at < $1 ORDER BY created_at LIMIT $2)",
);
const LIST: Sql = Sql::same(
    "SELECT id, receiver, message, kind, created_at, due_at, tries, detail FROM notice
     WHERE id > $1 AND (CAST($2 AS TEXT) IS NULL OR receiver = $2)
         AND (CAST($3 AS BIGINT) IS NULL
              OR CASE WHEN due_at IS NULL THEN 1 ELSE 0 END = $3)
     ORDER BY id LIMIT $4",
);

impl Tx {
    /// Writes a notice for one receiver, due now.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn put_notice(
        &mut self,
        notice: &NewNotice,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        let insert = self.query(INSERT).bind(&notice.receiver);
        let insert = insert.bind(&notice.message).bind(word(notice.topic)?);
        insert.bind(&notice.body).bind(now).run().await.map(drop)
    }

    /// Takes what is due to a receiver, the longest waiting first, and counts a try of each. Nobody else
    /// gets them for `lease_ms` milliseconds from `now`.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn claim_notices(
        &mut self,
        receiver: &str,
        now: Timestamp,
        lease_ms: i64,
        limit: u32,
    ) -> Result<Vec<WaitingNotice>, StorageError> {
        let claim = self.query(CLAIM).bind(receiver).bind(now);
        let claim = claim.bind(plus_ms(now, lease_ms)).bind(i64::from(limit));
        claim.all().await?.iter().map(waiting).collect()
    }

    /// Removes a notice that its receiver has. `false` if somebody else has taken it up since.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn notice_taken(&mut self, notice: &WaitingNotice) -> Result<bool, StorageError> {
        let taken = self.query(TAKEN).bind(notice.id).bind(notice.tries);
        Ok(taken.run().await? == 1)
    }

    /// Has a notice sent again at `due`, or never if that is `None`. `false` if somebody else has taken it
    /// up since.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn notice_again(
        &mut self,
        notice: &WaitingNotice,
        due: Option<Timestamp>,
        detail: &str,
    ) -> Result<bool, StorageError> {
        let again = self.query(AGAIN).bind(notice.id).bind(notice.tries);
        Ok(again.bind(due).bind(detail).run().await? == 1)
    }

    /// Leaves a receiver alone until `until`.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn hold_back_notices(
        &mut self,
        receiver: &str,
        until: Timestamp,
    ) -> Result<(), StorageError> {
        let hold_back = self.query(HOLD_BACK).bind(receiver).bind(until);
        hold_back.run().await.map(drop)
    }

    /// When the next notice to a receiver is due.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn next_notice_due(
        &mut self,
        receiver: &str,
    ) -> Result<Option<Timestamp>, StorageError> {
        self.query(NEXT).bind(receiver).one().await?.get("at")
    }

    /// Forgets notices that are older than `before`, told or not; `limit` at most.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn forget_notices(
        &mut self,
        before: Timestamp,
        limit: u32,
    ) -> Result<u64, StorageError> {
        let forget = self.query(FORGET).bind(before);
        forget.bind(i64::from(limit)).run().await
    }

    /// The notices behind `after` that were not taken yet and pass the filter, oldest first.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn notices(
        &mut self,
        filter: &NoticeFilter,
        after: Option<i64>,
        limit: u32,
    ) -> Result<Vec<NoticeRow>, StorageError> {
        let list = self.query(LIST).bind(after.unwrap_or(0));
        let list = list.bind(&filter.receiver).bind(filter.given_up);
        let rows = list.bind(i64::from(limit)).all().await?;
        rows.iter().map(notice).collect()
    }
}

fn waiting(row: &Row) -> Result<WaitingNotice, StorageError> {
    Ok(WaitingNotice {
        id: row.get("id")?,
        message: row.get("message")?,
        topic: from_word(row, "kind")?,
        body: row.get("body")?,
        tries: row.get("tries")?,
    })
}

fn notice(row: &Row) -> Result<NoticeRow, StorageError> {
    Ok(NoticeRow {
        id: row.get("id")?,
        receiver: row.get("receiver")?,
        message: row.get("message")?,
        topic: from_word(row, "kind")?,
        created_at: row.get("created_at")?,
        due_at: row.get("due_at")?,
        tries: row.get("tries")?,
        detail: row.get("detail")?,
    })
}
