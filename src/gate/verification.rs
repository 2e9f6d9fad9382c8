//! Checks every rule of the ledger on a schedule, so that books that do not add up are found before
//! somebody asks.

use std::sync::Arc;
use std::time::Instant;

use super::Inner;
use super::jobs::{Job, JobError, Run, Step};

/// The job's name in the store.
pub(super) const NAME: &str = "ledger";
/// From one check to the next, in ms. It goes through all entries, beside everything else.
const INTERVAL_MS: i64 = 24 * 60 * 60 * 1_000;

/// The job.
pub(super) fn job() -> Arc<Job> {
    Job::new(NAME, INTERVAL_MS, |gate, run| Box::pin(check(gate, run)))
}

async fn check(gate: &Inner, run: &mut Run) -> Result<Step, JobError> {
    let began = Instant::now();
    let found = gate
        .storage
        .read(|tx| Box::pin(async { tx.verify().await }))
        .await?;
    let took_ms = i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX);
    run.count("violations", i64::try_from(found.len()).unwrap_or(i64::MAX));
    run.count("took_ms", took_ms);
    if let Some(first) = found.first() {
        tracing::error!(
            ledger.invariant = first.invariant,
            ledger.violations = found.len(),
            "the ledger does not add up: see `ledger verify`"
        );
    }
    Ok(Step::Done)
}
