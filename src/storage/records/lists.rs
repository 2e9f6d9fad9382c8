//! Rows of lists, and where a list goes on.

use crate::domain::clock::Timestamp;
use crate::domain::decision::{Action, Outcome};
use crate::domain::ids::{
    ChainId, CommandId, DecisionId, DeliveryId, SeatId, SourceName, Uid, UnitKey,
};
use crate::domain::owner::Owner;

use super::{Attempt, AttemptResult, BookingRow, Decision, DeliveryRow, DeliveryState, Purpose};

/// Which bookings are wanted; `None` is any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BookingFilter {
    /// Of this source.
    pub source: Option<SourceName>,
    /// With this status, as [`BookingRow::status`].
    pub status: Option<String>,
    /// With this outcome.
    pub outcome: Option<Outcome>,
    /// Of this person.
    pub booker: Option<Owner>,
    /// Changed at this time or later.
    pub since: Option<Timestamp>,
    /// Changed before this time.
    pub until: Option<Timestamp>,
    /// That start at this time or later.
    pub starts_since: Option<Timestamp>,
    /// That start before this time.
    pub starts_until: Option<Timestamp>,
}

/// Which decisions are meant; `None` is any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DecisionFilter {
    /// Of this source.
    pub source: Option<SourceName>,
    /// With this outcome.
    pub outcome: Option<Outcome>,
    /// By this policy.
    pub policy: Option<String>,
    /// Decided by, as [`Decider`](super::Decider) is written: `policy`, `host`, `carried`, `person:NAME`.
    pub decided_by: Option<String>,
    /// Made at this time or later.
    pub since: Option<Timestamp>,
    /// Made before this time.
    pub until: Option<Timestamp>,
}

/// A decision's line in lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecisionRow {
    /// Its source.
    pub source: SourceName,
    /// The decision.
    pub decision: Decision,
    /// The deciding policy.
    pub policy: Option<String>,
    /// For admins.
    pub note: Option<String>,
}

/// Where a list of bookings goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookingCursor {
    /// When the last booking shown had changed.
    pub updated_at: Timestamp,
    /// Its source.
    pub source: SourceName,
    /// The booking.
    pub uid: Uid,
    /// The seat.
    pub seat: Option<SeatId>,
}

impl From<&BookingRow> for BookingCursor {
    fn from(row: &BookingRow) -> Self {
        Self {
            updated_at: row.updated_at,
            source: row.source.clone(),
            uid: row.uid.clone(),
            seat: row.seat.clone(),
        }
    }
}

/// A booking that was left to a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingRow {
    /// Its line.
    pub booking: BookingRow,
    /// Why it was left.
    pub note: Option<String>,
    /// Since when.
    pub since: Timestamp,
}

/// A call to a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRow {
    /// When it was written down.
    pub started_at: Timestamp,
    /// When its answer was recorded.
    pub answered_at: Option<Timestamp>,
    /// The answer; `None` while nobody knows.
    pub result: Option<AttemptResult>,
    /// The HTTP status, if there was one.
    pub http_status: Option<i64>,
}

/// A command that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetterRow {
    /// Its id.
    pub id: CommandId,
    /// The chain it belongs to.
    pub chain: ChainId,
    /// The source of the chain.
    pub source: SourceName,
    /// The decision it should carry out.
    pub decision: Option<DecisionId>,
    /// The booking or seat it is about.
    pub unit: UnitKey,
    /// The booking's numeric id.
    pub number: Option<i64>,
    /// What was asked.
    pub action: Action,
    /// Why.
    pub purpose: Purpose,
    /// The reason for the booker.
    pub reason: Option<String>,
    /// Why it was given up.
    pub note: Option<String>,
    /// Attempts that counted.
    pub tries: i64,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it was given up.
    pub finished_at: Option<Timestamp>,
    /// When its booking begins, if that is known.
    pub start: Option<Timestamp>,
    /// Whether credit is still set aside for its booking.
    pub holds: bool,
    /// The last call made for it.
    pub last_attempt: Option<Attempt>,
}

/// Which dead letters are meant; `None` is any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeadLetterFilter {
    /// This one.
    pub id: Option<CommandId>,
    /// Of this source.
    pub source: Option<SourceName>,
    /// Of this operation.
    pub action: Option<Action>,
    /// Given up at this time or later.
    pub since: Option<Timestamp>,
}

/// Which deliveries are meant; `None` is any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveryFilter {
    /// Of this source.
    pub source: Option<SourceName>,
    /// In this state.
    pub state: Option<DeliveryState>,
    /// Of this trigger.
    pub trigger: Option<String>,
    /// Received at this time or later.
    pub since: Option<Timestamp>,
    /// Received before this time.
    pub until: Option<Timestamp>,
}

/// What a search for deliveries came to.
#[derive(Debug, Clone, Default)]
pub struct FoundDeliveries {
    /// Those that fit, newest first.
    pub rows: Vec<DeliveryRow>,
    /// The last one that was looked at, if there may be more behind it.
    pub searched_to: Option<DeliveryId>,
}

/// A change that a person makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Who, such as `token:ops`.
    pub actor: String,
    /// What was done, such as `dead_letter.purge`.
    pub action: String,
    /// On what, such as `calcom/91`.
    pub target: String,
    /// What a person wants to know of it beside.
    pub detail: Option<String>,
    /// The id of the request that ordered it, if one did.
    pub request: Option<String>,
}

/// Which changes are meant; `None` is any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChangeFilter {
    /// By whom.
    pub actor: Option<String>,
    /// Of this kind.
    pub action: Option<String>,
    /// On what.
    pub target: Option<String>,
    /// Ordered by this request.
    pub request: Option<String>,
    /// Made at this time or later.
    pub since: Option<Timestamp>,
    /// Made before this time.
    pub until: Option<Timestamp>,
}

/// A change that a person has made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// Its place in the log.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// Who did what.
    pub change: Change,
}

/// The answer to an earlier request with an `Idempotency-Key`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAnswer {
    /// SHA-256 of the canonical request.
    pub request_hash: Vec<u8>,
    /// The canonical request, to tell which field differs.
    pub request: String,
    /// The HTTP status answered.
    pub status: i64,
    /// The body answered, as JSON.
    pub outcome: String,
}
