//! `concurrent`: how many bookings somebody may have ahead of them at the same time.

use jiff::tz::TimeZone;

use super::counting::{BY_KEY, By, Counted, Counting, EVENT_TYPES_KEY, Looking};
use crate::domain::clock::Timestamp;
use crate::domain::others::{Measured, OTHERS_MAX, OtherBooking, Wanted};
use crate::policy::criterion::{Criterion, CriterionKind, Finding, Scope};
use crate::policy::facts::Facts;
use crate::policy::keys::{Key, Shape};
use crate::policy::reader::Table;

/// The most that can be asked for.
const MAX_MAX: i64 = OTHERS_MAX as i64;

pub(super) struct Kind;

#[derive(Debug)]
struct Concurrent {
    max: i64,
    by: By,
    counted: Counted,
}

impl CriterionKind for Kind {
    fn name(&self) -> &'static str {
        "concurrent"
    }

    fn placeholders(&self) -> &'static [&'static str] {
        &["open", "max"]
    }

    fn default_message(&self) -> &'static str {
        "You have {open} appointments ahead of you already; at most {max} are possible."
    }

    fn example(&self) -> &'static str {
        "max = 1"
    }

    fn keys(&self) -> &'static [Key] {
        const KEYS: &[Key] = &[
            Key::new(
                "max",
                Shape::Whole(1, MAX_MAX),
                "How many, this one included",
            )
            .required(),
            BY_KEY,
            EVENT_TYPES_KEY,
        ];
        KEYS
    }

    fn parse(&self, table: &Table<'_>, scope: &Scope<'_>) -> Option<Box<dyn Criterion>> {
        let max = table.required("max", |table, key| table.integer(key, 1..=MAX_MAX));
        let (by, counted) = (By::read(table), Counted::read(table, scope));
        Some(Box::new(Looking(Concurrent {
            max: max?.value,
            by,
            counted,
        })))
    }
}

impl Counting for Concurrent {
    /// What is not over when this booking is made.
    fn wanted(&self, facts: &Facts, _zone: &TimeZone) -> Option<Wanted> {
        let times = (facts.now, Timestamp::MAX);
        self.by.wanted(&facts.details, Measured::Part, times)
    }

    fn judge(&self, others: &[OtherBooking], _facts: &Facts, _zone: &TimeZone) -> Finding {
        let open = others
            .iter()
            .filter(|other| other.takes_a_place() && self.counted.has(other));
        let open = i64::try_from(open.count()).unwrap_or(i64::MAX);
        Finding::of(open < self.max)
            .with("open", open)
            .with("max", self.max)
    }
}
