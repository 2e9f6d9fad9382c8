//! `notice`: how far ahead of its start a booking is made, in all hours or in open ones. Measured from
//! the provider's time of the booking, so that an outage of ours does not shorten anybody's notice.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::domain::clock::ms_between;
use crate::policy::codes::Code;
use crate::policy::criterion::{Criterion, CriterionKind, Finding, PolicyContext, Scope};
use crate::policy::duration::{Duration, Length};
use crate::policy::facts::Facts;
use crate::policy::keys::{Key, Shape};
use crate::policy::reader::{At, Table};

use super::hours::Hours;
use super::hours::key::{DAYS, EXCEPT, FROM, ONLY, UNTIL};

/// The most dates whose open hours are counted: ten years, the longest duration that can be asked for.
const DATES_MAX: usize = 10 * 366;

pub(super) struct Kind;

#[derive(Debug)]
struct Notice {
    min: Option<Duration>,
    max: Option<Duration>,
    /// The hours that count; all of them if there are none.
    business_hours: Option<Hours>,
}

impl CriterionKind for Kind {
    fn name(&self) -> &'static str {
        "notice"
    }

    fn placeholders(&self) -> &'static [&'static str] {
        &["min", "max", "notice"]
    }

    fn default_message(&self) -> &'static str {
        "This time cannot be booked {notice} ahead."
    }

    fn example(&self) -> &'static str {
        "min = \"24h\"\nmax = \"60d\""
    }

    fn keys(&self) -> &'static [Key] {
        const KEYS: &[Key] = &[
            Key::new("min", Shape::Duration, "The shortest notice"),
            Key::new("max", Shape::Duration, "How far ahead at the most"),
            Key::new(
                "business_hours",
                Shape::Table(&[DAYS, FROM, UNTIL, EXCEPT, ONLY]),
                "The hours that count; all of them if left out",
            ),
        ];
        KEYS
    }

    fn parse(&self, table: &Table<'_>, _scope: &Scope<'_>) -> Option<Box<dyn Criterion>> {
        let (min, max) = (table.duration("min"), table.duration("max"));
        let business_hours = table.table("business_hours", Hours::read);
        report_order(table, min.as_ref(), max.as_ref());
        let help = "add `min`, `max` or both, such as `min = \"24h\"`";
        table.refuse_nothing(&["min", "max"], help);
        Some(Box::new(Notice {
            min: min.map(|at| at.value),
            max: max.map(|at| at.value),
            business_hours,
        }))
    }
}

/// Reports a shortest duration above the longest.
pub(super) fn report_order(
    table: &Table<'_>,
    min: Option<&At<Duration>>,
    max: Option<&At<Duration>>,
) {
    if let (Some(min), Some(max)) = (min, max)
        && min.value.ms > max.value.ms
    {
        let message = format!(
            "nothing is at least {} and at most {}",
            min.value, max.value
        );
        table.report(
            Code::MinAboveMax,
            min.span.clone(),
            message,
            "`min` has to be the shorter one",
        );
    }
}

impl Criterion for Notice {
    fn evaluate(&self, facts: &Facts, context: &PolicyContext<'_>) -> Finding {
        let (now, start) = (facts.now, facts.details.start);
        let (notice_ms, words) = match &self.business_hours {
            None => {
                let notice_ms = ms_between(now, start);
                (notice_ms, Length::of(notice_ms))
            }
            Some(hours) => {
                let notice_ms = open_ms(hours, now, start, context.zone);
                (notice_ms, Length::in_hours(notice_ms))
            }
        };
        let enough = self.min.as_ref().is_none_or(|min| notice_ms >= min.ms);
        let near = self.max.as_ref().is_none_or(|max| notice_ms <= max.ms);
        let mut finding = Finding::of(enough && near).with("notice", words);
        for (name, bound) in [("min", &self.min), ("max", &self.max)] {
            if let Some(bound) = bound {
                finding = finding.with(name, bound.length);
            }
        }
        finding
    }
}

/// How much of the time between two moments is open, in milliseconds.
fn open_ms(hours: &Hours, from: Timestamp, to: Timestamp, zone: &TimeZone) -> i64 {
    let first = zone.to_datetime(from).date();
    // What opened the evening before may still be open.
    let mut date = first.yesterday().unwrap_or(first);
    let mut total_ms = 0;
    for _ in 0..DATES_MAX {
        if hours.has_date(date)
            && let Some((opens, closes)) = hours.on(date, zone)
        {
            if opens >= to {
                break;
            }
            total_ms += ms_between(opens.max(from), closes.min(to)).max(0);
        }
        match date.tomorrow() {
            Ok(next) => date = next,
            Err(_) => break,
        }
    }
    total_ms
}
