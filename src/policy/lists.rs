//! Lists of addresses, domains, names and phone numbers: written in the policy or kept in a file beside it. They
//! are compiled into hash sets once, so that a list of a million lines costs an evaluation nothing.

mod domains;
mod kept;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io;
use std::sync::Arc;

use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};
use toml::de::DeValue;

use super::calendar::Calendar;
use super::codes::Code;
use super::compiled::PolicyHash;
use super::diagnostic::{Sink, Span};
use super::reader::{At, Table, Value};
use super::text::{clean, nearest, quote};
use crate::domain::owner::Owner;
use crate::domain::phone::Phone;

/// The most lines a list file may have.
pub const LIST_LINES_MAX: usize = 1_000_000;
/// The most wrong lines of one list file that are reported.
const WRONG_LINES_SHOWN_MAX: usize = 5;
/// The longest name that is compared, in characters.
const NAME_CHARS_MAX: usize = 200;

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
use domains::has_domain;

/// Reads a list file: the policy file's name and the path as it is written there.
pub type ReadList<'a> = dyn Fn(&str, &str) -> io::Result<String> + 'a;

/// A compiled list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct List {
    /// Whole addresses, normalised.
    pub emails: HashSet<Box<str>>,
    /// Domains.
    pub domains: Domains,
    /// Names of people, as [`fold_name`] writes them.
    pub names: HashSet<Box<str>>,
    /// Phone numbers with their country codes.
    pub phones: HashSet<Box<str>>,
}

/// A name as it is compared: lower case, one blank between words.
pub fn fold_name(name: &str) -> String {
    clean(name, NAME_CHARS_MAX).to_lowercase()
}

impl List {
    /// Whether somebody is listed by address or domain.
    pub fn has_address(&self, owner: &Owner) -> bool {
        self.emails.contains(owner.as_str()) || self.domains.contains(owner.domain())
    }

    fn add_email(&mut self, text: &str) -> bool {
        let owner = Owner::parse(text);
        owner.is_ok_and(|owner| {
            let right = has_domain(&owner);
            if right {
                self.emails.insert(owner.as_str().into());
            }
            right
        })
    }

    fn add_name(&mut self, text: &str) -> bool {
        let name = fold_name(text);
        !name.is_empty() && {
            self.names.insert(name.into());
            true
        }
    }

    fn add_phone(&mut self, text: &str) -> bool {
        let phone = Phone::parse(text);
        phone.is_ok_and(|phone| {
            self.phones.insert(phone.as_str().into());
            true
        })
    }

    /// One line of a file: a phone number if it begins with a +, an address if it has an @, a domain
    /// if it has a dot and no blank (`@example.org` is a domain too), else a name.
    fn add_line(&mut self, line: &str) -> bool {
        match line.strip_prefix('@') {
            Some(domain) => self.domains.add(domain),
            None if line.starts_with('+') && !line.contains('@') => self.add_phone(line),
            None if line.contains('@') => self.add_email(line),
            None if line.contains('.') && !line.contains(char::is_whitespace) => {
                self.domains.add(line)
            }
            None => self.add_name(line),
        }
    }

    /// Its entries in order, a line each, as a file would have them: read back, it is the same list.
    pub fn text(&self) -> String {
        let plain = |set: &HashSet<Box<str>>| set.iter().map(ToString::to_string).collect();
        // Behind an @ a line is a domain, however odd.
        let exact = self.domains.exact.iter();
        let below = self.domains.below.iter();
        let mut lines: Vec<String> = plain(&self.emails);
        lines.extend(exact.map(|domain| format!("@{domain}")));
        lines.extend(below.map(|domain| format!("@*.{domain}")));
        lines.extend(plain(&self.names));
        lines.extend(plain(&self.phones));
        lines.sort_unstable();
        let mut text = lines.join("\n");
        text.push('\n');
        text
    }

    /// SHA-256 over the entries, whatever their order, comments and spelling in the file.
    fn digest(&self) -> [u8; 32] {
        let mut hasher = Sha256::new();
        let sets = [
            &self.emails,
            &self.domains.exact,
            &self.domains.below,
            &self.names,
        ];
        // Younger than the form of the hash: a list without numbers is hashed as ever.
        let phones = Some(&self.phones).filter(|phones| !phones.is_empty());
        for set in sets.into_iter().chain(phones) {
            let mut entries: Vec<&str> = set.iter().map(AsRef::as_ref).collect();
            entries.sort_unstable();
            hasher.update((entries.len() as u64).to_be_bytes());
            for entry in entries {
                hasher.update((entry.len() as u64).to_be_bytes());
                hasher.update(entry);
            }
        }
        hasher.finalize().into()
    }
}

/// A list file that a policy has read.
#[derive(Debug, Clone)]
pub struct ListFile {
    /// SHA-256 over its entries, whatever their order.
    pub digest: PolicyHash,
    /// Its entries.
    pub list: Arc<List>,
}

/// The lists of one policy file.
pub struct Shelf<'a> {
    sink: &'a Sink,
    read: &'a ReadList<'a>,
    /// Whether it reads what was kept, too, under names that are no files'.
    of_archive: bool,
    named: BTreeMap<String, (Span, Arc<List>)>,
    used: RefCell<BTreeSet<String>>,
    files: RefCell<BTreeMap<String, Option<Arc<List>>>>,
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
    pub fn new(sink: &'a Sink, read: &'a ReadList<'a>, of_archive: bool) -> Self {
        Self {
            sink,
            read,
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
                    .insert(name.value.to_owned(), (name.span, Arc::default()));
            }
        }
    }

    /// Reads a key that takes a list: the name of one, the entries themselves as a file would have
    /// them, or a table that names or defines one.
    pub fn list(&self, table: &Table<'_>, key: &'static str) -> Option<At<Arc<List>>> {
        let value = table.value(key)?;
        let span = value.span();
        let list = match value.get_ref() {
            DeValue::String(name) => self.find(name, &span),
            DeValue::Array(_) => self.entries(table, key),
            _ => self.inline(table, key, value),
        };
        list.map(|value| At { value, span })
    }

    /// The people that a table is for, known by address: by a list's name behind `list`, or by `emails`,
    /// `domains` or `file` in the table itself.
    pub fn people(&self, table: &Table<'_>) -> Option<Arc<List>> {
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
            self.report_too_long(&path);
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
    pub fn some_domains(&self, table: &Table<'_>, key: &'static str) -> Option<At<Arc<List>>> {
        let list = self.list(table, key)?;
        if list.value.domains.is_empty() {
            let message = "the list has no domains, so nobody would pass";
            let help = "add entries such as \"example.org\" or \"*.example.org\"";
            table.report(Code::EmptyList, list.span.clone(), message, help);
        }
        Some(list)
    }

    /// The files that were read, by path as it is written.
    pub fn files(&self) -> BTreeMap<String, ListFile> {
        let files = self.files.borrow();
        let read = files
            .iter()
            .filter_map(|(path, list)| Some((path, list.as_ref()?)));
        let file = |list: &Arc<List>| ListFile {
            digest: PolicyHash(list.digest()),
            list: Arc::clone(list),
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

    fn entries(&self, table: &Table<'_>, key: &'static str) -> Option<Arc<List>> {
        let (mut list, mut right) = (List::default(), true);
        for text in table.texts(key)?.value {
            if !list.add_line(text.value.trim()) {
                right = false;
                let message = format!("{} does not belong into a list", quote(text.value));
                table.report(Code::NotAnAddress, text.span, message, ENTRIES);
            }
        }
        right.then(|| Arc::new(list))
    }

    fn inline(&self, table: &Table<'_>, key: &str, value: Value<'_>) -> Option<Arc<List>> {
        let read = |inner: &Table<'_>| match inner.text("list") {
            Some(name) => self.find(name.value, &name.span),
            None => self.define(inner, &ENTRY_KEYS),
        };
        table.table_of(key, value, read).flatten()
    }

    fn find(&self, name: &str, span: &Span) -> Option<Arc<List>> {
        if let Some((_, list)) = self.named.get(name) {
            self.used.borrow_mut().insert(name.to_owned());
            return Some(Arc::clone(list));
        }
        let message = format!("there is no list {}", quote(name));
        let mut diagnostic = self.sink.at(Code::UnknownList, span.clone(), message).help(
            "define it as `[lists.NAME]` with `emails`, `domains`, `names`, `phones` or `file`",
        );
        if let Some(meant) = nearest(name, self.named.keys().map(String::as_str)) {
            let text = format!("did you mean `{meant}`?");
            diagnostic = diagnostic.suggest(span.clone(), text, format!("\"{meant}\""));
        }
        self.sink.add(diagnostic);
        None
    }

    fn define(&self, table: &Table<'_>, entries: &[Entry]) -> Option<Arc<List>> {
        let file = table.text("file");
        let errors = self.sink.errors();
        let mut list = List::default();
        for (key, add) in entries {
            for text in table
                .texts(key)
                .map(|texts| texts.value)
                .unwrap_or_default()
            {
                if !add(&mut list, text.value) {
                    let message = format!("{} does not belong into `{key}`", quote(text.value));
                    let help = "`emails` takes addresses, `domains` takes \"example.org\" or \"*.example.org\", `names` takes names of people, `phones` takes numbers such as \"+442079460000\"";
                    table.report(Code::NotAnAddress, text.span, message, help);
                }
            }
        }
        if self.sink.errors() > errors {
            return None;
        }
        match file {
            None if list == List::default() => {
                let message = format!("the list {} is empty", table.name());
                let help = "give it `emails`, `domains`, `names`, `phones` or a `file`";
                table.report(Code::EmptyList, table.span(), message, help);
                None
            }
            None => Some(Arc::new(list)),
            Some(file) if list == List::default() => self.open(&file),
            Some(file) => {
                let help = "write the entries into the file, or leave the file out";
                table.report(
                    Code::NotAllowed,
                    file.span,
                    "a list has entries or a file, not both",
                    help,
                );
                None
            }
        }
    }

    fn open(&self, path: &At<&str>) -> Option<Arc<List>> {
        if let Some(list) = self.files.borrow().get(path.value) {
            return list.clone();
        }
        let list = self
            .text_of(path)
            .and_then(|text| self.compile(path, &text));
        self.files
            .borrow_mut()
            .insert(path.value.to_owned(), list.clone());
        list
    }

    fn text_of(&self, path: &At<&str>) -> Option<String> {
        match (self.read)(&self.sink.source().name, path.value) {
            Ok(text) => Some(text),
            Err(error) => {
                let path_in_words = quote(path.value);
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

    fn report_too_long(&self, path: &At<&str>) {
        let path_in_words = quote(path.value);
        let message = format!("the list file {path_in_words} has more than {LIST_LINES_MAX} lines");
        self.sink
            .add(self.sink.at(Code::ListTooLong, path.span.clone(), message));
    }

    fn compile(&self, path: &At<&str>, text: &str) -> Option<Arc<List>> {
        let (mut list, mut wrong) = (List::default(), 0);
        for (index, entry) in entries_of(text) {
            if index >= LIST_LINES_MAX {
                self.report_too_long(path);
                return None;
            }
            if list.add_line(entry) {
                continue;
            }
            wrong += 1;
            if wrong <= WRONG_LINES_SHOWN_MAX {
                let message = format!(
                    "line {} of the list file {} is no address, domain, name or phone number",
                    index + 1,
                    quote(path.value)
                );
                let help = "one entry a line: ada@example.org, example.org, *.example.org, +442079460000 or a name; # begins a comment";
                self.sink.add(
                    self.sink
                        .at(Code::BadListEntry, path.span.clone(), message)
                        .help(help),
                );
            }
        }
        (wrong == 0).then(|| Arc::new(list))
    }
}

/// The entries of a list file with the numbers of their lines, from zero: # begins a comment.
fn entries_of(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate();
    let entries = lines.map(|(index, line)| (index, line.split('#').next().unwrap_or_default()));
    let entries = entries.map(|(index, entry)| (index, entry.trim()));
    entries.filter(|(_, entry)| !entry.is_empty())
}
