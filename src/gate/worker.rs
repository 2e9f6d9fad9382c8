//! A worker: takes steps on a chain, under its lease, until nothing is left to do now. Steps of many chains
//! share a commit, because the store groups what waits.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use super::advance::{Job, Learned, Next, advance};
use super::callouts::{self, Answers};
use super::crew::{BUG_MS, Leased};
use super::give_way::Turn;
use super::metrics::Decided;
use super::report::Report;
use super::{Inner, deliver, spans};
use crate::domain::clock::{Timestamp, plus_ms};
use crate::provider::{CallError, Target};
use crate::storage::records::Lease;
use crate::storage::{StorageError, Tx};

/// How long a chain rests after the store failed on it, in ms.
const STORE_TROUBLE_MS: i64 = 1_000;
/// Tries of one step, if the store does not take it.
const STEP_TRIES_MAX: usize = 20;
/// The most answers of other servers that one chain's decisions may take at once: a series of a few hundred
/// bookings, or policies that ask several servers about each. More has no end.
const ANSWERS_MAX: usize = 1_000;
/// How long a booking that could not be read rests, in ms.
const READ_RETRY_MS: i64 = 60_000;

/// Takes steps on one chain until nothing is left to do now. Says whether it is due again.
pub(super) async fn work(gate: &Arc<Inner>, leased: Leased, shutdown: &CancellationToken) -> bool {
    let Leased { lease, mut first } = leased;
    let mut learned = None;
    let mut answers = Arc::<Answers>::default();
    loop {
        let stepped = match first.take() {
            Some(stepped) => Ok(tell_of(gate, &lease, stepped).await),
            None => step(gate, &lease, learned.take(), &answers).await,
        };
        let next = match stepped {
            Ok(next) => next,
            Err(error) => {
                tracing::error!(chain.id = %lease.chain, error = %error, "a step failed; the chain rests");
                give_back(gate, &lease, STORE_TROUBLE_MS).await;
                return true;
            }
        };
        learned = match next {
            Next::Done { due_again } => return due_again,
            // A call already written down is made even now: it is bounded, and it leaves no doubt.
            Next::Deliver(job) => Some(Learned {
                report: keep(gate, &lease, tell(gate, &job)).await,
                job: Some(job),
            }),
            Next::Read(_) | Next::Ask(_) if shutdown.is_cancelled() => {
                give_back(gate, &lease, 0).await;
                return true;
            }
            Next::Read(target) => Some(Learned {
                report: keep(gate, &lease, read(gate, &lease, &target)).await,
                job: None,
            }),
            Next::Ask(open) => {
                if answers.len() + open.len() > ANSWERS_MAX {
                    tracing::error!(chain.id = %lease.chain, "policies ask other servers again and again");
                    give_back(gate, &lease, BUG_MS).await;
                    return true;
                }
                let asking = keep(gate, &lease, callouts::ask(gate, lease.chain, open));
                tokio::select! {
                    replies = asking => Arc::make_mut(&mut answers).extend(replies),
                    // Whoever goes on asks again, under the same keys.
                    () = shutdown.cancelled() => {
                        give_back(gate, &lease, 0).await;
                        return true;
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
            Ok(stepped) => return Ok(tell_of(gate, lease, stepped).await),
        }
    }
    Ok(Next::Done { due_again: true })
}

/// A step that was taken: to be told of once it is committed.
pub(super) struct Stepped {
    next: Next,
    decided: Vec<Decided>,
    began_at: Timestamp,
}

/// Takes a chain's first step, as a part of other work.
pub(super) async fn first_step(
    gate: &Arc<Inner>,
    tx: &mut Tx,
    lease: Lease,
) -> Result<Stepped, StorageError> {
    take_step(gate, tx, lease, (None, &Answers::default())).await
}

async fn take_step(
    gate: &Arc<Inner>,
    tx: &mut Tx,
    lease: Lease,
    learned: (Option<Learned>, &Answers),
) -> Result<Stepped, StorageError> {
    let began_at = gate.now();
    let mut decided = Vec::new();
    let next = advance(gate, tx, lease, learned, &mut decided).await?;
    Ok(Stepped {
        next,
        decided,
        began_at,
    })
}

/// Tells of a step that is committed, and gives what comes next.
async fn tell_of(gate: &Arc<Inner>, lease: &Lease, stepped: Stepped) -> Next {
    let decided = &stepped.decided;
    for one in decided {
        gate.metrics.decided(&lease.source, one);
    }
    spans::decided(gate, lease.chain, decided, stepped.began_at).await;
    stepped.next
}

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
            take_step(&gate, tx, lease, (learned, &answers)).await
        })
    }
}

async fn tell(gate: &Arc<Inner>, job: &Job) -> Report {
    match gate.sources.get(job.lease.source.as_str()) {
        Some(source) => {
            let root = spans::of_chain(gate, job.lease.chain, job.command.created_at).await;
            // In a box: whatever has it inside would be as large, several times over.
            let delivering = Box::pin(deliver::deliver(gate, source, job));
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

pub(super) async fn give_back(gate: &Arc<Inner>, lease: &Lease, rest_ms: i64) {
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
