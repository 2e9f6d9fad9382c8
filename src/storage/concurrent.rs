//! Writing where other instances write too: each piece of work is a transaction of its own, on a
//! connection of its own. Nothing is gained by grouping them here: the server itself flushes many
//! commits at once, and rows that many want (an account) are locked for a short time only.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio_util::task::TaskTracker;

use super::backend::{Pool, Tx};
use super::error::StorageError;

/// The way to write to a server.
#[derive(Debug)]
pub(super) struct Concurrent {
    pool: Pool,
    healthy: Arc<AtomicBool>,
    tasks: TaskTracker,
}

impl Concurrent {
    /// Writes through these connections.
    pub(super) fn new(pool: Pool) -> Self {
        Self {
            pool,
            healthy: Arc::new(AtomicBool::new(true)),
            tasks: TaskTracker::new(),
        }
    }

    /// Whether the last transaction was committed, or refused for reasons of its own.
    pub(super) fn is_healthy(&self) -> bool {
        self.healthy.load(Ordering::Relaxed)
    }

    /// Runs a piece of work in a task that a caller who goes away does not stop, and waits for its
    /// commit.
    pub(super) async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<StorageError> + Send + 'static,
    {
        if self.tasks.is_closed() {
            return Err(StorageError::Closed.into());
        }
        let (pool, healthy) = (self.pool.clone(), Arc::clone(&self.healthy));
        let task = self.tasks.spawn(async move {
            let (result, well) = run(&pool, work).await;
            healthy.store(well, Ordering::Relaxed);
            result
        });
        task.await
            .unwrap_or_else(|_| Err(StorageError::Panicked.into()))
    }

    /// Finishes what was handed over, then closes the connections.
    pub(super) async fn stop(&self) {
        self.tasks.close();
        self.tasks.wait().await;
        self.pool.close().await;
    }
}

/// Also tells whether the database is well, as far as this work has seen.
async fn run<T, E, F>(pool: &Pool, work: F) -> (Result<T, E>, bool)
where
    F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>>,
    E: From<StorageError>,
{
    let mut tx = match pool.begin_write().await {
        Ok(tx) => tx,
        Err(error) => return (Err(error.into()), false),
    };
    let done = AssertUnwindSafe(async { work(&mut tx).await })
        .catch_unwind()
        .await
        .unwrap_or_else(|_| Err(StorageError::Panicked.into()));
    let well = !tx.is_troubled();
    let end = match &done {
        Ok(_) => tx.commit().await,
        Err(_) => tx.rollback().await,
    };
    let well = well && !matches!(end, Err(StorageError::Unavailable(_)));
    match (done, end) {
        (Ok(_), Err(error)) => (Err(error.into()), well),
        (done, _) => (done, well),
    }
}
