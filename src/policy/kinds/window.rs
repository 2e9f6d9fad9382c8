//! `window`: on which days and between which times an appointment may be, in the policy's zone or one
//! of its own. The whole appointment has to lie inside.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::policy::calendar::Calendar;
use crate::policy::criterion::{Criterion, CriterionKind, Finding, PolicyContext, Scope};
use crate::policy::facts::Facts;
use crate::policy::keys::{Key, Shape};
use crate::policy::measured::Measure;
use crate::policy::reader::{Table, Value};

use super::hours::Hours;
use super::hours::key::{DAYS, EXCEPT, FROM, ONLY, UNTIL};
use crate::policy::words::OpenHours;

pub(super) struct Kind;

#[derive(Debug)]
struct Window {
    hours: Hours,
    events: Option<Events>,
    /// Instead of the policy's.
    zone: Option<TimeZone>,
    told: Arc<OpenHours>,
}

/// A calendar, and what its events mean.
#[derive(Debug)]
struct Events {
    calendar: Calendar,
    /// Whether an appointment has to be in one; else in none.
    only: bool,
}

impl Events {
    fn allow(&self, start: Timestamp, end: Timestamp) -> bool {
        match self.only {
            true => self.calendar.covers(start, end),
            false => !self.calendar.meets(start, end),
        }
    }
}

impl CriterionKind for Kind {
    fn name(&self) -> &'static str {
        "window"
    }

    fn placeholders(&self) -> &'static [&'static str] {
        &["window", "start"]
    }

    fn default_message(&self) -> &'static str {
        "This can be booked {window}; you chose {start}."
    }

    fn example(&self) -> &'static str {
        "days = [\"mon\", \"tue\"]\nfrom = 08:00:00\nuntil = 18:00:00\nexcept = [2026-12-25]"
    }

    fn keys(&self) -> &'static [Key] {
        const KEYS: &[Key] = &[
            DAYS,
            FROM,
            UNTIL,
            EXCEPT,
            ONLY,
            Key::new(
                "calendar",
                Shape::Table(&[
                    Key::new(
                        "file",
                        Shape::Text,
                        "An iCalendar file (.ics), from the policies' folder on",
                    )
                    .required(),
                    Key::new(
                        "only",
                        Shape::Switch,
                        "Only during its events, instead of outside of them",
                    ),
                ]),
                "Not during the events of a calendar: holidays, absences",
            ),
            Key::new(
                "timezone",
                Shape::Text,
                "The IANA zone of its days and times of day; the policy's if left out",
            ),
        ];
        KEYS
    }

    fn parse(&self, table: &Table<'_>, scope: &Scope<'_>) -> Option<Box<dyn Criterion>> {
        let hours = Hours::read_beside(table, &["calendar"]);
        let zone = table.zone("timezone");
        let here = zone.as_ref().unwrap_or(scope.zone);
        let told = Arc::new(hours.told(here));
        let calendar = match table.value("calendar") {
            Some(value) => Some(events(table, value, scope, here)?),
            None => None,
        };
        Some(Box::new(Window {
            hours,
            events: calendar,
            zone,
            told,
        }))
    }
}

/// Reads `calendar = { file = "…" }`.
fn events(
    table: &Table<'_>,
    value: Value<'_>,
    scope: &Scope<'_>,
    zone: &TimeZone,
) -> Option<Events> {
    let (file, only) = table.table_of("calendar", value, |inner| {
        let file = inner.required("file", Table::text);
        let only = inner.boolean("only").is_some_and(|at| at.value);
        Some((file?, only))
    })??;
    let calendar = scope.lists.calendar(&file, zone)?;
    Some(Events { calendar, only })
}

impl Window {
    /// Whether the window that opens on `date` takes the whole appointment.
    fn holds(&self, date: Date, start: Timestamp, end: Timestamp, zone: &TimeZone) -> bool {
        let open = self.hours.has_date(date).then(|| self.hours.on(date, zone));
        open.flatten().is_some_and(|(opens, closes)| {
            // Open-ended: the start has to be on the date, the end may run past midnight.
            let ends = if self.hours.closes() {
                end <= closes
            } else {
                start < closes
            };
            opens <= start && ends
        })
    }
}

impl Criterion for Window {
    fn is_always_met(&self) -> bool {
        self.hours.are_all() && self.events.is_none()
    }

    fn evaluate(&self, facts: &Facts, context: &PolicyContext<'_>) -> Finding {
        let zone = self.zone.as_ref().unwrap_or(context.zone);
        let (start, end) = (facts.details.start, facts.details.end);
        let local = zone.to_datetime(start);
        // A window that runs past midnight belongs to the day on which it opens.
        let yesterday = local.date().yesterday().ok();
        let met = [Some(local.date()), yesterday]
            .into_iter()
            .flatten()
            .any(|date| self.holds(date, start, end, zone));
        let events = self.events.as_ref();
        let met = met && events.is_none_or(|events| events.allow(start, end));
        Finding::of(met)
            .with("window", Measure::Open(Arc::clone(&self.told)))
            .with("start", Measure::Start(local))
    }
}
