//! Reconciliation: what the provider has is gone through and compared with what is known here. A
//! booking whose webhook never came is filed as if it had, and a difference is followed. It costs as
//! many calls as there are pages, and one more for each shared appointment that is news. Where the API
//! can list nothing, what is known is read again, and so is everywhere what has ended with credit held
//! for it ([`reread`]).
//!
//! What was booked before bookgate came to a source is left alone, unless a webhook tells of it: nobody
//! who tries bookgate shall see a full calendar refused.

mod compare;
mod reread;
mod tell;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::jobs::{Job, JobError, LEASE_MS, Run, Step};
use super::{Inner, Source};
use crate::domain::clock::{Timestamp, plus_ms};
use crate::domain::ids::SourceName;
use crate::provider::CallError;
use crate::provider::survey::{Appointment, Since, Survey, Surveyed};
use crate::storage::StorageError;
use crate::storage::records::SourceRow;

pub(super) use compare::{Asked, Found};

/// The job's name in the store.
pub(super) const NAME: &str = "reconcile";
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
/// The longest sleep in one step while the provider asks for patience, in ms: shutdown waits for it.
const PATIENCE_MS: i64 = 5_000;
/// How far before the last run's begin a survey goes back, in ms: for clocks that differ, and for what
/// was not followed then because it had not settled.
const OVERLAP_MS: i64 = 60 * 60 * 1_000;

/// How often, and how far back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReconcileSettings {
    /// From one run to the next, in ms; 0 is never.
    pub interval_ms: i64,
    /// How long ago an appointment may have ended, or the first run's changes may have been made, in
    /// days.
    pub days_back: i64,
}

/// The job, unless the settings want none.
pub(super) fn job(
    settings: &ReconcileSettings,
    sources: &BTreeMap<String, Source>,
) -> Option<Arc<Job>> {
    (!sources.is_empty() && settings.interval_ms > 0).then(|| {
        Job::at_start(NAME, settings.interval_ms, |gate, run| {
            Box::pin(step(gate, run))
        })
    })
}

/// How far a part of a run has got.
enum Progress {
    /// How to ask for what comes next.
    Next(String),
    /// All of it was compared.
    Done,
}

/// The parts of a run for each source: what can be gone through, then what is read one by one.
const PARTS: i64 = 2;

/// Compares one page. The lease's position is the number of the part: those of the first source, in the
/// order of names, then those of the next.
async fn step(gate: &Inner, run: &mut Run) -> Result<Step, JobError> {
    let (number, part) = (run.lease.position / PARTS, run.lease.position % PARTS);
    let number = usize::try_from(number).unwrap_or(usize::MAX);
    let Some(source) = gate.sources.values().nth(number) else {
        return Ok(Step::Done);
    };
    let begun_at = *run.part_begun_at.get_or_insert_with(|| gate.now());
    let met = meet(gate, source).await?;
    let progress = match (part, source.provider.survey()) {
        (0, Some(survey)) => compare_page(gate, source, survey, &met, run).await?,
        (0, None) => reread::some(gate, source, &met, run).await?,
        _ => reread::held_past(gate, source, &met, run).await?,
    };
    match progress {
        Ok(Progress::Next(next)) => {
            run.cursor = Some(next);
            Ok(Step::More)
        }
        Ok(Progress::Done) => {
            let surveyed = (part == 0).then(|| (source.name.clone(), begun_at));
            if part == PARTS - 1 {
                tell::end(gate, &source.name, run, None);
            }
            go_on(gate, run, 1, surveyed).await
        }
        Err(CallError::Limited { wait_ms }) => {
            let ms = wait_ms.clamp(1, PATIENCE_MS);
            tokio::time::sleep(Duration::from_millis(ms.unsigned_abs())).await;
            Ok(Step::More)
        }
        Err(error) => {
            tracing::warn!(source.name = %source.name, error = %error, "a source could not be reconciled");
            tell::end(gate, &source.name, run, Some(&error));
            go_on(gate, run, PARTS - part, None).await
        }
    }
}

async fn meet(gate: &Inner, source: &Source) -> Result<SourceRow, StorageError> {
    let (name, now) = (source.name.clone(), gate.now());
    gate.storage
        .write(move |tx| Box::pin(async move { tx.meet_source(&name, now).await }))
        .await
}

/// Goes on so many parts further on; `surveyed` is the source with the begin of its survey, if that came
/// to its end.
async fn go_on(
    gate: &Inner,
    run: &mut Run,
    parts: i64,
    surveyed: Option<(SourceName, Timestamp)>,
) -> Result<Step, JobError> {
    let (lease, now) = (run.lease.clone(), gate.now());
    let position = lease.position + parts;
    let advanced: Result<bool, StorageError> = gate
        .storage
        .write(move |tx| {
            Box::pin(async move {
                let until = plus_ms(now, LEASE_MS);
                let ours = tx.advance_job(&lease, position, until).await?;
                if let (true, Some((name, begun_at))) = (ours, &surveyed) {
                    tx.note_survey(name, *begun_at).await?;
                }
                Ok(ours)
            })
        })
        .await;
    if !advanced? {
        return Err(JobError::Lost);
    }
    run.lease.position = position;
    run.cursor = None;
    run.part_begun_at = None;
    Ok(Step::More)
}

/// Compares the page at the run's cursor.
async fn compare_page(
    gate: &Inner,
    source: &Source,
    survey: &dyn Survey,
    met: &SourceRow,
    run: &mut Run,
) -> Result<Result<Progress, CallError>, JobError> {
    let asked_at = gate.now();
    let days_back = plus_ms(asked_at, -gate.settings.reconcile.days_back * DAY_MS);
    let since = Since {
        ended: days_back,
        changed: met
            .surveyed_at
            .map_or(days_back, |last| plus_ms(last, -OVERLAP_MS)),
    };
    let page = match survey.page(since, run.cursor.as_deref()).await {
        Ok(page) => page,
        Err(error) => return Ok(Err(error)),
    };
    let asked = |reading, at_home| Asked {
        reading,
        at_home,
        asked_at,
        met_at: met.first_seen_at,
    };
    let (mut readings, mut appointments) = (Vec::new(), Vec::new());
    for found in page.found {
        match found {
            Surveyed::Booking(reading) => readings.push(asked(*reading, true)),
            Surveyed::Elsewhere(reading) => readings.push(asked(*reading, false)),
            Surveyed::Appointment(appointment) => appointments.push(appointment),
        }
    }
    let listed = readings.len() + appointments.len();
    let mut failed = None;
    for appointment in unlike(gate, &source.name, appointments).await? {
        match survey.open(&appointment.reference).await {
            Ok(bookings) => readings.extend(bookings.into_iter().map(|one| asked(one, true))),
            // It is gone since the page was made.
            Err(CallError::NotFound { .. }) => {}
            Err(error) => {
                failed = Some(error);
                break;
            }
        }
        run.count("opened", 1);
    }
    // What was opened before an error is no news the next time: so there is an end to it even if a page
    // takes more calls than the provider allows in a minute.
    follow(gate, source, readings, run).await?;
    if let Some(error) = failed {
        return Ok(Err(error));
    }
    tell::checked(run, &source.name, listed);
    Ok(Ok(match page.next {
        Some(next) => Progress::Next(next),
        None => Progress::Done,
    }))
}

/// Those appointments of which something else is known here than the provider says.
async fn unlike(
    gate: &Inner,
    source: &SourceName,
    appointments: Vec<Appointment>,
) -> Result<Vec<Appointment>, StorageError> {
    let source = source.clone();
    gate.storage
        .read(move |tx| {
            Box::pin(async move {
                let mut unlike = Vec::new();
                for one in appointments {
                    let known = tx.count_bookings(&source, &one.uid_prefix).await?;
                    if (known.standing, known.all) != (one.active, one.total) {
                        unlike.push(one);
                    }
                }
                Ok(unlike)
            })
        })
        .await
}

/// Files those readings that differ from what is known.
async fn follow(
    gate: &Inner,
    source: &Source,
    readings: Vec<Asked>,
    run: &mut Run,
) -> Result<(), StorageError> {
    let mut differ = Vec::new();
    for (asked, found) in look(gate, source, readings).await? {
        match found {
            Found::Same => {}
            Found::Deferred(why) => tell::deferred(run, &source.name, &asked.reading.uid, why),
            Found::Differs(_) => differ.push(asked),
        }
    }
    // What was moved away says by whom, and that is asked of what took its place.
    differ.sort_by_key(|asked| asked.reading.moved_to.is_none());
    for asked in differ {
        let uid = asked.reading.uid.clone();
        match file(gate, source, asked).await? {
            // Somebody else was quicker.
            Found::Same => {}
            Found::Deferred(why) => tell::deferred(run, &source.name, &uid, why),
            Found::Differs(why) => tell::repaired(run, &source.name, &uid, why),
        }
    }
    Ok(())
}

/// Compares without writing: mostly there is nothing to write.
async fn look(
    gate: &Inner,
    source: &Source,
    readings: Vec<Asked>,
) -> Result<Vec<(Asked, Found)>, StorageError> {
    let (name, rules) = (source.name.clone(), source.rules.clone());
    gate.storage
        .read(move |tx| {
            Box::pin(async move {
                let mut looked = Vec::with_capacity(readings.len());
                for asked in readings {
                    let found = compare::with_known(tx, &name, &rules, &asked).await?;
                    looked.push((asked, found));
                }
                Ok(looked)
            })
        })
        .await
}

/// Compares again, and files the reading if it still differs.
pub(super) async fn file(
    gate: &Inner,
    source: &Source,
    asked: Asked,
) -> Result<Found, StorageError> {
    let (name, rules, now) = (source.name.clone(), source.rules.clone(), gate.now());
    let filed: Result<Found, StorageError> = gate
        .storage
        .write(move |tx| {
            Box::pin(async move { compare::file(tx, &name, &rules, asked, now).await })
        })
        .await;
    if matches!(filed, Ok(Found::Differs(_))) {
        gate.work.notify_one();
        gate.storage.ring();
    }
    filed
}
