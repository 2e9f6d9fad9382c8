//! The texts for booker and admins, with their placeholders.

use super::super::codes::Code;
use super::super::diagnostic::Span;
use super::super::reader::{At, Table};
use super::super::template::{Template, TemplateError};
use super::super::text::{nearest, quote, quote_all};

/// Reads a text in which the facts of `offered` may be used.
pub(super) fn read_template(
    table: &Table<'_>,
    key: &'static str,
    offered: &[&str],
) -> Option<Template> {
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
