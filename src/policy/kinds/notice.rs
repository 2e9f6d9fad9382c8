//! `notice`: how far ahead of its start a booking is made. Measured from the provider's time of the
//! booking, so that an outage of ours does not shorten anybody's notice.

use crate::domain::clock::ms_between;
use crate::policy::codes::Code;
use crate::policy::criterion::{Criterion, CriterionKind, Finding, PolicyContext, Scope};
use crate::policy::duration::{Duration, in_words};
use crate::policy::facts::Facts;
use crate::policy::reader::{At, Table};

pub(super) struct Kind;

#[derive(Debug)]
struct Notice {
    min: Option<Duration>,
    max: Option<Duration>,
}

impl CriterionKind for Kind {
    fn name(&self) -> &'static str {
        "notice"
    }

    fn placeholders(&self) -> &'static [&'static str] {
        &["min", "max", "notice"]
    }

    fn default_message(&self) -> &'static str {
        "This time cannot be booked {notice} ahead."
    }

    fn example(&self) -> &'static str {
        "min = \"24h\"\nmax = \"60d\""
    }

    fn parse(&self, table: &Table<'_>, _scope: &Scope<'_>) -> Option<Box<dyn Criterion>> {
        let (min, max) = (table.duration("min"), table.duration("max"));
        report_order(table, min.as_ref(), max.as_ref());
        if !table.contains("min") && !table.contains("max") {
            table.report(
                Code::Nothing,
                table.span(),
                "this criterion checks nothing",
                "add `min`, `max` or both, such as `min = \"24h\"`",
            );
        }
        Some(Box::new(Notice {
            min: min.map(|at| at.value),
            max: max.map(|at| at.value),
        }))
    }
}

/// Reports a shortest duration above the longest.
pub(super) fn report_order(
    table: &Table<'_>,
    min: Option<&At<Duration>>,
    max: Option<&At<Duration>>,
) {
    if let (Some(min), Some(max)) = (min, max)
        && min.value.ms > max.value.ms
    {
        let message = format!(
            "nothing is at least {} and at most {}",
            min.value, max.value
        );
        table.report(
            Code::MinAboveMax,
            min.span.clone(),
            message,
            "`min` has to be the shorter one",
        );
    }
}

impl Criterion for Notice {
    fn evaluate(&self, facts: &Facts, _context: &PolicyContext<'_>) -> Finding {
        let notice_ms = ms_between(facts.now, facts.details.start);
        let enough = self.min.as_ref().is_none_or(|min| notice_ms >= min.ms);
        let near = self.max.as_ref().is_none_or(|max| notice_ms <= max.ms);
        let mut finding = Finding::of(enough && near).with("notice", in_words(notice_ms));
        for (name, bound) in [("min", &self.min), ("max", &self.max)] {
            if let Some(bound) = bound {
                finding = finding.with(name, bound.to_string());
            }
        }
        finding
    }
}
