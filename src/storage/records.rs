//! What the store gives and takes beside the values of `domain::chain`: plain rows, without a trace
//! of SQL.

mod jobs;
mod ledger;
mod lists;
mod moving;
mod notices;
mod retention;
mod shadows;
mod sources;
mod waiting;

pub use jobs::*;
pub use ledger::*;
pub use lists::*;
pub use moving::*;
pub use notices::*;
pub use retention::*;
pub use shadows::*;
pub use sources::*;
pub use waiting::*;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub use crate::domain::chain::{
    Attempt, AttemptResult, ChainRecord, Closed, Command, CommandChange, CommandState, Decider,
    Decision, Fact, FactBody, Hold, HoldState, Purpose,
};
use crate::domain::clock::Timestamp;
use crate::domain::decision::{Action, Outcome, Terms};
use crate::domain::ids::{
    ChainId, CommandId, DecisionId, DeliveryId, SeatId, SourceName, Uid, UnitKey,
};
use crate::domain::owner::Owner;
use crate::domain::timeline::EndedBy;

/// Whether an insert that may repeat found its row there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Posted<T> {
    /// It is new.
    New(T),
    /// It was there.
    Duplicate,
}

/// What became of a delivery in the inbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// It says something about a booking.
    Event,
    /// Understood, and not for us.
    Ignored,
    /// Not understood.
    Unparsed,
    /// Understood, but the store would not take what it says.
    Quarantined,
    /// Stored, and still to be understood, for the first time or once more.
    Waiting,
}

impl DeliveryState {
    /// In one word, as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Ignored => "ignored",
            Self::Unparsed => "unparsed",
            Self::Quarantined => "quarantined",
            Self::Waiting => "waiting",
        }
    }
}

/// A verified delivery on its way into the inbox.
#[derive(Debug, Clone)]
pub struct NewDelivery {
    /// The source it came from.
    pub source: SourceName,
    /// First 16 bytes of SHA-256 over source and body: the idempotency key.
    pub digest: [u8; 16],
    /// When it was received, by our clock.
    pub received_at: Timestamp,
    /// The `Content-Type` it came with.
    pub content_type: Option<String>,
    /// The signed bytes.
    pub body: Bytes,
}

/// A delivery that waits to be understood.
#[derive(Debug, Clone)]
pub struct UnfiledDelivery {
    /// Its id.
    pub id: DeliveryId,
    /// The source it came from.
    pub source: SourceName,
    /// When it was received.
    pub received_at: Timestamp,
    /// The `Content-Type` it came with.
    pub content_type: Option<String>,
    /// The signed bytes.
    pub body: Bytes,
    /// Whether a person has it read again.
    pub replayed: bool,
}

/// A delivery that was understood as far as it can be.
#[derive(Debug, Clone)]
pub struct Understood {
    /// Its id.
    pub delivery: DeliveryId,
    /// The source it came from.
    pub source: SourceName,
    /// When it was received.
    pub received_at: Timestamp,
    /// What it turned out to be.
    pub filing: Filing,
    /// What it tells of a booking.
    pub fact: Option<FactBody>,
    /// The names of that booking's chain.
    pub names: Vec<String>,
    /// Whether a person has it read again.
    pub replayed: bool,
}

/// How many bookings there are of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BookingCount {
    /// Those that stand.
    pub standing: i64,
    /// All of them.
    pub all: i64,
}

/// What a delivery turned out to be.
#[derive(Debug, Clone)]
pub struct Filing {
    /// In one word.
    pub state: DeliveryState,
    /// The provider's name for what happened.
    pub trigger: Option<String>,
    /// Why it is unparsed or quarantined.
    pub note: Option<String>,
}

/// A stored delivery, without its body.
#[derive(Debug, Clone, Serialize)]
pub struct DeliveryRow {
    /// Its id, in the order of storing.
    pub id: DeliveryId,
    /// The source it came from.
    pub source: SourceName,
    /// When it was received.
    pub received_at: Timestamp,
    /// What became of it.
    pub state: DeliveryState,
    /// The provider's name for what happened.
    pub trigger: Option<String>,
    /// Why it is unparsed or quarantined.
    pub note: Option<String>,
    /// When it was understood, as far as it was.
    pub filed_at: Option<Timestamp>,
    /// When a person last had it read again.
    pub replayed_at: Option<Timestamp>,
    /// How large it is; `None` once retention has removed its body.
    pub body_bytes: Option<i64>,
}

/// A decision to be stored.
#[derive(Debug, Clone)]
pub struct NewDecision {
    /// The chain it belongs to.
    pub chain: ChainId,
    /// The source of the chain.
    pub source: SourceName,
    /// What is decided.
    pub unit: UnitKey,
    /// Start of the decided revision.
    pub start: Timestamp,
    /// End of the decided revision.
    pub end: Timestamp,
    /// 1, or more where a person decided again what was deferred.
    pub round: i64,
    /// The outcome.
    pub outcome: Outcome,
    /// Who decided.
    pub decider: Decider,
    /// The deciding policy's id.
    pub policy_id: Option<String>,
    /// The deciding policy's hash.
    pub policy_hash: Option<String>,
    /// The reason for the booker.
    pub message: Option<String>,
    /// The note for the admin.
    pub note: Option<String>,
    /// Price and refund schedule.
    pub terms: Terms,
    /// What the decision looked at, as JSON.
    pub facts: String,
    /// How the decision came about, as JSON.
    pub trace: String,
    /// The hash of the set of policies that was in force; `None` if none was asked.
    pub set_hash: Option<String>,
    /// What they said, as JSON, before price, host and series had their word; `None` as before.
    pub verdict: Option<String>,
    /// When, by our clock.
    pub decided_at: Timestamp,
}

impl NewDecision {
    /// What it is once it is stored.
    pub fn stored(self, id: DecisionId) -> Decision {
        Decision {
            id,
            unit: self.unit,
            start: self.start,
            end: self.end,
            round: self.round,
            outcome: self.outcome,
            decider: self.decider,
            message: self.message,
            terms: self.terms,
            decided_at: self.decided_at,
        }
    }
}

/// A command to be stored.
#[derive(Debug, Clone)]
pub struct NewCommand {
    /// The chain it belongs to.
    pub chain: ChainId,
    /// The decision it carries out.
    pub decision: Option<DecisionId>,
    /// The booking or seat it is about.
    pub unit: UnitKey,
    /// The booking's numeric id.
    pub number: Option<i64>,
    /// What is asked.
    pub action: Action,
    /// Why.
    pub purpose: Purpose,
    /// The reason for the booker.
    pub reason: Option<String>,
    /// When it is due.
    pub due_at: Timestamp,
}

impl NewCommand {
    /// What it is once it is stored.
    pub fn stored(self, id: CommandId, now: Timestamp) -> Command {
        Command {
            id,
            decision: self.decision,
            unit: self.unit,
            number: self.number,
            action: self.action,
            purpose: self.purpose,
            reason: self.reason,
            state: CommandState::Open,
            tries: 0,
            due_at: self.due_at,
            note: None,
            created_at: now,
            attempts: Vec::new(),
        }
    }
}

/// How a decision came about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecisionStory {
    /// The deciding policy's id.
    pub policy_id: Option<String>,
    /// The deciding policy's hash.
    pub policy_hash: Option<String>,
    /// The note for the admin.
    pub note: Option<String>,
    /// What the decision looked at, as JSON.
    pub facts: String,
    /// What the policies said, as JSON.
    pub trace: String,
    /// The version of bookgate that decided.
    pub engine: String,
    /// The hash of the set of policies that was in force; `None` if none was asked, or if it was decided
    /// before such was kept.
    pub set_hash: Option<String>,
    /// What they said, as JSON; `None` as before.
    pub verdict: Option<String>,
}

/// A worker's right to a chain. Nothing about a chain is changed without one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The chain.
    pub chain: ChainId,
    /// Its source.
    pub source: SourceName,
    /// The fencing number: only the holder of the highest may write.
    pub fence: i64,
    /// Until when.
    pub until: Timestamp,
}

/// A lease that was given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Released {
    /// When the chain is due again; `None` if nobody has asked for it.
    pub due: Option<Timestamp>,
}

/// A daemon on this store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// Its name in leases and attempts; new with every start.
    pub id: String,
    /// The machine it runs on.
    pub host: String,
    /// The version of bookgate.
    pub version: String,
    /// When it started.
    pub started_at: Timestamp,
    /// When it last said that it lives.
    pub seen_at: Timestamp,
}

/// A booking's line in lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookingRow {
    /// The source.
    pub source: SourceName,
    /// The booking.
    pub uid: Uid,
    /// The seat.
    pub seat: Option<SeatId>,
    /// The chain.
    pub chain: ChainId,
    /// The numeric id.
    pub number: Option<i64>,
    /// Where it stands: a [`crate::domain::booking::Status`] or `superseded`.
    pub status: String,
    /// The outcome of its decision.
    pub outcome: Option<Outcome>,
    /// Its decision.
    pub decision: Option<DecisionId>,
    /// Whether nothing is left to do.
    pub settled: bool,
    /// Who booked.
    pub booker: Option<Owner>,
    /// Slug or id of the event type.
    pub event_type: Option<String>,
    /// Start.
    pub start: Option<Timestamp>,
    /// End.
    pub end: Option<Timestamp>,
    /// When this line last changed.
    pub updated_at: Timestamp,
    /// The event type's numeric id, if it has one.
    pub event_type_id: Option<i64>,
    /// When it was asked for, by the provider's clock. Not known of what an older version wrote, as is all
    /// that follows.
    pub asked_at: Option<Timestamp>,
    /// When it was called off or refused.
    pub ended_at: Option<Timestamp>,
    /// Who ended it.
    pub ended_by: Option<EndedBy>,
    /// Whether somebody did not come; `None` if the provider has said nothing of it.
    pub no_show: Option<bool>,
}
