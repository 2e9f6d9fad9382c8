//! The workers: each takes a chain that is due, under a lease, and takes steps until nothing is left
//! to do now. Steps of many chains share a commit, because the store groups what waits.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::advance::{Job, Learned, Next, advance};
use super::callouts::{self, Answers};
use super::error::put_off;
use super::give_way::Turn;
use super::metrics::Decided;
use super::report::Report;
use super::{Inner, deliver, spans};
use crate::domain::clock::{ms_between, plus_ms};
use crate::domain::ids::ChainId;
use crate::provider::{CallError, Target};
use crate::storage::records::Lease;
use crate::storage::{StorageError, Tx};

/// The longest sleep without looking at the queue: a missed wake-up costs no more than this.
const SLEEP_MS_MAX: i64 = 1_000;
/// The shortest: what is due already was not to be had a moment ago, because every place is taken or
/// another instance works it.
const SLEEP_MS_MIN: i64 = 20;
/// How often leases that have expired are looked for while there is enough to do.
const LEFTOVERS: Duration = Duration::from_secs(1);
/// How long a chain rests after the store failed on it, in ms.
const STORE_TROUBLE_MS: i64 = 1_000;
/// Tries of one step, if the store does not take it.
const STEP_TRIES_MAX: usize = 20;
/// How long a chain rests that bookgate itself failed on, in ms.
const BUG_MS: i64 = 60_000;
/// The most answers of other servers that one chain's decisions may take at once: a series of a few hundred
/// bookings, or policies that ask several servers about each. More has no end.
const ANSWERS_MAX: usize = 1_000;
/// How long a booking that could not be read rests, in ms.
const READ_RETRY_MS: i64 = 60_000;

/// Works until `shutdown` is cancelled, then finishes what is in hand.
pub(super) async fn run(gate: &Arc<Inner>, shutdown: &CancellationToken) {
    let places = Arc::new(Semaphore::new(gate.settings.concurrency));
    let in_hand = InHand::default();
    let tasks = TaskTracker::new();
    let mut looked: Option<Instant> = None;
    while !shutdown.is_cancelled() {
        let turn = gate.give_way.turn().await.begin();
        let leasing = gate.leasing.lock().await;
        let leftovers = looked.is_none_or(|at| at.elapsed() >= LEFTOVERS);
        if leftovers {
            looked = Some(Instant::now());
        }
        let claimed = claim(gate, &places, &in_hand, leftovers).await;
        drop(turn);
        let claimed = match claimed {
            Ok(leases) => leases,
            Err(error) => {
                put_off(&error, "no chain can be leased");
                Vec::new()
            }
        };
        let some = !claimed.is_empty();
        for lease in claimed {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                break;
            };
            let gate = Arc::clone(gate);
            let shutdown = shutdown.clone();
            let in_hand = Arc::clone(&in_hand);
            chains(&in_hand).insert(lease.chain);
            gate.changed(|activity| activity.working += 1);
            tasks.spawn(async move {
                let working = AssertUnwindSafe(work(&gate, lease.clone(), &shutdown));
                if working.catch_unwind().await.is_err() {
                    tracing::error!(chain.id = %lease.chain, "working on a chain panicked: please report this");
                    give_back(&gate, &lease, BUG_MS).await;
                }
                chains(&in_hand).remove(&lease.chain);
                drop(place);
                gate.changed(|activity| activity.working -= 1);
                gate.work.notify_one();
            });
        }
        drop(leasing);
        if places.available_permits() == 0 {
            // Whoever ends rings.
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = gate.work.notified() => {}
            }
        } else if !some {
            rest(gate, shutdown).await;
            looked = None;
        }
    }
    tasks.close();
    tasks.wait().await;
}

/// The chains that this process is at work on.
pub(super) type InHand = Arc<Mutex<BTreeSet<ChainId>>>;

/// A panic elsewhere leaves the set usable: every change is one call.
fn chains(in_hand: &InHand) -> MutexGuard<'_, BTreeSet<ChainId>> {
    in_hand.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes leases for the places that are free once it has its turn. `leftovers` are taken, too: leases that
/// others have let expire; and its own that have expired and that it knows nothing of, because the store
/// failed when they were taken or given back: nobody else will take them while this worker lives.
pub(super) async fn claim(
    gate: &Arc<Inner>,
    places: &Arc<Semaphore>,
    in_hand: &InHand,
    leftovers: bool,
) -> Result<Vec<Lease>, StorageError> {
    if places.available_permits() == 0 {
        return Ok(Vec::new());
    }
    let (this, places, in_hand) = (Arc::clone(gate), Arc::clone(places), Arc::clone(in_hand));
    gate.storage
        .write(move |tx| {
            Box::pin(async move {
                let settings = &this.settings;
                let now = this.now();
                let (worker, lease_ms) = (&settings.worker_name, settings.lease_ms);
                if leftovers {
                    for lease in tx.expired_of(worker, now).await? {
                        let is_known = chains(&in_hand).contains(&lease.chain);
                        if !is_known {
                            tx.release_lease(&lease, Some(now)).await?;
                        }
                    }
                }
                let limit = u32::try_from(places.available_permits()).unwrap_or(u32::MAX);
                match leftovers && this.takes_over.load(Ordering::SeqCst) {
                    true => tx.claim(worker, now, lease_ms, limit).await,
                    false => tx.claim_free(worker, now, lease_ms, limit).await,
                }
            })
        })
        .await
}

/// Sleeps until a chain is due, something comes in, or shutdown.
async fn rest(gate: &Arc<Inner>, shutdown: &CancellationToken) {
    let next = gate
        .storage
        .read(|tx| Box::pin(async move { tx.next_due().await }))
        .await;
    let ms = match next {
        Ok(Some(at)) => ms_between(gate.now(), at).clamp(SLEEP_MS_MIN, SLEEP_MS_MAX),
        _ => SLEEP_MS_MAX,
    };
    let sleep = Duration::from_millis(u64::try_from(ms).unwrap_or(1));
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = gate.work.notified() => {}
        () = gate.storage.rung() => {}
        () = tokio::time::sleep(sleep) => {}
    }
}

/// Takes steps on one chain until nothing is left to do now.
pub(super) async fn work(gate: &Arc<Inner>, lease: Lease, shutdown: &CancellationToken) {
    let mut learned = None;
    let mut answers = Arc::<Answers>::default();
    loop {
        let next = match step(gate, &lease, learned.take(), &answers).await {
            Ok(next) => next,
            Err(error) => {
                tracing::error!(chain.id = %lease.chain, error = %error, "a step failed; the chain rests");
                give_back(gate, &lease, STORE_TROUBLE_MS).await;
                return;
            }
        };
        learned = match next {
            Next::Done => return,
            // A call already written down is made even now: it is bounded, and it leaves no doubt.
            Next::Deliver(job) => Some(Learned {
                report: keep(gate, &lease, tell(gate, &job)).await,
                job: Some(job),
            }),
            Next::Read(_) | Next::Ask(_) if shutdown.is_cancelled() => {
                give_back(gate, &lease, 0).await;
                return;
            }
            Next::Read(target) => Some(Learned {
                report: keep(gate, &lease, read(gate, &lease, &target)).await,
                job: None,
            }),
            Next::Ask(open) => {
                if answers.len() + open.len() > ANSWERS_MAX {
                    tracing::error!(chain.id = %lease.chain, "policies ask other servers again and again");
                    give_back(gate, &lease, BUG_MS).await;
                    return;
                }
                let asking = keep(gate, &lease, callouts::ask(gate, lease.chain, open));
                tokio::select! {
                    replies = asking => Arc::make_mut(&mut answers).extend(replies),
                    // Whoever goes on asks again, under the same keys.
                    () = shutdown.cancelled() => {
                        give_back(gate, &lease, 0).await;
                        return;
                    }
                }
                None
            }
        };
    }
}

/// One transaction. What was learned is offered again until the store takes it: an answer of the
/// provider must not be lost to a store that is busy. What other work got in the way of is tried again
/// in any case.
async fn step(
    gate: &Arc<Inner>,
    lease: &Lease,
    learned: Option<Learned>,
    answers: &Arc<Answers>,
) -> Result<Next, StorageError> {
    let mut wait_ms = 50;
    let known = learned.is_some() || !answers.is_empty();
    let began_at = gate.now();
    for attempt in 1.. {
        let turn = keep(gate, lease, gate.give_way.turn()).await;
        let policies = gate.policies.set();
        let kept = gate.archive.keep(&gate.storage, policies, gate.now()).await;
        let work = one_step(gate, lease, (learned.clone(), Arc::clone(answers)), turn);
        // What did not go together is done alone.
        let done = match (kept, attempt) {
            (Err(error), _) => Err(error),
            (Ok(()), 1) => gate.storage.write_together(work).await,
            (Ok(()), _) => gate.storage.write(work).await,
        };
        match done {
            Err(StorageError::Conflict(why)) if attempt < STEP_TRIES_MAX => {
                tracing::debug!(chain.id = %lease.chain, reason = %why, attempt, "a step is taken again");
            }
            Err(error) if known && error.is_transient() && attempt < STEP_TRIES_MAX => {
                tracing::debug!(error = %error, attempt, "the store is offered an answer again");
                tokio::time::sleep(Duration::from_millis(wait_ms)).await;
                wait_ms = (wait_ms * 2).min(2_000);
            }
            Err(error) => return Err(error),
            Ok((next, decided)) => {
                for decided in &decided {
                    gate.metrics.decided(&lease.source, decided);
                }
                spans::decided(gate, lease.chain, &decided, began_at).await;
                return Ok(next);
            }
        }
    }
    Ok(Next::Done)
}

/// What comes next, and what was decided, to be counted once it is committed.
type Stepped = (Next, Vec<Decided>);

/// A step, ready for its transaction.
fn one_step(
    gate: &Arc<Inner>,
    lease: &Lease,
    (learned, answers): (Option<Learned>, Arc<Answers>),
    turn: Turn,
) -> impl for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<Stepped, StorageError>> + Send + 'static
{
    let (gate, lease) = (Arc::clone(gate), lease.clone());
    move |tx| {
        Box::pin(async move {
            let _turn = turn.begin();
            let mut decided = Vec::new();
            let next = advance(&gate, tx, lease, (learned, &answers), &mut decided).await?;
            Ok((next, decided))
        })
    }
}

async fn tell(gate: &Arc<Inner>, job: &Job) -> Report {
    match gate.sources.get(job.lease.source.as_str()) {
        Some(source) => {
            let root = spans::of_chain(gate, job.lease.chain, job.command.created_at).await;
            let delivering = deliver::deliver(gate, source, job);
            spans::outside(gate, root, "attempt", delivering, Report::traced).await
        }
        None => Report::ReadLater(plus_ms(gate.now(), READ_RETRY_MS)),
    }
}

async fn read(gate: &Arc<Inner>, lease: &Lease, target: &Target) -> Report {
    let Some(source) = gate.sources.get(lease.source.as_str()) else {
        return Report::ReadLater(plus_ms(gate.now(), READ_RETRY_MS));
    };
    let asked_at = gate.now();
    let root = spans::of_chain(gate, lease.chain, asked_at).await;
    let reading = source.provider.read(target);
    let told = |read: &Result<_, CallError>| (Vec::new(), read.is_err());
    match spans::outside(gate, root, "reading", reading, told).await {
        Ok(readings) if readings.is_empty() => Report::Missing(target.uid.clone()),
        Ok(readings) => Report::Read { asked_at, readings },
        // Not there, or not to be had by this key or this dialect: asking again tells no more. A key
        // that is refused altogether (401) is for the admin to mend.
        Err(CallError::NotFound { .. }) => Report::Missing(target.uid.clone()),
        Err(CallError::Rejected { http_status, .. }) if http_status != 401 => {
            Report::Missing(target.uid.clone())
        }
        Err(CallError::Limited { wait_ms } | CallError::Away { wait_ms }) => {
            Report::ReadLater(plus_ms(gate.now(), wait_ms))
        }
        Err(error) => {
            tracing::warn!(chain.id = %lease.chain, error = %error, "a booking could not be read");
            Report::ReadLater(plus_ms(gate.now(), READ_RETRY_MS))
        }
    }
}

/// Waits while the lease is renewed, so that nobody takes the chain over from a worker that is alive and
/// waiting for a slow provider, or for its turn.
async fn keep<T>(gate: &Arc<Inner>, lease: &Lease, outside: impl Future<Output = T>) -> T {
    let every = Duration::from_millis(
        u64::try_from(gate.settings.lease_ms / 3)
            .unwrap_or(1)
            .max(1),
    );
    let mut outside = std::pin::pin!(outside);
    loop {
        tokio::select! {
            done = &mut outside => return done,
            () = tokio::time::sleep(every) => renew(gate, lease).await,
        }
    }
}

async fn renew(gate: &Arc<Inner>, lease: &Lease) {
    let (lease, until) = (lease.clone(), plus_ms(gate.now(), gate.settings.lease_ms));
    let renewed = gate
        .storage
        .write(move |tx| Box::pin(async move { tx.renew(&lease, until).await }))
        .await;
    if let Err(error) = renewed {
        tracing::warn!(error = %error, "a lease could not be renewed");
    }
}

async fn give_back(gate: &Arc<Inner>, lease: &Lease, rest_ms: i64) {
    let (lease, due) = (lease.clone(), plus_ms(gate.now(), rest_ms));
    let released = gate
        .storage
        .write(move |tx| Box::pin(async move { tx.release_lease(&lease, Some(due)).await }))
        .await;
    if let Err(error) = released {
        // It runs out by itself.
        tracing::warn!(error = %error, "a lease could not be given back");
    }
}
