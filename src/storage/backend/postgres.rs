//! PostgreSQL: a server, many connections, and other daemons that use it too.

use std::borrow::Cow;
use std::path::Path;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgListener, PgPoolOptions, PgSslMode};
use sqlx::{ConnectOptions, Connection as _, Executor as _, Postgres, Row as _};
use tokio::time::Instant;

use super::{Pool, STATEMENTS_MAX, Value, unreachable};
use crate::domain::clock::{Timestamp, from_us};
use crate::storage::error::StorageError;
use crate::storage::nul::without_nul;
use crate::storage::{PostgresSettings, TlsMode};

/// How long a statement waits for a row that another transaction has locked, in ms. Then its work is
/// taken back and done again: whoever has the row may itself be waiting for one of ours.
const LOCK_WAIT_MS: u32 = 2_000;
/// How long the server keeps a transaction of a daemon that says nothing any more, in ms. It guards
/// the others from one whose machine is cut off with locks in its hands.
const SILENCE_MS_MAX: u32 = 15_000;
/// Between two tries to reach a server that may just be starting.
const KNOCK_EVERY: Duration = Duration::from_millis(100);
/// How long a connection that nobody uses is taken to be well.
const TRUSTED: Duration = Duration::from_secs(1);
/// Where instances tell each other of work.
const CHANNEL: &str = "bookgate_work";

impl Pool {
    /// Connections to a server, none of which is made yet.
    ///
    /// # Errors
    /// The settings cannot be right.
    pub(in crate::storage) fn to_server(
        settings: &PostgresSettings,
        read_only: bool,
        patience: Duration,
    ) -> Result<Self, StorageError> {
        let place = settings.place();
        let options = options(settings).map_err(|cause| StorageError::Open {
            place: place.clone(),
            cause,
        })?;
        let statement_timeout_ms = settings.statement_timeout_ms;
        let pool = PgPoolOptions::new()
            .max_connections(settings.connections_max.max(2))
            .acquire_timeout(patience.max(Duration::from_millis(1)))
            // Who waits in vain says so; the driver need not warn of each who waits.
            .acquire_slow_threshold(patience)
            // A connection that the server has closed is found out by asking; that is cheaper than to
            // fail the work that gets it. One that was in use a moment ago is not asked each time.
            .test_before_acquire(false)
            .before_acquire(|connection, about| {
                Box::pin(async move {
                    if about.idle_for > TRUSTED {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    let session = session(read_only, statement_timeout_ms);
                    connection.execute(sqlx::AssertSqlSafe(session)).await?;
                    Ok(())
                })
            })
            .connect_lazy_with(options);
        Ok(Self::Postgres {
            pool,
            // The server gives up first, unless it cannot be heard.
            patience: Duration::from_millis(statement_timeout_ms.saturating_add(1_000)),
            place: place.into(),
        })
    }

    /// As [`Pool::to_server`], to one that answers: waits for it, but no longer than `patience`.
    ///
    /// # Errors
    /// [`StorageError::Unreachable`] if it does not; [`StorageError::Open`] if it lets nobody in.
    pub(in crate::storage) async fn connect(
        settings: &PostgresSettings,
        read_only: bool,
        patience: Duration,
    ) -> Result<Self, StorageError> {
        let pool = Self::to_server(settings, read_only, patience)?;
        let ends = Instant::now() + patience;
        let mut left = patience;
        loop {
            let error = match pool.reach(left).await {
                Ok(()) => return Ok(pool),
                Err(error) => error,
            };
            left = ends.saturating_duration_since(Instant::now() + KNOCK_EVERY);
            if !error.is_transient() || left.is_zero() {
                return Err(error);
            }
            tokio::time::sleep(KNOCK_EVERY).await;
        }
    }

    /// Makes one connection; to a server past the pool: that waits, and does not tell why it waited in
    /// vain.
    ///
    /// # Errors
    /// As [`Pool::connect`].
    pub(in crate::storage) async fn reach(&self, patience: Duration) -> Result<(), StorageError> {
        let (pool, place) = match self {
            Self::Sqlite(files) => return files.reach().await,
            Self::Postgres { pool, place, .. } => (pool, place),
        };
        let options = pool.connect_options();
        match tokio::time::timeout(patience, Box::pin(options.connect())).await {
            Ok(Ok(connection)) => {
                // It has served its purpose, however it ends.
                let _ = connection.close().await;
                Ok(())
            }
            Ok(Err(error)) => Err(unreachable::why(&error, &options, place)),
            Err(_) => Err(StorageError::Unreachable {
                place: place.to_string(),
                cause: format!(
                    "{} did not answer within {} ms",
                    unreachable::address(&options),
                    patience.as_millis()
                ),
            }),
        }
    }

    /// Tells the other instances that there is work.
    pub(in crate::storage) async fn ring(&self) -> Result<(), StorageError> {
        if let Self::Postgres { pool, patience, .. } = self {
            let notify = sqlx::query("SELECT pg_notify($1, '')").bind(CHANNEL);
            within(*patience, notify.execute(pool)).await?;
        }
        Ok(())
    }

    /// Calls `rung` whenever another instance has told of work, or may have done so unheard; until the
    /// connection is lost.
    pub(in crate::storage) async fn listen(
        &self,
        rung: impl Fn() + Send,
    ) -> Result<(), StorageError> {
        let Self::Postgres { pool, .. } = self else {
            return std::future::pending().await;
        };
        let mut listener = PgListener::connect_with(pool).await?;
        listener.listen(CHANNEL).await?;
        loop {
            rung();
            listener.recv().await?;
        }
    }

    /// The server's own time: what all instances agree on. `None` where there is no server.
    pub(in crate::storage) async fn time(&self) -> Result<Option<Timestamp>, StorageError> {
        const TIME: &str =
            "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT) AS us";
        let Self::Postgres { pool, patience, .. } = self else {
            return Ok(None);
        };
        let row = within(*patience, sqlx::query(TIME).fetch_one(pool)).await?;
        Ok(Some(from_us(row.try_get("us")?)))
    }
}

fn options(settings: &PostgresSettings) -> Result<PgConnectOptions, String> {
    let url = settings.url.expose();
    let options: PgConnectOptions = url
        .parse()
        .map_err(|error: sqlx::Error| error.to_string())?;
    let options = match settings.tls {
        // What stands in the address is more particular.
        Some(_) if url.contains("sslmode=") || url.contains("ssl-mode=") => options,
        Some(mode) => options.ssl_mode(match mode {
            TlsMode::Disable => PgSslMode::Disable,
            TlsMode::Prefer => PgSslMode::Prefer,
            TlsMode::Require => PgSslMode::Require,
            TlsMode::VerifyCa => PgSslMode::VerifyCa,
            TlsMode::VerifyFull => PgSslMode::VerifyFull,
        }),
        None => options,
    };
    let options = match &settings.tls_root_certificate {
        // Read here: what the driver says of it later does not tell which file is meant.
        Some(file) => options.ssl_root_cert_from_pem(certificates(file)?),
        None => options,
    };
    Ok(options
        .application_name("bookgate")
        .statement_cache_capacity(STATEMENTS_MAX)
        .disable_statement_logging())
}

/// The contents of a file with certificates.
fn certificates(file: &Path) -> Result<Vec<u8>, String> {
    let shown = file.display();
    let pem = std::fs::read(file)
        .map_err(|error| format!("storage.tls_root_certificate `{shown}`: {error}"))?;
    match CertificateDer::pem_slice_iter(&pem).next() {
        Some(Ok(_)) => Ok(pem),
        _ => Err(format!(
            "storage.tls_root_certificate `{shown}` has no certificate in PEM: it begins with \
             -----BEGIN CERTIFICATE-----"
        )),
    }
}

/// What every connection is set to. `synchronous_commit = off` would answer before anything is on
/// disk; everything else an administrator may have set is at least as safe as `local`.
fn session(read_only: bool, statement_timeout_ms: u64) -> String {
    let access = if read_only { "on" } else { "off" };
    format!(
        "SET lock_timeout = {LOCK_WAIT_MS}; SET statement_timeout = {statement_timeout_ms};
         SET idle_in_transaction_session_timeout = {SILENCE_MS_MAX};
         SET default_transaction_read_only = {access};
         SELECT set_config('synchronous_commit', 'on', false)
         WHERE current_setting('synchronous_commit') = 'off'"
    )
}

/// Runs a statement, and no longer than the server can be expected to need.
pub(super) async fn within<T>(
    patience: Duration,
    statement: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, StorageError> {
    match tokio::time::timeout(patience, statement).await {
        Ok(done) => Ok(done?),
        Err(_) => Err(StorageError::Unavailable(format!(
            "the database did not answer within {} ms",
            patience.as_millis()
        ))),
    }
}

/// A statement with its values bound; texts without NUL, when they are stored and when they are looked
/// for.
pub(super) fn wording(
    text: &'static str,
    values: Vec<Value>,
) -> sqlx::query::Query<'static, Postgres, PgArguments> {
    let query = sqlx::query(text);
    values.into_iter().fold(query, |query, value| match value {
        Value::Integer(value) => query.bind(value),
        Value::Text(value) => query.bind(value.map(clean)),
        Value::Bytes(value) => query.bind(value),
        Value::Integers(values) => query.bind(values),
        Value::Texts(values) => {
            let values: Vec<_> = values.into_iter().map(|value| value.map(clean)).collect();
            query.bind(values)
        }
        Value::Blobs(values) => query.bind(values),
    })
}

fn clean(text: String) -> String {
    match without_nul(&text) {
        Cow::Owned(clean) => clean,
        Cow::Borrowed(_) => text,
    }
}

/// Sorts PostgreSQL's error codes (<https://www.postgresql.org/docs/current/errcodes-appendix.html>)
/// by what can be done about them.
pub(super) fn sorted(code: &str, message: &str) -> StorageError {
    let text = format!("{message} (PostgreSQL code {code})");
    match code {
        // Serialization failure, deadlock, a lock that was not to be had in time.
        "40001" | "40P01" | "55P03" => StorageError::Conflict(text),
        // A server that has become a standby, one that stops, a statement that took too long.
        "25006" | "57014" | "57P01" | "57P02" | "57P03" | "57P05" | "25P03" => {
            StorageError::Unavailable(text)
        }
        // A table that is somebody else's.
        "42501" => StorageError::Denied(text),
        _ => match code.get(..2) {
            // Wrong password, no such user, no such database.
            Some("28" | "3D") => StorageError::Denied(text),
            // Connection, resources, the operating system, the server's own trouble with its files.
            Some("08" | "53" | "58") => StorageError::Unavailable(text),
            // Contents that no column takes, broken rules of the schema, texts beyond all limits.
            Some("22" | "23" | "54") => StorageError::Refused(text),
            _ => StorageError::Corrupt(text),
        },
    }
}
