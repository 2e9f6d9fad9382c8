//! Words that admins put to people, for policies to ask for.

use super::backend::{Sql, Tx};
use super::error::StorageError;
use crate::domain::clock::Timestamp;
use crate::domain::owner::Owner;

const TAGS: Sql = Sql::same("SELECT tag FROM tag WHERE owner = $1 ORDER BY tag").in_sets();
const ADD: Sql = Sql::same(
    "INSERT INTO tag (owner, tag, added_at) VALUES ($1, $2, $3) ON CONFLICT (owner, tag) DO NOTHING",
);
const REMOVE: Sql = Sql::same("DELETE FROM tag WHERE owner = $1 AND tag = $2");

impl Tx {
    /// The tags of somebody, in the order of the alphabet.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn tags(&mut self, owner: &Owner) -> Result<Vec<String>, StorageError> {
        let rows = self.query(TAGS).bind(owner).all().await?;
        rows.iter().map(|row| row.get("tag")).collect()
    }

    /// Adds a tag; whether it was not there.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn add_tag(
        &mut self,
        owner: &Owner,
        tag: &str,
        now: Timestamp,
    ) -> Result<bool, StorageError> {
        let add = self.query(ADD).bind(owner).bind(tag).bind(now);
        Ok(add.run().await? > 0)
    }

    /// Removes a tag; whether it was there.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn remove_tag(&mut self, owner: &Owner, tag: &str) -> Result<bool, StorageError> {
        let remove = self.query(REMOVE).bind(owner).bind(tag);
        Ok(remove.run().await? > 0)
    }
}
