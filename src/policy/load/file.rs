//! One policy file, section by section.

use std::sync::Arc;

use jiff::tz::TimeZone;
use toml::de::{DeTable, DeValue};

use super::super::canonical;
use super::super::codes::Code;
use super::super::compiled::{Policy, Role};
use super::super::criterion::Scope;
use super::super::diagnostic::{Diagnostic, Sink, SourceFile};
use super::super::lists::Shelf;
use super::super::reader::Table;
use super::super::text::{clean, quote};
use super::super::vault::Vault;
use super::super::words::Language;
use super::LoadContext;
use super::join::Draft;
use super::{FILE_BYTES_MAX, credits, criteria, header, selftest};

/// The version of the language this is.
const SCHEMA: i64 = 1;
/// Keys that carry a secret wherever they stand.
const SECRET_KEYS: [&str; 4] = ["secret", "password", "token", "api_key"];
/// The longest parser message that is repeated, in characters.
const SYNTAX_CHARS_MAX: usize = 200;

/// Reads one file, or what was kept of one (`of_archive`). The policy is there only if no error was found in it; its tests have yet to run.
pub(super) fn read(
    source: &Arc<SourceFile>,
    context: &LoadContext<'_>,
    of_archive: bool,
) -> (Option<Draft>, Vec<Diagnostic>) {
    let sink = Sink::new(Arc::clone(source));
    if source.text.len() > FILE_BYTES_MAX {
        let message = format!("the file has {} bytes", source.text.len());
        let help = format!("at most {FILE_BYTES_MAX}; long lists belong into a list file");
        sink.add(sink.at(Code::FileTooLarge, 0..0, message).help(help));
        return (None, sink.into_items());
    }
    let (root, errors) = DeTable::parse_recoverable(&source.text);
    for error in &errors {
        let span = error.span().unwrap_or(0..0);
        let message = clean(error.message(), SYNTAX_CHARS_MAX);
        let diagnostic = sink.at(Code::Syntax, span, message);
        // What cannot be parsed cannot be searched for secrets, so it is not shown if there may be one.
        let hide = SECRET_KEYS.iter().any(|key| source.text.contains(key));
        sink.add(if hide {
            diagnostic.without_source()
        } else {
            diagnostic
        });
    }
    // What the parser made up to go on would only cause more noise.
    if !errors.is_empty() {
        return (None, sink.into_items());
    }
    let policy = policy(root.get_ref(), &sink, context, of_archive);
    (policy, sink.into_items())
}

fn policy(
    root: &DeTable<'_>,
    sink: &Sink,
    context: &LoadContext<'_>,
    of_archive: bool,
) -> Option<Draft> {
    refuse_secrets(root, sink);
    // Other remarks would show the lines they are about, and a secret may stand there.
    if sink.has_errors() {
        return None;
    }
    let file = Table::file(root, sink);
    schema(&file);
    let header = file
        .required("policy", |file, key| file.table(key, header::read))
        .flatten();
    let matching = file.table("match", header::read_match).unwrap_or_default();
    let role = header.as_ref().map_or(Role::Deciding, |header| header.role);
    let language = header
        .as_ref()
        .map_or(Language::default(), |header| header.language);
    let credits = file
        .table("credits", |table| {
            credits::read(table, context.units, role, language)
        })
        .flatten();
    let (credits, waive_if) = credits.unzip();
    let vault = Vault::new(context.read_secret);
    let mut shelf = Shelf::new(sink, context, &vault, of_archive);
    file.table("lists", |table| shelf.fill(table));
    let zone = header
        .as_ref()
        .map_or(TimeZone::UTC, |header| header.zone.clone());
    let scope = Scope {
        units: context.units,
        unit: credits.as_ref().map(|credits| &credits.unit),
        priced: credits
            .as_ref()
            .is_some_and(|credits| credits.cost.is_some()),
        zone: &zone,
        language,
        hosts: context.hosts,
        lists: &shelf,
        vault: &vault,
        matching: &matching,
        policy: header.as_ref().map_or("", |header| &header.id.value),
    };
    let conditions = criteria::read(&file, &scope, waive_if.flatten());
    let tests = selftest::read(&file, scope.unit, context.units, &matching);
    file.finish();
    shelf.report_unused();
    let header = header.filter(|_| !sink.has_errors())?;
    let lists = shelf.files();
    let policy = Policy {
        id: header.id.value.into(),
        title: header.title,
        owner: header.owner,
        description: header.description,
        role: header.role,
        mode: header.mode,
        zone,
        on_unknown: header.on_unknown,
        priority: header.priority,
        show: header.show,
        shadow_since: header.shadow_since,
        shadow_of: header.shadow_of,
        matching,
        credits,
        waive_if: conditions.waive_if,
        rules: conditions.rules,
        require: conditions.require,
        groups: conditions.groups,
        order: conditions.order,
        tests: tests.len(),
        hash: canonical::hash(root, &lists),
        lists,
        source: Arc::clone(sink.source()),
        id_span: header.id.span,
    };
    Some(Draft { policy, tests })
}

fn schema(file: &Table<'_>) {
    if !file.contains("schema") {
        let diagnostic = file.sink().at(
            Code::UnknownSchema,
            0..0,
            "the file does not say which version of the language it is in",
        );
        file.sink().add(diagnostic.suggest(
            0..0,
            "begin with this line",
            format!("schema = {SCHEMA}\n"),
        ));
    }
    if let Some(schema) = file.integer("schema", 0..=i64::MAX)
        && schema.value != SCHEMA
    {
        let message = format!("this version reads schema {SCHEMA}, not {}", schema.value);
        file.report(
            Code::UnknownSchema,
            schema.span,
            message,
            format!("write `schema = {SCHEMA}`"),
        );
    }
}

/// Reports every secret that is written out. Its line is never shown.
pub(in crate::policy) fn refuse_secrets(table: &DeTable<'_>, sink: &Sink) {
    for (key, value) in table.iter() {
        match value.get_ref() {
            DeValue::String(text) if SECRET_KEYS.contains(&key.get_ref().as_ref()) => {
                let named = text.starts_with("env:") || text.starts_with("file:");
                if !named {
                    let message = format!("{} is written into the policy", quote(key.get_ref()));
                    let diagnostic = sink.at(Code::InlineSecret, value.span(), message);
                    sink.add(diagnostic.without_source().help(
                        "only say where it is: \"env:NAME\" or \"file:PATH\"; and change it, because it was seen here",
                    ));
                }
            }
            DeValue::Table(inner) => refuse_secrets(inner, sink),
            DeValue::Array(items) => {
                for item in items.iter() {
                    if let DeValue::Table(inner) = item.get_ref() {
                        refuse_secrets(inner, sink);
                    }
                }
            }
            _ => {}
        }
    }
}
