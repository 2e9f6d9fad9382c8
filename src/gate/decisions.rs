//! Decisions as an admin lists them: of all bookings, newest first.

use serde::{Deserialize, Serialize};

use super::query::{id_cursor, page};
use super::views::Page;
use super::{Desk, GateError};
use crate::domain::clock::Timestamp;
use crate::domain::decision::Outcome;
use crate::domain::ids::{DecisionId, SourceName};
use crate::storage::records::{DecisionFilter, DecisionRow};

/// Which decisions to list; `None` is any.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecisionsAsked {
    /// Of this source.
    pub source: Option<String>,
    /// With this outcome.
    pub outcome: Option<Outcome>,
    /// By this policy.
    pub policy: Option<String>,
    /// Decided by `policy`, `host`, `carried` or `person:NAME`.
    pub decided_by: Option<String>,
    /// Made at this time or later.
    pub since: Option<Timestamp>,
    /// Made before this time.
    pub until: Option<Timestamp>,
    /// Where to begin, from the page before.
    pub after: Option<String>,
    /// How many.
    pub limit: Option<u32>,
}

/// A decision's line in lists. What it was made from is told with its booking.
#[derive(Debug, Clone, Serialize)]
pub struct DecisionLine {
    /// Its id.
    pub id: i64,
    /// The source.
    pub source: SourceName,
    /// The booking or seat.
    pub booking: String,
    /// Start of the appointment that was decided.
    pub start: Timestamp,
    /// Which decision about it.
    pub round: i64,
    /// The outcome.
    pub outcome: Outcome,
    /// Who decided.
    pub decided_by: String,
    /// The deciding policy.
    pub policy: Option<String>,
    /// What the booker is told.
    pub message: Option<String>,
    /// What the admin is told.
    pub note: Option<String>,
    /// The price.
    pub cost: Option<String>,
    /// The price's unit.
    pub unit_of_cost: Option<String>,
    /// When.
    pub decided_at: Timestamp,
}

impl Desk {
    /// Decisions, newest first.
    ///
    /// # Errors
    /// [`GateError::Invalid`] for a cursor that is none.
    pub async fn decisions(&self, asked: DecisionsAsked) -> Result<Page<DecisionLine>, GateError> {
        let before = asked.after.as_deref().map(id_cursor).transpose()?;
        let before = before.map(DecisionId);
        let limit = page(asked.limit);
        let filter = DecisionFilter {
            source: asked.source.map(SourceName::new),
            outcome: asked.outcome,
            policy: asked.policy,
            decided_by: asked.decided_by,
            since: asked.since,
            until: asked.until,
        };
        let desk = self.clone();
        self.storage
            .read(move |tx| {
                Box::pin(async move {
                    let rows = tx.list_decisions(&filter, before, limit + 1).await?;
                    let cursor = |row: &DecisionRow| row.decision.id.to_string();
                    Ok(Page::of(rows, limit, cursor, |row| desk.decision_line(row)))
                })
            })
            .await
    }

    fn decision_line(&self, row: DecisionRow) -> DecisionLine {
        let decision = row.decision;
        let cost = decision.terms.cost.as_ref();
        DecisionLine {
            id: decision.id.0,
            source: row.source,
            booking: decision.unit.to_string(),
            start: decision.start,
            round: decision.round,
            outcome: decision.outcome,
            decided_by: decision.decider.to_string(),
            policy: row.policy,
            cost: cost.map(|cost| self.amount_text(cost)),
            unit_of_cost: cost.map(|cost| cost.unit.to_string()),
            message: decision.message,
            note: row.note,
            decided_at: decision.decided_at,
        }
    }
}
