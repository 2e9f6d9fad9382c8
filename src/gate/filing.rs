//! Stored deliveries are understood, and filed as facts under their chains. Any instance files what any
//! has stored.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::error::put_off;
use super::{Inner, keys, spans};
use crate::domain::chain::FactBody;
use crate::domain::clock::{Timestamp, ms_between};
use crate::domain::ids::DeliveryId;
use crate::provider::{Parsed, RawDelivery};
use crate::storage::records::{DeliveryState, Filing, Understood, UnfiledDelivery};
use crate::storage::{StorageError, Tx};

/// Deliveries filed with one commit at most.
const BATCH_MAX: u32 = 64;
/// The same while arrivals wait: on a file they wait for it to be over.
const BATCH_MAX_IN_A_QUEUE: u32 = 24;
/// The longest wait without looking: what another instance has left behind is found by looking only.
const LOOK: Duration = Duration::from_secs(1);

/// Files until `shutdown` is cancelled.
pub(super) async fn run(gate: &Arc<Inner>, shutdown: &CancellationToken) {
    while !shutdown.is_cancelled() {
        match file_some(gate).await {
            Ok(0) => tokio::select! {
                () = shutdown.cancelled() => {}
                () = gate.arrived.notified() => {}
                () = tokio::time::sleep(LOOK) => {}
            },
            Ok(filed) => {
                gate.changed(|activity| activity.filed += filed as u64);
                gate.work.notify_one();
                gate.storage.ring();
            }
            Err(StorageError::Conflict(why)) => {
                tracing::debug!(reason = %why, "deliveries are filed again");
            }
            Err(error) => {
                put_off(&error, "stored deliveries wait to be filed");
                tokio::select! {
                    () = shutdown.cancelled() => {}
                    () = tokio::time::sleep(LOOK) => {}
                }
            }
        }
    }
}

/// Files a batch; says how many. If the store refuses it, each delivery is tried alone, and one that is
/// refused alone is quarantined: kept and listed, but never in the way of the others.
pub(super) async fn file_some(gate: &Arc<Inner>) -> Result<usize, StorageError> {
    let turn = gate.give_way.turn().await;
    let limit = match turn.gives_way() {
        true => BATCH_MAX_IN_A_QUEUE,
        false => BATCH_MAX,
    };
    let (this, now) = (Arc::clone(gate), gate.now());
    let filed: Result<Vec<Understood>, StorageError> = gate
        .storage
        .write(move |tx| {
            Box::pin(async move {
                let _turn = turn.begin();
                let deliveries = tx.unfiled(limit).await?;
                let understood = deliveries.into_iter().map(|each| this.understand(each));
                let (replayed, mut letters): (Vec<_>, Vec<_>) =
                    understood.partition(|letter| letter.replayed);
                // Instances that lock chains in one order do not wait for each other in a circle.
                letters.sort_by(|one, other| one.names.cmp(&other.names));
                for place in tx.file_together(&letters, now).await? {
                    post(tx, &letters[place], now).await?;
                }
                for letter in &replayed {
                    post_again(tx, letter, now).await?;
                }
                letters.extend(replayed);
                Ok(letters)
            })
        })
        .await;
    if let Ok(letters) = &filed {
        let first = letters.iter().filter(|letter| !letter.replayed);
        first.for_each(|letter| gate.count(letter, now));
        if gate.tracer.is_on() {
            spans::filed(gate, letters, now).await;
        }
    }
    match filed.map(|letters| letters.len()) {
        Err(error) if !error.is_transient() => {
            tracing::warn!(error = %error, "a batch was refused; filing each delivery alone");
            file_each(gate, now).await
        }
        other => other,
    }
}

async fn file_each(gate: &Arc<Inner>, now: Timestamp) -> Result<usize, StorageError> {
    let unfiled = gate
        .storage
        .write(|tx| Box::pin(async move { tx.unfiled(BATCH_MAX).await }));
    let ids: Vec<DeliveryId> = unfiled.await?.iter().map(|each| each.id).collect();
    for &id in &ids {
        let filed = file_alone(gate, id, None, now).await;
        let Err(error) = filed else { continue };
        if error.is_transient() {
            return Err(error);
        }
        tracing::error!(delivery.id = %id, error = %error, "a delivery was quarantined: the store refuses what it says");
        file_alone(gate, id, Some(error), now).await?;
    }
    Ok(ids.len())
}

/// Files one delivery, as quarantined if the store is known to refuse it.
async fn file_alone(
    gate: &Arc<Inner>,
    id: DeliveryId,
    refused: Option<StorageError>,
    now: Timestamp,
) -> Result<(), StorageError> {
    let this = Arc::clone(gate);
    gate.storage
        .write(move |tx| {
            Box::pin(async move {
                let Some(delivery) = tx.unfiled_one(id).await? else {
                    return Ok(());
                };
                let Some(error) = refused else {
                    let letter = this.understand(delivery);
                    return match letter.replayed {
                        true => post_again(tx, &letter, now).await,
                        false => post(tx, &letter, now).await,
                    };
                };
                // What it told before, if it was read again, still holds.
                let told = tx.told_by(id).await?;
                let quarantined = Filing {
                    state: DeliveryState::Quarantined,
                    trigger: None,
                    note: Some(format!("the store refused it: {error}")),
                };
                let chain = told.map(|(chain, _)| chain);
                tx.file_delivery(id, &quarantined, chain, now).await
            })
        })
        .await
}

async fn post(tx: &mut Tx, letter: &Understood, now: Timestamp) -> Result<(), StorageError> {
    let mut filed_under = None;
    if let Some(fact) = &letter.fact {
        let chain = tx.chain_for(&letter.source, &letter.names, now).await?;
        let (id, received_at) = (Some(letter.delivery), letter.received_at);
        if let FactBody::Event(event) = fact
            && tx.was_told(chain, event).await?
        {
            let copy = Filing {
                state: DeliveryState::Ignored,
                note: Some("an earlier delivery has told the same".to_owned()),
                ..letter.filing.clone()
            };
            let id = letter.delivery;
            return tx.file_delivery(id, &copy, Some(chain), now).await;
        }
        tx.append_fact(chain, id, fact, received_at, Some(now))
            .await?;
        filed_under = Some(chain);
    }
    tx.file_delivery(letter.delivery, &letter.filing, filed_under, now)
        .await
}

/// Files a delivery that a person has read again: what it tells now takes the place of what it told before.
/// If it tells nothing any more, what it told stays: nothing that is known is lost by reading again.
async fn post_again(tx: &mut Tx, letter: &Understood, now: Timestamp) -> Result<(), StorageError> {
    let told = tx.told_by(letter.delivery).await?;
    if let (None, Some((chain, trigger))) = (&letter.fact, &told) {
        let why = letter.filing.note.as_deref().unwrap_or("not for us");
        let kept = Filing {
            state: DeliveryState::Event,
            trigger: trigger.clone(),
            note: Some(format!("read again, what it told before is kept: {why}")),
        };
        return tx
            .file_delivery(letter.delivery, &kept, Some(*chain), now)
            .await;
    }
    if told.is_some() {
        tx.take_back(letter.delivery, now).await?;
    }
    post(tx, letter, now).await
}

impl Inner {
    /// Counts what was filed. Events that are not for us are one kind: their names are a stranger's.
    fn count(&self, letter: &Understood, now: Timestamp) {
        let (event, state) = match (letter.filing.state, &letter.fact) {
            (DeliveryState::Event, Some(FactBody::Event(event))) => (event.kind.as_str(), "event"),
            (DeliveryState::Unparsed, _) => ("other", "unparsed"),
            _ => ("other", "ignored"),
        };
        let waited_ms = ms_between(letter.received_at, now).max(0);
        #[expect(clippy::cast_precision_loss, reason = "it goes into buckets")]
        let seconds = waited_ms as f64 / 1_000.0;
        let metrics = &self.metrics;
        metrics.filed(&letter.source, event, state, seconds);
    }

    fn understand(&self, delivery: UnfiledDelivery) -> Understood {
        let parsed = match self.sources.get(delivery.source.as_str()) {
            Some(source) => source.provider.parse(RawDelivery {
                body: &delivery.body,
                content_type: delivery.content_type.as_deref(),
            }),
            None => Parsed::Unparsed(format!(
                "source `{}` is no longer configured",
                delivery.source
            )),
        };
        let (state, trigger, note, event) = match parsed {
            Parsed::Event(event) => {
                let trigger = event.kind.as_str().to_owned();
                (DeliveryState::Event, Some(trigger), None, Some(event))
            }
            Parsed::Ignored(trigger) => (DeliveryState::Ignored, Some(trigger), None, None),
            Parsed::Unparsed(why) => {
                tracing::warn!(
                    source.name = %delivery.source,
                    delivery.id = %delivery.id,
                    reason = %why,
                    "a delivery was not understood; it is kept, see `bookgate deliveries list --state unparsed`"
                );
                (DeliveryState::Unparsed, None, Some(why), None)
            }
        };
        let names = event.as_ref().map(|event| keys::of_event(event));
        Understood {
            delivery: delivery.id,
            source: delivery.source,
            received_at: delivery.received_at,
            filing: Filing {
                state,
                trigger,
                note,
            },
            fact: event.map(FactBody::Event),
            names: names.unwrap_or_default(),
            replayed: delivery.replayed,
        }
    }
}
