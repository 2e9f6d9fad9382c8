//! Opening a store: at once, or as soon as its server answers or its disk has room. Until it was found fit
//! for use nobody else gets to it, so that nothing is read from a store of another schema, and nothing
//! written into half of one.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::backend::Pool;
use super::error::StorageError;
use super::health::Health;
use super::{StorageSettings, import, migrate};

/// How often to look whether what was down is up.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often to look whether a person has put right what does not pass by waiting.
const LOOK_SELDOM: Duration = Duration::from_secs(15);

/// Brings a store to our schema, and refuses one that is not for us.
pub(super) async fn make_fit(pool: &Pool, settings: &StorageSettings) -> Result<(), StorageError> {
    let place = settings.database.place();
    migrate::migrate(pool, &place).await?;
    import::refuse_unfinished(pool, &place).await?;
    migrate::prepare(pool, &settings.units).await
}

/// What everybody passes on the way to the store.
#[derive(Debug)]
pub(super) struct Door {
    standing: Arc<watch::Sender<Standing>>,
    /// Ends the task that is to open it.
    opener: Option<DropGuard>,
}

#[derive(Debug)]
enum Standing {
    Open,
    Closed(StorageError),
}

impl Door {
    /// One that is open.
    pub(super) fn open() -> Self {
        Self {
            standing: Arc::new(watch::Sender::new(Standing::Open)),
            opener: None,
        }
    }

    /// Opens a store that can be used.
    ///
    /// # Errors
    /// Why it cannot.
    pub(super) async fn open_now(
        pool: &Pool,
        settings: &StorageSettings,
    ) -> Result<Self, StorageError> {
        attempt(pool.clone(), settings.clone()).await?;
        Ok(Self::open())
    }

    /// Opens a store that can be used; another is opened once it can, and `health` knows until then. A
    /// try that takes long (a migration) goes on after this has returned.
    ///
    /// # Errors
    /// What does not become right by waiting.
    pub(super) async fn open_soon(
        pool: &Pool,
        settings: &StorageSettings,
        health: &Arc<Health>,
    ) -> Result<Self, StorageError> {
        let patience = settings.busy_timeout();
        let mut first = attempt(pool.clone(), settings.clone());
        let (error, first) = match tokio::time::timeout(patience, &mut first).await {
            Ok(Ok(())) => return Ok(Self::open()),
            Ok(Err(error)) if !error.may_pass() => return Err(error),
            Ok(Err(error)) => (error, None),
            Err(_) => (slow(settings), Some(first)),
        };
        health.down(&error);
        let standing = Arc::new(watch::Sender::new(Standing::Closed(error)));
        let stop = CancellationToken::new();
        let opening = open_up(
            pool.clone(),
            settings.clone(),
            first,
            Arc::clone(&standing),
            Arc::clone(health),
        );
        tokio::spawn(stop.clone().run_until_cancelled_owned(opening));
        Ok(Self {
            standing,
            opener: Some(stop.drop_guard()),
        })
    }

    /// Lets everybody pass if it is open.
    ///
    /// # Errors
    /// Why it is not; always such that the same work may succeed later.
    pub(super) fn pass(&self) -> Result<(), StorageError> {
        match &*self.standing.borrow() {
            Standing::Open => Ok(()),
            Standing::Closed(error) if error.is_transient() => Err(error.clone()),
            Standing::Closed(error) => Err(StorageError::Unavailable(error.to_string())),
        }
    }

    /// Comes to its end once the door is open.
    pub(super) fn opened(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut standing = self.standing.subscribe();
        async move {
            let is_open = |standing: &Standing| matches!(standing, Standing::Open);
            if standing.wait_for(is_open).await.is_err() {
                std::future::pending().await // it never will be
            }
        }
    }

    /// Gives up opening it.
    pub(super) fn stop(&self) {
        if let Some(opener) = &self.opener {
            opener.token().cancel();
        }
    }
}

/// A try to reach a store and to make it fit.
fn attempt(pool: Pool, settings: StorageSettings) -> BoxFuture<'static, Result<(), StorageError>> {
    async move {
        pool.reach(settings.busy_timeout()).await?;
        make_fit(&pool, &settings).await
    }
    .boxed()
}

fn slow(settings: &StorageSettings) -> StorageError {
    StorageError::Unreachable {
        place: settings.database.place(),
        cause: format!(
            "it could not be opened within {} ms",
            settings.busy_timeout_ms
        ),
    }
}

/// Tries until the store is open.
async fn open_up(
    pool: Pool,
    settings: StorageSettings,
    mut begun: Option<BoxFuture<'static, Result<(), StorageError>>>,
    standing: Arc<watch::Sender<Standing>>,
    health: Arc<Health>,
) {
    let mut told = None;
    loop {
        let attempt = match begun.take() {
            Some(attempt) => attempt,
            None => {
                let passes = told.is_none();
                tokio::time::sleep(if passes { LOOK_EVERY } else { LOOK_SELDOM }).await;
                attempt(pool.clone(), settings.clone())
            }
        };
        let Err(error) = attempt.await else {
            standing.send_replace(Standing::Open);
            health.up();
            return;
        };
        if error.may_pass() {
            told = None;
        } else if told.as_ref() != Some(&error) {
            tracing::error!(
                error = %error,
                tried_again_every_s = LOOK_SELDOM.as_secs(),
                "the store cannot be opened, and waiting does not help"
            );
            told = Some(error.clone());
        }
        standing.send_replace(Standing::Closed(error));
    }
}
