//! The store of an installation as seen from outside: by SQL of its own, past bookgate.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Row};

use super::postgres::Postgres;
use super::relay::fingerprint;

/// Connections that a cluster of the rig takes.
const CONNECTIONS_MAX: u32 = 40;

/// Which store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
}

/// The store.
pub(crate) enum Store {
    Sqlite(PathBuf),
    Postgres {
        cluster: Mutex<Postgres>,
        database: String,
    },
}

impl Store {
    /// An empty one; a file is kept in `folder`. `None` where there is no PostgreSQL.
    pub(crate) fn new(kind: Kind, folder: &Path) -> Option<Self> {
        match kind {
            Kind::Sqlite => Some(Self::Sqlite(folder.join("bookgate.db"))),
            Kind::Postgres => {
                let cluster = tokio::task::block_in_place(|| Postgres::start(CONNECTIONS_MAX))?;
                let database = cluster.create_database();
                Some(Self::Postgres {
                    cluster: Mutex::new(cluster),
                    database,
                })
            }
        }
    }

    /// As the settings name it.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Sqlite(file) => format!("sqlite://{}", file.display()),
            Self::Postgres { cluster, database } => cluster.lock().unwrap().url(database),
        }
    }

    /// Does something with the cluster and the database's name.
    pub(crate) fn postgres<T>(&self, act: impl FnOnce(&mut Postgres, &str) -> T) -> T {
        let Self::Postgres { cluster, database } = self else {
            panic!("this store is not in PostgreSQL");
        };
        tokio::task::block_in_place(|| act(&mut cluster.lock().unwrap(), database))
    }

    /// Rows of columns that are all text.
    pub(crate) async fn rows(&self, sql: &'static str) -> Vec<Vec<String>> {
        match self {
            Self::Sqlite(_) => {
                let rows = self.sqlite_rows(sql).await;
                let texts = |row: &sqlx::sqlite::SqliteRow| {
                    (0..row.len()).map(|column| row.get(column)).collect()
                };
                rows.iter().map(texts).collect()
            }
            Self::Postgres { .. } => {
                let text = self.postgres(|cluster, database| cluster.sql(database, sql));
                let texts = |line: &str| line.split('|').map(str::to_owned).collect();
                text.lines().map(texts).collect()
            }
        }
    }

    async fn sqlite_rows(&self, sql: &'static str) -> Vec<sqlx::sqlite::SqliteRow> {
        let Self::Sqlite(file) = self else {
            panic!("this store is not a file");
        };
        let options = SqliteConnectOptions::new().filename(file).read_only(true);
        let mut connection = options.connect().await.unwrap();
        sqlx::query(sql).fetch_all(&mut connection).await.unwrap()
    }

    /// Writes PostgreSQL's tables into a folder, a JSON object a line, because they go with the cluster.
    pub(crate) fn dump(&self, folder: &Path) {
        const TABLES: [&str; 8] = [
            "chain", "fact", "booking", "decision", "command", "attempt", "hold", "account",
        ];
        if matches!(self, Self::Sqlite(_)) {
            return;
        }
        for table in TABLES {
            let sql = format!("SELECT row_to_json({table}) FROM {table} ORDER BY {table}");
            let rows = self.postgres(|cluster, database| cluster.sql(database, &sql));
            std::fs::write(folder.join(format!("{table}.jsonl")), rows).unwrap();
        }
        let log = self.postgres(|cluster, _| cluster.log());
        std::fs::write(folder.join("server.log"), log).unwrap();
    }

    /// The bodies that are stored, as the relay fingerprints them.
    pub(crate) async fn bodies(&self) -> BTreeSet<String> {
        match self {
            Self::Sqlite(_) => {
                let rows = self.sqlite_rows("SELECT body FROM delivery").await;
                let body = |row: &sqlx::sqlite::SqliteRow| fingerprint(row.get(0));
                rows.iter().map(body).collect()
            }
            Self::Postgres { .. } => {
                let sql = "SELECT encode(sha256(body), 'hex') FROM delivery";
                self.rows(sql).await.into_iter().flatten().collect()
            }
        }
    }
}
