//! Policies that are only watched: what they would have made of a booking, had they been in force, kept
//! beside what was decided. They look at the same facts, in the same transaction, and change nothing.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::Serialize;
use serde_json::value::RawValue;

use super::callouts::Asking;
use super::decide::{Judgement, NOT_ALL, holds_back, load, priced, to_json};
use super::others::Around;
use super::payer::{Spare, has_price, payer_with};
use super::{Desk, GateError};
use crate::domain::clock::Timestamp;
use crate::domain::decision::Outcome;
use crate::policy::facts::{Facts, Loaded, Need};
use crate::policy::{Evaluation, Policy, PolicySet, Verdict};
use crate::storage::records::ShadowVerdict;
use crate::storage::{StorageError, Tx};

/// What a policy that is only watched would have decided.
#[derive(Debug, Clone, Serialize)]
pub struct ShadowView {
    /// Its id.
    pub policy: String,
    /// Its meaning at that time.
    pub policy_hash: String,
    /// What would have been decided.
    pub outcome: Outcome,
    /// The criteria that a refusal would have rested on.
    pub failed: Vec<String>,
    /// What the booker would have been told.
    pub message: Option<String>,
    /// What admins would have been told.
    pub note: Option<String>,
    /// The price.
    pub cost: Option<String>,
    /// The price's unit.
    pub unit_of_cost: Option<String>,
    /// What the policies would have said, criterion by criterion.
    pub trace: Box<RawValue>,
}

impl Desk {
    pub(super) fn shadow_view(&self, shadow: ShadowVerdict) -> Result<ShadowView, GateError> {
        let cost = shadow.cost.as_ref();
        Ok(ShadowView {
            cost: cost.map(|cost| self.amount_text(cost)),
            unit_of_cost: cost.map(|cost| cost.unit.to_string()),
            policy: shadow.policy,
            policy_hash: shadow.policy_hash,
            outcome: shadow.outcome,
            failed: shadow.failed,
            message: shadow.message,
            note: shadow.note,
            trace: RawValue::from_string(shadow.trace)?,
        })
    }
}

/// Asks the policies that are only watched. What they ask for beside what was looked at already is loaded
/// and is among the facts afterwards; servers that have to be asked are noted, and what they would decide is
/// then not known yet. `refusal_defers` is why a refusal would be left to a person.
pub(super) async fn watch(
    tx: &mut Tx,
    policies: &PolicySet,
    facts: &mut Facts,
    (around, spare, refusal_defers): (&Around<'_>, &Spare, Option<&str>),
    asking: &mut Asking<'_>,
    now: Timestamp,
) -> Result<Vec<ShadowVerdict>, StorageError> {
    let mut all = Vec::new();
    for shadow in policies.shadows() {
        let mut own = facts.clone();
        let verdict = loop {
            let needs = match evaluate(policies, shadow, &own) {
                None => break None,
                Some(Evaluation::Decided(verdict)) if has_price(&verdict.terms) => {
                    if own.has(&Need::Account) {
                        break Some(verdict);
                    }
                    [Need::Account].into()
                }
                Some(Evaluation::Decided(verdict)) => break Some(verdict),
                Some(Evaluation::Needs(needs)) => needs,
            };
            for need in &needs {
                let asking = (&mut *asking, true);
                load(tx, (around, spare), asking, need, &mut own, now).await?;
            }
            // It is asked again once the servers have been asked that it asks.
            if needs.iter().any(|need| !own.has(need)) {
                break None;
            }
        };
        all.extend(verdict.map(|verdict| kept(shadow, *verdict, &own, refusal_defers)));
        *facts = own;
    }
    Ok(all)
}

/// A series is one answer for all, by a policy in shadow as by those in force. Where it has no word on an
/// occurrence, theirs would stand, which is why this comes before they are made one.
pub(super) fn all_or_none(mut series: Vec<&mut Judgement>) {
    let policies = series.iter().flat_map(|one| &one.shadows);
    let policies: BTreeSet<String> = policies.map(|shadow| shadow.policy.clone()).collect();
    for policy in policies {
        let of = |one: &Judgement| -> (Outcome, Option<String>) {
            match one.shadows.iter().find(|shadow| shadow.policy == policy) {
                Some(shadow) => (shadow.outcome, shadow.message.clone()),
                None => (one.outcome, one.message.clone()),
            }
        };
        let (outcomes, messages): (Vec<_>, Vec<_>) = series.iter().map(|one| of(one)).unzip();
        let Some(index) = holds_back(&outcomes) else {
            continue;
        };
        let (outcome, message) = (outcomes[index], &messages[index]);
        let own = series.iter_mut().flat_map(|one| &mut one.shadows);
        for other in own.filter(|one| one.policy == policy && one.outcome != outcome) {
            other.outcome = outcome;
            other.message = message.clone().filter(|_| outcome == Outcome::Reject);
            other.note = Some(NOT_ALL.to_owned());
        }
    }
}

/// Whatever goes wrong with a policy that is only watched, those in force have decided.
fn evaluate(policies: &PolicySet, shadow: &Policy, facts: &Facts) -> Option<Evaluation> {
    let asking = AssertUnwindSafe(|| policies.evaluate_if(shadow, facts));
    catch_unwind(asking).unwrap_or_else(|_| {
        tracing::error!(policy.id = %shadow.id, "a policy in shadow panicked: please report this");
        None
    })
}

/// A verdict and its price held against what there is, as of a policy in force.
pub(super) fn outcome(
    verdict: &Verdict,
    facts: &Facts,
) -> (Outcome, Option<String>, Option<String>) {
    let owner = facts.details.booker.email.clone();
    let account = match &facts.account {
        Loaded::Known(account) => account.as_ref(),
        Loaded::Not | Loaded::Failed(_) => None,
    };
    priced(verdict, payer_with(owner, &verdict.terms, account).as_ref())
}

fn kept(
    shadow: &Policy,
    verdict: Verdict,
    facts: &Facts,
    refusal_defers: Option<&str>,
) -> ShadowVerdict {
    let (mut outcome, mut message, mut note) = outcome(&verdict, facts);
    if let (Outcome::Reject, Some(why)) = (outcome, refusal_defers) {
        outcome = Outcome::Defer;
        message = None;
        note = Some(format!("would be refused, but {why}"));
    }
    ShadowVerdict {
        policy: shadow.id.to_string(),
        policy_hash: shadow.hash.to_string(),
        outcome,
        message: message.filter(|_| outcome == Outcome::Reject),
        note,
        trace: to_json(&verdict.trace),
        failed: verdict.failed,
        cost: verdict.terms.cost.filter(|cost| cost.minor > 0),
    }
}
