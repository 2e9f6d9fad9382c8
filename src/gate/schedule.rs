//! What runs on a schedule, as admins see it: when each job is due, and what its last run did.

use serde::Serialize;
use serde_json::Value;

use super::views::Page;
use super::{Actor, Desk, Gate, GateError};
use crate::domain::clock::Timestamp;
use crate::storage::StorageError;
use crate::storage::records::JobRow;

/// A job.
#[derive(Debug, Clone, Serialize)]
pub struct JobView {
    /// Its name.
    pub name: String,
    /// When its next run is due; what it was due at, while it runs.
    pub due_at: Timestamp,
    /// The instance that runs it now.
    pub running_on: Option<String>,
    /// When the last run ended.
    pub ended_at: Option<Timestamp>,
    /// What the last run did.
    pub report: Option<Value>,
}

impl From<JobRow> for JobView {
    fn from(row: JobRow) -> Self {
        Self {
            name: row.name,
            due_at: row.due_at,
            running_on: row.holder,
            ended_at: row.ended_at,
            report: row.report.and_then(|text| serde_json::from_str(&text).ok()),
        }
    }
}

impl Desk {
    /// All jobs, by name. A job is known once a daemon that has it was started.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn jobs(&self) -> Result<Page<JobView>, GateError> {
        let rows = self
            .storage
            .read(|tx| Box::pin(async { Ok::<_, GateError>(tx.jobs().await?) }))
            .await?;
        Ok(Page {
            items: rows.into_iter().map(JobView::from).collect(),
            next: None,
        })
    }

    /// Makes a job due now, for whichever daemon comes first; nothing if it runs at this moment.
    ///
    /// # Errors
    /// [`GateError::NotFound`] if there is no such job; or the store fails.
    pub async fn run_job(&self, name: &str, actor: &Actor) -> Result<JobView, GateError> {
        let (wanted, now) = (name.to_owned(), self.clock.now());
        let change = actor.change("job.run", name, None);
        let row: Result<Option<JobRow>, StorageError> = self
            .storage
            .write(move |tx| {
                Box::pin(async move {
                    tx.job_due_no_later_than(&wanted, now).await?;
                    let job = tx.job(&wanted).await?;
                    if job.is_some() {
                        tx.note_change(&change, now).await?;
                    }
                    Ok(job)
                })
            })
            .await;
        let row = row?.ok_or_else(|| GateError::NotFound(format!("job `{name}`")))?;
        Ok(row.into())
    }
}

impl Gate {
    /// As [`Desk::run_job`], and wakes the daemon.
    ///
    /// # Errors
    /// As [`Desk::run_job`].
    pub async fn run_job(&self, name: &str, actor: &Actor) -> Result<JobView, GateError> {
        let job = self.desk().run_job(name, actor).await?;
        self.wake();
        Ok(job)
    }
}
