//! Stored deliveries, as a person looks them up and has them read again.

use bytes::Bytes;

use super::backend::{Row, Sql, Tx};
use super::error::StorageError;
use super::records::{DeliveryFilter, DeliveryRow, DeliveryState, FoundDeliveries};
use super::words::{from_word, word};
use crate::domain::clock::Timestamp;
use crate::domain::ids::{ChainId, DeliveryId};

/// Rows that one search looks at, at most, where no index leads to them: a filter that fits little must
/// not hold up who writes. The tests have few rows, and shall search more than once.
const SEARCHED_MAX: i64 = if cfg!(test) { 3 } else { 10_000 };

macro_rules! select {
    ($rest:expr) => {
        Sql::same(concat!(
            "SELECT id, source, received_at, trigger, note, filed_at, replayed_at,
                 CASE WHEN filed_at IS NULL THEN 'waiting' ELSE state END AS state,
                 CAST(OCTET_LENGTH(body) AS BIGINT) AS bytes
             FROM delivery WHERE ",
            $rest
        ))
    };
}
macro_rules! list {
    ($which:literal) => {
        select!(concat!(
            "id < $1 AND id >= $2
                 AND (CAST($3 AS TEXT) IS NULL OR source = $3)
                 AND (CAST($4 AS TEXT) IS NULL OR trigger = $4)
                 AND (CAST($5 AS BIGINT) IS NULL OR received_at >= $5)
                 AND (CAST($6 AS BIGINT) IS NULL OR received_at < $6)
                 AND ",
            $which,
            " ORDER BY id DESC LIMIT $8"
        ))
    };
}

const LIST: Sql = list!("(CAST($7 AS TEXT) IS NULL OR (state = $7 AND filed_at IS NOT NULL))");
// The words stand here for the sake of the indexes.
const LIST_TO_LOOK_AT: Sql =
    list!("state IN ('unparsed', 'quarantined') AND filed_at IS NOT NULL AND state = $7");
const LIST_WAITING: Sql = list!("filed_at IS NULL AND CAST($7 AS TEXT) IS NOT NULL");
const SEARCH_TO: Sql = Sql::same(
    "SELECT MIN(id) AS id, COUNT(*) AS searched FROM
         (SELECT id FROM delivery WHERE id < $1 ORDER BY id DESC LIMIT $2) AS newest",
);
const OF_CHAIN: Sql = select!("chain_id = $1 ORDER BY id LIMIT $2");
const BY_ID: Sql = select!("id = $1");
const DIGEST: Sql = Sql::same("SELECT digest FROM delivery WHERE id = $1");
const CHAIN_DIGEST: Sql = Sql::same(
    "SELECT digest FROM delivery WHERE chain_id = $1 AND received_at <= $2 ORDER BY id DESC LIMIT 1",
);
const BODY: Sql = Sql::same("SELECT body FROM delivery WHERE id = $1");
// Nobody has understood it anew yet.
const REPLAY: Sql = Sql::same(
    "UPDATE delivery SET filed_at = NULL, state = 'unparsed', replayed_at = $2
     WHERE id = $1 AND filed_at IS NOT NULL AND body IS NOT NULL",
);
const TOLD_BY: Sql = Sql::same(
    "SELECT fact.chain_id, delivery.trigger
     FROM fact JOIN delivery ON delivery.id = fact.delivery_id WHERE fact.delivery_id = $1",
);
const TAKE_BACK: Sql = Sql::same("DELETE FROM fact WHERE delivery_id = $1 RETURNING chain_id");

impl Tx {
    /// The digest by which a delivery is known; `None` if there is none.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn delivery_digest(
        &mut self,
        id: DeliveryId,
    ) -> Result<Option<[u8; 16]>, StorageError> {
        let row = self.query(DIGEST).bind(id).optional().await?;
        row.as_ref().map_or(Ok(None), digest)
    }

    /// As [`Tx::delivery_digest`], of the last delivery of a chain that was received by then.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn chain_digest(
        &mut self,
        chain: ChainId,
        until: Timestamp,
    ) -> Result<Option<[u8; 16]>, StorageError> {
        let row = self
            .query(CHAIN_DIGEST)
            .bind(chain)
            .bind(until)
            .optional()
            .await?;
        row.as_ref().map_or(Ok(None), digest)
    }

    /// Deliveries before `before` that pass the filter, newest first. A search ends after some rows,
    /// whether they fit or not, and tells how far it went.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn deliveries(
        &mut self,
        filter: &DeliveryFilter,
        before: Option<DeliveryId>,
        limit: u32,
    ) -> Result<FoundDeliveries, StorageError> {
        let before = before.unwrap_or(DeliveryId(i64::MAX));
        let (list, indexed) = match filter.state {
            Some(DeliveryState::Waiting) => (LIST_WAITING, true),
            Some(DeliveryState::Unparsed | DeliveryState::Quarantined) => (LIST_TO_LOOK_AT, true),
            Some(DeliveryState::Event | DeliveryState::Ignored) | None => (LIST, false),
        };
        let search_to = match indexed {
            true => None,
            false => self.search_to(before).await?,
        };
        let list = self.query(list).bind(before);
        let list = list.bind(search_to.unwrap_or(DeliveryId(0)));
        let list = list.bind(filter.source.as_ref()).bind(&filter.trigger);
        let list = list.bind(filter.since).bind(filter.until);
        let list = list.bind(filter.state.map(word).transpose()?);
        let rows = list.bind(i64::from(limit) + 1).all().await?;
        let rows: Vec<_> = rows.iter().map(delivery_row).collect::<Result<_, _>>()?;
        let mut found = FoundDeliveries {
            rows,
            searched_to: search_to,
        };
        if found.rows.len() as u64 > u64::from(limit) {
            found.rows.truncate(limit as usize);
            found.searched_to = found.rows.last().map(|row| row.id);
        }
        Ok(found)
    }

    /// How far a search before `before` goes; `None` if it goes through all there is.
    async fn search_to(&mut self, before: DeliveryId) -> Result<Option<DeliveryId>, StorageError> {
        let search = self.query(SEARCH_TO).bind(before).bind(SEARCHED_MAX);
        let row = search.one().await?;
        let searched: i64 = row.get("searched")?;
        match searched < SEARCHED_MAX {
            true => Ok(None),
            false => row.get("id"),
        }
    }

    /// The deliveries of a chain, oldest first.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn deliveries_of_chain(
        &mut self,
        chain: ChainId,
        limit: u32,
    ) -> Result<Vec<DeliveryRow>, StorageError> {
        let rows = self.query(OF_CHAIN).bind(chain).bind(i64::from(limit));
        rows.all().await?.iter().map(delivery_row).collect()
    }

    /// One delivery, without its body.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn delivery(
        &mut self,
        delivery: DeliveryId,
    ) -> Result<Option<DeliveryRow>, StorageError> {
        let row = self.query(BY_ID).bind(delivery).optional().await?;
        row.as_ref().map(delivery_row).transpose()
    }

    /// The body of a delivery; `None` if there is no such delivery or retention has removed it.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn delivery_body(
        &mut self,
        delivery: DeliveryId,
    ) -> Result<Option<Bytes>, StorageError> {
        let row = self.query(BODY).bind(delivery).optional().await?;
        let body: Option<Option<Vec<u8>>> = row.map(|row| row.get("body")).transpose()?;
        Ok(body.flatten().map(Bytes::from))
    }

    /// Has a delivery filed once more. What it has told stays until then. `false` if it waits to be filed,
    /// or has no body any more.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn replay(
        &mut self,
        delivery: DeliveryId,
        now: Timestamp,
    ) -> Result<bool, StorageError> {
        let replay = self.query(REPLAY).bind(delivery).bind(now);
        Ok(replay.run().await? == 1)
    }

    /// The chain of which a delivery has told something, and the trigger as which it was understood.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn told_by(
        &mut self,
        delivery: DeliveryId,
    ) -> Result<Option<(ChainId, Option<String>)>, StorageError> {
        let row = self.query(TOLD_BY).bind(delivery).optional().await?;
        row.map(|row| Ok((row.get("chain_id")?, row.get("trigger")?)))
            .transpose()
    }

    /// Takes back what a delivery has told; its chain is due, to be looked at without it.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn take_back(
        &mut self,
        delivery: DeliveryId,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        let row = self.query(TAKE_BACK).bind(delivery).optional().await?;
        match row {
            Some(row) => self.touch_chain(row.get("chain_id")?, now, Some(now)).await,
            None => Ok(()),
        }
    }
}

fn delivery_row(row: &Row) -> Result<DeliveryRow, StorageError> {
    Ok(DeliveryRow {
        id: row.get("id")?,
        source: row.get("source")?,
        received_at: row.get("received_at")?,
        state: from_word(row, "state")?,
        trigger: row.get("trigger")?,
        note: row.get("note")?,
        filed_at: row.get("filed_at")?,
        replayed_at: row.get("replayed_at")?,
        body_bytes: row.get("bytes")?,
    })
}

/// Only what is 16 bytes long is one.
fn digest(row: &Row) -> Result<Option<[u8; 16]>, StorageError> {
    let bytes: Option<Vec<u8>> = row.get("digest")?;
    Ok(bytes.and_then(|bytes| bytes.try_into().ok()))
}
