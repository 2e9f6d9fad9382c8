//! Answers to requests that carried an `Idempotency-Key`: stored in the transaction of their effect,
//! so that neither is ever there without the other.

use super::backend::{Sql, Tx};
use super::error::StorageError;
use super::records::StoredAnswer;
use crate::domain::clock::Timestamp;

const FIND: Sql = Sql::same(
    "SELECT request_hash, request, status, outcome FROM idempotency WHERE scope = $1 AND key = $2",
);
const PUT: Sql = Sql::same(
    "INSERT INTO idempotency (scope, key, request_hash, request, status, outcome, created_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (scope, key) DO NOTHING",
);

impl Tx {
    /// The answer given to this key before. A scope is a caller and a route.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn idempotent(
        &mut self,
        scope: &str,
        key: &str,
    ) -> Result<Option<StoredAnswer>, StorageError> {
        let row = self.query(FIND).bind(scope).bind(key).optional().await?;
        row.map(|row| {
            let hash: Option<Vec<u8>> = row.get("request_hash")?;
            Ok(StoredAnswer {
                request_hash: hash.unwrap_or_default(),
                request: row.get("request")?,
                status: row.get("status")?,
                outcome: row.get("outcome")?,
            })
        })
        .transpose()
    }

    /// Keeps the answer given to a key, which must have none.
    ///
    /// # Errors
    /// [`StorageError::Conflict`] if it has one by now: done again, the work will find it.
    pub async fn put_idempotent(
        &mut self,
        scope: &str,
        key: &str,
        answer: &StoredAnswer,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        let put = self.query(PUT).bind(scope).bind(key);
        let put = put.bind(&answer.request_hash[..]).bind(&answer.request);
        let put = put.bind(answer.status).bind(&answer.outcome).bind(now);
        match put.run().await? {
            0 => Err(StorageError::Conflict(
                "another request with the same idempotency key was quicker".to_owned(),
            )),
            _ => Ok(()),
        }
    }
}
