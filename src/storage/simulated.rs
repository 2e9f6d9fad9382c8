//! What a simulation needs of the store: one that lives in memory, and a turnstile in front of every
//! transaction, at which the simulation decides who goes next and who never will.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use super::backend::{Files, Pool};
use super::checkpoint::Checkpointer;
use super::health::Health;
use super::opening::Door;
use super::writer::Writer;
use super::{Inner, Storage, StorageError, Writing, migrate};
use crate::domain::amount::Unit;

tokio::task_local! {
    /// The turnstile of whoever is running. Work outside of a simulation has none and never waits.
    static MINE: Arc<Turnstile>;
}

/// What is about to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// A transaction that only reads.
    Read,
    /// A transaction.
    Write,
    /// A question to the provider.
    Look,
    /// A call that changes something at the provider.
    Call,
}

/// Stops one piece of work before each of its steps until it is let through.
#[derive(Debug, Default)]
pub(crate) struct Turnstile(Mutex<Passage>);

#[derive(Debug, Default)]
struct Passage {
    waits_for: Option<Step>,
    is_open: bool,
    in_transaction: bool,
}

impl Turnstile {
    /// Runs `work` behind this turnstile.
    pub(crate) fn around<F: Future>(
        self: &Arc<Self>,
        work: F,
    ) -> impl Future<Output = F::Output> + use<F> {
        MINE.scope(Arc::clone(self), work)
    }

    /// The step before which the work stands; `None` while it takes one.
    pub(crate) fn waits_for(&self) -> Option<Step> {
        self.passage().waits_for
    }

    /// Lets the work take the step before which it stands.
    pub(crate) fn open(&self) {
        self.passage().is_open = true;
    }

    fn passage(&self) -> MutexGuard<'_, Passage> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits until the simulation gives way.
pub(crate) async fn pass(step: Step) {
    let Ok(mine) = MINE.try_with(Arc::clone) else {
        return;
    };
    mine.passage().waits_for = Some(step);
    std::future::poll_fn(|_| {
        let mut passage = mine.passage();
        if !std::mem::take(&mut passage.is_open) {
            return Poll::Pending;
        }
        passage.waits_for = None;
        Poll::Ready(())
    })
    .await;
}

/// Whether whoever asks is free of transactions. The writer's own task, which runs the work of others
/// inside theirs, is behind no turnstile, and so is not.
pub(crate) fn outside_of_transactions() -> bool {
    MINE.try_with(|mine| !mine.passage().in_transaction)
        .unwrap_or(false)
}

/// A transaction under way; over when dropped.
pub(super) struct UnderWay(Option<Arc<Turnstile>>);

impl UnderWay {
    pub(super) async fn begin(step: Step) -> Self {
        pass(step).await;
        let mine = MINE.try_with(Arc::clone).ok();
        if let Some(mine) = &mine {
            mine.passage().in_transaction = true;
        }
        Self(mine)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Some(mine) = &self.0 {
            mine.passage().in_transaction = false;
        }
    }
}

impl Storage {
    /// A store in memory, with one connection for all. Begins as `image` shows, else empty.
    pub(crate) async fn in_memory(
        units: &[Unit],
        image: Option<&[u8]>,
    ) -> Result<Self, StorageError> {
        let mut connection = rusqlite::Connection::open_in_memory()?;
        connection.pragma_update(None, "foreign_keys", true)?;
        let pool = if let Some(image) = image {
            connection.deserialize_read_exact("main", image, image.len(), false)?;
            Pool::Sqlite(Files::in_memory(connection))
        } else {
            migrate::migrate_in_memory(&connection)?;
            let pool = Pool::Sqlite(Files::in_memory(connection));
            migrate::prepare(&pool, units).await?;
            pool
        };
        let nobody_s_lock = tempfile::tempfile().map_err(|error| StorageError::Open {
            place: "memory".to_owned(),
            cause: error.to_string(),
        })?;
        let health = Arc::new(Health::new());
        let writer = Writer::start(
            pool.clone(),
            migrate::Lock(nobody_s_lock),
            Arc::clone(&health),
        )?;
        let checkpointer = Checkpointer::start(pool.clone(), &writer, &Door::open());
        let writing = Some(Writing::Alone {
            writer,
            checkpointer,
        });
        Ok(Self {
            inner: Arc::new(Inner {
                door: Door::open(),
                health,
                readers: pool,
                writing,
            }),
        })
    }

    /// The whole store, for another one to begin with.
    pub(crate) async fn image(&self) -> Result<Vec<u8>, StorageError> {
        let Pool::Sqlite(files) = &self.inner.readers else {
            return Err(StorageError::ReadOnly);
        };
        files.image().await
    }
}
