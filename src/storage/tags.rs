//! Words that admins put to people, for policies to ask for.

use std::collections::BTreeMap;

use super::backend::{Row, Sql, Tx};
use super::error::StorageError;
use crate::domain::clock::Timestamp;
use crate::domain::owner::Owner;

const TAGS: Sql =
    Sql::same("SELECT tag, added_at FROM tag WHERE owner = $1 ORDER BY tag").in_sets();
const ADD: Sql = Sql::same(
    "INSERT INTO tag (owner, tag, added_at) VALUES ($1, $2, $3) ON CONFLICT (owner, tag) DO NOTHING",
);
const RENEW: Sql = Sql::same("UPDATE tag SET added_at = $3 WHERE owner = $1 AND tag = $2");
const REMOVE: Sql = Sql::same("DELETE FROM tag WHERE owner = $1 AND tag = $2");

impl Tx {
    /// The tags of somebody, and when each was added for the last time.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn tags(
        &mut self,
        owner: &Owner,
    ) -> Result<BTreeMap<String, Timestamp>, StorageError> {
        let rows = self.query(TAGS).bind(owner).all().await?;
        let tag = |row: &Row| Ok((row.get("tag")?, row.get("added_at")?));
        rows.iter().map(tag).collect()
    }

    /// Adds a tag; one that is there is added anew, and `false` is returned.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn add_tag(
        &mut self,
        owner: &Owner,
        tag: &str,
        now: Timestamp,
    ) -> Result<bool, StorageError> {
        let renew = self.query(RENEW).bind(owner).bind(tag).bind(now);
        if renew.run().await? > 0 {
            return Ok(false);
        }
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
