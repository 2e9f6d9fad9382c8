//! Calendars in files, as public holidays and absences are published: iCalendar (RFC 5545). All that is wanted
//! of one is when its events are, so that is worked out once, up to [`LAST_YEAR`].

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDateTime, Utc};
use icalendar::parser::{Component, Property, read_calendar_simple, unfold};
use jiff::civil::{self, Date};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};
use rrule::{RRuleSet, Tz};

use super::text::quote;

/// The last year of events that repeat without an end.
const LAST_YEAR: i16 = 2099;
/// The most events of a calendar, each repetition counted.
const EVENTS_MAX: usize = 100_000;
/// The most repetitions of one event: every day for more than a century.
const REPEATS_MAX: u16 = 60_000;
/// The deepest that parts of a calendar lie in each other; an alarm in an event in a calendar makes three.
const DEPTH_MAX: usize = 8;

/// When the events of a calendar are: in order, and those that meet made one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Calendar {
    spans: Vec<(Timestamp, Timestamp)>,
}

/// An event, or all its repetitions.
struct Event {
    /// Tells apart the events of a calendar, whose repetitions others may replace.
    uid: String,
    starts: Vec<Moment>,
    length: Length,
    /// The repetition that this one stands for.
    replaces: Option<Moment>,
}

/// A moment as it is written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Moment {
    local: civil::DateTime,
    /// `None`: of a place, and so in the policy's zone.
    zone: Option<String>,
    /// Whether it is a day, without a time.
    is_day: bool,
}

/// How long an event is.
enum Length {
    /// So many days, whatever the clocks do.
    Days(i64),
    Exact(SignedDuration),
}

impl Calendar {
    /// Reads a file. Days, and times without a zone, are those of `zone`.
    ///
    /// # Errors
    /// What is wrong with it, or more than is looked at.
    pub(super) fn read(text: &str, zone: &TimeZone) -> Result<Self, String> {
        check_depth(text)?;
        let unfolded = unfold(text);
        let parts = read_calendar_simple(&unfolded).map_err(|_| "it is no iCalendar file")?;
        let calendars = parts.iter().filter(|part| part.name == "VCALENDAR");
        let inside = calendars.flat_map(|calendar| &calendar.components);
        let mut events = Vec::new();
        for part in inside.filter(|part| part.name == "VEVENT") {
            events.extend(event(part)?);
        }
        let mut replaced: BTreeMap<&str, BTreeSet<&Moment>> = BTreeMap::new();
        for event in &events {
            let of_uid = replaced.entry(&event.uid).or_default();
            of_uid.extend(&event.replaces);
        }
        let mut spans = Vec::new();
        for event in &events {
            let gone = |start: &Moment| {
                event.replaces.is_none() && replaced[event.uid.as_str()].contains(start)
            };
            for start in event.starts.iter().filter(|start| !gone(start)) {
                spans.push(span(start, &event.length, zone)?);
            }
            if spans.len() > EVENTS_MAX {
                return Err(format!("it has more than {EVENTS_MAX} events"));
            }
        }
        Ok(Self::of(spans))
    }

    fn of(mut spans: Vec<(Timestamp, Timestamp)>) -> Self {
        spans.sort_unstable();
        let mut all: Vec<(Timestamp, Timestamp)> = Vec::with_capacity(spans.len());
        for (start, end) in spans {
            match all.last_mut() {
                Some(last) if start <= last.1 => last.1 = last.1.max(end),
                _ => all.push((start, end)),
            }
        }
        Self { spans: all }
    }

    /// Whether it has no events.
    pub(super) fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Whether some event is on between two moments.
    pub(super) fn meets(&self, start: Timestamp, end: Timestamp) -> bool {
        let after = self.spans.partition_point(|(_, ended)| *ended <= start);
        let next = self.spans.get(after);
        next.is_some_and(|(begins, _)| *begins < end.max(start + SignedDuration::from_nanos(1)))
    }

    /// Whether events are on all the time between two moments.
    pub(super) fn covers(&self, start: Timestamp, end: Timestamp) -> bool {
        let after = self.spans.partition_point(|(_, ended)| *ended <= start);
        let next = self.spans.get(after);
        next.is_some_and(|(begins, ended)| *begins <= start && end <= *ended)
    }

    /// What it amounts to, a line for each time that is taken; [`Calendar::from_lines`] reads it.
    pub(super) fn lines(&self) -> Vec<String> {
        let line = |(start, end): &(Timestamp, Timestamp)| format!("{start}/{end}");
        self.spans.iter().map(line).collect()
    }

    /// Made again from what it amounted to; `None` if it did not.
    pub(super) fn from_lines(lines: &[String]) -> Option<Self> {
        let span = |line: &String| {
            let (start, end) = line.split_once('/')?;
            Some((start.parse().ok()?, end.parse().ok()?))
        };
        let spans: Option<Vec<_>> = lines.iter().map(span).collect();
        spans.map(Self::of)
    }
}

/// Who reads a calendar does so by recursion.
fn check_depth(text: &str) -> Result<(), String> {
    let mut depth = 0_usize;
    for line in text.lines() {
        let word = line.trim().get(..6).unwrap_or_default();
        if word.eq_ignore_ascii_case("BEGIN:") {
            depth += 1;
        } else if line
            .trim()
            .get(..4)
            .is_some_and(|end| end.eq_ignore_ascii_case("END:"))
        {
            depth = depth.saturating_sub(1);
        }
        if depth > DEPTH_MAX {
            return Err(format!(
                "its parts lie more than {DEPTH_MAX} deep in each other"
            ));
        }
    }
    Ok(())
}

/// One event; `None` if it is called off.
fn event(part: &Component<'_>) -> Result<Option<Event>, String> {
    let of = |name: &str| part.find_prop(name);
    if of("STATUS").is_some_and(|status| status.val.as_str().eq_ignore_ascii_case("CANCELLED")) {
        return Ok(None);
    }
    let start = of("DTSTART").ok_or("an event has no DTSTART")?;
    let start = moment(start)?;
    let length = match (of("DTEND"), of("DURATION")) {
        (Some(end), _) => between(&start, &moment(end)?)?,
        (None, Some(written)) => duration(written.val.as_str(), start.is_day)?,
        (None, None) if start.is_day => Length::Days(1),
        (None, None) => Length::Exact(SignedDuration::ZERO),
    };
    let mut starts = match of("RRULE") {
        Some(rule) => repeats(&start, rule.val.as_str())?,
        None => vec![start],
    };
    for added in part.properties.iter().filter(|one| one.name == "RDATE") {
        starts.extend(moments(added)?);
    }
    for left_out in part.properties.iter().filter(|one| one.name == "EXDATE") {
        let left_out = moments(left_out)?;
        starts.retain(|start| !left_out.contains(start));
    }
    Ok(Some(Event {
        uid: of("UID").map_or(String::new(), |uid| uid.val.as_str().to_owned()),
        starts,
        length,
        replaces: of("RECURRENCE-ID").map(moment).transpose()?,
    }))
}

fn moment(written: &Property<'_>) -> Result<Moment, String> {
    moments(written)?
        .into_iter()
        .next()
        .ok_or_else(|| odd(written.val.as_str()))
}

fn moments(written: &Property<'_>) -> Result<Vec<Moment>, String> {
    let zone = written.params.iter().find(|one| one.key == "TZID");
    let zone = zone.and_then(|one| one.val.as_ref());
    let zone = zone.map(|zone| zone.as_str().trim_matches('"').to_owned());
    let one = |text: &str| read_moment(text, zone.clone()).ok_or_else(|| odd(text));
    written
        .val
        .as_str()
        .split(',')
        .map(|text| one(text.trim()))
        .collect()
}

/// `20270501`, `20270501T090000` or `20270501T090000Z`.
fn read_moment(text: &str, zone: Option<String>) -> Option<Moment> {
    let number = |range| text.get(range).and_then(|part: &str| part.parse().ok());
    let day = Date::new(
        i16::try_from(number(0..4)?).ok()?,
        small(number(4..6)?)?,
        small(number(6..8)?)?,
    )
    .ok()?;
    if text.len() == 8 {
        let local = day.to_datetime(civil::Time::midnight());
        return Some(Moment {
            local,
            zone: None,
            is_day: true,
        });
    }
    let (time, utc) = match text.get(8..)?.strip_suffix('Z') {
        Some(time) => (time, true),
        None => (text.get(8..)?, false),
    };
    let plain = time.len() == 7 && time.starts_with('T');
    // A leap second is the last one of its minute.
    let second = small(number(13..15)?)?.min(59);
    let time = civil::Time::new(small(number(9..11)?)?, small(number(11..13)?)?, second, 0);
    let zone = if utc { Some("UTC".to_owned()) } else { zone };
    plain.then_some(Moment {
        local: day.to_datetime(time.ok()?),
        zone,
        is_day: false,
    })
}

fn small(number: i64) -> Option<i8> {
    i8::try_from(number).ok()
}

fn odd(text: &str) -> String {
    format!(
        "{} is no moment such as 20270501 or 20270501T090000Z",
        quote(text)
    )
}

fn between(start: &Moment, end: &Moment) -> Result<Length, String> {
    let length = match start.is_day && end.is_day {
        true => {
            let days = start.local.date().until(end.local.date());
            Length::Days(days.map_or(0, |span| i64::from(span.get_days())))
        }
        false => {
            let (start, end) = (
                instant(start, &TimeZone::UTC)?,
                instant(end, &TimeZone::UTC)?,
            );
            Length::Exact(start.duration_until(end))
        }
    };
    match length {
        Length::Days(days) if days < 0 => Err("an event ends before it begins".to_owned()),
        Length::Exact(exact) if exact.is_negative() => {
            Err("an event ends before it begins".to_owned())
        }
        length => Ok(length),
    }
}

/// `P1D`, `PT1H30M`, `P2W`.
fn duration(text: &str, is_day: bool) -> Result<Length, String> {
    let wrong = || format!("{} is no duration such as PT1H30M", quote(text));
    let span: Span = text.parse().map_err(|_| wrong())?;
    let days = i64::from(span.get_weeks()) * 7 + i64::from(span.get_days());
    if is_day {
        return Ok(Length::Days(days.max(0)));
    }
    let rest = span.weeks(0).days(0);
    let rest = SignedDuration::try_from(rest).map_err(|_| wrong())?;
    let exact = SignedDuration::from_hours(days * 24).checked_add(rest);
    exact
        .filter(|exact| !exact.is_negative())
        .map(Length::Exact)
        .ok_or_else(wrong)
}

/// All repetitions, as clocks on the wall show them.
fn repeats(start: &Moment, rule: &str) -> Result<Vec<Moment>, String> {
    let wrong = |why: String| format!("the repetition {} cannot be read: {why}", quote(rule));
    let until = |part: &str| match part.strip_prefix("UNTIL=") {
        Some(until) => {
            let until = read_moment(until, start.zone.clone()).ok_or_else(|| odd(until))?;
            let last = match until.is_day {
                true => until.local.date().to_datetime(civil::time(23, 59, 59, 0)),
                false => on_the_wall(&until, start)?,
            };
            Ok(format!("UNTIL={}", last.strftime("%Y%m%dT%H%M%SZ")))
        }
        None => Ok(part.to_owned()),
    };
    let parts: Result<Vec<String>, String> = rule.split(';').map(until).collect();
    let begins = start.local.strftime("%Y%m%dT%H%M%SZ");
    let text = format!("DTSTART:{begins}\nRRULE:{}", parts?.join(";"));
    let set: RRuleSet = text
        .parse()
        .map_err(|error: rrule::RRuleError| wrong(error.to_string()))?;
    let end = format!("{LAST_YEAR}-12-31T23:59:59Z").parse::<DateTime<Utc>>();
    let end = end.map_err(|error| wrong(error.to_string()))?;
    let found = set.before(end.with_timezone(&Tz::UTC)).all(REPEATS_MAX);
    if found.limited {
        return Err(wrong(format!(
            "it has more than {REPEATS_MAX} before {LAST_YEAR} is over"
        )));
    }
    let local = |at: &NaiveDateTime| at.format("%Y-%m-%dT%H:%M:%S").to_string().parse().ok();
    let moments = found.dates.iter().map(|at| {
        Some(Moment {
            local: local(&at.naive_utc())?,
            zone: start.zone.clone(),
            is_day: start.is_day,
        })
    });
    moments
        .collect::<Option<Vec<Moment>>>()
        .ok_or_else(|| wrong("it leaves the calendar".to_owned()))
}

/// A moment as a clock shows it where another one is meant.
fn on_the_wall(moment: &Moment, there: &Moment) -> Result<civil::DateTime, String> {
    match (&moment.zone, &there.zone) {
        (Some(_), Some(zone)) => Ok(zone_of(zone)?.to_datetime(instant(moment, &TimeZone::UTC)?)),
        _ => Ok(moment.local),
    }
}

fn zone_of(name: &str) -> Result<TimeZone, String> {
    TimeZone::get(name).map_err(|_| {
        format!("{} is no IANA time zone such as \"Europe/London\"; have the calendar exported with such", quote(name))
    })
}

fn instant(moment: &Moment, here: &TimeZone) -> Result<Timestamp, String> {
    let zone = match &moment.zone {
        Some(name) => zone_of(name)?,
        None => here.clone(),
    };
    let found = zone.to_ambiguous_timestamp(moment.local).compatible();
    found.map_err(|error| error.to_string())
}

fn span(
    start: &Moment,
    length: &Length,
    here: &TimeZone,
) -> Result<(Timestamp, Timestamp), String> {
    let begins = instant(start, here)?;
    let ends = match length {
        Length::Exact(exact) => begins.checked_add(*exact),
        Length::Days(days) => {
            let last = start.local.checked_add(Span::new().days(*days));
            let last = last.map(|local| Moment {
                local,
                ..start.clone()
            });
            return Ok((
                begins,
                instant(&last.map_err(|error| error.to_string())?, here)?,
            ));
        }
    };
    Ok((begins, ends.map_err(|error| error.to_string())?))
}
