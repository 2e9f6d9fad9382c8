//! What a text of a stranger has to be: shared by the kinds that look at one.

use regex::Regex;

use crate::policy::codes::Code;
use crate::policy::pattern;
use crate::policy::reader::{At, Table};

/// The longest text a pattern is tried on, in bytes; a longer one makes the criterion unknown.
const MATCHED_BYTES_MAX: usize = 10_000;

/// `equals` or `one_of`, and `matches`.
#[derive(Debug)]
pub(super) struct Wording {
    /// Texts that will do, folded; from `equals` or `one_of`.
    one_of: Option<Vec<String>>,
    matches: Option<Regex>,
}

impl Wording {
    /// Reads the three keys.
    pub(super) fn read(table: &Table<'_>) -> Self {
        let equals = table.text("equals").map(|at| vec![fold(at.value)]);
        let one_of = table.texts("one_of");
        let matches = table
            .text("matches")
            .and_then(|pattern| compile(table, &pattern));
        table.refuse_empty("one_of", "nothing would do");
        if let (true, Some(at)) = (table.contains("equals"), &one_of) {
            table.report(
                Code::NotAllowed,
                at.span.clone(),
                "`equals` and `one_of` say the same thing twice",
                "keep one of the two",
            );
        }
        let words = |at: At<Vec<At<&str>>>| at.value.iter().map(|word| fold(word.value)).collect();
        Self {
            one_of: equals.or(one_of.map(words)),
            matches,
        }
    }

    /// Why a text is not judged; `None` if it is.
    pub(super) fn cannot_judge(&self, text: &str) -> Option<String> {
        let long = self.matches.is_some() && text.len() > MATCHED_BYTES_MAX;
        long.then(|| format!("the text is longer than {MATCHED_BYTES_MAX} bytes"))
    }

    /// Whether a text will do.
    pub(super) fn accepts(&self, text: &str) -> bool {
        let listed = self.one_of.as_ref();
        let pattern = self.matches.as_ref();
        listed.is_none_or(|one_of| one_of.contains(&fold(text)))
            && pattern.is_none_or(|regex| regex.is_match(text))
    }
}

fn compile(table: &Table<'_>, written: &At<&str>) -> Option<Regex> {
    let regex = pattern::compile(written.value);
    if let Err(why) = &regex {
        let help = "single quotes keep backslashes as they are: '^[0-9]{4}$'";
        table.report(
            Code::BadPattern,
            written.span.clone(),
            format!("this pattern cannot be used: {why}"),
            help,
        );
    }
    regex.ok()
}

/// A text as it is compared: without blanks around it, in lower case.
pub(super) fn fold(text: &str) -> String {
    text.trim().to_lowercase()
}
