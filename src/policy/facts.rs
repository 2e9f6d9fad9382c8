//! What an evaluation may look at. Facts are loaded by the caller, stage by stage, and stored with
//! the decision, so that the decision can be recomputed from them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::lists::GivenLists;
pub use crate::domain::account::AccountStatus;
use crate::domain::amount::UnitCode;
use crate::domain::booking::Details;
use crate::domain::callout::Reply;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{SourceName, Uid};
use crate::domain::others::{OtherBooking, Wanted};

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
    /// The booker's tags. See [`Need::Tags`].
    #[serde(default, skip_serializing_if = "Loaded::is_not")]
    pub tags: Loaded<BTreeSet<String>>,
    /// When each of them was put to the booker, for the last time.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tagged_at: BTreeMap<String, Timestamp>,
    /// Other bookings, as far as somebody has asked for them. See [`Need::Others`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<Others>,
    /// How many bookings use a code. See [`Need::CodeUses`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub code_uses: BTreeMap<String, Loaded<i64>>,
    /// What other servers answered, as far as somebody has asked them. See [`Need::Callout`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub callouts: Vec<Answered>,
    /// What is on the lists of servers, in a policy's test; `None` for a real booking, where it is what the
    /// policies were loaded with.
    #[serde(skip)]
    pub given_lists: Option<Arc<GivenLists>>,
}

/// Who asks another server: a criterion of a policy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Asker {
    /// The policy's id.
    pub policy: String,
    /// The criterion's id.
    pub criterion: String,
}

impl fmt::Display for Asker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.policy, self.criterion)
    }
}

/// What another server answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// Whom.
    #[serde(flatten)]
    pub to: Asker,
    /// What; [`Loaded::Not`] where nobody is to be asked.
    pub reply: Loaded<Reply>,
}

/// The other bookings that were asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Others {
    /// Which.
    pub wanted: Wanted,
    /// Those there are.
    pub found: Loaded<Vec<OtherBooking>>,
}

impl Facts {
    /// What a booking itself says; nothing else is loaded.
    pub fn of(now: Timestamp, source: SourceName, uid: Uid, details: Details) -> Self {
        Self {
            now,
            source,
            uid,
            origin: None,
            details,
            account: Loaded::Not,
            tags: Loaded::Not,
            tagged_at: BTreeMap::new(),
            others: Vec::new(),
            code_uses: BTreeMap::new(),
            callouts: Vec::new(),
            given_lists: None,
        }
    }

    /// Whether a need was met: loaded, or tried and failed.
    pub fn has(&self, need: &Need) -> bool {
        match need {
            Need::Account => !matches!(self.account, Loaded::Not),
            Need::Tags => !self.tags.is_not(),
            Need::Others(wanted) => self.others.iter().any(|others| others.wanted == *wanted),
            Need::CodeUses(code) => self.code_uses.contains_key(code),
            Need::Callout(asker) => self.reply(asker).is_some(),
        }
    }

    /// What another server answered; `None` if it was not asked.
    pub fn reply(&self, asker: &Asker) -> Option<&Loaded<Reply>> {
        let mut all = self.callouts.iter();
        let found = all.find(|answered| answered.to == *asker);
        found.map(|answered| &answered.reply)
    }

    /// The other bookings that were asked for.
    ///
    /// # Errors
    /// Why they are not known.
    pub fn others(&self, wanted: &Wanted) -> Result<&[OtherBooking], String> {
        let mut all = self.others.iter();
        match all
            .find(|others| others.wanted == *wanted)
            .map(|others| &others.found)
        {
            Some(Loaded::Known(others)) => Ok(others),
            Some(Loaded::Failed(why)) => Err(why.clone()),
            Some(Loaded::Not) | None => Err("other bookings were not loaded".to_owned()),
        }
    }

    /// Notes why something that was asked for is not known.
    pub fn fail(&mut self, need: &Need, why: &str) {
        match need {
            Need::Account => self.account = Loaded::Failed(why.to_owned()),
            Need::Tags => self.tags = Loaded::Failed(why.to_owned()),
            Need::Others(wanted) => {
                self.know_others(wanted.clone(), Loaded::Failed(why.to_owned()))
            }
            Need::CodeUses(code) => self.know_uses(code.clone(), Loaded::Failed(why.to_owned())),
            Need::Callout(asker) => self.know_reply(asker.clone(), Loaded::Failed(why.to_owned())),
        }
    }

    /// The booker's tags.
    ///
    /// # Errors
    /// Why they are not known.
    pub fn tags(&self) -> Result<&BTreeSet<String>, String> {
        match &self.tags {
            Loaded::Known(tags) => Ok(tags),
            Loaded::Not => Err("the booker's tags were not loaded".to_owned()),
            Loaded::Failed(why) => Err(why.clone()),
        }
    }

    /// Notes which tags the booker has, and since when.
    pub fn know_tags(&mut self, tagged_at: BTreeMap<String, Timestamp>) {
        self.tags = Loaded::Known(tagged_at.keys().cloned().collect());
        self.tagged_at = tagged_at;
    }

    /// Notes which other bookings there are.
    pub fn know_others(&mut self, wanted: Wanted, found: Loaded<Vec<OtherBooking>>) {
        self.others.push(Others { wanted, found });
    }

    /// Notes how often a code is used.
    pub fn know_uses(&mut self, code: String, uses: Loaded<i64>) {
        self.code_uses.insert(code, uses);
    }

    /// Notes what another server answered.
    pub fn know_reply(&mut self, to: Asker, reply: Loaded<Reply>) {
        self.callouts.push(Answered { to, reply });
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

impl<T> Loaded<T> {
    /// Whether nobody has asked yet.
    pub fn is_not(&self) -> bool {
        matches!(self, Self::Not)
    }

    /// The same, changed where it is known.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Loaded<U> {
        match self {
            Self::Not => Loaded::Not,
            Self::Known(value) => Loaded::Known(change(value)),
            Self::Failed(why) => Loaded::Failed(why),
        }
    }
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
    /// How far below zero it may go.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub limit: i64,
}

/// Most accounts have no limit, and facts are stored with every decision.
fn is_zero(minor: &i64) -> bool {
    *minor == 0
}

/// A group of facts that is fetched together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// [`Facts::account`].
    Account,
    /// [`Facts::tags`].
    Tags,
    /// [`Facts::others`]: these.
    Others(Wanted),
    /// [`Facts::code_uses`]: of the code with this digest.
    CodeUses(String),
    /// [`Facts::callouts`]: what another server says to this criterion.
    Callout(Asker),
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
}

impl Stage {
    /// All stages, cheapest first.
    pub const ALL: [Self; 3] = [Self::Pure, Self::LocalRead, Self::External];
}
