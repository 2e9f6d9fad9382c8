//! `[[criterion]]` and `[require]`.

use super::super::codes::Code;
use super::super::compiled::Rule;
use super::super::criterion::{CriterionKind, Scope};
use super::super::diagnostic::Span;
use super::super::facts::{Need, Stage};
use super::super::kinds::{KINDS, kind};
use super::super::reader::{At, Table, Value};
use super::super::require::{Node, Shape, TREE_DEPTH_MAX};
use super::super::template::{Template, TemplateError};
use super::super::text::{nearest, quote, quote_all};
use super::super::truth::Truth;
use super::header::read_id;

/// The most criteria of one policy.
const CRITERIA_MAX: usize = 200;

/// The ids of all criteria, also of those that could not be read, by place in the file.
type Ids = Vec<Option<At<String>>>;

/// Reads all criteria and the tree over them. Places in the tree only fit the criteria if no error
/// was reported.
pub(super) fn read(file: &Table<'_>, scope: &Scope<'_>) -> (Vec<Rule>, Node) {
    let (mut ids, mut rules): (Ids, Vec<Rule>) = (Vec::new(), Vec::new());
    file.tables("criterion", |table| {
        let id = table.required("id", read_id);
        report_duplicate(table, &ids, id.as_ref());
        rules.extend(read_rule(table, id.as_ref(), scope));
        ids.push(id);
    });
    if ids.len() > CRITERIA_MAX {
        let message = format!("the policy has {} criteria", ids.len());
        file.report(
            Code::TooMany,
            file.span(),
            message,
            format!("at most {CRITERIA_MAX}"),
        );
    }
    let node = if file.contains("require") {
        let before = file.sink().errors();
        let node = file
            .table("require", |table| Reader { ids: &ids }.node(table, 1))
            .flatten();
        if let Some(node) = node.as_ref().filter(|_| file.sink().errors() == before) {
            report_unused(file, &ids, node);
        }
        node
    } else {
        file.value("require");
        None
    };
    if ids.is_empty() && !file.sink().has_errors() {
        let help = "without criteria every booking that matches is accepted";
        file.report(Code::AcceptsAll, 0..0, "the policy has no criteria", help);
    }
    let every = || {
        Shape::All(
            (0..ids.len())
                .map(|index| Shape::Criterion(index).into())
                .collect(),
        )
    };
    (rules, node.unwrap_or_else(|| every().into()))
}

fn report_duplicate(table: &Table<'_>, ids: &Ids, id: Option<&At<String>>) {
    let Some(id) = id else { return };
    let first = ids.iter().flatten().find(|first| first.value == id.value);
    if let Some(first) = first {
        let sink = table.sink();
        let message = format!("two criteria are called `{}`", id.value);
        let diagnostic = sink.at(Code::DuplicateId, id.span.clone(), message);
        sink.add(diagnostic.relate(sink.source(), first.span.clone(), "the other one is here"));
    }
}

fn report_unused(file: &Table<'_>, ids: &Ids, node: &Node) {
    let used = node.criteria();
    for (index, id) in ids.iter().enumerate() {
        if let Some(id) = id
            && !used.contains(&index)
        {
            let message = format!("the criterion `{}` is not used in `[require]`", id.value);
            let help = "it is never asked: add it there, or remove it";
            file.report(Code::Unused, id.span.clone(), message, help);
        }
    }
}

fn read_rule(table: &Table<'_>, id: Option<&At<String>>, scope: &Scope<'_>) -> Option<Rule> {
    let errors = [
        ("fail", Truth::Fail),
        ("pass", Truth::Pass),
        ("unknown", Truth::Unknown),
    ];
    let on_error = table.choice("on_error", &errors);
    let Some(kind) = table.required("kind", read_kind) else {
        // Which keys belong here depends on the kind.
        table.entries();
        return None;
    };
    let message = read_template(table, "message", kind.placeholders());
    let note = read_template(table, "note", kind.placeholders());
    let criterion = kind.parse(table, scope)?;
    let default = || Template::parse(kind.default_message(), kind.placeholders()).ok();
    Some(Rule {
        id: id?.value.as_str().into(),
        kind: kind.name(),
        stage: criterion
            .needs()
            .iter()
            .map(|need: &Need| need.stage())
            .max()
            .unwrap_or(Stage::Pure),
        criterion,
        message: message.or_else(default)?,
        note,
        on_error: on_error.map_or(Truth::Unknown, |at| at.value),
        span: table.span(),
    })
}

fn read_kind(table: &Table<'_>, key: &'static str) -> Option<&'static dyn CriterionKind> {
    let name = table.text(key)?;
    let found = kind(name.value);
    if found.is_none() {
        let names = || KINDS.iter().map(|kind| kind.name());
        let message = format!("there is no kind of criterion {}", quote(name.value));
        let help = format!("one of {}", quote_all(names()));
        let mut diagnostic = table
            .sink()
            .at(Code::UnknownKind, name.span.clone(), message)
            .help(help);
        if let Some(meant) = nearest(name.value, names()) {
            let text = format!("did you mean `{meant}`?");
            diagnostic = diagnostic.suggest(name.span, text, format!("\"{meant}\""));
        }
        table.sink().add(diagnostic);
    }
    found
}

fn read_template(table: &Table<'_>, key: &'static str, offered: &[&str]) -> Option<Template> {
    let text = table.text(key)?;
    match Template::parse(text.value, offered) {
        Ok(template) => Some(template),
        Err(TemplateError::Brace(part)) => {
            let help = "a placeholder is written {name} or {name|default}; braces that are meant as such are doubled: {{ and }}";
            table.report(
                Code::BadTemplate,
                inside(table, &text, &part),
                "this brace belongs to no placeholder",
                help,
            );
            None
        }
        Err(TemplateError::Unknown(part, name)) => {
            let span = inside(table, &text, &part);
            let message = format!("the placeholder {} is not offered here", quote(&name));
            let help = match offered {
                [] => "no placeholders are offered here".to_owned(),
                _ => format!("offered: {}", quote_all(offered.iter().copied())),
            };
            let mut diagnostic = table
                .sink()
                .at(Code::UnknownPlaceholder, span.clone(), message)
                .help(help);
            // Only where the span is the name alone, a replacement can be offered.
            if let Some(meant) =
                nearest(&name, offered.iter().copied()).filter(|_| span.len() == name.len())
            {
                diagnostic = diagnostic.suggest(span, format!("did you mean `{meant}`?"), meant);
            }
            table.sink().add(diagnostic);
            None
        }
    }
}

/// The place of a part of a text in the file: exact where the text is written without escapes, else
/// the whole text.
fn inside(table: &Table<'_>, text: &At<&str>, part: &Span) -> Span {
    let source = &table.sink().source().text;
    let written = source.get(text.span.start + 1..text.span.end.saturating_sub(1));
    if written == Some(text.value) {
        let start = text.span.start + 1;
        start + part.start..start + part.end
    } else {
        text.span.clone()
    }
}

/// Reads the tree.
struct Reader<'i> {
    ids: &'i Ids,
}

impl Reader<'_> {
    fn node(&self, table: &Table<'_>, depth: usize) -> Option<Node> {
        if depth > TREE_DEPTH_MAX {
            table.entries();
            let message = format!("conditions are nested deeper than {TREE_DEPTH_MAX}");
            table.report(
                Code::TooMany,
                table.span(),
                message,
                "break the policy up, or write it flatter",
            );
            return None;
        }
        let message = read_template(table, "message", &[]);
        let parts = |key| table.list(key, |table, item| self.item(table, key, item, depth));
        let (all, any) = (parts("all"), parts("any"));
        let not = table
            .value("not")
            .and_then(|item| self.item(table, "not", item, depth));
        if let Some(any) = any.as_ref().filter(|any| any.value.len() == 1) {
            table.report(
                Code::AnyOfOne,
                any.span.clone(),
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
        Some(Node { shape, message })
    }

    fn item(&self, table: &Table<'_>, key: &str, item: Value<'_>, depth: usize) -> Option<Node> {
        if item.get_ref().is_table() {
            return table
                .table_of(key, item, |inner| self.node(inner, depth + 1))
                .flatten();
        }
        if !item.get_ref().is_str() {
            return table.wrong_type(
                key,
                item,
                "a criterion's id or a table with `all`, `any` or `not`",
            );
        }
        let id = table.text_of(key, item)?;
        let known = || self.ids.iter().flatten().map(|id| id.value.as_str());
        let index = self
            .ids
            .iter()
            .position(|known| known.as_ref().is_some_and(|known| known.value == id.value));
        if index.is_none() {
            let message = format!("there is no criterion {}", quote(id.value));
            let help = format!("defined in this file: {}", quote_all(known()));
            let mut diagnostic = table
                .sink()
                .at(Code::UnknownCriterion, id.span.clone(), message)
                .help(help);
            if let Some(meant) = nearest(id.value, known()) {
                diagnostic = diagnostic.suggest(
                    id.span,
                    format!("did you mean `{meant}`?"),
                    format!("\"{meant}\""),
                );
            }
            table.sink().add(diagnostic);
        }
        index.map(|index| Shape::Criterion(index).into())
    }
}
