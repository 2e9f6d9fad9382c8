//! The drivers. Everything that knows which database is behind the store is here, in [`migrate`] and
//! in the two ways to write: how to connect, how a statement is worded, how values go in and come
//! out. The rest of the room speaks [`Sql`], [`Query`] and [`Row`].
//!
//! [`migrate`]: super::migrate

mod bundle;
mod desk;
mod files;
mod postgres;
mod sets;
mod sqlite;
mod unreachable;
mod value;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use sqlx::pool::PoolConnection;
use sqlx::{Executor as _, PgPool, Postgres};

use super::error::StorageError;

pub(super) use bundle::Bundle;
use desk::Seat;
pub(super) use desk::{Desk, Key};
use files::FileConnection;
pub(super) use files::Files;
pub(super) use sqlite::{Access, MODE};
pub(super) use value::{Column, Row, Value};

/// Statements kept prepared for each connection: more than the room has.
const STATEMENTS_MAX: usize = 256;

/// How long a server may take to let connections go that nobody needs any more.
const FAREWELL: Duration = Duration::from_secs(2);
/// How long a statement may take that goes through all that is stored, in ms.
const LONG_MS: u64 = 60 * 60 * 1_000;

/// One statement. `$1` stands for the first value bound; a value may be used more than once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sql {
    sqlite: &'static str,
    postgres: &'static str,
    in_sets: bool,
}

impl Sql {
    /// A statement that every database understands as it is.
    pub(super) const fn same(text: &'static str) -> Self {
        Self::each(text, text)
    }

    /// A statement that has to be worded differently. Say why where it stands.
    pub(super) const fn each(sqlite: &'static str, postgres: &'static str) -> Self {
        Self {
            sqlite,
            postgres,
            in_sets: false,
        }
    }

    /// Says that a server may be asked this for many at once, where their work is done together
    /// ([`Storage::write_together`]). It has to be plain: a `SELECT`, an `UPDATE` with one `WHERE`, an
    /// `INSERT` of one row of `VALUES` that returns its `id` or nothing, or an `INSERT` from columns that
    /// returns nothing. No two who ask at the same time may mean the same row of what is written.
    ///
    /// [`Storage::write_together`]: super::Storage::write_together
    pub(super) const fn in_sets(self) -> Self {
        Self {
            in_sets: true,
            ..self
        }
    }

    /// What asks SQLite how it would answer.
    #[cfg(test)]
    pub(super) fn explain(self) -> String {
        format!("EXPLAIN QUERY PLAN {}", self.sqlite)
    }

    /// Whether SQLite's text has this in it.
    #[cfg(test)]
    pub(super) fn has(self, part: &str) -> bool {
        self.sqlite.contains(part)
    }
}

/// Connections to one database, opened when they are wanted.
#[derive(Debug, Clone)]
pub(super) enum Pool {
    /// To one file.
    Sqlite(Files),
    /// To one server.
    Postgres {
        /// The connections.
        pool: PgPool,
        /// How long one statement may take. Beyond that the server is taken for gone: a network that
        /// is cut does not say so.
        patience: Duration,
        /// The server's name in messages.
        place: Arc<str>,
    },
}

#[derive(Debug)]
enum Connection {
    Sqlite(FileConnection),
    Postgres {
        connection: PoolConnection<Postgres>,
        patience: Duration,
    },
    /// Somebody else's, who asks for many.
    Shared(Seat),
}

impl Connection {
    fn close_on_drop(&mut self) {
        match self {
            Self::Shared(_) => {}
            Self::Sqlite(connection) => connection.throw_away(),
            Self::Postgres { connection, .. } => connection.close_on_drop(),
        }
    }
}

impl Pool {
    /// Begins a transaction that may write; on SQLite it waits for the file if another process has
    /// it.
    pub(super) async fn begin_write(&self) -> Result<Tx, StorageError> {
        self.begin(BEGIN_WRITE).await
    }

    /// Begins a transaction that sees one state of the database from its first read on.
    pub(super) async fn begin_read(&self) -> Result<Tx, StorageError> {
        self.begin(BEGIN_READ).await
    }

    async fn begin(&self, begin: Sql) -> Result<Tx, StorageError> {
        let mut tx = Tx::on(self.acquire().await?);
        tx.begin(begin).await?;
        Ok(tx)
    }

    /// For one statement, which the server takes as a transaction of its own. To be ended by
    /// [`Tx::done`].
    pub(super) async fn begin_nothing(&self) -> Result<Tx, StorageError> {
        let mut tx = Tx::on(self.acquire().await?);
        tx.open = true;
        Ok(tx)
    }

    /// Begins a transaction for the work of many.
    pub(super) async fn begin_together(&self) -> Result<Tx, StorageError> {
        let mut tx = Tx::on(self.acquire().await?);
        tx.open = true;
        if let Connection::Postgres {
            connection,
            patience,
        } = &mut tx.connection
        {
            postgres::within(*patience, connection.execute(BEGIN_TOGETHER)).await?;
        }
        Ok(tx)
    }

    async fn acquire(&self) -> Result<Connection, StorageError> {
        Ok(match self {
            Self::Sqlite(files) => Connection::Sqlite(files.acquire().await?),
            Self::Postgres { pool, patience, .. } => Connection::Postgres {
                // In a box: it is large, and on a file everybody would carry it about in vain.
                connection: Box::pin(pool.acquire()).await?,
                patience: *patience,
            },
        })
    }

    /// Closes all connections; waits for those in use, but not for a server that hangs.
    pub(super) async fn close(&self) {
        match self {
            Self::Sqlite(files) => files.close().await,
            Self::Postgres { pool, .. } => {
                // It finds out by itself that nobody is there any more.
                let _ = tokio::time::timeout(FAREWELL, pool.close()).await;
            }
        }
    }
}

// IMMEDIATE takes SQLite's write lock at once: a transaction that reads first and wants to write later
// could otherwise be refused half-way. On PostgreSQL every statement of a writing transaction sees
// what others committed before it; what must not change under it, it locks.
const BEGIN_WRITE: Sql = Sql::each("BEGIN IMMEDIATE", "BEGIN ISOLATION LEVEL READ COMMITTED");
const BEGIN_READ: Sql = Sql::each("BEGIN", "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY");
// Every statement for many looks rows up by their keys, however few there seem to be: a plan that was
// made while a table was empty is kept, and would later read all of it. And nobody waits long for a row:
// one by one, they need not all wait.
const BEGIN_TOGETHER: &str = "BEGIN ISOLATION LEVEL READ COMMITTED;
     SET LOCAL plan_cache_mode = force_generic_plan; SET LOCAL enable_seqscan = off;
     SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL lock_timeout = 100";
const COMMIT: Sql = Sql::same("COMMIT");
const ROLLBACK: Sql = Sql::same("ROLLBACK");
const TAKE_TIME: Sql = Sql::same("SELECT set_config('statement_timeout', CAST($1 AS TEXT), TRUE)");
const SAVEPOINT: Sql = Sql::same("SAVEPOINT work");
const RELEASE: Sql = Sql::same("RELEASE SAVEPOINT work");
const ROLLBACK_TO: Sql = Sql::same("ROLLBACK TO SAVEPOINT work");

/// One transaction. Its methods are spread over the files of this room by what they are about.
#[derive(Debug)]
pub struct Tx {
    connection: Connection,
    /// A transaction is, or may be, open on the connection.
    open: bool,
    /// Why a statement failed, whoever's work it was: for want of disk or the like.
    trouble: Option<StorageError>,
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
    fn on_file(connection: FileConnection) -> Self {
        Self::on(Connection::Sqlite(connection))
    }

    fn on(connection: Connection) -> Self {
        Self {
            connection,
            open: false,
            trouble: None,
        }
    }

    async fn begin(&mut self, begin: Sql) -> Result<(), StorageError> {
        self.open = true;
        self.query(begin).run().await.map(drop)
    }

    /// Begins the next writing transaction on the same connection: to give that back and to ask for it
    /// again would cost as much as a statement.
    pub(super) async fn begin_again(&mut self) -> Result<(), StorageError> {
        self.begin(BEGIN_WRITE).await
    }

    /// Makes everything lasting. If it fails, nothing was; only where the connection to a server
    /// breaks at this very moment, nobody can tell.
    pub(super) async fn commit(mut self) -> Result<(), StorageError> {
        self.end(COMMIT).await
    }

    /// Takes everything back.
    pub(super) async fn rollback(mut self) -> Result<(), StorageError> {
        self.end(ROLLBACK).await
    }

    /// The statement of [`Pool::begin_nothing`] was run, and with that committed.
    pub(super) fn done(mut self) {
        self.open = false;
    }

    /// As [`Tx::commit`], and keeps the connection for [`Tx::begin_again`].
    pub(super) async fn commit_and_stay(&mut self) -> Result<(), StorageError> {
        self.end(COMMIT).await
    }

    /// As [`Tx::rollback`], and keeps the connection.
    pub(super) async fn rollback_and_stay(&mut self) -> Result<(), StorageError> {
        self.end(ROLLBACK).await
    }

    async fn end(&mut self, end: Sql) -> Result<(), StorageError> {
        self.query(end).run().await?;
        self.open = false;
        Ok(())
    }

    /// From here on a statement may take very long, because it goes through all that is stored. Only for
    /// reading: who writes has others wait. Nobody gives up on a statement to a file in any case.
    pub(super) async fn take_time(&mut self) -> Result<(), StorageError> {
        if let Connection::Postgres { patience, .. } = &mut self.connection {
            *patience = Duration::from_millis(LONG_MS + 1_000);
            let set = self.query(TAKE_TIME).bind(LONG_MS.to_string());
            set.run().await?;
        }
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

    /// Does a part of the work so that it can fail alone: if it does, what it did is taken back, and the
    /// rest of the transaction goes on. Only in a transaction that nobody shares.
    ///
    /// # Errors
    /// Those of `part` are inside; outside are those after which the transaction cannot go on.
    pub async fn apart<T, F>(&mut self, part: F) -> Result<Result<T, StorageError>, StorageError>
    where
        F: for<'t> FnOnce(&'t mut Self) -> BoxFuture<'t, Result<T, StorageError>>,
    {
        self.savepoint().await?;
        let done = part(self).await;
        self.end_savepoint(done.is_ok()).await?;
        Ok(done)
    }

    /// What trouble the database was in since this was asked last.
    pub(super) fn take_trouble(&mut self) -> Option<StorageError> {
        self.trouble.take()
    }

    /// Whether other transactions write at the same time. On SQLite there is one writer, and nothing
    /// needs to be locked.
    pub(super) fn has_rivals(&self) -> bool {
        !matches!(self.connection, Connection::Sqlite(_))
    }

    /// Keeps others off whose work is done together with this one, until this is done: in one
    /// transaction, a lock of the database keeps nobody off.
    pub(super) async fn alone_with(
        &mut self,
        key: impl FnOnce() -> Key,
    ) -> Result<(), StorageError> {
        match &mut self.connection {
            Connection::Shared(seat) => seat.alone_with(key()).await,
            _ => Ok(()),
        }
    }

    fn note<T>(&mut self, result: Result<T, StorageError>) -> Result<T, StorageError> {
        if let Some(error) = result.as_ref().err().filter(|error| error.is_trouble()) {
            self.trouble = Some(error.clone());
        }
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

impl<'t> Query<'t> {
    /// Binds the next value.
    pub(super) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Runs it and tells how many rows it changed.
    pub(super) async fn run(self) -> Result<u64, StorageError> {
        let Self { tx, sql, values } = self;
        #[cfg(test)]
        super::tests::contract::saw(sql.sqlite, tx.has_rivals());
        let done = match &mut tx.connection {
            Connection::Sqlite(connection) => connection
                .open()
                .and_then(|connection| sqlite::run(connection, sql.sqlite, &values)),
            Connection::Postgres {
                connection,
                patience,
            } => {
                let query = postgres::wording(sql.postgres, values);
                let done = postgres::within(*patience, query.execute(&mut **connection)).await;
                done.map(|done| done.rows_affected())
            }
            Connection::Shared(seat) => seat.run(sql, values).await,
        };
        tx.note(done)
    }

    /// Runs a statement that inserts one row and returns its `id`; gives that, or `None` if nothing was
    /// inserted because of a conflict.
    pub(super) async fn new_id(self) -> Result<Option<i64>, StorageError> {
        if let Connection::Sqlite(connection) = &self.tx.connection {
            #[cfg(test)]
            super::tests::contract::saw(self.sql.sqlite, false);
            let inserted = connection
                .open()
                .and_then(|connection| sqlite::insert(connection, self.sql.sqlite, &self.values));
            return self.tx.note(inserted);
        }
        let row = self.optional().await?;
        row.map(|row| row.get("id")).transpose()
    }

    /// Runs it and returns all rows.
    pub(super) async fn all(self) -> Result<Vec<Row>, StorageError> {
        let Self { tx, sql, values } = self;
        #[cfg(test)]
        super::tests::contract::saw(sql.sqlite, tx.has_rivals());
        let rows = match &mut tx.connection {
            Connection::Sqlite(connection) => connection
                .open()
                .and_then(|connection| sqlite::all(connection, sql.sqlite, &values)),
            Connection::Postgres {
                connection,
                patience,
            } => {
                let query = postgres::wording(sql.postgres, values);
                let rows = postgres::within(*patience, query.fetch_all(&mut **connection)).await;
                rows.map(|rows| rows.into_iter().map(Row::Postgres).collect())
            }
            Connection::Shared(seat) => seat.all(sql, values).await,
        };
        tx.note(rows)
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

/// The id of a row that nothing keeps from being inserted.
pub(super) fn inserted(id: Option<i64>) -> Result<i64, StorageError> {
    id.ok_or_else(|| StorageError::Corrupt("a row was not inserted".to_owned()))
}

impl From<sqlx::Error> for StorageError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(database) => {
                match database.try_downcast::<sqlx::postgres::PgDatabaseError>() {
                    Ok(postgres) => postgres::sorted(postgres.code(), postgres.message()),
                    // Only migrations of a file go this way.
                    Err(sqlite) => {
                        let code = sqlite.code().and_then(|code| code.parse::<u32>().ok());
                        sqlite::sorted(code.unwrap_or(1), sqlite.message())
                    }
                }
            }
            sqlx::Error::PoolTimedOut => Self::Unavailable(
                "no connection to be had: all are busy, or the database does not answer".to_owned(),
            ),
            sqlx::Error::PoolClosed => Self::Closed,
            sqlx::Error::Io(_)
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_) => Self::Unavailable(error.to_string()),
            other => Self::Corrupt(other.to_string()),
        }
    }
}
