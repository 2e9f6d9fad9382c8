//! Stored deliveries. A person looks them up, and has them read again: by a newer version that understands
//! more, or after what kept the store from taking them was mended.
//!
//! Only those are read again whose bytes are still there. Whoever files deliveries finds them, as when they
//! came; what is told again leads to the same end, so that nothing is decided, paid or said a second time.

use serde::Serialize;

use super::again::again;
use super::query::{id_cursor, page};
use super::views::Page;
use super::{Actor, Desk, Gate, GateError};
use crate::domain::clock::Timestamp;
use crate::domain::ids::{DeliveryId, SourceName};
use crate::storage::Tx;
use crate::storage::records::{DeliveryFilter, DeliveryRow, DeliveryState, FoundDeliveries};

/// Which deliveries are meant; `None` is any.
#[derive(Debug, Clone, Default)]
pub struct DeliveriesAsked {
    /// Of this source.
    pub source: Option<String>,
    /// In this state.
    pub state: Option<DeliveryState>,
    /// Of this trigger.
    pub trigger: Option<String>,
    /// Received at this time or later.
    pub since: Option<Timestamp>,
    /// Received before this time.
    pub until: Option<Timestamp>,
}

/// An order to read deliveries again.
#[derive(Debug, Clone)]
pub struct ReplayOrder {
    /// Which.
    pub asked: DeliveriesAsked,
    /// Where to go on, as the report before said.
    pub after: Option<String>,
    /// How many at most.
    pub limit: Option<u32>,
    /// Whether it is only told which would be read again.
    pub dry_run: bool,
    /// Who orders it.
    pub actor: Actor,
}

/// What is, or would be, read again. One order takes no more than a page of the list.
#[derive(Debug, Clone, Serialize)]
pub struct ReplayReport {
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// Those that are (or would be) read again.
    pub done: Vec<ReplayLine>,
    /// Those that are left, and why.
    pub left: Vec<ReplayLine>,
    /// Where the next order goes on, if there may be more.
    pub next: Option<String>,
}

/// One delivery in a report.
#[derive(Debug, Clone, Serialize)]
pub struct ReplayLine {
    /// Its id.
    pub id: DeliveryId,
    /// Its source.
    pub source: SourceName,
    /// What became of it before.
    pub state: DeliveryState,
    /// The provider's name for what happened.
    pub trigger: Option<String>,
    /// Why it is left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// Everything about one delivery.
#[derive(Debug, Clone, Serialize)]
pub struct DeliveryView {
    /// As in lists.
    #[serde(flatten)]
    pub line: DeliveryRow,
    /// What was sent. Bytes that are no text are replaced; none if retention has removed it.
    pub body: Option<String>,
}

impl From<DeliveriesAsked> for DeliveryFilter {
    fn from(asked: DeliveriesAsked) -> Self {
        Self {
            source: asked.source.map(SourceName::new),
            state: asked.state,
            trigger: asked.trigger,
            since: asked.since,
            until: asked.until,
        }
    }
}

impl Gate {
    /// As [`Desk::replay`], and has them filed at once.
    ///
    /// # Errors
    /// As [`Desk::replay`].
    pub async fn replay(&self, order: ReplayOrder) -> Result<ReplayReport, GateError> {
        let report = self.desk().replay(order).await?;
        self.0.arrived.notify_one();
        Ok(report)
    }

    /// As [`Desk::replay_one`], and has it filed at once.
    ///
    /// # Errors
    /// As [`Desk::replay_one`].
    pub async fn replay_one(&self, id: i64, actor: Actor) -> Result<ReplayLine, GateError> {
        let line = self.desk().replay_one(id, actor).await?;
        self.0.arrived.notify_one();
        Ok(line)
    }
}

impl Desk {
    /// Stored deliveries, newest first. A page may have fewer than asked for, even none, and still name a
    /// next one: a search ends after some rows.
    ///
    /// # Errors
    /// [`GateError::Invalid`] for a cursor that is none.
    pub async fn deliveries(
        &self,
        asked: DeliveriesAsked,
        after: Option<&str>,
        limit: Option<u32>,
    ) -> Result<Page<DeliveryRow>, GateError> {
        let before = after.map(id_cursor).transpose()?.map(DeliveryId);
        let (limit, filter) = (page(limit), DeliveryFilter::from(asked));
        self.storage
            .read(move |tx| {
                Box::pin(async move {
                    let found = tx.deliveries(&filter, before, limit).await?;
                    let next = next(&found);
                    let items = found.rows;
                    Ok(Page { items, next })
                })
            })
            .await
    }

    /// One of them, with its body.
    ///
    /// # Errors
    /// [`GateError::NotFound`] if there is no such delivery.
    pub async fn delivery(&self, id: i64) -> Result<DeliveryView, GateError> {
        self.storage
            .read(move |tx| {
                Box::pin(async move {
                    let id = DeliveryId(id);
                    let line = tx.delivery(id).await?.ok_or_else(|| none(id))?;
                    let body = tx.delivery_body(id).await?;
                    let body = body.map(|body| String::from_utf8_lossy(&body).into_owned());
                    Ok(DeliveryView { line, body })
                })
            })
            .await
    }

    /// Has deliveries read again, or tells which would be.
    ///
    /// # Errors
    /// [`GateError::Invalid`] for a cursor that is none.
    pub async fn replay(&self, order: ReplayOrder) -> Result<ReplayReport, GateError> {
        let before = order.after.as_deref().map(id_cursor).transpose()?;
        let before = before.map(DeliveryId);
        let report = again(|| {
            let (order, now) = (order.clone(), self.clock.now());
            self.storage
                .write(move |tx| Box::pin(async move { replay_some(tx, order, before, now).await }))
        })
        .await?;
        if !report.dry_run && !report.done.is_empty() {
            let (actor, count) = (&order.actor.name, report.done.len());
            tracing::info!(actor = %actor, deliveries = count, "deliveries are read again");
            self.storage.ring();
        }
        Ok(report)
    }

    /// Has one delivery read again.
    ///
    /// # Errors
    /// [`GateError::NotFound`] if there is none, [`GateError::Conflict`] if it has to be left.
    pub async fn replay_one(&self, id: i64, actor: Actor) -> Result<ReplayLine, GateError> {
        let id = DeliveryId(id);
        let line = again(|| {
            let (actor, now) = (actor.clone(), self.clock.now());
            self.storage.write(move |tx| {
                Box::pin(async move {
                    let row = tx.delivery(id).await?.ok_or_else(|| none(id))?;
                    let line = line(row);
                    if let Some(why) = &line.why {
                        return Err(GateError::Conflict(format!("delivery {id}: {why}")));
                    }
                    tx.replay(id, now).await?;
                    let target = format!("{}, delivery {id}", line.source);
                    let change = actor.change("delivery.replay", target, line.trigger.clone());
                    tx.note_change(&change, now).await?;
                    Ok(line)
                })
            })
        })
        .await?;
        tracing::info!(actor = %actor.name, delivery.id = %id, "a delivery is read again");
        self.storage.ring();
        Ok(line)
    }
}

async fn replay_some(
    tx: &mut Tx,
    order: ReplayOrder,
    before: Option<DeliveryId>,
    now: Timestamp,
) -> Result<ReplayReport, GateError> {
    let source = order.asked.source.clone();
    let filter = DeliveryFilter::from(order.asked);
    let found = tx.deliveries(&filter, before, page(order.limit)).await?;
    let next = next(&found);
    let lines = found.rows.into_iter().map(line);
    let (left, done): (Vec<_>, Vec<_>) = lines.partition(|line| line.why.is_some());
    if let (Some(newest), Some(oldest), false) = (done.first(), done.last(), order.dry_run) {
        for line in &done {
            tx.replay(line.id, now).await?;
        }
        let target = source.unwrap_or_else(|| "all".to_owned());
        let (count, newest, oldest) = (done.len(), newest.id, oldest.id);
        let detail = format!("{count} deliveries, {oldest} to {newest}");
        let change = order
            .actor
            .change("delivery.replay_some", target, Some(detail));
        tx.note_change(&change, now).await?;
    }
    Ok(ReplayReport {
        dry_run: order.dry_run,
        done,
        left,
        next,
    })
}

fn none(id: DeliveryId) -> GateError {
    GateError::NotFound(format!("no delivery {id}"))
}

fn next(found: &FoundDeliveries) -> Option<String> {
    found.searched_to.map(|id| id.to_string())
}

fn line(row: DeliveryRow) -> ReplayLine {
    let why = match (row.state, row.body_bytes) {
        (DeliveryState::Waiting, _) => Some("it waits to be read as it is"),
        (_, None) => Some("retention has removed its body"),
        _ => None,
    };
    ReplayLine {
        id: row.id,
        source: row.source,
        state: row.state,
        trigger: row.trigger,
        why: why.map(str::to_owned),
    }
}
