//! When bookgate began to look after each source.

use super::backend::{Sql, Tx};
use super::error::StorageError;
use crate::domain::clock::Timestamp;
use crate::domain::ids::SourceName;

// The update changes nothing; without one, what is known would not be returned.
const MEET: Sql = Sql::same(
    "INSERT INTO source (name, first_seen_at) VALUES ($1, $2)
     ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING first_seen_at",
);

impl Tx {
    /// Since when this source is looked after: since now, if it is met for the first time.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn meet_source(
        &mut self,
        name: &SourceName,
        now: Timestamp,
    ) -> Result<Timestamp, StorageError> {
        let meet = self.query(MEET).bind(name).bind(now);
        meet.one().await?.get("first_seen_at")
    }
}
