//! Verified deliveries into the inbox, as they came. What they say is found out later (`filing`): a
//! sender waits for no more than this.

use std::sync::Arc;

use futures_util::future::join_all;
use sha2::{Digest, Sha256};
use tokio::sync::{mpsc, oneshot};

use super::Inner;
use crate::domain::ids::SourceName;
use crate::journal::Record;
use crate::storage::records::NewDelivery;
use crate::storage::{Storage, StorageError};

/// Deliveries stored with one commit at most.
const BATCH_MAX: usize = 512;
/// Batches that are being stored at a time. One would leave the machine idle while it is flushed.
const UNDER_WAY_MAX: usize = 2;
/// Deliveries that wait for the store at most; whoever comes later goes to the journal.
const WAITING_MAX: usize = 4_096;
/// Tries of one batch that other work gets in the way of.
const TRIES_MAX: usize = 5;

/// A delivery, and who waits for it to be stored.
pub(super) type Arrival = (Record, oneshot::Sender<Result<(), StorageError>>);

/// The way to the task that stores deliveries, many to a commit: whatever waits while one is under way
/// shares the next.
pub(super) fn intake() -> (mpsc::Sender<Arrival>, mpsc::Receiver<Arrival>) {
    mpsc::channel(WAITING_MAX)
}

/// Stores what comes in until nobody can send any more, or it is closed. While the store is flushing one
/// batch, the next is made ready and sent.
pub(super) async fn run(gate: &Arc<Inner>) {
    join_all((0..UNDER_WAY_MAX).map(|_| one_by_one(gate))).await;
}

/// Stores a batch, and then the next.
async fn one_by_one(gate: &Arc<Inner>) {
    let mut taken = Vec::with_capacity(BATCH_MAX);
    loop {
        let mut arrivals = gate.arrivals.lock().await;
        if arrivals.recv_many(&mut taken, BATCH_MAX).await == 0 {
            return;
        }
        drop(arrivals);
        let (records, waiting): (Vec<_>, Vec<_>) = taken.drain(..).unzip();
        let end = store(gate, &deliveries(records)).await;
        for sender in waiting {
            // Whoever has no more patience has gone to the journal.
            let _ = sender.send(end.clone());
        }
    }
}

/// Stores a batch with one commit, and rings for it to be filed.
///
/// # Errors
/// As [`put`].
pub(super) async fn store(
    gate: &Arc<Inner>,
    deliveries: &Arc<Vec<NewDelivery>>,
) -> Result<(), StorageError> {
    put(&gate.storage, deliveries).await?;
    gate.arrived.notify_one();
    Ok(())
}

/// Stores a batch with one commit. Deliveries that are there already change nothing; says how many are
/// new.
///
/// # Errors
/// The store cannot be written at the moment.
pub(super) async fn put(
    storage: &Storage,
    deliveries: &Arc<Vec<NewDelivery>>,
) -> Result<u64, StorageError> {
    let mut attempt = 1;
    loop {
        match storage.arrive(Arc::clone(deliveries)).await {
            Err(StorageError::Conflict(_)) if attempt < TRIES_MAX => attempt += 1,
            end => return end,
        }
    }
}

/// What the store is given of these.
pub(super) fn deliveries(records: Vec<Record>) -> Arc<Vec<NewDelivery>> {
    Arc::new(records.into_iter().map(new_delivery).collect())
}

fn new_delivery(record: Record) -> NewDelivery {
    NewDelivery {
        digest: digest(&record.source, &record.body),
        source: record.source,
        received_at: record.received_at,
        content_type: record.content_type,
        body: record.body,
    }
}

/// The idempotency key of a delivery whose provider gives none: 16 bytes of SHA-256 over source and
/// body.
pub(super) fn digest(source: &SourceName, body: &[u8]) -> [u8; 16] {
    let mut hash = Sha256::new();
    hash.update(source.as_str().as_bytes());
    hash.update([0]);
    hash.update(body);
    let full = hash.finalize();
    let mut short = [0; 16];
    short.copy_from_slice(&full[..16]);
    short
}
