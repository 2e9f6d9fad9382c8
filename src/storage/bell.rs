//! How instances on one server tell each other that there is work. Only a hint: whoever hears nothing
//! looks for himself every second.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::Notify;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::backend::Pool;
use super::opening::Door;

/// The shortest time between two rings: what becomes due meanwhile rides on the next one.
const GAP: Duration = Duration::from_millis(20);
/// How long to wait before listening again after the connection was lost.
const DEAF: Duration = Duration::from_secs(1);

/// Rings at the others and hears them ring, until it is dropped.
#[derive(Debug)]
pub(super) struct Bell {
    pull: Arc<Notify>,
    rung: Arc<Notify>,
    _stop: DropGuard,
}

impl Bell {
    /// Starts ringing and listening, once the store is open.
    pub(super) fn start(pool: Pool, door: &Door) -> Self {
        let (pull, rung) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let stop = CancellationToken::new();
        let (opened, opened_too) = (door.opened(), door.opened());
        let (pool_too, pulled) = (pool.clone(), Arc::clone(&pull));
        let ringing = opened.then(|()| ring(pool_too, pulled));
        tokio::spawn(stop.clone().run_until_cancelled_owned(ringing));
        let heard = Arc::clone(&rung);
        let listening = opened_too.then(|()| listen(pool, heard));
        tokio::spawn(stop.clone().run_until_cancelled_owned(listening));
        Self {
            pull,
            rung,
            _stop: stop.drop_guard(),
        }
    }

    /// Tells the others, soon.
    pub(super) fn ring(&self) {
        self.pull.notify_one();
    }

    /// Waits until someone has rung.
    pub(super) async fn rung(&self) {
        self.rung.notified().await;
    }
}

async fn ring(pool: Pool, pull: Arc<Notify>) {
    loop {
        pull.notified().await;
        if let Err(error) = pool.ring().await {
            tracing::debug!(error = %error, "other instances could not be told of work");
        }
        tokio::time::sleep(GAP).await;
    }
}

async fn listen(pool: Pool, rung: Arc<Notify>) {
    loop {
        let lost = pool.listen(|| rung.notify_one()).await;
        if let Err(error) = lost {
            tracing::debug!(error = %error, "other instances cannot be heard");
        }
        tokio::time::sleep(DEAF).await;
    }
}
