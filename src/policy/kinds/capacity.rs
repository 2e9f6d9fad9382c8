//! `capacity`: how many bookings there may be at one time, on one day, or at all, whoever made them.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::counting::{By, Counting, Looking};
use super::period::{Period, Unit};
use crate::domain::others::{Measured, OTHERS_MAX, OtherBooking, Wanted};
use crate::policy::criterion::{Criterion, CriterionKind, Finding, Scope};
use crate::policy::facts::Facts;
use crate::policy::keys::{Key, Shape};
use crate::policy::reader::Table;

/// The most that can be asked for.
const MAX_MAX: i64 = OTHERS_MAX as i64;

pub(super) struct Kind;

#[derive(Debug)]
struct Capacity {
    max: i64,
    per: Per,
}

/// For what there is room.
#[derive(Debug, Clone, Copy)]
enum Per {
    Slot,
    Day,
    Total,
}

impl CriterionKind for Kind {
    fn name(&self) -> &'static str {
        "capacity"
    }

    fn placeholders(&self) -> &'static [&'static str] {
        &["used", "max"]
    }

    fn default_message(&self) -> &'static str {
        "All {max} places are taken."
    }

    fn example(&self) -> &'static str {
        "max = 12\nper = \"day\""
    }

    fn keys(&self) -> &'static [Key] {
        const KEYS: &[Key] = &[
            Key::new(
                "max",
                Shape::Whole(1, MAX_MAX),
                "How many, this one included",
            )
            .required(),
            Key::new(
                "per",
                Shape::Word(&["slot", "day", "total"]),
                "At the same time, on one day, or at all; at the same time if left out",
            ),
        ];
        KEYS
    }

    fn parse(&self, table: &Table<'_>, _scope: &Scope<'_>) -> Option<Box<dyn Criterion>> {
        let max = table.required("max", |table, key| table.integer(key, 1..=MAX_MAX));
        let words = [
            ("slot", Per::Slot),
            ("day", Per::Day),
            ("total", Per::Total),
        ];
        let per = table.choice("per", &words);
        Some(Box::new(Looking(Capacity {
            max: max?.value,
            per: per.map_or(Per::Slot, |at| at.value),
        })))
    }
}

/// How many there are at the moment when there are most of them, while this booking lasts.
fn at_once(others: &[&OtherBooking], start: Timestamp) -> usize {
    let begins = others.iter().map(|other| other.start.max(start));
    let at = |moment: Timestamp| {
        let there = others.iter();
        there
            .filter(|other| other.start <= moment && moment < other.end)
            .count()
    };
    begins.map(at).max().unwrap_or(0)
}

impl Counting for Capacity {
    fn wanted(&self, facts: &Facts, zone: &TimeZone) -> Option<Wanted> {
        let details = &facts.details;
        let (measured, times) = match self.per {
            Per::Slot => (Measured::Part, (details.start, details.end)),
            Per::Day => {
                let day = Period::Calendar(Unit::Day).around(details.start, zone);
                (Measured::Start, day)
            }
            Per::Total => (Measured::Start, (Timestamp::MIN, Timestamp::MAX)),
        };
        By::EventType.wanted(details, measured, times)
    }

    fn judge(&self, others: &[OtherBooking], facts: &Facts, _zone: &TimeZone) -> Finding {
        // Event types of two sources may have the same name.
        let others: Vec<_> = others
            .iter()
            .filter(|other| other.takes_a_place() && other.source == facts.source)
            .collect();
        let used = match self.per {
            Per::Slot => at_once(&others, facts.details.start),
            Per::Day | Per::Total => others.len(),
        };
        let used = i64::try_from(used).unwrap_or(i64::MAX);
        Finding::of(used < self.max)
            .with("used", used)
            .with("max", self.max)
    }
}
