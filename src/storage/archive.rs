//! What decisions were made from: the texts of policies, the sets they were in force in, and the entries
//! of the lists that they name. Each is kept once, under what it means.

use super::backend::{Sql, Tx};
use super::error::StorageError;
use crate::domain::clock::Timestamp;

const KEEP_TEXT: Sql = Sql::same(
    "INSERT INTO policy_text (hash, name, text, first_used_at) VALUES ($1, $2, $3, $4)
     ON CONFLICT (hash) DO NOTHING",
);
const KEEP_LIST: Sql = Sql::same(
    "INSERT INTO policy_list (digest, entries, first_used_at) VALUES ($1, $2, $3)
     ON CONFLICT (digest) DO NOTHING",
);
const KEEP_SET: Sql = Sql::same(
    "INSERT INTO policy_set (hash, parts, first_used_at) VALUES ($1, $2, $3)
     ON CONFLICT (hash) DO NOTHING",
);
const HAS_LIST: Sql = Sql::same("SELECT 1 AS found FROM policy_list WHERE digest = $1");
const SET: Sql = Sql::same("SELECT parts FROM policy_set WHERE hash = $1");
const TEXT: Sql = Sql::same("SELECT text FROM policy_text WHERE hash = $1");
const LIST: Sql = Sql::same("SELECT entries FROM policy_list WHERE digest = $1");

impl Tx {
    /// Keeps the text of a policy, once for each hash.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn archive_policy(
        &mut self,
        hash: &str,
        name: &str,
        text: &str,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        let keep = self.query(KEEP_TEXT).bind(hash).bind(name).bind(text);
        keep.bind(now).run().await.map(drop)
    }

    /// Keeps the entries of a list, once for each digest; `None` says that they are too many.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn archive_list(
        &mut self,
        digest: &str,
        entries: Option<&str>,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        let keep = self.query(KEEP_LIST).bind(digest).bind(entries);
        keep.bind(now).run().await.map(drop)
    }

    /// Keeps what a set of policies is made of, as JSON, once for each hash.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn archive_set(
        &mut self,
        hash: &str,
        parts: &str,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        let keep = self.query(KEEP_SET).bind(hash).bind(parts);
        keep.bind(now).run().await.map(drop)
    }

    /// What a set of policies is made of, as JSON; `None` if it was not kept.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn archived_set(&mut self, hash: &str) -> Result<Option<String>, StorageError> {
        let row = self.query(SET).bind(hash).optional().await?;
        row.map(|row| row.get("parts")).transpose()
    }

    /// The text of a policy; `None` if it was not kept.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn archived_policy(&mut self, hash: &str) -> Result<Option<String>, StorageError> {
        let row = self.query(TEXT).bind(hash).optional().await?;
        row.map(|row| row.get("text")).transpose()
    }

    /// Whether a list was kept, or found too long for that.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn has_archived_list(&mut self, digest: &str) -> Result<bool, StorageError> {
        let row = self.query(HAS_LIST).bind(digest).optional().await?;
        Ok(row.is_some())
    }

    /// The entries of a list, a line each; `None` if it was not kept, or is too long for that.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn archived_list(&mut self, digest: &str) -> Result<Option<String>, StorageError> {
        let row = self.query(LIST).bind(digest).optional().await?;
        row.map_or(Ok(None), |row| row.get("entries"))
    }
}
