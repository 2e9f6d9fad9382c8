//! From facts to a verdict, stage by stage. Synchronous and pure: the same set and the same facts
//! give the same verdict, and facts that a verdict does not need do not change it.

use std::collections::BTreeSet;

use super::compiled::{Policy, PolicyHash, Role, Rule, Show};
use super::criterion::{Finding, PolicyContext};
use super::facts::{Facts, Loaded, Need, Stage};
use super::measured::Values;
use super::require::{Node, ReasonText, Reasons};
use super::text::{MESSAGE_CHARS_MAX, clean};
use super::truth::{Bounds, Truth};
use super::verdict::{CriterionTrace, Evaluation, PolicyRef, Trace, TraceResult, Verdict};
use crate::domain::decision::{Outcome, Terms};

/// The most reasons that are joined into one message.
const REASONS_SHOWN_MAX: usize = 3;
/// The longest note for admins, in characters.
const NOTE_CHARS_MAX: usize = 1_000;
/// What the booker is told where a criterion could not be answered and that counts as a refusal.
const UNANSWERED: &str = "This booking could not be checked just now. Please try again later.";
/// What the booker is told where nobody wrote a better text.
const NOT_MET: &str = "This booking does not meet the conditions of this event.";

/// What admins are told of a question to another server that is not asked only to know what would be decided.
const UNASKED: &str =
    "there is no stored answer of the server, and it is asked when a booking is decided";

/// What admins are told where `waive_if` has no answer.
const NOT_WAIVED: &str = "it is not known whether `waive_if` is met, so the price stands";

/// What becomes of a booking that no deciding policy speaks for, and why.
#[derive(Debug, Clone)]
pub(super) struct Fallback {
    pub(super) outcome: Outcome,
    pub(super) note: String,
}

/// One policy in the course of one evaluation.
struct Run<'p> {
    policy: &'p Policy,
    /// What is asked: all of the policy, or one of its groups.
    require: &'p Node,
    /// Whether criteria in shadow are asked, too.
    watches: bool,
    /// The price, unless it is waived.
    price: Option<i64>,
    findings: Vec<Option<Finding>>,
    /// The findings' truths, after `on_error`.
    answers: Vec<Option<Truth>>,
    /// Whose `when` is not met.
    skipped: Vec<bool>,
}

/// Evaluates policies together. `fallback` has a word only if none of them is a deciding one.
pub(super) fn evaluate<'p>(
    policies: impl IntoIterator<Item = &'p Policy>,
    fallback: Fallback,
    set_hash: PolicyHash,
    facts: &Facts,
) -> Evaluation {
    let mut runs: Vec<Run<'p>> = policies
        .into_iter()
        .map(|policy| Run::new(policy, &policy.require, true, facts))
        .collect();
    let decides = runs.iter().any(|run| run.policy.role == Role::Deciding);
    let base = if decides {
        Outcome::Accept
    } else {
        fallback.outcome
    };
    for stage in Stage::ALL {
        let mut rules = runs.iter().flat_map(|run| &run.policy.rules);
        if !rules.any(|rule| rule.stage == stage) {
            continue;
        }
        let settled = outcome(&runs, base).is_some();
        let needs = needs(&runs, stage, settled, facts);
        if !needs.is_empty() {
            return Evaluation::Needs(needs);
        }
        for run in &mut runs {
            run.answer(stage, settled, facts);
        }
    }
    // Every criterion has a stage, so nothing is open after the last one.
    let outcome = outcome(&runs, base).unwrap_or(Outcome::Defer);
    let fallback = (!decides).then_some(fallback);
    Evaluation::Decided(Box::new(verdict(runs, outcome, fallback, set_hash, facts)))
}

/// What one condition of a policy says, asked by itself. The facts it needs are there.
pub(super) fn ask(policy: &Policy, node: &Node, facts: &Facts) -> Finding {
    let mut run = Run::new(policy, node, false, facts);
    for stage in Stage::ALL {
        let settled = run.bounds().settled().is_some();
        run.answer(stage, settled, facts);
    }
    let truth = run.bounds().settled().unwrap_or(Truth::Unknown);
    let reasons = run.reasons();
    let rule = |index: &usize| &policy.rules[*index];
    if truth == Truth::Fail {
        let locale = facts.details.booker.locale.as_deref();
        let failed: Vec<&str> = reasons
            .criteria
            .iter()
            .map(|index| &*rule(index).id)
            .collect();
        return Finding::of(false)
            .with("reason", run.message(&reasons, locale))
            .with("failed", failed.join(", "));
    }
    let error = reasons.criteria.iter().find_map(|index| {
        let error = run.findings[*index].as_ref()?.error.as_ref()?;
        Some(format!("{}/{}: {error}", policy.id, rule(index).id))
    });
    Finding {
        truth,
        facts: Default::default(),
        error: error.filter(|_| truth == Truth::Unknown),
    }
}

/// The outcome, once nothing can change it: the strictest of all policies'. Both ends of what each
/// policy may still say are compared, as within a policy.
fn outcome(runs: &[Run<'_>], base: Outcome) -> Option<Outcome> {
    let (worst, best) = runs.iter().fold((base, base), |(worst, best), run| {
        let bounds = run.bounds();
        let (low, high) = (run.outcome_of(bounds.low), run.outcome_of(bounds.high));
        (stricter(worst, low), stricter(best, high))
    });
    (worst == best).then_some(worst)
}

fn stricter(one: Outcome, other: Outcome) -> Outcome {
    match (one, other) {
        (Outcome::Reject, _) | (_, Outcome::Reject) => Outcome::Reject,
        (Outcome::Defer, _) | (_, Outcome::Defer) => Outcome::Defer,
        (Outcome::Accept, Outcome::Accept) => Outcome::Accept,
    }
}

/// What is missing for the criteria of a stage that still matter.
fn needs(runs: &[Run<'_>], stage: Stage, settled: bool, facts: &Facts) -> BTreeSet<Need> {
    let mut needs = BTreeSet::new();
    for run in runs {
        let rules = run.policy.rules.iter().zip(run.open(settled));
        let wanted = rules.filter(|(rule, open)| *open && rule.stage == stage);
        let zone = &run.policy.zone;
        let wanted = wanted.flat_map(|(rule, _)| rule.criterion.needs(facts, zone));
        needs.extend(wanted.filter(|need| !facts.has(need)));
    }
    needs
}

impl<'p> Run<'p> {
    fn new(policy: &'p Policy, require: &'p Node, watches: bool, facts: &Facts) -> Self {
        Self {
            policy,
            require,
            watches,
            price: policy.cost(&facts.details),
            findings: policy.rules.iter().map(|_| None).collect(),
            answers: vec![None; policy.rules.len()],
            skipped: vec![false; policy.rules.len()],
        }
    }

    fn bounds(&self) -> Bounds {
        self.require.bounds(&self.answers)
    }

    fn outcome_of(&self, truth: Truth) -> Outcome {
        match truth {
            Truth::Pass => Outcome::Accept,
            Truth::Fail => Outcome::Reject,
            Truth::Unknown => self.policy.on_unknown,
        }
    }

    /// The criteria whose answers still matter: those that could change this policy's result, until
    /// all is settled; those that are watched; those that tell whether the price is waived; and those
    /// that any of them rests on.
    fn open(&self, settled: bool) -> Vec<bool> {
        let mut open = vec![false; self.policy.rules.len()];
        if !settled {
            self.require.mark_open(&self.answers, &mut open);
        }
        if let Some(waiver) = &self.policy.waive_if {
            waiver.mark_open(&self.answers, &mut open);
        }
        // From those that rest on others to those they rest on.
        for index in self.policy.order.iter().rev() {
            let rule = &self.policy.rules[*index];
            open[*index] |= self.watches && rule.shadow && self.answers[*index].is_none();
            if let (true, Some(when)) = (open[*index], &rule.when) {
                when.mark_open(&self.answers, &mut open);
            }
        }
        open
    }

    fn answer(&mut self, stage: Stage, settled: bool, facts: &Facts) {
        let open = self.open(settled);
        for index in self
            .policy
            .order
            .iter()
            .copied()
            .filter(|index| open[*index])
        {
            let rule = &self.policy.rules[index];
            let applies = rule.when.as_ref().map_or(Some(Truth::Pass), |when| {
                when.bounds(&self.answers).settled()
            });
            if applies == Some(Truth::Fail) {
                self.skipped[index] = true;
                self.answers[index] = Some(Truth::Pass);
                continue;
            }
            if rule.stage != stage {
                continue;
            }
            let context = PolicyContext {
                cost: self.cost(),
                zone: &self.policy.zone,
            };
            let mut finding = rule.criterion.evaluate(facts, &context);
            // Met or skipped, it would be the same.
            if applies != Some(Truth::Pass) && finding.truth != Truth::Pass {
                finding = Finding::error("it is not known whether its `when` is met");
            }
            let failed = finding.error.is_some();
            self.answers[index] = Some(if failed { rule.on_error } else { finding.truth });
            self.findings[index] = Some(finding);
        }
    }

    /// Whether the price is waived; `None` where that cannot be told, and also before it is.
    fn waived(&self) -> Option<bool> {
        let Some(waiver) = &self.policy.waive_if else {
            return Some(false);
        };
        match waiver.bounds(&self.answers).settled()? {
            Truth::Pass => Some(true),
            Truth::Fail => Some(false),
            Truth::Unknown => None,
        }
    }

    fn cost(&self) -> Option<i64> {
        let waived = self.waived() == Some(true);
        self.price.map(|price| if waived { 0 } else { price })
    }

    /// What is agreed with the booker if the booking stands.
    fn terms(&self, facts: &Facts) -> Terms {
        let mut terms = self.policy.terms(&facts.details);
        if self.waived() == Some(true) {
            terms.cost = None;
        }
        terms
    }

    /// The codes of criteria that are met by one.
    fn codes(&self, facts: &Facts) -> impl Iterator<Item = String> {
        let rules = self.policy.rules.iter().enumerate();
        let met = rules.filter(|(index, rule)| {
            let asked = self.findings[*index].is_some() && !rule.shadow;
            asked && self.answers[*index] == Some(Truth::Pass)
        });
        met.flat_map(|(_, rule)| rule.criterion.uses_codes(facts))
    }

    fn reasons(&self) -> Reasons<'p> {
        let mut reasons = Reasons::default();
        self.require.explain(&self.answers, &mut reasons);
        reasons
    }

    fn into_trace(self, decided: &[usize]) -> Vec<CriterionTrace> {
        let rules = self.policy.rules.iter().zip(self.findings).enumerate();
        let trace = rules.map(|(index, (rule, finding))| {
            // What was never asked, nothing rests on.
            let decided = finding.is_some() && decided.contains(&index);
            let (facts, error) = finding
                .map(|finding| (finding.facts, finding.error))
                .unwrap_or_default();
            CriterionTrace {
                policy: self.policy.id.clone(),
                id: rule.id.clone(),
                kind: rule.kind.into(),
                stage: rule.stage,
                result: match self.skipped[index] {
                    true => TraceResult::Skipped,
                    false => self.answers[index].into(),
                },
                shadow: rule.shadow,
                facts,
                error,
                decided,
            }
        });
        trace.collect()
    }

    /// What the booker is told.
    fn message(&self, reasons: &Reasons<'_>, locale: Option<&str>) -> String {
        let mut texts: Vec<String> = Vec::new();
        for text in &reasons.texts {
            let text = match text {
                ReasonText::Node(message) => message.render(locale, &Default::default()),
                ReasonText::Criterion(index) => self.criterion_message(*index, locale),
                ReasonText::Negated => NOT_MET.to_owned(),
            };
            if !text.is_empty() && !texts.contains(&text) {
                texts.push(text);
            }
        }
        let shown = match self.policy.show {
            Show::First => 1,
            Show::All => REASONS_SHOWN_MAX,
        };
        texts.truncate(shown);
        if texts.is_empty() {
            return NOT_MET.to_owned();
        }
        clean(&texts.join(" "), MESSAGE_CHARS_MAX)
    }

    fn criterion_message(&self, index: usize, locale: Option<&str>) -> String {
        let rule = &self.policy.rules[index];
        match (&self.findings[index], &rule.on_error_message) {
            (Some(finding), _) if finding.error.is_none() => {
                rule.message.render(locale, &finding.facts)
            }
            (_, Some(message)) => message.render(locale, &Default::default()),
            (_, None) => UNANSWERED.to_owned(),
        }
    }

    /// What admins are told about the criteria a result rests on. The notes that the author wrote
    /// speak of criteria that are not met.
    fn notes(
        &self,
        reasons: &Reasons<'_>,
        outcome: Outcome,
        facts: &Facts,
    ) -> impl Iterator<Item = String> {
        reasons.criteria.iter().filter_map(move |index| {
            let rule: &Rule = &self.policy.rules[*index];
            let finding = self.findings[*index].as_ref()?;
            match (&rule.note, &finding.error) {
                (_, Some(error)) => Some(format!("{} could not be answered: {error}", rule.id)),
                (_, None) if finding.truth == Truth::Unknown && self.is_unasked(rule, facts) => {
                    Some(format!("{} is not known here: {UNASKED}", rule.id))
                }
                // Nobody but a person can answer it.
                (None, None) if finding.truth == Truth::Unknown => {
                    Some(format!("{} asks for a person", rule.id))
                }
                (Some(note), None) if outcome != Outcome::Accept => {
                    Some(note.render(&finding.facts))
                }
                _ => None,
            }
        })
    }

    /// Whether it would ask another server, and nobody is to be asked now.
    fn is_unasked(&self, rule: &Rule, facts: &Facts) -> bool {
        let needs = rule.criterion.needs(facts, &self.policy.zone);
        needs.iter().any(|need| match need {
            Need::Callout(asker) => facts.reply(asker).is_some_and(Loaded::is_not),
            _ => false,
        })
    }
}

fn verdict(
    runs: Vec<Run<'_>>,
    outcome: Outcome,
    fallback: Option<Fallback>,
    set_hash: PolicyHash,
    facts: &Facts,
) -> Verdict {
    let (mut failed, mut notes) = (Vec::new(), Vec::new());
    let (mut message, mut last_word) = (None, None);
    // The criteria of each run that the outcome rests on.
    let mut decided = Vec::with_capacity(runs.len());
    for run in &runs {
        let truth = run.bounds().settled();
        if truth.is_none_or(|truth| run.outcome_of(truth) != outcome) {
            decided.push(Vec::new());
            continue;
        }
        let reasons = run.reasons();
        notes.extend(run.notes(&reasons, outcome, facts));
        if outcome == Outcome::Reject {
            let rules = reasons
                .criteria
                .iter()
                .map(|index| &run.policy.rules[*index]);
            failed.extend(rules.map(|rule| rule.id.to_string()));
            let locale = facts.details.booker.locale.as_deref();
            message.get_or_insert_with(|| run.message(&reasons, locale));
        }
        // An accepted booking passed every policy, but only the deciding one accepts.
        if outcome != Outcome::Accept || run.policy.role == Role::Deciding {
            last_word.get_or_insert(run);
        }
        decided.push(reasons.criteria);
    }
    let fallback = fallback.filter(|fallback| fallback.outcome == outcome);
    notes.extend(fallback.map(|fallback| fallback.note));
    let deciding = runs.iter().find(|run| run.policy.role == Role::Deciding);
    if deciding.is_some_and(|run| run.waived().is_none()) {
        notes.push(NOT_WAIVED.to_owned());
    }
    notes.retain(|note| !note.is_empty());
    let credits = deciding.and_then(|run| run.policy.credits.as_ref());
    let mut verdict = Verdict {
        outcome,
        policy: last_word.map(|run| PolicyRef {
            id: run.policy.id.clone(),
            hash: run.policy.hash,
        }),
        set_hash,
        message,
        message_if_short: None,
        note: (!notes.is_empty()).then(|| clean(&notes.join("; "), NOTE_CHARS_MAX)),
        failed,
        terms: deciding.map_or_else(Terms::free, |run| run.terms(facts)),
        hold_expiry_ms: credits.and_then(|credits| credits.hold_expiry_ms),
        trace: Trace::default(),
        codes: match outcome {
            Outcome::Accept | Outcome::Defer => {
                runs.iter().flat_map(|run| run.codes(facts)).collect()
            }
            Outcome::Reject => Vec::new(),
        },
    };
    if let (Outcome::Accept, Some(cost)) = (outcome, &verdict.terms.cost) {
        let told = credits.and_then(|credits| Some((credits.message.as_ref()?, &credits.unit)));
        verdict.message_if_short = told.map(|(message, unit)| {
            let mut values = Values::default();
            values.insert("cost", unit.decimal(cost.minor));
            message.render(facts.details.booker.locale.as_deref(), &values)
        });
    }
    // Last, because what was measured moves into it.
    let traces = runs.into_iter().zip(&decided);
    verdict.trace.criteria = traces
        .flat_map(|(run, decided)| run.into_trace(decided))
        .collect();
    verdict
}
