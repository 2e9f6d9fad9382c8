//! Days and times that are open: local civil time in a zone, resolved for each date.
//!
//! Where the clocks change: a time of day that is skipped means the moment of the change; one that
//! comes twice opens the first time and closes the second. So nothing ever loses more than the change
//! itself takes away.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone};

use crate::policy::codes::Code;
use crate::policy::reader::Table;
use crate::policy::words::OpenHours;

/// Its keys, described.
pub(super) mod key {
    use crate::policy::keys::{Key, Shape};

    pub(in crate::policy::kinds) const DAYS: Key = Key::new(
        "days",
        Shape::Many(&Shape::Word(&[
            "mon", "tue", "wed", "thu", "fri", "sat", "sun",
        ])),
        "On these days of the week",
    );
    pub(in crate::policy::kinds) const FROM: Key =
        Key::new("from", Shape::TimeOfDay, "Not before this time of day");
    pub(in crate::policy::kinds) const UNTIL: Key = Key::new(
        "until",
        Shape::TimeOfDay,
        "Over by this time of day; before `from`, on the next day",
    );
    pub(in crate::policy::kinds) const EXCEPT: Key =
        Key::new("except", Shape::Many(&Shape::Date), "Not on these days");
    pub(in crate::policy::kinds) const ONLY: Key =
        Key::new("only", Shape::Many(&Shape::Date), "Only on these days");
}

/// The keys that are read.
pub(super) const KEYS: [&str; 5] = ["days", "from", "until", "except", "only"];

const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

/// When something is open. A span that runs past midnight belongs to the day on which it opens.
#[derive(Debug)]
pub(super) struct Hours {
    days: Option<Vec<Weekday>>,
    from: Option<Time>,
    until: Option<Time>,
    except: Vec<Date>,
    only: Option<Vec<Date>>,
}

impl Hours {
    /// Reads [`KEYS`]; reports if none of them is there.
    pub(super) fn read(table: &Table<'_>) -> Self {
        Self::read_beside(table, &[])
    }

    /// As [`Hours::read`], in a table that may ask for something by other keys instead.
    pub(super) fn read_beside(table: &Table<'_>, others: &[&str]) -> Self {
        let days = table.choices("days", &DAYS);
        let (from, until) = (table.time("from"), table.time("until"));
        let (except, only) = (table.dates("except"), table.dates("only"));
        table.refuse_empty("days", "no day would do");
        table.refuse_empty("only", "no day would do");
        if let (Some(from), Some(until)) = (&from, &until)
            && from.value == until.value
        {
            let help = "leave both out for the whole day; `until` before `from` means the next day";
            table.report(
                Code::MinAboveMax,
                until.span.clone(),
                "the window ends when it begins",
                help,
            );
        }
        if !KEYS.iter().chain(others).any(|key| table.contains(key)) {
            let message = format!("{} checks nothing", table.name());
            let help = "add `days`, `from` and `until`, `except` or `only`";
            table.report(Code::Nothing, table.span(), message, help);
        }
        Self {
            days: days.map(|at| at.value),
            from: from.map(|at| at.value),
            until: until.map(|at| at.value),
            except: except.map_or(Vec::new(), |at| at.value),
            only: only.map(|at| at.value),
        }
    }

    /// Whether it is always open.
    pub(super) fn are_all(&self) -> bool {
        let days = self.days.as_ref();
        let every_day = days.is_none_or(|days| DAYS.iter().all(|(_, day)| days.contains(day)));
        let all_day = self.from.is_none() && self.until.is_none();
        every_day && all_day && self.except.is_empty() && self.only.is_none()
    }

    /// What is told of them; nothing of dates.
    pub(super) fn told(&self, zone: &TimeZone) -> OpenHours {
        let listed = |days: &Vec<Weekday>| {
            let listed = DAYS.iter().filter(|(_, day)| days.contains(day));
            listed.map(|(_, day)| *day).collect()
        };
        OpenHours {
            days: self.days.as_ref().map(listed),
            from: self.from,
            until: self.until,
            zone: zone.iana_name().unwrap_or("UTC").into(),
        }
    }

    /// Whether something opens on a date.
    pub(super) fn has_date(&self, date: Date) -> bool {
        self.days
            .as_ref()
            .is_none_or(|days| days.contains(&date.weekday()))
            && self.only.as_ref().is_none_or(|only| only.contains(&date))
            && !self.except.contains(&date)
    }

    /// Whether the time of day of closing is named; else it is the end of the day.
    pub(super) fn closes(&self) -> bool {
        self.until.is_some()
    }

    /// From when to when it is open if it opens on `date`; `None` beyond the ends of time.
    pub(super) fn on(&self, date: Date, zone: &TimeZone) -> Option<(Timestamp, Timestamp)> {
        let opens = self.from.unwrap_or(Time::midnight());
        let opens = edge(date.to_datetime(opens), zone, Edge::Opens)?;
        let closes = match self.until {
            None => edge(
                date.tomorrow().ok()?.to_datetime(Time::midnight()),
                zone,
                Edge::Opens,
            )?,
            Some(until) => {
                let overnight = self.from.is_some_and(|from| until <= from);
                let date = if overnight {
                    date.tomorrow().ok()?
                } else {
                    date
                };
                edge(date.to_datetime(until), zone, Edge::Closes)?
            }
        };
        Some((opens, closes))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Edge {
    Opens,
    Closes,
}

/// The moment a window opens or closes; `None` beyond the ends of time.
fn edge(local: DateTime, zone: &TimeZone, edge: Edge) -> Option<Timestamp> {
    let ambiguous = zone.to_ambiguous_timestamp(local);
    match (ambiguous.offset(), edge) {
        (AmbiguousOffset::Unambiguous { .. }, _) => ambiguous.unambiguous().ok(),
        (AmbiguousOffset::Fold { .. }, Edge::Opens) => ambiguous.earlier().ok(),
        (AmbiguousOffset::Fold { .. }, Edge::Closes) => ambiguous.later().ok(),
        (AmbiguousOffset::Gap { .. }, _) => {
            let before = ambiguous.earlier().ok()?;
            zone.following(before)
                .next()
                .map(|change| change.timestamp())
        }
    }
}
