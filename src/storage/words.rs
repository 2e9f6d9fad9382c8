//! Enums as the words they are stored by: the same as in JSON, so there is one list of them.

use serde::de::IntoDeserializer;
use serde::de::value::{Error, StrDeserializer};
use serde::{Serialize, de::DeserializeOwned};

use super::backend::{Column, Row};
use super::error::StorageError;
use super::records::Decider;
use crate::domain::clock::Timestamp;

/// The word of a value.
pub(super) fn word<T: Serialize>(value: T) -> Result<String, StorageError> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => Ok(word),
        _ => Err(StorageError::Corrupt(
            "a value that is no single word".to_owned(),
        )),
    }
}

/// The value of the word in a column.
pub(super) fn from_word<T: DeserializeOwned>(row: &Row, column: &str) -> Result<T, StorageError> {
    let word: String = row.get(column)?;
    parse(&word, column)
}

/// As [`from_word`]; NULL is `None`.
pub(super) fn from_word_or_null<T: DeserializeOwned>(
    row: &Row,
    column: &str,
) -> Result<Option<T>, StorageError> {
    let word: Option<String> = row.get(column)?;
    word.map(|word| parse(&word, column)).transpose()
}

fn parse<T: DeserializeOwned>(word: &str, column: &str) -> Result<T, StorageError> {
    let words: StrDeserializer<'_, Error> = word.into_deserializer();
    T::deserialize(words).map_err(|_| {
        StorageError::Corrupt(format!("column {column} has the unknown word `{word}`"))
    })
}

/// A value as JSON text.
pub(super) fn json<T: Serialize>(value: &T) -> Result<String, StorageError> {
    serde_json::to_string(value)
        .map_err(|error| StorageError::Refused(format!("a value that is no JSON: {error}")))
}

/// The value in a column of JSON text. The error says where, never what: the text is a stranger's.
pub(super) fn from_json<T: DeserializeOwned>(row: &Row, column: &str) -> Result<T, StorageError> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|error| {
        let (line, at) = (error.line(), error.column());
        StorageError::Corrupt(format!(
            "column {column} has JSON this version cannot read, at {line}:{at}"
        ))
    })
}

const PERSON: &str = "person:";

impl Column for Decider {
    fn read(row: &Row, column: &str) -> Result<Self, StorageError> {
        let word: String = row.get(column)?;
        match word.as_str() {
            "policy" => Ok(Self::Policy),
            "host" => Ok(Self::Host),
            "carried" => Ok(Self::Carried),
            other => match other.strip_prefix(PERSON) {
                Some(name) => Ok(Self::Person(name.to_owned())),
                None => Err(StorageError::Corrupt(format!(
                    "column {column} has the unknown word `{other}`"
                ))),
            },
        }
    }
}

/// The earlier of two times, where none is later than any.
pub(super) fn earlier(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
