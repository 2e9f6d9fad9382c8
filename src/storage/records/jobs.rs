//! Rows about work on a schedule.

use crate::domain::clock::Timestamp;

/// An instance's right to run a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobLease {
    /// The job.
    pub name: String,
    /// The fencing number: only the holder of the highest may write.
    pub fence: i64,
    /// How far the run has got; 0 at its start. What it counts is the job's own business.
    pub position: i64,
}

/// Where a job stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRow {
    /// The job.
    pub name: String,
    /// When its next run is due; what it was due at, while it runs.
    pub due_at: Timestamp,
    /// The instance that runs it.
    pub holder: Option<String>,
    /// When another instance may take it over, unless the holder renews.
    pub held_until: Option<Timestamp>,
    /// How far the run has got.
    pub position: i64,
    /// When the last run ended.
    pub ended_at: Option<Timestamp>,
    /// What the last run did, as JSON.
    pub report: Option<String>,
}

impl JobRow {
    /// When there is something to do next: to begin a run, or to take over one that was left behind.
    pub fn next_at(&self) -> Timestamp {
        self.held_until.unwrap_or(self.due_at)
    }
}
