//! Lists of addresses, domains, names and phone numbers: written in the policy, kept in a file beside it, or by a
//! web server. They are compiled into hash sets once, so that a list of a million lines costs an evaluation
//! nothing.

mod domains;
mod entries;
mod kept;
mod listing;
mod remote;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use jiff::tz::TimeZone;
use toml::de::DeValue;

use super::calendar::Calendar;
use super::codes::Code;
use super::compiled::PolicyHash;
use super::diagnostic::{Sink, Span};
use super::load::LoadContext;
use super::reader::{At, Table, Value};
use super::text::{nearest, quote};
use super::vault::Vault;

/// The most lines a list file may have.
pub const LIST_LINES_MAX: usize = 1_000_000;

/// What an entry of a list may be.
const ENTRIES: &str = "one of ada@example.org, example.org, *.example.org, +442079460000 or a name";

/// A key of a list's table, and how its entries are added.
type Entry = (&'static str, fn(&mut List, &str) -> bool);

/// Addresses first, which everybody who books has.
const ENTRY_KEYS: [Entry; 4] = [
    ("emails", List::add_email),
    ("domains", |list, text| list.domains.add(text)),
    ("names", List::add_name),
    ("phones", List::add_phone),
];

pub use domains::Domains;
use entries::entries_of;
pub use entries::{List, Unfit, fold_name};
use listing::Server;
pub use listing::{GivenLists, Listing};
pub(super) use remote::NO_COPIES;
pub use remote::{REMOTE_LISTS_MAX, ReadCopy, RemoteList};

/// Reads a list file: the policy file's name and the path as it is written there.
pub type ReadList<'a> = dyn Fn(&str, &str) -> io::Result<String> + 'a;

/// A list file, or a copy of a server's list, that a policy has read.
#[derive(Debug, Clone)]
pub struct ListFile {
    /// SHA-256 over its entries, whatever their order.
    pub digest: PolicyHash,
    /// Its entries.
    pub list: Arc<List>,
    /// Where the policy says which server's it is; `None` for a file.
    pub of_server: Option<Span>,
}

/// The lists of one policy file.
pub struct Shelf<'a> {
    sink: &'a Sink,
    context: &'a LoadContext<'a>,
    vault: &'a Vault<'a>,
    /// Whether it reads what was kept, too, under names that are no files'.
    of_archive: bool,
    named: BTreeMap<String, (Span, Listing)>,
    used: RefCell<BTreeSet<String>>,
    /// By path or address.
    files: RefCell<BTreeMap<String, Option<Listing>>>,
}

impl std::fmt::Debug for Shelf<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shelf")
            .field("named", &self.named.keys())
            .finish_non_exhaustive()
    }
}

impl<'a> Shelf<'a> {
    /// A shelf without lists; `of_archive` is whether the policy is made again from what was kept of it.
    pub fn new(
        sink: &'a Sink,
        context: &'a LoadContext<'a>,
        vault: &'a Vault<'a>,
        of_archive: bool,
    ) -> Self {
        Self {
            sink,
            context,
            vault,
            of_archive,
            named: BTreeMap::new(),
            used: RefCell::default(),
            files: RefCell::default(),
        }
    }

    /// Reads `[lists]`.
    pub fn fill(&mut self, lists: &Table<'_>) {
        for (name, value) in lists.entries() {
            let list = lists.table_of(name.value, value, |table| self.define(table, &ENTRY_KEYS));
            if let Some(Some(list)) = list {
                self.named.insert(name.value.to_owned(), (name.span, list));
            } else {
                // Reported already; remembered so that its users are not reported as well.
                self.named
                    .insert(name.value.to_owned(), (name.span, Listing::default()));
            }
        }
    }

    /// Reads a key that takes a list: the name of one, the entries themselves as a file would have
    /// them, or a table that names or defines one.
    pub fn list(&self, table: &Table<'_>, key: &'static str) -> Option<At<Listing>> {
        let value = table.value(key)?;
        let span = value.span();
        let list = match value.get_ref() {
            DeValue::String(name) => self.find(name, &span),
            DeValue::Array(_) => read_entries(table, key, value).map(Listing::from),
            _ => self.inline(table, key, value),
        };
        list.map(|value| At { value, span })
    }

    /// The people that a table is for, known by address: by a list's name behind `list`, or by `emails`,
    /// `domains`, `file` or `url` in the table itself.
    pub fn people(&self, table: &Table<'_>) -> Option<Listing> {
        match table.contains("list") {
            true => self.list(table, "list").map(|at| at.value),
            false => self.define(table, &ENTRY_KEYS[..2]),
        }
    }

    /// Texts of any kind, written out or one a line of a file. What is read of the file counts for the
    /// policy's hash like a list.
    pub fn lines(&self, table: &Table<'_>, key: &'static str) -> Option<Vec<String>> {
        let value = table.value(key)?;
        if let DeValue::Array(_) = value.get_ref() {
            table.refuse_empty(key, "nothing would do");
            let texts = table.texts(key)?.value;
            return Some(texts.iter().map(|text| text.value.to_owned()).collect());
        }
        let path = table.table_of(key, value, |inner| {
            let path = inner.required("file", Table::text)?;
            Some(At {
                value: path.value.to_owned(),
                span: path.span,
            })
        });
        let path = path??;
        let path = At {
            value: path.value.as_str(),
            span: path.span,
        };
        let text = self.text_of(&path)?;
        let lines: Vec<String> = entries_of(&text).map(|(_, line)| line.to_owned()).collect();
        if lines.len() > LIST_LINES_MAX {
            self.report_too_long("list file", &path);
            return None;
        }
        self.keep(path.value, &lines);
        Some(lines)
    }

    /// A calendar in a file, with the days of `zone`. What it amounts to counts for the policy's hash like a
    /// list, and is what is kept.
    pub(super) fn calendar(&self, path: &At<&str>, zone: &TimeZone) -> Option<Calendar> {
        let zone_name = zone.iana_name().unwrap_or("UTC");
        let name = format!("{} in {zone_name}", path.value);
        let kept = self.kept(&name);
        let read = match kept.is_empty() {
            true => Calendar::read(&self.text_of(path)?, zone),
            false => Calendar::from_lines(&kept).ok_or_else(|| "what was kept is odd".to_owned()),
        };
        let read = read.and_then(|calendar| match calendar.is_empty() {
            true => Err("it has no events".to_owned()),
            false => Ok(calendar),
        });
        match read {
            Ok(calendar) => {
                self.keep(&name, &calendar.lines());
                Some(calendar)
            }
            Err(why) => {
                let file = quote(path.value);
                let message = format!("the calendar {file} cannot be used: {why}");
                let help =
                    "a calendar is an iCalendar file (.ics) with events, as calendars export them";
                let wrong = self.sink.at(Code::BadCalendar, path.span.clone(), message);
                self.sink.add(wrong.help(help));
                None
            }
        }
    }

    /// As [`Shelf::list`]; a list without domains, which nobody would pass, is reported.
    pub fn some_domains(&self, table: &Table<'_>, key: &'static str) -> Option<At<Listing>> {
        let list = self.list(table, key)?;
        let known = list.value.known();
        if known.is_some_and(|list| list.domains.is_empty()) {
            let message = "the list has no domains, so nobody would pass";
            let help = "add entries such as \"example.org\" or \"*.example.org\"";
            table.report(Code::EmptyList, list.span.clone(), message, help);
        }
        Some(list)
    }

    /// The files and copies that were read, by path or address as it is written.
    pub fn files(&self) -> BTreeMap<String, ListFile> {
        let files = self.files.borrow();
        let read = files
            .iter()
            .filter_map(|(path, list)| Some((path, list.as_ref()?)));
        let file = |listing: &Listing| ListFile {
            digest: PolicyHash(listing.list.digest()),
            list: Arc::clone(&listing.list),
            of_server: listing.server.as_ref().map(|server| server.span.clone()),
        };
        read.map(|(path, list)| (path.clone(), file(list)))
            .collect()
    }

    /// Reports lists that no criterion uses. Not where there are errors: a criterion that could not
    /// be read may be the user.
    pub fn report_unused(&self) {
        if self.sink.has_errors() {
            return;
        }
        let used = self.used.borrow();
        for (name, (span, _)) in &self.named {
            if !used.contains(name) {
                let message = format!("the list {} is not used", quote(name));
                self.sink
                    .add(self.sink.at(Code::UnusedList, span.clone(), message));
            }
        }
    }

    fn inline(&self, table: &Table<'_>, key: &str, value: Value<'_>) -> Option<Listing> {
        let read = |inner: &Table<'_>| match inner.text("list") {
            Some(name) => self.find(name.value, &name.span),
            None => self.define(inner, &ENTRY_KEYS),
        };
        table.table_of(key, value, read).flatten()
    }

    fn find(&self, name: &str, span: &Span) -> Option<Listing> {
        if let Some((_, list)) = self.named.get(name) {
            self.used.borrow_mut().insert(name.to_owned());
            return Some(list.clone());
        }
        let message = format!("there is no list {}", quote(name));
        let mut diagnostic = self.sink.at(Code::UnknownList, span.clone(), message).help(
            "define it as `[lists.NAME]` with `emails`, `domains`, `names`, `phones`, `file` or `url`",
        );
        if let Some(meant) = nearest(name, self.named.keys().map(String::as_str)) {
            let text = format!("did you mean `{meant}`?");
            diagnostic = diagnostic.suggest(span.clone(), text, format!("\"{meant}\""));
        }
        self.sink.add(diagnostic);
        None
    }

    fn define(&self, table: &Table<'_>, entries: &[Entry]) -> Option<Listing> {
        let (file, url) = (table.text("file"), table.text("url"));
        let errors = self.sink.errors();
        let list = self.written_out(table, entries);
        let remote = url.map(|url| {
            let remote = remote::read(table, &url, self.vault, self.context.hosts);
            (url.span, remote)
        });
        if self.sink.errors() > errors {
            return None;
        }
        let places = [!list.is_empty(), file.is_some(), remote.is_some()];
        if places.iter().filter(|place| **place).count() > 1 {
            let message = "a list has entries, a file or a url, and only one of them";
            let help = "write two lists, and ask for both with two criteria";
            let span = remote.map(|(span, _)| span);
            let span = span.or(file.map(|file| file.span));
            table.report(
                Code::NotAllowed,
                span.unwrap_or(table.span()),
                message,
                help,
            );
            return None;
        }
        match (file, remote) {
            (Some(file), _) => self.open(&file),
            (None, Some((span, remote))) => self.copy(span, &remote?),
            (None, None) if list.is_empty() => {
                let message = format!("the list {} is empty", table.name());
                let help = "give it `emails`, `domains`, `names`, `phones`, a `file` or a `url`";
                table.report(Code::EmptyList, table.span(), message, help);
                None
            }
            (None, None) => Some(list.into()),
        }
    }

    fn written_out(&self, table: &Table<'_>, entries: &[Entry]) -> List {
        let mut list = List::default();
        for (key, add) in entries {
            let texts = table.texts(key).map(|texts| texts.value);
            for text in texts.unwrap_or_default() {
                if !add(&mut list, text.value) {
                    let message = format!("{} does not belong into `{key}`", quote(text.value));
                    let help = "`emails` takes addresses, `domains` takes \"example.org\" or \"*.example.org\", `names` takes names of people, `phones` takes numbers such as \"+442079460000\"";
                    table.report(Code::NotAnAddress, text.span, message, help);
                }
            }
        }
        list
    }

    fn open(&self, path: &At<&str>) -> Option<Listing> {
        self.once(path.value, || {
            let text = self.text_of(path)?;
            let list = self.compile("list file", path, &text)?;
            Some(list.into())
        })
    }

    /// The copy of a server's list, which was read from there before.
    fn copy(&self, span: Span, remote: &RemoteList) -> Option<Listing> {
        let url = At {
            value: remote.url.as_str(),
            span,
        };
        self.once(url.value, || {
            let policy = &self.sink.source().name;
            let text = match (self.context.read_copy)(policy, remote) {
                Ok(text) => text,
                Err(why) => {
                    let message = format!("the list {} cannot be had: {why}", quote(url.value));
                    let help = "its server answers a GET with 200 and a text of one entry a line";
                    let wrong = self.sink.at(Code::UnreadableList, url.span.clone(), message);
                    self.sink.add(wrong.help(help));
                    return None;
                }
            };
            if text.is_none() {
                let message = format!("there is no copy of {} here", quote(url.value));
                let help = "nobody is on it until the daemon has read it; tests say with `given.lists` who is";
                let hint = self.sink.at(Code::NoCopy, url.span.clone(), message);
                self.sink.add(hint.help(help));
            }
            let server = Server {
                url: url.value.into(),
                span: url.span.clone(),
                absent: text.is_none(),
            };
            let list = match text {
                Some(text) => self.compile("list", &url, &text)?,
                None => List::default(),
            };
            Some(Listing {
                list: Arc::new(list),
                server: Some(server),
            })
        })
    }

    /// Reads what is behind a name for the first who asks.
    fn once(&self, name: &str, read: impl FnOnce() -> Option<Listing>) -> Option<Listing> {
        if let Some(list) = self.files.borrow().get(name) {
            return list.clone();
        }
        let list = read();
        let mut files = self.files.borrow_mut();
        files.insert(name.to_owned(), list.clone());
        list
    }

    fn text_of(&self, path: &At<&str>) -> Option<String> {
        let path_in_words = quote(path.value);
        if path.value.starts_with("https://") || path.value.starts_with("http://") {
            let message = format!("{path_in_words} is no path of a file");
            let wrong = self.sink.at(Code::NotAllowed, path.span.clone(), message);
            let help = "a list that a server keeps is named by `url`, in the place of `file`";
            self.sink.add(wrong.help(help));
            return None;
        }
        match (self.context.read_list)(&self.sink.source().name, path.value) {
            Ok(text) => Some(text),
            Err(error) => {
                let message = format!("the list file {path_in_words} cannot be read: {error}");
                let help = "the path starts at the folder of this policy file";
                let diagnostic = self
                    .sink
                    .at(Code::UnreadableList, path.span.clone(), message);
                self.sink.add(diagnostic.help(help));
                None
            }
        }
    }

    fn report_too_long(&self, what: &str, name: &At<&str>) {
        let name_in_words = quote(name.value);
        let message = format!("the {what} {name_in_words} has more than {LIST_LINES_MAX} lines");
        self.sink
            .add(self.sink.at(Code::ListTooLong, name.span.clone(), message));
    }

    fn compile(&self, what: &str, name: &At<&str>, text: &str) -> Option<List> {
        match List::parse(text) {
            Ok(list) => return Some(list),
            Err(Unfit::TooLong) => self.report_too_long(what, name),
            Err(Unfit::Lines(lines)) => {
                for line in lines {
                    let message = format!(
                        "line {line} of the {what} {} is no address, domain, name or phone number",
                        quote(name.value)
                    );
                    let help = "one entry a line: ada@example.org, example.org, *.example.org, +442079460000 or a name; # begins a comment";
                    let wrong = self.sink.at(Code::BadListEntry, name.span.clone(), message);
                    self.sink.add(wrong.help(help));
                }
            }
        }
        None
    }
}

/// Reads the entries of a list as a file would have them; mistakes are reported.
pub(super) fn read_entries<'a>(table: &Table<'a>, key: &str, value: Value<'a>) -> Option<List> {
    let (mut list, mut right) = (List::default(), true);
    for text in table.texts_of(key, value)?.value {
        if !list.add_line(text.value.trim()) {
            right = false;
            let message = format!("{} does not belong into a list", quote(text.value));
            table.report(Code::NotAnAddress, text.span, message, ENTRIES);
        }
    }
    right.then_some(list)
}
