//! Notices that were not taken yet, as an admin looks at them.

use serde::{Deserialize, Serialize};

use crate::domain::clock::Timestamp;
use crate::domain::notice::Topic;
use crate::gate::query::{id_cursor, page};
use crate::gate::views::Page;
use crate::gate::{Desk, GateError};
use crate::storage::records::{NoticeFilter, NoticeRow};

/// Which notices to list; `None` is any.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoticesAsked {
    /// To this receiver.
    pub receiver: Option<String>,
    /// `waiting` or `given_up`.
    pub state: Option<String>,
    /// Where to begin, from the page before.
    pub after: Option<String>,
    /// How many.
    pub limit: Option<u32>,
}

/// A notice that was not taken yet. What it says is for its receiver alone.
#[derive(Debug, Clone, Serialize)]
pub struct NoticeView {
    /// What the receiver knows a repeated one by: `webhook-id`.
    pub id: String,
    /// To whom.
    pub receiver: String,
    /// What it is about.
    pub r#type: Topic,
    /// `waiting` or `given_up`.
    pub state: &'static str,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it is sent next.
    pub due_at: Option<Timestamp>,
    /// How often it was tried.
    pub tries: i64,
    /// What came of the last try.
    pub detail: Option<String>,
}

impl Desk {
    /// Notices that were not taken yet, oldest first.
    ///
    /// # Errors
    /// [`GateError::Invalid`] for a state that is none, or a cursor.
    pub async fn notices(&self, asked: NoticesAsked) -> Result<Page<NoticeView>, GateError> {
        let after = asked.after.as_deref().map(id_cursor).transpose()?;
        let limit = page(asked.limit);
        let given_up = match asked.state.as_deref() {
            None => None,
            Some("waiting") => Some(false),
            Some("given_up") => Some(true),
            Some(_) => {
                let text = "state: must be waiting or given_up";
                return Err(GateError::Invalid(text.to_owned()));
            }
        };
        let filter = NoticeFilter {
            receiver: asked.receiver,
            given_up,
        };
        self.storage
            .read(move |tx| {
                Box::pin(async move {
                    let rows = tx.notices(&filter, after, limit + 1).await?;
                    Ok(Page::of(rows, limit, |row| row.id.to_string(), view))
                })
            })
            .await
    }
}

fn view(row: NoticeRow) -> NoticeView {
    NoticeView {
        id: row.message,
        receiver: row.receiver,
        r#type: row.topic,
        state: match row.due_at {
            Some(_) => "waiting",
            None => "given_up",
        },
        created_at: row.created_at,
        due_at: row.due_at,
        tries: row.tries,
        detail: row.detail,
    }
}
