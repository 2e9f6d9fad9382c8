//! Where the store is and how it is used.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use crate::domain::amount::Unit;
use crate::domain::secret::Secret;

/// Where the store is and how it is used.
#[derive(Debug, Clone)]
pub struct StorageSettings {
    /// Which database.
    pub database: Database,
    /// How long to wait for a connection, and for a file that another process has locked, in ms.
    pub busy_timeout_ms: u64,
    /// The units of the ledger.
    pub units: Vec<Unit>,
}

/// Which database.
#[derive(Debug, Clone)]
pub enum Database {
    /// A file, for one daemon.
    Sqlite {
        /// The file. Its folder must exist; `<file>.lock`, `<file>-wal` and `<file>-shm` are put
        /// beside it.
        path: PathBuf,
        /// Connections that read, at least one.
        read_connections: u32,
    },
    /// A server, for any number of daemons.
    Postgres(PostgresSettings),
}

/// How to reach a PostgreSQL server.
#[derive(Debug, Clone)]
pub struct PostgresSettings {
    /// The address, `postgres://user:password@host:port/database`. What it leaves out is taken from
    /// the environment (`PGPASSWORD` and its like), as PostgreSQL's own programs do.
    pub url: Secret,
    /// How the connection is encrypted, unless the address says it (`?sslmode=`).
    pub tls: Option<TlsMode>,
    /// A file with certificates that may sign the server's, beside those of the machine.
    pub tls_root_certificate: Option<PathBuf>,
    /// Connections at most, at least two.
    pub connections_max: u32,
    /// The longest that one statement may take, in ms.
    pub statement_timeout_ms: u64,
}

/// How the connection to a server is encrypted: PostgreSQL's own words.
/// <https://www.postgresql.org/docs/current/libpq-ssl.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsMode {
    /// Not at all.
    Disable,
    /// If the server can. Anyone in between can switch it off.
    Prefer,
    /// Always, with whoever answers.
    Require,
    /// Always, and the certificate must be signed by a known authority.
    VerifyCa,
    /// As `VerifyCa`, and it must be the server's own.
    VerifyFull,
}

impl StorageSettings {
    pub(super) fn busy_timeout(&self) -> Duration {
        Duration::from_millis(self.busy_timeout_ms)
    }
}

impl Database {
    /// The database's name in messages: no password.
    pub fn place(&self) -> String {
        match self {
            Self::Sqlite { path, .. } => path.display().to_string(),
            Self::Postgres(server) => server.place(),
        }
    }
}

impl PostgresSettings {
    /// The server's name in messages: no user, no password, no parameters.
    pub fn place(&self) -> String {
        match Url::parse(self.url.expose()) {
            Ok(url) => format!(
                "postgres://{}{}",
                url.host_str().unwrap_or("localhost"),
                url.path()
            ),
            Err(_) => "postgres://…".to_owned(),
        }
    }
}
