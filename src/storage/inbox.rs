//! The inbox: every verified delivery, once.

use bytes::Bytes;

use super::backend::{Row, Sql, Tx};
use super::error::StorageError;
use super::records::{DeliveryRow, DeliveryState, NewDelivery, Posted};
use super::words::{from_word, word};
use crate::domain::ids::{ChainId, DeliveryId};

const INSERT: Sql = Sql::same(
    "INSERT INTO delivery (source, digest, received_at, content_type, body, state, trigger, note)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (digest) DO NOTHING RETURNING id",
);
const SET_CHAIN: Sql = Sql::same("UPDATE delivery SET chain_id = $2 WHERE id = $1");
const SET_STATE: Sql =
    Sql::same("UPDATE delivery SET state = $2, trigger = $3, note = $4 WHERE id = $1");
const QUARANTINE: Sql =
    Sql::same("UPDATE delivery SET state = 'quarantined', note = $2 WHERE id = $1");
const OF_CHAIN: Sql = Sql::same(
    "SELECT id, source, received_at, state, trigger, note FROM delivery
     WHERE chain_id = $1 ORDER BY id LIMIT $2",
);
const BY_ID: Sql =
    Sql::same("SELECT id, source, received_at, state, trigger, note FROM delivery WHERE id = $1");
const TO_LOOK_AT: Sql = Sql::same(
    "SELECT id, source, received_at, state, trigger, note FROM delivery
     WHERE state IN ('unparsed', 'quarantined') AND id > $1 ORDER BY id LIMIT $2",
);
const BODY: Sql = Sql::same("SELECT body FROM delivery WHERE id = $1");

impl Tx {
    /// Puts a delivery into the inbox, once for each digest.
    ///
    /// # Errors
    /// [`StorageError::Refused`] if the store will never take it: quarantine it.
    pub async fn store_delivery(
        &mut self,
        new: &NewDelivery,
    ) -> Result<Posted<DeliveryId>, StorageError> {
        let insert = self.query(INSERT).bind(&new.source).bind(&new.digest[..]);
        let insert = insert.bind(new.received_at).bind(&new.content_type);
        let insert = insert.bind(&new.body).bind(word(new.state)?);
        let insert = insert.bind(&new.trigger).bind(&new.note);
        match insert.optional().await? {
            Some(row) => Ok(Posted::New(row.get("id")?)),
            None => Ok(Posted::Duplicate),
        }
    }

    /// Notes which chain a delivery belongs to.
    ///
    /// # Errors
    /// If there is no such chain, or the store fails.
    pub async fn set_delivery_chain(
        &mut self,
        delivery: DeliveryId,
        chain: ChainId,
    ) -> Result<(), StorageError> {
        let update = self.query(SET_CHAIN).bind(delivery).bind(chain);
        expect_one(update.run().await?, delivery)
    }

    /// Notes what a delivery turned out to be, when it is looked at again.
    ///
    /// # Errors
    /// If there is no such delivery, or the store fails.
    pub async fn set_delivery_state(
        &mut self,
        delivery: DeliveryId,
        state: DeliveryState,
        trigger: Option<&str>,
        note: Option<&str>,
    ) -> Result<(), StorageError> {
        let update = self.query(SET_STATE).bind(delivery).bind(word(state)?);
        expect_one(update.bind(trigger).bind(note).run().await?, delivery)
    }

    /// Sets a delivery aside whose contents the store would not take.
    ///
    /// # Errors
    /// If there is no such delivery, or the store fails.
    pub async fn quarantine(
        &mut self,
        delivery: DeliveryId,
        note: &str,
    ) -> Result<(), StorageError> {
        let update = self.query(QUARANTINE).bind(delivery).bind(note);
        expect_one(update.run().await?, delivery)
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

    /// The unparsed and quarantined deliveries behind `after`, oldest first.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn unparsed(
        &mut self,
        after: Option<DeliveryId>,
        limit: u32,
    ) -> Result<Vec<DeliveryRow>, StorageError> {
        let after = after.unwrap_or(DeliveryId(0));
        let rows = self.query(TO_LOOK_AT).bind(after).bind(i64::from(limit));
        rows.all().await?.iter().map(delivery_row).collect()
    }
}

fn expect_one(changed: u64, delivery: DeliveryId) -> Result<(), StorageError> {
    match changed {
        1 => Ok(()),
        _ => Err(StorageError::Missing {
            what: "delivery",
            id: delivery.0,
        }),
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
    })
}
