//! The driver. Everything that knows which database is behind the store is here: how to connect,
//! how a statement is worded, how values go in and come out. The rest of the room speaks [`Sql`],
//! [`Query`] and [`Row`].

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow,
    SqliteSynchronous,
};
use sqlx::{ConnectOptions, Row as _, Sqlite, SqlitePool};

use super::error::StorageError;
use crate::domain::amount::UnitCode;
use crate::domain::clock::{Timestamp, from_us};
use crate::domain::ids::{
    AccountId, AttemptId, ChainId, CommandId, DecisionId, DeliveryId, HoldId, SeatId, SourceName,
    Uid,
};
use crate::domain::owner::Owner;

/// Statements kept prepared for each connection: more than the room has.
const STATEMENTS_MAX: usize = 256;

/// One statement. `$1` stands for the first value bound; a value may be used more than once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sql {
    sqlite: &'static str,
}

impl Sql {
    /// A statement that every back end understands as it is.
    pub(super) const fn same(text: &'static str) -> Self {
        Self { sqlite: text }
    }
}

/// A value on its way into a statement; `None` is NULL of that type.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Integer(Option<i64>),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
}

/// How connections of one pool are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Creates the file if there is none. One connection: the writer's.
    Write,
    /// Folds the log back into the file, beside the writer. One connection.
    Checkpoint,
    /// Reads, in the process that also writes.
    Read {
        /// Connections at most.
        connections: u32,
    },
    /// Reads beside a process that writes; never changes the file.
    ReadOnly,
}

/// Connections to one database file, opened when they are wanted.
#[derive(Debug, Clone)]
pub(super) struct Pool(SqlitePool);

impl Pool {
    /// Connects once, so that a file that cannot be opened is found out here.
    pub(super) async fn open(
        path: &Path,
        access: Access,
        busy_timeout: Duration,
    ) -> Result<Self, StorageError> {
        let connections = match access {
            Access::Read { connections } => connections.max(1),
            Access::Write | Access::Checkpoint | Access::ReadOnly => 1,
        };
        SqlitePoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(busy_timeout.max(Duration::from_millis(1)))
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .connect_with(options(path, access, busy_timeout))
            .await
            .map(Self)
            .map_err(|error| match StorageError::from(error) {
                StorageError::Unavailable(cause) => StorageError::Open {
                    path: path.to_owned(),
                    cause,
                },
                other => other,
            })
    }

    /// A connection without a transaction around it.
    pub(super) async fn connection(&self) -> Result<PoolConnection<Sqlite>, StorageError> {
        Ok(self.0.acquire().await?)
    }

    /// Begins a transaction that may write; waits for the file if another process has it.
    pub(super) async fn begin_write(&self) -> Result<Tx, StorageError> {
        self.begin(BEGIN_WRITE).await
    }

    /// Begins a transaction that sees one state of the database from its first read on.
    pub(super) async fn begin_read(&self) -> Result<Tx, StorageError> {
        self.begin(BEGIN_READ).await
    }

    async fn begin(&self, begin: Sql) -> Result<Tx, StorageError> {
        let mut tx = Tx {
            connection: self.connection().await?,
            open: true,
            troubled: false,
        };
        tx.query(begin).run().await?;
        Ok(tx)
    }

    /// Runs a checkpoint statement; returns the pages that the log has.
    pub(super) async fn fold_back(&self, sql: Sql) -> Result<i64, StorageError> {
        let mut connection = self.connection().await?;
        let row = wording(sql, Vec::new()).fetch_one(&mut *connection).await?;
        Ok(row.try_get("log")?)
    }

    /// Closes all connections; waits for those in use.
    pub(super) async fn close(&self) {
        self.0.close().await;
    }
}

fn options(path: &Path, access: Access, busy_timeout: Duration) -> SqliteConnectOptions {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(busy_timeout)
        .statement_cache_capacity(STATEMENTS_MAX)
        .disable_statement_logging();
    match access {
        Access::Write | Access::Checkpoint => options
            .create_if_missing(access == Access::Write)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            // Folding the log back is left to its own connection: it must not delay a commit.
            .pragma("wal_autocheckpoint", "0"),
        Access::Read { .. } => options.pragma("query_only", "ON"),
        Access::ReadOnly => options.read_only(true).pragma("query_only", "ON"),
    }
}

// IMMEDIATE takes the write lock at once: a transaction that reads first and wants to write later
// could otherwise be refused half-way.
const BEGIN_WRITE: Sql = Sql::same("BEGIN IMMEDIATE");
const BEGIN_READ: Sql = Sql::same("BEGIN");
const COMMIT: Sql = Sql::same("COMMIT");
const ROLLBACK: Sql = Sql::same("ROLLBACK");
const SAVEPOINT: Sql = Sql::same("SAVEPOINT work");
const RELEASE: Sql = Sql::same("RELEASE SAVEPOINT work");
const ROLLBACK_TO: Sql = Sql::same("ROLLBACK TO SAVEPOINT work");

/// One transaction. Its methods are spread over the files of this room by what they are about.
#[derive(Debug)]
pub struct Tx {
    connection: PoolConnection<Sqlite>,
    /// A transaction is, or may be, open on the connection.
    open: bool,
    /// A statement failed for want of disk or the like, whoever's work it was.
    troubled: bool,
}

impl Drop for Tx {
    fn drop(&mut self) {
        // Nobody knows what a connection is in the middle of: closing it takes everything back.
        if self.open {
            self.connection.close_on_drop();
        }
    }
}

impl Tx {
    /// Makes everything lasting. If it fails, nothing was.
    pub(super) async fn commit(mut self) -> Result<(), StorageError> {
        self.query(COMMIT).run().await?;
        self.open = false;
        Ok(())
    }

    /// Takes everything back.
    pub(super) async fn rollback(mut self) -> Result<(), StorageError> {
        self.query(ROLLBACK).run().await?;
        self.open = false;
        Ok(())
    }

    /// From here on, work can be taken back alone.
    pub(super) async fn savepoint(&mut self) -> Result<(), StorageError> {
        self.query(SAVEPOINT).run().await.map(drop)
    }

    /// Keeps, or takes back, what was done since the savepoint.
    pub(super) async fn end_savepoint(&mut self, keep: bool) -> Result<(), StorageError> {
        if !keep {
            self.query(ROLLBACK_TO).run().await?;
        }
        self.query(RELEASE).run().await.map(drop)
    }

    /// Whether the database was in trouble during the transaction.
    pub(super) fn is_troubled(&self) -> bool {
        self.troubled
    }

    fn note<T>(&mut self, result: Result<T, sqlx::Error>) -> Result<T, StorageError> {
        let result = result.map_err(StorageError::from);
        self.troubled |= matches!(&result, Err(error) if error.is_transient());
        result
    }

    /// A statement to bind values to and run.
    pub(super) fn query(&mut self, sql: Sql) -> Query<'_> {
        Query {
            tx: self,
            sql,
            values: Vec::new(),
        }
    }
}

/// A statement with its values.
#[must_use = "a statement does nothing until it is run"]
pub(super) struct Query<'t> {
    tx: &'t mut Tx,
    sql: Sql,
    values: Vec<Value>,
}

impl Query<'_> {
    /// Binds the next value.
    pub(super) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Runs it and tells how many rows it changed.
    pub(super) async fn run(self) -> Result<u64, StorageError> {
        let query = wording(self.sql, self.values);
        let done = query.execute(&mut *self.tx.connection).await;
        Ok(self.tx.note(done)?.rows_affected())
    }

    /// Runs it and returns all rows.
    pub(super) async fn all(self) -> Result<Vec<Row>, StorageError> {
        let query = wording(self.sql, self.values);
        let rows = query.fetch_all(&mut *self.tx.connection).await;
        Ok(self.tx.note(rows)?.into_iter().map(Row).collect())
    }

    /// Runs it and returns the first row, if there is one.
    pub(super) async fn optional(self) -> Result<Option<Row>, StorageError> {
        Ok(self.all().await?.into_iter().next())
    }

    /// Runs a statement that always gives a row.
    pub(super) async fn one(self) -> Result<Row, StorageError> {
        let sql = self.sql.sqlite;
        let row = self.optional().await?;
        row.ok_or_else(|| StorageError::Corrupt(format!("no row from `{sql}`")))
    }
}

fn wording(sql: Sql, values: Vec<Value>) -> sqlx::query::Query<'static, Sqlite, SqliteArguments> {
    let query = sqlx::query(sql.sqlite);
    values.into_iter().fold(query, |query, value| match value {
        Value::Integer(value) => query.bind(value),
        Value::Text(value) => query.bind(value),
        Value::Bytes(value) => query.bind(value),
    })
}

/// One row of an answer.
#[derive(Debug)]
pub(super) struct Row(SqliteRow);

impl Row {
    /// The value of a column.
    pub(super) fn get<T: Column>(&self, column: &str) -> Result<T, StorageError> {
        T::read(self, column)
    }
}

/// A type that a column can be read as.
pub(super) trait Column: Sized {
    /// Reads the column of that name.
    fn read(row: &Row, column: &str) -> Result<Self, StorageError>;
}

macro_rules! plain_columns {
    ($($type:ty),*) => {$(
        impl Column for $type {
            fn read(row: &Row, column: &str) -> Result<Self, StorageError> {
                Ok(row.0.try_get(column)?)
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

impl From<sqlx::Error> for StorageError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(ref database) => {
                let code = database.code().and_then(|code| code.parse::<u32>().ok());
                let code = code.unwrap_or(1);
                from_sqlite(code, format!("{} (SQLite code {code})", database.message()))
            }
            sqlx::Error::PoolTimedOut => Self::Unavailable("all connections are busy".to_owned()),
            sqlx::Error::PoolClosed => Self::Closed,
            sqlx::Error::Io(_) | sqlx::Error::WorkerCrashed => Self::Unavailable(error.to_string()),
            other => Self::Corrupt(other.to_string()),
        }
    }
}

/// Sorts SQLite's result codes (https://sqlite.org/rescode.html) by what can be done about them.
/// The low byte of an extended code is the primary one.
fn from_sqlite(code: u32, text: String) -> StorageError {
    const TRY_LATER: [u32; 8] = [5, 6, 7, 8, 9, 10, 13, 14]; // busy .. I/O error, full, cannot open
    const REFUSED: [u32; 3] = [18, 19, 20]; // too big, constraint, mismatch
    let primary = code & 0xff;
    if TRY_LATER.contains(&primary) {
        StorageError::Unavailable(text)
    } else if REFUSED.contains(&primary) {
        StorageError::Refused(text)
    } else {
        StorageError::Corrupt(text)
    }
}
