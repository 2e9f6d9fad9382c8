//! Retention: what is old enough is removed in small batches, by a job for each kind, or by the
//! `retention` command. What may go at all is the store's rule; here are the ages.

use std::sync::Arc;

use serde::Serialize;

use super::jobs::{CONFLICTS_MAX, Job, JobError, LEASE_MS, Run, Step};
use super::{Actor, Desk, Gate, GateError};
use crate::domain::clock::{Timestamp, plus_ms};
use crate::storage::StorageError;
use crate::storage::records::{Change, JobLease, Removable, Removed};

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// Ages and batches. An age of 0 days is for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetentionSettings {
    /// From one run to the next, in ms.
    pub interval_ms: i64,
    /// Rows that one transaction removes at most.
    pub batch_max: u32,
    /// See [`Removable::DeliveryBodies`].
    pub delivery_bodies_days: i64,
    /// See [`Removable::UnparsedBodies`].
    pub unparsed_bodies_days: i64,
    /// See [`Removable::Facts`].
    pub facts_days: i64,
    /// See [`Removable::Deliveries`].
    pub deliveries_days: i64,
    /// See [`Removable::IdempotencyKeys`].
    pub idempotency_days: i64,
}

impl RetentionSettings {
    /// Nothing is ever removed.
    #[cfg(test)]
    pub(super) fn for_ever() -> Self {
        Self {
            interval_ms: DAY_MS,
            batch_max: 100,
            delivery_bodies_days: 0,
            unparsed_bodies_days: 0,
            facts_days: 0,
            deliveries_days: 0,
            idempotency_days: 0,
        }
    }

    /// How long a kind is kept, in days; `None` is for ever.
    fn days(&self, kind: Removable) -> Option<i64> {
        let days = match kind {
            Removable::DeliveryBodies => self.delivery_bodies_days,
            Removable::UnparsedBodies => self.unparsed_bodies_days,
            Removable::Facts => self.facts_days,
            Removable::Deliveries => self.deliveries_days,
            Removable::IdempotencyKeys => self.idempotency_days,
        };
        (days > 0).then_some(days)
    }

    fn before(&self, kind: Removable, now: Timestamp) -> Option<Timestamp> {
        Some(plus_ms(now, -self.days(kind)? * DAY_MS))
    }
}

/// What became of one kind, or would.
#[derive(Debug, Clone, Serialize)]
pub struct RetentionLine {
    /// The kind, as the settings call it.
    pub what: &'static str,
    /// How long it is kept, in days; `None` is for ever.
    pub kept_days: Option<i64>,
    /// What is older than this goes.
    pub before: Option<Timestamp>,
    /// How many, and how large.
    #[serde(flatten)]
    pub removed: Removed,
    /// Whether nothing was done because another instance is at it.
    pub busy: bool,
}

fn job_name(kind: Removable) -> &'static str {
    match kind {
        Removable::DeliveryBodies => "retention:delivery_bodies",
        Removable::UnparsedBodies => "retention:unparsed_bodies",
        Removable::Facts => "retention:facts",
        Removable::Deliveries => "retention:deliveries",
        Removable::IdempotencyKeys => "retention:idempotency",
    }
}

/// A job for each kind: they walk different tables, and each has a position of its own.
pub(super) fn jobs(settings: &RetentionSettings) -> Vec<Arc<Job>> {
    let job = |kind| {
        Job::new(job_name(kind), settings.interval_ms, move |gate, run| {
            Box::pin(step(&gate.desk, &gate.settings.retention, kind, run))
        })
    };
    Removable::ALL.map(job).into()
}

/// Removes one batch.
async fn step(
    desk: &Desk,
    settings: &RetentionSettings,
    kind: Removable,
    run: &mut Run,
) -> Result<Step, JobError> {
    let (now, limit) = (desk.clock.now(), settings.batch_max);
    let Some(before) = settings.before(kind, now) else {
        return Ok(Step::Done);
    };
    let after = run.lease.position;
    // Searched for outside of the transaction that removes, so that nobody waits for the search.
    let found = desk
        .storage
        .read(move |tx| {
            Box::pin(async move {
                let found = tx.find_removable(kind, before, after, limit).await;
                found.map_err(JobError::from)
            })
        })
        .await?;
    let position = found.searched_to.unwrap_or(after);
    let lease = run.lease.clone();
    let removed = desk
        .storage
        .write(move |tx| {
            Box::pin(async move {
                let until = plus_ms(now, LEASE_MS);
                if !tx.advance_job(&lease, position, until).await? {
                    return Err(JobError::Lost);
                }
                let mut removed = Removed::default();
                if kind == Removable::IdempotencyKeys {
                    removed += tx.remove_idempotency_keys(before, limit).await?;
                }
                for id in found.ids {
                    removed += tx.remove(kind, id, before, now).await?;
                }
                Ok(removed)
            })
        })
        .await?;
    run.lease.position = position;
    *run.tally.entry("rows").or_default() += removed.rows;
    *run.tally.entry("bytes").or_default() += removed.bytes;
    let more = found.searched_to.is_some() || removed.rows >= i64::from(limit);
    Ok(if more { Step::More } else { Step::Done })
}

impl Gate {
    /// What a run of retention would remove now. Changes nothing.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn retention_preview(&self) -> Result<Vec<RetentionLine>, GateError> {
        let settings = &self.0.settings.retention;
        self.desk().retention_preview(settings).await
    }

    /// Has retention run now, and says what it finds. It goes on after this returns.
    ///
    /// # Errors
    /// The store fails.
    pub async fn start_retention(&self, actor: &Actor) -> Result<Vec<RetentionLine>, GateError> {
        let lines = self.retention_preview().await?;
        let (now, change) = (self.now(), ordered_by(actor));
        let called: Result<(), StorageError> = self
            .0
            .storage
            .write(move |tx| {
                Box::pin(async move {
                    for kind in Removable::ALL {
                        tx.job_due_no_later_than(job_name(kind), now).await?;
                    }
                    tx.note_change(&change, now).await
                })
            })
            .await;
        called?;
        self.wake();
        Ok(lines)
    }
}

fn ordered_by(actor: &Actor) -> Change {
    actor.change("retention.run", "all", None)
}

impl Desk {
    /// What a run of retention would remove now. Changes nothing.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn retention_preview(
        &self,
        settings: &RetentionSettings,
    ) -> Result<Vec<RetentionLine>, GateError> {
        let (settings, now) = (settings.clone(), self.clock.now());
        self.storage
            .read(move |tx| {
                Box::pin(async move {
                    let mut lines = Vec::with_capacity(Removable::ALL.len());
                    for kind in Removable::ALL {
                        let removed = match settings.before(kind, now) {
                            Some(before) => tx.count_removable(kind, before).await?,
                            None => Removed::default(),
                        };
                        lines.push(line(&settings, kind, now, removed));
                    }
                    Ok(lines)
                })
            })
            .await
    }

    /// Removes now what is old enough, each kind under its job's lease; a kind that an instance is at
    /// is left to it.
    ///
    /// # Errors
    /// The store fails. What was removed stays removed.
    pub async fn run_retention(
        &self,
        settings: &RetentionSettings,
        instance: &str,
        actor: &Actor,
    ) -> Result<Vec<RetentionLine>, GateError> {
        let (now, change) = (self.clock.now(), ordered_by(actor));
        let noted: Result<(), StorageError> = self
            .storage
            .write(move |tx| Box::pin(async move { tx.note_change(&change, now).await }))
            .await;
        noted?;
        let mut lines = Vec::with_capacity(Removable::ALL.len());
        for kind in Removable::ALL {
            let now = self.clock.now();
            let removed = match self.take_now(kind, instance).await? {
                Some(lease) => self.remove_all(settings, kind, lease).await?,
                None => None,
            };
            lines.push(RetentionLine {
                busy: removed.is_none(),
                ..line(settings, kind, now, removed.unwrap_or_default())
            });
        }
        Ok(lines)
    }

    /// Takes a kind's job whether it is due or not; `None` if an instance has it.
    async fn take_now(
        &self,
        kind: Removable,
        instance: &str,
    ) -> Result<Option<JobLease>, StorageError> {
        let (name, now, instance) = (job_name(kind), self.clock.now(), instance.to_owned());
        self.storage
            .write(move |tx| {
                Box::pin(async move {
                    tx.add_job(name, now).await?;
                    tx.job_due_no_later_than(name, now).await?;
                    tx.take_job(name, &instance, now, LEASE_MS).await
                })
            })
            .await
    }

    /// `None` if another instance took the job over.
    async fn remove_all(
        &self,
        settings: &RetentionSettings,
        kind: Removable,
        lease: JobLease,
    ) -> Result<Option<Removed>, StorageError> {
        let (mut run, mut conflicts) = (Run::new(lease), 0);
        loop {
            match step(self, settings, kind, &mut run).await {
                Ok(Step::More) => conflicts = 0,
                Err(error) if error.is_conflict() && conflicts < CONFLICTS_MAX => conflicts += 1,
                Ok(Step::Done) => break,
                Err(JobError::Lost) => return Ok(None),
                Err(JobError::Storage(error)) => return Err(error),
            }
        }
        let now = self.clock.now();
        let (lease, due) = (run.lease.clone(), plus_ms(now, settings.interval_ms));
        let report = run.report();
        let _is_ours: bool = self
            .storage
            .write(move |tx| Box::pin(async move { tx.end_job(&lease, due, now, &report).await }))
            .await?;
        let count = |what| run.tally.get(what).copied().unwrap_or_default();
        Ok(Some(Removed {
            rows: count("rows"),
            bytes: count("bytes"),
        }))
    }
}

fn line(
    settings: &RetentionSettings,
    kind: Removable,
    now: Timestamp,
    removed: Removed,
) -> RetentionLine {
    RetentionLine {
        what: kind.as_str(),
        kept_days: settings.days(kind),
        before: settings.before(kind, now),
        removed,
        busy: false,
    }
}
