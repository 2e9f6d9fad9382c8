//! SQLite: one file, one writer.

use std::path::Path;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Row as _, Sqlite};

use super::{Pool, STATEMENTS_MAX, Sql, Value};
use crate::storage::error::StorageError;

/// How connections of one pool are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::storage) enum Access {
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
    /// As `ReadOnly`, and may write a copy to another file.
    Copy,
}

impl Pool {
    /// Connects to a file once, so that one that cannot be opened is found out here.
    pub(in crate::storage) async fn open_file(
        path: &Path,
        access: Access,
        busy_timeout: Duration,
    ) -> Result<Self, StorageError> {
        let connections = match access {
            Access::Read { connections } => connections.max(1),
            Access::Write | Access::Checkpoint | Access::ReadOnly | Access::Copy => 1,
        };
        SqlitePoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(busy_timeout.max(Duration::from_millis(1)))
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .connect_with(options(path, access, busy_timeout))
            .await
            .map(Self::Sqlite)
            .map_err(|error| match StorageError::from(error) {
                StorageError::Unavailable(cause) => StorageError::Open {
                    place: path.display().to_string(),
                    cause,
                },
                other => other,
            })
    }

    /// Writes one consistent state of the file to another one, compact. That must be empty.
    pub(in crate::storage) async fn copy_to(&self, file: &Path) -> Result<(), StorageError> {
        let Self::Sqlite(pool) = self else {
            return Ok(());
        };
        let file = file
            .to_str()
            .ok_or_else(|| StorageError::Refused(format!("`{}` is not UTF-8", file.display())))?;
        let copy = sqlx::query("VACUUM INTO $1").bind(file);
        copy.execute(pool).await?;
        Ok(())
    }

    /// Runs a checkpoint statement; returns the pages that the log has.
    pub(in crate::storage) async fn fold_back(&self, sql: Sql) -> Result<i64, StorageError> {
        let Self::Sqlite(pool) = self else {
            return Ok(0);
        };
        let mut connection: PoolConnection<Sqlite> = pool.acquire().await?;
        let query = wording(sql.sqlite, Vec::new());
        let row = query.fetch_one(&mut *connection).await?;
        Ok(row.try_get("log")?)
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
        // `query_only` would forbid to write the copy, too.
        Access::Copy => options.read_only(true),
    }
}

/// A statement with its values bound.
pub(super) fn wording(
    text: &'static str,
    values: Vec<Value>,
) -> sqlx::query::Query<'static, Sqlite, SqliteArguments> {
    let query = sqlx::query(text);
    values.into_iter().fold(query, |query, value| match value {
        Value::Integer(value) => query.bind(value),
        Value::Text(value) => query.bind(value),
        Value::Bytes(value) => query.bind(value),
        // SQLite has no arrays: a statement that binds one is not worded for it.
        Value::Integers(_) | Value::Texts(_) | Value::Blobs(_) => query,
    })
}

/// Sorts SQLite's result codes (<https://sqlite.org/rescode.html>) by what can be done about them.
/// The low byte of an extended code is the primary one.
pub(super) fn sorted(code: u32, message: &str) -> StorageError {
    const TRY_LATER: [u32; 8] = [5, 6, 7, 8, 9, 10, 13, 14]; // busy .. I/O error, full, cannot open
    const REFUSED: [u32; 3] = [18, 19, 20]; // too big, constraint, mismatch
    let text = format!("{message} (SQLite code {code})");
    let primary = code & 0xff;
    if TRY_LATER.contains(&primary) {
        StorageError::Unavailable(text)
    } else if REFUSED.contains(&primary) {
        StorageError::Refused(text)
    } else {
        StorageError::Corrupt(text)
    }
}
