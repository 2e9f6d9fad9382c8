//! Stored deliveries are understood, and filed as facts under their chains. Any instance files what any
//! has stored.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::crew::{self, Beginning, Leased};
use super::error::put_off;
use super::give_way::Turn;
use super::{Inner, keys, spans};
use crate::domain::chain::FactBody;
use crate::domain::clock::{Timestamp, ms_between};
use crate::domain::ids::DeliveryId;
use crate::provider::{Parsed, RawDelivery};
use crate::storage::records::{DeliveryState, Filing, NewDelivery, Understood, UnfiledDelivery};
use crate::storage::{StorageError, Tx};

/// Deliveries filed with one commit at most.
const BATCH_MAX: u32 = 64;
/// The same while arrivals wait: on a file they wait for it to be over.
const BATCH_MAX_IN_A_QUEUE: u32 = 24;
/// Deliveries that are stored and filed with one commit at most: more are a backlog, and the sooner that is out
/// of the journal, the better.
const FEW: usize = 8;
/// The longest wait without looking: what another instance has left behind is found by looking only.
const LOOK: Duration = Duration::from_secs(1);

/// Files until `shutdown` is cancelled.
pub(super) async fn run(gate: &Arc<Inner>, shutdown: &CancellationToken) {
    while !shutdown.is_cancelled() {
        match file_some(gate).await {
            Ok(_) => tokio::select! {
                () = shutdown.cancelled() => {}
                () = gate.arrived.notified() => {}
                () = tokio::time::sleep(LOOK) => {}
            },
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

/// Files a batch, and begins to work on what is due then; says how many were filed. If the store refuses
/// the batch, each delivery is tried alone, and one that is refused alone is quarantined: kept and listed,
/// but never in the way of the others.
pub(super) async fn file_some(gate: &Arc<Inner>) -> Result<usize, StorageError> {
    let turn = gate.give_way.turn().await;
    let beginning = match turn.gives_way() {
        true => None,
        false => crew::may_begin(gate).await,
    };
    let begins = beginning.is_some();
    let mut filed = file_batch(gate, Arc::default(), turn, beginning).await;
    if begins && filed.as_ref().is_err_and(is_about_the_work) {
        // It may have been what was begun, and then the deliveries are filed without it.
        let turn = gate.give_way.turn().await;
        filed = file_batch(gate, Arc::default(), turn, None).await;
    }
    match filed {
        Err(error) if !error.is_transient() => {
            tracing::warn!(error = %error, "a batch was refused; filing each delivery alone");
            file_each(gate, gate.now()).await
        }
        other => other,
    }
}

/// Stores deliveries, files them, and begins to work on what is due then, all with one commit. Where that
/// may not be now, or fails, nothing happens; says whether it was done.
pub(super) async fn store_and_file(gate: &Arc<Inner>, deliveries: &Arc<Vec<NewDelivery>>) -> bool {
    let free = gate.give_way.is_free();
    if deliveries.len() > FEW || !free || gate.crew.at_work().is_none() {
        return false;
    }
    let beginning = crew::may_begin(gate).await;
    match file_batch(gate, Arc::clone(deliveries), Turn::FREE, beginning).await {
        Ok(_) => true,
        Err(error) => {
            tracing::debug!(error = %error, "deliveries are stored first, and filed later");
            false
        }
    }
}

/// Whether doing less may help: the store itself is well.
fn is_about_the_work(error: &StorageError) -> bool {
    matches!(error, StorageError::Conflict(_)) || !error.is_transient()
}

/// What a commit has filed.
pub(super) struct Filed {
    letters: Vec<Understood>,
    /// What was begun then.
    pub(super) begun: Vec<Leased>,
    /// Chains may be due that were not begun with.
    due: bool,
    /// More deliveries may be there.
    more: bool,
}

/// Files a batch, and has the crew work on what was begun.
async fn file_batch(
    gate: &Arc<Inner>,
    arriving: Arc<Vec<NewDelivery>>,
    turn: Turn,
    beginning: Option<Beginning<'_>>,
) -> Result<usize, StorageError> {
    let now = gate.now();
    let filed = file_and_begin(gate, arriving, turn, beginning.is_some()).await?;
    if let Some(beginning) = beginning {
        beginning.take_on(gate, filed.begun).await;
    }
    let letters = &filed.letters;
    let first = letters.iter().filter(|letter| !letter.replayed);
    first.for_each(|letter| gate.count(letter, now));
    if gate.tracer.is_on() {
        spans::filed(gate, letters, now).await;
    }
    tell_all(gate, letters.len(), filed.due, filed.more);
    Ok(letters.len())
}

/// Tells whoever waits for something to be filed, and who goes on with it.
fn tell_all(gate: &Inner, filed: usize, due: bool, more: bool) {
    gate.changed(|activity| activity.filed += filed as u64);
    if due {
        gate.work.notify_one();
        gate.storage.ring();
    }
    if more {
        gate.arrived.notify_one();
    }
}

/// The one commit: stores what arrives, files what is not filed, and where it `begins`, leases what is due.
pub(super) async fn file_and_begin(
    gate: &Arc<Inner>,
    arriving: Arc<Vec<NewDelivery>>,
    turn: Turn,
    begins: bool,
) -> Result<Filed, StorageError> {
    let limit = match turn.gives_way() {
        true => BATCH_MAX_IN_A_QUEUE,
        false => BATCH_MAX,
    };
    let (this, now) = (Arc::clone(gate), gate.now());
    gate.storage
        .write(move |tx| {
            Box::pin(async move {
                let _turn = turn.begin();
                if !arriving.is_empty() {
                    tx.arrive(&arriving).await?;
                }
                let letters = file_unfiled(&this, tx, limit, now).await?;
                let (begun, due) = match begins && !letters.is_empty() {
                    true => crew::begin(&this, tx).await?,
                    false => (Vec::new(), !letters.is_empty()),
                };
                let more = u32::try_from(letters.len()).is_ok_and(|count| count >= limit);
                Ok(Filed {
                    letters,
                    begun,
                    due,
                    more,
                })
            })
        })
        .await
}

async fn file_unfiled(
    gate: &Inner,
    tx: &mut Tx,
    limit: u32,
    now: Timestamp,
) -> Result<Vec<Understood>, StorageError> {
    let deliveries = tx.unfiled(limit).await?;
    let understood = deliveries.into_iter().map(|each| gate.understand(each));
    let (replayed, mut letters): (Vec<_>, Vec<_>) = understood.partition(|letter| letter.replayed);
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
    tell_all(gate, ids.len(), true, true);
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
