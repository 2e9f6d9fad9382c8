//! `history`: how somebody has treated their appointments so far.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::counting::{By, Counted, Counting, EVENT_TYPES_KEY, Looking};
use crate::domain::clock::plus_ms;
use crate::domain::others::{Fate, Measured, OTHERS_MAX, OtherBooking, Wanted};
use crate::policy::criterion::{Criterion, CriterionKind, Finding, Scope};
use crate::policy::duration::{DURATION_MS_MAX, Duration};
use crate::policy::facts::Facts;
use crate::policy::keys::{Key, Shape};
use crate::policy::reader::Table;

/// The most of anything that can be asked for.
const COUNT_MAX: i64 = OTHERS_MAX as i64;
/// Notice below which a cancel is late, where the author says nothing, in milliseconds: a day.
const LATE_MS: i64 = 24 * 60 * 60 * 1_000;

pub(super) struct Kind;

#[derive(Debug)]
struct History {
    no_shows_max: Option<i64>,
    late_cancels_max: Option<i64>,
    completed_min: Option<i64>,
    late_ms: i64,
    within_ms: i64,
    counted: Counted,
}

impl CriterionKind for Kind {
    fn name(&self) -> &'static str {
        "history"
    }

    fn placeholders(&self) -> &'static [&'static str] {
        &["no_shows", "late_cancels", "completed"]
    }

    fn default_message(&self) -> &'static str {
        "This cannot be booked after what became of earlier appointments."
    }

    fn example(&self) -> &'static str {
        "no_shows_max = 1\nlate_cancels_max = 2\nwithin = \"90d\""
    }

    fn keys(&self) -> &'static [Key] {
        const KEYS: &[Key] = &[
            Key::new(
                "no_shows_max",
                Shape::Whole(0, COUNT_MAX),
                "How often the booker may have stayed away",
            ),
            Key::new(
                "late_cancels_max",
                Shape::Whole(0, COUNT_MAX),
                "How often the booker may have called off late",
            ),
            Key::new(
                "completed_min",
                Shape::Whole(1, COUNT_MAX),
                "How many appointments must have taken place",
            ),
            Key::new(
                "late",
                Shape::Duration,
                "With less notice a cancel is late; 24h if left out",
            ),
            Key::new(
                "within",
                Shape::Duration,
                "How far back is looked; as far as is known if left out",
            ),
            EVENT_TYPES_KEY,
        ];
        KEYS
    }

    fn parse(&self, table: &Table<'_>, scope: &Scope<'_>) -> Option<Box<dyn Criterion>> {
        let no_shows_max = table.integer("no_shows_max", 0..=COUNT_MAX);
        let late_cancels_max = table.integer("late_cancels_max", 0..=COUNT_MAX);
        let completed_min = table.integer("completed_min", 1..=COUNT_MAX);
        let late = table.duration("late");
        let within = table.duration("within");
        let counted = Counted::read(table, scope);
        let keys = ["no_shows_max", "late_cancels_max", "completed_min"];
        let help = "add `no_shows_max`, `late_cancels_max` or `completed_min`";
        table.refuse_nothing(&keys, help);
        let ms = |duration: Duration| duration.ms;
        Some(Box::new(Looking(History {
            no_shows_max: no_shows_max.map(|at| at.value),
            late_cancels_max: late_cancels_max.map(|at| at.value),
            completed_min: completed_min.map(|at| at.value),
            late_ms: late.map_or(LATE_MS, |at| ms(at.value)),
            within_ms: within.map_or(DURATION_MS_MAX, |at| ms(at.value)),
            counted,
        })))
    }
}

impl Counting for History {
    fn wanted(&self, facts: &Facts, _zone: &TimeZone) -> Option<Wanted> {
        // What was called off may lie ahead.
        let times = (plus_ms(facts.now, -self.within_ms), Timestamp::MAX);
        By::Booker.wanted(&facts.details, Measured::Start, times)
    }

    fn judge(&self, others: &[OtherBooking], facts: &Facts, _zone: &TimeZone) -> Finding {
        let count = |is: &dyn Fn(&OtherBooking) -> bool| {
            let all = others.iter().filter(|other| self.counted.has(other));
            i64::try_from(all.filter(|other| is(other)).count()).unwrap_or(i64::MAX)
        };
        let is_over = |other: &OtherBooking| other.fate == Fate::Standing && other.end <= facts.now;
        let no_shows = count(&|other| other.no_show);
        let late_cancels = count(&|other| other.called_off_within(self.late_ms));
        let completed = count(&|other| is_over(other) && !other.no_show);
        let met = self.no_shows_max.is_none_or(|max| no_shows <= max)
            && self.late_cancels_max.is_none_or(|max| late_cancels <= max)
            && self.completed_min.is_none_or(|min| completed >= min);
        Finding::of(met)
            .with("no_shows", no_shows)
            .with("late_cancels", late_cancels)
            .with("completed", completed)
    }
}
