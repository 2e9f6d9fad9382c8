//! The outbox: what the provider is to be told, and every call that was made for it.

use super::backend::{Row, Sql, Tx, inserted};
use super::decisions::unit_key;
use super::error::StorageError;
use super::records::{
    Attempt, AttemptResult, Command, CommandChange, CommandState, NewCommand, Posted,
};
use super::words::{from_word, from_word_or_null, word};
use crate::domain::clock::Timestamp;
use crate::domain::ids::{AttemptId, CommandId};

const INSERT: Sql = Sql::same(
    "INSERT INTO command (chain_id, decision_id, uid, seat, number, action, purpose, reason, state,
         due_at, created_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'open', $9, $10) RETURNING id",
)
.in_sets();
const CHANGE: Sql = Sql::same(
    "UPDATE command SET state = $2, action = $3, due_at = $4, tries = $5, note = $6,
         finished_at = CASE WHEN $2 = 'open' THEN NULL ELSE $7 END
     WHERE id = $1",
)
.in_sets();
const ATTEMPT: Sql = Sql::same("SELECT id FROM attempt WHERE id = $1").in_sets();
pub(super) const OF_CHAIN: Sql = Sql::same(
    "SELECT id, decision_id, uid, seat, number, action, purpose, reason, state, tries, due_at, note,
         created_at
     FROM command WHERE chain_id = $1 ORDER BY id",
);

const INSERT_ATTEMPT: Sql = Sql::same(
    "INSERT INTO attempt (command_id, number, worker, started_at, deadline_at)
     VALUES ($1, (SELECT COALESCE(MAX(number), 0) + 1 FROM attempt WHERE command_id = $1), $2, $3, $4)
     RETURNING id",
).in_sets();
const FINISH_ATTEMPT: Sql = Sql::same(
    "UPDATE attempt SET answered_at = $2, result = $3, http_status = $4, detail = $5
     WHERE id = $1 AND result IS NULL",
)
.in_sets();
pub(super) const ATTEMPTS_OF_CHAIN: Sql = Sql::same(
    "SELECT attempt.command_id, attempt.id AS attempt_id, attempt.number AS attempt_number,
         attempt.worker, attempt.started_at, attempt.deadline_at, attempt.answered_at,
         attempt.result, attempt.http_status, attempt.detail
     FROM attempt JOIN command ON command.id = attempt.command_id
     WHERE command.chain_id = $1 ORDER BY attempt.command_id, attempt.number",
);
impl Tx {
    /// Writes down what the provider is to be told.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn insert_command(
        &mut self,
        new: &NewCommand,
        now: Timestamp,
    ) -> Result<CommandId, StorageError> {
        let insert = self.query(INSERT).bind(new.chain).bind(new.decision);
        let insert = insert.bind(&new.unit.uid).bind(&new.unit.seat);
        let insert = insert.bind(new.number).bind(new.action.as_str());
        let insert = insert.bind(word(new.purpose)?).bind(&new.reason);
        inserted(insert.bind(new.due_at).bind(now).new_id().await?).map(CommandId)
    }

    /// Writes down a call before it is made; its number is the next of its command. `deadline` is
    /// when the call is over at the latest.
    ///
    /// # Errors
    /// If there is no such command, or the store fails.
    pub async fn begin_attempt(
        &mut self,
        command: CommandId,
        worker: &str,
        now: Timestamp,
        deadline: Timestamp,
    ) -> Result<AttemptId, StorageError> {
        let insert = self.query(INSERT_ATTEMPT).bind(command).bind(worker);
        inserted(insert.bind(now).bind(deadline).new_id().await?).map(AttemptId)
    }

    /// Records how a call ended. Needs no lease: what happened has happened. [`Posted::Duplicate`] if
    /// that is recorded already: it stays as it is, and so must its command then, because whoever gave the
    /// attempt up has gone on from there.
    ///
    /// # Errors
    /// [`StorageError::Missing`] if there is no such attempt.
    pub async fn finish_attempt(
        &mut self,
        attempt: AttemptId,
        result: AttemptResult,
        http_status: Option<i64>,
        detail: Option<&str>,
        now: Timestamp,
    ) -> Result<Posted<()>, StorageError> {
        let finish = self.query(FINISH_ATTEMPT).bind(attempt).bind(now);
        let finish = finish.bind(word(result)?).bind(http_status);
        if finish.bind(detail).run().await? == 1 {
            return Ok(Posted::New(()));
        }
        match self.query(ATTEMPT).bind(attempt).optional().await? {
            Some(_) => Ok(Posted::Duplicate),
            None => Err(StorageError::Missing {
                what: "attempt",
                id: attempt.0,
            }),
        }
    }

    /// Changes where a command stands.
    ///
    /// # Errors
    /// [`StorageError::Missing`] if there is no such command.
    pub async fn change_command(
        &mut self,
        change: &CommandChange,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        let update = self.query(CHANGE).bind(change.id);
        let update = update
            .bind(word(change.state)?)
            .bind(change.action.as_str());
        let update = update.bind(change.due_at).bind(change.tries);
        match update.bind(&change.note).bind(now).run().await? {
            1 => Ok(()),
            _ => Err(StorageError::Missing {
                what: "command",
                id: change.id.0,
            }),
        }
    }
}

/// Commands with their attempts; both by the command's id.
pub(super) fn with_attempts(
    commands: &[Row],
    attempts: &[Row],
) -> Result<Vec<Command>, StorageError> {
    let mut commands: Vec<Command> = commands.iter().map(command).collect::<Result<_, _>>()?;
    for row in attempts {
        let of: CommandId = row.get("command_id")?;
        if let Ok(at) = commands.binary_search_by_key(&of, |command| command.id) {
            commands[at].attempts.push(attempt(row)?);
        }
    }
    Ok(commands)
}

fn command(row: &Row) -> Result<Command, StorageError> {
    Ok(Command {
        id: row.get("id")?,
        decision: row.get("decision_id")?,
        unit: unit_key(row)?,
        number: row.get("number")?,
        action: from_word(row, "action")?,
        purpose: from_word(row, "purpose")?,
        reason: row.get("reason")?,
        state: from_word::<CommandState>(row, "state")?,
        tries: row.get("tries")?,
        due_at: row.get("due_at")?,
        note: row.get("note")?,
        created_at: row.get("created_at")?,
        attempts: Vec::new(),
    })
}

pub(super) fn attempt(row: &Row) -> Result<Attempt, StorageError> {
    Ok(Attempt {
        id: row.get("attempt_id")?,
        number: row.get("attempt_number")?,
        worker: row.get("worker")?,
        started_at: row.get("started_at")?,
        deadline_at: row.get("deadline_at")?,
        answered_at: row.get("answered_at")?,
        result: from_word_or_null(row, "result")?,
        http_status: row.get("http_status")?,
        detail: row.get("detail")?,
    })
}
