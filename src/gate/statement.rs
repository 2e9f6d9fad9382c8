//! What moved on an account, as its owner's statement lists it.

use serde::Deserialize;

use super::query::{no_account, not_a_cursor, page};
use super::views::{EntryView, Page};
use super::{Desk, GateError};
use crate::domain::amount::UnitCode;
use crate::domain::clock::Timestamp;
use crate::domain::owner::Owner;
use crate::storage::records::{EntryCursor, EntryFilter, EntryRow};

/// The kinds of transactions that an account's entries are of.
pub const ENTRY_KINDS: [&str; 9] = [
    "topup", "hold", "capture", "release", "refund", "carry", "expire", "adjust", "reverse",
];

/// Which entries of an account to list.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntriesAsked {
    /// In this unit, by its code.
    pub unit: Option<String>,
    /// Of this kind, as [`EntryView::kind`].
    pub kind: Option<String>,
    /// Recorded at this time or later.
    pub since: Option<Timestamp>,
    /// Recorded before this time.
    pub until: Option<Timestamp>,
    /// Where to begin, from the page before.
    pub after: Option<String>,
    /// How many.
    pub limit: Option<u32>,
}

impl Desk {
    /// An account's entries, newest first.
    ///
    /// # Errors
    /// As [`Desk::account`], and [`GateError::Invalid`] for a cursor, a unit or a kind that is none.
    pub async fn entries(
        &self,
        owner: &str,
        asked: EntriesAsked,
    ) -> Result<Page<EntryView>, GateError> {
        let owner = Owner::parse(owner)?;
        let filter = EntryFilter {
            unit: asked.unit.as_deref().map(unit_code).transpose()?,
            kind: asked.kind.map(known_kind).transpose()?,
            since: asked.since,
            until: asked.until,
        };
        let after = asked.after.as_deref().map(entry_cursor).transpose()?;
        let limit = page(asked.limit);
        let desk = self.clone();
        self.storage
            .read(move |tx| {
                Box::pin(async move {
                    if tx.account_facts(&owner).await?.is_none() {
                        return Err(no_account(&owner));
                    }
                    let rows = tx.entries(&owner, &filter, after, limit + 1).await?;
                    let cursor = |row: &EntryRow| format!("{}.{}", row.at.txn, row.at.line);
                    Ok(Page::of(rows, limit, cursor, |row| desk.entry(row)))
                })
            })
            .await
    }
}

fn known_kind(text: String) -> Result<String, GateError> {
    if ENTRY_KINDS.contains(&text.as_str()) {
        return Ok(text);
    }
    let known = ENTRY_KINDS.join(", ");
    Err(GateError::Invalid(format!("kind: must be one of {known}")))
}

fn unit_code(text: &str) -> Result<UnitCode, GateError> {
    UnitCode::try_from(text).map_err(|error| GateError::Invalid(format!("unit: {error}")))
}

fn entry_cursor(text: &str) -> Result<EntryCursor, GateError> {
    let (txn, line) = text.split_once('.').ok_or_else(not_a_cursor)?;
    Ok(EntryCursor {
        txn: txn.parse().map_err(|_| not_a_cursor())?,
        line: line.parse().map_err(|_| not_a_cursor())?,
    })
}
