//! Writing where other instances write too: each piece of work is a transaction of its own, on a
//! connection of its own. What many do in the same way goes together instead (`together`).

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio_util::task::TaskTracker;

use super::backend::{Pool, Tx};
use super::error::StorageError;
use super::health::Health;

/// The way to write to a server.
#[derive(Debug)]
pub(super) struct Concurrent {
    pool: Pool,
    health: Arc<Health>,
    tasks: TaskTracker,
}

impl Concurrent {
    /// Writes through these connections, and tells how that went.
    pub(super) fn new(pool: Pool, health: Arc<Health>) -> Self {
        Self {
            pool,
            health,
            tasks: TaskTracker::new(),
        }
    }

    /// Runs a piece of work in a task that a caller who goes away does not stop, and waits for its
    /// commit.
    pub(super) async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<StorageError> + Send + 'static,
    {
        let pool = self.pool.clone();
        self.run_to_the_end(async move { run(&pool, work).await })
            .await
    }

    /// As [`Concurrent::write`], for one statement: to begin a transaction for it and to end that would
    /// be two journeys more.
    pub(super) async fn write_statement<T, F>(&self, statement: F) -> Result<T, StorageError>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, StorageError>> + Send + 'static,
        T: Send + 'static,
    {
        let pool = self.pool.clone();
        self.run_to_the_end(async move {
            let done = run_statement(&pool, statement).await;
            let trouble = done.as_ref().err().filter(|error| error.is_trouble());
            let trouble = trouble.cloned();
            (done, trouble)
        })
        .await
    }

    async fn run_to_the_end<T, E>(
        &self,
        work: impl Future<Output = (Result<T, E>, Option<StorageError>)> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StorageError> + Send + 'static,
    {
        if self.tasks.is_closed() {
            return Err(StorageError::Closed.into());
        }
        let health = Arc::clone(&self.health);
        let task = self.tasks.spawn(async move {
            let (result, trouble) = work.await;
            match trouble {
                Some(error) => health.down(&error),
                None => health.up(),
            }
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

async fn run_statement<T, F>(pool: &Pool, statement: F) -> Result<T, StorageError>
where
    F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, StorageError>>,
{
    let mut tx = pool.begin_nothing().await?;
    let done = statement(&mut tx).await?;
    tx.done();
    Ok(done)
}

/// Also tells what trouble the database is in, as far as this work has seen.
async fn run<T, E, F>(pool: &Pool, work: F) -> (Result<T, E>, Option<StorageError>)
where
    F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>>,
    E: From<StorageError>,
{
    let mut tx = match pool.begin_write().await {
        Ok(tx) => tx,
        Err(error) => return (Err(error.clone().into()), Some(error)),
    };
    let done = AssertUnwindSafe(async { work(&mut tx).await })
        .catch_unwind()
        .await
        .unwrap_or_else(|_| Err(StorageError::Panicked.into()));
    let trouble = tx.take_trouble();
    let end = match &done {
        Ok(_) => tx.commit().await,
        Err(_) => tx.rollback().await,
    };
    let at_end = end.as_ref().err().filter(|error| error.is_trouble());
    let trouble = trouble.or_else(|| at_end.cloned());
    match (done, end) {
        (Ok(_), Err(error)) => (Err(error.into()), trouble),
        (done, _) => (done, trouble),
    }
}
