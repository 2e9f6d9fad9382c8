//! Reading known bookings one by one: where the provider's API can list nothing, those that may still
//! change, some in each run and all of them in turn (what nobody has told of is not found that way); and
//! everywhere those that have ended with credit held for them, because nothing tells how they ended.

use super::tell;
use super::{Asked, DAY_MS, Progress, follow};
use crate::domain::clock::plus_ms;
use crate::domain::ids::{SourceName, Uid};
use crate::gate::jobs::{JobError, Run};
use crate::gate::{Inner, Source};
use crate::provider::{CallError, Target};
use crate::storage::StorageError;
use crate::storage::records::{KnownBooking, SourceRow};

/// Bookings read in turn in one run: each costs a call, and whoever waits for an answer needs calls, too.
const RUN_MAX: usize = 100;
/// Bookings read in one step.
const STEP_MAX: u32 = 10;

/// The provider knows no such booking, or shows it no more.
const MISSING: &str = "missing";

/// Reads the next few that may still change. The run's cursor is how many were read in this run.
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
    let few = open_to_change(gate, source, met).await?;
    let (last, failed) = read_all(gate, source, &few, met, run).await?;
    let (read, through) = (done + few.len(), is_last(&few));
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

/// Reads the next few that have ended with credit held for them. The run's cursor is the last one read.
pub(super) async fn held_past(
    gate: &Inner,
    source: &Source,
    met: &SourceRow,
    run: &mut Run,
) -> Result<Result<Progress, CallError>, JobError> {
    let after = run.cursor.as_deref().map(Uid::new);
    let few = ended_and_held(gate, source.name.clone(), after).await?;
    let (last, failed) = read_all(gate, source, &few, met, run).await?;
    if let Some(last) = &last {
        run.cursor = Some(last.to_string());
    }
    if let Some(error) = failed {
        return Ok(Err(error));
    }
    Ok(Ok(match last.filter(|_| !is_last(&few)) {
        Some(last) => Progress::Next(last.to_string()),
        None => Progress::Done,
    }))
}

fn is_last(few: &[KnownBooking]) -> bool {
    few.len() < STEP_MAX as usize
}

async fn open_to_change(
    gate: &Inner,
    source: &Source,
    met: &SourceRow,
) -> Result<Vec<KnownBooking>, StorageError> {
    let (name, after) = (source.name.clone(), met.reread_after.clone());
    let (now, days_back) = (gate.now(), gate.settings.reconcile.days_back);
    let ended_after = plus_ms(now, -days_back * DAY_MS);
    gate.storage
        .read(move |tx| {
            Box::pin(async move {
                tx.bookings_open_to_change(&name, after.as_ref(), ended_after, now, STEP_MAX)
                    .await
            })
        })
        .await
}

async fn ended_and_held(
    gate: &Inner,
    source: SourceName,
    after: Option<Uid>,
) -> Result<Vec<KnownBooking>, StorageError> {
    let now = gate.now();
    gate.storage
        .read(move |tx| {
            Box::pin(async move {
                tx.bookings_held_past(&source, after.as_ref(), now, STEP_MAX)
                    .await
            })
        })
        .await
}

/// Reads them one after the other, up to the first that fails; gives the last that did not.
async fn read_all(
    gate: &Inner,
    source: &Source,
    few: &[KnownBooking],
    met: &SourceRow,
    run: &mut Run,
) -> Result<(Option<Uid>, Option<CallError>), StorageError> {
    let mut last = None;
    for known in few {
        if let Err(error) = read(gate, source, known, met, run).await? {
            return Ok((last, Some(error)));
        }
        tell::checked(run, &source.name, 1);
        last = Some(known.uid.clone());
    }
    Ok((last, None))
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
            let asked = readings.into_iter().map(|reading| Asked {
                reading,
                at_home: true,
                asked_at,
                met_at: met.first_seen_at,
            });
            follow(gate, source, asked.collect(), run).await?;
        }
        // As where a booking is read before it is decided: a key that is refused altogether (401) is for
        // the admin to mend, the rest will not get better.
        Err(CallError::NotFound { .. }) => {
            tell::deferred(run, &source.name, &known.uid, MISSING);
        }
        Err(CallError::Rejected { http_status, .. }) if http_status != 401 => {
            tell::deferred(run, &source.name, &known.uid, MISSING);
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
