//! The texts for booker and admins, with their placeholders.

use std::collections::BTreeMap;

use super::super::codes::Code;
use super::super::diagnostic::Span;
use super::super::messages::{Messages, language};
use super::super::reader::{At, Table};
use super::super::template::{Template, TemplateError};
use super::super::text::{nearest, quote, quote_all};
use super::super::words::Language;

/// The language of everybody for whom there is no text of their own.
const DEFAULT: &str = "default";

/// What a text may use, and what it is written in.
#[derive(Clone, Copy)]
pub(super) struct Offered<'o> {
    /// The facts.
    pub(super) facts: &'o [&'o str],
    /// The language of a text that does not name its own.
    pub(super) language: Language,
}

impl Offered<'_> {
    /// A text without facts.
    pub(super) const NONE: Self = Offered {
        facts: &[],
        language: Language::English,
    };
}

/// Reads a text that may be there in several languages: a text, or a table with `default` and one text
/// for each language.
pub(super) fn read_messages(
    table: &Table<'_>,
    key: &'static str,
    offered: Offered<'_>,
) -> Option<Messages> {
    let value = table.value(key)?;
    if !value.get_ref().is_table() {
        return read_template(table, key, offered).map(Messages::from);
    }
    let read = |texts: &Table<'_>| {
        let default = texts.required(DEFAULT, |texts, key| read_template(texts, key, offered));
        let mut others = BTreeMap::new();
        for (name, value) in texts.entries() {
            if name.value == DEFAULT {
                continue;
            }
            let text = texts.text_of(name.value, value);
            let Some(tag) = language(name.value) else {
                let message = format!("{} is not a language", quote(name.value));
                let help = "a tag such as `de` or `pt-BR`, or `default` for all others";
                texts.report(Code::NotALanguage, name.span, message, help);
                continue;
            };
            if others.contains_key(&tag) {
                let message = format!("there are two texts for the language {}", quote(&tag));
                texts.report(Code::NotAllowed, name.span, message, "keep one of the two");
            }
            let offered = Offered {
                language: Language::of(&tag),
                ..offered
            };
            let template = text.and_then(|text| template(texts, &text, offered));
            others.extend(template.map(|template| (tag, template)));
        }
        Some(Messages::new(default?, others))
    };
    table.table_of(key, value, read).flatten()
}

/// Reads a text in which the facts of `offered` may be used.
pub(super) fn read_template(
    table: &Table<'_>,
    key: &'static str,
    offered: Offered<'_>,
) -> Option<Template> {
    template(table, &table.text(key)?, offered)
}

fn template(table: &Table<'_>, text: &At<&str>, offered: Offered<'_>) -> Option<Template> {
    let (offered, language) = (offered.facts, offered.language);
    match Template::parse(text.value, offered) {
        Ok(template) => Some(template.written_in(language)),
        Err(TemplateError::Brace(part)) => {
            let help = "a placeholder is written {name} or {name|default}; braces that are meant as such are doubled: {{ and }}";
            table.report(
                Code::BadTemplate,
                inside(table, text, &part),
                "this brace belongs to no placeholder",
                help,
            );
            None
        }
        Err(TemplateError::Unknown(part, name)) => {
            let span = inside(table, text, &part);
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
