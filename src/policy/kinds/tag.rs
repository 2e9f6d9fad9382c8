//! `tag`: words that admins have put to the booker, such as `vip`.

use jiff::tz::TimeZone;

use crate::policy::criterion::{Criterion, CriterionKind, Finding, PolicyContext, Scope};
use crate::policy::facts::{Facts, Need, Stage};
use crate::policy::keys::{Key, Shape};
use crate::policy::load::header::read_ids;
use crate::policy::reader::Table;

pub(super) struct Kind;

#[derive(Debug)]
struct Tag {
    any: Option<Vec<String>>,
    all: Vec<String>,
    none: Vec<String>,
}

impl CriterionKind for Kind {
    fn name(&self) -> &'static str {
        "tag"
    }

    fn placeholders(&self) -> &'static [&'static str] {
        &["tags"]
    }

    fn default_message(&self) -> &'static str {
        "This cannot be booked by everybody."
    }

    fn example(&self) -> &'static str {
        "any = [\"vip\", \"board\"]"
    }

    fn keys(&self) -> &'static [Key] {
        const KEYS: &[Key] = &[
            Key::new("any", Shape::Many(&Shape::Id), "One of these at least"),
            Key::new("all", Shape::Many(&Shape::Id), "All of these"),
            Key::new("none", Shape::Many(&Shape::Id), "None of these"),
        ];
        KEYS
    }

    fn parse(&self, table: &Table<'_>, _scope: &Scope<'_>) -> Option<Box<dyn Criterion>> {
        let any = read_ids(table, "any");
        table.refuse_empty("any", "nobody would pass");
        let (all, none) = (read_ids(table, "all"), read_ids(table, "none"));
        let help = "add `any`, `all` or `none`, such as `any = [\"vip\"]`";
        table.refuse_nothing(&["any", "all", "none"], help);
        Some(Box::new(Tag {
            any,
            all: all.unwrap_or_default(),
            none: none.unwrap_or_default(),
        }))
    }
}

impl Criterion for Tag {
    fn stage(&self) -> Stage {
        Stage::LocalRead
    }

    fn needs(&self, _facts: &Facts, _zone: &TimeZone) -> Vec<Need> {
        vec![Need::Tags]
    }

    fn evaluate(&self, facts: &Facts, _context: &PolicyContext<'_>) -> Finding {
        let tags = match facts.tags() {
            Ok(tags) => tags,
            Err(why) => return Finding::error(why),
        };
        let has = |tag: &String| tags.contains(tag);
        let any = self.any.as_ref().is_none_or(|any| any.iter().any(has));
        let met = any && self.all.iter().all(has) && !self.none.iter().any(has);
        let words: Vec<_> = tags.iter().map(String::as_str).collect();
        Finding::of(met).with("tags", words.join(", "))
    }
}
