//! Tells of providers that fail, and that they answer again. Each daemon finds out by itself; what it has
//! found is noted in the store together with the notice, so that all daemons together tell of an outage
//! once. Where one finds the provider well and another does not, because it is its own way there that is
//! broken, each is told when it finds out.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::error::put_off;
use super::{Inner, Source};
use crate::provider::circuit::Health;
use crate::storage::StorageError;

/// How long to wait before a store that failed is told again.
const STORE_TROUBLE: Duration = Duration::from_secs(1);

/// Tells until `shutdown` is cancelled. What is not told by then is found out again after the next start:
/// also by the first answer of the provider, if its outage was told and its end was not.
pub(super) async fn run(gate: &Arc<Inner>, shutdown: &CancellationToken) {
    let tasks = TaskTracker::new();
    for (name, source) in &gate.sources {
        let Some(circuit) = source.provider.circuit() else {
            continue;
        };
        let (gate, name) = (Arc::clone(gate), name.clone());
        let (health, shutdown) = (circuit.health(), shutdown.clone());
        tasks.spawn(async move {
            if let Some(source) = gate.sources.get(&name) {
                shutdown
                    .run_until_cancelled(watch_one(&gate, source, health))
                    .await;
            }
        });
    }
    tasks.close();
    tasks.wait().await;
}

async fn watch_one(gate: &Inner, source: &Source, mut health: watch::Receiver<Health>) {
    let mut failing = false;
    loop {
        let news = *health.borrow_and_update();
        if failing != news.failing_since.is_some() {
            failing = !failing;
            log(source, failing);
        }
        if news.number > source.health_told.load(Ordering::SeqCst) {
            if let Err(error) = tell(gate, source, news).await {
                put_off(&error, "the state of a source cannot be noted");
                tokio::time::sleep(STORE_TROUBLE).await;
                continue;
            }
            source.health_told.store(news.number, Ordering::SeqCst);
            gate.changed(|_| {});
        }
        if health.changed().await.is_err() {
            return;
        }
    }
}

fn log(source: &Source, failing: bool) {
    if failing {
        tracing::warn!(source.name = %source.name, "the provider is failing; calls wait until it answers again");
    } else {
        tracing::info!(source.name = %source.name, "the provider answers again; what waited goes on");
    }
}

async fn tell(gate: &Inner, source: &Source, news: Health) -> Result<(), StorageError> {
    let (name, now) = (source.name.clone(), gate.now());
    let notices = gate.notices.clone();
    let known = {
        let name = name.clone();
        let known = gate
            .storage
            .read(move |tx| Box::pin(async move { tx.source(&name).await }))
            .await?;
        known.and_then(|source| source.failing_since)
    };
    // Mostly there is nothing to write.
    let told = match (known, news.failing_since) {
        (None, None) | (Some(_), Some(_)) => false,
        (None, Some(since)) => {
            gate.storage
                .write(move |tx| {
                    Box::pin(async move {
                        tx.meet_source(&name, now).await?;
                        let first = tx.source_fails(&name, since).await?;
                        if first {
                            let status = news.http_status;
                            notices.failing(tx, &name, since, status, now).await?;
                        }
                        Ok::<_, StorageError>(first)
                    })
                })
                .await?
        }
        (Some(since), None) => {
            gate.storage
                .write(move |tx| {
                    Box::pin(async move {
                        let first = tx.source_recovers(&name, since).await?;
                        if first {
                            notices.recovered(tx, &name, since, now).await?;
                        }
                        Ok::<_, StorageError>(first)
                    })
                })
                .await?
        }
    };
    if told {
        gate.notices.ring();
    }
    Ok(())
}

impl Inner {
    /// Whether the store knows how each provider was found.
    pub(super) fn outages_told(&self) -> bool {
        self.sources
            .values()
            .all(|source| source.health().number <= source.health_told.load(Ordering::SeqCst))
    }
}
