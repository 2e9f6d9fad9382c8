//! What goes into a statement and what comes out of a row: the same for every database.

use std::sync::Arc;

use bytes::Bytes;
use sqlx::Row as _;
use sqlx::postgres::PgRow;

use super::bundle;
use crate::domain::amount::UnitCode;
use crate::domain::clock::{Timestamp, from_us};
use crate::domain::ids::{
    AccountId, AttemptId, ChainId, CommandId, DecisionId, DeliveryId, HoldId, SeatId, SourceName,
    Uid,
};
use crate::domain::owner::Owner;
use crate::storage::error::StorageError;

/// A value on its way into a statement; `None` is NULL of that type.
#[derive(Debug, Clone)]
pub(in crate::storage) enum Value {
    Integer(Option<i64>),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
    /// A column of values, one for each row to be written: PostgreSQL only.
    Integers(Vec<Option<i64>>),
    /// See `Integers`.
    Texts(Vec<Option<String>>),
    /// See `Integers`.
    Blobs(Vec<Vec<u8>>),
}

/// One row of an answer.
#[derive(Debug)]
pub(in crate::storage) enum Row {
    Sqlite(FileRow),
    Postgres(PgRow),
    /// One of many in an answer to a bundle of questions.
    Json(serde_json::Map<String, serde_json::Value>),
}

/// A row of a file.
#[derive(Debug)]
pub(in crate::storage) struct FileRow {
    /// Their names.
    pub(super) columns: Arc<[String]>,
    /// Their values, in the same order.
    pub(super) cells: Vec<Cell>,
}

/// A value in a file.
#[derive(Debug)]
pub(super) enum Cell {
    Null,
    Integer(i64),
    Text(String),
    Bytes(Vec<u8>),
}

/// What a cell can be read as; `None` if it is of another type.
trait FromCell: Sized {
    fn from_cell(cell: &Cell) -> Option<Self>;
}

impl FromCell for i64 {
    fn from_cell(cell: &Cell) -> Option<Self> {
        match cell {
            Cell::Integer(value) => Some(*value),
            _ => None,
        }
    }
}

impl FromCell for String {
    fn from_cell(cell: &Cell) -> Option<Self> {
        match cell {
            Cell::Text(value) => Some(value.clone()),
            _ => None,
        }
    }
}

impl FromCell for Vec<u8> {
    fn from_cell(cell: &Cell) -> Option<Self> {
        match cell {
            Cell::Bytes(value) => Some(value.clone()),
            _ => None,
        }
    }
}

impl<T: FromCell> FromCell for Option<T> {
    fn from_cell(cell: &Cell) -> Option<Self> {
        match cell {
            Cell::Null => Some(None),
            cell => T::from_cell(cell).map(Some),
        }
    }
}

impl FileRow {
    fn read<T: FromCell>(&self, column: &str) -> Result<T, StorageError> {
        let at = self.columns.iter().position(|name| name == column);
        let cell = at.and_then(|at| self.cells.get(at));
        cell.and_then(T::from_cell).ok_or_else(|| {
            StorageError::Corrupt(format!("column {column}: missing, or another type"))
        })
    }
}

impl Row {
    /// The value of a column.
    pub(in crate::storage) fn get<T: Column>(&self, column: &str) -> Result<T, StorageError> {
        T::read(self, column)
    }
}

/// A type that a column can be read as.
pub(in crate::storage) trait Column: Sized {
    /// Reads the column of that name.
    fn read(row: &Row, column: &str) -> Result<Self, StorageError>;
}

macro_rules! plain_columns {
    ($($type:ty),*) => {$(
        impl Column for $type {
            fn read(row: &Row, column: &str) -> Result<Self, StorageError> {
                Ok(match row {
                    Row::Sqlite(row) => row.read(column)?,
                    Row::Postgres(row) => row.try_get(column)?,
                    Row::Json(row) => bundle::read(row, column)?,
                })
            }
        }
    )*};
}
plain_columns!(i64, Option<i64>, String, Option<String>, Option<Vec<u8>>);

/// Columns that are stored as another type: from what, and how.
macro_rules! columns {
    ($($type:ty: $stored:ty => $read:expr),* $(,)?) => {$(
        impl Column for $type {
            fn read(row: &Row, column: &str) -> Result<Self, StorageError> {
                let read: fn($stored) -> Result<Self, String> = $read;
                read(row.get(column)?)
                    .map_err(|why| StorageError::Corrupt(format!("column {column}: {why}")))
            }
        }
        impl Column for Option<$type> {
            fn read(row: &Row, column: &str) -> Result<Self, StorageError> {
                let stored: Option<$stored> = row.get(column)?;
                stored.map(|_| row.get(column)).transpose()
            }
        }
    )*};
}
columns! {
    bool: i64 => |stored| Ok(stored != 0),
    Timestamp: i64 => |stored| Ok(from_us(stored)),
    AccountId: i64 => |stored| Ok(Self(stored)),
    AttemptId: i64 => |stored| Ok(Self(stored)),
    ChainId: i64 => |stored| Ok(Self(stored)),
    CommandId: i64 => |stored| Ok(Self(stored)),
    DecisionId: i64 => |stored| Ok(Self(stored)),
    DeliveryId: i64 => |stored| Ok(Self(stored)),
    HoldId: i64 => |stored| Ok(Self(stored)),
    SourceName: String => |stored| Ok(Self::new(stored)),
    Uid: String => |stored| Ok(Self::new(stored)),
    UnitCode: String => |stored| Self::try_from(stored).map_err(|error| error.to_string()),
    Owner: String => |stored| Self::parse(&stored).map_err(|error| error.to_string()),
}

/// An empty text is no seat: primary keys have no NULL.
impl Column for Option<SeatId> {
    fn read(row: &Row, column: &str) -> Result<Self, StorageError> {
        let seat: String = row.get(column)?;
        Ok((!seat.is_empty()).then(|| SeatId::new(seat)))
    }
}

/// What is bound, with and without NULL.
macro_rules! values {
    ($($variant:ident: $($type:ty => $bind:expr),* ;)*) => {$($(
        impl From<$type> for Value {
            fn from(value: $type) -> Self {
                let bind: fn($type) -> _ = $bind;
                Self::$variant(Some(bind(value)))
            }
        }
        impl From<Option<$type>> for Value {
            fn from(value: Option<$type>) -> Self {
                let bind: fn($type) -> _ = $bind;
                Self::$variant(value.map(bind))
            }
        }
    )*)*};
}
values! {
    Integer:
        i64 => |value| value,
        bool => i64::from,
        Timestamp => |value| value.as_microsecond(),
        AttemptId => |value| value.0,
        AccountId => |value| value.0,
        ChainId => |value| value.0,
        CommandId => |value| value.0,
        DecisionId => |value| value.0,
        DeliveryId => |value| value.0,
        HoldId => |value| value.0;
    Text:
        &str => str::to_owned,
        String => |value| value,
        &String => String::clone,
        &SourceName => |value| value.as_str().to_owned(),
        &Uid => |value| value.as_str().to_owned(),
        &UnitCode => |value| value.as_str().to_owned(),
        &Owner => |value| value.as_str().to_owned();
    Bytes:
        &[u8] => <[u8]>::to_vec,
        &Bytes => |value| value.to_vec();
}

impl From<&Option<String>> for Value {
    fn from(value: &Option<String>) -> Self {
        Self::Text(value.clone())
    }
}

/// See the reading of a seat: none is the empty text.
impl From<&Option<SeatId>> for Value {
    fn from(seat: &Option<SeatId>) -> Self {
        let text = seat.as_ref().map_or("", SeatId::as_str);
        Self::Text(Some(text.to_owned()))
    }
}
