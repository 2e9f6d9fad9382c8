//! The crew of workers: so many places, and which chains they have in hand. Chains that are due are leased
//! for the places that are free: by whoever has just made some due, with the same commit and the first steps
//! in it; and by the crew itself, which finds what became due by the time, or was left behind.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Inner;
use super::error::put_off;
use super::worker::{self, Stepped};
use crate::domain::clock::{Timestamp, ms_between};
use crate::domain::ids::ChainId;
use crate::storage::records::Lease;
use crate::storage::{StorageError, Tx};

/// The longest sleep without looking at the queue: a missed wake-up costs no more than this.
const SLEEP_MS_MAX: i64 = 1_000;
/// The shortest: what is due already was not to be had a moment ago, because every place is taken or
/// another instance works it.
const SLEEP_MS_MIN: i64 = 20;
/// How often leases that have expired are looked for while there is enough to do.
const LEFTOVERS: Duration = Duration::from_secs(1);
/// First steps taken with one commit that also leases, on a file: whoever waits for it waits for all of them.
const FIRST_STEPS_MAX: usize = 4;
/// How long a chain rests that bookgate itself failed on, in ms.
pub(super) const BUG_MS: i64 = 60_000;

/// Those who work on chains in this process.
pub(super) struct Crew {
    places: Arc<Semaphore>,
    in_hand: Mutex<BTreeSet<ChainId>>,
    tasks: TaskTracker,
    /// What ends the work; `None` while nothing is taken on: before it begins, and once it is to end.
    shutdown: Mutex<Option<CancellationToken>>,
}

/// A chain that is leased, and what its first step came to, where that was taken with the lease.
pub(super) struct Leased {
    pub(super) lease: Lease,
    pub(super) first: Option<Stepped>,
}

/// What was found when chains were to be leased.
pub(super) struct Claimed {
    pub(super) leases: Vec<Lease>,
    /// If there was none: when one will be due.
    next_due: Option<Timestamp>,
}

impl Crew {
    /// A crew that has so many places, and takes nothing on yet.
    pub(super) fn new(places: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(places)),
            in_hand: Mutex::default(),
            tasks: TaskTracker::new(),
            shutdown: Mutex::default(),
        }
    }

    /// What ends its work; `None` if it takes nothing on.
    pub(super) fn at_work(&self) -> Option<CancellationToken> {
        let shutdown = self.shutdown().clone();
        shutdown.filter(|shutdown| !shutdown.is_cancelled())
    }

    /// How many more chains it could work on.
    pub(super) fn free_places(&self) -> u32 {
        u32::try_from(self.places.available_permits()).unwrap_or(u32::MAX)
    }

    /// Works on a chain. Whoever leased it holds `leasing` until this is said, so that there is a place.
    pub(super) async fn take_on(
        &self,
        gate: &Arc<Inner>,
        leased: Leased,
        shutdown: &CancellationToken,
    ) {
        let Ok(place) = Arc::clone(&self.places).acquire_owned().await else {
            return;
        };
        let (gate, shutdown) = (Arc::clone(gate), shutdown.clone());
        let lease = leased.lease.clone();
        self.in_hand().insert(lease.chain);
        gate.changed(|activity| activity.working += 1);
        self.tasks.spawn(async move {
            let working = AssertUnwindSafe(worker::work(&gate, leased, &shutdown));
            let due_again = match working.catch_unwind().await {
                Ok(due_again) => due_again,
                Err(_) => {
                    tracing::error!(chain.id = %lease.chain, "working on a chain panicked: please report this");
                    worker::give_back(&gate, &lease, BUG_MS).await;
                    true
                }
            };
            gate.crew.in_hand().remove(&lease.chain);
            drop(place);
            gate.changed(|activity| activity.working -= 1);
            if due_again {
                gate.work.notify_one();
            }
        });
    }

    fn has(&self, chain: ChainId) -> bool {
        self.in_hand().contains(&chain)
    }

    /// A panic elsewhere leaves the set usable: every change is one call.
    fn in_hand(&self) -> MutexGuard<'_, BTreeSet<ChainId>> {
        self.in_hand.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shutdown(&self) -> MutexGuard<'_, Option<CancellationToken>> {
        self.shutdown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Works until `shutdown` is cancelled, then finishes what is in hand.
pub(super) async fn run(gate: &Arc<Inner>, shutdown: &CancellationToken) {
    let crew = &gate.crew;
    *crew.shutdown() = Some(shutdown.clone());
    let mut looked: Option<Instant> = None;
    while !shutdown.is_cancelled() {
        let turn = gate.give_way.turn().await.begin();
        let leasing = gate.leasing.lock().await;
        let leftovers = looked.is_none_or(|at| at.elapsed() >= LEFTOVERS);
        if leftovers {
            looked = Some(Instant::now());
        }
        let claimed = claim(gate, leftovers).await;
        drop(turn);
        let claimed = claimed.unwrap_or_else(|error| {
            put_off(&error, "no chain can be leased");
            Claimed::nothing(None)
        });
        let some = !claimed.leases.is_empty();
        for lease in claimed.leases {
            let leased = Leased { lease, first: None };
            crew.take_on(gate, leased, shutdown).await;
        }
        drop(leasing);
        if crew.free_places() == 0 {
            tokio::select! {
                () = shutdown.cancelled() => {}
                _ = crew.places.acquire() => {}
            }
        } else if !some {
            rest(gate, claimed.next_due, shutdown).await;
            looked = None;
        }
    }
    // Whoever leases beside this has handed it over then.
    let leasing = gate.leasing.lock().await;
    *crew.shutdown() = None;
    drop(leasing);
    crew.tasks.close();
    crew.tasks.wait().await;
}

/// Sleeps until a chain is due, something comes in, or shutdown.
async fn rest(gate: &Arc<Inner>, next_due: Option<Timestamp>, shutdown: &CancellationToken) {
    let ms = next_due.map_or(SLEEP_MS_MAX, |at| {
        ms_between(gate.now(), at).clamp(SLEEP_MS_MIN, SLEEP_MS_MAX)
    });
    let sleep = Duration::from_millis(u64::try_from(ms).unwrap_or(1));
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = gate.work.notified() => {}
        () = gate.storage.rung() => {}
        () = tokio::time::sleep(sleep) => {}
    }
}

/// Takes leases for the places that are free once it has its turn. `leftovers` are taken, too: leases that
/// others have let expire; and its own that have expired and that it knows nothing of, because the store
/// failed when they were taken or given back: nobody else will take them while this process lives.
pub(super) async fn claim(gate: &Arc<Inner>, leftovers: bool) -> Result<Claimed, StorageError> {
    if gate.crew.free_places() == 0 {
        return Ok(Claimed::nothing(None));
    }
    let this = Arc::clone(gate);
    gate.storage
        .write(move |tx| {
            Box::pin(async move {
                let settings = &this.settings;
                let now = this.now();
                let (worker, lease_ms) = (&settings.worker_name, settings.lease_ms);
                if leftovers {
                    for lease in tx.expired_of(worker, now).await? {
                        if !this.crew.has(lease.chain) {
                            tx.release_lease(&lease, Some(now)).await?;
                        }
                    }
                }
                let limit = this.crew.free_places();
                let leases = match leftovers && this.takes_over.load(Ordering::SeqCst) {
                    true => tx.claim(worker, now, lease_ms, limit).await?,
                    false => tx.claim_free(worker, now, lease_ms, limit).await?,
                };
                if leases.is_empty() {
                    return Ok(Claimed::nothing(tx.next_due().await?));
                }
                Ok(Claimed {
                    leases,
                    next_due: None,
                })
            })
        })
        .await
}

/// The right to lease chains for the crew beside other work.
pub(super) struct Beginning<'g> {
    _leasing: tokio::sync::MutexGuard<'g, ()>,
    shutdown: CancellationToken,
}

/// Whether chains may be leased now, beside other work: nobody else is at it, there are places, and the
/// policies are kept that first steps may decide by.
pub(super) async fn may_begin(gate: &Arc<Inner>) -> Option<Beginning<'_>> {
    let leasing = gate.leasing.try_lock().ok()?;
    let shutdown = gate.crew.at_work()?;
    if gate.crew.free_places() == 0 {
        return None;
    }
    let policies = gate.policies.set();
    let kept = gate.archive.keep(&gate.storage, policies, gate.now()).await;
    kept.is_ok().then_some(Beginning {
        _leasing: leasing,
        shutdown,
    })
}

impl Beginning<'_> {
    /// Has the crew work on what was begun, now that it is committed.
    pub(super) async fn take_on(self, gate: &Arc<Inner>, begun: Vec<Leased>) {
        for leased in begun {
            gate.crew.take_on(gate, leased, &self.shutdown).await;
        }
    }
}

/// Leases chains that are due for the places that are free, as a part of other work, and takes first steps.
/// Says whether more may be due. Only with a [`Beginning`].
pub(super) async fn begin(
    gate: &Arc<Inner>,
    tx: &mut Tx,
) -> Result<(Vec<Leased>, bool), StorageError> {
    let (worker, lease_ms) = (&gate.settings.worker_name, gate.settings.lease_ms);
    let limit = gate.crew.free_places();
    let leases = tx.claim_free(worker, gate.now(), lease_ms, limit).await?;
    let more = u32::try_from(leases.len()).is_ok_and(|count| count >= limit);
    // Steps of many go faster together than one after the other.
    let few = match gate.storage.is_file() {
        true => FIRST_STEPS_MAX,
        false => 1,
    };
    let takes_steps = leases.len() <= few;
    let mut begun = Vec::with_capacity(leases.len());
    for lease in leases {
        let mut first = None;
        if takes_steps {
            let (gate, lease) = (Arc::clone(gate), lease.clone());
            let step = tx.apart(move |tx| {
                Box::pin(async move { worker::first_step(&gate, tx, lease).await })
            });
            // One that fails is taken again by whoever works on the chain.
            first = step.await?.ok();
        }
        begun.push(Leased { lease, first });
    }
    Ok((begun, more))
}

impl Claimed {
    fn nothing(next_due: Option<Timestamp>) -> Self {
        Self {
            leases: Vec::new(),
            next_due,
        }
    }
}
