//! What people have changed: written in the transaction that changes it, so that neither is ever there
//! without the other.

use super::backend::{Row, Sql, Tx};
use super::error::StorageError;
use super::records::{AuditRow, Change, ChangeFilter};
use crate::domain::clock::Timestamp;

const NOTE: Sql = Sql::same(
    "INSERT INTO audit (at, actor, action, target, detail, request)
     VALUES ($1, $2, $3, $4, $5, $6)",
);
const LIST: Sql = Sql::same(
    "SELECT id, at, actor, action, target, detail, request FROM audit
     WHERE id < $1 AND (CAST($2 AS TEXT) IS NULL OR actor = $2)
         AND (CAST($3 AS TEXT) IS NULL OR action = $3)
         AND (CAST($4 AS TEXT) IS NULL OR target = $4)
         AND (CAST($5 AS TEXT) IS NULL OR request = $5)
         AND (CAST($7 AS BIGINT) IS NULL OR at >= $7)
         AND (CAST($8 AS BIGINT) IS NULL OR at < $8)
     ORDER BY id DESC LIMIT $6",
);

impl Tx {
    /// Notes a change that a person makes.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn note_change(
        &mut self,
        change: &Change,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        let note = self.query(NOTE).bind(now).bind(&change.actor);
        let note = note.bind(&change.action).bind(&change.target);
        let note = note.bind(&change.detail).bind(&change.request);
        note.run().await.map(drop)
    }

    /// What people have changed before entry `before`, newest first.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn changes(
        &mut self,
        filter: &ChangeFilter,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<AuditRow>, StorageError> {
        let list = self.query(LIST).bind(before.unwrap_or(i64::MAX));
        let list = list.bind(&filter.actor).bind(&filter.action);
        let list = list.bind(&filter.target).bind(&filter.request);
        let list = list.bind(i64::from(limit)).bind(filter.since);
        let rows = list.bind(filter.until).all().await?;
        rows.iter().map(audit_row).collect()
    }
}

fn audit_row(row: &Row) -> Result<AuditRow, StorageError> {
    Ok(AuditRow {
        id: row.get("id")?,
        at: row.get("at")?,
        change: Change {
            actor: row.get("actor")?,
            action: row.get("action")?,
            target: row.get("target")?,
            detail: row.get("detail")?,
            request: row.get("request")?,
        },
    })
}
