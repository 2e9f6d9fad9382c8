//! What may be forgotten, and forgetting it, a row at a time: the caller makes small transactions of
//! it. Found and removed are two questions, because the search goes through a table and must not hold
//! up those who write; removing asks again whether the row may go.
//!
//! Kept for ever: the ledger, decisions with their facts and traces, and with that all that they were made
//! from and what shadows said (policies, their sets and lists), the line of each booking, chains and their
//! keys. What the webhooks said of a chain and the calls made for it may go
//! once all its bookings are long over and settled; in their place stays how each of them stood
//! ([`Closed`]), so that an old webhook that comes again finds them closed.

use super::backend::{Row, Sql, Tx};
use super::decisions::unit_key;
use super::error::StorageError;
use super::records::{Closed, FactBody, Found, Removable, Removed};
use super::words::json;
use crate::domain::clock::Timestamp;
use crate::domain::timeline::Standing;

// $1 is always the time before which things are old.
macro_rules! understood {
    () => {
        "received_at < $1 AND body IS NOT NULL AND state IN ('event', 'ignored')"
    };
}
// Somebody may still teach this program to read them. What waits to be filed counts as unparsed, too.
macro_rules! not_understood {
    () => {
        "received_at < $1 AND body IS NOT NULL AND state IN ('unparsed', 'quarantined')
             AND filed_at IS NOT NULL"
    };
}
// The body goes first, and the row (which knows a repeated webhook by its digest) not before what
// it said of a booking.
macro_rules! emptied {
    () => {
        "received_at < $1 AND body IS NULL
             AND NOT EXISTS (SELECT 1 FROM fact WHERE fact.delivery_id = delivery.id)"
    };
}
// Nothing is due, in hand, wanted, held or given up; every booking is over, settled, and was looked at
// since the last fact came in. `{\"closed\":` is how a `FactBody::Closed` begins: there must be more
// than those.
macro_rules! over {
    () => {
        r#"chain.merged_into IS NULL AND chain.due_at IS NULL AND chain.lease_until IS NULL
             AND chain.updated_at < $1
             AND EXISTS (SELECT 1 FROM fact
                         WHERE fact.chain_id = chain.id AND fact.body NOT LIKE '{"closed":%')
             AND EXISTS (SELECT 1 FROM booking
                         WHERE booking.chain_id = chain.id
                             AND booking.updated_at >= chain.updated_at)
             AND NOT EXISTS (SELECT 1 FROM booking
                             WHERE booking.chain_id = chain.id
                                 AND (booking.settled = 0 OR booking.end_at >= $1))
             AND NOT EXISTS (SELECT 1 FROM command
                             WHERE command.chain_id = chain.id
                                 AND command.state IN ('open', 'dead'))
             AND NOT EXISTS (SELECT 1 FROM hold
                             WHERE hold.chain_id = chain.id AND hold.state = 'held')"#
    };
}
macro_rules! find {
    ($table:literal, $old:expr) => {
        Sql::same(concat!(
            "SELECT id FROM ",
            $table,
            " WHERE id > $2 AND id <= $4 AND ",
            $old,
            " ORDER BY id LIMIT $3"
        ))
    };
}
macro_rules! next {
    ($table:literal) => {
        Sql::same(concat!(
            "SELECT MAX(id) AS id FROM (SELECT id FROM ",
            $table,
            " WHERE id > $1 ORDER BY id LIMIT $2) AS next"
        ))
    };
}

/// Rows that one search looks at, at most: where much is stored and little of it may go, one that had to
/// find some would last longer than a server lets it, and hold up its tidying meanwhile. The tests have few
/// rows, and shall search more than once.
const SEARCHED_MAX: i64 = if cfg!(test) { 3 } else { 10_000 };

const FIND_BODIES: Sql = find!("delivery", understood!());
const FIND_UNPARSED_BODIES: Sql = find!("delivery", not_understood!());
const FIND_DELIVERIES: Sql = find!("delivery", emptied!());
const FIND_CHAINS: Sql = find!("chain", over!());
const NEXT_DELIVERIES: Sql = next!("delivery");
const NEXT_CHAINS: Sql = next!("chain");

const EMPTY_BODY: Sql = Sql::same(concat!(
    "UPDATE delivery SET body = NULL WHERE id = $2 AND ",
    understood!()
));
const EMPTY_UNPARSED_BODY: Sql = Sql::same(concat!(
    "UPDATE delivery SET body = NULL WHERE id = $2 AND ",
    not_understood!()
));
const BODY_BYTES: Sql = Sql::same(
    "SELECT CAST(COALESCE(OCTET_LENGTH(body), 0) AS BIGINT) AS bytes FROM delivery WHERE id = $1",
);
const DELETE_DELIVERY: Sql = Sql::same(concat!(
    "DELETE FROM delivery WHERE id = $2 AND ",
    emptied!()
));
// Takes the chain's row before anything else of it, as everybody does who adds a fact or leases it.
const CLOSE_CHAIN: Sql = Sql::same(concat!(
    "UPDATE chain SET version = version + 1 WHERE id = $2 AND ",
    over!()
));
const LINES: Sql = Sql::same(
    "SELECT uid, seat, number, status FROM booking WHERE chain_id = $1 ORDER BY uid, seat",
);
const FACT_BYTES: Sql = Sql::same(
    "SELECT CAST(COALESCE(SUM(OCTET_LENGTH(body)), 0) AS BIGINT) AS bytes FROM fact
     WHERE chain_id = $1",
);
const DELETE_OF_CHAIN: [Sql; 3] = [
    Sql::same(
        "DELETE FROM attempt
         WHERE command_id IN (SELECT command.id FROM command WHERE command.chain_id = $1)",
    ),
    Sql::same("DELETE FROM command WHERE chain_id = $1"),
    Sql::same("DELETE FROM fact WHERE chain_id = $1"),
];
const LEAVE: Sql = Sql::same("INSERT INTO fact (chain_id, received_at, body) VALUES ($1, $2, $3)");

// A small table, written by people's orders alone: reading all of it is cheap.
const DELETE_ANSWERS: Sql = Sql::same(
    "DELETE FROM idempotency WHERE (scope, key) IN
         (SELECT scope, key FROM idempotency WHERE created_at < $1 ORDER BY scope, key LIMIT $2)",
);

macro_rules! count_deliveries {
    ($old:expr) => {
        Sql::same(concat!(
            "SELECT COUNT(*) AS removed,
                 CAST(COALESCE(SUM(OCTET_LENGTH(body)), 0) AS BIGINT) AS bytes
             FROM delivery WHERE ",
            $old
        ))
    };
}
const COUNT_BODIES: Sql = count_deliveries!(understood!());
const COUNT_UNPARSED_BODIES: Sql = count_deliveries!(not_understood!());
const COUNT_DELIVERIES: Sql = count_deliveries!(emptied!());
const COUNT_CHAINS: Sql = Sql::same(concat!(
    "SELECT COUNT(*) AS removed,
         CAST(COALESCE(SUM((SELECT SUM(OCTET_LENGTH(fact.body)) FROM fact
                            WHERE fact.chain_id = chain.id)), 0) AS BIGINT) AS bytes
     FROM chain WHERE ",
    over!()
));
const COUNT_ANSWERS: Sql = Sql::same(
    "SELECT COUNT(*) AS removed,
         CAST(COALESCE(SUM(OCTET_LENGTH(request) + OCTET_LENGTH(outcome)), 0) AS BIGINT) AS bytes
     FROM idempotency WHERE created_at < $1",
);

impl Tx {
    /// How much of a kind is older than `before` and may go.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn count_removable(
        &mut self,
        kind: Removable,
        before: Timestamp,
    ) -> Result<Removed, StorageError> {
        let sql = match kind {
            Removable::DeliveryBodies => COUNT_BODIES,
            Removable::UnparsedBodies => COUNT_UNPARSED_BODIES,
            Removable::Deliveries => COUNT_DELIVERIES,
            Removable::Facts => COUNT_CHAINS,
            Removable::IdempotencyKeys => COUNT_ANSWERS,
        };
        self.take_time().await?;
        let row = self.query(sql).bind(before).one().await?;
        Ok(Removed {
            rows: row.get("removed")?,
            bytes: row.get("bytes")?,
        })
    }

    /// Looks behind `after` for ids that may go, in their order, and tells how far it has looked. Keys
    /// of orders have no ids: they are removed by [`Tx::remove_idempotency_keys`].
    ///
    /// # Errors
    /// If the store fails.
    pub async fn find_removable(
        &mut self,
        kind: Removable,
        before: Timestamp,
        after: i64,
        limit: u32,
    ) -> Result<Found, StorageError> {
        let (next, find) = match kind {
            Removable::DeliveryBodies => (NEXT_DELIVERIES, FIND_BODIES),
            Removable::UnparsedBodies => (NEXT_DELIVERIES, FIND_UNPARSED_BODIES),
            Removable::Deliveries => (NEXT_DELIVERIES, FIND_DELIVERIES),
            Removable::Facts => (NEXT_CHAINS, FIND_CHAINS),
            Removable::IdempotencyKeys => return Ok(Found::default()),
        };
        let next = self.query(next).bind(after).bind(SEARCHED_MAX);
        let Some(last): Option<i64> = next.one().await?.get("id")? else {
            return Ok(Found::default());
        };
        let find = self.query(find).bind(before).bind(after);
        let rows = find.bind(i64::from(limit)).bind(last).all().await?;
        let ids: Vec<i64> = rows
            .iter()
            .map(|row| row.get("id"))
            .collect::<Result<_, _>>()?;
        let full = ids.len() as u64 >= u64::from(limit);
        let searched_to = ids.last().copied().filter(|_| full).or(Some(last));
        Ok(Found { ids, searched_to })
    }

    /// Removes what [`Tx::find_removable`] found, unless it may no longer go.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn remove(
        &mut self,
        kind: Removable,
        id: i64,
        before: Timestamp,
        now: Timestamp,
    ) -> Result<Removed, StorageError> {
        match kind {
            Removable::DeliveryBodies => self.empty_body(EMPTY_BODY, id, before).await,
            Removable::UnparsedBodies => self.empty_body(EMPTY_UNPARSED_BODY, id, before).await,
            Removable::Deliveries => {
                let delete = self.query(DELETE_DELIVERY).bind(before).bind(id);
                Ok(Removed::new(delete.run().await?, 0))
            }
            Removable::Facts => self.close_chain(id, before, now).await,
            Removable::IdempotencyKeys => Ok(Removed::default()),
        }
    }

    /// Forgets the oldest answers to orders that carried an `Idempotency-Key`, `limit` at most.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn remove_idempotency_keys(
        &mut self,
        before: Timestamp,
        limit: u32,
    ) -> Result<Removed, StorageError> {
        let delete = self.query(DELETE_ANSWERS).bind(before);
        Ok(Removed::new(delete.bind(i64::from(limit)).run().await?, 0))
    }

    async fn empty_body(
        &mut self,
        empty: Sql,
        id: i64,
        before: Timestamp,
    ) -> Result<Removed, StorageError> {
        let row = self.query(BODY_BYTES).bind(id).optional().await?;
        let bytes = row.map_or(Ok(0), |row| row.get("bytes"))?;
        match self.query(empty).bind(before).bind(id).run().await? {
            0 => Ok(Removed::default()),
            rows => Ok(Removed::new(rows, bytes)),
        }
    }

    async fn close_chain(
        &mut self,
        chain: i64,
        before: Timestamp,
        now: Timestamp,
    ) -> Result<Removed, StorageError> {
        let close = self.query(CLOSE_CHAIN).bind(before).bind(chain);
        if close.run().await? == 0 {
            return Ok(Removed::default());
        }
        let bytes = self
            .query(FACT_BYTES)
            .bind(chain)
            .one()
            .await?
            .get("bytes")?;
        let lines = self.query(LINES).bind(chain).all().await?;
        let lines: Vec<Closed> = lines.iter().map(closed).collect::<Result<_, _>>()?;
        for sql in DELETE_OF_CHAIN {
            self.query(sql).bind(chain).run().await?;
        }
        for line in lines {
            let body = json(&FactBody::Closed(Box::new(line)))?;
            let leave = self.query(LEAVE).bind(chain).bind(now).bind(body);
            leave.run().await?;
        }
        Ok(Removed::new(1, bytes))
    }
}

fn closed(row: &Row) -> Result<Closed, StorageError> {
    let status: String = row.get("status")?;
    let standing = Standing::from_word(&status).ok_or_else(|| {
        StorageError::Corrupt(format!("column status has the unknown word `{status}`"))
    })?;
    Ok(Closed {
        unit: unit_key(row)?,
        number: row.get("number")?,
        standing,
    })
}
