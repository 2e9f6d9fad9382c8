//! Environment variables: a copy to look things up in, and the layer that `BOOKGATE__SECTION__KEY`
//! variables make. Each is held against the key tree; an unknown one is an error, because a typing
//! mistake in a deployment must not be a setting that silently does not hold.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use toml::{Table, Value};

use super::keys::{self, KEYS, Node};
use super::kind::{Fault, Kind};
use super::report::Report;

/// What the variables that are settings begin with. Others, such as `BOOKGATE_CONFIG`, `BOOKGATE_LOG`
/// and what `env:NAME` names, do not begin so, or are named by a reference.
pub(super) const PREFIX: &str = "BOOKGATE__";

/// What stands between the parts of a key.
const SEPARATOR: &str = "__";

/// A copy of the environment. `Debug` shows names only: values may be secrets.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The environment of this process. Variables that are not UTF-8 are left out.
    pub fn of_process() -> Self {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    /// As it is, with one variable set.
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut variables = self.0.clone();
        variables.insert(name.to_owned(), value.to_owned());
        Self(variables)
    }

    /// The value of a variable.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        let own = |(name, value): (N, V)| (name.into(), value.into());
        Self(variables.into_iter().map(own).collect())
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// The layer that the environment makes. `from_file` are the texts of the settings file: a variable
/// that one of them names is a secret, whatever it is called.
pub(super) fn read(env: &Environment, from_file: &Table, report: &mut Report) -> Table {
    let settings = || env.0.iter().filter(|(name, _)| is_setting(name));
    let mut named = BTreeSet::new();
    references(&Value::Table(from_file.clone()), &mut named);
    for (_, value) in settings() {
        named.extend(value.split(',').filter_map(reference));
    }
    let mut layer = Table::new();
    for (variable, value) in settings().filter(|(name, _)| !named.contains(name.as_str())) {
        if let Some((path, value)) = setting(variable, value, report) {
            report.set_by_variable(&path.join("."), variable);
            insert(&mut layer, &path, value);
        }
    }
    layer
}

fn is_setting(name: &str) -> bool {
    name.get(..PREFIX.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}

fn reference(text: &str) -> Option<String> {
    text.trim().strip_prefix("env:").map(str::to_owned)
}

fn references(value: &Value, named: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => named.extend(reference(text)),
        Value::Array(items) => items.iter().for_each(|item| references(item, named)),
        Value::Table(table) => table.values().for_each(|item| references(item, named)),
        _ => {}
    }
}

/// The key that a variable sets, and its value, if both are right.
fn setting(variable: &str, text: &str, report: &mut Report) -> Option<(Vec<String>, Value)> {
    let mut node = &KEYS;
    let mut path: Vec<String> = Vec::new();
    let mut segments = variable[PREFIX.len()..].split(SEPARATOR);
    while let Some(segment) = segments.next() {
        let (name, child) = match node {
            Node::Table(children) => {
                let lower = segment.to_ascii_lowercase();
                let child = children.iter().find(|(name, _)| *name == lower);
                (lower, child.map(|(_, child)| child))
            }
            Node::Named(names, each) => {
                let name = names.name_in_variable(segment);
                let allowed = names.allow(&name);
                (name, allowed.then_some(*each))
            }
            Node::One(_) | Node::Many(..) => (segment.to_owned(), None),
        };
        let Some(child) = child else {
            let unknown = Unknown {
                variable,
                node,
                path: &path,
                segment,
                rest: segments.collect(),
            };
            unknown.report(report);
            return None;
        };
        node = child;
        path.push(name);
    }
    let key = path.join(".");
    let value = match node {
        Node::One(kind) => checked(*kind, &key, variable, text, report)?,
        Node::Many(kind, items_max) => list(*kind, *items_max, &key, variable, text, report)?,
        Node::Table(_) | Node::Named(..) => {
            let title = format!("{variable} names a section, not a key");
            let label = format!("go on with {SEPARATOR}KEY");
            report.in_variable(variable, title, label, below(node));
            return None;
        }
    };
    Some((path, value))
}

fn list(
    kind: Kind,
    items_max: usize,
    key: &str,
    variable: &str,
    text: &str,
    report: &mut Report,
) -> Option<Value> {
    let items: Vec<&str> = match text.trim() {
        "" => Vec::new(),
        text => text.split(',').map(str::trim).collect(),
    };
    if items.len() > items_max {
        let title = format!("`{key}` has too many items");
        let label = format!("{} items, at most {items_max} are taken", items.len());
        report.mark_faulty(key);
        report.in_variable(variable, title, label, None);
        return None;
    }
    let checked: Vec<Value> = items
        .iter()
        .filter_map(|item| checked(kind, key, variable, item, report))
        .collect();
    (checked.len() == items.len()).then_some(Value::Array(checked))
}

fn checked(
    kind: Kind,
    key: &str,
    variable: &str,
    text: &str,
    report: &mut Report,
) -> Option<Value> {
    match kind.read_variable(text) {
        Ok(value) => Some(value),
        Err(Fault {
            expected, found, ..
        }) => {
            report.mark_faulty(key);
            let title = format!("`{key}` must be {expected}");
            report.in_variable(variable, title, found, None);
            None
        }
    }
}

/// A variable that leads nowhere: `segment` is not among what `node`, reached by `path`, has.
struct Unknown<'a> {
    variable: &'a str,
    node: &'a Node,
    path: &'a [String],
    segment: &'a str,
    rest: Vec<&'a str>,
}

impl Unknown<'_> {
    fn report(&self, report: &mut Report) {
        let label = match self.node {
            _ if self.segment.is_empty() => format!("a name is missing after {SEPARATOR}"),
            Node::Table(children) => {
                let known = children.iter().map(|(key, _)| *key);
                match keys::nearest(self.segment, known) {
                    Some(meant) => self.meant(meant, report),
                    None => format!("there is no `{}`", self.segment.to_ascii_lowercase()),
                }
            }
            Node::Named(names, _) => format!("a name is {}", names.rule()),
            Node::One(_) | Node::Many(..) => {
                format!("`{}` has no keys below it", self.path.join("."))
            }
        };
        let title = format!("{} is no setting", self.variable);
        report.in_variable(self.variable, title, label, below(self.node));
    }

    fn meant(&self, meant: &str, report: &mut Report) -> String {
        let mut path = self.path.to_vec();
        path.push(meant.to_owned());
        path.extend(self.rest.iter().map(|segment| segment.to_ascii_lowercase()));
        report.mark_faulty(&path.join("."));
        let variable = path.join(SEPARATOR).to_ascii_uppercase();
        format!("did you mean {PREFIX}{variable}?")
    }
}

/// The keys that a table has.
fn below(node: &Node) -> Option<String> {
    let Node::Table(children) = node else {
        return None;
    };
    let known: Vec<_> = children
        .iter()
        .map(|(key, _)| key.to_ascii_uppercase())
        .collect();
    Some(format!("known here: {}", known.join(", ")))
}

fn insert(layer: &mut Table, path: &[String], value: Value) {
    let Some((key, tables)) = path.split_last() else {
        return;
    };
    let mut table = layer;
    for name in tables {
        let entry = table
            .entry(name.clone())
            .or_insert_with(|| Value::Table(Table::new()));
        let Value::Table(inner) = entry else { return };
        table = inner;
    }
    table.insert(key.clone(), value);
}
