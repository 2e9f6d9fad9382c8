//! Work that is done together on a server: steps of many chains in one transaction, with one flush, and
//! with one statement for what many of them ask. A journey to the server and back costs more than what is
//! done there for one chain, so a crowd is worked off many times as fast.
//!
//! Whoever comes while others are at work waits for the next transaction; nobody waits for company. If
//! anything fails, nothing is kept: who failed is told why, and the others that they should do it again
//! by themselves. What is only looked at goes the same way, beside it and without a transaction.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio_util::task::TaskTracker;

use super::backend::{Desk, Pool, Tx};
use super::error::StorageError;
use super::health::Health;
use super::writer::{Task, Work};

/// Pieces of work in one transaction at most.
const BATCH_MAX: usize = 64;
/// Transactions at a time. More would wait for each other's rows.
const AT_ONCE: usize = 1;

/// The way to write together.
#[derive(Debug)]
pub(super) struct Together {
    shared: Arc<Shared>,
    tasks: TaskTracker,
}

/// What the work of a queue does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doing {
    /// It writes.
    Writing,
    /// It looks at one thing.
    Looking,
}

#[derive(Debug)]
struct Shared {
    doing: Doing,
    pool: Pool,
    health: Arc<Health>,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Box<dyn Work>>,
    /// Transactions under way.
    under_way: usize,
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue")
            .field("waiting", &self.waiting.len())
            .field("under_way", &self.under_way)
            .finish()
    }
}

impl Together {
    /// Uses these connections, and tells how that went.
    pub(super) fn new(doing: Doing, pool: Pool, health: Arc<Health>) -> Self {
        Self {
            shared: Arc::new(Shared {
                doing,
                pool,
                health,
                queue: Mutex::default(),
            }),
            tasks: TaskTracker::new(),
        }
    }

    /// Hands over a piece of work and waits for its end; of what is written, for its commit.
    pub(super) async fn run<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<StorageError> + Send + 'static,
    {
        if self.tasks.is_closed() {
            return Err(StorageError::Closed.into());
        }
        let (task, answer) = Task::new(work);
        let is_one_more = {
            let mut queue = self.shared.queue();
            queue.waiting.push_back(Box::new(task));
            let is_one_more = queue.under_way < AT_ONCE;
            queue.under_way += usize::from(is_one_more);
            is_one_more
        };
        if is_one_more {
            let shared = Arc::clone(&self.shared);
            self.tasks.spawn(async move {
                while let Some(batch) = shared.next() {
                    // Work catches its own panics; one of ours must not stop those who come later.
                    let _ = AssertUnwindSafe(shared.run(batch)).catch_unwind().await;
                }
            });
        }
        answer
            .await
            .unwrap_or_else(|_| Err(StorageError::Panicked.into()))
    }

    /// Finishes what was handed over.
    pub(super) async fn stop(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Shared {
    /// A panic elsewhere leaves the queue usable: every change of it is complete.
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All that waits; `None` if nothing does, and who asked is under way no more.
    fn next(&self) -> Option<Vec<Box<dyn Work>>> {
        let mut queue = self.queue();
        let count = queue.waiting.len().min(BATCH_MAX);
        let batch: Vec<_> = queue.waiting.drain(..count).collect();
        if batch.is_empty() {
            queue.under_way -= 1;
            return None;
        }
        Some(batch)
    }

    async fn run(&self, batch: Vec<Box<dyn Work>>) {
        let begun = match self.doing {
            Doing::Writing => self.pool.begin_together().await,
            Doing::Looking => self.pool.begin_nothing().await,
        };
        let mut tx = match begun {
            Ok(tx) => tx,
            Err(error) => {
                self.health.down(&error);
                for work in batch {
                    work.answer(Err(error.clone()));
                }
                return;
            }
        };
        let (batch, done) = carry_out(&mut tx, batch).await;
        let trouble = tx.take_trouble();
        let end = match done {
            Ok(()) if self.doing == Doing::Looking => {
                tx.done();
                Ok(())
            }
            Ok(()) => tx.commit().await,
            // Its connection is closed if that fails, which takes everything back as well.
            Err(error) => tx.rollback().await.and(Err(error)),
        };
        let at_end = end.as_ref().err().filter(|error| error.is_trouble());
        match trouble.as_ref().or(at_end) {
            Some(error) => self.health.down(error),
            None => self.health.up(),
        }
        let end = end.map_err(for_the_others);
        for work in batch {
            work.answer(end.clone());
        }
    }
}

/// Runs all work to its end. An error if any of it failed: then nothing may be kept.
async fn carry_out(
    tx: &mut Tx,
    batch: Vec<Box<dyn Work>>,
) -> (Vec<Box<dyn Work>>, Result<(), StorageError>) {
    let desk = Arc::new(Desk::default());
    let mut running: FuturesUnordered<_> = batch
        .into_iter()
        .enumerate()
        .map(|(number, mut work)| {
            let mut seat = Tx::at_desk(&desk, number);
            async move {
                let kept = work.run(&mut seat).await;
                (work, kept)
            }
        })
        .collect();
    let (mut ended, mut done) = (Vec::with_capacity(running.len()), Ok(()));
    while !running.is_empty() {
        let mut failed = false;
        // Until all that are left wait for an answer.
        std::future::poll_fn(|context| {
            while let Poll::Ready(Some((work, kept))) = running.poll_next_unpin(context) {
                failed |= !kept;
                ended.push(work);
            }
            match desk.waiting() == running.len() {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
        if running.is_empty() {
            if failed && done.is_ok() {
                done = Err(another_failed());
            }
            break;
        }
        let served = match failed {
            true => Err(another_failed()),
            false => desk.serve(tx).await,
        };
        if let Err(error) = served {
            let error = for_the_others(error);
            desk.turn_away(&error);
            done = Err(error);
        }
    }
    drop(running);
    (ended, done)
}

pub(super) fn another_failed() -> StorageError {
    StorageError::Conflict("work done together with this failed".to_owned())
}

/// What those are told whose work was all right.
fn for_the_others(error: StorageError) -> StorageError {
    match error {
        trouble if trouble.is_trouble() => trouble,
        StorageError::Conflict(_) => error,
        other => StorageError::Conflict(format!("done together with work that failed: {other}")),
    }
}
