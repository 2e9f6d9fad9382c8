//! A decision, inside the transaction that holds its credit: load the facts the policies ask for,
//! let them judge, and write down the outcome with everything it was made from.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Inner;
use super::callouts::{Answers, Asking};
use super::metrics::Decided;
use super::notices::Watched;
use super::others::{self, Around};
use super::payer::{Payer, Spare, account, has_price, payer, payer_with, returning, unpaid};
use super::shadows;
use super::written::Written;
use crate::domain::booking::Details;
use crate::domain::chain::{ChainRecord, Decider, Hold};
use crate::domain::clock::Timestamp;
use crate::domain::decision::{Outcome, Terms};
use crate::domain::ids::{DecisionId, HoldId, UnitKey};
use crate::domain::plan::{Deciding, How};
use crate::domain::timeline::{Timeline, Unit};
use crate::policy::facts::{Facts, Loaded, Need};
use crate::policy::{Evaluation, PolicySet, Verdict};
use crate::storage::records::{HoldRequest, NewDecision, Posted, ShadowVerdict};
use crate::storage::{LedgerError, StorageError, Tx};

const BY_HOST: &str = "the host confirmed it, and the booker's credit did not suffice";
pub(super) const NOT_ALL: &str = "another occurrence of the series is not accepted";
const SHORT_OF_CREDIT: &str = "There is not enough credit for this booking.";

/// What will be written down for one unit.
pub(super) struct Judgement {
    pub(super) outcome: Outcome,
    pub(super) decider: Decider,
    pub(super) verdict: Option<Box<Verdict>>,
    pub(super) message: Option<String>,
    pub(super) note: Option<String>,
    pub(super) terms: Terms,
    pub(super) facts: String,
    pub(super) payer: Option<Payer>,
    /// What policies that are only watched would have made of it.
    pub(super) shadows: Vec<ShadowVerdict>,
}

/// Makes one decision, of one unit or of a whole series: all or none. Returns what was decided, to be
/// counted once it is committed. Where another server has to be asked before, nothing is decided or
/// written, and the questions are noted.
pub(super) async fn decide(
    gate: &Arc<Inner>,
    tx: &mut Tx,
    (record, timeline, deciding): (&ChainRecord, &Timeline<'_>, &Deciding),
    answers: &Answers,
    written: &mut Written,
    now: Timestamp,
) -> Result<Vec<Decided>, StorageError> {
    let policies = gate.policies.set();
    if !gate.archive.has(policies.hash()) {
        // Changed since the step began, which saw to it that they are kept.
        let why = "the policies have just changed";
        return Err(StorageError::Conflict(why.to_owned()));
    }
    // What the bookings before gave back, and what earlier occurrences of a series have taken.
    let mut spare = returning(record, &deciding.carry_from);
    let mut judged = Vec::with_capacity(deciding.units.len());
    let in_earnest = deciding.how == How::Policy;
    let mut asking = Asking::new(gate, &policies, answers, (deciding.round, in_earnest));
    for key in &deciding.units {
        let Some((unit, details)) = timeline
            .unit(key)
            .and_then(|unit| Some((unit, unit.details?)))
        else {
            continue;
        };
        let around = Around {
            record,
            timeline,
            judged: outcomes(&judged),
            unit: &unit.key,
        };
        let judgement = match &deciding.how {
            How::Carry(before) => carried(tx, record, *before, details, &spare).await?,
            How::Defer(why) => {
                let facts = asked(record, timeline, unit, details);
                let about = (facts, unit, deciding);
                let judged = judge(tx, &policies, about, &around, &spare, &mut asking, now);
                match judged.await? {
                    Some(judged) => deferred(judged, why),
                    None => continue,
                }
            }
            How::Policy | How::HostConfirm => {
                let facts = asked(record, timeline, unit, details);
                let about = (facts, unit, deciding);
                let judged = judge(tx, &policies, about, &around, &spare, &mut asking, now);
                match judged.await? {
                    Some(judged) => judged,
                    None => continue,
                }
            }
        };
        if let (Outcome::Accept, Some(payer)) = (judgement.outcome, &judgement.payer) {
            spare.take(&payer.amount);
        }
        judged.push((unit, details, judgement));
    }
    if asking.is_open() {
        written.open.extend(asking.into_open());
        return Ok(Vec::new());
    }
    shadows::all_or_none(judged.iter_mut().map(|(_, _, one)| one).collect());
    all_or_none(&mut judged);
    let mut carry_from = deciding.carry_from.clone();
    let mut decided = Vec::with_capacity(judged.len());
    for (unit, details, judgement) in judged {
        let decision = new_decision(record, unit, details, deciding.round, &judgement, now);
        let Posted::New(id) = tx.insert_decision(&decision).await? else {
            continue;
        };
        for shadow in &judgement.shadows {
            tx.insert_shadow_verdict(id, shadow).await?;
        }
        let shadows = judgement.shadows.iter();
        decided.push(Decided {
            outcome: judgement.outcome,
            policy: decision.policy_id.clone(),
            shadows: shadows
                .map(|shadow| (shadow.policy.clone(), shadow.outcome))
                .collect(),
        });
        tracing::info!(
            booking.r#ref = %format_args!("{}/{}", record.source, unit.key),
            decision.outcome = judgement.outcome.as_str(),
            policy.id = decision.policy_id.as_deref().unwrap_or("-"),
            "decided"
        );
        let verdict = judgement.verdict.as_ref();
        let reasons = verdict.map_or(&[][..], |verdict| &verdict.failed);
        gate.notices.decided(tx, &decision, id, reasons).await?;
        if judgement.outcome != Outcome::Reject {
            let codes = verdict.map_or(&[][..], |verdict| &verdict.codes);
            for code in codes {
                tx.use_code(code, &record.source, &unit.key, now).await?;
            }
        }
        let watched = Watched::begin(&gate.notices, tx, judgement.payer.as_ref()).await?;
        written.carried |= !carry_from.is_empty();
        match pay(tx, record, &unit.key, id, &judgement, &mut carry_from, now).await? {
            Paid::Nothing => {}
            Paid::Held(hold) => written.holds.push(hold),
            Paid::Waived => written.waivers.push(id),
        }
        written.decisions.push(decision.stored(id));
        if let Some(watched) = watched {
            watched.end(gate, tx, now).await?;
        }
    }
    Ok(decided)
}

/// What was decided before of the same series.
fn outcomes<'a>(judged: &[(&'a Unit<'_>, &Details, Judgement)]) -> BTreeMap<&'a UnitKey, Outcome> {
    let outcome =
        |(unit, _, judged): &(&'a Unit<'_>, &Details, Judgement)| (&unit.key, judged.outcome);
    judged.iter().map(outcome).collect()
}

/// What a policy is told of a booking before it asks for more.
fn asked(
    record: &ChainRecord,
    timeline: &Timeline<'_>,
    unit: &Unit<'_>,
    details: &Details,
) -> Facts {
    let asked = unit
        .ask
        .map(|ask| ask.provider_time.unwrap_or(ask.heard_at));
    let (uid, origin) = (&unit.key.uid, &timeline.origin(&unit.key).uid);
    let now = asked.unwrap_or(details.start);
    Facts {
        origin: Some(origin.clone()).filter(|origin| origin != uid),
        ..Facts::of(now, record.source.clone(), uid.clone(), details.clone())
    }
}

/// Loads what a policy asks for, as far as it is to be had here; a question to another server that has no
/// answer yet is noted. `watched`: whether the policy is only watched.
pub(super) async fn load(
    tx: &mut Tx,
    (around, spare): (&Around<'_>, &Spare),
    (asking, watched): (&mut Asking<'_>, bool),
    need: &Need,
    facts: &mut Facts,
    now: Timestamp,
) -> Result<(), StorageError> {
    if *need == Need::Account {
        let owner = facts.details.booker.email.clone();
        facts.account = Loaded::Known(account(tx, owner.as_ref(), spare).await?);
    }
    if let Need::Callout(asker) = need {
        asking.look_up(asker, (around.unit, watched), facts);
    }
    others::load(tx, around, need, facts, now).await
}

/// `None` if another server has to be asked before.
async fn judge(
    tx: &mut Tx,
    policies: &PolicySet,
    (mut facts, unit, deciding): (Facts, &Unit<'_>, &Deciding),
    around: &Around<'_>,
    spare: &Spare,
    asking: &mut Asking<'_>,
    now: Timestamp,
) -> Result<Option<Judgement>, StorageError> {
    let owner = facts.details.booker.email.clone();
    let verdict = loop {
        match policies.evaluate(&facts) {
            Evaluation::Decided(verdict) => break verdict,
            Evaluation::Needs(needs) => {
                for need in &needs {
                    let asking = (&mut *asking, false);
                    load(tx, (around, spare), asking, need, &mut facts, now).await?;
                }
                if needs.iter().any(|need| !facts.has(need)) {
                    return Ok(None);
                }
            }
        }
    };
    let payer = match &facts.account {
        Loaded::Known(known) => payer_with(owner, &verdict.terms, known.as_ref()),
        Loaded::Not | Loaded::Failed(_) if !has_price(&verdict.terms) => None,
        // Nobody asked for it, and yet the outcome depends on it: it is kept with the rest.
        Loaded::Not | Loaded::Failed(_) => {
            let known = account(tx, owner.as_ref(), spare).await?;
            let payer = payer_with(owner, &verdict.terms, known.as_ref());
            facts.account = Loaded::Known(known);
            payer
        }
    };
    let shadows = match deciding.how {
        How::Policy => {
            let about = (around, spare, deciding.refusal_defers);
            shadows::watch(tx, policies, &mut facts, about, asking, now).await?
        }
        // Whatever policies say, it makes no difference.
        How::HostConfirm | How::Defer(_) | How::Carry(_) => Vec::new(),
    };
    let by_host = deciding.how == How::HostConfirm;
    let (outcome, message, note) = match by_host {
        true => (Outcome::Accept, None, verdict.note.clone()),
        false => priced(&verdict, payer.as_ref()),
    };
    let mut judgement = Judgement {
        outcome,
        decider: match by_host {
            true => Decider::Host,
            false => Decider::Policy,
        },
        message,
        note,
        terms: verdict.terms.clone(),
        facts: to_json(&facts),
        payer,
        verdict: Some(verdict),
        shadows,
    };
    if unit.ask.is_some_and(|ask| ask.provider_time.is_none()) {
        let note = "the provider gave no time; rules about time used ours";
        judgement.note = Some(match judgement.note.take() {
            Some(before) => format!("{before}; {note}"),
            None => note.to_owned(),
        });
    }
    if let (Outcome::Reject, Some(why)) = (judgement.outcome, deciding.refusal_defers) {
        judgement.outcome = Outcome::Defer;
        judgement.note = Some(format!("would be refused, but {why}"));
    }
    Ok(Some(judgement))
}

/// What comes of a verdict once its price is held against what there is: the outcome, what the booker is
/// told, and what admins are.
pub(super) fn priced(
    verdict: &Verdict,
    payer: Option<&Payer>,
) -> (Outcome, Option<String>, Option<String>) {
    let short = payer.is_some_and(|payer| !payer.suffices);
    if verdict.outcome == Outcome::Accept && short {
        let note = "the price exceeds the booker's available credit";
        let message = verdict.message_if_short.as_deref();
        let message = message.unwrap_or(SHORT_OF_CREDIT).to_owned();
        return (Outcome::Reject, Some(message), Some(note.to_owned()));
    }
    let (message, note) = (verdict.message.clone(), verdict.note.clone());
    (verdict.outcome, message, note)
}

async fn carried(
    tx: &mut Tx,
    record: &ChainRecord,
    before: DecisionId,
    details: &Details,
    spare: &Spare,
) -> Result<Judgement, StorageError> {
    let decision = record
        .decisions
        .iter()
        .find(|decision| decision.id == before);
    let terms = decision.map_or_else(Terms::free, |decision| decision.terms.clone());
    let paid = record.holds.iter().find(|hold| hold.decision == before);
    // What was taken may have been given back since, or carried by another booking that took the same
    // place: then there must be enough once more.
    let payer = match paid {
        Some(hold) => payer(tx, Some(hold.owner.clone()), &terms, spare).await?,
        None => unpaid(details, &terms),
    };
    Ok(Judgement {
        outcome: Outcome::Accept,
        decider: Decider::Carried,
        verdict: None,
        message: None,
        note: Some(format!("moved by the host; carries decision {before}")),
        terms,
        facts: "{}".to_owned(),
        payer,
        shadows: Vec::new(),
    })
}

/// Left to a person, whatever the policies say; from them it has the price that a person sees.
fn deferred(judged: Judgement, why: &str) -> Judgement {
    Judgement {
        outcome: Outcome::Defer,
        message: None,
        note: Some(why.to_owned()),
        payer: None,
        ..judged
    }
}

/// One occurrence that is not accepted holds back the whole series: one answer answers all.
fn all_or_none(judged: &mut [(&Unit<'_>, &Details, Judgement)]) {
    let outcomes: Vec<Outcome> = judged.iter().map(|(_, _, one)| one.outcome).collect();
    let Some(index) = holds_back(&outcomes) else {
        return;
    };
    let (outcome, message) = {
        let one = &judged[index].2;
        (one.outcome, one.message.clone())
    };
    for (_, _, other) in judged
        .iter_mut()
        .filter(|(_, _, one)| one.outcome != outcome)
    {
        other.outcome = outcome;
        other.message.clone_from(&message);
        other.note = Some(NOT_ALL.to_owned());
    }
}

/// Which occurrence holds back the others: a person's answer, too, is one for all.
pub(super) fn holds_back(outcomes: &[Outcome]) -> Option<usize> {
    let first = |wanted: Outcome| outcomes.iter().position(|outcome| *outcome == wanted);
    first(Outcome::Defer).or_else(|| first(Outcome::Reject))
}

/// What became of a decision's price.
pub(super) enum Paid {
    /// There is none, or the booking does not stand.
    Nothing,
    /// It is held.
    Held(Hold),
    /// It is not asked for.
    Waived,
}

/// Holds the price, carries it over from the bookings before, or waives it where a person wants the
/// booking and the credit does not suffice.
pub(super) async fn pay(
    tx: &mut Tx,
    record: &ChainRecord,
    unit: &UnitKey,
    decision: DecisionId,
    judgement: &Judgement,
    carry_from: &mut Vec<HoldId>,
    now: Timestamp,
) -> Result<Paid, StorageError> {
    let (Outcome::Accept, Some(payer)) = (judgement.outcome, &judgement.payer) else {
        return Ok(Paid::Nothing);
    };
    let Some(owner) = payer.owner.clone().filter(|_| payer.suffices) else {
        let reason = match &judgement.decider {
            Decider::Person(name) => format!("waived by {name}"),
            _ => BY_HOST.to_owned(),
        };
        let (chain, amount) = (record.chain, &payer.amount);
        tx.waive(decision, chain, amount, &reason, now).await?;
        return Ok(Paid::Waived);
    };
    let request = HoldRequest {
        owner,
        amount: payer.amount.clone(),
        chain: record.chain,
        decision,
        unit: unit.clone(),
    };
    let before = std::mem::take(carry_from);
    match tx.carry(&before, &request, now).await {
        Ok(id) => Ok(Paid::Held(request.stored(id))),
        Err(LedgerError::Storage(error)) => Err(error),
        // The balance was locked and looked at in this same transaction: whatever this is, it is not a
        // lack of credit, and nothing of the decision may be kept.
        Err(refusal) => Err(StorageError::Refused(refusal.to_string())),
    }
}

pub(super) fn new_decision(
    record: &ChainRecord,
    unit: &Unit<'_>,
    details: &Details,
    round: i64,
    judgement: &Judgement,
    now: Timestamp,
) -> NewDecision {
    let verdict = judgement.verdict.as_ref();
    let policy = verdict.and_then(|verdict| verdict.policy.as_ref());
    NewDecision {
        chain: record.chain,
        source: record.source.clone(),
        unit: unit.key.clone(),
        start: details.start,
        end: details.end,
        round,
        outcome: judgement.outcome,
        decider: judgement.decider.clone(),
        policy_id: policy.map(|policy| policy.id.to_string()),
        policy_hash: policy.map(|policy| policy.hash.to_string()),
        message: (judgement.outcome == Outcome::Reject)
            .then(|| judgement.message.clone())
            .flatten(),
        note: judgement.note.clone(),
        terms: judgement.terms.clone(),
        facts: judgement.facts.clone(),
        trace: verdict.map_or_else(|| "[]".to_owned(), |verdict| to_json(&verdict.trace)),
        set_hash: verdict.map(|verdict| verdict.set_hash.to_string()),
        verdict: verdict.map(|verdict| to_json(&verdict.said())),
        decided_at: now,
    }
}

/// Values of our own always have a JSON form.
pub(super) fn to_json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}"))
}
