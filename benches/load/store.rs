//! A look into a store from outside, to see how far a server has got.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sqlx::postgres::PgConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use tokio::runtime::Runtime;

/// A database: a file, or a PostgreSQL server's.
#[derive(Clone)]
pub(crate) enum Store {
    Sqlite(PathBuf),
    Postgres(String),
}

impl Store {
    /// A file in this folder.
    pub(crate) fn file_in(folder: &Path) -> Self {
        Self::Sqlite(folder.join("bookgate.db"))
    }

    /// As bookgate's settings write it.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Sqlite(path) => format!("sqlite://{}", path.display()),
            Self::Postgres(url) => url.clone(),
        }
    }

    /// Connects, once the store is there.
    pub(crate) fn open(&self) -> Result<Session> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let connection = runtime.block_on(async {
            Ok::<_, sqlx::Error>(match self {
                Self::Sqlite(path) => {
                    let options = SqliteConnectOptions::new().filename(path);
                    AnyConnection::Sqlite(options.connect().await?)
                }
                Self::Postgres(url) => AnyConnection::Postgres(PgConnection::connect(url).await?),
            })
        });
        let connection = connection.with_context(|| format!("cannot open {}", self.url()))?;
        Ok(Session {
            runtime,
            connection,
        })
    }
}

/// A connection.
pub(crate) struct Session {
    runtime: Runtime,
    connection: AnyConnection,
}

enum AnyConnection {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Session {
    /// Whether it is PostgreSQL.
    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self.connection, AnyConnection::Postgres(_))
    }

    /// The one number that a query gives.
    pub(crate) fn number(&mut self, sql: &str) -> Result<i64> {
        let text = AssertSqlSafe(sql.to_owned());
        let number = self.runtime.block_on(async {
            match &mut self.connection {
                AnyConnection::Sqlite(connection) => {
                    sqlx::query_scalar(text).fetch_one(connection).await
                }
                AnyConnection::Postgres(connection) => {
                    sqlx::query_scalar(text).fetch_one(connection).await
                }
            }
        });
        number.with_context(|| format!("in: {sql}"))
    }

    /// The texts of one column of a query's rows.
    pub(crate) fn texts(&mut self, sql: &str, column: usize) -> Result<Vec<String>> {
        use sqlx::Row as _;
        let text = AssertSqlSafe(sql.to_owned());
        let rows = self.runtime.block_on(async {
            match &mut self.connection {
                AnyConnection::Sqlite(connection) => {
                    let rows = sqlx::query(text).fetch_all(connection).await?;
                    rows.iter().map(|row| row.try_get(column)).collect()
                }
                AnyConnection::Postgres(connection) => {
                    // Without parameters and unprepared, as EXPLAIN EXECUTE needs it.
                    let rows = sqlx::raw_sql(text).fetch_all(connection).await?;
                    rows.iter().map(|row| row.try_get(column)).collect()
                }
            }
        });
        let texts: Result<Vec<String>, sqlx::Error> = rows;
        texts.with_context(|| format!("in: {sql}"))
    }

    /// Runs statements that give nothing.
    pub(crate) fn run(&mut self, sql: &str) -> Result<()> {
        let text = AssertSqlSafe(sql.to_owned());
        let done = self.runtime.block_on(async {
            match &mut self.connection {
                AnyConnection::Sqlite(connection) => {
                    sqlx::raw_sql(text).execute(connection).await.map(drop)
                }
                AnyConnection::Postgres(connection) => {
                    sqlx::raw_sql(text).execute(connection).await.map(drop)
                }
            }
        });
        done.with_context(|| format!("in: {sql}"))
    }
}
