//! `answer`: what the booker answered to one question of the booking form.

use regex::{Regex, RegexBuilder};

use crate::domain::booking::Answer;
use crate::policy::codes::Code;
use crate::policy::criterion::{Criterion, CriterionKind, Finding, PolicyContext, Scope};
use crate::policy::facts::Facts;
use crate::policy::reader::{At, Table};
use crate::policy::text::clean;

/// The longest pattern, in bytes.
pub(crate) const PATTERN_BYTES_MAX: usize = 1_024;
/// The largest compiled pattern, in bytes; bounds what `(a{1000}){1000}` may cost.
const PATTERN_COMPILED_BYTES_MAX: usize = 256 * 1_024;
/// How deep a pattern may nest.
const PATTERN_DEPTH_MAX: u32 = 32;
/// The longest answer a pattern is tried on, in bytes; a longer one makes the criterion unknown.
const MATCHED_BYTES_MAX: usize = 10_000;
/// The largest number of characters that may be asked for.
const CHARS_MAX: i64 = 100_000;
/// The field that falls back to the booking's notes, where the provider keeps them apart.
const NOTES_FIELD: &str = "notes";

pub(super) struct Kind;

#[derive(Debug)]
struct AnswerTo {
    field: Box<str>,
    label: Box<str>,
    required: bool,
    /// Answers that will do, folded; from `equals` or `one_of`.
    one_of: Option<Vec<String>>,
    matches: Option<Regex>,
    min_chars: Option<i64>,
    max_chars: Option<i64>,
}

impl CriterionKind for Kind {
    fn name(&self) -> &'static str {
        "answer"
    }

    fn placeholders(&self) -> &'static [&'static str] {
        &["field", "chars", "min_chars", "max_chars"]
    }

    fn default_message(&self) -> &'static str {
        "Please check your answer to \"{field}\"."
    }

    fn example(&self) -> &'static str {
        "field = \"topic\"\none_of = [\"pensions\", \"mortgages\"]\nmatches = \"^[a-z ]+$\"\nmin_chars = 3\nmax_chars = 200"
    }

    fn parse(&self, table: &Table<'_>, _scope: &Scope<'_>) -> Option<Box<dyn Criterion>> {
        let field = table.required("field", Table::text);
        let label = table.text("label");
        let required = table.boolean("required").is_none_or(|at| at.value);
        let equals = table.text("equals").map(|at| vec![fold(at.value)]);
        let one_of = table.texts("one_of");
        let matches = table
            .text("matches")
            .and_then(|pattern| compile(table, &pattern));
        let min_chars = table.integer("min_chars", 1..=CHARS_MAX);
        let max_chars = table.integer("max_chars", 1..=CHARS_MAX);
        table.ordered(min_chars.as_ref(), max_chars.as_ref());
        table.refuse_empty("one_of", "no answer would do");
        if let (true, Some(at)) = (table.contains("equals"), &one_of) {
            table.report(
                Code::NotAllowed,
                at.span.clone(),
                "`equals` and `one_of` say the same thing twice",
                "keep one of the two",
            );
        }
        let conditions = ["equals", "one_of", "matches", "min_chars", "max_chars"];
        if !required && !conditions.iter().any(|key| table.contains(key)) {
            let help = "leave `required = false` out, or add `equals`, `one_of`, `matches`, `min_chars` or `max_chars`";
            table.report(
                Code::Nothing,
                table.span(),
                "this criterion checks nothing",
                help,
            );
        }
        let field = field?.value;
        let words = |at: At<Vec<At<&str>>>| at.value.iter().map(|word| fold(word.value)).collect();
        Some(Box::new(AnswerTo {
            field: field.into(),
            label: label.map_or(field, |at| at.value).into(),
            required,
            one_of: equals.or(one_of.map(words)),
            matches,
            min_chars: min_chars.map(|at| at.value),
            max_chars: max_chars.map(|at| at.value),
        }))
    }
}

fn compile(table: &Table<'_>, pattern: &At<&str>) -> Option<Regex> {
    let regex = (pattern.value.len() <= PATTERN_BYTES_MAX).then(|| {
        RegexBuilder::new(pattern.value)
            .size_limit(PATTERN_COMPILED_BYTES_MAX)
            .nest_limit(PATTERN_DEPTH_MAX)
            .build()
    });
    let why = match regex {
        Some(Ok(regex)) => return Some(regex),
        Some(Err(regex::Error::CompiledTooBig(_))) => "it grows too large".to_owned(),
        Some(Err(error)) => {
            // The crate draws its own picture of the place; its last line is the reason.
            let text = error.to_string();
            let reason = text.lines().last().unwrap_or_default();
            clean(reason.trim_start_matches("error: "), 200)
        }
        None => format!("it is longer than {PATTERN_BYTES_MAX} bytes"),
    };
    let help = "single quotes keep backslashes as they are: '^[0-9]{4}$'";
    table.report(
        Code::BadPattern,
        pattern.span.clone(),
        format!("this pattern cannot be used: {why}"),
        help,
    );
    None
}

/// A text as answers are compared: without blanks around it, in lower case.
fn fold(text: &str) -> String {
    text.trim().to_lowercase()
}

impl AnswerTo {
    /// The answers that were given, without empty ones.
    fn given<'f>(&self, facts: &'f Facts) -> Vec<&'f str> {
        let texts: &[String] = match facts.details.answers.get(self.field.as_ref()) {
            Some(Answer::Text(text)) => std::slice::from_ref(text),
            Some(Answer::Many(texts)) => texts,
            None if &*self.field == NOTES_FIELD => facts.details.notes.as_slice(),
            None => &[],
        };
        texts
            .iter()
            .map(|text| text.trim())
            .filter(|text| !text.is_empty())
            .collect()
    }

    fn accepts(&self, text: &str, chars: i64) -> bool {
        self.one_of
            .as_ref()
            .is_none_or(|one_of| one_of.contains(&fold(text)))
            && self
                .matches
                .as_ref()
                .is_none_or(|regex| regex.is_match(text))
            && self.min_chars.is_none_or(|min| chars >= min)
            && self.max_chars.is_none_or(|max| chars <= max)
    }
}

impl Criterion for AnswerTo {
    fn evaluate(&self, facts: &Facts, _context: &PolicyContext<'_>) -> Finding {
        let given = self.given(facts);
        if self.matches.is_some() && given.iter().any(|text| text.len() > MATCHED_BYTES_MAX) {
            return Finding::error(format!(
                "the answer is longer than {MATCHED_BYTES_MAX} bytes"
            ));
        }
        let count = |text: &str| i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
        let met = match given.is_empty() {
            true => !self.required,
            // Of several answers to one question, every one has to do.
            false => given.iter().all(|text| self.accepts(text, count(text))),
        };
        let chars: i64 = given.iter().map(|text| count(text)).sum();
        let mut finding = Finding::of(met)
            .with("field", &*self.label)
            .with("chars", chars.to_string());
        for (name, bound) in [("min_chars", self.min_chars), ("max_chars", self.max_chars)] {
            if let Some(bound) = bound {
                finding = finding.with(name, bound.to_string());
            }
        }
        finding
    }
}
