//! The only room with SQL. It remembers: deliveries, chains and their facts, decisions, commands
//! and attempts, bookings, and the ledger. It decides nothing.
//!
//! [`Storage::write`] runs a piece of work as one transaction, committed together with whatever
//! else waits (`writer`); [`Storage::read`] shows one consistent state. What a transaction can do
//! are the methods of [`Tx`], one file for each concern. Rows come and go as the plain values of
//! [`records`]; no type of the drivers leaves this room, and none but `backend` and `migrate`
//! knows them.
//!
//! A work must not wait for anything but its own statements: all others wait for it.
//!
//! There are two databases and one behaviour. On a file (SQLite) there is one writer (`writer`), so
//! nothing needs to be locked. On a server (PostgreSQL) others write at the same time
//! (`concurrent`): whoever works on a chain locks its row first ([`Tx::lock_chain`]), balances move
//! in one conditional statement each, and what still collides is a [`StorageError::Conflict`], after
//! which the work is done again. Steps of many chains go to it together (`together`): one transaction,
//! and one statement for what many of them ask (`backend::desk`, `backend::sets`).

mod accounts;
mod archive;
mod audit;
mod backend;
mod backup;
mod bell;
mod bookings;
mod by_hand;
mod chains;
mod checkpoint;
mod commands;
mod concurrent;
mod dead_letters;
mod decisions;
mod deliveries;
mod error;
mod filing;
mod health;
mod idempotency;
mod import;
mod inbox;
mod instances;
mod jobs;
mod leases;
mod ledger;
mod migrate;
mod notices;
mod nul;
mod opening;
mod others;
mod overview;
mod posting;
pub mod records;
mod retention;
mod settings;
mod shadows;
#[cfg(test)]
pub(crate) mod simulated;
mod sources;
mod tables;
mod tags;
#[cfg(test)]
mod tests;
mod together;
mod verify;
mod waiting;
mod words;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::domain::clock::Timestamp;

pub use backend::Tx;
use backend::{Access, Pool, Sql};
pub use backup::BackupError;
use bell::Bell;
use checkpoint::Checkpointer;
use concurrent::Concurrent;
pub use error::{LedgerError, StorageError};
use health::Health;
pub use import::ImportError;
use opening::Door;
pub use settings::{Database, PostgresSettings, StorageSettings, TlsMode};
use together::{Doing, Together};
use writer::{Manner, Writer};

/// How long the store may take to say that it is well.
const PROBE_PATIENCE: Duration = Duration::from_secs(1);

/// The store. Clones are the same store.
#[derive(Debug, Clone)]
pub struct Storage {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    door: Door,
    health: Arc<Health>,
    readers: Pool,
    /// `None` if it was opened for reading only.
    writing: Option<Writing>,
}

/// What only a daemon has. All tasks end when the store is dropped, closed or not.
#[derive(Debug)]
enum Writing {
    /// On a file: one after the other, grouped.
    Alone {
        writer: Writer,
        checkpointer: Checkpointer,
    },
    /// On a server: beside others.
    Among {
        concurrent: Concurrent,
        together: Together,
        looking: Together,
        bell: Bell,
    },
}

const PROBE: Sql = Sql::same("SELECT 1 AS probe");

impl Storage {
    /// Opens the store for a daemon: creates or migrates it, and checks the units. A file is locked,
    /// and the leases that the last process left on it are freed.
    ///
    /// # Errors
    /// [`StorageError::Locked`] if another daemon has the file, [`StorageError::NewerSchema`],
    /// [`StorageError::UnitScale`], or whatever keeps the store from being opened.
    pub async fn open(settings: &StorageSettings) -> Result<Self, StorageError> {
        match &settings.database {
            Database::Sqlite {
                path,
                read_connections,
            } => Self::open_file(path, *read_connections, settings, false).await,
            Database::Postgres(server) => {
                let pool = Pool::connect(server, false, settings.busy_timeout()).await?;
                opening::make_fit(&pool, settings).await?;
                Ok(Self::among(pool, Door::open(), Arc::new(Health::new())))
            }
        }
    }

    /// As [`Storage::open`], also where the server is down or the disk is full: it is opened once that
    /// has passed, and until then reads and writes fail as they do when it happens later.
    ///
    /// # Errors
    /// As [`Storage::open`], of what does not become right by waiting.
    pub async fn open_soon(settings: &StorageSettings) -> Result<Self, StorageError> {
        match &settings.database {
            Database::Sqlite {
                path,
                read_connections,
            } => Self::open_file(path, *read_connections, settings, true).await,
            Database::Postgres(server) => {
                let health = Arc::new(Health::new());
                let pool = Pool::to_server(server, false, settings.busy_timeout())?;
                let door = Door::open_soon(&pool, settings, &health).await?;
                Ok(Self::among(pool, door, health))
            }
        }
    }

    fn among(pool: Pool, door: Door, health: Arc<Health>) -> Self {
        let writing = Some(Writing::Among {
            concurrent: Concurrent::new(pool.clone(), Arc::clone(&health)),
            together: Together::new(Doing::Writing, pool.clone(), Arc::clone(&health)),
            looking: Together::new(Doing::Looking, pool.clone(), Arc::clone(&health)),
            bell: Bell::start(pool.clone(), &door),
        });
        let inner = Arc::new(Inner {
            door,
            health,
            readers: pool,
            writing,
        });
        Self { inner }
    }

    async fn open_file(
        path: &Path,
        read_connections: u32,
        settings: &StorageSettings,
        soon: bool,
    ) -> Result<Self, StorageError> {
        let timeout = settings.busy_timeout();
        let lock = migrate::lock(path)?;
        let pool = Pool::to_file(path, Access::Write, timeout);
        let health = Arc::new(Health::new());
        let door = if soon {
            Door::open_soon(&pool, settings, &health).await?
        } else {
            Door::open_now(&pool, settings).await?
        };
        let reading = Access::Read {
            connections: read_connections,
        };
        let readers = Pool::to_file(path, reading, timeout);
        let folding = Pool::to_file(path, Access::Checkpoint, timeout);
        let writer = Writer::start(pool, lock, Arc::clone(&health))?;
        let checkpointer = Checkpointer::start(folding, &writer, &door);
        let writing = Some(Writing::Alone {
            writer,
            checkpointer,
        });
        let inner = Arc::new(Inner {
            door,
            health,
            readers,
            writing,
        });
        Ok(Self { inner })
    }

    /// Opens the store for reading, also beside a running daemon: takes no lock, changes nothing.
    ///
    /// # Errors
    /// [`StorageError::Open`] if there is no such store, [`StorageError::NewerSchema`] or
    /// [`StorageError::OlderSchema`] if it is not at this program's schema.
    pub async fn open_read_only(settings: &StorageSettings) -> Result<Self, StorageError> {
        let timeout = settings.busy_timeout();
        let readers = match &settings.database {
            Database::Sqlite { path, .. } => {
                Pool::open_file(path, Access::ReadOnly, timeout).await?
            }
            Database::Postgres(server) => Pool::connect(server, true, timeout).await?,
        };
        migrate::check_schema(&readers, &settings.database.place()).await?;
        import::refuse_unfinished(&readers, &settings.database.place()).await?;
        Ok(Self {
            inner: Arc::new(Inner {
                door: Door::open(),
                health: Arc::new(Health::new()),
                readers,
                writing: None,
            }),
        })
    }

    /// Brings the store to this program's schema, closes it again, and says which schema that is.
    ///
    /// # Errors
    /// As [`Storage::open`].
    pub async fn migrate_only(settings: &StorageSettings) -> Result<i64, StorageError> {
        Self::open(settings).await?.close().await;
        Ok(migrate::known_schema())
    }

    /// Moves the file `from`, which no daemon may have, to the empty server `to`; or goes on where an
    /// interrupted import stopped. `tell` is told of each table and its rows before they go.
    ///
    /// # Errors
    /// [`ImportError`]; until an import is over, no daemon opens the target.
    pub async fn import(
        from: &StorageSettings,
        to: &StorageSettings,
        now: Timestamp,
        tell: &mut (dyn FnMut(&'static str, i64) + Send),
    ) -> Result<Vec<records::Imported>, ImportError> {
        import::import(from, to, now, tell).await
    }

    /// Copies the file to `target`, also beside a running daemon, and looks the copy through.
    ///
    /// # Errors
    /// [`BackupError`]; there is no copy then.
    pub async fn backup(
        settings: &StorageSettings,
        target: &Path,
    ) -> Result<records::Backup, BackupError> {
        backup::backup(settings, target).await
    }

    /// Runs `work` as one transaction and returns once it is on disk. If it returns an error or
    /// panics, nothing of it was kept; other work that shares the commit is not touched. Dropping
    /// the returned future does not stop work that was handed over.
    ///
    /// `work` must not call [`Storage::write`] itself: it would wait for its own end. Where the
    /// connection to a server is lost in the middle of a commit, nobody knows whether it was kept: work
    /// must be such that doing it again does no harm.
    ///
    /// # Errors
    /// Those of `work`; else [`StorageError::Unavailable`], [`StorageError::Conflict`],
    /// [`StorageError::Panicked`], [`StorageError::ReadOnly`] or [`StorageError::Closed`].
    pub async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<StorageError> + Send + 'static,
    {
        #[cfg(test)]
        let _under_way = simulated::UnderWay::begin(simulated::Step::Write).await;
        match self.writing()? {
            Writing::Alone { writer, .. } => writer.write(Manner::Alone, work).await,
            Writing::Among { concurrent, .. } => concurrent.write(work).await,
        }
    }

    /// As [`Storage::write`], together with other work that waits for this. What fails takes the rest with
    /// it, which gets a [`StorageError::Conflict`] and should then be done by [`Storage::write`]. On a server,
    /// what several ask at the same time is asked with one statement (`together`).
    ///
    /// # Errors
    /// As [`Storage::write`].
    pub async fn write_together<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<StorageError> + Send + 'static,
    {
        #[cfg(test)]
        let _under_way = simulated::UnderWay::begin(simulated::Step::Write).await;
        match self.writing()? {
            Writing::Alone { writer, .. } => writer.write(Manner::Together, work).await,
            Writing::Among { together, .. } => together.run(work).await,
        }
    }

    /// As [`Storage::write`], for one statement that somebody outside waits for: it comes before all
    /// other work, and on a server it is a transaction of its own.
    async fn write_statement<T, F>(&self, statement: F) -> Result<T, StorageError>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, StorageError>> + Send + 'static,
        T: Send + 'static,
    {
        #[cfg(test)]
        let _under_way = simulated::UnderWay::begin(simulated::Step::Write).await;
        match self.writing()? {
            Writing::Alone { writer, .. } => writer.write(Manner::Urgent, statement).await,
            Writing::Among { concurrent, .. } => concurrent.write_statement(statement).await,
        }
    }

    /// Whether it is a file, on which a statement is no journey to a server and back.
    pub fn is_file(&self) -> bool {
        matches!(self.inner.readers, Pool::Sqlite(_))
    }

    fn writing(&self) -> Result<&Writing, StorageError> {
        self.inner.door.pass()?;
        self.inner.writing.as_ref().ok_or(StorageError::ReadOnly)
    }

    /// Runs `work` on one consistent state of the database. Writing in it is an error.
    ///
    /// # Errors
    /// Those of `work`; else [`StorageError::Unavailable`], or [`StorageError::Closed`].
    pub async fn read<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<StorageError> + Send + 'static,
    {
        #[cfg(test)]
        let _under_way = simulated::UnderWay::begin(simulated::Step::Read).await;
        self.inner.door.pass()?;
        if let Pool::Sqlite(files) = &self.inner.readers {
            return files.read(work).await;
        }
        let mut tx = self.inner.readers.begin_read().await?;
        let result = work(&mut tx).await;
        tx.rollback().await?;
        result
    }

    /// As [`Storage::read`], of one statement that looks up a row or two, together with others who look at
    /// something.
    ///
    /// # Errors
    /// As [`Storage::read`]; on a server also a [`StorageError::Conflict`] if another's statement fails.
    pub async fn look_together<T, F>(&self, look: F) -> Result<T, StorageError>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, StorageError>> + Send + 'static,
        T: Send + 'static,
    {
        match &self.inner.writing {
            Some(Writing::Among { looking, .. }) => {
                self.inner.door.pass()?;
                looking.run(look).await
            }
            _ => {
                #[cfg(test)]
                let _under_way = simulated::UnderWay::begin(simulated::Step::Read).await;
                self.inner.door.pass()?;
                // On a file, too, where it stands: to go to another thread takes longer than to look up
                // what was written a moment ago.
                let mut tx = self.inner.readers.begin_nothing().await?;
                let seen = look(&mut tx).await?;
                tx.done();
                Ok(seen)
            }
        }
    }

    /// Finishes the writes that were handed over, and lets go of the database; of a file it folds back
    /// the log and gives up the lock. Later calls get [`StorageError::Closed`].
    pub async fn close(&self) {
        self.inner.door.stop();
        match &self.inner.writing {
            Some(Writing::Alone {
                writer,
                checkpointer,
            }) => {
                self.inner.readers.close().await;
                checkpointer.stop().await;
                // Last, because it gives up the lock.
                writer.stop().await;
            }
            Some(Writing::Among {
                concurrent,
                together,
                looking,
                ..
            }) => {
                looking.stop().await;
                together.stop().await;
                concurrent.stop().await;
            }
            None => self.inner.readers.close().await,
        }
    }

    /// Whether the store can be used, as far as that can be told cheaply: the last commit went
    /// through, and a read does.
    pub async fn healthy(&self) -> bool {
        let probe = self.read(|tx| {
            Box::pin(async { Ok::<_, StorageError>(tx.query(PROBE).one().await.is_ok()) })
        });
        self.seems_well()
            && matches!(
                tokio::time::timeout(PROBE_PATIENCE, probe).await,
                Ok(Ok(true))
            )
    }

    /// Whether the last commit went through, and nobody has waited in vain since: known without asking.
    pub fn seems_well(&self) -> bool {
        self.inner.health.is_well()
    }

    /// Takes the store for down until it has served somebody: for those who have waited in vain.
    pub fn doubt(&self, why: &StorageError) {
        self.inner.health.down(why);
    }

    /// Whether other daemons may use the same store.
    pub fn is_shared(&self) -> bool {
        matches!(self.inner.writing, Some(Writing::Among { .. }))
    }

    /// Tells the other daemons that there is work. Only a hint: they also look by themselves.
    pub fn ring(&self) {
        if let Some(Writing::Among { bell, .. }) = &self.inner.writing {
            bell.ring();
        }
    }

    /// Waits until another daemon, or this one, has told of work; for ever where there is none.
    pub async fn rung(&self) {
        match &self.inner.writing {
            Some(Writing::Among { bell, .. }) => bell.rung().await,
            _ => std::future::pending().await,
        }
    }

    /// The time that all daemons on this store agree on: the server's. `None` on a file, which only
    /// one daemon has.
    ///
    /// # Errors
    /// If the server does not answer.
    pub async fn time(&self) -> Result<Option<Timestamp>, StorageError> {
        self.inner.door.pass()?;
        self.inner.readers.time().await
    }
}
