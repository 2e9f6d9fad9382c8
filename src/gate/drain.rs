//! From the journal into the inbox, in order, in large batches. A segment is only deleted after the
//! commit that holds its records is itself on disk.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::error::put_off;
use super::{Desk, GateError, Inner, filing, inbox};
use crate::journal::{Journal, JournalError, Reader, Record};

/// Bytes taken from the journal at once.
const BATCH_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Deliveries taken at once from a journal that is emptied by hand.
const EMPTYING_BATCH_MAX: usize = 500;
/// First and longest wait before a store that is down is tried again.
const RETRY_MS: (u64, u64) = (50, 2_000);

/// Drains until `shutdown` is cancelled, or the journal is closed and empty.
pub(super) async fn run(gate: &Arc<Inner>, mut reader: Reader, shutdown: &CancellationToken) {
    loop {
        let next = reader.next_batch(gate.settings.drain_batch_max, BATCH_BYTES_MAX);
        let batch = tokio::select! {
            () = shutdown.cancelled() => return,
            batch = next => batch,
        };
        let batch = match batch {
            Ok(Some(batch)) => batch,
            Ok(None) => return,
            Err(error) => {
                tracing::error!(error = %error, "the journal cannot be read");
                if pause(shutdown, RETRY_MS.1).await {
                    return;
                }
                continue;
            }
        };
        let count = batch.records.len() as u64;
        if !store(gate, batch.records, shutdown).await {
            return;
        }
        if let Err(error) = reader.drained(batch.up_to).await {
            // The records are stored; they will be read again and found to be known.
            tracing::error!(error = %error, "a drained journal segment could not be removed");
        }
        gate.changed(|activity| activity.drained += count);
    }
}

/// Stores a batch, trying again until the store takes it; and files it with the same commit where it may.
/// False if shut down before.
async fn store(gate: &Arc<Inner>, records: Vec<Record>, shutdown: &CancellationToken) -> bool {
    let deliveries = inbox::deliveries(records);
    let mut wait_ms = RETRY_MS.0;
    loop {
        if filing::store_and_file(gate, &deliveries).await {
            return true;
        }
        match inbox::store(gate, &deliveries).await {
            Ok(()) => return true,
            Err(error) => put_off(&error, "deliveries stay in the journal"),
        }
        if pause(shutdown, wait_ms).await {
            return false;
        }
        wait_ms = (wait_ms * 2).min(RETRY_MS.1);
    }
}

impl Desk {
    /// Takes everything out of a journal that no daemon has, into the store. Whoever runs on that store
    /// files it. Says how many deliveries were read, and how many of them were new.
    ///
    /// # Errors
    /// The journal cannot be read, or the store not be written: what was stored until then is stored,
    /// and the rest is still in the journal.
    pub async fn empty_journal(
        &self,
        journal: &Journal,
        mut reader: Reader,
    ) -> Result<(u64, u64), GateError> {
        journal.close().await;
        let unreadable = |error: JournalError| GateError::Journal(error.to_string());
        let (mut read, mut new) = (0, 0);
        while let Some(batch) = reader
            .next_batch(EMPTYING_BATCH_MAX, BATCH_BYTES_MAX)
            .await
            .map_err(unreadable)?
        {
            read += batch.records.len() as u64;
            new += inbox::put(&self.storage, &inbox::deliveries(batch.records)).await?;
            reader.drained(batch.up_to).await.map_err(unreadable)?;
        }
        self.storage.ring();
        Ok((read, new))
    }
}

async fn pause(shutdown: &CancellationToken, ms: u64) -> bool {
    tokio::select! {
        () = shutdown.cancelled() => true,
        () = tokio::time::sleep(Duration::from_millis(ms)) => false,
    }
}
