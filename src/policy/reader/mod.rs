//! Reads one table of a policy file, key by key. Each read remembers the key, so that
//! [`Table::finish`] can report what nobody asked for, with the name that was probably meant. Every
//! mistake is reported where it stands; a reader never stops at the first.

mod values;

use std::cell::{Cell, RefCell};
use std::fmt::Display;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::policy::codes::Code;
use crate::policy::diagnostic::{Diagnostic, Sink, Span};
use crate::policy::text::{nearest, quote, quote_all};

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
    /// Keys that are known beside those, by names that somebody chose.
    chosen: RefCell<Vec<String>>,
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
            chosen: RefCell::default(),
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

    /// A text that somebody else reads, and tells what is wrong with it.
    pub fn peek(&self, key: &str) -> Option<&'a str> {
        self.entries.get(key)?.get_ref().as_str()
    }

    /// The raw value of a key.
    pub fn value(&self, key: &'static str) -> Option<Value<'a>> {
        self.known.borrow_mut().push(key);
        self.entries.get(key)
    }

    /// The raw value of a key whose name somebody chose.
    pub fn value_named(&self, key: &str) -> Option<Value<'a>> {
        self.chosen.borrow_mut().push(key.to_owned());
        self.entries.get(key)
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
        read: impl FnMut(&Self, Value<'a>) -> Option<T>,
    ) -> Option<At<Vec<T>>> {
        self.list_of(key, self.value(key)?, read)
    }

    /// `value` as a list, as [`Table::list`] reads it.
    fn list_of<T>(
        &self,
        key: &str,
        value: Value<'a>,
        mut read: impl FnMut(&Self, Value<'a>) -> Option<T>,
    ) -> Option<At<Vec<T>>> {
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

    /// Reports a criterion that asks for nothing, because it has none of these keys.
    pub fn refuse_nothing(&self, keys: &[&str], help: &str) {
        if !keys.iter().any(|key| self.contains(key)) {
            let message = "this criterion checks nothing";
            self.report(Code::Nothing, self.span(), message, help);
        }
    }

    /// Reports keys that nobody read. A key that only differs by a slip gets a suggestion.
    pub fn finish(&self) {
        if self.any_key.get() {
            return;
        }
        let (known, chosen) = (self.known.borrow(), self.chosen.borrow());
        let known: Vec<&str> = known
            .iter()
            .copied()
            .chain(chosen.iter().map(String::as_str))
            .collect();
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
}
