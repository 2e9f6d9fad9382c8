//! `reputation`: who was refused again and again has to wait a while. What is refused while they wait
//! does not make it longer: whoever keeps trying gets in at the time that they were told.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::counting::{By, Counted, Counting, EVENT_TYPES_KEY, Looking};
use crate::domain::clock::plus_ms;
use crate::domain::others::{Fate, Measured, OtherBooking, Wanted};
use crate::policy::criterion::{Criterion, CriterionKind, Finding, Scope};
use crate::policy::duration::Duration;
use crate::policy::facts::Facts;
use crate::policy::keys::{Key, Shape};
use crate::policy::measured::Measure;
use crate::policy::reader::Table;

/// The most refusals that can be asked for.
const REFUSALS_MAX: i64 = 100;

pub(super) struct Kind;

#[derive(Debug)]
struct Reputation {
    refusals: usize,
    within: Duration,
    cool_down: Duration,
    counted: Counted,
}

impl CriterionKind for Kind {
    fn name(&self) -> &'static str {
        "reputation"
    }

    fn placeholders(&self) -> &'static [&'static str] {
        &["refused", "retry_at"]
    }

    fn default_message(&self) -> &'static str {
        "Please try again after {retry_at|a while}."
    }

    fn example(&self) -> &'static str {
        "refusals = 3\nwithin = \"7d\"\ncool_down = \"14d\""
    }

    fn keys(&self) -> &'static [Key] {
        const KEYS: &[Key] = &[
            Key::new(
                "refusals",
                Shape::Whole(1, REFUSALS_MAX),
                "After how many refused bookings",
            )
            .required(),
            Key::new("within", Shape::Duration, "In how much time").required(),
            Key::new(
                "cool_down",
                Shape::Duration,
                "How long to wait after the last of them",
            )
            .required(),
            EVENT_TYPES_KEY,
        ];
        KEYS
    }

    fn parse(&self, table: &Table<'_>, scope: &Scope<'_>) -> Option<Box<dyn Criterion>> {
        let refusals = table.required("refusals", |table, key| {
            table.integer(key, 1..=REFUSALS_MAX)
        });
        let within = table.required("within", Table::duration);
        let cool_down = table.required("cool_down", Table::duration);
        let counted = Counted::read(table, scope);
        Some(Box::new(Looking(Reputation {
            refusals: usize::try_from(refusals?.value).unwrap_or(usize::MAX),
            within: within?.value,
            cool_down: cool_down?.value,
            counted,
        })))
    }
}

impl Reputation {
    /// Until when there is to wait, by the refusals so far; how many have come together since.
    fn waits(&self, refused: &[Timestamp]) -> (Option<Timestamp>, usize) {
        let (mut until, mut together): (Option<Timestamp>, Vec<Timestamp>) = (None, Vec::new());
        for at in refused {
            if until.is_some_and(|until| *at < until) {
                continue;
            }
            together.retain(|earlier| plus_ms(*earlier, self.within.ms) > *at);
            together.push(*at);
            if together.len() >= self.refusals {
                until = Some(plus_ms(*at, self.cool_down.ms));
                together.clear();
            }
        }
        (until, together.len())
    }
}

impl Counting for Reputation {
    /// As far back as a refusal can still matter: it may be the first of those that began a wait, which
    /// keeps the refusals during it from beginning another.
    fn wanted(&self, facts: &Facts, _zone: &TimeZone) -> Option<Wanted> {
        let back_ms = (self.within.ms + self.cool_down.ms).saturating_mul(2);
        let times = (plus_ms(facts.now, -back_ms), Timestamp::MAX);
        By::Booker.wanted(&facts.details, Measured::Asked, times)
    }

    fn judge(&self, others: &[OtherBooking], facts: &Facts, zone: &TimeZone) -> Finding {
        let refused = others
            .iter()
            .filter(|other| other.fate == Fate::Refused && self.counted.has(other));
        let mut refused: Vec<Timestamp> = refused
            .map(|other| other.asked_at.unwrap_or(other.start))
            .filter(|asked| *asked <= facts.now)
            .collect();
        refused.sort_unstable();
        let (until, together) = self.waits(&refused);
        match until.filter(|until| facts.now < *until) {
            Some(until) => {
                let local = zone.to_datetime(until);
                Finding::of(false)
                    .with("refused", refused.len())
                    .with("retry_at", Measure::Moment(local))
            }
            None => Finding::of(true).with("refused", together),
        }
    }
}
