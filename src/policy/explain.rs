//! What each code means, for who meets it: why the rule is there, what breaks it, and what would be right.
//! A test loads every example.

mod keys;
mod meaning;

use super::codes::Code;

/// A code explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explanation {
    /// Why the rule is there, and what to do.
    pub why: &'static str,
    /// What breaks it.
    pub wrong: Example,
    /// The same as it would be right.
    pub right: Example,
}

/// An example of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Example {
    /// TOML. Without a `schema` it stands behind [`FRAME`]; [`SECOND_FILE`] begins another file.
    Toml(&'static str),
    /// What would be too long to write out.
    Words(&'static str),
}

/// What stands in front of an example that is not a whole file.
pub const FRAME: &str = "schema = 1\n\n[policy]\nid = \"club\"\n\n";
/// The line between an example's two files.
pub const SECOND_FILE: &str = "# --- another file ---\n";

impl Code {
    /// What the code means. A test holds that every code has one.
    pub fn explanation(self) -> Option<Explanation> {
        keys::explanation(self).or_else(|| meaning::explanation(self))
    }
}

/// An explanation whose examples are written out.
const fn toml(why: &'static str, wrong: &'static str, right: &'static str) -> Explanation {
    Explanation {
        why,
        wrong: Example::Toml(wrong),
        right: Example::Toml(right),
    }
}

/// An explanation whose examples are told.
const fn words(why: &'static str, wrong: &'static str, right: &'static str) -> Explanation {
    Explanation {
        why,
        wrong: Example::Words(wrong),
        right: Example::Words(right),
    }
}
