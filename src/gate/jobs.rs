//! Work on a schedule. Each job is run by one instance at a time, in small steps under a lease, so that
//! a run whose instance dies is taken over where it stopped. A run that fails or panics is reported and
//! tried again later; one that is interrupted by shutdown is given back.
//!
//! A job is a line in [`all`].

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::error::put_off;
use super::{GateSettings, Inner, Source, reconcile, retention, subscriptions, verification};
use crate::domain::clock::{Timestamp, ms_between, plus_ms};
use crate::storage::StorageError;
use crate::storage::records::JobLease;

/// How long an instance holds a job without a sign of life, in ms.
pub(super) const LEASE_MS: i64 = 60_000;
/// The longest sleep without looking at the clock and the list, in ms: another instance may have ended
/// a run meanwhile, or left one behind.
const LOOK_MS_MAX: i64 = 60_000;
/// How long a job rests after it failed, in ms.
const RETRY_MS: i64 = 5 * 60_000;
/// Times that a step is done again at once because another transaction got in its way.
pub(super) const CONFLICTS_MAX: usize = 5;
/// How long to wait before a store that is down is asked again, in ms.
const STORE_TROUBLE_MS: i64 = 2_000;

/// What a run has done so far, by what it counts.
pub(super) type Tally = BTreeMap<&'static str, i64>;

/// A run of a job under way.
#[derive(Debug)]
pub(super) struct Run {
    /// The right to it. A step that goes through a table notes its position here and in the store.
    pub(super) lease: JobLease,
    /// For the report.
    pub(super) tally: Tally,
    /// For the report, too: what cannot be counted, by what it is about.
    pub(super) notes: BTreeMap<String, serde_json::Value>,
    /// Where a step that goes through something outside has got to. Whoever takes the run over begins
    /// that anew.
    pub(super) cursor: Option<String>,
    /// When the part of the run that is at hand was begun, where that matters.
    pub(super) part_begun_at: Option<Timestamp>,
}

/// What a step leaves to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// There may be more.
    More,
    /// The run is over.
    Done,
}

/// Why a step did not do its work.
#[derive(Debug, thiserror::Error)]
pub(super) enum JobError {
    /// Another instance has the job.
    #[error("another instance has taken the job over")]
    Lost,
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl JobError {
    /// Whether the same step may go through at once.
    pub(super) fn is_conflict(&self) -> bool {
        matches!(self, Self::Storage(StorageError::Conflict(_)))
    }
}

type Stepping<'r> = Pin<Box<dyn Future<Output = Result<Step, JobError>> + Send + 'r>>;
type StepFn = dyn for<'r> Fn(&'r Inner, &'r mut Run) -> Stepping<'r> + Send + Sync;

/// A kind of work.
pub(super) struct Job {
    /// Its name in the store.
    pub(super) name: &'static str,
    /// From the end of one run to the beginning of the next, in ms. The first begins so long after the
    /// job became known.
    pub(super) interval_ms: i64,
    /// Whether it is due whenever a daemon starts, too.
    at_start: bool,
    /// Rung when it may have become due.
    bell: Notify,
    /// Does a part of it.
    step: Box<StepFn>,
}

impl Run {
    /// A run at its lease's position.
    pub(super) fn new(lease: JobLease) -> Self {
        Self {
            lease,
            tally: Tally::new(),
            notes: BTreeMap::new(),
            cursor: None,
            part_begun_at: None,
        }
    }

    /// Counts something for the report.
    pub(super) fn count(&mut self, what: &'static str, more: i64) {
        *self.tally.entry(what).or_default() += more;
    }

    /// What it has done, for the store.
    pub(super) fn report(&self) -> String {
        let mut report = json!(self.tally);
        for (about, note) in &self.notes {
            report[about] = note.clone();
        }
        report.to_string()
    }
}

impl Job {
    /// A job. `step` does a part of it: one that takes seconds rather than minutes, so that shutdown
    /// does not wait for it, and in transactions so short that nobody waits for them.
    pub(super) fn new(
        name: &'static str,
        interval_ms: i64,
        step: impl for<'r> Fn(&'r Inner, &'r mut Run) -> Stepping<'r> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self::of(name, interval_ms, false, Box::new(step)))
    }

    /// A job that is due whenever a daemon starts, too: something may have been missed meanwhile.
    pub(super) fn at_start(
        name: &'static str,
        interval_ms: i64,
        step: impl for<'r> Fn(&'r Inner, &'r mut Run) -> Stepping<'r> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self::of(name, interval_ms, true, Box::new(step)))
    }

    fn of(name: &'static str, interval_ms: i64, at_start: bool, step: Box<StepFn>) -> Self {
        Self {
            name,
            interval_ms,
            at_start,
            bell: Notify::new(),
            step,
        }
    }

    /// Has its clock and its due time looked at again; at the end of a run, if one is under way.
    pub(super) fn ring(&self) {
        self.bell.notify_one();
    }
}

/// Every job there is.
pub(super) fn all(settings: &GateSettings, sources: &BTreeMap<String, Source>) -> Vec<Arc<Job>> {
    let mut jobs = retention::jobs(&settings.retention);
    jobs.extend(reconcile::job(&settings.reconcile, sources));
    jobs.extend(subscriptions::job(sources));
    jobs.push(verification::job());
    jobs
}

/// Runs the jobs that are due until `shutdown` is cancelled.
pub(super) async fn run(gate: &Arc<Inner>, shutdown: &CancellationToken) {
    let tasks = TaskTracker::new();
    for job in &gate.jobs {
        let job = Arc::clone(job);
        tasks.spawn(keep_time(Arc::clone(gate), job, shutdown.clone()));
    }
    tasks.close();
    tasks.wait().await;
}

async fn keep_time(gate: Arc<Inner>, job: Arc<Job>, shutdown: CancellationToken) {
    let mut called = !job.at_start;
    while !shutdown.is_cancelled() {
        if !called {
            called = call(&gate, &job).await.is_ok();
        }
        let rest_ms = match turn(&gate, &job, &shutdown).await {
            Ok(rest_ms) => rest_ms,
            Err(error) => {
                put_off(&error, "a job waits");
                STORE_TROUBLE_MS
            }
        };
        let rest = Duration::from_millis(u64::try_from(rest_ms).unwrap_or(0));
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = job.bell.notified() => {}
            () = tokio::time::sleep(rest) => {}
        }
    }
}

/// Makes the job due now, unless an instance is at it.
async fn call(gate: &Arc<Inner>, job: &Arc<Job>) -> Result<(), StorageError> {
    let (name, now) = (job.name, gate.now());
    gate.storage
        .write(move |tx| {
            Box::pin(async move {
                tx.add_job(name, now).await?;
                tx.job_due_no_later_than(name, now).await
            })
        })
        .await
}

/// Runs the job if it is its time; returns for how many ms there is nothing to do.
async fn turn(
    gate: &Arc<Inner>,
    job: &Arc<Job>,
    shutdown: &CancellationToken,
) -> Result<i64, StorageError> {
    let (name, first_due) = (job.name, plus_ms(gate.now(), job.interval_ms));
    let known = gate
        .storage
        .read(move |tx| Box::pin(async move { tx.job(name).await }))
        .await?;
    let Some(known) = known else {
        gate.storage
            .write(move |tx| Box::pin(async move { tx.add_job(name, first_due).await }))
            .await?;
        return Ok(0);
    };
    let wait_ms = ms_between(gate.now(), known.next_at());
    if wait_ms > 0 {
        return Ok(wait_ms.min(LOOK_MS_MAX));
    }
    let taking = gate.leasing.lock().await;
    let (now, this) = (gate.now(), gate.settings.worker_name.clone());
    let taken: Option<JobLease> = gate
        .storage
        .write(move |tx| Box::pin(async move { tx.take_job(name, &this, now, LEASE_MS).await }))
        .await?;
    let Some(lease) = taken else {
        return Ok(LOOK_MS_MAX);
    };
    gate.changed(|activity| activity.working += 1);
    drop(taking);
    run_once(gate, job, lease, shutdown).await;
    gate.changed(|activity| activity.working -= 1);
    Ok(0)
}

/// Runs it under its lease, and writes down how that ended.
async fn run_once(
    gate: &Arc<Inner>,
    job: &Arc<Job>,
    lease: JobLease,
    shutdown: &CancellationToken,
) {
    // A task of its own, so that a panic ends the run and not the schedule.
    let running = tokio::spawn({
        let (gate, job, shutdown) = (Arc::clone(gate), Arc::clone(job), shutdown.clone());
        let lease = lease.clone();
        async move { steps(&gate, &job, lease, &shutdown).await }
    });
    let failure = match running.await {
        Ok(Ok(Some(report))) => return end(gate, job, lease, report).await,
        Ok(Ok(None)) => None,
        Ok(Err(JobError::Lost)) => {
            tracing::warn!(
                job.name = job.name,
                "another instance has taken the job over"
            );
            return;
        }
        // That the store is down it says itself, once.
        Ok(Err(JobError::Storage(error))) if error.is_transient() => {
            put_off(&error, "a job waits");
            Some(error.to_string())
        }
        Ok(Err(error)) => {
            tracing::error!(job.name = job.name, error = %error, "a job failed; it is tried again later");
            Some(error.to_string())
        }
        Err(panic) => {
            tracing::error!(job.name = job.name, error = %panic, "a job panicked: please report this");
            Some("it panicked".to_owned())
        }
    };
    give_back(gate, lease, failure).await;
}

/// Steps until the run is over; `None` if shutdown came first.
async fn steps(
    gate: &Arc<Inner>,
    job: &Arc<Job>,
    lease: JobLease,
    shutdown: &CancellationToken,
) -> Result<Option<String>, JobError> {
    let mut run = Run::new(lease.clone());
    let mut conflicts = 0;
    while !shutdown.is_cancelled() {
        match keep(gate, &lease, (job.step)(gate, &mut run)).await {
            Ok(Step::Done) => return Ok(Some(run.report())),
            Ok(Step::More) => conflicts = 0,
            Err(error) if error.is_conflict() && conflicts < CONFLICTS_MAX => conflicts += 1,
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// Runs a step while the job is renewed, so that nobody takes it over from an instance that is alive.
async fn keep(
    gate: &Arc<Inner>,
    lease: &JobLease,
    mut step: Stepping<'_>,
) -> Result<Step, JobError> {
    let every = Duration::from_millis(u64::try_from(LEASE_MS / 3).unwrap_or(1));
    loop {
        tokio::select! {
            done = &mut step => return done,
            () = tokio::time::sleep(every) => {}
        }
        let (lease, until) = (lease.clone(), plus_ms(gate.now(), LEASE_MS));
        let kept = gate
            .storage
            .write(move |tx| Box::pin(async move { tx.keep_job(&lease, until).await }))
            .await;
        match kept {
            Ok(true) => {}
            Ok(false) => return Err(JobError::Lost),
            Err(error) => {
                // The step will find out by itself whether the store works.
                tracing::warn!(error = %(error as StorageError), "a job could not be renewed");
            }
        }
    }
}

async fn end(gate: &Inner, job: &Job, lease: JobLease, report: String) {
    tracing::info!(job.name = job.name, job.report = %report, "job done");
    let (now, due) = (gate.now(), plus_ms(gate.now(), job.interval_ms));
    let ended: Result<bool, StorageError> = gate
        .storage
        .write(move |tx| Box::pin(async move { tx.end_job(&lease, due, now, &report).await }))
        .await;
    if let Err(error) = ended {
        // It is taken up again when the lease has run out, and finds little to do.
        put_off(&error, "the end of a job could not be noted");
    }
}

async fn give_back(gate: &Inner, lease: JobLease, failure: Option<String>) {
    let rest_ms = if failure.is_some() { RETRY_MS } else { 0 };
    let due = plus_ms(gate.now(), rest_ms);
    let failure = failure.map(|why| json!({ "failed": why }).to_string());
    let rested: Result<bool, StorageError> = gate
        .storage
        .write(move |tx| {
            Box::pin(async move { tx.rest_job(&lease, due, failure.as_deref()).await })
        })
        .await;
    if let Err(error) = rested {
        // Its lease runs out by itself.
        put_off(&error, "a job could not be given back");
    }
}

impl Inner {
    /// Whether every job is known to the store and none is due and free.
    pub(super) async fn no_job_due(&self) -> bool {
        let known = self
            .storage
            .read(|tx| Box::pin(async move { tx.jobs().await }))
            .await;
        let Ok(known): Result<_, StorageError> = known else {
            return false;
        };
        self.jobs.iter().all(|job| {
            let row = known.iter().find(|row| row.name == job.name);
            row.is_some_and(|row| row.holder.is_some() || row.due_at > self.now())
        })
    }
}
