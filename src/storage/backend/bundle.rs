//! Several questions asked at once. To a server each statement is a way there and back; what has to be
//! known together is asked for together, and comes back as one row with a JSON text for each question.
//! A file is at hand, and asked one by one.

use serde_json::{Map, Value as Json};

use super::{Row, Sql, Tx, Value};
use crate::storage::error::StorageError;

/// Questions that bind the same values. Each is a plain `SELECT` of named columns that are numbers or
/// texts: no functions.
pub(in crate::storage) struct Bundle {
    questions: &'static [Sql],
    together: Sql,
}

impl Bundle {
    /// Puts questions together.
    pub(in crate::storage) fn new(questions: &'static [Sql]) -> Self {
        let on_a_server = |at: usize, sql: &Sql| {
            let sql = sql.postgres;
            format!("(SELECT CAST(json_agg(one) AS TEXT) FROM ({sql}) AS one) AS part{at}")
        };
        Self {
            questions,
            together: Sql {
                // Asked one by one.
                sqlite: "",
                postgres: all(questions, on_a_server),
                in_sets: true,
            },
        }
    }
}

/// One statement of many. It is kept for as long as the process lives, as all statements are.
fn all(questions: &[Sql], word: impl Fn(usize, &Sql) -> String) -> &'static str {
    let parts = questions.iter().enumerate();
    let parts: Vec<_> = parts.map(|(at, sql)| word(at, sql)).collect();
    format!("SELECT {}", parts.join(", ")).leak()
}

impl Tx {
    /// The answers to all questions of a bundle about one value, in order.
    pub(in crate::storage) async fn ask(
        &mut self,
        bundle: &Bundle,
        about: impl Into<Value>,
    ) -> Result<Vec<Vec<Row>>, StorageError> {
        let about = about.into();
        if !self.has_rivals() {
            let mut answers = Vec::with_capacity(bundle.questions.len());
            for question in bundle.questions {
                answers.push(self.query(*question).bind(about.clone()).all().await?);
            }
            return Ok(answers);
        }
        #[cfg(test)]
        for question in bundle.questions {
            super::super::tests::contract::saw(question.sqlite, true);
        }
        let row = self.query(bundle.together).bind(about).one().await?;
        let parts = 0..bundle.questions.len();
        parts.map(|at| answer(&row, &format!("part{at}"))).collect()
    }
}

fn answer(row: &Row, column: &str) -> Result<Vec<Row>, StorageError> {
    let Some(text) = row.get::<Option<String>>(column)? else {
        return Ok(Vec::new());
    };
    let rows: Result<Vec<Map<String, Json>>, _> = serde_json::from_str(&text);
    let rows = rows.map_err(|error| StorageError::Corrupt(format!("rows in JSON: {error}")))?;
    Ok(rows.into_iter().map(Row::Json).collect())
}

/// A value of a row that came as JSON.
pub(super) trait FromJson: Sized {
    /// `None` if it is of another type.
    fn from_json(value: &Json) -> Option<Self>;
}

impl FromJson for i64 {
    fn from_json(value: &Json) -> Option<Self> {
        value.as_i64()
    }
}

impl FromJson for String {
    fn from_json(value: &Json) -> Option<Self> {
        value.as_str().map(str::to_owned)
    }
}

impl FromJson for Vec<u8> {
    /// JSON has no bytes: a bundle does not ask for them.
    fn from_json(_: &Json) -> Option<Self> {
        None
    }
}

impl<T: FromJson> FromJson for Option<T> {
    fn from_json(value: &Json) -> Option<Self> {
        match value {
            Json::Null => Some(None),
            value => T::from_json(value).map(Some),
        }
    }
}

/// Reads a column of such a row.
pub(super) fn read<T: FromJson>(row: &Map<String, Json>, column: &str) -> Result<T, StorageError> {
    let value = row.get(column).and_then(T::from_json);
    value.ok_or_else(|| StorageError::Corrupt(format!("column {column}: missing, or another type")))
}
