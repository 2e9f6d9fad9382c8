//! Whose turn it is: when a chain is due, and the lease by which exactly one worker works it.
//!
//! While a chain is leased, its due time is what *others* ask for meanwhile: taking a lease clears
//! it, giving the lease back puts the worker's own wish beside it, and the earlier one stays.

use super::backend::{Key, Row, Sql, Tx};
use super::error::StorageError;
use super::records::{Lease, Released};
use super::words::earlier;
use crate::domain::clock::{Timestamp, plus_ms};
use crate::domain::ids::{ChainId, DeliveryId};

const SET_DUE: Sql =
    Sql::same("UPDATE chain SET due_at = $2 WHERE id = $1 AND merged_into IS NULL");
const DUE_NO_LATER: Sql = Sql::same(
    "UPDATE chain SET version = version + 1,
         due_at = CASE WHEN due_at IS NULL OR due_at > $2 THEN $2 ELSE due_at END
     WHERE id = $1 AND merged_into IS NULL",
);
// Two statements, so that each is read from its own index: what its holder has let expire, and what is
// due and free. A holder never takes over from itself: it is alive, and at work. On a server, rows that
// another instance is taking at this moment are passed over.
// There they are also found before they are looked up: a server that does not know the limit expects a
// tenth of what is due, and would rather read all chains than look up so many.
const CLAIM_EXPIRED: Sql = Sql::each(
    "UPDATE chain SET lease_owner = $1, lease_until = $2, lease_fence = lease_fence + 1, due_at = NULL
     WHERE id IN (SELECT id FROM chain WHERE lease_until <= $3 AND lease_owner <> $1
                  ORDER BY lease_until, id LIMIT $4)
     RETURNING id, source, lease_fence, lease_until",
    "UPDATE chain SET lease_owner = $1, lease_until = $2, lease_fence = lease_fence + 1, due_at = NULL
     WHERE id = ANY(ARRAY(SELECT id FROM chain WHERE lease_until <= $3 AND lease_owner <> $1
                          ORDER BY lease_until, id LIMIT $4 FOR UPDATE SKIP LOCKED))
     RETURNING id, source, lease_fence, lease_until",
);
const CLAIM_DUE: Sql = Sql::each(
    "UPDATE chain SET lease_owner = $1, lease_until = $2, lease_fence = lease_fence + 1, due_at = NULL
     WHERE id IN (SELECT id FROM chain WHERE due_at <= $3 AND lease_until IS NULL
                  ORDER BY due_at, id LIMIT $4)
     RETURNING id, source, lease_fence, lease_until",
    "UPDATE chain SET lease_owner = $1, lease_until = $2, lease_fence = lease_fence + 1, due_at = NULL
     WHERE id = ANY(ARRAY(SELECT id FROM chain WHERE due_at <= $3 AND lease_until IS NULL
                          ORDER BY due_at, id LIMIT $4 FOR UPDATE SKIP LOCKED))
     RETURNING id, source, lease_fence, lease_until",
);
// In the order of their index: to give them by id, SQLite would go through all chains.
const EXPIRED_OF: Sql = Sql::same(
    "SELECT id, source, lease_fence, lease_until FROM chain
     WHERE lease_until <= $2 AND lease_owner = $1 ORDER BY lease_until, id",
);
const RENEW: Sql = Sql::same(
    "UPDATE chain SET lease_until = $3
     WHERE id = $1 AND lease_fence = $2 AND lease_owner IS NOT NULL",
);
const RELEASE: Sql = Sql::same(
    "UPDATE chain SET lease_owner = NULL, lease_until = NULL,
         due_at = CASE WHEN due_at IS NULL THEN $3
                       WHEN CAST($3 AS BIGINT) IS NULL OR due_at < $3 THEN due_at
                       ELSE $3 END
     WHERE id = $1 AND lease_fence = $2 AND lease_owner IS NOT NULL RETURNING due_at",
)
.in_sets();
const HELD_VERSION: Sql = Sql::same(
    "SELECT version FROM chain WHERE id = $1 AND lease_fence = $2 AND lease_owner IS NOT NULL",
)
.in_sets();
const LOOK: Sql = Sql::same(
    "SELECT version, (SELECT MAX(id) FROM delivery WHERE filed_at IS NULL) AS unfiled FROM chain
     WHERE id = $1 AND lease_fence = $2 AND lease_owner IS NOT NULL",
)
.in_sets();
const LOCK: Sql = Sql::same("SELECT id FROM chain WHERE id = $1 FOR UPDATE").in_sets();
const LOCK_LEASED: Sql = Sql::each(
    "SELECT version, lease_fence, lease_owner FROM chain WHERE id = $1",
    "SELECT version, lease_fence, lease_owner FROM chain WHERE id = $1 FOR UPDATE",
)
.in_sets();
const EARLIEST_DUE: Sql = Sql::same(
    "SELECT MIN(due_at) AS at FROM chain WHERE due_at IS NOT NULL AND lease_until IS NULL",
);
const EARLIEST_EXPIRY: Sql =
    Sql::same("SELECT MIN(lease_until) AS at FROM chain WHERE lease_until IS NOT NULL");

impl Tx {
    /// Sets when a worker shall look at a chain; `None`: no need to.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn set_due(
        &mut self,
        chain: ChainId,
        due: Option<Timestamp>,
    ) -> Result<(), StorageError> {
        let update = self.query(SET_DUE).bind(chain).bind(due);
        update.run().await.map(drop)
    }

    /// Makes a chain due at `due`, unless it is due earlier, and a new version of it: whoever has it
    /// leased looks at all of it again.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn due_no_later_than(
        &mut self,
        chain: ChainId,
        due: Timestamp,
    ) -> Result<(), StorageError> {
        let update = self.query(DUE_NO_LATER).bind(chain).bind(due);
        update.run().await.map(drop)
    }

    /// Leases chains whose lease another worker has let expire, and chains that are due and free; of
    /// each the longest waiting first. `lease_ms` are milliseconds from `now`.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn claim(
        &mut self,
        worker: &str,
        now: Timestamp,
        lease_ms: i64,
        limit: u32,
    ) -> Result<Vec<Lease>, StorageError> {
        let until = plus_ms(now, lease_ms);
        let claim = self.query(CLAIM_EXPIRED).bind(worker).bind(until).bind(now);
        let rows = claim.bind(i64::from(limit)).all().await?;
        let mut leases: Vec<Lease> = rows.iter().map(lease).collect::<Result<_, _>>()?;
        let left = limit.saturating_sub(u32::try_from(leases.len()).unwrap_or(u32::MAX));
        leases.extend(self.claim_free(worker, now, lease_ms, left).await?);
        Ok(leases)
    }

    /// A worker's own leases that have expired. It may know of them and be at work, after the clock
    /// has jumped; or not know of them, because the store failed when it took or gave them back.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn expired_of(
        &mut self,
        worker: &str,
        now: Timestamp,
    ) -> Result<Vec<Lease>, StorageError> {
        let expired = self.query(EXPIRED_OF).bind(worker).bind(now);
        expired.all().await?.iter().map(lease).collect()
    }

    /// As [`Tx::claim`], but takes nothing over: only chains that are due and free.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn claim_free(
        &mut self,
        worker: &str,
        now: Timestamp,
        lease_ms: i64,
        limit: u32,
    ) -> Result<Vec<Lease>, StorageError> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let until = plus_ms(now, lease_ms);
        let claim = self.query(CLAIM_DUE).bind(worker).bind(until).bind(now);
        let rows = claim.bind(i64::from(limit)).all().await?;
        rows.iter().map(lease).collect()
    }

    /// Holds a lease for longer; `false` if it was lost.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn renew(&mut self, lease: &Lease, until: Timestamp) -> Result<bool, StorageError> {
        let renew = self.query(RENEW).bind(lease.chain).bind(lease.fence);
        Ok(renew.bind(until).run().await? == 1)
    }

    /// Gives a lease back. The chain is due at `due`, or earlier if somebody asked for it meanwhile.
    /// `None` if the lease was lost: then nothing changes.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn release_lease(
        &mut self,
        lease: &Lease,
        due: Option<Timestamp>,
    ) -> Result<Option<Released>, StorageError> {
        let release = self.query(RELEASE).bind(lease.chain).bind(lease.fence);
        let row = release.bind(due).optional().await?;
        let due = row.map(|row| row.get("due_at")).transpose()?;
        Ok(due.map(|due| Released { due }))
    }

    /// Keeps others away from a chain until the transaction ends: whoever changes anything that
    /// belongs to a chain locks it first. Where there is only one writer, that is so already.
    ///
    /// # Errors
    /// [`StorageError::Conflict`] if another transaction has it for too long.
    pub async fn lock_chain(&mut self, chain: ChainId) -> Result<(), StorageError> {
        self.alone_with(|| Key::Chain(chain)).await?;
        if self.has_rivals() {
            self.query(LOCK).bind(chain).run().await?;
        }
        Ok(())
    }

    /// As [`Tx::lock_chain`], and gives what [`Tx::held_version`] gives.
    ///
    /// # Errors
    /// As [`Tx::lock_chain`].
    pub async fn lock_leased(&mut self, lease: &Lease) -> Result<Option<i64>, StorageError> {
        self.alone_with(|| Key::Chain(lease.chain)).await?;
        let lock = self.query(LOCK_LEASED).bind(lease.chain);
        let Some(row) = lock.optional().await? else {
            return Ok(None);
        };
        let owner: Option<String> = row.get("lease_owner")?;
        let holds = owner.is_some() && row.get::<i64>("lease_fence")? == lease.fence;
        Ok(holds.then_some(row.get("version")?))
    }

    /// The version of a leased chain: goes up with every fact and every merge, and with whatever anybody
    /// but its worker does. `None` if the lease was lost: another fence is the highest, it was given back,
    /// or the chain was merged away. An expired lease that nobody took over still holds.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn held_version(&mut self, lease: &Lease) -> Result<Option<i64>, StorageError> {
        let held = self.query(HELD_VERSION).bind(lease.chain).bind(lease.fence);
        let row = held.optional().await?;
        row.map(|row| row.get("version")).transpose()
    }

    /// What [`Tx::held_version`] gives, and the last delivery that is not filed yet, at one moment.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn look_at(
        &mut self,
        lease: &Lease,
    ) -> Result<Option<(i64, Option<DeliveryId>)>, StorageError> {
        let look = self.query(LOOK).bind(lease.chain).bind(lease.fence);
        let row = look.optional().await?;
        row.map(|row| Ok((row.get("version")?, row.get("unfiled")?)))
            .transpose()
    }

    /// When there is something to claim next: the earliest due time of a free chain, or expiry of a
    /// lease.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn next_due(&mut self) -> Result<Option<Timestamp>, StorageError> {
        let due = self.query(EARLIEST_DUE).one().await?.get("at")?;
        let expiry = self.query(EARLIEST_EXPIRY).one().await?.get("at")?;
        Ok(earlier(due, expiry))
    }
}

fn lease(row: &Row) -> Result<Lease, StorageError> {
    Ok(Lease {
        chain: row.get("id")?,
        source: row.get("source")?,
        fence: row.get("lease_fence")?,
        until: row.get("lease_until")?,
    })
}
