//! From the journal into the inbox, in order, in large batches. A segment is only deleted after the
//! commit that holds its records is itself on disk.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::error::put_off;
use super::give_way::Turn;
use super::{Desk, GateError, Inner, filing, inbox};
use crate::domain::clock::{Timestamp, ms_between};
use crate::journal::{Depth, Journal, JournalError, Reader, Record};

/// Bytes taken from the journal at once.
const BATCH_BYTES_MAX: usize = 1024 * 1024;
/// Deliveries taken at once from a journal that is emptied by hand.
const EMPTYING_BATCH_MAX: usize = 500;
/// How old the oldest delivery in the journal may become while draining gives way to arrivals, in ms.
const GIVE_WAY_MS_MAX: i64 = 10_000;
/// Deliveries that may wait beside the batch that is being drained: so many come in meanwhile on a busy day.
const BEHIND: u64 = 200;
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
        gate.give_way
            .drain_is_behind(is_behind(&gate.journal.depth(), count));
        let turn = tokio::select! {
            () = shutdown.cancelled() => return,
            turn = gate.turn_to_drain() => turn.begin(),
        };
        if !store(gate, batch.records, turn, shutdown).await {
            return;
        }
        if let Err(error) = reader.drained(batch.up_to).await {
            // The records are stored; they will be read again and found to be known.
            tracing::error!(error = %error, "a drained journal segment could not be removed");
        }
        gate.changed(|_| {});
    }
}

impl Inner {
    /// Waits until arrivals do not need the machine more: what is in the journal is safe, and they are not.
    /// Not for long, nor until the journal is full.
    async fn turn_to_drain(&self) -> Turn {
        match can_wait(&self.journal.depth(), self.now()) {
            true => self.give_way.turn_to_drain().await,
            false => Turn::FREE,
        }
    }
}

/// Whether what is in a journal may stay there for a while.
fn can_wait(depth: &Depth, now: Timestamp) -> bool {
    let waited_ms = depth.oldest.map_or(0, |at| ms_between(at, now));
    depth.bytes <= depth.bytes_max / 2 && waited_ms <= GIVE_WAY_MS_MAX
}

/// Whether a batch is not all that waits: then others give way to the drain.
fn is_behind(depth: &Depth, batch: u64) -> bool {
    depth.records > batch + BEHIND
}

/// Stores a batch, trying again until the store takes it; and files it with the same commit where it may.
/// False if shut down before.
async fn store(
    gate: &Arc<Inner>,
    records: Vec<Record>,
    turn: Turn,
    shutdown: &CancellationToken,
) -> bool {
    let deliveries = inbox::deliveries(records);
    let mut turn = Some(turn);
    let mut wait_ms = RETRY_MS.0;
    loop {
        if filing::store_and_file(gate, &deliveries).await {
            return true;
        }
        match inbox::store(gate, &deliveries).await {
            Ok(()) => return true,
            Err(error) => put_off(&error, "deliveries stay in the journal"),
        }
        turn.take();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock::{from_us, plus_ms};

    #[test]
    fn draining_gives_way_until_the_journal_is_half_full_or_old() {
        let now = from_us(1_000_000_000);
        let depth = |bytes, waited_ms: i64| Depth {
            records: 1,
            bytes,
            bytes_max: 1_000,
            oldest: Some(plus_ms(now, -waited_ms)),
        };
        assert!(can_wait(&depth(500, 10_000), now));
        assert!(!can_wait(&depth(501, 0), now), "it is filling up");
        assert!(!can_wait(&depth(1, 10_001), now), "it has waited");
    }
}
