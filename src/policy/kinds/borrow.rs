//! `use`: what a named group of another policy asks.

use jiff::tz::TimeZone;

use crate::policy::borrowed::Borrowed;
use crate::policy::criterion::{Criterion, CriterionKind, Finding, PolicyContext, Scope};
use crate::policy::facts::{Facts, Need, Stage};
use crate::policy::keys::{Key, Shape};
use crate::policy::reader::{At, Table};

pub(super) struct Kind;

#[derive(Debug)]
struct Use(Borrowed);

impl CriterionKind for Kind {
    fn name(&self) -> &'static str {
        "use"
    }

    fn placeholders(&self) -> &'static [&'static str] {
        &["reason", "failed"]
    }

    fn default_message(&self) -> &'static str {
        "{reason}"
    }

    fn example(&self) -> &'static str {
        "policy = \"house-rules\"\ngroup = \"members\""
    }

    fn keys(&self) -> &'static [Key] {
        const KEYS: &[Key] = &[
            Key::new("policy", Shape::Text, "The id of the other policy").required(),
            Key::new("group", Shape::Text, "The name of its group").required(),
        ];
        KEYS
    }

    fn parse(&self, table: &Table<'_>, _scope: &Scope<'_>) -> Option<Box<dyn Criterion>> {
        let name = |key| {
            let text = table.required(key, Table::text)?;
            Some(At {
                value: text.value.to_owned(),
                span: text.span,
            })
        };
        let (policy, group) = (name("policy"), name("group"));
        Some(Box::new(Use(Borrowed::new(policy?, group?))))
    }
}

impl Criterion for Use {
    fn stage(&self) -> Stage {
        self.0.stage()
    }

    fn needs(&self, facts: &Facts, _zone: &TimeZone) -> Vec<Need> {
        self.0.needs(facts)
    }

    fn uses_codes(&self, facts: &Facts) -> Vec<String> {
        self.0.uses_codes(facts)
    }

    fn borrows(&self) -> Option<&Borrowed> {
        Some(&self.0)
    }

    fn borrowed(&mut self) -> Option<&mut Borrowed> {
        Some(&mut self.0)
    }

    fn evaluate(&self, facts: &Facts, _context: &PolicyContext<'_>) -> Finding {
        self.0.ask(facts)
    }
}
