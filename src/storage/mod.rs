//! The only room with SQL. It remembers: deliveries, chains and their facts, decisions, commands
//! and attempts, bookings, and the ledger. It decides nothing.
//!
//! [`Storage::write`] runs a piece of work as one transaction, committed together with whatever
//! else waits (`writer`); [`Storage::read`] shows one consistent state. What a transaction can do
//! are the methods of [`Tx`], one file for each concern. Rows come and go as the plain values of
//! [`records`]; no type of the driver leaves this room, and none but `backend` and `migrate`
//! knows it.
//!
//! A work must not wait for anything but its own statements: all others wait for it.

mod accounts;
mod backend;
mod bookings;
mod chains;
mod checkpoint;
mod commands;
mod decisions;
mod error;
mod idempotency;
mod inbox;
mod leases;
mod ledger;
mod migrate;
mod posting;
pub mod records;
#[cfg(test)]
mod tests;
mod verify;
mod words;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::domain::amount::Unit;

pub use backend::Tx;
use backend::{Access, Pool, Sql};
use checkpoint::Checkpointer;
pub use error::{LedgerError, StorageError};
use writer::Writer;

/// Where the store is and how it is used.
#[derive(Debug, Clone)]
pub struct StorageSettings {
    /// The database file. Its folder must exist; `<file>.lock`, `<file>-wal` and `<file>-shm` are
    /// put beside it.
    pub path: PathBuf,
    /// Connections that read, at least one.
    pub read_connections: u32,
    /// How long to wait for a connection, and for a file that another process has locked.
    pub busy_timeout_ms: u64,
    /// The units of the ledger.
    pub units: Vec<Unit>,
}

impl StorageSettings {
    fn busy_timeout(&self) -> Duration {
        Duration::from_millis(self.busy_timeout_ms)
    }
}

/// The store. Clones are the same store.
#[derive(Debug, Clone)]
pub struct Storage {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    readers: Pool,
    /// `None` if it was opened for reading only.
    writing: Option<Writing>,
}

/// What only the one daemon has. Both tasks end when the store is dropped, closed or not.
#[derive(Debug)]
struct Writing {
    writer: Writer,
    checkpointer: Checkpointer,
}

const PROBE: Sql = Sql::same("SELECT 1 AS probe");

impl Storage {
    /// Opens the file for a daemon: locks it, creates or migrates it, checks the units, and frees
    /// the leases that the last process left.
    ///
    /// # Errors
    /// [`StorageError::Locked`] if another daemon has it, [`StorageError::NewerSchema`],
    /// [`StorageError::UnitScale`], or whatever keeps the file from being opened.
    pub async fn open(settings: &StorageSettings) -> Result<Self, StorageError> {
        let (path, timeout) = (&settings.path, settings.busy_timeout());
        let lock = migrate::lock(path)?;
        let pool = Pool::open(path, Access::Write, timeout).await?;
        migrate::migrate(&pool, path).await?;
        migrate::prepare(&pool, &settings.units).await?;

        let connections = settings.read_connections;
        let readers = Pool::open(path, Access::Read { connections }, timeout).await?;
        let folding = Pool::open(path, Access::Checkpoint, timeout).await?;
        let writer = Writer::start(pool, lock);
        let checkpointer = Checkpointer::start(folding, &writer);
        let writing = Some(Writing {
            writer,
            checkpointer,
        });
        Ok(Self {
            inner: Arc::new(Inner { readers, writing }),
        })
    }

    /// Opens the file for reading, also beside a running daemon: takes no lock, changes nothing.
    ///
    /// # Errors
    /// [`StorageError::Open`] if there is no such file, [`StorageError::NewerSchema`] or
    /// [`StorageError::OlderSchema`] if it is not at this program's schema.
    pub async fn open_read_only(settings: &StorageSettings) -> Result<Self, StorageError> {
        let path = &settings.path;
        let readers = Pool::open(path, Access::ReadOnly, settings.busy_timeout()).await?;
        migrate::check_schema(&readers, path).await?;
        Ok(Self {
            inner: Arc::new(Inner {
                readers,
                writing: None,
            }),
        })
    }

    /// Brings the file to this program's schema, closes it again, and says which schema that is.
    ///
    /// # Errors
    /// As [`Storage::open`].
    pub async fn migrate_only(settings: &StorageSettings) -> Result<i64, StorageError> {
        Self::open(settings).await?.close().await;
        Ok(migrate::known_schema())
    }

    /// Runs `work` as one transaction and returns once it is on disk. If it returns an error or
    /// panics, nothing of it was kept; other work that shares the commit is not touched. Dropping
    /// the returned future does not stop work that was handed over.
    ///
    /// `work` must not call [`Storage::write`] itself: it would wait for its own end.
    ///
    /// # Errors
    /// Those of `work`; else [`StorageError::Unavailable`], [`StorageError::Panicked`],
    /// [`StorageError::ReadOnly`] or [`StorageError::Closed`].
    pub async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<StorageError> + Send + 'static,
    {
        let writing = self.inner.writing.as_ref();
        let writing = writing.ok_or(StorageError::ReadOnly)?;
        writing.writer.write(work).await
    }

    /// Runs `work` on one consistent state of the database. Writing in it is an error.
    ///
    /// # Errors
    /// Those of `work`; else [`StorageError::Unavailable`], or [`StorageError::Closed`].
    pub async fn read<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>>,
        E: From<StorageError>,
    {
        let mut tx = self.inner.readers.begin_read().await?;
        let result = work(&mut tx).await;
        tx.rollback().await?;
        result
    }

    /// Finishes the writes that were handed over, folds back the log, and gives up the lock. Later
    /// calls get [`StorageError::Closed`].
    pub async fn close(&self) {
        self.inner.readers.close().await;
        if let Some(writing) = &self.inner.writing {
            writing.checkpointer.stop().await;
            // Last, because it gives up the lock.
            writing.writer.stop().await;
        }
    }

    /// Whether the store can be used, as far as that can be told cheaply: the last commit went
    /// through, and a read does.
    pub async fn healthy(&self) -> bool {
        let writing = self.inner.writing.as_ref();
        let state = writing.map(|writing| writing.writer.state());
        let committed = state.is_none_or(|state| state.healthy.load(Ordering::Relaxed));
        let probe = self.read(|tx| {
            Box::pin(async { Ok::<_, StorageError>(tx.query(PROBE).one().await.is_ok()) })
        });
        committed && probe.await.unwrap_or(false)
    }
}
