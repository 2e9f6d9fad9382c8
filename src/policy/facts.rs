//! What an evaluation may look at. Facts are loaded by the caller, stage by stage, and stored with
//! the decision, so that the decision can be recomputed from them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use crate::domain::account::AccountStatus;
use crate::domain::amount::UnitCode;
use crate::domain::booking::Details;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{SourceName, Uid};

/// Everything one evaluation may look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The provider's time of the event that asks for the decision.
    pub now: Timestamp,
    /// Where the booking comes from.
    pub source: SourceName,
    /// The booking.
    pub uid: Uid,
    /// The booking that the moves to this one began with, where it took another's place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Uid>,
    /// Who, what and when.
    pub details: Details,
    /// The booker's account; `None` if there is none. See [`Need::Account`].
    pub account: Loaded<Option<AccountFacts>>,
}

impl Facts {
    /// Whether a need was met: loaded, or tried and failed.
    pub fn has(&self, need: &Need) -> bool {
        match need {
            Need::Account => !matches!(self.account, Loaded::Not),
        }
    }
}

/// A fact that has to be fetched.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loaded<T> {
    /// Nobody has asked yet.
    #[default]
    Not,
    /// Fetched.
    Known(T),
    /// Asked in vain, and why. The criteria that look at it become unknown (or what their
    /// `on_error` says).
    Failed(String),
}

/// The booker's account as the ledger sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountFacts {
    /// Whether it may be used.
    pub status: AccountStatus,
    /// When it was opened.
    pub created_at: Timestamp,
    /// What is on it, per unit.
    pub balances: BTreeMap<UnitCode, Balance>,
}

/// One balance of an account, in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Balance {
    /// Booked.
    pub posted: i64,
    /// Of that, promised to pending bookings.
    pub held: i64,
    /// What may still be spent, any credit limit included.
    pub available: i64,
}

/// A group of facts that is fetched together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// [`Facts::account`].
    Account,
}

/// How dear it is to answer a criterion. Cheap stages go first; a later one is only begun if the
/// result is still open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The booking itself says it.
    Pure,
    /// One read of our own database.
    LocalRead,
    /// A call to somebody else.
    External,
    /// Takes something that others then cannot have, inside the deciding transaction.
    Reserve,
}

impl Stage {
    /// All stages, cheapest first.
    pub const ALL: [Self; 4] = [Self::Pure, Self::LocalRead, Self::External, Self::Reserve];
}
