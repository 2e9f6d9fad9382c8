//! Work on a schedule, run by one instance at a time: whose turn it is, how far a run has got, and
//! what the last one did. Nothing here knows what a job does.

use super::backend::{Row, Sql, Tx};
use super::error::StorageError;
use super::records::{JobLease, JobRow};
use crate::domain::clock::{Timestamp, plus_ms};

const INSERT: Sql =
    Sql::same("INSERT INTO job (name, due_at) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING");
const DUE_NO_LATER: Sql =
    Sql::same("UPDATE job SET due_at = $2 WHERE name = $1 AND holder IS NULL AND due_at > $2");
// A run that its instance has left behind is taken over where it stopped.
const TAKE: Sql = Sql::same(
    "UPDATE job SET holder = $2, held_until = $3, fence = fence + 1
     WHERE name = $1 AND ((holder IS NULL AND due_at <= $4) OR held_until <= $4)
     RETURNING name, fence, position",
);
const KEEP: Sql = Sql::same(
    "UPDATE job SET held_until = $3 WHERE name = $1 AND fence = $2 AND holder IS NOT NULL",
);
const ADVANCE: Sql = Sql::same(
    "UPDATE job SET held_until = $3, position = $4
     WHERE name = $1 AND fence = $2 AND holder IS NOT NULL",
);
const REST: Sql = Sql::same(
    "UPDATE job SET holder = NULL, held_until = NULL, due_at = $3, report = COALESCE($4, report)
     WHERE name = $1 AND fence = $2 AND holder IS NOT NULL",
);
const END: Sql = Sql::same(
    "UPDATE job SET holder = NULL, held_until = NULL, due_at = $3, position = 0, ended_at = $4,
         report = $5
     WHERE name = $1 AND fence = $2 AND holder IS NOT NULL",
);
const ALL: Sql = Sql::same(
    "SELECT name, due_at, holder, held_until, position, ended_at, report FROM job ORDER BY name",
);
const ONE: Sql = Sql::same(
    "SELECT name, due_at, holder, held_until, position, ended_at, report FROM job WHERE name = $1",
);

impl Tx {
    /// Makes a job known; if it is known already, nothing changes.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn add_job(&mut self, name: &str, first_due: Timestamp) -> Result<(), StorageError> {
        let insert = self.query(INSERT).bind(name).bind(first_due);
        insert.run().await.map(drop)
    }

    /// Makes a job that nobody runs due at `due`, unless it is due earlier.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn job_due_no_later_than(
        &mut self,
        name: &str,
        due: Timestamp,
    ) -> Result<(), StorageError> {
        let update = self.query(DUE_NO_LATER).bind(name).bind(due);
        update.run().await.map(drop)
    }

    /// Takes a job that is due and free, or whose holder has let it expire. `None` if it is not its time, or another instance runs it. `lease_ms` are milliseconds from
    /// `now`.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn take_job(
        &mut self,
        name: &str,
        instance: &str,
        now: Timestamp,
        lease_ms: i64,
    ) -> Result<Option<JobLease>, StorageError> {
        let take = self.query(TAKE).bind(name).bind(instance);
        let take = take.bind(plus_ms(now, lease_ms)).bind(now);
        let row = take.optional().await?;
        row.as_ref().map(lease).transpose()
    }

    /// Holds a job for longer; `false` if another instance has it.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn keep_job(
        &mut self,
        lease: &JobLease,
        until: Timestamp,
    ) -> Result<bool, StorageError> {
        let keep = self.query(KEEP).bind(&lease.name).bind(lease.fence);
        Ok(keep.bind(until).run().await? == 1)
    }

    /// As [`Tx::keep_job`], noting how far the run has got. In the transaction of a step this is what
    /// makes the step count only while the job is still ours: if it is `false`, take the step back.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn advance_job(
        &mut self,
        lease: &JobLease,
        position: i64,
        until: Timestamp,
    ) -> Result<bool, StorageError> {
        let advance = self.query(ADVANCE).bind(&lease.name).bind(lease.fence);
        Ok(advance.bind(until).bind(position).run().await? == 1)
    }

    /// Gives a job back before its run is over: whoever takes it at `due` goes on where it stopped.
    /// `failure` is JSON that says why, if that is to be seen. `false` if another instance has it:
    /// then nothing changes.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn rest_job(
        &mut self,
        lease: &JobLease,
        due: Timestamp,
        failure: Option<&str>,
    ) -> Result<bool, StorageError> {
        let rest = self.query(REST).bind(&lease.name).bind(lease.fence);
        Ok(rest.bind(due).bind(failure).run().await? == 1)
    }

    /// Ends a run. The next begins at `due`, and from the start. `report` is JSON. `false` if another
    /// instance has the job: then nothing changes.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn end_job(
        &mut self,
        lease: &JobLease,
        due: Timestamp,
        now: Timestamp,
        report: &str,
    ) -> Result<bool, StorageError> {
        let end = self.query(END).bind(&lease.name).bind(lease.fence);
        Ok(end.bind(due).bind(now).bind(report).run().await? == 1)
    }

    /// One job.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn job(&mut self, name: &str) -> Result<Option<JobRow>, StorageError> {
        let row = self.query(ONE).bind(name).optional().await?;
        row.as_ref().map(job_row).transpose()
    }

    /// All jobs that are known, by name.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn jobs(&mut self) -> Result<Vec<JobRow>, StorageError> {
        self.query(ALL).all().await?.iter().map(job_row).collect()
    }
}

fn lease(row: &Row) -> Result<JobLease, StorageError> {
    Ok(JobLease {
        name: row.get("name")?,
        fence: row.get("fence")?,
        position: row.get("position")?,
    })
}

fn job_row(row: &Row) -> Result<JobRow, StorageError> {
    Ok(JobRow {
        name: row.get("name")?,
        due_at: row.get("due_at")?,
        holder: row.get("holder")?,
        held_until: row.get("held_until")?,
        position: row.get("position")?,
        ended_at: row.get("ended_at")?,
        report: row.get("report")?,
    })
}
