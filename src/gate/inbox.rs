//! Verified deliveries into the inbox: understood, deduplicated, filed under their chain. One
//! transaction for a whole batch.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::{Inner, keys};
use crate::domain::chain::FactBody;
use crate::domain::clock::Timestamp;
use crate::domain::event::BookingEvent;
use crate::domain::ids::SourceName;
use crate::journal::Record;
use crate::provider::{Parsed, RawDelivery};
use crate::storage::records::{DeliveryState, NewDelivery, Posted};
use crate::storage::{StorageError, Tx};

/// A delivery that was understood as far as it can be.
struct Letter {
    delivery: NewDelivery,
    event: Option<Box<BookingEvent>>,
}

/// Stores a batch, in order. Deliveries that are there already change nothing. If the store refuses
/// the batch, each delivery is tried alone, and one that is refused alone is quarantined: kept and
/// listed, but never in the way of the others.
///
/// # Errors
/// The store cannot be written at all at the moment.
pub(super) async fn store(
    gate: &Arc<Inner>,
    records: Vec<Record>,
    now: Timestamp,
) -> Result<(), StorageError> {
    let letters: Arc<Vec<Letter>> = Arc::new(
        records
            .into_iter()
            .map(|record| gate.understand(record))
            .collect(),
    );
    let all = Arc::clone(&letters);
    let batch: Result<(), StorageError> = gate
        .storage
        .write(move |tx| {
            Box::pin(async move {
                for letter in all.iter() {
                    post(tx, letter, now).await?;
                }
                Ok(())
            })
        })
        .await;
    match batch {
        Err(error) if !error.is_transient() => {
            tracing::warn!(error = %error, "a batch was refused; storing each delivery alone");
            for index in 0..letters.len() {
                post_alone(gate, &letters, index, now).await?;
            }
        }
        other => other?,
    }
    gate.work.notify_one();
    gate.storage.ring();
    Ok(())
}

async fn post_alone(
    gate: &Arc<Inner>,
    letters: &Arc<Vec<Letter>>,
    index: usize,
    now: Timestamp,
) -> Result<(), StorageError> {
    let one = Arc::clone(letters);
    let posted = gate
        .storage
        .write(move |tx| Box::pin(async move { post(tx, &one[index], now).await }))
        .await;
    let Err(error) = posted else { return Ok(()) };
    if error.is_transient() {
        return Err(error);
    }
    tracing::error!(error = %error, "a delivery was quarantined: the store refuses what it says");
    let mut quarantined = letters[index].delivery.clone();
    quarantined.state = DeliveryState::Quarantined;
    quarantined.note = Some(format!("the store refused it: {error}"));
    gate.storage
        .write(move |tx| Box::pin(async move { tx.store_delivery(&quarantined).await.map(drop) }))
        .await
}

async fn post(tx: &mut Tx, letter: &Letter, now: Timestamp) -> Result<(), StorageError> {
    let Posted::New(id) = tx.store_delivery(&letter.delivery).await? else {
        return Ok(());
    };
    let Some(event) = &letter.event else {
        return Ok(());
    };
    let names = keys::of_event(event);
    let chain = tx.chain_for(&letter.delivery.source, &names, now).await?;
    tx.set_delivery_chain(id, chain).await?;
    let fact = FactBody::Event(event.clone());
    tx.append_fact(chain, Some(id), &fact, letter.delivery.received_at)
        .await?;
    tx.due_no_later_than(chain, now).await
}

impl Inner {
    fn understand(&self, record: Record) -> Letter {
        let parsed = match self.sources.get(record.source.as_str()) {
            Some(source) => source.provider.parse(RawDelivery {
                body: &record.body,
                content_type: record.content_type.as_deref(),
            }),
            None => Parsed::Unparsed(format!(
                "source `{}` is no longer configured",
                record.source
            )),
        };
        let (state, trigger, note, event) = match parsed {
            Parsed::Event(event) => (
                DeliveryState::Event,
                Some(event.kind.as_str().to_owned()),
                None,
                Some(event),
            ),
            Parsed::Ignored(trigger) => (DeliveryState::Ignored, Some(trigger), None, None),
            Parsed::Unparsed(why) => {
                tracing::warn!(
                    source.name = %record.source,
                    reason = %why,
                    "a delivery was not understood; it is kept, see GET /v1/deliveries"
                );
                (DeliveryState::Unparsed, None, Some(why), None)
            }
        };
        Letter {
            delivery: NewDelivery {
                digest: digest(&record.source, &record.body),
                source: record.source,
                received_at: record.received_at,
                content_type: record.content_type,
                body: record.body,
                state,
                trigger,
                note,
            },
            event,
        }
    }
}

/// The idempotency key of a delivery whose provider gives none: 16 bytes of SHA-256 over source and
/// body.
fn digest(source: &SourceName, body: &[u8]) -> [u8; 16] {
    let mut hash = Sha256::new();
    hash.update(source.as_str().as_bytes());
    hash.update([0]);
    hash.update(body);
    let full = hash.finalize();
    let mut short = [0; 16];
    short.copy_from_slice(&full[..16]);
    short
}
