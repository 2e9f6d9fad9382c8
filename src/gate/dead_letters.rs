//! Dead letters: calls that were given up. A person looks at them, has them tried again, or lays them
//! aside.

use serde::Serialize;

use super::again::again;
use super::query::{dead_letter, id_cursor, page};
use super::views::{DeadLetterView, Page};
use super::{Actor, Desk, GateError};
use crate::domain::clock::Timestamp;
use crate::domain::decision::Action;
use crate::domain::ids::{CommandId, SourceName};
use crate::storage::Tx;
use crate::storage::records::{Change, DeadLetterFilter, DeadLetterRow};

/// Dead letters that one order takes at most; a person sends it again for the next.
const AT_ONCE_MAX: u32 = 200;

/// Which dead letters are meant; `None` is any.
#[derive(Debug, Clone, Default)]
pub struct LettersAsked {
    /// This one.
    pub id: Option<i64>,
    /// Of this source.
    pub source: Option<String>,
    /// Of this operation.
    pub action: Option<Action>,
    /// Given up at this time or later.
    pub since: Option<Timestamp>,
}

/// What is to become of dead letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LettersFate {
    /// They are tried again, from the start of their schedule.
    Retry {
        /// Also where the booking has begun.
        force: bool,
    },
    /// They are laid aside for good.
    Purge,
}

/// An order about dead letters.
#[derive(Debug, Clone)]
pub struct LettersOrder {
    /// Which.
    pub asked: LettersAsked,
    /// What is to become of them.
    pub fate: LettersFate,
    /// Whether it is only told what would be done.
    pub dry_run: bool,
    /// Who orders it.
    pub actor: Actor,
}

/// What became, or would become, of dead letters.
#[derive(Debug, Clone, Serialize)]
pub struct LettersReport {
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// Those that were (or would be) retried or purged.
    pub done: Vec<LetterLine>,
    /// Those that were left, and why.
    pub left: Vec<LetterLine>,
    /// Whether there are more than one order takes: send it again.
    pub more: bool,
}

/// One dead letter in a report.
#[derive(Debug, Clone, Serialize)]
pub struct LetterLine {
    /// Its id.
    pub id: CommandId,
    /// The source and the booking or seat.
    pub booking: String,
    /// What the provider was to be told.
    pub action: Action,
    /// Why it was left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl From<LettersAsked> for DeadLetterFilter {
    fn from(asked: LettersAsked) -> Self {
        Self {
            id: asked.id.map(CommandId),
            source: asked.source.map(SourceName::new),
            action: asked.action,
            since: asked.since,
        }
    }
}

impl Desk {
    /// Commands that were given up, oldest first.
    ///
    /// # Errors
    /// [`GateError::Invalid`] for a cursor that is none.
    pub async fn dead_letters(
        &self,
        asked: LettersAsked,
        after: Option<&str>,
        limit: Option<u32>,
    ) -> Result<Page<DeadLetterView>, GateError> {
        let after = after.map(id_cursor).transpose()?.map(CommandId);
        let (limit, filter) = (page(limit), DeadLetterFilter::from(asked));
        self.storage
            .read(move |tx| {
                Box::pin(async move {
                    let rows = tx.dead_letters(&filter, after, limit + 1).await?;
                    Ok(Page::of(rows, limit, |row| row.id.to_string(), dead_letter))
                })
            })
            .await
    }

    /// One of them.
    ///
    /// # Errors
    /// [`GateError::NotFound`] if there is no such dead letter.
    pub async fn dead_letter(&self, id: i64) -> Result<DeadLetterView, GateError> {
        let asked = LettersAsked {
            id: Some(id),
            ..LettersAsked::default()
        };
        let found = self.dead_letters(asked, None, Some(1)).await?;
        let mut items = found.items.into_iter();
        items.next().ok_or_else(|| none(id))
    }

    /// Has dead letters tried again or laid aside, or tells what would be done. Whoever works chains finds
    /// what is tried again due; [`Gate::order_letters`](super::Gate::order_letters) wakes a worker as well.
    ///
    /// # Errors
    /// If one was meant by its id: [`GateError::NotFound`] if there is none, [`GateError::Conflict`] if it
    /// has to be left.
    pub async fn order_letters(&self, order: LettersOrder) -> Result<LettersReport, GateError> {
        let report = again(|| {
            let (order, now) = (order.clone(), self.clock.now());
            self.storage
                .write(move |tx| Box::pin(async move { carry_out(tx, order, now).await }))
        })
        .await?;
        self.storage.ring();
        if !report.dry_run {
            for letter in &report.done {
                tracing::info!(command.id = %letter.id, actor = %order.actor.name, fate = ?order.fate, "dead letter");
            }
        }
        Ok(report)
    }
}

fn none(id: i64) -> GateError {
    GateError::NotFound(format!("no dead letter {id}"))
}

async fn carry_out(
    tx: &mut Tx,
    order: LettersOrder,
    now: Timestamp,
) -> Result<LettersReport, GateError> {
    let one = order.asked.id;
    let filter = DeadLetterFilter::from(order.asked);
    let mut report = LettersReport {
        dry_run: order.dry_run,
        done: Vec::new(),
        left: Vec::new(),
        more: false,
    };
    let mut after = None;
    // Those that are left must not keep the ones behind them from being done.
    while !report.more {
        let letters = tx.dead_letters(&filter, after, AT_ONCE_MAX).await?;
        let Some(last) = letters.last() else { break };
        after = Some(last.id);
        for letter in letters {
            let why = reason_to_leave(&letter, order.fate, now);
            let left = why.is_some();
            let line = line(&letter, why);
            if left {
                report.left.push(line);
                report.left.truncate(AT_ONCE_MAX as usize);
                continue;
            }
            if report.done.len() == AT_ONCE_MAX as usize {
                report.more = true;
                break;
            }
            if !order.dry_run {
                let change = change(&line, &order.actor, order.fate);
                let done = match order.fate {
                    LettersFate::Retry { .. } => tx.revive(letter.id, now).await?,
                    LettersFate::Purge => tx.purge(letter.id, now).await?,
                };
                if done {
                    tx.note_change(&change, now).await?;
                }
            }
            report.done.push(line);
        }
    }
    match (one, &report.done[..], &report.left[..]) {
        (Some(id), [], []) => Err(none(id)),
        (Some(id), [], [left, ..]) => {
            let why = left.why.as_deref().unwrap_or_default();
            Err(GateError::Conflict(format!("dead letter {id}: {why}")))
        }
        _ => Ok(report),
    }
}

/// Why a letter may not be dealt with so.
fn reason_to_leave(letter: &DeadLetterRow, fate: LettersFate, now: Timestamp) -> Option<String> {
    match fate {
        LettersFate::Retry { force: false } => {
            let start = letter.start.filter(|start| *start <= now)?;
            Some(format!(
                "the booking began at {start}; try it all the same with force"
            ))
        }
        LettersFate::Retry { force: true } => None,
        // Nobody would ever look at that credit again.
        LettersFate::Purge => letter.holds.then(|| {
            "credit is still set aside for the booking: try the call again, or confirm or decline the \
             booking at the provider, which settles both"
                .to_owned()
        }),
    }
}

fn line(letter: &DeadLetterRow, why: Option<String>) -> LetterLine {
    LetterLine {
        id: letter.id,
        booking: format!("{}/{}", letter.source, letter.unit),
        action: letter.action,
        why,
    }
}

fn change(line: &LetterLine, actor: &Actor, fate: LettersFate) -> Change {
    let action = match fate {
        LettersFate::Retry { force: false } => "dead_letter.retry",
        LettersFate::Retry { force: true } => "dead_letter.retry_forced",
        LettersFate::Purge => "dead_letter.purge",
    };
    let detail = format!("{} {}", line.action.as_str(), line.id);
    actor.change(action, line.booking.as_str(), Some(detail))
}
