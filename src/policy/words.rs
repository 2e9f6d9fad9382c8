//! What is measured, in the language of the text that it stands in: lengths of time, dates, decimals. The
//! words are our own, and few: a message that was sent is made again years later to explain a decision, and
//! has to be the same to the letter, which tables that others keep up to date would not be.

mod tables;

use std::fmt::{self, Write};

use jiff::civil::{Date, DateTime, Time, Weekday};
use rust_decimal::Decimal;

use self::tables::{DUTCH, ENGLISH, FRENCH, GERMAN, ITALIAN, PORTUGUESE, SIGNS, SPANISH, Words};
use super::duration::Length;

/// A language that what was measured is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    /// What traces are written in, and texts whose language nobody named.
    #[default]
    English,
    /// Dutch.
    Dutch,
    /// French.
    French,
    /// German.
    German,
    /// Italian.
    Italian,
    /// Portuguese.
    Portuguese,
    /// Spanish.
    Spanish,
    /// Any other: signs that stand in every language, such as `24 h` and `2026-06-01`.
    International,
}

/// A period of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// One day.
    Day(Date),
    /// The week that begins on a Monday.
    Week(Date),
    /// The month of a date.
    Month(Date),
    /// The quarter of a date.
    Quarter(Date),
    /// The year of a date.
    Year(Date),
}

/// Days of the week and times of day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenHours {
    /// Which days, from Monday on; `None` if other things tell.
    pub days: Option<Vec<Weekday>>,
    /// From when on.
    pub from: Option<Time>,
    /// Until when.
    pub until: Option<Time>,
    /// The time zone's name.
    pub zone: Box<str>,
}

impl Language {
    /// The language of a tag such as `pt-br`, as [`language`](super::messages::language) writes them.
    pub fn of(tag: &str) -> Self {
        match tag.split('-').next().unwrap_or(tag) {
            "en" => Self::English,
            "nl" => Self::Dutch,
            "fr" => Self::French,
            "de" => Self::German,
            "it" => Self::Italian,
            "pt" => Self::Portuguese,
            "es" => Self::Spanish,
            _ => Self::International,
        }
    }

    fn words(self) -> Option<&'static Words> {
        Some(match self {
            Self::English => &ENGLISH,
            Self::Dutch => &DUTCH,
            Self::French => &FRENCH,
            Self::German => &GERMAN,
            Self::Italian => &ITALIAN,
            Self::Portuguese => &PORTUGUESE,
            Self::Spanish => &SPANISH,
            Self::International => return None,
        })
    }

    /// `1 hour 30 minutes`.
    pub(super) fn length(self, length: &Length, out: &mut impl Write) -> fmt::Result {
        let mut first = true;
        for (unit, count) in length.counts() {
            if !std::mem::take(&mut first) {
                out.write_char(' ')?;
            }
            match self.words() {
                Some(words) => {
                    let [one, many] = words.units[unit];
                    let name = if count == 1 { one } else { many };
                    write!(out, "{count} {name}")?;
                }
                None => {
                    let count = if unit == 0 { count * 7 } else { count };
                    write!(out, "{count} {}", SIGNS[unit])?;
                }
            }
        }
        Ok(())
    }

    /// `1 June 2026`.
    pub(super) fn day(self, date: Date, out: &mut impl Write) -> fmt::Result {
        let Some(words) = self.words() else {
            return write!(out, "{date}");
        };
        let (day, of) = (date.day(), words.of);
        let after = words.after_day[usize::from(day != 1)];
        let (month, year) = (words.month(date), date.year());
        write!(out, "{day}{after}{of}{month}{of}{year}")
    }

    /// `1 June 2026 09:30`.
    pub(super) fn moment(self, local: DateTime, out: &mut impl Write) -> fmt::Result {
        self.day(local.date(), out)?;
        out.write_char(' ')?;
        clock(local.time(), out)
    }

    /// `Mon 2026-06-01 09:30`.
    pub(super) fn start(self, local: DateTime, out: &mut impl Write) -> fmt::Result {
        let words = self.words().unwrap_or(&ENGLISH);
        let name = words.weekday(local.weekday());
        write!(out, "{name} {} ", local.date())?;
        clock(local.time(), out)
    }

    /// `May 2026`, `quarter 2 of 2026`.
    pub(super) fn period(self, period: Period, out: &mut impl Write) -> fmt::Result {
        let Some(words) = self.words() else {
            return international(period, out);
        };
        match period {
            Period::Day(date) => self.day(date, out),
            Period::Week(date) => {
                out.write_str(words.week_of)?;
                self.day(date, out)
            }
            Period::Month(date) => {
                write!(out, "{}{}{}", words.month(date), words.of, date.year())
            }
            Period::Quarter(date) => {
                let [before, after] = words.quarter;
                write!(out, "{before}{}{after}{}", quarter(date), date.year())
            }
            Period::Year(date) => write!(out, "{}", date.year()),
        }
    }

    /// `on Mon, Tue from 08:00 until 18:00 (Europe/London)`.
    pub(super) fn open(self, open: &OpenHours, out: &mut impl Write) -> fmt::Result {
        let words = self.words().unwrap_or(&ENGLISH);
        let [on, from, after_from, until, after_until] = words.open;
        if let Some(days) = &open.days {
            out.write_str(on)?;
            for (place, day) in days.iter().enumerate() {
                let comma = if place == 0 { "" } else { ", " };
                write!(out, "{comma}{}", words.weekday(*day))?;
            }
            out.write_char(' ')?;
        }
        for (time, before, after) in [
            (open.from, from, after_from),
            (open.until, until, after_until),
        ] {
            if let Some(time) = time {
                out.write_str(before)?;
                clock(time, out)?;
                write!(out, "{after} ")?;
            }
        }
        if open.days.is_none() && open.from.is_none() && open.until.is_none() {
            write!(out, "{} ", words.certain_days)?;
        }
        write!(out, "({})", open.zone)
    }

    /// A decimal as it is spoken: `2,5`.
    pub(super) fn decimal(self, number: Decimal, out: &mut impl Write) -> fmt::Result {
        match self.words().map(|words| words.decimal) {
            None | Some('.') => write!(out, "{number}"),
            Some(sign) => out.write_str(
                &number
                    .to_string()
                    .replace('.', sign.encode_utf8(&mut [0; 4])),
            ),
        }
    }
}

/// As ISO 8601 writes them, and quarters in its manner.
fn international(period: Period, out: &mut impl Write) -> fmt::Result {
    match period {
        Period::Day(date) => write!(out, "{date}"),
        Period::Week(date) => {
            let week = date.iso_week_date();
            write!(out, "{}-W{:02}", week.year(), week.week())
        }
        Period::Month(date) => write!(out, "{}-{:02}", date.year(), date.month()),
        Period::Quarter(date) => write!(out, "{}-Q{}", date.year(), quarter(date)),
        Period::Year(date) => write!(out, "{}", date.year()),
    }
}

fn quarter(date: Date) -> i8 {
    (date.month() + 2) / 3
}

fn clock(time: Time, out: &mut impl Write) -> fmt::Result {
    write!(out, "{:02}:{:02}", time.hour(), time.minute())
}

#[cfg(test)]
mod tests {
    use super::super::duration::Duration;
    use super::*;
    use jiff::civil::date;

    fn told(tag: &str, tell: impl FnOnce(Language, &mut String) -> fmt::Result) -> String {
        let mut out = String::new();
        tell(Language::of(tag), &mut out).unwrap();
        out
    }

    #[test]
    fn lengths_of_time() {
        for (tag, expected) in [
            ("en-gb", "1 week 1 day 2 hours"),
            ("de", "1 Woche 1 Tag 2 Stunden"),
            ("fr", "1 semaine 1 jour 2 heures"),
            ("es", "1 semana 1 día 2 horas"),
            ("it", "1 settimana 1 giorno 2 ore"),
            ("nl", "1 week 1 dag 2 uur"),
            ("pt-br", "1 semana 1 dia 2 horas"),
            ("pl", "7 d 1 d 2 h"),
        ] {
            let length = Duration::parse("1w1d2h").unwrap().length;
            assert_eq!(told(tag, |l, out| l.length(&length, out)), expected);
        }
    }

    #[test]
    fn days_and_periods() {
        let first = date(2026, 6, 1);
        for (tag, day, month, quarter, week) in [
            (
                "en",
                "1 June 2026",
                "June 2026",
                "quarter 2 of 2026",
                "the week of 1 June 2026",
            ),
            (
                "de",
                "1. Juni 2026",
                "Juni 2026",
                "Quartal 2 2026",
                "Woche ab 1. Juni 2026",
            ),
            (
                "fr",
                "1er juin 2026",
                "juin 2026",
                "trimestre 2 de 2026",
                "la semaine du 1er juin 2026",
            ),
            (
                "es",
                "1 de junio de 2026",
                "junio de 2026",
                "trimestre 2 de 2026",
                "la semana del 1 de junio de 2026",
            ),
            ("pl", "2026-06-01", "2026-06", "2026-Q2", "2026-W23"),
        ] {
            assert_eq!(told(tag, |l, out| l.day(first, out)), day);
            let period = |period| told(tag, |l, out| l.period(period, out));
            assert_eq!(period(Period::Month(first)), month);
            assert_eq!(period(Period::Quarter(first)), quarter);
            assert_eq!(period(Period::Week(first)), week);
        }
        let local = date(2026, 3, 2).at(9, 5, 0, 0);
        assert_eq!(
            told("de", |l, out| l.moment(local, out)),
            "2. März 2026 09:05"
        );
        assert_eq!(
            told("de", |l, out| l.start(local, out)),
            "Mo 2026-03-02 09:05"
        );
    }

    #[test]
    fn opening_hours() {
        let mut open = OpenHours {
            days: Some(vec![Weekday::Monday, Weekday::Sunday]),
            from: Some(Time::constant(8, 0, 0, 0)),
            until: Some(Time::constant(18, 30, 0, 0)),
            zone: "Europe/Berlin".into(),
        };
        for (tag, expected) in [
            ("en", "on Mon, Sun from 08:00 until 18:30 (Europe/Berlin)"),
            ("de", "Mo, So von 08:00 Uhr bis 18:30 Uhr (Europe/Berlin)"),
            ("it", "lun, dom dalle 08:00 fino alle 18:30 (Europe/Berlin)"),
            ("pl", "on Mon, Sun from 08:00 until 18:30 (Europe/Berlin)"),
        ] {
            assert_eq!(told(tag, |l, out| l.open(&open, out)), expected);
        }
        (open.days, open.from, open.until) = (None, None, None);
        let expected = "an bestimmten Tagen (Europe/Berlin)";
        assert_eq!(told("de", |l, out| l.open(&open, out)), expected);
    }

    #[test]
    fn decimals() {
        assert_eq!(
            told("de", |l, out| l.decimal(Decimal::new(-25, 1), out)),
            "-2,5"
        );
        assert_eq!(
            told("en", |l, out| l.decimal(Decimal::new(25, 1), out)),
            "2.5"
        );
        assert_eq!(
            told("ja", |l, out| l.decimal(Decimal::new(25, 1), out)),
            "2.5"
        );
    }
}
