//! `window`: on which days and between which times an appointment may be. Local civil time in the
//! policy's zone, resolved for each date.
//!
//! Where the clocks change: a time of day that is skipped means the moment of the change; one that
//! comes twice opens a window the first time and closes it the second. So a window never loses more
//! than the change itself takes away. The whole appointment has to lie inside.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone};

use crate::policy::codes::Code;
use crate::policy::criterion::{Criterion, CriterionKind, Finding, PolicyContext, Scope};
use crate::policy::facts::Facts;
use crate::policy::reader::Table;

pub(super) struct Kind;

const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

#[derive(Debug)]
struct Window {
    days: Option<Vec<Weekday>>,
    from: Option<Time>,
    until: Option<Time>,
    except: Vec<Date>,
    only: Option<Vec<Date>>,
    words: String,
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

    fn parse(&self, table: &Table<'_>, scope: &Scope<'_>) -> Option<Box<dyn Criterion>> {
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
        if !["days", "from", "until", "except", "only"]
            .iter()
            .any(|key| table.contains(key))
        {
            let help = "add `days`, `from` and `until`, `except` or `only`";
            table.report(
                Code::Nothing,
                table.span(),
                "this criterion checks nothing",
                help,
            );
        }
        let mut window = Window {
            days: days.map(|at| at.value),
            from: from.map(|at| at.value),
            until: until.map(|at| at.value),
            except: except.map_or(Vec::new(), |at| at.value),
            only: only.map(|at| at.value),
            words: String::new(),
        };
        window.words = window.in_words(scope.zone);
        Some(Box::new(window))
    }
}

impl Window {
    /// `on mon, tue from 08:00 to 18:00 (Europe/London)`.
    fn in_words(&self, zone: &TimeZone) -> String {
        let mut words = Vec::new();
        if let Some(days) = &self.days {
            let listed = DAYS.iter().filter(|(_, day)| days.contains(day));
            let names: Vec<&str> = listed.map(|(name, _)| *name).collect();
            words.push(format!("on {}", names.join(", ")));
        }
        if let Some(from) = self.from {
            words.push(format!("from {}", from.strftime("%H:%M")));
        }
        if let Some(until) = self.until {
            words.push(format!("until {}", until.strftime("%H:%M")));
        }
        if words.is_empty() {
            words.push("on certain days".to_owned());
        }
        words.push(format!("({})", zone.iana_name().unwrap_or("UTC")));
        words.join(" ")
    }

    fn has_date(&self, date: Date) -> bool {
        self.days
            .as_ref()
            .is_none_or(|days| days.contains(&date.weekday()))
            && self.only.as_ref().is_none_or(|only| only.contains(&date))
            && !self.except.contains(&date)
    }

    /// Whether the window that opens on `date` takes the whole appointment.
    fn holds(&self, date: Date, start: Timestamp, end: Timestamp, zone: &TimeZone) -> bool {
        if !self.has_date(date) {
            return false;
        }
        let opens = edge(
            date.to_datetime(self.from.unwrap_or(Time::midnight())),
            zone,
            Edge::Opens,
        );
        let Some(until) = self.until else {
            // Open-ended: the start has to be on the date, the end may run past midnight.
            let midnight = date
                .tomorrow()
                .ok()
                .and_then(|next| edge(next.to_datetime(Time::midnight()), zone, Edge::Opens));
            return opens.is_some_and(|opens| opens <= start)
                && midnight.is_none_or(|midnight| start < midnight);
        };
        let overnight = self.from.is_some_and(|from| until <= from);
        let closing_date = if overnight {
            date.tomorrow().ok()
        } else {
            Some(date)
        };
        let closes =
            closing_date.and_then(|date| edge(date.to_datetime(until), zone, Edge::Closes));
        opens.is_some_and(|opens| opens <= start) && closes.is_some_and(|closes| end <= closes)
    }
}

impl Criterion for Window {
    fn evaluate(&self, facts: &Facts, context: &PolicyContext<'_>) -> Finding {
        let (start, end) = (facts.details.start, facts.details.end);
        let local = context.zone.to_datetime(start);
        // A window that runs past midnight belongs to the day on which it opens.
        let yesterday = local.date().yesterday().ok();
        let met = [Some(local.date()), yesterday]
            .into_iter()
            .flatten()
            .any(|date| self.holds(date, start, end, context.zone));
        Finding::of(met)
            .with("window", self.words.as_str())
            .with("start", local.strftime("%a %Y-%m-%d %H:%M").to_string())
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
