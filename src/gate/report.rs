//! What a worker learned outside of any transaction, and how it is written down.

use crate::domain::booking::Reading;
use crate::domain::chain::{AttemptResult, CommandChange, CommandState, FactBody};
use crate::domain::clock::Timestamp;
use crate::domain::ids::{AttemptId, ChainId, SourceName, Uid, UnitKey};
use crate::storage::records::Posted;
use crate::storage::{StorageError, Tx};

use super::{Inner, keys};

/// What came of a step outside.
#[derive(Debug, Clone)]
pub(super) enum Report {
    /// A booking was read.
    Read {
        /// When that was asked: whatever happens later, the answer may not show.
        asked_at: Timestamp,
        /// What was answered.
        readings: Vec<Reading>,
    },
    /// The provider knows no such booking.
    Missing(Uid),
    /// It could not be read now; when to try again.
    ReadLater(Timestamp),
    /// An attempt came to an end.
    Attempt(Box<AttemptReport>),
}

impl Report {
    /// What a trace tells of it: more about it, and whether it failed.
    pub(super) fn traced(&self) -> (Vec<(&'static str, String)>, bool) {
        let Self::Attempt(report) = self else {
            return (Vec::new(), false);
        };
        let failed = matches!(
            report.result,
            AttemptResult::Transient | AttemptResult::Rejected | AttemptResult::Unknown
        );
        let attributes = vec![
            ("bookgate.action", report.change.action.as_str().to_owned()),
            ("bookgate.result", report.result.as_str().to_owned()),
        ];
        (attributes, failed)
    }
}

/// How an attempt ended.
#[derive(Debug, Clone)]
pub(super) struct AttemptReport {
    /// Which attempt.
    pub(super) attempt: AttemptId,
    /// How it ended.
    pub(super) result: AttemptResult,
    /// The HTTP status, if there was one.
    pub(super) http_status: Option<u16>,
    /// What went wrong.
    pub(super) detail: Option<String>,
    /// The booking or seat that it was about.
    pub(super) unit: UnitKey,
    /// What its command becomes.
    pub(super) change: CommandChange,
    /// When the provider was last asked how the booking stands.
    pub(super) asked_at: Timestamp,
    /// What was learned of bookings, where it is news.
    pub(super) news: Vec<Reading>,
}

/// Writes a report down, and tells whether all that changed is that an attempt has ended. Always allowed,
/// with or without a lease: an answer of the provider is true, whoever holds the chain by now.
pub(super) async fn record(
    gate: &Inner,
    tx: &mut Tx,
    source: &SourceName,
    chain: ChainId,
    report: &Report,
    now: Timestamp,
) -> Result<bool, StorageError> {
    match report {
        Report::Read { asked_at, readings } => {
            note_readings(tx, source, chain, readings, *asked_at, now).await?;
        }
        Report::Missing(uid) => {
            let missing = FactBody::Missing { uid: uid.clone() };
            tx.append_fact(chain, None, &missing, now, None).await?;
        }
        Report::ReadLater(_) => {}
        Report::Attempt(report) => {
            let status = report.http_status.map(i64::from);
            let detail = report.detail.as_deref();
            let finished = tx
                .finish_attempt(report.attempt, report.result, status, detail, now)
                .await?;
            // Else another worker has waited its time out, and has brought the command further.
            let is_first = finished == Posted::New(());
            if is_first {
                tx.change_command(&report.change, now).await?;
                if report.change.state == CommandState::Dead {
                    let notices = &gate.notices;
                    notices.dead_letter(tx, source, report, now).await?;
                }
            }
            note_readings(tx, source, chain, &report.news, report.asked_at, now).await?;
            return Ok(is_first && report.news.is_empty());
        }
    }
    Ok(false)
}

/// Files readings under their chain. A reading may show a link (a move, a series) that joins chains.
async fn note_readings(
    tx: &mut Tx,
    source: &SourceName,
    own: ChainId,
    readings: &[Reading],
    asked_at: Timestamp,
    now: Timestamp,
) -> Result<(), StorageError> {
    for reading in readings {
        let chain = tx
            .chain_for(source, &keys::of_reading(reading), now)
            .await?;
        let fact = FactBody::Reading(Box::new(reading.clone()));
        let due = (chain != own).then_some(now);
        tx.append_fact(chain, None, &fact, asked_at, due).await?;
    }
    Ok(())
}
