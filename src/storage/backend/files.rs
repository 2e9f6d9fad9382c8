//! Connections to one file, used by threads that may wait. A statement on a file takes some millionths
//! of a second; a driver that sent each one to a thread of its own and back would take ten times that.
//! So a piece of work goes to a thread as a whole, and runs its statements there.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use super::sqlite::{self, Access};
use super::{Row, Sql, Tx, Value};
use crate::storage::error::StorageError;

/// Rows that wait for whoever goes through a whole table.
const ROWS_AHEAD: usize = 256;

/// A pool. Clones are the same one.
#[derive(Debug, Clone)]
pub(in crate::storage) struct Files {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    access: Access,
    busy_timeout: Duration,
    connections: u32,
    free: Arc<Semaphore>,
    idle: Mutex<Vec<rusqlite::Connection>>,
}

/// A connection, until it is dropped.
#[derive(Debug)]
pub(super) struct FileConnection {
    /// `None` once it was thrown away.
    connection: Option<rusqlite::Connection>,
    home: Files,
    _permit: OwnedSemaphorePermit,
}

impl Files {
    /// Connections that are made when they are wanted. How long it takes until one is free, or the file
    /// is, is `busy_timeout` at most.
    pub(super) fn to(path: &Path, access: Access, busy_timeout: Duration) -> Self {
        let connections = match access {
            Access::Read { connections } => connections.max(1),
            Access::Write | Access::Checkpoint | Access::ReadOnly | Access::Copy => 1,
        };
        Self::new(path, access, busy_timeout, connections, Vec::new())
    }

    /// A store in memory, with the one connection there can be.
    #[cfg(test)]
    pub(in crate::storage) fn in_memory(connection: rusqlite::Connection) -> Self {
        let path = Path::new(IN_MEMORY);
        Self::new(
            path,
            Access::Write,
            Duration::from_secs(5),
            1,
            vec![connection],
        )
    }

    fn new(
        path: &Path,
        access: Access,
        busy_timeout: Duration,
        connections: u32,
        idle: Vec<rusqlite::Connection>,
    ) -> Self {
        let shared = Shared {
            path: path.to_owned(),
            access,
            busy_timeout,
            connections,
            free: Arc::new(Semaphore::new(connections as usize)),
            idle: Mutex::new(idle),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// The file.
    pub(in crate::storage) fn path(&self) -> &Path {
        &self.shared.path
    }

    /// Whether there is a file at all: work on a store in memory is done where it is asked for.
    pub(in crate::storage) fn is_on_disk(&self) -> bool {
        cfg!(not(test)) || self.shared.path != Path::new(IN_MEMORY)
    }

    /// A connection, once one is free.
    pub(super) async fn acquire(&self) -> Result<FileConnection, StorageError> {
        let free = Arc::clone(&self.shared.free).acquire_owned();
        let patience = self.shared.busy_timeout.max(Duration::from_millis(1));
        let permit = match tokio::time::timeout(patience, free).await {
            Ok(Ok(permit)) => permit,
            Ok(Err(_)) => return Err(StorageError::Closed),
            Err(_) => {
                let busy = "no connection to be had: all are busy".to_owned();
                return Err(StorageError::Unavailable(busy));
            }
        };
        let kept = self.idle().pop();
        let connection = match kept {
            Some(connection) => connection,
            None => self.connect()?,
        };
        Ok(FileConnection {
            connection: Some(connection),
            home: self.clone(),
            _permit: permit,
        })
    }

    /// Whether the file can be opened, in a thread: that may wait.
    pub(super) async fn reach(&self) -> Result<(), StorageError> {
        let (files, runtime) = (self.clone(), tokio::runtime::Handle::current());
        let reaching = move || runtime.block_on(files.acquire()).map(drop);
        let reached = tokio::task::spawn_blocking(reaching).await;
        reached.unwrap_or(Err(StorageError::Panicked))
    }

    /// Runs `work` on one state of the file, in a thread of its own.
    pub(in crate::storage) async fn read<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<StorageError> + Send + 'static,
    {
        let mut tx = Tx::on_file(self.acquire().await?);
        let reading = async move {
            tx.begin(super::BEGIN_READ).await?;
            let result = work(&mut tx).await;
            tx.rollback().await?;
            result
        };
        if !self.is_on_disk() {
            return reading.await;
        }
        // Whoever gives up waiting ends the work, too.
        let wanted = CancellationToken::new();
        let given_up = wanted.clone();
        let _until_dropped = wanted.drop_guard();
        let reading = given_up.run_until_cancelled_owned(reading);
        let runtime = tokio::runtime::Handle::current();
        match tokio::task::spawn_blocking(move || runtime.block_on(reading)).await {
            Ok(Some(done)) => done,
            Ok(None) | Err(_) => Err(StorageError::Panicked.into()),
        }
    }

    /// All rows of a statement, one after the other, however many there are. They are read on a
    /// connection beside those of the pool.
    pub(in crate::storage) fn stream(
        &self,
        sql: Sql,
        value: impl Into<Value>,
    ) -> mpsc::Receiver<Result<Row, StorageError>> {
        let (sender, rows) = mpsc::channel(ROWS_AHEAD);
        let (files, value) = (self.clone(), value.into());
        #[cfg(test)]
        super::super::tests::contract::saw(sql.sqlite, false);
        tokio::task::spawn_blocking(move || {
            let send = |row| sender.blocking_send(row).is_ok();
            let read = |row| send(Ok(row));
            let connection = files.connect();
            let done = connection
                .and_then(|connection| sqlite::each(&connection, sql.sqlite, &[value], read));
            if let Err(error) = done {
                send(Err(error));
            }
        });
        rows
    }

    /// All that is stored.
    #[cfg(test)]
    pub(in crate::storage) async fn image(&self) -> Result<Vec<u8>, StorageError> {
        let connection = self.acquire().await?;
        Ok(connection.open()?.serialize("main")?.to_vec())
    }

    /// Closes all connections; waits for those in use.
    pub(super) async fn close(&self) {
        let all = self.shared.free.acquire_many(self.shared.connections).await;
        self.shared.free.close();
        if all.is_ok() {
            self.idle().clear();
        }
    }

    fn connect(&self) -> Result<rusqlite::Connection, StorageError> {
        let Shared {
            path,
            access,
            busy_timeout,
            ..
        } = &*self.shared;
        sqlite::connect(path, *access, *busy_timeout)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<rusqlite::Connection>> {
        let idle = self.shared.idle.lock();
        idle.unwrap_or_else(PoisonError::into_inner)
    }
}

/// The path of a store that has no file.
const IN_MEMORY: &str = ":memory:";

impl FileConnection {
    /// To run statements on.
    pub(super) fn open(&self) -> Result<&rusqlite::Connection, StorageError> {
        self.connection.as_ref().ok_or(StorageError::Closed)
    }

    /// Throws it away: nobody knows what it is in the middle of.
    pub(super) fn throw_away(&mut self) {
        self.connection = None;
    }
}

impl Drop for FileConnection {
    fn drop(&mut self) {
        self.home.idle().extend(self.connection.take());
    }
}
