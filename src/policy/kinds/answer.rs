//! `answer`: what the booker answered to one question of the booking form.

use crate::domain::booking::Answer;
use crate::policy::criterion::{Criterion, CriterionKind, Finding, PolicyContext, Scope};
use crate::policy::facts::Facts;
use crate::policy::keys::{Key, Shape};
use crate::policy::reader::Table;

use super::wording::Wording;

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
    wording: Wording,
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

    fn keys(&self) -> &'static [Key] {
        const KEYS: &[Key] = &[
            Key::new(
                "field",
                Shape::Text,
                "The field of the booking form, or notes",
            )
            .required(),
            Key::new("label", Shape::Text, "How messages call the field"),
            Key::new(
                "required",
                Shape::Switch,
                "Whether it has to be answered; true if left out",
            ),
            Key::new("equals", Shape::Text, "The right answer, in any case"),
            Key::new(
                "one_of",
                Shape::Many(&Shape::Text),
                "The right answers, in any case",
            ),
            Key::new("matches", Shape::Text, "A regular expression"),
            Key::new(
                "min_chars",
                Shape::Whole(1, CHARS_MAX),
                "The shortest answer",
            ),
            Key::new(
                "max_chars",
                Shape::Whole(1, CHARS_MAX),
                "The longest answer",
            ),
        ];
        KEYS
    }

    fn parse(&self, table: &Table<'_>, _scope: &Scope<'_>) -> Option<Box<dyn Criterion>> {
        let field = table.required("field", Table::text);
        let label = table.text("label");
        let required = table.boolean("required").is_none_or(|at| at.value);
        let wording = Wording::read(table);
        let min_chars = table.integer("min_chars", 1..=CHARS_MAX);
        let max_chars = table.integer("max_chars", 1..=CHARS_MAX);
        table.ordered(min_chars.as_ref(), max_chars.as_ref());
        let conditions = ["equals", "one_of", "matches", "min_chars", "max_chars"];
        if !required {
            let help = "leave `required = false` out, or add `equals`, `one_of`, `matches`, `min_chars` or `max_chars`";
            table.refuse_nothing(&conditions, help);
        }
        let field = field?.value;
        Some(Box::new(AnswerTo {
            field: field.into(),
            label: label.map_or(field, |at| at.value).into(),
            required,
            wording,
            min_chars: min_chars.map(|at| at.value),
            max_chars: max_chars.map(|at| at.value),
        }))
    }
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
        self.wording.accepts(text)
            && self.min_chars.is_none_or(|min| chars >= min)
            && self.max_chars.is_none_or(|max| chars <= max)
    }
}

impl Criterion for AnswerTo {
    fn evaluate(&self, facts: &Facts, _context: &PolicyContext<'_>) -> Finding {
        let given = self.given(facts);
        if let Some(why) = given
            .iter()
            .find_map(|text| self.wording.cannot_judge(text))
        {
            return Finding::error(why);
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
            .with("chars", chars);
        for (name, bound) in [("min_chars", self.min_chars), ("max_chars", self.max_chars)] {
            if let Some(bound) = bound {
                finding = finding.with(name, bound);
            }
        }
        finding
    }
}
