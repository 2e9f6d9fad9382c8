//! Reading known bookings again, one by one, where the provider's API can list nothing: some in each
//! run, all of them in turn. What nobody has told of is not found that way.

use super::tell;
use super::{DAY_MS, Progress, follow, of_known};
use crate::domain::clock::plus_ms;
use crate::domain::ids::Uid;
use crate::gate::jobs::{JobError, Run};
use crate::gate::{Inner, Source};
use crate::provider::{CallError, Target};
use crate::storage::StorageError;
use crate::storage::records::{KnownBooking, SourceRow};

/// Bookings read again in one run: each costs a call, and those who wait for an answer come first.
const RUN_MAX: usize = 100;
/// Bookings read again in one step.
const STEP_MAX: usize = 10;

/// The provider knows no such booking, or shows it no more.
const MISSING: &str = "missing";

/// Reads the next few. The run's cursor is how many were read in this run.
pub(super) async fn some(
    gate: &Inner,
    source: &Source,
    met: &SourceRow,
    run: &mut Run,
) -> Result<Result<Progress, CallError>, JobError> {
    let done: usize = run
        .cursor
        .as_deref()
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    let few = next_few(gate, source, met).await?;
    let mut failed = None;
    let mut last = None;
    for known in &few {
        if let Err(error) = read(gate, source, known, met, run).await? {
            failed = Some(error);
            break;
        }
        tell::checked(run, &source.name, 1);
        last = Some(known.uid.clone());
    }
    let (read, through) = (done + few.len(), few.len() < STEP_MAX);
    // What was read before an error is not read again.
    let begin_anew = failed.is_none() && through;
    if begin_anew || last.is_some() {
        note(gate, source, last.filter(|_| !begin_anew)).await?;
    }
    if let Some(error) = failed {
        return Ok(Err(error));
    }
    Ok(Ok(if through || read >= RUN_MAX {
        Progress::Done
    } else {
        Progress::Next(read.to_string())
    }))
}

async fn next_few(
    gate: &Inner,
    source: &Source,
    met: &SourceRow,
) -> Result<Vec<KnownBooking>, StorageError> {
    let (name, after) = (source.name.clone(), met.reread_after.clone());
    let days_back = gate.settings.reconcile.days_back;
    let ended_after = plus_ms(gate.now(), -days_back * DAY_MS);
    gate.storage
        .read(move |tx| {
            Box::pin(async move {
                let limit = u32::try_from(STEP_MAX).unwrap_or(u32::MAX);
                tx.bookings_alive(&name, after.as_ref(), ended_after, limit)
                    .await
            })
        })
        .await
}

async fn read(
    gate: &Inner,
    source: &Source,
    known: &KnownBooking,
    met: &SourceRow,
    run: &mut Run,
) -> Result<Result<(), CallError>, StorageError> {
    let asked_at = gate.now();
    let target = Target {
        uid: known.uid.clone(),
        number: known.number,
        seat: None,
    };
    match source.provider.read(&target).await {
        Ok(readings) => {
            let readings = readings.into_iter();
            let readings = readings.map(|reading| of_known(reading, asked_at, met));
            follow(gate, source, readings.collect(), run).await?;
        }
        // As where a booking is read before it is decided: a key that is refused altogether (401) is for
        // the admin to mend, the rest will not get better.
        Err(CallError::NotFound { .. }) => tell::deferred(run, &source.name, MISSING),
        Err(CallError::Rejected { http_status, .. }) if http_status != 401 => {
            tell::deferred(run, &source.name, MISSING);
        }
        Err(error) => return Ok(Err(error)),
    }
    Ok(Ok(()))
}

async fn note(gate: &Inner, source: &Source, last: Option<Uid>) -> Result<(), StorageError> {
    let name = source.name.clone();
    gate.storage
        .write(move |tx| Box::pin(async move { tx.note_reread(&name, last.as_ref()).await }))
        .await
}
