//! What would be decided of a booking, without deciding it: for the command line, which asks the policies
//! what they say of a webhook. The policies, the price and the texts are those of a real decision.

use serde::Serialize;

use super::decide::priced;
use super::payer::{Spare, payer_with, seen};
use super::{Desk, GateError, others};
use crate::domain::decision::Outcome;
use crate::domain::ids::{ChainId, SourceName, Uid};
use crate::domain::others::{OtherBooking, Wanted};
use crate::domain::owner::Owner;
use crate::policy::facts::{AccountFacts, Facts, Loaded, Need};
use crate::policy::{Evaluation, Miss, Mode, Policy, PolicySet, Verdict};
use crate::storage::{StorageError, Tx};

/// What would be decided, and everything it comes from.
#[derive(Debug, Clone)]
pub struct Explained {
    /// What would become of the booking.
    pub outcome: Outcome,
    /// What the booker would be told.
    pub message: Option<String>,
    /// What admins would be told.
    pub note: Option<String>,
    /// What the policies say, and how it came about.
    pub verdict: Verdict,
    /// What they looked at.
    pub facts: Facts,
}

/// Has the policies judge. `look_up` answers what they ask for; what it leaves out is not known.
pub fn explain(
    policies: &PolicySet,
    mut facts: Facts,
    mut look_up: impl FnMut(&Need, &mut Facts),
) -> Explained {
    let mut know = |need: &Need, facts: &mut Facts| {
        look_up(need, facts);
        if !facts.has(need) {
            facts.fail(need, "it was not looked up");
        }
    };
    let verdict = loop {
        match policies.evaluate(&facts) {
            Evaluation::Decided(verdict) => break verdict,
            Evaluation::Needs(needs) => needs.iter().for_each(|need| know(need, &mut facts)),
        }
    };
    if verdict.terms.cost.is_some() && !facts.has(&Need::Account) {
        know(&Need::Account, &mut facts);
    }
    let booker = facts.details.booker.email.clone();
    let payer = match &facts.account {
        Loaded::Known(account) => payer_with(booker, &verdict.terms, account.as_ref()),
        Loaded::Not | Loaded::Failed(_) => None,
    };
    let (outcome, message, note) = priced(&verdict, payer.as_ref());
    Explained {
        outcome,
        message,
        note,
        verdict: *verdict,
        facts,
    }
}

/// A policy, and whether it had a word.
#[derive(Debug, Clone, Serialize)]
pub struct PolicyAsked {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Whether it had a word.
    pub asked: bool,
    /// Why, or why not.
    pub why: String,
}

/// All policies of a set, and which of them have a word on a booking.
pub fn asked(set: &PolicySet, facts: &Facts) -> Vec<PolicyAsked> {
    let chosen = set.asked(facts);
    let is = |policy: &Policy, other: Option<&Policy>| other.is_some_and(|one| one.id == policy.id);
    let line = |policy: &Policy| {
        let guards = chosen.guardrails.iter().any(|one| one.id == policy.id);
        let (decides, ties) = (is(policy, chosen.deciding), is(policy, chosen.tied));
        let (asked, why) = match (policy.mode, policy.matching.miss(facts)) {
            (Mode::Off, _) => (false, "is switched off (mode = \"off\")".to_owned()),
            (Mode::Shadow, _) => (false, "is only watched (mode = \"shadow\")".to_owned()),
            (Mode::Enforce, Some(miss)) => {
                (false, format!("does not apply: {}", missed(policy, miss)))
            }
            (Mode::Enforce, None) if guards => (
                true,
                "applies, as a guardrail: it can only refuse".to_owned(),
            ),
            (Mode::Enforce, None) if ties || (decides && chosen.tied.is_some()) => (
                false,
                "applies, but another one does with the same rank".to_owned(),
            ),
            (Mode::Enforce, None) if decides => (true, "applies, and decides".to_owned()),
            (Mode::Enforce, None) => (false, "applies, but a higher one decides".to_owned()),
        };
        PolicyAsked {
            id: policy.id.to_string(),
            title: policy.title.clone(),
            asked,
            why,
        }
    };
    set.policies().map(line).collect()
}

fn missed(policy: &Policy, miss: Miss) -> String {
    let matching = &policy.matching;
    match miss {
        Miss::Source => format!("it is for the source {}", matching.sources.join(", ")),
        Miss::EventType => {
            let ids = matching.event_type_ids.iter().map(ToString::to_string);
            let all: Vec<_> = matching
                .event_type_slugs
                .iter()
                .cloned()
                .chain(ids)
                .collect();
            format!("it is for the event type {}", all.join(", "))
        }
        Miss::Metadata => {
            let pairs = matching.metadata.iter();
            let all: Vec<_> = pairs
                .map(|(key, value)| format!("{key} = {value}"))
                .collect();
            format!("it is for bookings with {}", all.join(", "))
        }
    }
}

impl Desk {
    /// The account of a booker as policies see it; `None` if there is none.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn account_facts(&self, owner: &Owner) -> Result<Option<AccountFacts>, GateError> {
        let owner = owner.clone();
        self.storage
            .read(move |tx| {
                Box::pin(async move {
                    let account = tx.account_facts(&owner).await?;
                    Ok(account.map(|account| seen(account, &Spare::default())))
                })
            })
            .await
    }

    /// The other bookings that policies ask for when they judge this one.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn other_bookings(
        &self,
        source: &SourceName,
        uid: &Uid,
        wanted: &Wanted,
    ) -> Result<Loaded<Vec<OtherBooking>>, GateError> {
        let (source, uid, wanted) = (source.clone(), uid.clone(), wanted.clone());
        let now = self.clock.now();
        self.storage
            .read(move |tx| {
                Box::pin(async move {
                    let chain = chain_of(tx, &source, &uid).await?;
                    let rows = tx.other_bookings(&wanted, chain).await?;
                    Ok(others::of_rows(&rows, now))
                })
            })
            .await
    }

    /// How many bookings beside this one use a code.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn uses_of_code(
        &self,
        source: &SourceName,
        uid: &Uid,
        code: &str,
    ) -> Result<i64, GateError> {
        let (source, uid, code) = (source.clone(), uid.clone(), code.to_owned());
        self.storage
            .read(move |tx| {
                Box::pin(async move {
                    let chain = chain_of(tx, &source, &uid).await?;
                    Ok(tx.uses_of_code(&code, chain).await?)
                })
            })
            .await
    }
}

/// The chain of a booking; one that there is not if nothing is known of it.
async fn chain_of(tx: &mut Tx, source: &SourceName, uid: &Uid) -> Result<ChainId, StorageError> {
    let known = tx.find_booking(source, uid.as_str()).await?;
    Ok(known.map_or(ChainId(0), |row| row.chain))
}
