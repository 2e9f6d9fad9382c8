//! `min-gap`: how much time lies at least between two appointments, before and after.

use jiff::tz::TimeZone;

use super::counting::{BY_KEY, By, Counted, EVENT_TYPES_KEY, others};
use super::period::day_in_words;
use crate::domain::clock::plus_ms;
use crate::domain::others::{Fate, Measured, Wanted};
use crate::policy::criterion::{Criterion, CriterionKind, Finding, PolicyContext, Scope};
use crate::policy::duration::Duration;
use crate::policy::facts::{Facts, Need, Stage};
use crate::policy::keys::{Key, Shape};
use crate::policy::reader::Table;

pub(super) struct Kind;

#[derive(Debug)]
struct MinGap {
    gap: Duration,
    by: By,
    counted: Counted,
}

impl CriterionKind for Kind {
    fn name(&self) -> &'static str {
        "min-gap"
    }

    fn placeholders(&self) -> &'static [&'static str] {
        &["gap", "last", "earliest"]
    }

    fn default_message(&self) -> &'static str {
        "Please leave at least {gap} between appointments; there is one on {last|another day}."
    }

    fn example(&self) -> &'static str {
        "gap = \"3d\""
    }

    fn keys(&self) -> &'static [Key] {
        const KEYS: &[Key] = &[
            Key::new("gap", Shape::Duration, "How much time").required(),
            BY_KEY,
            EVENT_TYPES_KEY,
        ];
        KEYS
    }

    fn parse(&self, table: &Table<'_>, scope: &Scope<'_>) -> Option<Box<dyn Criterion>> {
        let gap = table.required("gap", Table::duration);
        let (by, counted) = (By::read(table), Counted::read(table, scope));
        Some(Box::new(MinGap {
            gap: gap?.value,
            by,
            counted,
        }))
    }
}

impl MinGap {
    fn wanted(&self, facts: &Facts) -> Option<Wanted> {
        let details = &facts.details;
        let from = plus_ms(details.start, -self.gap.ms);
        let until = plus_ms(details.end, self.gap.ms);
        self.by.wanted(details, Measured::Part, (from, until))
    }
}

impl Criterion for MinGap {
    fn stage(&self) -> Stage {
        Stage::LocalRead
    }

    fn counts(&self) -> bool {
        true
    }

    fn needs(&self, facts: &Facts, _zone: &TimeZone) -> Vec<Need> {
        self.wanted(facts).into_iter().map(Need::Others).collect()
    }

    fn evaluate(&self, facts: &Facts, context: &PolicyContext<'_>) -> Finding {
        let others = match others(facts, self.wanted(facts).as_ref()) {
            Ok(others) => others,
            Err(unknown) => return unknown,
        };
        let stands = |fate| matches!(fate, Fate::Waiting | Fate::Standing);
        let near = others
            .iter()
            .filter(|other| stands(other.fate) && self.counted.has(other));
        let latest = near.max_by_key(|other| other.end);
        let finding = Finding::of(latest.is_none()).with("gap", self.gap.to_string());
        let Some(latest) = latest else { return finding };
        let zone = context.zone;
        let last = zone.to_datetime(latest.start).date();
        let earliest = zone.to_datetime(plus_ms(latest.end, self.gap.ms));
        finding
            .with("last", day_in_words(last))
            .with("earliest", earliest.strftime("%-d %B %Y %H:%M").to_string())
    }
}
