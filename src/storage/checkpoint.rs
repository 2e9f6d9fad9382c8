//! Folding the write-ahead log back into the database file, in the background and on a connection
//! of its own, so that a commit never waits for it. <https://sqlite.org/wal.html#ckpt>

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::sync::mpsc::WeakSender;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::backend::{Pool, Sql};
use super::opening::Door;
use super::writer::{Message, Writer, WriterState};

/// How often the log is looked at.
const INTERVAL_MS: u64 = 500;
/// Pages of log (4 KiB each) from which on the writer itself makes room. Under constant load the
/// background never catches up with the end of the log, which only then can start over.
const LOG_PAGES_MAX: i64 = 16_384;

// PASSIVE waits for nobody: it folds back what no reader is still looking at.
const PASSIVE: Sql = Sql::same("PRAGMA wal_checkpoint(PASSIVE)");
// TRUNCATE waits for readers, then leaves an empty log.
const TRUNCATE: Sql = Sql::same("PRAGMA wal_checkpoint(TRUNCATE)");

/// The background task; ends when this is dropped.
#[derive(Debug)]
pub(super) struct Checkpointer {
    stop: DropGuard,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Checkpointer {
    /// Starts the task, which begins once the store is open.
    pub(super) fn start(pool: Pool, writer: &Writer, door: &Door) -> Self {
        let stop = CancellationToken::new();
        let folding = run(
            pool.clone(),
            Arc::clone(writer.state()),
            writer.weak(),
            stop.clone(),
        );
        let (opened, stopped) = (door.opened(), stop.clone());
        let task = tokio::spawn(async move {
            if stopped.run_until_cancelled_owned(opened).await.is_some() {
                folding.await;
            }
            pool.close().await;
        });
        Self {
            stop: stop.drop_guard(),
            task: Mutex::new(Some(task)),
        }
    }

    /// Ends the task and waits until it has let go of the file.
    pub(super) async fn stop(&self) {
        self.stop.token().cancel();
        if let Some(task) = self.task.lock().await.take() {
            let _ = task.await;
        }
    }
}

/// Folds back every now and then until `stop`.
async fn run(
    pool: Pool,
    state: Arc<WriterState>,
    writer: WeakSender<Message>,
    stop: CancellationToken,
) {
    let mut ticks = tokio::time::interval(Duration::from_millis(INTERVAL_MS));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = ticks.tick() => {}
        }
        if !state.dirty.swap(false, Ordering::Relaxed) {
            continue;
        }
        if passive(&pool).await > LOG_PAGES_MAX
            && let Some(writer) = writer.upgrade()
        {
            // If it has no room now, the next look comes soon.
            let _ = writer.try_send(Message::Checkpoint);
        }
    }
}

/// Folds back what can be without waiting; returns the pages in the log.
pub(super) async fn passive(pool: &Pool) -> i64 {
    match pool.fold_back(PASSIVE).await {
        Ok(pages) => pages,
        Err(error) => {
            tracing::warn!(error = %error, "the store could not fold back its log");
            0
        }
    }
}

/// Folds back everything, at the end.
pub(super) async fn truncate(pool: &Pool) {
    if let Err(error) = pool.fold_back(TRUNCATE).await {
        tracing::warn!(error = %error, "the store left its log; the next start folds it back");
    }
}
