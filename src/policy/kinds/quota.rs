//! `quota` and `duration-quota`: how many bookings, or how much time, somebody may have in a period. What
//! is counted is read in the transaction that stores the decision, so that two bookings at the same time
//! cannot both have the last place; it is free again as soon as a booking stands no longer.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::counting::{BY_KEY, By, Counted, Counting, EVENT_TYPES_KEY, Looking};
use super::period::{PER_KEY, Period, ROLLING_KEY};
use crate::domain::clock::ms_between;
use crate::domain::others::{Fate, Measured, OTHERS_MAX, OtherBooking, Wanted};
use crate::policy::codes::Code;
use crate::policy::criterion::{Criterion, CriterionKind, Finding, Scope};
use crate::policy::duration::{Duration, Length};
use crate::policy::facts::Facts;
use crate::policy::keys::{ALLOW_HTTP_KEY, Key, REFRESH_KEY, Shape, TOKEN_KEY};
use crate::policy::lists::{List, Listing};
use crate::policy::measured::Measure;
use crate::policy::reader::Table;

/// The largest quota: more bookings than can be counted would never be reached.
const LIMIT_MAX: i64 = OTHERS_MAX as i64;

pub(super) static BOOKINGS: Kind = Kind(What::Bookings);
pub(super) static TIME: Kind = Kind(What::Time);

pub(super) struct Kind(What);

/// What there is a quota of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Bookings,
    /// In milliseconds.
    Time,
}

#[derive(Debug)]
struct Quota {
    what: What,
    limit: i64,
    period: Period,
    by: By,
    counted: Counted,
    measured: Measured,
    /// Whether bookings count that wait for a person, and those that were accepted.
    pending: bool,
    accepted: bool,
    late_cancel: Option<Duration>,
    exceptions: Vec<Exception>,
}

/// People with another quota.
#[derive(Debug)]
struct Exception {
    people: Listing,
    /// `None`: none at all.
    limit: Option<i64>,
    /// The last day on which it holds.
    until: Option<Date>,
}

impl CriterionKind for Kind {
    fn name(&self) -> &'static str {
        match self.0 {
            What::Bookings => "quota",
            What::Time => "duration-quota",
        }
    }

    fn placeholders(&self) -> &'static [&'static str] {
        &["used", "limit", "period", "resets"]
    }

    fn default_message(&self) -> &'static str {
        "You have used {used} of {limit} for {period}. There is room again from {resets|another day} on."
    }

    fn example(&self) -> &'static str {
        match self.0 {
            What::Bookings => "limit = 2\nper = \"calendar-month\"",
            What::Time => "limit = \"3h\"\nper = \"calendar-week\"",
        }
    }

    fn keys(&self) -> &'static [Key] {
        match self.0 {
            What::Bookings => BOOKING_KEYS,
            What::Time => TIME_KEYS,
        }
    }

    fn parse(&self, table: &Table<'_>, scope: &Scope<'_>) -> Option<Box<dyn Criterion>> {
        let limit = table.required("limit", |table, _| self.0.limit(table));
        let period = Period::read(table);
        let (by, counted) = (By::read(table), Counted::read(table, scope));
        let measured = [("start", Measured::Start), ("created", Measured::Asked)];
        let measured = table.choice("measured", &measured);
        let counts = table.choices("counts", &[("pending", true), ("accepted", false)]);
        table.refuse_empty("counts", "nothing would count");
        let late_cancel = table.duration("late_cancel_counts");
        let exceptions = table.tables("exception", |table| self.0.exception(table, scope));
        let has = |pending: bool| {
            let counts = counts.as_ref();
            counts.is_none_or(|counts| counts.value.contains(&pending))
        };
        Some(Box::new(Looking(Quota {
            what: self.0,
            limit: limit?,
            period: period?,
            by,
            counted,
            measured: measured.map_or(Measured::Start, |at| at.value),
            pending: has(true),
            accepted: has(false),
            late_cancel: late_cancel.map(|at| at.value),
            exceptions: exceptions.into_iter().flatten().collect(),
        })))
    }
}

macro_rules! keys {
    ($limit:expr, $exception:expr) => {
        &[
            $limit,
            PER_KEY,
            ROLLING_KEY,
            BY_KEY,
            EVENT_TYPES_KEY,
            Key::new(
                "measured",
                Shape::Word(&["start", "created"]),
                "When a booking counts: when it takes place, or when it was made",
            ),
            Key::new(
                "counts",
                Shape::Many(&Shape::Word(&["pending", "accepted"])),
                "Which bookings count; both if left out",
            ),
            Key::new(
                "late_cancel_counts",
                Shape::Duration,
                "What the booker called off with less notice counts, too",
            ),
            Key::new(
                "exception",
                Shape::Many(&Shape::Table(&[
                    Key::new("list", Shape::Text, "For the people on this list"),
                    Key::new("file", Shape::Text, "For the people in this list file"),
                    Key::new("url", Shape::Text, "For the people on this server's list"),
                    REFRESH_KEY,
                    TOKEN_KEY,
                    ALLOW_HTTP_KEY,
                    Key::new("emails", Shape::Many(&Shape::Text), "For these addresses"),
                    Key::new("domains", Shape::Many(&Shape::Text), "For these domains"),
                    $exception,
                    Key::new("until", Shape::Date, "The last day on which it holds"),
                ])),
                "People with another limit; the first that is met holds",
            ),
        ]
    };
}

const BOOKING_KEYS: &[Key] = keys!(
    Key::new("limit", Shape::Whole(0, LIMIT_MAX), "How many").required(),
    Key::new(
        "limit",
        Shape::Either(&[Shape::Whole(0, LIMIT_MAX), Shape::Word(&["unlimited"])]),
        "How many for them",
    )
    .required()
);
const TIME_KEYS: &[Key] = keys!(
    Key::new("limit", Shape::Duration, "How much time").required(),
    Key::new(
        "limit",
        Shape::Either(&[Shape::Duration, Shape::Word(&["unlimited"])]),
        "How much time for them",
    )
    .required()
);

impl What {
    fn limit(self, table: &Table<'_>) -> Option<i64> {
        match self {
            Self::Bookings => table.integer("limit", 0..=LIMIT_MAX).map(|at| at.value),
            Self::Time => table.duration("limit").map(|at| at.value.ms),
        }
    }

    fn exception(self, table: &Table<'_>, scope: &Scope<'_>) -> Option<Exception> {
        let people = scope.lists.people(table);
        let until = table.date("until").map(|at| at.value);
        let limit = table.required("limit", |table, key| {
            let unlimited = table.is_word(key, "unlimited");
            match unlimited {
                true => Some(None),
                false => self.limit(table).map(Some),
            }
        });
        let people = people?;
        let nobody = |list: &List| list.emails.is_empty() && list.domains.is_empty();
        if people.known().is_some_and(nobody) {
            let message = "this exception is for nobody: people are known by address or domain";
            let help = "give it `list`, `emails`, `domains`, `file` or `url`";
            table.report(Code::EmptyList, table.span(), message, help);
        }
        Some(Exception {
            people,
            limit: limit?,
            until,
        })
    }

    fn told(self, much: i64) -> Measure {
        match self {
            Self::Bookings => Measure::Count(much),
            Self::Time => Measure::Length(Length::in_hours_and_minutes(much)),
        }
    }

    fn of(self, start: Timestamp, end: Timestamp) -> i64 {
        match self {
            Self::Bookings => 1,
            Self::Time => ms_between(start, end).max(0),
        }
    }
}

impl Quota {
    /// The moment by which this booking belongs to a period.
    fn at(&self, facts: &Facts) -> Timestamp {
        match self.measured {
            Measured::Asked => facts.now,
            Measured::Start | Measured::Part => facts.details.start,
        }
    }

    /// The limit for this booker; `None` if there is none.
    fn limit(&self, facts: &Facts, zone: &TimeZone) -> Option<i64> {
        let today = zone.to_datetime(facts.now).date();
        let booker = facts.details.booker.email.as_ref();
        let excepted = self.exceptions.iter().find(|exception| {
            let holds = exception.until.is_none_or(|until| today <= until);
            holds && booker.is_some_and(|booker| exception.people.of(facts).has_address(booker))
        });
        excepted.map_or(Some(self.limit), |exception| exception.limit)
    }

    fn counts(&self, other: &OtherBooking) -> bool {
        let late = |late: &Duration| other.called_off_within(late.ms);
        let counts = match other.fate {
            Fate::Waiting => self.pending,
            Fate::Standing => self.accepted,
            Fate::CalledOff => self.late_cancel.as_ref().is_some_and(late),
            Fate::Withdrawn | Fate::Refused => false,
        };
        counts && self.counted.has(other)
    }
}

impl Counting for Quota {
    fn without_a_look(&self, facts: &Facts, zone: &TimeZone) -> Option<Finding> {
        match self.limit(facts, zone) {
            Some(_) => None,
            None => Some(Finding::of(true).with("limit", "unlimited")),
        }
    }

    fn wanted(&self, facts: &Facts, zone: &TimeZone) -> Option<Wanted> {
        let times = self.period.around(self.at(facts), zone);
        self.by.wanted(&facts.details, self.measured, times)
    }

    fn judge(&self, others: &[OtherBooking], facts: &Facts, zone: &TimeZone) -> Finding {
        let at = self.at(facts);
        // Who has none needs no look.
        let limit = self.limit(facts, zone).unwrap_or(i64::MAX);
        let counted = others.iter().filter(|other| self.counts(other));
        let mut used: Vec<_> = counted
            .map(|other| {
                let when = match self.measured {
                    Measured::Asked => other.asked_at.unwrap_or(other.start),
                    Measured::Start | Measured::Part => other.start,
                };
                (when, self.what.of(other.start, other.end))
            })
            .collect();
        let own = self.what.of(facts.details.start, facts.details.end);
        let room = limit.saturating_sub(own);
        let (used, resets) = self.period.fullest(at, &mut used, room, zone);
        let finding = Finding::of(used <= room)
            .with("used", self.what.told(used))
            .with("limit", self.what.told(limit))
            .with("period", self.period.told(at, zone));
        match resets {
            Some(resets) => finding.with("resets", Measure::Day(zone.to_datetime(resets).date())),
            None => finding,
        }
    }
}
