//! `length`: how long the appointment is.

use crate::domain::clock::ms_between;
use crate::policy::criterion::{Criterion, CriterionKind, Finding, PolicyContext, Scope};
use crate::policy::duration::{Duration, Length as LengthOfTime};
use crate::policy::facts::Facts;
use crate::policy::keys::{Key, Shape};
use crate::policy::measured::Measure;
use crate::policy::reader::Table;

use super::notice::report_order;

pub(super) struct Kind;

#[derive(Debug)]
struct Length {
    min: Option<Duration>,
    max: Option<Duration>,
    any_of: Option<Vec<Duration>>,
}

impl CriterionKind for Kind {
    fn name(&self) -> &'static str {
        "length"
    }

    fn placeholders(&self) -> &'static [&'static str] {
        &["length", "min", "max", "any_of"]
    }

    fn default_message(&self) -> &'static str {
        "An appointment of {length} cannot be booked here."
    }

    fn example(&self) -> &'static str {
        "min = \"30m\"\nmax = \"90m\"\nany_of = [\"30m\", \"60m\"]"
    }

    fn keys(&self) -> &'static [Key] {
        const KEYS: &[Key] = &[
            Key::new("min", Shape::Duration, "The shortest appointment"),
            Key::new("max", Shape::Duration, "The longest appointment"),
            Key::new(
                "any_of",
                Shape::Many(&Shape::Duration),
                "The lengths there are",
            ),
        ];
        KEYS
    }

    fn parse(&self, table: &Table<'_>, _scope: &Scope<'_>) -> Option<Box<dyn Criterion>> {
        let (min, max) = (table.duration("min"), table.duration("max"));
        let any_of = table.durations("any_of");
        report_order(table, min.as_ref(), max.as_ref());
        table.refuse_empty("any_of", "no length would do");
        let help = "add `min`, `max` or `any_of`, such as `max = \"60m\"`";
        table.refuse_nothing(&["min", "max", "any_of"], help);
        Some(Box::new(Length {
            min: min.map(|at| at.value),
            max: max.map(|at| at.value),
            any_of: any_of.map(|at| at.value),
        }))
    }
}

impl Criterion for Length {
    fn is_always_met(&self) -> bool {
        let from_none = self.min.as_ref().is_none_or(|min| min.ms == 0);
        from_none && self.max.is_none() && self.any_of.is_none()
    }

    fn evaluate(&self, facts: &Facts, _context: &PolicyContext<'_>) -> Finding {
        let length_ms = ms_between(facts.details.start, facts.details.end).max(0);
        let enough = self.min.as_ref().is_none_or(|min| length_ms >= min.ms);
        let short = self.max.as_ref().is_none_or(|max| length_ms <= max.ms);
        let any_of = self.any_of.as_deref();
        let listed = any_of.is_none_or(|any_of| any_of.iter().any(|one| one.ms == length_ms));
        let mut finding =
            Finding::of(enough && short && listed).with("length", LengthOfTime::of(length_ms));
        for (name, bound) in [("min", &self.min), ("max", &self.max)] {
            if let Some(bound) = bound {
                finding = finding.with(name, bound.length);
            }
        }
        if let Some(any_of) = any_of {
            let lengths = any_of.iter().map(|one| one.length);
            finding = finding.with("any_of", Measure::Lengths(lengths.collect()));
        }
        finding
    }
}
