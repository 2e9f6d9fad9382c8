//! The values a key may have, each with its own complaint and, where it is plain, its own patch.

use std::ops::{Range, RangeInclusive};

use jiff::civil;
use jiff::tz::TimeZone;
use toml::de::DeValue;

use super::{At, Table, Value};
use crate::domain::amount::Unit;
use crate::domain::clock::Timestamp;
use crate::policy::codes::Code;
use crate::policy::diagnostic::Span;
use crate::policy::duration::Duration;
use crate::policy::text::{clean, nearest, quote, quote_all};

impl<'a> Table<'a> {
    /// A text.
    pub fn text(&self, key: &'static str) -> Option<At<&'a str>> {
        self.text_of(key, self.value(key)?)
    }

    /// `true` or `false`.
    pub fn boolean(&self, key: &'static str) -> Option<At<bool>> {
        let value = self.value(key)?;
        match value.get_ref() {
            DeValue::Boolean(boolean) => Some(At::new(*boolean, value.span())),
            _ => self.wrong_type(key, value, "true or false"),
        }
    }

    /// A whole number within a range.
    pub fn integer(&self, key: &'static str, range: RangeInclusive<i64>) -> Option<At<i64>> {
        self.integer_of(key, self.value(key)?, range)
    }

    /// `value` as a whole number.
    pub fn integer_of(
        &self,
        key: &str,
        value: Value<'a>,
        range: RangeInclusive<i64>,
    ) -> Option<At<i64>> {
        let DeValue::Integer(integer) = value.get_ref() else {
            return self.wrong_type(key, value, "a whole number");
        };
        let number = i64::from_str_radix(integer.as_str(), integer.radix()).ok();
        let Some(number) = number.filter(|number| range.contains(number)) else {
            let (low, high) = range.into_inner();
            let message = format!("`{key}` is out of range");
            let help = format!("a whole number from {low} to {high}");
            self.report(Code::OutOfRange, value.span(), message, help);
            return None;
        };
        Some(At::new(number, value.span()))
    }

    /// A length of time, such as `"24h"`.
    pub fn duration(&self, key: &'static str) -> Option<At<Duration>> {
        self.duration_of(key, self.value(key)?)
    }

    /// Several lengths of time.
    pub fn durations(&self, key: &'static str) -> Option<At<Vec<Duration>>> {
        self.list(key, |table, item| Some(table.duration_of(key, item)?.value))
    }

    /// An amount that is not negative, in minor units of `unit`.
    pub fn amount(&self, key: &'static str, unit: &Unit) -> Option<At<i64>> {
        let value = self.value(key)?;
        if let DeValue::Integer(_) | DeValue::Float(_) = value.get_ref() {
            let written = self.source_of(&value.span()).to_owned();
            let message = format!("`{key}` is an amount and has to be written as text");
            let diagnostic = self
                .sink
                .at(Code::NotAnAmount, value.span(), message)
                .suggest(value.span(), "put it in quotes", format!("\"{written}\""));
            self.sink.add(diagnostic);
            return None;
        }
        let text = self.text_of(key, value)?;
        match unit.parse(text.value) {
            Ok(amount) if amount.minor >= 0 => Some(At::new(amount.minor, text.span)),
            Ok(_) => {
                let message = format!("`{key}` is negative");
                self.report(
                    Code::NotAnAmount,
                    text.span,
                    message,
                    "an amount of zero or more",
                );
                None
            }
            Err(error) => {
                let message = clean(&error.to_string(), 200);
                self.sink
                    .add(self.sink.at(Code::NotAnAmount, text.span, message));
                None
            }
        }
    }

    /// Whether a key is just this word.
    pub fn is_word(&self, key: &'static str, word: &str) -> bool {
        let value = self.value(key);
        value.is_some_and(|value| matches!(value.get_ref(), DeValue::String(text) if text == word))
    }

    /// One of several words.
    pub fn choice<T: Copy>(&self, key: &'static str, words: &[(&str, T)]) -> Option<At<T>> {
        self.choice_of(key, self.value(key)?, words)
    }

    /// Several of several words.
    pub fn choices<T: Copy>(&self, key: &'static str, words: &[(&str, T)]) -> Option<At<Vec<T>>> {
        self.list(key, |table, item| {
            Some(table.choice_of(key, item, words)?.value)
        })
    }

    /// A list of texts; a single text counts as a list of one.
    pub fn texts(&self, key: &'static str) -> Option<At<Vec<At<&'a str>>>> {
        self.texts_of(key, self.value(key)?)
    }

    /// `value` as a list of texts; a single text counts as a list of one.
    pub fn texts_of(&self, key: &str, value: Value<'a>) -> Option<At<Vec<At<&'a str>>>> {
        if let DeValue::String(text) = value.get_ref() {
            let one = At::new(text.as_ref(), value.span());
            return Some(At::new(vec![one], value.span()));
        }
        self.list_of(key, value, |table, item| table.text_of(key, item))
    }

    /// A list of calendar dates.
    pub fn dates(&self, key: &'static str) -> Option<At<Vec<civil::Date>>> {
        self.list(key, |table, item| table.date_of(key, item))
    }

    /// A date.
    pub fn date(&self, key: &'static str) -> Option<At<civil::Date>> {
        let value = self.value(key)?;
        Some(At::new(self.date_of(key, value)?, value.span()))
    }

    fn date_of(&self, key: &str, value: Value<'a>) -> Option<civil::Date> {
        let date = match value.get_ref() {
            DeValue::Datetime(written) if written.time.is_none() => {
                written.to_string().parse().ok()
            }
            _ => None,
        };
        if date.is_none() {
            let message = format!("`{key}` takes dates");
            self.report(
                Code::NotATime,
                value.span(),
                message,
                "a date without quotes, such as 2026-12-25",
            );
        }
        date
    }

    /// A time of day.
    pub fn time(&self, key: &'static str) -> Option<At<civil::Time>> {
        let value = self.value(key)?;
        let time = match value.get_ref() {
            DeValue::Datetime(written) if written.date.is_none() => {
                written.to_string().parse().ok()
            }
            _ => None,
        };
        if time.is_none() {
            let message = format!("`{key}` takes a time of day");
            self.report(
                Code::NotATime,
                value.span(),
                message,
                "a time without quotes, such as 08:00:00",
            );
        }
        time.map(|time| At::new(time, value.span()))
    }

    /// A time zone by its IANA name.
    pub fn zone(&self, key: &'static str) -> Option<TimeZone> {
        let name = self.text(key)?;
        let zone = TimeZone::get(name.value).ok();
        if zone.is_none() {
            let message = format!("there is no time zone {}", quote(name.value));
            let help = "an IANA name such as \"Europe/London\", \"America/New_York\" or \"UTC\"; the system has to have its time zones installed";
            self.report(Code::UnknownTimeZone, name.span, message, help);
        }
        zone
    }

    /// A moment: date, time and offset.
    pub fn timestamp(&self, key: &'static str) -> Option<At<Timestamp>> {
        self.timestamp_of(key, self.value(key)?)
    }

    /// `value` as a moment.
    pub fn timestamp_of(&self, key: &str, value: Value<'a>) -> Option<At<Timestamp>> {
        let moment = match value.get_ref() {
            DeValue::Datetime(written) if written.offset.is_some() => {
                written.to_string().parse().ok()
            }
            _ => None,
        };
        if moment.is_none() {
            let message = format!("`{key}` takes a moment");
            self.report(
                Code::NotATime,
                value.span(),
                message,
                "date, time and offset without quotes, such as 2026-03-02T09:00:00Z",
            );
        }
        moment.map(|moment| At::new(moment, value.span()))
    }

    /// `value` as a text.
    pub fn text_of(&self, key: &str, value: Value<'a>) -> Option<At<&'a str>> {
        match value.get_ref() {
            DeValue::String(text) => Some(At::new(text.as_ref(), value.span())),
            DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) => {
                let written = self.source_of(&value.span()).to_owned();
                let diagnostic = self.type_mismatch(key, value, "a text").suggest(
                    value.span(),
                    "put it in quotes",
                    format!("\"{written}\""),
                );
                self.sink.add(diagnostic);
                None
            }
            _ => self.wrong_type(key, value, "a text"),
        }
    }

    fn duration_of(&self, key: &str, value: Value<'a>) -> Option<At<Duration>> {
        let text = self.text_of(key, value)?;
        let duration = Duration::parse(text.value);
        if duration.is_none() {
            let message = format!("{} is not a duration", quote(text.value));
            let help = "a number and a unit, such as \"90m\", \"24h\", \"60d\" or \"1h30m\"; at most ten years";
            self.report(Code::NotADuration, text.span.clone(), message, help);
        }
        Some(At::new(duration?, text.span))
    }

    /// `value` as one of several words.
    pub fn choice_of<T: Copy>(
        &self,
        key: &str,
        value: Value<'a>,
        words: &[(&str, T)],
    ) -> Option<At<T>> {
        let text = self.text_of(key, value)?;
        if let Some((_, choice)) = words.iter().find(|(word, _)| *word == text.value) {
            return Some(At::new(*choice, text.span));
        }
        let names = || words.iter().map(|(word, _)| *word);
        let message = format!("{} is not allowed for `{key}`", quote(text.value));
        let mut diagnostic = self
            .sink
            .at(Code::NotAllowed, text.span.clone(), message)
            .help(format!("one of {}", quote_all(names())));
        if let Some(meant) = nearest(text.value, names()) {
            diagnostic = diagnostic.suggest(
                text.span,
                format!("did you mean `{meant}`?"),
                format!("\"{meant}\""),
            );
        }
        self.sink.add(diagnostic);
        None
    }

    /// Where a part of a text stands in the file; `None` where the text is not written as it is read,
    /// because something in it is escaped.
    pub fn within(&self, text: &At<&str>, part: Range<usize>) -> Option<Span> {
        let written = self.source_of(&text.span);
        let quotes = ["\"\"\"", "\'\'\'", "\"", "\'"];
        let quote = quotes.iter().find(|quote| written.starts_with(**quote))?;
        let inside = written.strip_prefix(quote)?.strip_suffix(quote)?;
        // A line break behind three quotes is not part of the text.
        let inside = match quote.len() {
            3 => inside.trim_start_matches(['\r', '\n']),
            _ => inside,
        };
        let same = inside == text.value && part.end <= inside.len();
        let start = text.span.end - quote.len() - inside.len();
        same.then_some(start + part.start..start + part.end)
    }

    fn source_of(&self, span: &Span) -> &str {
        self.sink
            .source()
            .text
            .get(span.clone())
            .unwrap_or_default()
    }
}
