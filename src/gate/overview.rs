//! What a person looks at first: what waits for a person, what is in hand, and how the sources are.

use serde::Serialize;

use super::query::{line, page};
use super::views::BookingLine;
use super::{Desk, Gate, GateError};
use crate::domain::chain::AttemptResult;
use crate::domain::clock::Timestamp;
use crate::domain::ids::SourceName;
use crate::provider::circuit::Circuit;
use crate::storage::records::{CallRow, DeliveryFilter, DeliveryRow};
use crate::storage::{StorageError, Tx};

/// A booking that waits for a person.
#[derive(Debug, Clone, Serialize)]
pub struct WaitingView {
    /// Its line.
    #[serde(flatten)]
    pub line: BookingLine,
    /// Why it was left to a person.
    pub why: Option<String>,
    /// Since when.
    pub since: Timestamp,
}

/// A source of the settings.
#[derive(Debug, Clone, Serialize)]
pub struct SourceView {
    /// Whether its webhooks are checked.
    pub verified: bool,
    /// When this daemon looks at a failing provider next; `None` while nothing keeps it from calling.
    pub looks_again_at: Option<Timestamp>,
    /// How it is doing.
    #[serde(flatten)]
    pub health: SourceHealth,
}

/// How a source is doing, as the store knows it. What its jobs last reported stands with the jobs.
#[derive(Debug, Clone, Serialize)]
pub struct SourceHealth {
    /// Its name, as in `/webhooks/{source}`.
    pub name: SourceName,
    /// The last webhook that came, if one did lately.
    pub last_delivery: Option<DeliveryRow>,
    /// The last call to its provider for a booking, if one was made lately.
    pub last_call: Option<CallView>,
    /// When the last survey of reconciliation that came to its end began.
    pub surveyed_at: Option<Timestamp>,
    /// Since when the provider has been failing, so that calls to it wait; `None` while it answers.
    pub failing_since: Option<Timestamp>,
}

/// A call to a provider.
#[derive(Debug, Clone, Serialize)]
pub struct CallView {
    /// When it was begun.
    pub started_at: Timestamp,
    /// When the answer came.
    pub answered_at: Option<Timestamp>,
    /// What came of it; `None` while nobody knows.
    pub result: Option<AttemptResult>,
    /// HTTP status.
    pub http_status: Option<i64>,
}

impl Desk {
    /// Bookings that wait for a person and have not begun, the next one first.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn waiting(&self, limit: Option<u32>) -> Result<Vec<WaitingView>, GateError> {
        let (now, limit) = (self.clock.now(), page(limit));
        self.storage
            .read(move |tx| {
                Box::pin(async move {
                    let rows = tx.waiting_for_person(now, limit).await?.into_iter();
                    let view = rows.map(|row| WaitingView {
                        line: line(row.booking),
                        why: row.note,
                        since: row.since,
                    });
                    Ok(view.collect())
                })
            })
            .await
    }

    /// Bookings with something left to do, what is due first first.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn in_hand(&self, limit: Option<u32>) -> Result<Vec<BookingLine>, GateError> {
        let limit = page(limit);
        self.storage
            .read(move |tx| {
                Box::pin(async move {
                    let rows = tx.bookings_in_hand(limit).await?;
                    Ok(rows.into_iter().map(line).collect())
                })
            })
            .await
    }
}

impl Gate {
    /// The sources of the settings, by name.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn sources(&self) -> Result<Vec<SourceView>, GateError> {
        let sources = self.0.sources.values();
        let names: Vec<_> = sources
            .map(|source| {
                let circuit = source.provider.circuit();
                let looks_again_at = circuit.and_then(Circuit::next_call_at);
                (
                    source.name.clone(),
                    source.verifier.is_some(),
                    looks_again_at,
                )
            })
            .collect();
        self.desk()
            .storage
            .read(move |tx| {
                Box::pin(async move {
                    let mut views = Vec::with_capacity(names.len());
                    for (name, verified, looks_again_at) in names {
                        views.push(SourceView {
                            verified,
                            looks_again_at,
                            health: health(tx, name).await?,
                        });
                    }
                    Ok(views)
                })
            })
            .await
    }
}

/// How a source is doing.
pub(super) async fn health(tx: &mut Tx, name: SourceName) -> Result<SourceHealth, StorageError> {
    let filter = DeliveryFilter {
        source: Some(name.clone()),
        ..DeliveryFilter::default()
    };
    let last = tx.deliveries(&filter, None, 1).await?.rows;
    let last_call = tx.last_call(&name).await?;
    let known = tx.source(&name).await?;
    Ok(SourceHealth {
        name,
        last_delivery: last.into_iter().next(),
        last_call: last_call.as_ref().map(call),
        surveyed_at: known.as_ref().and_then(|known| known.surveyed_at),
        failing_since: known.and_then(|known| known.failing_since),
    })
}

fn call(row: &CallRow) -> CallView {
    CallView {
        started_at: row.started_at,
        answered_at: row.answered_at,
        result: row.result,
        http_status: row.http_status,
    }
}
