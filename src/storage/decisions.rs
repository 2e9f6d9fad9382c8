//! Decisions, one for each revision and round.

use super::backend::{Row, Sql, Tx};
use super::error::StorageError;
use super::records::{Decision, DecisionFilter, DecisionRow, DecisionStory, NewDecision, Posted};
use super::words::{from_json, from_word, json};
use crate::domain::ids::{DecisionId, UnitKey};

const INSERT: Sql = Sql::same(
    "INSERT INTO decision (chain_id, source, uid, seat, start_at, end_at, round, outcome, decided_by,
         policy_id, policy_hash, message, note, unit, cost, terms, facts, trace, decided_at,
         engine, set_hash, verdict)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
         $20, $21, $22)
     ON CONFLICT (source, uid, seat, start_at, end_at, round) DO NOTHING RETURNING id",
).in_sets();
const STORY: Sql = Sql::same(
    "SELECT policy_id, policy_hash, note, facts, trace, engine, set_hash, verdict
     FROM decision WHERE id = $1",
);
pub(super) const OF_CHAIN: Sql = Sql::same(
    "SELECT id, uid, seat, start_at, end_at, round, outcome, decided_by, message, terms, decided_at
     FROM decision WHERE chain_id = $1 ORDER BY id",
);
const LIST: Sql = Sql::same(
    "SELECT id, source, uid, seat, start_at, end_at, round, outcome, decided_by, policy_id, message,
         note, terms, decided_at
     FROM decision
     WHERE id < $1 AND (CAST($2 AS TEXT) IS NULL OR source = $2)
         AND (CAST($3 AS TEXT) IS NULL OR outcome = $3)
         AND (CAST($4 AS TEXT) IS NULL OR policy_id = $4)
         AND (CAST($5 AS TEXT) IS NULL OR decided_by = $5)
         AND (CAST($6 AS BIGINT) IS NULL OR decided_at >= $6)
         AND (CAST($7 AS BIGINT) IS NULL OR decided_at < $7)
     ORDER BY id DESC LIMIT $8",
);

impl Tx {
    /// Decisions before `before` that pass the filter, newest first.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn list_decisions(
        &mut self,
        filter: &DecisionFilter,
        before: Option<DecisionId>,
        limit: u32,
    ) -> Result<Vec<DecisionRow>, StorageError> {
        let before = before.unwrap_or(DecisionId(i64::MAX));
        let list = self.query(LIST).bind(before).bind(filter.source.as_ref());
        let list = list.bind(filter.outcome.map(|outcome| outcome.as_str()));
        let list = list.bind(&filter.policy).bind(&filter.decided_by);
        let list = list.bind(filter.since).bind(filter.until);
        let rows = list.bind(i64::from(limit)).all().await?;
        let line = |row: &Row| {
            Ok(DecisionRow {
                source: row.get("source")?,
                decision: decision(row)?,
                policy: row.get("policy_id")?,
                note: row.get("note")?,
            })
        };
        rows.iter().map(line).collect()
    }

    /// Stores a decision, once for each revision and round.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn insert_decision(
        &mut self,
        new: &NewDecision,
    ) -> Result<Posted<DecisionId>, StorageError> {
        let cost = new.terms.cost.as_ref();
        let insert = self.query(INSERT).bind(new.chain).bind(&new.source);
        let insert = insert.bind(&new.unit.uid).bind(&new.unit.seat);
        let insert = insert.bind(new.start).bind(new.end).bind(new.round);
        let insert = insert.bind(new.outcome.as_str());
        let insert = insert.bind(new.decider.to_string());
        let insert = insert.bind(&new.policy_id).bind(&new.policy_hash);
        let insert = insert.bind(&new.message).bind(&new.note);
        let insert = insert.bind(cost.map(|cost| &cost.unit));
        let insert = insert.bind(cost.map_or(0, |cost| cost.minor));
        let insert = insert.bind(json(&new.terms)?);
        let insert = insert.bind(&new.facts).bind(&new.trace);
        let insert = insert.bind(new.decided_at).bind(env!("CARGO_PKG_VERSION"));
        let insert = insert.bind(&new.set_hash).bind(&new.verdict);
        match insert.new_id().await? {
            Some(id) => Ok(Posted::New(DecisionId(id))),
            None => Ok(Posted::Duplicate),
        }
    }

    /// How a decision came about.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn decision_story(
        &mut self,
        decision: DecisionId,
    ) -> Result<Option<DecisionStory>, StorageError> {
        let row = self.query(STORY).bind(decision).optional().await?;
        row.map(|row| {
            Ok(DecisionStory {
                policy_id: row.get("policy_id")?,
                policy_hash: row.get("policy_hash")?,
                note: row.get("note")?,
                facts: row.get("facts")?,
                trace: row.get("trace")?,
                engine: row.get("engine")?,
                set_hash: row.get("set_hash")?,
                verdict: row.get("verdict")?,
            })
        })
        .transpose()
    }
}

pub(super) fn decision(row: &Row) -> Result<Decision, StorageError> {
    Ok(Decision {
        id: row.get("id")?,
        unit: unit_key(row)?,
        start: row.get("start_at")?,
        end: row.get("end_at")?,
        round: row.get("round")?,
        outcome: from_word(row, "outcome")?,
        decider: row.get("decided_by")?,
        message: row.get("message")?,
        terms: from_json(row, "terms")?,
        decided_at: row.get("decided_at")?,
    })
}

/// The booking or seat in the columns `uid` and `seat`.
pub(super) fn unit_key(row: &Row) -> Result<UnitKey, StorageError> {
    Ok(UnitKey {
        uid: row.get("uid")?,
        seat: row.get("seat")?,
    })
}
