//! Conditions: `[require]`, `[groups]` and the names behind `when` and `waive_if`.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use super::super::codes::Code;
use super::super::reader::{At, Table, Value};
use super::super::require::{Node, Shape, TREE_DEPTH_MAX};
use super::super::text::{nearest, quote, quote_all};
use super::criteria::Ids;
use super::header::checked_id;
use super::messages::{Offered, read_messages};

/// The most conditions of one tree, those of its groups counted each time they are named. Without it
/// a dozen groups that name each other twice would be thousands.
const CONDITIONS_MAX: usize = 2_000;

/// Reads trees over the criteria and groups of a file.
pub(super) struct Reader<'i, 'a> {
    ids: &'i Ids,
    groups: BTreeMap<&'a str, Group<'a>>,
    /// The groups being read, the outermost first.
    reading: RefCell<Vec<&'a str>>,
    too_large: Cell<bool>,
}

struct Group<'a> {
    value: Value<'a>,
    /// Once it was read: the tree, or nothing if it has mistakes.
    node: RefCell<Option<Option<Node>>>,
}

impl<'i, 'a> Reader<'i, 'a> {
    /// Reads `[groups]`.
    pub(super) fn new(file: &Table<'a>, ids: &'i Ids) -> Self {
        let mut reader = Self {
            ids,
            groups: BTreeMap::new(),
            reading: RefCell::default(),
            too_large: Cell::new(false),
        };
        file.table("groups", |table| {
            for (name, value) in table.entries() {
                reader.define(table, name, value);
            }
            for name in reader.groups.keys() {
                reader.group(table, name);
            }
        });
        reader
    }

    fn define(&mut self, table: &Table<'a>, name: At<&'a str>, value: Value<'a>) {
        let (key, span) = (name.value, name.span.clone());
        let Some(id) = checked_id(table, name) else {
            return;
        };
        let first = self.ids.iter().flatten().find(|one| one.value == id.value);
        if let Some(first) = first {
            let sink = table.sink();
            let message = format!("a criterion and a group are both called `{}`", id.value);
            let diagnostic = sink.at(Code::DuplicateId, span, message);
            sink.add(diagnostic.relate(sink.source(), first.span.clone(), "the criterion"));
        }
        let node = RefCell::default();
        self.groups.insert(key, Group { value, node });
    }

    /// All groups that have no mistakes.
    pub(super) fn groups(&self) -> BTreeMap<String, Node> {
        let groups = self.groups.iter();
        groups
            .filter_map(|(name, group)| Some(((*name).to_owned(), group.node.borrow().clone()??)))
            .collect()
    }

    /// The tree of a group; `None` if there is none, or one with mistakes.
    fn group(&self, table: &Table<'a>, name: &str) -> Option<Node> {
        let (name, group) = self.groups.get_key_value(name)?;
        if let Some(node) = &*group.node.borrow() {
            return node.clone();
        }
        self.reading.borrow_mut().push(name);
        let node = table
            .table_of(name, group.value, |inner| self.node(inner, 1))
            .flatten();
        self.reading.borrow_mut().pop();
        *group.node.borrow_mut() = Some(node.clone());
        node
    }

    /// Reads a condition.
    pub(super) fn node(&self, table: &Table<'a>, depth: usize) -> Option<Node> {
        if depth > TREE_DEPTH_MAX {
            table.entries();
            self.report_depth(table);
            return None;
        }
        let message = read_messages(table, "message", Offered::NONE);
        let parts = |key| table.list(key, |table, item| self.item(table, key, item, depth));
        let (all, any) = (parts("all"), parts("any"));
        let not = table
            .value("not")
            .and_then(|item| self.item(table, "not", item, depth));
        let single =
            |value: &Value<'_>| value.get_ref().as_array().is_some_and(|all| all.len() == 1);
        if let Some(any) = table.value("any").filter(single) {
            table.report(
                Code::AnyOfOne,
                any.span(),
                "`any` with a single item",
                "write the item itself, or add the others",
            );
        }
        for key in ["all", "any"] {
            table.refuse_empty(key, "it asks for nothing");
        }
        let written = ["all", "any", "not"]
            .iter()
            .filter(|key| table.contains(key))
            .count();
        if written != 1 {
            let message = "a condition has exactly one of `all`, `any` and `not`";
            let help = "nest them: all = [\"a\", { any = [\"b\", \"c\"] }, { not = \"d\" }]";
            table.report(Code::NotAllowed, table.span(), message, help);
            return None;
        }
        let shape = match (all, any, not) {
            (Some(all), _, _) => Shape::All(all.value),
            (_, Some(any), _) => Shape::Any(any.value),
            (_, _, not) => Shape::Not(Box::new(not?)),
        };
        let node = Node { shape, message };
        let (count, nested) = node.extent();
        if depth + nested > TREE_DEPTH_MAX + 1 {
            self.report_depth(table);
            return None;
        }
        if count > CONDITIONS_MAX {
            self.report_size(table, count);
            return None;
        }
        Some(node)
    }

    fn item(&self, table: &Table<'a>, key: &str, item: Value<'a>, depth: usize) -> Option<Node> {
        if item.get_ref().is_table() {
            return table
                .table_of(key, item, |inner| self.node(inner, depth + 1))
                .flatten();
        }
        if !item.get_ref().is_str() {
            return table.wrong_type(
                key,
                item,
                "the id of a criterion or group, or a table with `all`, `any` or `not`",
            );
        }
        self.named(table, &table.text_of(key, item)?)
    }

    /// The criterion or the group of that name.
    pub(super) fn named(&self, table: &Table<'a>, id: &At<&'a str>) -> Option<Node> {
        let is =
            |known: &Option<At<String>>| known.as_ref().is_some_and(|one| one.value == id.value);
        if let Some(index) = self.ids.iter().position(is) {
            return Some(Shape::Criterion(index).into());
        }
        if self.reading.borrow().contains(&id.value) {
            let message = format!("the group {} rests on itself", quote(id.value));
            let mut way = self.reading.borrow().clone();
            way.push(id.value);
            let help = format!("one leads to the next: {}", quote_all(way));
            table.report(Code::Cycle, id.span.clone(), message, help);
            return None;
        }
        if self.groups.contains_key(id.value) {
            return self.group(table, id.value);
        }
        self.report_unknown(table, id);
        None
    }

    fn report_unknown(&self, table: &Table<'a>, id: &At<&str>) {
        let criteria = self.ids.iter().flatten().map(|id| id.value.as_str());
        let known: Vec<&str> = criteria.chain(self.groups.keys().copied()).collect();
        let what = match self.groups.is_empty() {
            true => "criterion",
            false => "criterion or group",
        };
        let message = format!("there is no {what} {}", quote(id.value));
        let help = format!("defined in this file: {}", quote_all(known.iter().copied()));
        let mut diagnostic = table
            .sink()
            .at(Code::UnknownCriterion, id.span.clone(), message)
            .help(help);
        if let Some(meant) = nearest(id.value, known) {
            diagnostic = diagnostic.suggest(
                id.span.clone(),
                format!("did you mean `{meant}`?"),
                format!("\"{meant}\""),
            );
        }
        table.sink().add(diagnostic);
    }

    fn report_depth(&self, table: &Table<'a>) {
        if !self.too_large.replace(true) {
            let message = format!("conditions are nested deeper than {TREE_DEPTH_MAX}");
            let help = "break the policy up, or write it flatter";
            table.report(Code::TooMany, table.span(), message, help);
        }
    }

    fn report_size(&self, table: &Table<'a>, count: usize) {
        if !self.too_large.replace(true) {
            let message = format!("with all its groups, this condition has {count} parts");
            let help = format!("at most {CONDITIONS_MAX}; name each group in fewer places");
            table.report(Code::TooMany, table.span(), message, help);
        }
    }
}
