//! Which daemons there are on this store, and when each last said that it lives. On a file there is
//! one.

use super::backend::{Row, Sql, Tx};
use super::error::StorageError;
use super::records::Instance;
use crate::domain::clock::Timestamp;

const BEAT: Sql = Sql::same(
    "INSERT INTO instance (id, host, version, started_at, seen_at) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at",
);
const REMOVE: Sql = Sql::same("DELETE FROM instance WHERE id = $1");
const FORGET: Sql = Sql::same("DELETE FROM instance WHERE seen_at < $1 AND id <> $2");
const COUNT: Sql =
    Sql::same("SELECT COUNT(*) AS number FROM instance WHERE seen_at > $1 AND seen_at < $2");
const LIST: Sql = Sql::same(
    "SELECT id, host, version, started_at, seen_at FROM instance
     ORDER BY seen_at DESC, id LIMIT $1",
);

impl Tx {
    /// Writes down that an instance lives. Of one that is known, only the time changes.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn beat(&mut self, instance: &Instance) -> Result<(), StorageError> {
        let beat = self.query(BEAT).bind(instance.id.as_str());
        let beat = beat.bind(instance.host.as_str());
        let beat = beat.bind(instance.version.as_str());
        let beat = beat.bind(instance.started_at).bind(instance.seen_at);
        beat.run().await.map(drop)
    }

    /// Takes an instance off the list; no matter if it is not there.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn remove_instance(&mut self, id: &str) -> Result<(), StorageError> {
        self.query(REMOVE).bind(id).run().await.map(drop)
    }

    /// Takes all off the list that were last seen before a time, but for one.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn forget_instances(
        &mut self,
        seen_before: Timestamp,
        but: &str,
    ) -> Result<(), StorageError> {
        let forget = self.query(FORGET).bind(seen_before).bind(but);
        forget.run().await.map(drop)
    }

    /// How many were last seen between two times, both excluded.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn count_instances(
        &mut self,
        after: Timestamp,
        before: Timestamp,
    ) -> Result<i64, StorageError> {
        let count = self.query(COUNT).bind(after).bind(before);
        count.one().await?.get("number")
    }

    /// The instances on the list, the one seen last first.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn instances(&mut self, limit: u32) -> Result<Vec<Instance>, StorageError> {
        let rows = self.query(LIST).bind(i64::from(limit)).all().await?;
        rows.iter().map(instance).collect()
    }
}

fn instance(row: &Row) -> Result<Instance, StorageError> {
    Ok(Instance {
        id: row.get("id")?,
        host: row.get("host")?,
        version: row.get("version")?,
        started_at: row.get("started_at")?,
        seen_at: row.get("seen_at")?,
    })
}
