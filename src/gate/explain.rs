//! What would be decided of a booking, without deciding it: for the command line, which asks the policies
//! what they say of a webhook. The policies, the price and the texts are those of a real decision.

use super::decide::{Spare, payer_with, priced, seen};
use super::{Desk, GateError};
use crate::domain::decision::Outcome;
use crate::domain::owner::Owner;
use crate::policy::facts::{AccountFacts, Facts, Loaded};
use crate::policy::{Evaluation, PolicySet, Verdict};

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

/// Has the policies judge. `account` is the booker's, or why it is not known.
pub fn explain(
    policies: &PolicySet,
    mut facts: Facts,
    account: Result<Option<AccountFacts>, String>,
) -> Explained {
    let verdict = loop {
        match policies.evaluate(&facts) {
            Evaluation::Decided(verdict) => break verdict,
            // The account is the only fact there is to load.
            Evaluation::Needs(_) => {
                facts.account = match &account {
                    Ok(known) => Loaded::Known(known.clone()),
                    Err(why) => Loaded::Failed(why.clone()),
                }
            }
        }
    };
    let booker = facts.details.booker.email.clone();
    let payer = account
        .ok()
        .and_then(|known| payer_with(booker, &verdict.terms, known.as_ref()));
    let (outcome, message, note) = priced(&verdict, payer.as_ref());
    Explained {
        outcome,
        message,
        note,
        verdict: *verdict,
        facts,
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
}
