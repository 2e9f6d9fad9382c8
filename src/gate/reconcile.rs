//! Reconciliation: what the provider has is gone through and compared with what is known here. A
//! booking whose webhook never came is filed as if it had, and a difference is followed. It costs as
//! many calls as there are pages, and one more for each appointment that is news.
//!
//! What was booked before bookgate came to a source is left alone, unless a webhook tells of it: nobody
//! who tries bookgate shall see a full calendar refused.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::jobs::{Job, JobError, LEASE_MS, Run, Step};
use super::{Inner, Source, keys};
use crate::domain::booking::Reading;
use crate::domain::chain::FactBody;
use crate::domain::clock::{Timestamp, plus_ms};
use crate::domain::ids::SourceName;
use crate::domain::timeline::{Rules, Standing, Timeline, with_final_names};
use crate::provider::CallError;
use crate::provider::survey::{Appointment, Survey, Surveyed};
use crate::storage::records::SourceRow;
use crate::storage::{StorageError, Tx};

/// The job's name in the store.
pub(super) const NAME: &str = "reconcile";
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
/// The longest sleep in one step while the provider asks for patience, in ms: shutdown waits for it.
const PATIENCE_MS: i64 = 5_000;

/// How often, and how far back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReconcileSettings {
    /// From one run to the next, in ms; 0 is never.
    pub interval_ms: i64,
    /// How long ago an appointment may have begun, in days.
    pub days_back: i64,
}

/// The job, if any source can be gone through.
pub(super) fn job(
    settings: &ReconcileSettings,
    sources: &BTreeMap<String, Source>,
) -> Option<Arc<Job>> {
    let any = sources
        .values()
        .any(|source| source.provider.survey().is_some());
    (any && settings.interval_ms > 0).then(|| {
        Job::at_start(NAME, settings.interval_ms, |gate, run| {
            Box::pin(step(gate, run))
        })
    })
}

/// Compares one page. The lease's position is the number of the source, in the order of names.
async fn step(gate: &Inner, run: &mut Run) -> Result<Step, JobError> {
    let at = usize::try_from(run.lease.position).unwrap_or(usize::MAX);
    let Some(source) = gate.sources.values().nth(at) else {
        return Ok(Step::Done);
    };
    let Some(survey) = source.provider.survey() else {
        return next_source(gate, run).await;
    };
    let from = plus_ms(gate.now(), -gate.settings.reconcile.days_back * DAY_MS);
    match compare_page(gate, source, survey, from, run).await? {
        Ok(Some(next)) => {
            run.cursor = Some(next);
            Ok(Step::More)
        }
        Ok(None) => next_source(gate, run).await,
        Err(CallError::Limited { wait_ms }) => {
            let ms = wait_ms.clamp(1, PATIENCE_MS);
            tokio::time::sleep(Duration::from_millis(ms.unsigned_abs())).await;
            Ok(Step::More)
        }
        Err(error) => {
            tracing::warn!(source.name = %source.name, error = %error, "a source could not be reconciled");
            run.count("failed", 1);
            let note = json!({ "failed": error.to_string() });
            run.notes.insert(source.name.to_string(), note);
            next_source(gate, run).await
        }
    }
}

async fn next_source(gate: &Inner, run: &mut Run) -> Result<Step, JobError> {
    let (lease, now) = (run.lease.clone(), gate.now());
    let position = lease.position + 1;
    let advanced: Result<bool, StorageError> = gate
        .storage
        .write(move |tx| {
            Box::pin(async move {
                let until = plus_ms(now, LEASE_MS);
                tx.advance_job(&lease, position, until).await
            })
        })
        .await;
    if !advanced? {
        return Err(JobError::Lost);
    }
    run.lease.position = position;
    run.cursor = None;
    Ok(Step::More)
}

/// Compares the page at the run's cursor; says how to ask for the next one.
async fn compare_page(
    gate: &Inner,
    source: &Source,
    survey: &dyn Survey,
    from: Timestamp,
    run: &mut Run,
) -> Result<Result<Option<String>, CallError>, JobError> {
    let asked_at = gate.now();
    let name = source.name.clone();
    let met: Result<SourceRow, StorageError> = gate
        .storage
        .write(move |tx| Box::pin(async move { tx.meet_source(&name, asked_at).await }))
        .await;
    let since = met?.first_seen_at;
    let page = match survey.page(from, run.cursor.as_deref()).await {
        Ok(page) => page,
        Err(error) => return Ok(Err(error)),
    };
    let mut readings = Vec::new();
    let mut appointments = Vec::new();
    for found in page.found {
        match found {
            Surveyed::Booking(reading) => readings.push(*reading),
            Surveyed::Appointment(appointment) => appointments.push(appointment),
        }
    }
    let listed = to_i64(readings.len() + appointments.len());
    let mut failed = None;
    for appointment in unlike(gate, &source.name, appointments).await? {
        match survey.open(&appointment.reference).await {
            Ok(bookings) => readings.extend(bookings),
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
    run.count("news", 0);
    for reading in readings {
        let what = file(gate, source, reading, since, asked_at).await?;
        run.count(what.as_str(), 1);
    }
    if let Some(error) = failed {
        return Ok(Err(error));
    }
    run.count("checked", listed);
    Ok(Ok(page.next))
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

/// What a reading turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Filed {
    /// Nothing was known of the booking, or something else.
    News,
    /// It is as it was known.
    Known,
    /// It was booked before bookgate came, and no webhook has told of it.
    Older,
}

impl Filed {
    /// As it stands in the report.
    fn as_str(self) -> &'static str {
        match self {
            Self::News => "news",
            Self::Known => "known",
            Self::Older => "older",
        }
    }
}

/// Files a reading if it is news.
async fn file(
    gate: &Inner,
    source: &Source,
    reading: Reading,
    since: Timestamp,
    asked_at: Timestamp,
) -> Result<Filed, StorageError> {
    let (name, rules, now) = (source.name.clone(), source.rules.clone(), gate.now());
    let filed: Result<Filed, StorageError> = gate
        .storage
        .write(move |tx| {
            Box::pin(async move {
                let names = keys::of_reading(&reading);
                match known(tx, &name, &names, &rules, &reading).await? {
                    Some(true) => return Ok(Filed::Known),
                    // The one place where a provider's clock meets ours: an hour or a day of difference
                    // would matter for nothing but the bookings of that hour or day.
                    None if reading.created_at.is_none_or(|at| at < since) => {
                        return Ok(Filed::Older);
                    }
                    _ => {}
                }
                let chain = tx.chain_for(&name, &names, now).await?;
                let fact = FactBody::Reading(Box::new(reading));
                tx.append_fact(chain, None, &fact, asked_at, Some(now))
                    .await?;
                Ok(Filed::News)
            })
        })
        .await;
    if matches!(filed, Ok(Filed::News)) {
        gate.work.notify_one();
        gate.storage.ring();
    }
    filed
}

/// Whether a booking is known to be as a reading says; `None` if nothing is known of it.
async fn known(
    tx: &mut Tx,
    source: &SourceName,
    names: &[String],
    rules: &Rules,
    reading: &Reading,
) -> Result<Option<bool>, StorageError> {
    for name in names {
        let Some(chain) = tx.find_chain(source, name).await? else {
            continue;
        };
        let Some(record) = tx.load_chain(chain).await? else {
            continue;
        };
        let record = with_final_names(record);
        let timeline = Timeline::fold(&record, rules);
        let told = timeline.units.values();
        let told = told.filter(|unit| unit.key.uid == reading.uid);
        let told: Vec<_> = told.collect();
        if !told.is_empty() {
            let same = told
                .iter()
                .all(|unit| unit.closed || says(unit.standing, reading));
            return Ok(Some(same));
        }
        // Its forebear or heir is known, and so it belongs to a booking that is looked after.
        return Ok(Some(false));
    }
    Ok(None)
}

/// Whether a booking stands as a reading says.
fn says(standing: Standing, reading: &Reading) -> bool {
    match standing {
        Standing::Unknown => false,
        Standing::At(status) => reading.moved_to.is_none() && status == reading.status,
        Standing::Superseded => reading.moved_to.is_some() || reading.status.is_over(),
    }
}

fn to_i64(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
