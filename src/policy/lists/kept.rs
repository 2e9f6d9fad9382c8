//! What is no list, and yet is read, counted and kept with a policy as its lists are.

use std::io;

use super::{List, Shelf, entries_of};
use crate::policy::codes::Code;
use crate::policy::text::quote;

/// What a file begins with that is kept in one word.
const WHOLE: &str = "whole:";

impl Shelf<'_> {
    /// Has these lines count for the policy's hash, and kept with it, as if a file of that name held them.
    pub fn keep<'l>(&self, name: &str, lines: impl IntoIterator<Item = &'l String>) {
        let names = lines.into_iter().map(|line| line.as_str().into()).collect();
        let list = List {
            names,
            ..List::default()
        };
        let mut files = self.files.borrow_mut();
        files.insert(name.to_owned(), Some(list.into()));
    }

    /// What was kept under a name that is no file's; nothing where policies are not made again.
    pub fn kept(&self, name: &str) -> Vec<String> {
        if !self.of_archive {
            return Vec::new();
        }
        let text = (self.context.read_list)(&self.sink.source().name, name).unwrap_or_default();
        entries_of(&text).map(|(_, line)| line.to_owned()).collect()
    }

    /// The whole text of a file that somebody else understands; `None` if there is none. It counts for the
    /// policy's hash, and is kept with it, in one word: every byte matters.
    pub fn whole(&self, path: &str) -> Option<String> {
        let text = match (self.context.read_list)(&self.sink.source().name, path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                let message = format!("the file {} cannot be read: {error}", quote(path));
                self.sink
                    .add(self.sink.at(Code::UnreadableList, 0..0, message));
                return None;
            }
        };
        let kept = text.trim().strip_prefix(WHOLE);
        let kept = kept.and_then(|word| String::from_utf8(hex::decode(word).ok()?).ok());
        let text = kept.unwrap_or(text);
        self.keep(path, [&format!("{WHOLE}{}", hex::encode(&text))]);
        Some(text)
    }
}
