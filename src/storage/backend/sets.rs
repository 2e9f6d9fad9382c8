//! One statement for many who ask the same with other values. PostgreSQL takes the values as columns,
//! one array for each parameter, and says with each row of its answer for whom it is (`asker`, counted
//! from one). The wording is made from the statement itself, so that there is one text to keep right,
//! and only for statements that say they can be worded so ([`Sql::in_sets`]).
//!
//! [`Sql::in_sets`]: super::Sql::in_sets

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use super::Value;

/// The texts made so far. Statements are few, and live as long as the process does.
static MADE: LazyLock<Mutex<HashMap<&'static str, &'static str>>> = LazyLock::new(Mutex::default);

/// Who asks, in an answer.
pub(super) const ASKER: &str = "asker";

/// The statement for many. `values` are those of any of them: they tell the types.
pub(super) fn for_many(text: &'static str, values: &[Value]) -> &'static str {
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    made.entry(text).or_insert_with(|| {
        // Rows of rows are just more rows.
        if values.iter().any(Value::is_column) {
            return text;
        }
        worded(text, values).leak()
    })
}

/// The values of many, one column for each parameter; `None` if they do not fit together.
pub(super) fn columns(all: Vec<Vec<Value>>) -> Option<Vec<Value>> {
    let mut all = all.into_iter();
    let first = all.next()?.into_iter();
    let mut columns: Vec<Value> = first.map(Value::into_column).collect::<Option<_>>()?;
    for values in all {
        if values.len() != columns.len() {
            return None;
        }
        for (column, value) in columns.iter_mut().zip(values) {
            column.append(value)?;
        }
    }
    Some(columns)
}

fn worded(text: &str, values: &[Value]) -> String {
    let asked = asked(values);
    let one = with_columns(text);
    if text.starts_with("UPDATE ") {
        return update(&one, &asked);
    }
    if text.starts_with("INSERT ") {
        return insert(&one, &asked);
    }
    format!("SELECT asked.{ASKER}, one.* FROM {asked} CROSS JOIN LATERAL ({one}) AS one")
}

/// The values as a table.
fn asked(values: &[Value]) -> String {
    let numbers = 1..=values.len();
    let arrays: Vec<_> = numbers
        .clone()
        .zip(values)
        .map(|(number, value)| format!("${number}::{}", value.column_type()))
        .collect();
    let names: Vec<_> = numbers.map(|number| format!("p{number}")).collect();
    let (arrays, names) = (arrays.join(", "), names.join(", "));
    format!("UNNEST({arrays}) WITH ORDINALITY AS asked ({names}, {ASKER})")
}

/// `$1` becomes the first column of [`asked`].
fn with_columns(text: &str) -> String {
    text.replace('$', "asked.p")
}

/// The table that is changed is joined with the values; each asker that has changed a row is told.
fn update(one: &str, asked: &str) -> String {
    let (head, rest) = split(one, "WHERE");
    let (condition, returned) = match rest.split_once("RETURNING ") {
        Some((condition, returned)) => (condition, format!(", {returned}")),
        None => (rest, String::new()),
    };
    format!("{head} FROM {asked} WHERE {condition} RETURNING asked.{ASKER}{returned}")
}

/// The ids are drawn beforehand, where an id is asked for: which row came from whom is not told by the
/// rows of an answer.
fn insert(one: &str, asked: &str) -> String {
    let (head, rest) = split(one, "VALUES (");
    let (row, tail) = row(rest);
    let Some(conflict) = tail.trim().strip_suffix("RETURNING id") else {
        return format!("{head} SELECT {row} FROM {asked} {tail}");
    };
    let (table, names) = head
        .trim_start_matches("INSERT INTO ")
        .split_once('(')
        .unwrap_or((head, ""));
    let table = table.trim();
    format!(
        "WITH asked AS MATERIALIZED (
             SELECT nextval(pg_get_serial_sequence('{table}', 'id')) AS id, asked.* FROM {asked}),
         new AS (INSERT INTO {table} (id, {names} SELECT asked.id, {row} FROM asked {conflict}
             RETURNING id)
         SELECT asked.{ASKER}, asked.id FROM asked JOIN new ON new.id = asked.id"
    )
}

/// The row behind `VALUES (`, up to its own bracket, and what follows.
fn row(rest: &str) -> (&str, &str) {
    let mut depth = 1_u32;
    for (at, sign) in rest.char_indices() {
        match sign {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return (&rest[..at], &rest[at + 1..]);
        }
    }
    (rest, "")
}

fn split<'t>(text: &'t str, at: &str) -> (&'t str, &'t str) {
    text.split_once(at).unwrap_or((text, ""))
}

impl Value {
    /// Whether it is a column already: then its statement writes rows.
    pub(super) fn is_column(&self) -> bool {
        self.rows().is_some()
    }

    /// How many rows it is a column of.
    pub(super) fn rows(&self) -> Option<usize> {
        match self {
            Self::Integers(column) => Some(column.len()),
            Self::Texts(column) => Some(column.len()),
            Self::Blobs(column) => Some(column.len()),
            _ => None,
        }
    }

    fn column_type(&self) -> &'static str {
        match self {
            Self::Integer(_) | Self::Integers(_) => "bigint[]",
            Self::Text(_) | Self::Texts(_) => "text[]",
            Self::Bytes(_) | Self::Blobs(_) => "bytea[]",
        }
    }

    /// `None` for bytes: nobody asks by them.
    fn into_column(self) -> Option<Self> {
        match self {
            Self::Integer(value) => Some(Self::Integers(vec![value])),
            Self::Text(value) => Some(Self::Texts(vec![value])),
            Self::Bytes(_) => None,
            column => Some(column),
        }
    }

    /// `None` if it is of another type.
    fn append(&mut self, value: Self) -> Option<()> {
        match (self, value.into_column()?) {
            (Self::Integers(column), Self::Integers(more)) => column.extend(more),
            (Self::Texts(column), Self::Texts(more)) => column.extend(more),
            (Self::Blobs(column), Self::Blobs(more)) => column.extend(more),
            _ => return None,
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn text(text: &str, values: &[Value]) -> String {
        let words: Vec<_> = text.split_whitespace().collect();
        let worded = worded(&words.join(" "), values);
        let words: Vec<_> = worded.split_whitespace().collect();
        words.join(" ")
    }

    #[test]
    fn a_question_is_asked_for_each() {
        let found = text(
            "SELECT id FROM chain WHERE id = $1 AND source = $2 FOR UPDATE",
            &[Value::Integer(None), Value::Text(None)],
        );
        expect!["SELECT asked.asker, one.* FROM UNNEST($1::bigint[], $2::text[]) WITH ORDINALITY AS asked (p1, p2, asker) CROSS JOIN LATERAL (SELECT id FROM chain WHERE id = asked.p1 AND source = asked.p2 FOR UPDATE) AS one"].assert_eq(&found);
    }

    #[test]
    fn a_change_tells_whose_it_was() {
        let found = text(
            "UPDATE account SET held = held + $2 WHERE id = $1 RETURNING held",
            &[Value::Integer(None), Value::Integer(None)],
        );
        expect!["UPDATE account SET held = held + asked.p2 FROM UNNEST($1::bigint[], $2::bigint[]) WITH ORDINALITY AS asked (p1, p2, asker) WHERE id = asked.p1 RETURNING asked.asker, held"].assert_eq(&found);
    }

    #[test]
    fn a_new_row_tells_whose_it_is() {
        let found = text(
            "INSERT INTO command (chain_id, reason) VALUES ($1, COALESCE($2, '')) ON CONFLICT (chain_id) DO NOTHING RETURNING id",
            &[Value::Integer(None), Value::Text(None)],
        );
        expect!["WITH asked AS MATERIALIZED ( SELECT nextval(pg_get_serial_sequence('command', 'id')) AS id, asked.* FROM UNNEST($1::bigint[], $2::text[]) WITH ORDINALITY AS asked (p1, p2, asker)), new AS (INSERT INTO command (id, chain_id, reason) SELECT asked.id, asked.p1, COALESCE(asked.p2, '') FROM asked ON CONFLICT (chain_id) DO NOTHING RETURNING id) SELECT asked.asker, asked.id FROM asked JOIN new ON new.id = asked.id"].assert_eq(&found);
    }

    #[test]
    fn columns_are_put_one_behind_the_other() {
        let one = vec![Value::Integer(Some(1)), Value::Texts(vec![None])];
        let other = vec![
            Value::Integer(None),
            Value::Texts(vec![Some("a".to_owned())]),
        ];
        let columns = columns(vec![one.clone(), other]).expect("they fit");
        assert!(matches!(&columns[0], Value::Integers(all) if *all == [Some(1), None]));
        assert!(matches!(&columns[1], Value::Texts(all) if all.len() == 2));
        assert!(super::columns(vec![one, Vec::new()]).is_none());
    }
}
