//! Rows of the ledger: what is asked of it, and what it shows.

use serde::Serialize;

pub use crate::domain::account::AccountStatus;
use crate::domain::amount::{Amount, UnitCode};
use crate::domain::chain::{Hold, HoldState};
use crate::domain::clock::Timestamp;
use crate::domain::ids::{ChainId, DecisionId, HoldId, UnitKey};
use crate::domain::owner::Owner;

/// Credit that a person puts on an account, or takes off it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreditChange {
    /// Whose account.
    pub owner: Owner,
    /// How much, above zero.
    pub amount: Amount,
    /// Who does it: `token:NAME`.
    pub actor: String,
    /// Why.
    pub reason: Option<String>,
    /// Anything the caller wants kept with it, as JSON.
    pub metadata: Option<String>,
}

/// Credit to be set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldRequest {
    /// Whose credit.
    pub owner: Owner,
    /// How much, above zero.
    pub amount: Amount,
    /// The chain of the booking.
    pub chain: ChainId,
    /// The decision that asks for it. One decision holds once.
    pub decision: DecisionId,
    /// The booking or seat.
    pub unit: UnitKey,
}

impl HoldRequest {
    /// What it is once it is held.
    pub fn stored(self, id: HoldId) -> Hold {
        Hold {
            id,
            decision: self.decision,
            unit: self.unit,
            owner: self.owner,
            amount: self.amount,
            captured: 0,
            released: 0,
            refunded: 0,
            state: HoldState::Held,
        }
    }
}

/// What an account has, in minor units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Balance {
    /// The unit.
    pub unit: UnitCode,
    /// What was put in, less what was spent.
    pub posted: i64,
    /// How much of it is set aside.
    pub held: i64,
    /// How far below zero it may go.
    pub credit_limit: i64,
    /// Whether it may be used.
    pub status: AccountStatus,
}

impl Balance {
    /// What a new hold may take: posted, less held, plus the credit limit.
    pub fn available(&self) -> i64 {
        self.posted
            .saturating_sub(self.held)
            .saturating_add(self.credit_limit)
    }
}

/// All accounts of one owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountRows {
    /// The strictest status of its accounts.
    pub status: AccountStatus,
    /// When the first account was made.
    pub created_at: Timestamp,
    /// One balance for each unit, by unit.
    pub balances: Vec<Balance>,
}

/// Where a list of entries goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct EntryCursor {
    /// The transaction of the last entry shown.
    pub txn: i64,
    /// Its line.
    pub line: i64,
}

/// Which entries of an account are wanted; `None` is any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EntryFilter {
    /// In this unit.
    pub unit: Option<UnitCode>,
    /// Of this kind, as [`EntryRow::kind`].
    pub kind: Option<String>,
    /// Recorded at this time or later.
    pub since: Option<Timestamp>,
    /// Recorded before this time.
    pub until: Option<Timestamp>,
}

/// One movement of an account, with the transaction it belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EntryRow {
    /// Transaction and line: unique, and in the order of posting.
    #[serde(flatten)]
    pub at: EntryCursor,
    /// What kind of transaction: `topup`, `hold`, `capture`, `release`, `refund`, `carry`, …
    pub kind: String,
    /// Who did it: `token:NAME` or `gate`.
    pub actor: String,
    /// Why.
    pub reason: Option<String>,
    /// The decision behind it.
    pub decision: Option<DecisionId>,
    /// The hold it belongs to.
    pub hold: Option<HoldId>,
    /// The booking or seat of that hold.
    pub booking: Option<UnitKey>,
    /// `posted` or `held`.
    pub layer: crate::ledger::Layer,
    /// By how much, signed.
    pub amount: Amount,
    /// Posted after the whole transaction.
    pub posted_after: i64,
    /// Held after the whole transaction.
    pub held_after: i64,
    /// When.
    pub recorded_at: Timestamp,
}

/// Something in the books that must not be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// Which rule is broken: `I1` …
    pub invariant: &'static str,
    /// Where, and how. Names rows by their ids, never persons.
    pub what: String,
}
