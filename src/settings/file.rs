//! Holds the user's file against the key tree: unknown keys, wrong types and bad values are
//! reported at their place, and what is right is handed on, so that everything else is checked too.

use std::ops::Range;

use toml::de::{DeArray, DeTable, DeValue};
use toml::{Spanned, Table, Value};

use super::keys::{self, KEYS, Names, Node};
use super::kind::{Fault, Kind, type_name};
use super::report::Report;

/// Reads a settings file. What comes back is the part that is right; nothing if it is not TOML,
/// because complaints about what could be guessed of it would mislead.
pub(super) fn read(text: &str, report: &mut Report) -> Option<Table> {
    let (document, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return Some(Walk { report }.table(&KEYS, "", document.get_ref()));
    }
    for error in errors {
        syntax_error(text, &error, report);
    }
    None
}

/// The line is shown without its values: an unquoted secret is a frequent syntax error.
fn syntax_error(text: &str, error: &toml::de::Error, report: &mut Report) {
    let span = error.span().unwrap_or(0..0);
    let start = span.start.min(text.len());
    let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
    let line = &text[line_start..line_end];
    if let Some(equals) = line.find('=') {
        report.blank(line_start + equals..line_end);
    } else if !line.trim_start().starts_with('[') {
        report.blank(line_start..line_end);
    }
    report.in_file(
        start..span.end.clamp(start, line_end.max(start)),
        "this is not TOML".to_owned(),
        error.message().to_owned(),
        None,
    );
}

struct Walk<'a> {
    report: &'a mut Report,
}

impl Walk<'_> {
    /// The right part of a table. `node` is a table of either sort.
    fn table(&mut self, node: &'static Node, path: &str, table: &DeTable<'_>) -> Table {
        let mut right = Table::new();
        for (key, value) in table {
            let name: &str = key.get_ref();
            let child = match node {
                Node::Table(children) => children.iter().find(|(n, _)| *n == name).map(|(_, c)| c),
                Node::Named(names, each) => names.allow(name).then_some(*each),
                Node::One(_) | Node::Many(..) => None,
            };
            let Some(child) = child else {
                self.blank(value.get_ref(), value.span());
                self.unknown(node, path, name, key.span());
                continue;
            };
            let path = keys::join(path, name);
            if let Some(value) = self.child(child, &path, key.span(), value) {
                right.insert(name.to_owned(), value);
            }
        }
        right
    }

    fn child(
        &mut self,
        node: &'static Node,
        path: &str,
        key: Range<usize>,
        value: &Spanned<DeValue<'_>>,
    ) -> Option<Value> {
        match (node, value.get_ref()) {
            (Node::Table(_) | Node::Named(..), DeValue::Table(table)) => {
                self.report.set_in_file(path, key);
                Some(Value::Table(self.table(node, path, table)))
            }
            (Node::Table(_) | Node::Named(..), other) => {
                self.blank(other, value.span());
                self.report.mark_faulty(path);
                self.report.in_file(
                    value.span(),
                    format!("`{path}` must be a table: [{path}]"),
                    format!("this is {}", type_name(other)),
                    None,
                );
                None
            }
            (Node::One(kind), _) => {
                self.report.set_in_file(path, value.span());
                self.value(*kind, path, path, value)
            }
            (Node::Many(kind, items_max), DeValue::Array(items)) => {
                self.report.set_in_file(path, value.span());
                self.list(*kind, *items_max, path, value.span(), items)
            }
            (Node::Many(..), other) => {
                self.blank(other, value.span());
                self.report.mark_faulty(path);
                self.report.in_file(
                    value.span(),
                    format!("`{path}` must be a list: [..., ...]"),
                    format!("this is {}", type_name(other)),
                    None,
                );
                None
            }
        }
    }

    fn list(
        &mut self,
        kind: Kind,
        items_max: usize,
        path: &str,
        span: Range<usize>,
        items: &DeArray<'_>,
    ) -> Option<Value> {
        if items.len() > items_max {
            self.report.mark_faulty(path);
            self.report.blank(span.clone());
            self.report.in_file(
                span,
                format!("`{path}` has too many items"),
                format!("{} items, at most {items_max} are taken", items.len()),
                None,
            );
            return None;
        }
        let mut right = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let place = format!("{path}[{index}]");
            self.report.set_in_file(&place, item.span());
            right.extend(self.value(kind, path, &place, item));
        }
        (right.len() == items.len()).then_some(Value::Array(right))
    }

    fn value(
        &mut self,
        kind: Kind,
        path: &str,
        place: &str,
        value: &Spanned<DeValue<'_>>,
    ) -> Option<Value> {
        match kind.read(value.get_ref()) {
            Ok(value) => Some(value),
            Err(Fault {
                expected,
                found,
                may_be_shown,
            }) => {
                let nested = matches!(value.get_ref(), DeValue::Array(_) | DeValue::Table(_));
                if nested || !may_be_shown {
                    self.blank(value.get_ref(), value.span());
                }
                self.report.mark_faulty(path);
                let title = format!("`{place}` must be {expected}");
                self.report.in_file(value.span(), title, found, None);
                None
            }
        }
    }

    /// Keeps a value from being shown. The names of keys inside it may be.
    fn blank(&mut self, value: &DeValue<'_>, span: Range<usize>) {
        match value {
            DeValue::Table(table) => {
                for inner in table.values() {
                    self.blank(inner.get_ref(), inner.span());
                }
            }
            _ => self.report.blank(span),
        }
    }

    fn unknown(&mut self, node: &'static Node, path: &str, name: &str, span: Range<usize>) {
        match node {
            Node::Named(names, _) => {
                let title = format!("`{name}` is not the name of {}", names.what());
                let label = format!("a name is {}", names.rule());
                let lower = match names {
                    Names::Unit => name.to_ascii_uppercase(),
                    Names::Source | Names::Token | Names::Receiver => {
                        name.to_ascii_lowercase().replace('-', "_")
                    }
                };
                let help = names.allow(&lower).then(|| format!("write `{lower}`"));
                self.report.in_file(span, title, label, help);
            }
            Node::Table(children) => {
                let known = || children.iter().map(|(key, _)| *key);
                let title = match path {
                    "" => format!("unknown section `{name}`"),
                    _ => format!("unknown key `{name}` in [{path}]"),
                };
                let all: Vec<_> = known().collect();
                let help = format!("known here: {}", all.join(", "));
                let label = match keys::nearest(name, known()) {
                    Some(meant) => {
                        self.report.mark_faulty(&keys::join(path, meant));
                        format!("did you mean `{meant}`?")
                    }
                    None => "there is no such key".to_owned(),
                };
                self.report.in_file(span, title, label, Some(help));
            }
            Node::One(_) | Node::Many(..) => {}
        }
    }
}
