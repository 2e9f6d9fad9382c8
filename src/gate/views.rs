//! What the gate shows of itself: plain values, amounts as decimal texts, times in UTC. The admin API
//! sends them as they are.

use serde::Serialize;
use serde_json::value::RawValue;

use super::accounts::BalanceView;
use super::shadows::ShadowView;
use crate::domain::booking::Party;
use crate::domain::chain::{AttemptResult, CommandState, HoldState, Purpose};
use crate::domain::clock::Timestamp;
use crate::domain::decision::{Action, Outcome};
use crate::domain::event::EventKind;
use crate::domain::ids::{CommandId, SourceName};
use crate::domain::owner::Owner;
use crate::storage::records::DeliveryRow;

/// One page of a list.
#[derive(Debug, Clone, Serialize)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Where the next page begins; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// At most `limit` rows of those found when one more was asked for.
    pub(super) fn of<R>(
        mut rows: Vec<R>,
        limit: u32,
        cursor: impl FnOnce(&R) -> String,
        view: impl FnMut(R) -> T,
    ) -> Self {
        let goes_on = rows.len() > limit as usize;
        rows.truncate(limit as usize);
        let next = rows.last().filter(|_| goes_on).map(cursor);
        let items = rows.into_iter().map(view).collect();
        Self { items, next }
    }
}

/// An account with its balances.
#[derive(Debug, Clone, Serialize)]
pub struct AccountView {
    /// Whose.
    pub owner: Owner,
    /// `open`, `frozen` or `closed`.
    pub status: &'static str,
    /// One for each unit.
    pub balances: Vec<BalanceView>,
}

/// One line of an account's history.
#[derive(Debug, Clone, Serialize)]
pub struct EntryView {
    /// The transaction.
    pub txn: i64,
    /// What it was: `topup`, `adjust` (a deduction), `hold`, `capture`, `release`, `refund`, `reverse` (of a
    /// refund), `carry`.
    pub kind: String,
    /// `posted` or `held`.
    pub layer: &'static str,
    /// Signed decimal text.
    pub amount: String,
    /// The unit.
    pub unit: String,
    /// The posted balance after the transaction.
    pub posted_after: String,
    /// The held balance after the transaction.
    pub held_after: String,
    /// Who did it.
    pub actor: String,
    /// Why.
    pub reason: Option<String>,
    /// The booking it is about.
    pub booking: Option<String>,
    /// When.
    pub recorded_at: Timestamp,
}

/// A booking's line in lists.
#[derive(Debug, Clone, Serialize)]
pub struct BookingLine {
    /// The source.
    pub source: SourceName,
    /// The provider's id.
    pub uid: String,
    /// The seat, if it is one.
    pub seat: Option<String>,
    /// The provider's numeric id.
    pub booking_id: Option<i64>,
    /// Where it stands.
    pub status: String,
    /// What was decided.
    pub outcome: Option<Outcome>,
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
    /// When the line last changed.
    pub updated_at: Timestamp,
}

/// Everything about one booking: all the ids it has had, and all that was done.
#[derive(Debug, Clone, Serialize)]
pub struct BookingView {
    /// The booking that was asked for.
    #[serde(flatten)]
    pub line: BookingLine,
    /// All bookings of its chain: what it was moved from and to, its seats, its series.
    pub chain: Vec<BookingLine>,
    /// What was decided, and how.
    pub decisions: Vec<DecisionView>,
    /// What the provider was told.
    pub calls: Vec<CommandView>,
    /// What was held of the booker's credit.
    pub holds: Vec<HoldView>,
    /// What of the booker's credit was set aside, taken and given back, oldest first.
    pub entries: Vec<EntryView>,
    /// What the provider told and what was read there, oldest first. What is old is removed in time.
    pub heard: Vec<FactView>,
    /// The webhooks that came in.
    pub deliveries: Vec<DeliveryRow>,
}

/// Something that is known of a booking.
#[derive(Debug, Clone, Serialize)]
pub struct FactView {
    /// When it was heard or read.
    pub at: Timestamp,
    /// The booking or seat.
    pub unit: String,
    /// `event` (the provider told), `reading` (it was read there), `missing` (it was not to be found
    /// there), `closed` (what was known of it has been removed).
    pub kind: &'static str,
    /// What happened.
    pub event: Option<EventKind>,
    /// That somebody did not come (`no_show`) is taken back.
    pub taken_back: bool,
    /// Where the booking stood.
    pub status: Option<&'static str>,
    /// Who did it, where the provider says.
    pub by: Option<Party>,
    /// Why, in the words of whoever did it.
    pub reason: Option<String>,
}

/// A decision with its facts and trace.
#[derive(Debug, Clone, Serialize)]
pub struct DecisionView {
    /// Its id.
    pub id: i64,
    /// The booking or seat.
    pub unit: String,
    /// Which decision about it.
    pub round: i64,
    /// The outcome.
    pub outcome: Outcome,
    /// Who decided.
    pub decided_by: String,
    /// The deciding policy.
    pub policy: Option<String>,
    /// Its hash.
    pub policy_hash: Option<String>,
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
    /// The version of bookgate that decided.
    pub engine: String,
    /// What the policies said, criterion by criterion.
    pub trace: Box<RawValue>,
    /// What they looked at.
    pub facts: Box<RawValue>,
    /// What policies that are only watched would have decided.
    pub shadows: Vec<ShadowView>,
}

/// A command with its attempts.
#[derive(Debug, Clone, Serialize)]
pub struct CommandView {
    /// Its id: what `dead-letters retry` takes.
    pub id: CommandId,
    /// The booking or seat.
    pub unit: String,
    /// What is asked.
    pub action: Action,
    /// `decision` or `compensation`.
    pub purpose: Purpose,
    /// `open`, `done`, `obsolete` or `dead`.
    pub state: CommandState,
    /// The reason for the booker.
    pub reason: Option<String>,
    /// Why it is obsolete or dead.
    pub note: Option<String>,
    /// When it is due.
    pub due_at: Timestamp,
    /// Its attempts.
    pub attempts: Vec<AttemptView>,
}

/// One attempt.
#[derive(Debug, Clone, Serialize)]
pub struct AttemptView {
    /// 1, 2, …
    pub number: i64,
    /// When it was written down.
    pub started_at: Timestamp,
    /// When the answer came.
    pub answered_at: Option<Timestamp>,
    /// The answer.
    pub result: Option<AttemptResult>,
    /// HTTP status.
    pub http_status: Option<i64>,
    /// What went wrong.
    pub detail: Option<String>,
}

/// A hold.
#[derive(Debug, Clone, Serialize)]
pub struct HoldView {
    /// The booking or seat.
    pub unit: String,
    /// Whose credit.
    pub owner: Owner,
    /// How much.
    pub amount: String,
    /// Spent.
    pub captured: String,
    /// Given back unspent.
    pub released: String,
    /// Given back after it was spent.
    pub refunded: String,
    /// Where it stands.
    pub state: HoldState,
}

/// A command that was given up.
#[derive(Debug, Clone, Serialize)]
pub struct DeadLetterView {
    /// What `dead-letters retry` takes.
    pub id: CommandId,
    /// The source.
    pub source: SourceName,
    /// The booking or seat.
    pub booking: String,
    /// What the provider was to be told.
    pub action: Action,
    /// Why it was given up.
    pub note: Option<String>,
    /// How often it was tried.
    pub tries: i64,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it was given up.
    pub given_up_at: Option<Timestamp>,
    /// When its booking begins.
    pub start: Option<Timestamp>,
    /// Whether credit is still set aside for its booking.
    pub holds_credit: bool,
    /// The reason that the booker is to be told.
    pub reason: Option<String>,
    /// The last attempt.
    pub last_attempt: Option<AttemptView>,
}
