//! What the store gives and takes: plain rows, without a trace of SQL.

mod ledger;
mod lists;

pub use ledger::*;
pub use lists::*;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::domain::amount::Amount;
use crate::domain::booking::Reading;
use crate::domain::clock::Timestamp;
use crate::domain::decision::{Action, Outcome, Terms};
use crate::domain::event::BookingEvent;
use crate::domain::ids::{
    AttemptId, ChainId, CommandId, DecisionId, DeliveryId, HoldId, SeatId, SourceName, Uid, UnitKey,
};
use crate::domain::owner::Owner;

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
    /// What it turned out to be.
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
}

/// Something known about a chain: what its timeline is folded from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FactBody {
    /// The provider told us.
    Event(Box<BookingEvent>),
    /// We asked.
    Reading(Box<Reading>),
    /// We asked, and the provider knows no such booking.
    Missing {
        /// The booking asked for.
        uid: Uid,
    },
}

/// A stored fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// When we received or read it, by our clock.
    pub received_at: Timestamp,
    /// What it says.
    pub body: FactBody,
}

/// Who decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decider {
    /// The policies.
    Policy,
    /// The host, by hand at the provider; we follow.
    Host,
    /// The host moved a booking that was decided before.
    Carried,
    /// A person, here.
    Person(String),
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
    /// When, by our clock.
    pub decided_at: Timestamp,
}

/// A stored decision; facts and trace are read where they are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Its id.
    pub id: DecisionId,
    /// What was decided.
    pub unit: UnitKey,
    /// Start of the decided revision.
    pub start: Timestamp,
    /// End of the decided revision.
    pub end: Timestamp,
    /// See [`NewDecision::round`].
    pub round: i64,
    /// The outcome.
    pub outcome: Outcome,
    /// Who decided.
    pub decider: Decider,
    /// The reason for the booker.
    pub message: Option<String>,
    /// Price and refund schedule.
    pub terms: Terms,
    /// When, by our clock.
    pub decided_at: Timestamp,
}

/// Why a command exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// It carries out a decision.
    Decision,
    /// It takes back what a confirm of ours revived.
    Compensation,
}

/// Where a command stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommandState {
    /// To be done.
    Open,
    /// In force at the provider.
    Done,
    /// No longer wanted; why is in its note.
    Obsolete,
    /// Given up; a person must look.
    Dead,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptResult {
    /// The provider did it.
    Ok,
    /// No answer came, and reading the booking back showed that it was done.
    Settled,
    /// Reading the booking first showed that nothing was left to do.
    NotNeeded,
    /// A rate limit; does not count.
    Limited,
    /// Not done, may work later.
    Transient,
    /// Refused for good.
    Rejected,
    /// Nobody knows: read before anything else.
    Unknown,
}

/// One call to the provider, written down before it is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Its id.
    pub id: AttemptId,
    /// 1, 2, … of its command.
    pub number: i64,
    /// The worker that makes it.
    pub worker: String,
    /// When it was written down.
    pub started_at: Timestamp,
    /// When its call is over at the latest, answer or not.
    pub deadline_at: Timestamp,
    /// When the answer was recorded.
    pub answered_at: Option<Timestamp>,
    /// The answer; `None` while nobody knows.
    pub result: Option<AttemptResult>,
    /// The HTTP status, if there was one.
    pub http_status: Option<i64>,
    /// What went wrong.
    pub detail: Option<String>,
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

/// A command with its attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Its id.
    pub id: CommandId,
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
    /// Where it stands.
    pub state: CommandState,
    /// Attempts that count against the schedule.
    pub tries: i64,
    /// When it is due.
    pub due_at: Timestamp,
    /// Why it is obsolete or dead.
    pub note: Option<String>,
    /// When it was written.
    pub created_at: Timestamp,
    /// Its attempts, oldest first.
    pub attempts: Vec<Attempt>,
}

/// How to change a command after a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandChange {
    /// Which command.
    pub id: CommandId,
    /// Where it stands now.
    pub state: CommandState,
    /// What it asks now: a decline becomes a cancel when the booking was accepted meanwhile.
    pub action: Action,
    /// When it is due next.
    pub due_at: Timestamp,
    /// Attempts that count.
    pub tries: i64,
    /// Why it is obsolete or dead.
    pub note: Option<String>,
}

/// Where a hold stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldState {
    /// Set aside.
    Held,
    /// Spent; part of it may have been refunded.
    Captured,
    /// Given back unspent.
    Released,
    /// Its credit went on to the booking that replaced this one.
    Carried,
}

/// Credit set aside for one decided booking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hold {
    /// Its id.
    pub id: HoldId,
    /// The decision that made it.
    pub decision: DecisionId,
    /// The booking or seat.
    pub unit: UnitKey,
    /// Whose credit.
    pub owner: Owner,
    /// How much.
    pub amount: Amount,
    /// Minor units spent.
    pub captured: i64,
    /// Minor units given back unspent.
    pub released: i64,
    /// Minor units given back after they were spent.
    pub refunded: i64,
    /// Where it stands.
    pub state: HoldState,
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

/// Everything stored about one chain, in one consistent reading.
#[derive(Debug, Clone)]
pub struct ChainRecord {
    /// The chain.
    pub chain: ChainId,
    /// Its source.
    pub source: SourceName,
    /// Goes up with every fact.
    pub version: i64,
    /// What is known, oldest first.
    pub facts: Vec<Fact>,
    /// What was decided.
    pub decisions: Vec<Decision>,
    /// What the provider was or is to be told.
    pub commands: Vec<Command>,
    /// What is or was held.
    pub holds: Vec<Hold>,
    /// Decisions whose price was waived.
    pub waivers: Vec<DecisionId>,
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
}
