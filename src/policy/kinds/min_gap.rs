//! `min-gap`: how much time lies at least between two appointments, before and after.

use jiff::tz::TimeZone;

use super::counting::{BY_KEY, By, Counted, Counting, EVENT_TYPES_KEY, Looking};
use crate::domain::clock::plus_ms;
use crate::domain::others::{Measured, OtherBooking, Wanted};
use crate::policy::criterion::{Criterion, CriterionKind, Finding, Scope};
use crate::policy::duration::Duration;
use crate::policy::facts::Facts;
use crate::policy::keys::{Key, Shape};
use crate::policy::measured::Measure;
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
        Some(Box::new(Looking(MinGap {
            gap: gap?.value,
            by,
            counted,
        })))
    }
}

impl Counting for MinGap {
    fn wanted(&self, facts: &Facts, _zone: &TimeZone) -> Option<Wanted> {
        let details = &facts.details;
        let from = plus_ms(details.start, -self.gap.ms);
        let until = plus_ms(details.end, self.gap.ms);
        self.by.wanted(details, Measured::Part, (from, until))
    }

    fn judge(&self, others: &[OtherBooking], _facts: &Facts, zone: &TimeZone) -> Finding {
        let near = others
            .iter()
            .filter(|other| other.takes_a_place() && self.counted.has(other));
        let latest = near.max_by_key(|other| other.end);
        let finding = Finding::of(latest.is_none()).with("gap", self.gap.length);
        let Some(latest) = latest else { return finding };
        let last = zone.to_datetime(latest.start).date();
        let earliest = zone.to_datetime(plus_ms(latest.end, self.gap.ms));
        finding
            .with("last", Measure::Day(last))
            .with("earliest", Measure::Moment(earliest))
    }
}
