//! What policies that are only watched would have decided.

use crate::domain::amount::Amount;
use crate::domain::clock::Timestamp;
use crate::domain::decision::Outcome;
use crate::domain::ids::{DecisionId, SourceName, UnitKey};

/// What a policy in shadow would have made of a booking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShadowVerdict {
    /// Its id.
    pub policy: String,
    /// Its meaning at that time.
    pub policy_hash: String,
    /// What would have been decided.
    pub outcome: Outcome,
    /// The criteria that a refusal would have rested on.
    pub failed: Vec<String>,
    /// What the booker would have been told.
    pub message: Option<String>,
    /// What admins would have been told.
    pub note: Option<String>,
    /// The price.
    pub cost: Option<Amount>,
    /// How it came about, as JSON.
    pub trace: String,
}

/// Which verdicts to list; `None` is any.
#[derive(Debug, Clone, Default)]
pub struct ShadowFilter {
    /// Of this policy.
    pub policy: Option<String>,
}

/// Where a list of them goes on: behind this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShadowCursor {
    /// The decision.
    pub decision: DecisionId,
    /// The policy in shadow.
    pub policy: String,
}

/// A decision, and what a policy in shadow would have made of it.
#[derive(Debug, Clone)]
pub struct ShadowRow {
    /// The decision.
    pub decision: DecisionId,
    /// The source.
    pub source: SourceName,
    /// The booking or seat.
    pub unit: UnitKey,
    /// When it begins.
    pub start: Timestamp,
    /// When it was decided.
    pub decided_at: Timestamp,
    /// What was decided.
    pub outcome: Outcome,
    /// By which policy.
    pub by: Option<String>,
    /// The price.
    pub cost: Option<Amount>,
    /// What the policy in shadow would have made of it.
    pub shadow: ShadowVerdict,
}

/// A decision with all that it was made from, to be made again.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The decision.
    pub decision: DecisionId,
    /// The source.
    pub source: SourceName,
    /// The booking or seat.
    pub unit: UnitKey,
    /// When it begins.
    pub start: Timestamp,
    /// When it was decided.
    pub decided_at: Timestamp,
    /// Who decided: `policy`, `host`, `carried` or `person:NAME`.
    pub decided_by: String,
    /// What was decided.
    pub outcome: Outcome,
    /// By which policy.
    pub by: Option<String>,
    /// The price.
    pub cost: Option<Amount>,
    /// What the policies said, as JSON; `None` where that was not kept.
    pub verdict: Option<String>,
    /// What they looked at, as JSON.
    pub facts: String,
}
