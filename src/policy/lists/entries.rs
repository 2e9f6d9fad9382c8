//! What is on a list, and how an entry is written.

use std::collections::HashSet;
use std::fmt;

use sha2::{Digest, Sha256};

use super::LIST_LINES_MAX;
use super::domains::{Domains, has_domain};
use crate::domain::owner::Owner;
use crate::domain::phone::Phone;
use crate::policy::text::clean;

/// The longest name that is compared, in characters.
const NAME_CHARS_MAX: usize = 200;
/// The most wrong lines of one text that are told.
const WRONG_LINES_SHOWN_MAX: usize = 5;

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

/// A text that is no list. It says where it is wrong, and never what stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unfit {
    /// It has more than [`LIST_LINES_MAX`] lines.
    TooLong,
    /// The first of the lines that are no entries, from 1.
    Lines(Vec<usize>),
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "it has more than {LIST_LINES_MAX} lines"),
            Self::Lines(lines) => {
                let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
                let lines = lines.join(", ");
                write!(f, "no address, domain, name or phone number: line {lines}")
            }
        }
    }
}

/// A name as it is compared: lower case, one blank between words.
pub fn fold_name(name: &str) -> String {
    clean(name, NAME_CHARS_MAX).to_lowercase()
}

impl List {
    /// Reads a text with one entry a line.
    ///
    /// # Errors
    /// It is too long, or has lines that are no entries.
    pub fn parse(text: &str) -> Result<Self, Unfit> {
        let (mut list, mut wrong) = (Self::default(), Vec::new());
        for (index, entry) in entries_of(text) {
            if index >= LIST_LINES_MAX {
                return Err(Unfit::TooLong);
            }
            if !list.add_line(entry) && wrong.len() < WRONG_LINES_SHOWN_MAX {
                wrong.push(index + 1);
            }
        }
        match wrong.is_empty() {
            true => Ok(list),
            false => Err(Unfit::Lines(wrong)),
        }
    }

    /// Whether nobody is on it.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether somebody is listed by address or domain.
    pub fn has_address(&self, owner: &Owner) -> bool {
        self.emails.contains(owner.as_str()) || self.domains.contains(owner.domain())
    }

    pub(super) fn add_email(&mut self, text: &str) -> bool {
        let owner = Owner::parse(text);
        owner.is_ok_and(|owner| {
            let right = has_domain(&owner);
            if right {
                self.emails.insert(owner.as_str().into());
            }
            right
        })
    }

    pub(super) fn add_name(&mut self, text: &str) -> bool {
        let name = fold_name(text);
        !name.is_empty() && {
            self.names.insert(name.into());
            true
        }
    }

    pub(super) fn add_phone(&mut self, text: &str) -> bool {
        let phone = Phone::parse(text);
        phone.is_ok_and(|phone| {
            self.phones.insert(phone.as_str().into());
            true
        })
    }

    /// One line of a file: a phone number if it begins with a +, an address if it has an @, a domain
    /// if it has a dot and no blank (`@example.org` is a domain too), else a name.
    pub(in crate::policy) fn add_line(&mut self, line: &str) -> bool {
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
    pub(super) fn digest(&self) -> [u8; 32] {
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

/// The entries of a list's text with the numbers of their lines, from zero: # begins a comment.
pub(super) fn entries_of(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate();
    let entries = lines.map(|(index, line)| (index, line.split('#').next().unwrap_or_default()));
    let entries = entries.map(|(index, entry)| (index, entry.trim()));
    entries.filter(|(_, entry)| !entry.is_empty())
}
