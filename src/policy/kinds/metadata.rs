//! `metadata`: what stands in the booking's metadata under one key. Part of it may come from the
//! booker: providers take it from the address of the booking page.

use crate::policy::criterion::{Criterion, CriterionKind, Finding, PolicyContext, Scope};
use crate::policy::facts::Facts;
use crate::policy::keys::{Key, Shape};
use crate::policy::reader::Table;
use crate::policy::text::shown;

use super::wording::Wording;

/// What messages say where the key is not there.
const NOTHING: &str = "none";

pub(super) struct Kind;

#[derive(Debug)]
struct Metadata {
    key: Box<str>,
    required: bool,
    wording: Wording,
}

impl CriterionKind for Kind {
    fn name(&self) -> &'static str {
        "metadata"
    }

    fn placeholders(&self) -> &'static [&'static str] {
        &["key", "value"]
    }

    fn default_message(&self) -> &'static str {
        "This booking was made with settings that are not accepted here."
    }

    fn example(&self) -> &'static str {
        "key = \"plan\"\none_of = [\"team\", \"enterprise\"]\nmatches = '^[a-z]+$'"
    }

    fn keys(&self) -> &'static [Key] {
        const KEYS: &[Key] = &[
            Key::new("key", Shape::Text, "Which of the booking's metadata").required(),
            Key::new(
                "required",
                Shape::Switch,
                "Whether it has to be there; true if left out",
            ),
            Key::new("equals", Shape::Text, "The right value, in any case"),
            Key::new(
                "one_of",
                Shape::Many(&Shape::Text),
                "The right values, in any case",
            ),
            Key::new("matches", Shape::Text, "A regular expression"),
        ];
        KEYS
    }

    fn parse(&self, table: &Table<'_>, _scope: &Scope<'_>) -> Option<Box<dyn Criterion>> {
        let key = table.required("key", Table::text);
        let required = table.boolean("required").is_none_or(|at| at.value);
        let wording = Wording::read(table);
        if !required {
            let help = "leave `required = false` out, or add `equals`, `one_of` or `matches`";
            table.refuse_nothing(&["equals", "one_of", "matches"], help);
        }
        Some(Box::new(Metadata {
            key: key?.value.into(),
            required,
            wording,
        }))
    }
}

impl Criterion for Metadata {
    fn evaluate(&self, facts: &Facts, _context: &PolicyContext<'_>) -> Finding {
        let value = facts.details.metadata.get(self.key.as_ref());
        let value = value
            .map(|value| value.trim())
            .filter(|value| !value.is_empty());
        if let Some(why) = value.and_then(|value| self.wording.cannot_judge(value)) {
            return Finding::error(why);
        }
        let met = value.map_or(!self.required, |value| self.wording.accepts(value));
        Finding::of(met)
            .with("key", &*self.key)
            .with("value", shown(value.unwrap_or(NOTHING)))
    }
}
