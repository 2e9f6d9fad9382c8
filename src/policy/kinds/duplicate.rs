//! `duplicate`: somebody has such an appointment already: at the same time, or of the same event type.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::counting::{By, Counting, Looking};
use crate::domain::others::{Measured, OtherBooking, Wanted};
use crate::policy::criterion::{Criterion, CriterionKind, Finding, Scope};
use crate::policy::facts::Facts;
use crate::policy::keys::{Key, Shape};
use crate::policy::measured::Measure;
use crate::policy::reader::Table;

pub(super) struct Kind;

#[derive(Debug)]
struct Duplicate {
    alike: Vec<Alike>,
}

/// What makes another booking a duplicate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Alike {
    Time,
    EventType,
}

impl CriterionKind for Kind {
    fn name(&self) -> &'static str {
        "duplicate"
    }

    fn placeholders(&self) -> &'static [&'static str] {
        &["other"]
    }

    fn default_message(&self) -> &'static str {
        "You have such an appointment already: on {other|another day}."
    }

    fn example(&self) -> &'static str {
        "same = [\"time\", \"event-type\"]"
    }

    fn keys(&self) -> &'static [Key] {
        const KEYS: &[Key] = &[Key::new(
            "same",
            Shape::Many(&Shape::Word(&["time", "event-type"])),
            "What another booking ahead must not share: any of its time, or its event type; its time if left out",
        )];
        KEYS
    }

    fn parse(&self, table: &Table<'_>, _scope: &Scope<'_>) -> Option<Box<dyn Criterion>> {
        let words = [("time", Alike::Time), ("event-type", Alike::EventType)];
        let same = table.choices("same", &words);
        table.refuse_empty("same", "nothing would be a duplicate");
        Some(Box::new(Looking(Duplicate {
            alike: same.map_or_else(|| vec![Alike::Time], |at| at.value),
        })))
    }
}

impl Duplicate {
    fn is_one(&self, other: &OtherBooking, facts: &Facts) -> bool {
        let details = &facts.details;
        let time = other.start < details.end && details.start < other.end;
        let named = other.event_type.is_some() && other.event_type == details.event_type_name();
        let event_type = named && other.source == facts.source;
        let is = |alike: &Alike| match alike {
            Alike::Time => time,
            Alike::EventType => event_type,
        };
        other.takes_a_place() && self.alike.iter().any(is)
    }
}

impl Counting for Duplicate {
    fn wanted(&self, facts: &Facts, _zone: &TimeZone) -> Option<Wanted> {
        let details = &facts.details;
        let times = match self.alike.contains(&Alike::EventType) {
            true => (facts.now.min(details.start), Timestamp::MAX),
            false => (details.start, details.end),
        };
        By::Booker.wanted(details, Measured::Part, times)
    }

    fn judge(&self, others: &[OtherBooking], facts: &Facts, zone: &TimeZone) -> Finding {
        let same = others.iter().filter(|other| self.is_one(other, facts));
        let first = same.min_by_key(|other| other.start);
        let finding = Finding::of(first.is_none());
        match first {
            Some(other) => {
                let local = zone.to_datetime(other.start);
                finding.with("other", Measure::Moment(local))
            }
            None => finding,
        }
    }
}
