//! Policies tried out on what was decided: how many bookings would have gone otherwise, which, why, and what
//! that would have meant in credits. Everything is read, in small pages, and nothing is written.
//!
//! Each booking is judged by itself, with what was looked at then: that a booker would have more or less
//! credit by now, because an earlier booking would have gone otherwise, is not played through.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::payer::{has_price, payer_with};
use super::shadows::outcome;
use super::{Desk, GateError};
use crate::domain::amount::{Amount, UnitCode};
use crate::domain::clock::Timestamp;
use crate::domain::decision::{Outcome, Terms};
use crate::domain::ids::DecisionId;
use crate::policy::facts::{Facts, Loaded, Need};
use crate::policy::{Evaluation, Policy, PolicySet, Said, Verdict};
use crate::storage::records::{ShadowCursor, ShadowFilter, ShadowRow, Snapshot};

/// Decisions read at once.
const PAGE: u32 = 500;
/// Changed decisions that are told one by one; all are counted.
pub const CHANGES_MAX: usize = 10_000;

/// What would have gone otherwise.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Trial {
    /// Decisions that were compared.
    pub compared: u64,
    /// Of these, those that would have gone otherwise, also where only the price would have been another.
    pub changed: u64,
    /// The latter by what was decided and what would have been, such as `accept to reject`.
    pub turns: BTreeMap<String, u64>,
    /// What the accepted bookings among those compared cost, and would have cost, by unit.
    pub credits: BTreeMap<String, CreditTotals>,
    /// Decisions for which it cannot be told, by what is missing.
    pub cannot_tell: BTreeMap<String, u64>,
    /// Decisions that were left out, by why.
    pub skipped: BTreeMap<&'static str, u64>,
    /// Those that would have gone otherwise, newest first, as many as are told one by one.
    pub changes: Vec<ChangedDecision>,
}

/// Credits that bookings cost, as texts.
#[derive(Debug, Clone, Default, Serialize)]
pub struct CreditTotals {
    /// By what was decided.
    pub was: String,
    /// By what would have been decided.
    pub would: String,
    /// How much more that is; less with a minus.
    pub more: String,
    #[serde(skip)]
    sums: (i128, i128),
}

/// A decision that would have gone otherwise.
#[derive(Debug, Clone, Serialize)]
pub struct ChangedDecision {
    /// Its id.
    pub decision: i64,
    /// The source and the booking or seat.
    pub booking: String,
    /// When it begins.
    pub start: Timestamp,
    /// When it was decided.
    pub decided_at: Timestamp,
    /// What was decided.
    pub was: Outcome,
    /// By which policy.
    pub was_by: Option<String>,
    /// What it cost, if it was accepted.
    pub was_cost: Option<String>,
    /// What would have been decided.
    pub would: Outcome,
    /// By which policy.
    pub would_by: Option<String>,
    /// What it would have cost, if it had been accepted.
    pub would_cost: Option<String>,
    /// Why.
    pub why: String,
}

/// A decision to be compared.
struct Compared<'a> {
    decision: DecisionId,
    booking: String,
    start: Timestamp,
    decided_at: Timestamp,
    was: (Outcome, Option<&'a str>, Option<&'a Amount>),
    would: (Outcome, Option<&'a str>, Option<&'a Amount>),
    why: String,
}

/// Policies to be tried out.
#[derive(Debug)]
pub struct Candidate {
    /// All of them.
    pub set: PolicySet,
    /// The one that is asked as if it were in force although it is in shadow.
    pub shadow: Option<Arc<str>>,
}

/// What a candidate makes of a past decision.
enum Remake {
    /// As it was: the policy that is tried out has no word on it.
    Same,
    /// This.
    Decided(Box<Verdict>, Box<Facts>),
    /// Something that it asks for was not looked at then.
    CannotTell(String),
    /// It was not, or not only, policies who decided.
    Skipped(&'static str),
}

impl Desk {
    /// What policies in shadow would have decided otherwise since a time, by policy, from what was kept of
    /// them. `tell` is told how many decisions were gone through.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn diff_shadows(
        &self,
        policy: Option<String>,
        since: Timestamp,
        mut tell: impl FnMut(u64),
    ) -> Result<BTreeMap<String, Trial>, GateError> {
        let (mut trials, mut after) = (BTreeMap::<String, Trial>::new(), None);
        let (filter, mut seen) = (ShadowFilter { policy }, 0);
        loop {
            let (filter, from) = (filter.clone(), after.take());
            let reading = self.storage.read(move |tx| {
                Box::pin(async move {
                    let list = tx.list_shadow_verdicts(&filter, from.as_ref(), PAGE);
                    Ok::<_, GateError>(list.await?)
                })
            });
            let rows = reading.await?;
            let recent = rows.iter().filter(|row| row.decided_at >= since).count();
            for row in rows.iter().filter(|row| row.decided_at >= since) {
                let trial = trials.entry(row.shadow.policy.clone()).or_default();
                self.compare(trial, of_shadow(row));
            }
            seen += recent as u64;
            tell(seen);
            match rows.last() {
                Some(last) if recent > 0 => {
                    after = Some(ShadowCursor {
                        decision: last.decision,
                        policy: last.shadow.policy.clone(),
                    });
                }
                _ => return Ok(trials),
            }
        }
    }

    /// What other policies would have made of the decisions since a time, from what those were made from.
    /// `tell` as above.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn try_out(
        &self,
        candidate: &Candidate,
        since: Timestamp,
        mut tell: impl FnMut(u64),
    ) -> Result<Trial, GateError> {
        let (mut trial, mut before, mut seen) = (Trial::default(), None, 0);
        loop {
            let reading = self.storage.read(move |tx| {
                Box::pin(async move { Ok::<_, GateError>(tx.snapshots(before, PAGE).await?) })
            });
            let rows = reading.await?;
            let recent = rows.iter().filter(|row| row.decided_at >= since).count();
            for row in rows.iter().filter(|row| row.decided_at >= since) {
                self.try_one(&mut trial, candidate, row);
            }
            seen += recent as u64;
            tell(seen);
            match rows.last() {
                Some(last) if recent > 0 => before = Some(last.decision),
                _ => return Ok(trial),
            }
        }
    }

    fn try_one(&self, trial: &mut Trial, candidate: &Candidate, row: &Snapshot) {
        let was = (row.outcome, row.by.as_deref(), row.cost.as_ref());
        let compared = |would, why| Compared {
            decision: row.decision,
            booking: format!("{}/{}", row.source, row.unit),
            start: row.start,
            decided_at: row.decided_at,
            was,
            would,
            why,
        };
        match candidate.remake(row) {
            Remake::Same => self.compare(trial, compared(was, String::new())),
            Remake::CannotTell(what) => *trial.cannot_tell.entry(what).or_default() += 1,
            Remake::Skipped(why) => *trial.skipped.entry(why).or_default() += 1,
            Remake::Decided(verdict, facts) => {
                let (outcome, message, note) = outcome(&verdict, &facts);
                let by = verdict.policy.as_ref().map(|policy| &*policy.id);
                let would = (outcome, by, verdict.terms.cost.as_ref());
                let why = why(&verdict.failed, message.as_deref(), note.as_deref());
                self.compare(trial, compared(would, why));
            }
        }
    }

    fn compare(&self, trial: &mut Trial, one: Compared<'_>) {
        trial.compared += 1;
        let paid = |(outcome, _, cost): (Outcome, Option<&str>, Option<&Amount>)| {
            let cost = cost.filter(|cost| outcome == Outcome::Accept && cost.minor > 0);
            cost.cloned()
        };
        let (was, would) = (paid(one.was), paid(one.would));
        for (amount, is_new) in [(&was, false), (&would, true)] {
            let Some(amount) = amount else { continue };
            let totals = trial.credits.entry(amount.unit.to_string()).or_default();
            totals.add(i128::from(amount.minor), is_new, |minor| {
                self.sum_text(minor, &amount.unit)
            });
        }
        if one.was.0 == one.would.0 && was == would {
            return;
        }
        trial.changed += 1;
        let turn = match one.was.0 == one.would.0 {
            true => "another price".to_owned(),
            false => format!("{} to {}", one.was.0.as_str(), one.would.0.as_str()),
        };
        *trial.turns.entry(turn).or_default() += 1;
        if trial.changes.len() >= CHANGES_MAX {
            return;
        }
        let text = |amount: Option<Amount>| {
            amount.map(|amount| format!("{} {}", self.amount_text(&amount), amount.unit))
        };
        trial.changes.push(ChangedDecision {
            decision: one.decision.0,
            booking: one.booking,
            start: one.start,
            decided_at: one.decided_at,
            was: one.was.0,
            was_by: one.was.1.map(str::to_owned),
            was_cost: text(was),
            would: one.would.0,
            would_by: one.would.1.map(str::to_owned),
            would_cost: text(would),
            why: one.why,
        });
    }

    fn sum_text(&self, minor: i128, unit: &UnitCode) -> String {
        let minor = i64::try_from(minor).unwrap_or(if minor < 0 { i64::MIN } else { i64::MAX });
        let unit = unit.clone();
        self.amount_text(&Amount { minor, unit })
    }
}

impl CreditTotals {
    fn add(&mut self, minor: i128, is_new: bool, text: impl Fn(i128) -> String) {
        let (was, would) = &mut self.sums;
        *(if is_new { &mut *would } else { &mut *was }) += minor;
        (self.was, self.would) = (text(*was), text(*would));
        self.more = text(*would - *was);
    }
}

impl Candidate {
    fn remake(&self, row: &Snapshot) -> Remake {
        if row.decided_by != "policy" {
            return Remake::Skipped("decided by a person, by the host, or with a move");
        }
        let facts: Facts = match serde_json::from_str(&row.facts) {
            Ok(facts) => facts,
            Err(_) => return Remake::CannotTell("what it looked at cannot be read".to_owned()),
        };
        if !was_all_their_own(row, &facts) {
            return Remake::Skipped("a series, or a refusal that was left to a person");
        }
        let evaluation = match self.watched() {
            None => self.set.evaluate(&facts),
            Some(shadow) => match self.set.evaluate_if(shadow, &facts) {
                None => return Remake::Same,
                Some(evaluation) => evaluation,
            },
        };
        match evaluation {
            Evaluation::Needs(needs) => {
                let mut needs: Vec<_> = needs.iter().map(in_words).collect();
                needs.dedup();
                Remake::CannotTell(format!("not looked at then: {}", needs.join(", ")))
            }
            Evaluation::Decided(verdict)
                if has_price(&verdict.terms) && !facts.has(&Need::Account) =>
            {
                let what = in_words(&Need::Account);
                Remake::CannotTell(format!("not looked at then: {what}"))
            }
            Evaluation::Decided(verdict) => Remake::Decided(verdict, Box::new(facts)),
        }
    }

    fn watched(&self) -> Option<&Policy> {
        let id = self.shadow.as_ref()?;
        self.set.shadows().find(|policy| policy.id == *id)
    }
}

/// Whether a decision is what the policies said, and their price. Where it is not known what they said, it is
/// taken for that.
fn was_all_their_own(row: &Snapshot, facts: &Facts) -> bool {
    let said = row.verdict.as_deref().map(serde_json::from_str::<Said>);
    let Some(Ok(said)) = said else {
        return true;
    };
    let terms = Terms {
        cost: row.cost.clone(),
        ..Terms::free()
    };
    let account = match &facts.account {
        Loaded::Known(account) => account.as_ref(),
        Loaded::Not | Loaded::Failed(_) => None,
    };
    let payer = payer_with(facts.details.booker.email.clone(), &terms, account);
    let short = payer.is_some_and(|payer| !payer.suffices);
    match said.outcome {
        Outcome::Accept if short => row.outcome == Outcome::Reject,
        outcome => row.outcome == outcome,
    }
}

fn in_words(need: &Need) -> &'static str {
    match need {
        Need::Account => "the booker's account",
        Need::Tags => "the booker's tags",
        Need::Others(_) => "other bookings",
        Need::CodeUses(_) => "who has used a code",
        Need::Callout(_) => "what another server says",
    }
}

fn of_shadow(row: &ShadowRow) -> Compared<'_> {
    let shadow = &row.shadow;
    let (message, note) = (shadow.message.as_deref(), shadow.note.as_deref());
    Compared {
        decision: row.decision,
        booking: format!("{}/{}", row.source, row.unit),
        start: row.start,
        decided_at: row.decided_at,
        was: (row.outcome, row.by.as_deref(), row.cost.as_ref()),
        would: (shadow.outcome, Some(&shadow.policy), shadow.cost.as_ref()),
        why: why(&shadow.failed, message, note),
    }
}

/// Why something would have been decided: the criteria, and what the booker or admins would have read.
fn why(failed: &[String], message: Option<&str>, note: Option<&str>) -> String {
    let failed = Some(failed.join(", ")).filter(|failed| !failed.is_empty());
    let text = message.or(note).map(str::to_owned);
    let parts: Vec<String> = failed.into_iter().chain(text).collect();
    parts.join(": ")
}
