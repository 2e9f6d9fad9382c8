//! Kinds of the installation's own: `kinds/NAME.toml` in the policies' folder has the keys of `http`, and
//! names the parameters that a criterion with `kind = "NAME"` gives. They are sent with the rest.

use std::sync::Arc;

use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::DeTable;

use super::read;
use crate::policy::codes::Code;
use crate::policy::criterion::{Criterion, Scope};
use crate::policy::diagnostic::{Diagnostic, Sink, SourceFile};
use crate::policy::keys::Shape;
use crate::policy::kinds;
use crate::policy::load::refuse_secrets;
use crate::policy::reader::Table;
use crate::policy::text::{clean, is_id, quote};

/// The most parameters of a kind.
const PARAMS_MAX: usize = 32;
/// The longest parser message that is repeated, in characters.
const SYNTAX_CHARS_MAX: usize = 200;

/// A kind of the installation's own.
pub(in crate::policy) struct Preset(Arc<SourceFile>);

/// What a parameter may be.
#[derive(Debug, Clone, Copy)]
enum Param {
    Text,
    Number,
    Switch,
}

impl Preset {
    /// The kind of that name, which is an id; `None` if there is no such file.
    pub(in crate::policy) fn find(name: &str, scope: &Scope<'_>) -> Option<Self> {
        let name = format!("kinds/{name}.toml");
        let text = scope.lists.whole(&name)?;
        Some(Self(Arc::new(SourceFile { name, text })))
    }

    /// The kind of a file `kinds/NAME.toml`, with its name; `None` if no criterion can name it so.
    pub(in crate::policy) fn of(file: SourceFile) -> Option<(String, Self)> {
        let name = file.name.strip_prefix("kinds/")?.strip_suffix(".toml")?;
        let name = Some(name).filter(|name| is_id(name) && kinds::kind(name).is_none())?;
        Some((name.to_owned(), Self(Arc::new(file))))
    }

    /// Reads a criterion of this kind. What is wrong with the kind itself is reported in its own file.
    pub(in crate::policy) fn parse(
        &self,
        table: &Table<'_>,
        scope: &Scope<'_>,
    ) -> Option<Box<dyn Criterion>> {
        let sink = Sink::new(Arc::clone(&self.0));
        let criterion = self.parse_into(&sink, table, scope);
        let has_errors = sink.has_errors();
        for diagnostic in sink.into_items() {
            table.sink().add(diagnostic);
        }
        criterion.filter(|_| !has_errors)
    }

    fn parse_into(
        &self,
        sink: &Sink,
        table: &Table<'_>,
        scope: &Scope<'_>,
    ) -> Option<Box<dyn Criterion>> {
        let root = self.root(sink)?;
        let kind = Table::file(root.get_ref(), sink);
        let params = kind.table("params", declared).unwrap_or_default();
        let given = given(table, &params);
        let http = read::read(&kind, scope, table.peek("id").unwrap_or_default(), given);
        kind.finish();
        Some(Box::new(http?))
    }

    /// The keys that a criterion of this kind gives beside those of every kind; all of them have to be there.
    ///
    /// # Errors
    /// The file is no TOML, or its `params` are wrong. Nothing else of it is looked at.
    pub(in crate::policy) fn keys(&self) -> Result<Vec<(String, Shape)>, Vec<Diagnostic>> {
        let sink = Sink::new(Arc::clone(&self.0));
        let params = self.root(&sink).and_then(|root| {
            let kind = Table::file(root.get_ref(), &sink);
            kind.table("params", declared)
        });
        if sink.has_errors() {
            return Err(sink.into_items());
        }
        let params = params.unwrap_or_default().into_iter();
        Ok(params.map(|(name, param)| (name, param.shape())).collect())
    }

    fn root(&self, sink: &Sink) -> Option<Spanned<DeTable<'_>>> {
        let root = match DeTable::parse(&self.0.text) {
            Ok(root) => root,
            Err(error) => {
                let message = clean(error.message(), SYNTAX_CHARS_MAX);
                let diagnostic = sink.at(Code::Syntax, error.span().unwrap_or(0..0), message);
                // A secret may stand there.
                sink.add(diagnostic.without_source());
                return None;
            }
        };
        refuse_secrets(root.get_ref(), sink);
        (!sink.has_errors()).then_some(root)
    }
}

impl Param {
    fn shape(self) -> Shape {
        match self {
            Self::Text => Shape::Text,
            Self::Number => Shape::Whole(i64::MIN, i64::MAX),
            Self::Switch => Shape::Switch,
        }
    }
}

/// `params = { tier = "text" }`.
fn declared(table: &Table<'_>) -> Vec<(String, Param)> {
    let entries = table.entries();
    if entries.len() > PARAMS_MAX {
        let message = format!("there are {} parameters", entries.len());
        let help = format!("at most {PARAMS_MAX}");
        table.report(Code::TooMany, table.span(), message, help);
    }
    let words = [
        ("text", Param::Text),
        ("number", Param::Number),
        ("switch", Param::Switch),
    ];
    let params = entries.into_iter().filter_map(|(name, value)| {
        let param = table.choice_of(name.value, value, &words)?.value;
        Some((name.value.to_owned(), param))
    });
    params.collect()
}

/// What a criterion gives; all that is declared has to be there.
fn given(table: &Table<'_>, params: &[(String, Param)]) -> Map<String, Value> {
    let mut all = Map::new();
    for (name, param) in params {
        let Some(value) = table.value_named(name) else {
            let message = format!("{} needs {}", table.name(), quote(name));
            let sink = table.sink();
            sink.add(sink.at(Code::MissingKey, table.span(), message));
            continue;
        };
        let value: Option<Value> = match param {
            Param::Text => table.text_of(name, value).map(|at| at.value.into()),
            Param::Number => table
                .integer_of(name, value, i64::MIN..=i64::MAX)
                .map(|at| at.value.into()),
            Param::Switch => match value.get_ref().as_bool() {
                Some(switch) => Some(switch.into()),
                None => table.wrong_type(name, value, "true or false"),
            },
        };
        all.extend(value.map(|value| (name.clone(), value)));
    }
    all
}
