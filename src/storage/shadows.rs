//! What policies that are only watched would have decided, beside what was decided; and past decisions with
//! what they were made from, to be made again.

use super::backend::{Row, Sql, Tx};
use super::decisions::unit_key;
use super::error::StorageError;
use super::records::{ShadowCursor, ShadowFilter, ShadowRow, ShadowVerdict, Snapshot};
use super::words::{from_json, from_word, json};
use crate::domain::amount::{Amount, UnitCode};
use crate::domain::ids::DecisionId;

const INSERT: Sql = Sql::same(
    "INSERT INTO shadow_verdict (decision_id, policy_id, policy_hash, outcome, failed, message, note,
         unit, cost, trace)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
)
.in_sets();
const OF_DECISION: Sql = Sql::same(
    "SELECT policy_id, policy_hash, outcome, failed, message, note, unit, cost, trace
     FROM shadow_verdict WHERE decision_id = $1 ORDER BY policy_id",
);
const LIST: Sql = Sql::same(
    "SELECT shadow.policy_id, shadow.policy_hash, shadow.outcome, shadow.failed, shadow.message,
         shadow.note, shadow.unit, shadow.cost, shadow.trace, decision.id, decision.source,
         decision.uid, decision.seat, decision.start_at, decision.decided_at,
         decision.outcome AS enforced, decision.policy_id AS enforced_by,
         decision.unit AS enforced_unit, decision.cost AS enforced_cost
     FROM shadow_verdict AS shadow JOIN decision ON decision.id = shadow.decision_id
     WHERE (shadow.decision_id < $1 OR (shadow.decision_id = $1 AND shadow.policy_id > $2))
         AND (CAST($3 AS TEXT) IS NULL OR shadow.policy_id = $3)
     ORDER BY shadow.decision_id DESC, shadow.policy_id LIMIT $4",
);
const SNAPSHOTS: Sql = Sql::same(
    "SELECT id, source, uid, seat, start_at, decided_at, decided_by, outcome AS enforced,
         policy_id AS enforced_by, unit AS enforced_unit, cost AS enforced_cost, verdict, facts
     FROM decision WHERE id < $1 ORDER BY id DESC LIMIT $2",
);

impl Tx {
    /// Stores what a policy in shadow would have made of a decision.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn insert_shadow_verdict(
        &mut self,
        decision: DecisionId,
        shadow: &ShadowVerdict,
    ) -> Result<(), StorageError> {
        let cost = shadow.cost.as_ref();
        let insert = self.query(INSERT).bind(decision).bind(&shadow.policy);
        let insert = insert
            .bind(&shadow.policy_hash)
            .bind(shadow.outcome.as_str());
        let insert = insert.bind(json(&shadow.failed)?);
        let insert = insert.bind(&shadow.message).bind(&shadow.note);
        let insert = insert.bind(cost.map(|cost| &cost.unit));
        let insert = insert.bind(cost.map_or(0, |cost| cost.minor));
        insert.bind(&shadow.trace).run().await.map(drop)
    }

    /// What policies in shadow would have made of a decision.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn shadow_verdicts(
        &mut self,
        decision: DecisionId,
    ) -> Result<Vec<ShadowVerdict>, StorageError> {
        let rows = self.query(OF_DECISION).bind(decision).all().await?;
        rows.iter().map(verdict).collect()
    }

    /// Decisions beside what policies in shadow would have made of them, newest first, behind `after`.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn list_shadow_verdicts(
        &mut self,
        filter: &ShadowFilter,
        after: Option<&ShadowCursor>,
        limit: u32,
    ) -> Result<Vec<ShadowRow>, StorageError> {
        let decision = after.map_or(DecisionId(i64::MAX), |after| after.decision);
        let policy = after.map_or("", |after| after.policy.as_str());
        let list = self.query(LIST).bind(decision).bind(policy);
        let rows = list.bind(&filter.policy).bind(i64::from(limit));
        let line = |row: &Row| {
            Ok(ShadowRow {
                decision: row.get("id")?,
                source: row.get("source")?,
                unit: unit_key(row)?,
                start: row.get("start_at")?,
                decided_at: row.get("decided_at")?,
                outcome: from_word(row, "enforced")?,
                by: row.get("enforced_by")?,
                cost: amount(row, "enforced_unit", "enforced_cost")?,
                shadow: verdict(row)?,
            })
        };
        rows.all().await?.iter().map(line).collect()
    }

    /// Decisions with what they were made from, newest first, before `before`.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn snapshots(
        &mut self,
        before: Option<DecisionId>,
        limit: u32,
    ) -> Result<Vec<Snapshot>, StorageError> {
        let before = before.unwrap_or(DecisionId(i64::MAX));
        let list = self.query(SNAPSHOTS).bind(before).bind(i64::from(limit));
        let line = |row: &Row| {
            Ok(Snapshot {
                decision: row.get("id")?,
                source: row.get("source")?,
                unit: unit_key(row)?,
                start: row.get("start_at")?,
                decided_at: row.get("decided_at")?,
                decided_by: row.get("decided_by")?,
                outcome: from_word(row, "enforced")?,
                by: row.get("enforced_by")?,
                cost: amount(row, "enforced_unit", "enforced_cost")?,
                verdict: row.get("verdict")?,
                facts: row.get("facts")?,
            })
        };
        list.all().await?.iter().map(line).collect()
    }
}

fn verdict(row: &Row) -> Result<ShadowVerdict, StorageError> {
    Ok(ShadowVerdict {
        policy: row.get("policy_id")?,
        policy_hash: row.get("policy_hash")?,
        outcome: from_word(row, "outcome")?,
        failed: from_json(row, "failed")?,
        message: row.get("message")?,
        note: row.get("note")?,
        cost: amount(row, "unit", "cost")?,
        trace: row.get("trace")?,
    })
}

fn amount(row: &Row, unit: &str, cost: &str) -> Result<Option<Amount>, StorageError> {
    let unit: Option<UnitCode> = row.get(unit)?;
    let minor = row.get(cost)?;
    Ok(unit.map(|unit| Amount { minor, unit }))
}
