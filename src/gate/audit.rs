//! What people have changed, as an admin looks it up.

use serde::{Deserialize, Serialize};

use super::query::{id_cursor, page};
use super::views::Page;
use super::{Desk, GateError};
use crate::domain::clock::Timestamp;
use crate::storage::records::{AuditRow, Change, ChangeFilter};

/// Who makes a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// Such as `token:ops`.
    pub name: String,
    /// The id of the request that orders it, which its answer carries as well.
    pub request: Option<String>,
}

impl Actor {
    /// Who orders something without a request.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            request: None,
        }
    }

    /// What is noted of a change.
    pub(super) fn change(
        &self,
        action: &'static str,
        target: impl Into<String>,
        detail: Option<String>,
    ) -> Change {
        Change {
            actor: self.name.clone(),
            action: action.to_owned(),
            target: target.into(),
            detail,
            request: self.request.clone(),
        }
    }
}

/// Which changes to list; `None` is any.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangesAsked {
    /// By whom, such as `token:ops`.
    pub actor: Option<String>,
    /// Of this kind, such as `dead_letter.purge`.
    pub action: Option<String>,
    /// On what, such as `calcom/91`.
    pub target: Option<String>,
    /// Ordered by the request with this id.
    pub request_id: Option<String>,
    /// Made at this time or later.
    pub since: Option<Timestamp>,
    /// Made before this time.
    pub until: Option<Timestamp>,
    /// Where to begin, from the page before.
    pub after: Option<String>,
    /// How many.
    pub limit: Option<u32>,
}

/// A change that a person has made.
#[derive(Debug, Clone, Serialize)]
pub struct ChangeView {
    /// Its place in the log.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: String,
    /// What was done.
    pub action: String,
    /// On what.
    pub target: String,
    /// What one wants to know of it beside.
    pub detail: Option<String>,
    /// The id of the request that ordered it; none if the command line wrote the store itself.
    pub request_id: Option<String>,
}

impl Desk {
    /// What people have changed, newest first.
    ///
    /// # Errors
    /// [`GateError::Invalid`] for a cursor that is none.
    pub async fn changes(&self, asked: ChangesAsked) -> Result<Page<ChangeView>, GateError> {
        let before = asked.after.as_deref().map(id_cursor).transpose()?;
        let limit = page(asked.limit);
        let filter = ChangeFilter {
            actor: asked.actor,
            action: asked.action,
            target: asked.target,
            request: asked.request_id,
            since: asked.since,
            until: asked.until,
        };
        self.storage
            .read(move |tx| {
                Box::pin(async move {
                    let rows = tx.changes(&filter, before, limit + 1).await?;
                    Ok(Page::of(rows, limit, |row| row.id.to_string(), view))
                })
            })
            .await
    }
}

fn view(row: AuditRow) -> ChangeView {
    ChangeView {
        id: row.id,
        at: row.at,
        actor: row.change.actor,
        action: row.change.action,
        target: row.change.target,
        detail: row.change.detail,
        request_id: row.change.request,
    }
}
