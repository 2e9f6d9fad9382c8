//! The inbox: every verified delivery, once. It arrives first, many to a commit; later it is understood
//! and filed.

use std::sync::Arc;

use super::Storage;
use super::backend::{Row, Sql, Tx, Value};
use super::error::StorageError;
use super::records::{Filing, NewDelivery, UnfiledDelivery};
use super::words::word;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{ChainId, DeliveryId};

// Nobody has understood it yet, so it is unparsed until it is filed. A server gets any number of rows at
// once; a file has no arrays.
const ARRIVE: Sql = Sql::each(
    "INSERT INTO delivery (source, digest, received_at, content_type, body, state)
     VALUES ($1, $2, $3, $4, $5, 'unparsed') ON CONFLICT (digest) DO NOTHING",
    "INSERT INTO delivery (source, digest, received_at, content_type, body, state)
     SELECT source, digest, received_at, content_type, body, 'unparsed'
     FROM UNNEST($1::text[], $2::bytea[], $3::bigint[], $4::text[], $5::bytea[])
         AS new (source, digest, received_at, content_type, body)
     ON CONFLICT (digest) DO NOTHING",
);
// On a server, rows that another instance is filing at this moment are passed over.
const UNFILED: Sql = Sql::each(
    "SELECT id, source, received_at, content_type, body, replayed_at FROM delivery
     WHERE filed_at IS NULL ORDER BY id LIMIT $1",
    "SELECT id, source, received_at, content_type, body, replayed_at FROM delivery
     WHERE filed_at IS NULL ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED",
);
const ONE_UNFILED: Sql = Sql::each(
    "SELECT id, source, received_at, content_type, body, replayed_at FROM delivery
     WHERE id = $1 AND filed_at IS NULL",
    "SELECT id, source, received_at, content_type, body, replayed_at FROM delivery
     WHERE id = $1 AND filed_at IS NULL FOR UPDATE SKIP LOCKED",
);
const FIRST_UNFILED: Sql = Sql::same("SELECT MIN(id) AS id FROM delivery WHERE filed_at IS NULL");
const LAST_UNFILED: Sql = Sql::same("SELECT MAX(id) AS id FROM delivery WHERE filed_at IS NULL");
const FILE: Sql = Sql::same(
    "UPDATE delivery SET state = $2, trigger = $3, note = $4, chain_id = $5, filed_at = $6
     WHERE id = $1",
);

impl Storage {
    /// Puts deliveries into the inbox before any other work is done, each once by its digest. Says how
    /// many are new.
    ///
    /// # Errors
    /// As [`Storage::write`]; [`StorageError::Refused`] if the store will never take one of them.
    pub async fn arrive(&self, deliveries: Arc<Vec<NewDelivery>>) -> Result<u64, StorageError> {
        self.write_statement(move |tx| Box::pin(async move { tx.arrive(&deliveries).await }))
            .await
    }
}

impl Tx {
    /// As [`Storage::arrive`], as a part of other work. One statement on a server.
    ///
    /// # Errors
    /// [`StorageError::Refused`] if the store will never take one of them.
    pub async fn arrive(&mut self, deliveries: &[NewDelivery]) -> Result<u64, StorageError> {
        if self.has_rivals() {
            return self.arrive_together(deliveries).await;
        }
        let mut new = 0;
        for delivery in deliveries {
            let insert = self.query(ARRIVE).bind(&delivery.source);
            let insert = insert.bind(&delivery.digest[..]);
            let insert = insert.bind(delivery.received_at);
            let insert = insert.bind(&delivery.content_type);
            new += insert.bind(&delivery.body).run().await?;
        }
        Ok(new)
    }

    async fn arrive_together(&mut self, deliveries: &[NewDelivery]) -> Result<u64, StorageError> {
        let all = || deliveries.iter();
        let text = |text: &str| Some(text.to_owned());
        let sources = all().map(|each| text(each.source.as_str())).collect();
        let digests = all().map(|each| each.digest.to_vec()).collect();
        let times = all().map(|each| Some(each.received_at.as_microsecond()));
        let types = all().map(|each| each.content_type.clone()).collect();
        let bodies = all().map(|each| each.body.to_vec()).collect();
        let insert = self.query(ARRIVE).bind(Value::Texts(sources));
        let insert = insert.bind(Value::Blobs(digests));
        let insert = insert.bind(Value::Integers(times.collect()));
        let insert = insert.bind(Value::Texts(types));
        insert.bind(Value::Blobs(bodies)).run().await
    }

    /// Deliveries that nobody has filed, nor is filing, oldest first; they are this transaction's
    /// until it ends.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn unfiled(&mut self, limit: u32) -> Result<Vec<UnfiledDelivery>, StorageError> {
        let rows = self.query(UNFILED).bind(i64::from(limit)).all().await?;
        rows.iter().map(unfiled_delivery).collect()
    }

    /// This delivery, if nobody has filed it, nor is filing it.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn unfiled_one(
        &mut self,
        delivery: DeliveryId,
    ) -> Result<Option<UnfiledDelivery>, StorageError> {
        let row = self.query(ONE_UNFILED).bind(delivery).optional().await?;
        row.as_ref().map(unfiled_delivery).transpose()
    }

    /// The oldest delivery that is not filed.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn first_unfiled(&mut self) -> Result<Option<DeliveryId>, StorageError> {
        self.query(FIRST_UNFILED).one().await?.get("id")
    }

    /// The newest delivery that is not filed.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn last_unfiled(&mut self) -> Result<Option<DeliveryId>, StorageError> {
        self.query(LAST_UNFILED).one().await?.get("id")
    }

    /// Notes what a delivery turned out to be, and which chain it belongs to.
    ///
    /// # Errors
    /// If there is no such delivery or chain, or the store fails.
    pub async fn file_delivery(
        &mut self,
        delivery: DeliveryId,
        filing: &Filing,
        chain: Option<ChainId>,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        let file = self.query(FILE).bind(delivery).bind(word(filing.state)?);
        let file = file.bind(&filing.trigger).bind(&filing.note);
        match file.bind(chain).bind(now).run().await? {
            1 => Ok(()),
            _ => Err(StorageError::Missing {
                what: "delivery",
                id: delivery.0,
            }),
        }
    }
}

fn unfiled_delivery(row: &Row) -> Result<UnfiledDelivery, StorageError> {
    let body: Option<Vec<u8>> = row.get("body")?;
    let replayed_at: Option<Timestamp> = row.get("replayed_at")?;
    Ok(UnfiledDelivery {
        id: row.get("id")?,
        source: row.get("source")?,
        received_at: row.get("received_at")?,
        content_type: row.get("content_type")?,
        body: body.unwrap_or_default().into(),
        replayed: replayed_at.is_some(),
    })
}
