//! What a chain of bookings is made of: the facts that came in, what was decided about them, what the
//! provider was told, and the credit set aside. The timeline is folded from these values and the plan
//! is made from them; the store keeps them.

use serde::{Deserialize, Serialize};

use super::amount::Amount;
use super::booking::Reading;
use super::clock::Timestamp;
use super::decision::{Action, Outcome, Terms};
use super::event::BookingEvent;
use super::ids::{AttemptId, ChainId, CommandId, DecisionId, HoldId, SourceName, Uid, UnitKey};
use super::owner::Owner;
use super::timeline::Standing;

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
    /// Retention has removed what was known, and this is left.
    Closed(Box<Closed>),
}

/// A booking that was over and settled so long ago that what was known of it has been removed. It stays
/// as it stood: whatever is told of it later changes nothing, so an old webhook that comes again is
/// neither decided nor charged a second time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    /// The booking or seat.
    pub unit: UnitKey,
    /// Its numeric id, where the provider has one.
    pub number: Option<i64>,
    /// Where it stood.
    pub standing: Standing,
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

impl std::fmt::Display for Decider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Policy => f.write_str("policy"),
            Self::Host => f.write_str("host"),
            Self::Carried => f.write_str("carried"),
            Self::Person(name) => write!(f, "person:{name}"),
        }
    }
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
    /// 1, or more where the host or a person overtook an earlier decision.
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

impl AttemptResult {
    /// Every result.
    pub const ALL: [Self; 7] = [
        Self::Ok,
        Self::Settled,
        Self::NotNeeded,
        Self::Limited,
        Self::Transient,
        Self::Rejected,
        Self::Unknown,
    ];

    /// The result as it is written in the database and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Settled => "settled",
            Self::NotNeeded => "not_needed",
            Self::Limited => "limited",
            Self::Transient => "transient",
            Self::Rejected => "rejected",
            Self::Unknown => "unknown",
        }
    }
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
    /// Why it is obsolete or dead, or what it waits for beside its time.
    pub note: Option<String>,
    /// When it was written.
    pub created_at: Timestamp,
    /// Its attempts, oldest first.
    pub attempts: Vec<Attempt>,
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

impl Command {
    /// A change that changes nothing, to be filled in.
    pub fn unchanged(&self) -> CommandChange {
        CommandChange {
            id: self.id,
            state: self.state,
            action: self.action,
            due_at: self.due_at,
            tries: self.tries,
            note: self.note.clone(),
        }
    }
}

impl Command {
    /// Whether the provider was told, or was to be told, at least once. An outage leaves a note, and takes
    /// the attempts back that it has cost.
    pub fn was_tried(&self) -> bool {
        self.tries > 0 || self.note.is_some()
    }

    /// Makes it what a change makes of it.
    pub fn change(&mut self, change: &CommandChange) {
        self.state = change.state;
        self.action = change.action;
        self.due_at = change.due_at;
        self.tries = change.tries;
        self.note.clone_from(&change.note);
    }

    /// Ends an attempt that had no answer yet.
    pub fn end_attempt(
        &mut self,
        id: AttemptId,
        result: AttemptResult,
        http_status: Option<i64>,
        detail: Option<&str>,
        now: Timestamp,
    ) {
        let mut open = self.attempts.iter_mut().filter(|one| one.result.is_none());
        if let Some(attempt) = open.find(|one| one.id == id) {
            attempt.result = Some(result);
            attempt.http_status = http_status;
            attempt.detail = detail.map(str::to_owned);
            attempt.answered_at = Some(now);
        }
    }
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
