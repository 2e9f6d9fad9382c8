//! `[[test]]`: a policy's own tests. They run whenever the policy is loaded, and one that fails
//! keeps it from being activated.

mod given;
mod read;

use std::collections::BTreeSet;

use super::super::borrowed::askers;
use super::super::codes::Code;
use super::super::compiled::{Policy, Role};
use super::super::diagnostic::{Sink, Span};
use super::super::evaluate::{Fallback, evaluate};
use super::super::facts::Facts;
use super::super::reader::At;
use super::super::text::quote;
use super::super::verdict::{Evaluation, TraceResult, Verdict};
use crate::domain::decision::Outcome;

use given::Given;
pub(super) use read::read;

/// One test.
#[derive(Debug)]
pub(super) struct SelfTest {
    name: String,
    facts: Facts,
    given: Given,
    expect: Expect,
}

/// What a test expects; what it does not mention may be anything.
#[derive(Debug)]
struct Expect {
    decision: At<Decision>,
    failed: Option<At<BTreeSet<String>>>,
    message: Option<At<String>>,
    /// Minor units of the policy's unit.
    held: Option<At<i64>>,
}

/// How a single policy may end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decision {
    Of(Outcome),
    /// `[match]` leaves the booking to others.
    Unmatched,
}

impl Decision {
    fn as_str(self) -> &'static str {
        match self {
            Self::Of(outcome) => outcome.as_str(),
            Self::Unmatched => "unmatched",
        }
    }
}

/// Runs the tests and reports those that fail, and what no test has tried.
pub(super) fn run(policy: &Policy, tests: &[SelfTest], sink: &Sink) {
    if tests.is_empty() {
        let message = format!("`{}` has no tests", policy.id);
        let help = "add a `[[test]]` for each criterion: with a booking that meets it and one that does not";
        sink.add(
            sink.at(Code::NoTests, policy.id_span.clone(), message)
                .help(help),
        );
        return;
    }
    let (mut failing, mut passing) = (BTreeSet::new(), BTreeSet::new());
    let askers = askers(&policy.rules);
    for test in tests {
        test.given.report_unheard(&askers, sink);
        let verdict = judge(policy, test);
        compare(policy, test, verdict.as_deref(), sink);
        let criteria = verdict.iter().flat_map(|verdict| &verdict.trace.criteria);
        for seen in criteria {
            match seen.result {
                TraceResult::Fail => failing.insert(seen.id.to_string()),
                TraceResult::Pass => passing.insert(seen.id.to_string()),
                TraceResult::Unknown | TraceResult::Skipped | TraceResult::NotEvaluated => false,
            };
        }
    }
    let answered = policy.rules.iter().enumerate();
    for (index, rule) in answered.filter(|(_, rule)| rule.criterion.is_answered()) {
        for (code, seen, how) in [
            (Code::NeverFails, &failing, "failing"),
            (Code::NeverPasses, &passing, "passing"),
        ] {
            if policy.asks(index) && !seen.contains(&*rule.id) {
                let message = format!("no test shows `{}` {how}", rule.id);
                sink.add(sink.at(code, rule.span.clone(), message));
            }
        }
    }
}

/// The verdict of this policy alone; `None` if the booking is not meant.
fn judge(policy: &Policy, test: &SelfTest) -> Option<Box<Verdict>> {
    if !policy.matching.covers(&test.facts) {
        return None;
    }
    let mut facts = test.facts.clone();
    // A guardrail that does not refuse lets others decide.
    let fallback = Fallback {
        outcome: Outcome::Accept,
        note: String::new(),
    };
    loop {
        match evaluate([policy], fallback.clone(), policy.hash, &facts) {
            Evaluation::Decided(verdict) => return Some(verdict),
            Evaluation::Needs(needs) => needs
                .iter()
                .for_each(|need| test.given.answer(need, &policy.id, &mut facts)),
        }
    }
}

fn compare(policy: &Policy, test: &SelfTest, verdict: Option<&Verdict>, sink: &Sink) {
    let expect = &test.expect;
    let decision = verdict.map_or(Decision::Unmatched, |verdict| Decision::Of(verdict.outcome));
    let report = |span: &Span, expected: String, found: String| {
        let message = format!(
            "test {} fails: expected {expected}, found {found}",
            quote(&test.name)
        );
        let diagnostic = sink.at(Code::TestFailed, span.clone(), message);
        let trace = verdict.map(summary).filter(|trace| !trace.is_empty());
        sink.add(match trace {
            Some(trace) => diagnostic.help(trace),
            None => diagnostic,
        });
    };
    if decision != expect.decision.value {
        let expected = expect.decision.value.as_str().to_owned();
        report(
            &expect.decision.span,
            expected,
            decision.as_str().to_owned(),
        );
        return;
    }
    let Some(verdict) = verdict else { return };
    if let Some(failed) = &expect.failed {
        let found: BTreeSet<String> = verdict.failed.iter().cloned().collect();
        if failed.value != found {
            report(
                &failed.span,
                format!("{:?}", failed.value),
                format!("{found:?}"),
            );
        }
    }
    if let Some(message) = &expect.message {
        let found = verdict.message.as_deref();
        if found != Some(message.value.as_str()) {
            let found = found.map_or_else(|| "none".to_owned(), |found| format!("{found:?}"));
            report(&message.span, format!("{:?}", message.value), found);
        }
    }
    let unit = policy.credits.as_ref().map(|credits| &credits.unit);
    if let (Some(held), Some(unit)) = (&expect.held, unit) {
        let accepted = verdict
            .terms
            .cost
            .as_ref()
            .filter(|_| policy.role == Role::Deciding && verdict.outcome == Outcome::Accept);
        let found = accepted.map_or(0, |cost| cost.minor);
        if held.value != found {
            report(&held.span, unit.format(held.value), unit.format(found));
        }
    }
}

/// The trace in one line: `has-credit fail (available 2, cost 2.5); enough-notice pass`.
fn summary(verdict: &Verdict) -> String {
    let lines = verdict.trace.criteria.iter().map(|seen| {
        let result = match seen.result {
            TraceResult::Pass => "pass",
            TraceResult::Fail => "fail",
            TraceResult::Unknown => "unknown",
            TraceResult::NotEvaluated => "not evaluated",
            TraceResult::Skipped => "skipped",
        };
        let facts: Vec<String> = seen
            .facts
            .iter()
            .map(|(name, value)| format!("{name} {value}"))
            .collect();
        let details = match (&seen.error, facts.is_empty()) {
            (Some(error), _) => format!(" ({error})"),
            (None, false) => format!(" ({})", facts.join(", ")),
            (None, true) => String::new(),
        };
        format!("{} {result}{details}", seen.id)
    });
    lines.collect::<Vec<_>>().join("; ")
}
