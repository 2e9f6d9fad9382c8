//! The periods of quotas: those of the calendar, which begin at midnight in the policy's zone, and rolling
//! ones, which begin anywhere.

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use crate::domain::clock::{from_us, plus_ms};
use crate::policy::codes::Code;
use crate::policy::duration::Duration;
use crate::policy::keys::{Key, Shape};
use crate::policy::measured::Measure;
use crate::policy::reader::Table;
use crate::policy::words;

pub(super) const PER_KEY: Key = Key::new(
    "per",
    Shape::Word(&[
        "calendar-day",
        "calendar-week",
        "calendar-month",
        "calendar-quarter",
        "calendar-year",
    ]),
    "The period of the calendar in which is counted; weeks begin on Monday",
);
pub(super) const ROLLING_KEY: Key = Key::new(
    "rolling",
    Shape::Duration,
    "Instead of `per`: no period of this length may hold more",
);

/// In what is counted.
#[derive(Debug)]
pub(super) enum Period {
    Calendar(Unit),
    Rolling(Duration),
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Unit {
    Day,
    Week,
    Month,
    Quarter,
    Year,
}

impl Period {
    /// Reads `per` or `rolling`: one of them has to be there.
    pub(super) fn read(table: &Table<'_>) -> Option<Self> {
        const UNITS: [(&str, Unit); 5] = [
            ("calendar-day", Unit::Day),
            ("calendar-week", Unit::Week),
            ("calendar-month", Unit::Month),
            ("calendar-quarter", Unit::Quarter),
            ("calendar-year", Unit::Year),
        ];
        let per = table.choice("per", &UNITS);
        let rolling = table.duration("rolling");
        match (per, rolling) {
            (Some(_), Some(rolling)) => {
                let message = "a quota is counted per period of the calendar or in a rolling one";
                let help = "leave `per` or `rolling` out";
                table.report(Code::NotAllowed, rolling.span, message, help);
                None
            }
            (Some(unit), None) => Some(Self::Calendar(unit.value)),
            (None, Some(rolling)) if rolling.value.ms == 0 => {
                let help = "such as `rolling = \"30d\"`";
                table.report(Code::OutOfRange, rolling.span, "no time at all", help);
                None
            }
            (None, Some(rolling)) => Some(Self::Rolling(rolling.value)),
            (None, None) => {
                if !table.contains("per") && !table.contains("rolling") {
                    let message = format!("{} needs `per` or `rolling`", table.name());
                    let help = "such as `per = \"calendar-month\"` or `rolling = \"30d\"`";
                    table.report(Code::MissingKey, table.span(), message, help);
                }
                None
            }
        }
    }

    /// Everything that may be in one period with a moment: from, and until, exclusive.
    pub(super) fn around(&self, at: Timestamp, zone: &TimeZone) -> (Timestamp, Timestamp) {
        match self {
            Self::Calendar(unit) => {
                let (first, next) = unit.dates(zone.to_datetime(at).date());
                (midnight(first, zone), midnight(next, zone))
            }
            // What is as far away as the period is long lies in no period with it.
            Self::Rolling(length) => {
                let just_after = plus_ms(at, -length.ms).as_microsecond().saturating_add(1);
                (from_us(just_after), plus_ms(at, length.ms))
            }
        }
    }

    /// What the fullest period that holds a moment already has, of what was used when; and from when on
    /// there is room again if no more than `room` may be used.
    pub(super) fn fullest(
        &self,
        at: Timestamp,
        used: &mut [(Timestamp, i64)],
        room: i64,
        zone: &TimeZone,
    ) -> (i64, Option<Timestamp>) {
        let Self::Rolling(length) = self else {
            let total = used.iter().map(|(_, much)| much).sum();
            return (total, Some(self.around(at, zone).1));
        };
        used.sort_unstable();
        let begins = used
            .iter()
            .map(|(when, _)| *when)
            .filter(|when| *when <= at);
        let mut fullest: (i64, Option<Timestamp>) = (0, None);
        for begin in begins.chain([at]) {
            let end = plus_ms(begin, length.ms);
            if end <= at {
                continue;
            }
            let inside = || {
                used.iter()
                    .filter(|(when, _)| begin <= *when && *when < end)
            };
            let total: i64 = inside().map(|(_, much)| much).sum();
            if total > fullest.0 {
                let mut left = total;
                let frees = inside().find(|(_, much)| {
                    left -= much;
                    left <= room
                });
                fullest = (total, frees.map(|(when, _)| plus_ms(*when, length.ms)));
            }
        }
        fullest
    }

    /// What is told of the period around a moment.
    pub(super) fn told(&self, at: Timestamp, zone: &TimeZone) -> Measure {
        let unit = match self {
            Self::Rolling(length) => return length.length.into(),
            Self::Calendar(unit) => unit,
        };
        let (first, _) = unit.dates(zone.to_datetime(at).date());
        Measure::Period(match unit {
            Unit::Day => words::Period::Day(first),
            Unit::Week => words::Period::Week(first),
            Unit::Month => words::Period::Month(first),
            Unit::Quarter => words::Period::Quarter(first),
            Unit::Year => words::Period::Year(first),
        })
    }
}

impl Unit {
    /// The first day of the period that holds a date, and that of the next.
    fn dates(self, date: Date) -> (Date, Date) {
        let first = match self {
            Self::Day => date,
            Self::Week => {
                let days = i64::from(date.weekday().since(Weekday::Monday));
                date.saturating_sub(days.days())
            }
            Self::Month => date.first_of_month(),
            Self::Quarter => {
                let months = i64::from((date.month() - 1) % 3);
                date.first_of_month().saturating_sub(months.months())
            }
            Self::Year => date.first_of_year(),
        };
        let length = match self {
            Self::Day => 1.day(),
            Self::Week => 1.week(),
            Self::Month => 1.month(),
            Self::Quarter => 3.months(),
            Self::Year => 1.year(),
        };
        (first, first.saturating_add(length))
    }
}

/// When a day begins: where the clocks skip midnight, when they go on.
fn midnight(date: Date, zone: &TimeZone) -> Timestamp {
    let begins = zone.to_ambiguous_timestamp(date.to_datetime(Time::midnight()));
    begins.compatible().unwrap_or(Timestamp::MAX)
}
