//! Reads one table of a policy file, key by key. Each read remembers the key, so that
//! [`Table::finish`] can report what nobody asked for, with the name that was probably meant. Every
//! mistake is reported where it stands; a reader never stops at the first.

use std::cell::{Cell, RefCell};
use std::fmt::Display;
use std::ops::RangeInclusive;

use jiff::civil;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::codes::Code;
use super::diagnostic::{Diagnostic, Sink, Span};
use super::duration::Duration;
use super::text::{nearest, quote, quote_all};
use crate::domain::amount::Unit;
use crate::domain::clock::Timestamp;

/// The longest array taken in a policy file; longer lists belong in a list file.
pub const ARRAY_ITEMS_MAX: usize = 10_000;

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub span: Span,
}

impl<T> At<T> {
    fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }
}

/// A TOML value with its place.
pub type Value<'a> = &'a Spanned<DeValue<'a>>;

/// One table being read.
#[derive(Debug)]
pub struct Table<'a> {
    entries: &'a DeTable<'a>,
    span: Span,
    name: String,
    /// Whether it is the file itself, whose tables are written `[name]`.
    is_file: bool,
    sink: &'a Sink,
    known: RefCell<Vec<&'static str>>,
    any_key: Cell<bool>,
}

impl<'a> Table<'a> {
    /// The whole file as a table.
    pub fn file(entries: &'a DeTable<'a>, sink: &'a Sink) -> Self {
        let mut table = Self::new(entries, 0..0, "the file".to_owned(), sink);
        table.is_file = true;
        table
    }

    /// A table that stands at `span`; `name` is how diagnostics call it, such as `` `[policy]` ``.
    fn new(entries: &'a DeTable<'a>, span: Span, name: String, sink: &'a Sink) -> Self {
        Self {
            entries,
            span,
            name,
            is_file: false,
            sink,
            known: RefCell::default(),
            any_key: Cell::new(false),
        }
    }

    /// Where the table stands: its header, or its braces.
    pub fn span(&self) -> Span {
        self.span.clone()
    }

    /// How diagnostics call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where diagnostics go.
    pub fn sink(&self) -> &'a Sink {
        self.sink
    }

    /// Reports a mistake; a shorthand for [`Sink::at`] and [`Sink::add`] with a help text.
    pub fn report(
        &self,
        code: Code,
        span: Span,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.sink.add(self.sink.at(code, span, message).help(help));
    }

    /// Calls `read` and reports the key as missing if it is not there.
    pub fn required<T>(
        &self,
        key: &'static str,
        read: impl FnOnce(&Self, &'static str) -> Option<T>,
    ) -> Option<T> {
        let value = read(self, key);
        if !self.entries.contains_key(key) {
            let message = format!("{} needs `{key}`", self.name);
            self.sink
                .add(self.sink.at(Code::MissingKey, self.span(), message));
        }
        value
    }

    /// Whether a key is written, without reading it.
    pub fn contains(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// The raw value of a key.
    pub fn value(&self, key: &'static str) -> Option<Value<'a>> {
        self.known.borrow_mut().push(key);
        self.entries.get(key)
    }

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
        let value = self.value(key)?;
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
                let message = super::text::clean(&error.to_string(), 200);
                self.sink
                    .add(self.sink.at(Code::NotAnAmount, text.span, message));
                None
            }
        }
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
        let value = self.value(key)?;
        if let DeValue::String(text) = value.get_ref() {
            let one = At::new(text.as_ref(), value.span());
            return Some(At::new(vec![one], value.span()));
        }
        self.list(key, |table, item| table.text_of(key, item))
    }

    /// A list of calendar dates.
    pub fn dates(&self, key: &'static str) -> Option<At<Vec<civil::Date>>> {
        self.list(key, |table, item| {
            let date = match item.get_ref() {
                DeValue::Datetime(written) if written.time.is_none() => {
                    written.to_string().parse().ok()
                }
                _ => None,
            };
            if date.is_none() {
                let message = format!("`{key}` takes dates");
                table.report(
                    Code::NotATime,
                    item.span(),
                    message,
                    "a date without quotes, such as 2026-12-25",
                );
            }
            date
        })
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

    /// A moment: date, time and offset.
    pub fn timestamp(&self, key: &'static str) -> Option<At<Timestamp>> {
        let value = self.value(key)?;
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

    /// A table inside this one, read by `read` and then checked for unknown keys.
    pub fn table<T>(&self, key: &'static str, read: impl FnOnce(&Table<'a>) -> T) -> Option<T> {
        self.table_of(key, self.value(key)?, read)
    }

    /// A list of tables, each read by `read` and then checked for unknown keys.
    pub fn tables<T>(&self, key: &'static str, mut read: impl FnMut(&Table<'a>) -> T) -> Vec<T> {
        let list = self.list(key, |table, item| {
            let name = if table.is_file {
                format!("`[[{key}]]`")
            } else {
                quote(key)
            };
            table.named_table(key, item, name, &mut read)
        });
        list.map(|list| list.value).unwrap_or_default()
    }

    /// A list, each item read by `read`; items that cannot be read are left out.
    pub fn list<T>(
        &self,
        key: &'static str,
        mut read: impl FnMut(&Self, Value<'a>) -> Option<T>,
    ) -> Option<At<Vec<T>>> {
        let value = self.value(key)?;
        let DeValue::Array(items) = value.get_ref() else {
            return self.wrong_type(key, value, "a list");
        };
        if items.len() > ARRAY_ITEMS_MAX {
            let message = format!("`{key}` has {} items", items.len());
            let help =
                format!("at most {ARRAY_ITEMS_MAX}; longer lists go into a file under `[lists]`");
            self.report(Code::TooMany, value.span(), message, help);
            return None;
        }
        let items = items.iter().filter_map(|item| read(self, item)).collect();
        Some(At::new(items, value.span()))
    }

    /// Every entry of a table with keys of the author's choosing, in the order of the file; all keys
    /// count as known.
    pub fn entries(&self) -> Vec<(At<&'a str>, Value<'a>)> {
        self.any_key.set(true);
        self.sorted()
    }

    fn sorted(&self) -> Vec<(At<&'a str>, Value<'a>)> {
        let mut entries: Vec<_> = self
            .entries
            .iter()
            .map(|(key, value)| (At::new(key.get_ref().as_ref(), key.span()), value))
            .collect();
        entries.sort_by_key(|(key, _)| key.span.start);
        entries
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

    /// `value` as a table, read by `read` and then checked for unknown keys.
    pub fn table_of<T>(
        &self,
        key: &str,
        value: Value<'a>,
        read: impl FnOnce(&Table<'a>) -> T,
    ) -> Option<T> {
        let name = if self.is_file {
            format!("`[{key}]`")
        } else {
            quote(key)
        };
        self.named_table(key, value, name, read)
    }

    fn named_table<T>(
        &self,
        key: &str,
        value: Value<'a>,
        name: String,
        read: impl FnOnce(&Table<'a>) -> T,
    ) -> Option<T> {
        let DeValue::Table(entries) = value.get_ref() else {
            return self.wrong_type(key, value, "a table");
        };
        let table = Table::new(entries, value.span(), name, self.sink);
        let result = read(&table);
        table.finish();
        Some(result)
    }

    /// Reports a value of the wrong type.
    pub fn wrong_type<T>(&self, key: &str, value: Value<'a>, wanted: &str) -> Option<T> {
        self.sink.add(self.type_mismatch(key, value, wanted));
        None
    }

    /// Reports `min` above `max`.
    pub fn ordered<T: PartialOrd + Display>(&self, min: Option<&At<T>>, max: Option<&At<T>>) {
        if let (Some(min), Some(max)) = (min, max)
            && min.value > max.value
        {
            let message = format!(
                "nothing can be at least {} and at most {}",
                min.value, max.value
            );
            self.report(
                Code::MinAboveMax,
                min.span.clone(),
                message,
                "`min` has to be the smaller one",
            );
        }
    }

    /// Reports an empty list where that can only be a slip; `so` says what would follow from it.
    pub fn refuse_empty(&self, key: &str, so: &str) {
        let Some(value) = self.entries.get(key) else {
            return;
        };
        if let DeValue::Array(items) = value.get_ref()
            && items.is_empty()
        {
            let message = format!("`{key}` is empty, so {so}");
            let help = format!("fill it, or leave `{key}` out");
            self.report(Code::EmptyList, value.span(), message, help);
        }
    }

    /// Reports keys that nobody read. A key that only differs by a slip gets a suggestion.
    pub fn finish(&self) {
        if self.any_key.get() {
            return;
        }
        let known = self.known.borrow();
        for (key, _) in self.sorted() {
            if !known.contains(&key.value) {
                let message = format!("unknown key {} in {}", quote(key.value), self.name);
                let mut names = known.clone();
                names.sort_unstable();
                names.dedup();
                let mut diagnostic = self
                    .sink
                    .at(Code::UnknownKey, key.span.clone(), message)
                    .help(format!("known here: {}", quote_all(names.iter().copied())));
                if let Some(meant) = nearest(key.value, names) {
                    diagnostic =
                        diagnostic.suggest(key.span, format!("did you mean `{meant}`?"), meant);
                }
                self.sink.add(diagnostic);
            }
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

    fn choice_of<T: Copy>(
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

    fn type_mismatch(&self, key: &str, value: Value<'a>, wanted: &str) -> Diagnostic {
        let found = match value.get_ref() {
            DeValue::String(_) => "a text",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a fractional number",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date or time",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        let message = format!("{} takes {wanted}, found {found}", quote(key));
        self.sink.at(Code::WrongType, value.span(), message)
    }

    fn source_of(&self, span: &Span) -> &str {
        self.sink
            .source()
            .text
            .get(span.clone())
            .unwrap_or_default()
    }
}
