//! Commands that were given up, until a person has seen to them.

use super::backend::{Row, Sql, Tx};
use super::commands::attempt;
use super::decisions::unit_key;
use super::error::StorageError;
use super::records::{DeadLetterFilter, DeadLetterRow};
use super::words::from_word;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{AttemptId, CommandId};

const LIST: Sql = Sql::same(
    "SELECT command.id, command.chain_id, chain.source, command.decision_id, command.uid,
         command.seat, command.number, command.action, command.purpose, command.reason,
         command.note, command.tries, command.created_at, command.finished_at, booking.start_at,
         attempt.id AS attempt_id, attempt.number AS attempt_number, attempt.worker,
         attempt.started_at, attempt.deadline_at, attempt.answered_at, attempt.result,
         attempt.http_status, attempt.detail,
         CAST(CASE WHEN EXISTS (SELECT 1 FROM hold WHERE hold.chain_id = command.chain_id
             AND hold.uid = command.uid AND hold.seat = command.seat
             AND hold.state = 'held') THEN 1 ELSE 0 END AS BIGINT) AS holds
     FROM command JOIN chain ON chain.id = command.chain_id
     LEFT JOIN booking ON booking.source = chain.source AND booking.uid = command.uid
         AND booking.seat = command.seat
     LEFT JOIN attempt ON attempt.command_id = command.id AND attempt.number =
         (SELECT MAX(number) FROM attempt AS last WHERE last.command_id = command.id)
     WHERE command.state = 'dead' AND command.purged_at IS NULL AND command.id > $1
         AND (CAST($2 AS BIGINT) IS NULL OR command.id = $2)
         AND (CAST($3 AS TEXT) IS NULL OR chain.source = $3)
         AND (CAST($4 AS TEXT) IS NULL OR command.action = $4)
         AND (CAST($5 AS BIGINT) IS NULL OR command.finished_at >= $5)
     ORDER BY command.id LIMIT $6",
);
const REVIVE: Sql = Sql::same(
    "UPDATE command SET state = 'open', tries = 0, due_at = $2, note = NULL, finished_at = NULL
     WHERE id = $1 AND state = 'dead' AND purged_at IS NULL RETURNING chain_id",
);
const PURGE: Sql = Sql::same(
    "UPDATE command SET purged_at = $2 WHERE id = $1 AND state = 'dead' AND purged_at IS NULL",
);

impl Tx {
    /// The commands behind `after` that were given up and pass the filter, oldest first.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn dead_letters(
        &mut self,
        filter: &DeadLetterFilter,
        after: Option<CommandId>,
        limit: u32,
    ) -> Result<Vec<DeadLetterRow>, StorageError> {
        let list = self.query(LIST).bind(after.unwrap_or(CommandId(0)));
        let list = list.bind(filter.id).bind(filter.source.as_ref());
        let list = list.bind(filter.action.map(|action| action.as_str()));
        let list = list.bind(filter.since).bind(i64::from(limit));
        list.all().await?.iter().map(dead_letter).collect()
    }

    /// Opens a dead command again, from its first try, and makes its chain due now. `false` if it is
    /// not dead, or was purged.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn revive(
        &mut self,
        command: CommandId,
        now: Timestamp,
    ) -> Result<bool, StorageError> {
        let revive = self.query(REVIVE).bind(command).bind(now);
        let Some(row) = revive.optional().await? else {
            return Ok(false);
        };
        self.due_no_later_than(row.get("chain_id")?, now).await?;
        Ok(true)
    }

    /// Lays a dead command aside for good: it stays dead and is not listed any more. `false` if it is
    /// not dead, or was purged before.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn purge(
        &mut self,
        command: CommandId,
        now: Timestamp,
    ) -> Result<bool, StorageError> {
        let purge = self.query(PURGE).bind(command).bind(now);
        Ok(purge.run().await? == 1)
    }
}

fn dead_letter(row: &Row) -> Result<DeadLetterRow, StorageError> {
    let called: Option<AttemptId> = row.get("attempt_id")?;
    Ok(DeadLetterRow {
        id: row.get("id")?,
        chain: row.get("chain_id")?,
        source: row.get("source")?,
        decision: row.get("decision_id")?,
        unit: unit_key(row)?,
        number: row.get("number")?,
        action: from_word(row, "action")?,
        purpose: from_word(row, "purpose")?,
        reason: row.get("reason")?,
        note: row.get("note")?,
        tries: row.get("tries")?,
        created_at: row.get("created_at")?,
        finished_at: row.get("finished_at")?,
        start: row.get("start_at")?,
        holds: row.get("holds")?,
        last_attempt: called.map(|_| attempt(row)).transpose()?,
    })
}
