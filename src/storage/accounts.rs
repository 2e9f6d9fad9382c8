//! What the ledger shows: balances, entries, and the holds of a chain.

use std::collections::BTreeMap;

use super::backend::{Key, Row, Sql, Tx};
use super::decisions::unit_key;
use super::error::StorageError;
use super::records::{
    AccountRows, AccountStatus, Balance, EntryCursor, EntryFilter, EntryRow, Hold,
};
use super::words::from_word;
use crate::domain::amount::Amount;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{ChainId, HoldId};
use crate::domain::owner::Owner;

const ACCOUNTS: Sql = Sql::same(
    "SELECT unit, posted, held, credit_limit, status, created_at FROM account
     WHERE owner = $1 AND kind = 'booker' ORDER BY unit",
)
.in_sets();
// Locked in the order in which everybody locks them.
const LOCKED_ACCOUNTS: Sql = Sql::each(
    "SELECT unit, posted, held, credit_limit, status, created_at FROM account
     WHERE owner = $1 AND kind = 'booker' ORDER BY id",
    "SELECT unit, posted, held, credit_limit, status, created_at FROM account
     WHERE owner = $1 AND kind = 'booker' ORDER BY id FOR UPDATE",
)
.in_sets();
const ENTRIES: Sql = Sql::same(
    "SELECT entry.txn_id, entry.line, txn.kind, txn.actor, txn.reason, txn.decision_id,
         txn.recorded_at, entry.hold_id, hold.uid, hold.seat, entry.layer, entry.amount,
         account.unit, entry.posted_after, entry.held_after
     FROM account JOIN entry ON entry.account_id = account.id
     JOIN txn ON txn.id = entry.txn_id
     LEFT JOIN hold ON hold.id = entry.hold_id
     WHERE account.owner = $1 AND account.kind = 'booker'
         AND (CAST($2 AS TEXT) IS NULL OR account.unit = $2)
         AND (entry.txn_id, entry.line) < ($3, $4)
         AND (CAST($6 AS TEXT) IS NULL OR txn.kind = $6)
         AND (CAST($7 AS BIGINT) IS NULL OR txn.recorded_at >= $7)
         AND (CAST($8 AS BIGINT) IS NULL OR txn.recorded_at < $8)
     ORDER BY entry.txn_id DESC, entry.line DESC LIMIT $5",
);
const ENTRIES_OF_CHAIN: Sql = Sql::same(
    "SELECT entry.txn_id, entry.line, txn.kind, txn.actor, txn.reason, txn.decision_id,
         txn.recorded_at, entry.hold_id, hold.uid, hold.seat, entry.layer, entry.amount,
         account.unit, entry.posted_after, entry.held_after
     FROM hold JOIN entry ON entry.hold_id = hold.id
     JOIN txn ON txn.id = entry.txn_id
     JOIN account ON account.id = entry.account_id
     WHERE hold.chain_id = $1 AND account.kind = 'booker'
     ORDER BY entry.txn_id, entry.line LIMIT $2",
);
// An owner stands once for each unit. What begins so lies between it and what is behind all that does.
const OWNERS: Sql = Sql::same(
    "SELECT DISTINCT owner FROM account
     WHERE kind = 'booker' AND owner > $1 AND owner >= $2 AND owner < $3 ORDER BY owner LIMIT $4",
);
const ACCOUNTS_BETWEEN: Sql = Sql::same(
    "SELECT owner, unit, posted, held, credit_limit, status, created_at FROM account
     WHERE kind = 'booker' AND owner >= $1 AND owner <= $2 ORDER BY owner, unit",
);
pub(super) const HOLDS: Sql = Sql::same(
    "SELECT hold.id, hold.decision_id, hold.uid, hold.seat, account.owner, account.unit, hold.amount,
         hold.captured, hold.released, hold.refunded, hold.state
     FROM hold JOIN account ON account.id = hold.account_id
     WHERE hold.chain_id = $1 ORDER BY hold.id",
);
pub(super) const WAIVERS: Sql =
    Sql::same("SELECT decision_id FROM waiver WHERE chain_id = $1 ORDER BY decision_id");

impl Tx {
    /// The accounts of an owner, kept as they are until the transaction ends, so that what is decided by
    /// them can be held. Where there is only one writer, they are kept so already.
    ///
    /// # Errors
    /// [`StorageError::Conflict`] if another transaction has them for too long.
    pub async fn locked_accounts(
        &mut self,
        owner: &Owner,
    ) -> Result<Option<AccountRows>, StorageError> {
        self.alone_with(|| Key::Owner(owner.clone())).await?;
        let mut all: Option<AccountRows> = None;
        for row in self.query(LOCKED_ACCOUNTS).bind(owner).all().await? {
            add(&mut all, &row)?;
        }
        Ok(all)
    }

    /// The accounts of an owner. `None` if there are none.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn account_facts(
        &mut self,
        owner: &Owner,
    ) -> Result<Option<AccountRows>, StorageError> {
        let mut all: Option<AccountRows> = None;
        for row in self.query(ACCOUNTS).bind(owner).all().await? {
            add(&mut all, &row)?;
        }
        Ok(all)
    }

    /// The accounts of those owners behind `after` whose address begins so, by address.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn accounts(
        &mut self,
        begins: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<(Owner, AccountRows)>, StorageError> {
        // Behind every address that begins so: none has this sign.
        let behind = format!("{begins}\u{10ffff}");
        let owners = self.query(OWNERS).bind(after).bind(begins).bind(behind);
        let owners = owners.bind(i64::from(limit)).all().await?;
        let owners: Vec<Owner> = owners
            .iter()
            .map(|row| row.get("owner"))
            .collect::<Result<_, _>>()?;
        let (Some(first), Some(last)) = (owners.first(), owners.last()) else {
            return Ok(Vec::new());
        };
        let mut all: BTreeMap<Owner, Option<AccountRows>> = BTreeMap::new();
        let rows = self.query(ACCOUNTS_BETWEEN).bind(first).bind(last);
        for row in rows.all().await? {
            add(all.entry(row.get("owner")?).or_default(), &row)?;
        }
        let rows = owners.into_iter().filter_map(|owner| {
            let rows = all.remove(&owner)??;
            Some((owner, rows))
        });
        Ok(rows.collect())
    }

    /// What was held, taken and given back for the bookings of a chain, oldest first.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn entries_of_chain(
        &mut self,
        chain: ChainId,
        limit: u32,
    ) -> Result<Vec<EntryRow>, StorageError> {
        let rows = self.query(ENTRIES_OF_CHAIN).bind(chain);
        let rows = rows.bind(i64::from(limit)).all().await?;
        rows.iter().map(entry).collect()
    }

    /// The balances of an owner, by unit. `None` if it has no account.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn balances(&mut self, owner: &Owner) -> Result<Option<Vec<Balance>>, StorageError> {
        Ok(self.account_facts(owner).await?.map(|rows| rows.balances))
    }

    /// The entries of an owner that pass the filter, behind `after`, newest first.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn entries(
        &mut self,
        owner: &Owner,
        filter: &EntryFilter,
        after: Option<EntryCursor>,
        limit: u32,
    ) -> Result<Vec<EntryRow>, StorageError> {
        let newest = EntryCursor {
            txn: i64::MAX,
            line: i64::MAX,
        };
        let after = after.unwrap_or(newest);
        let rows = self.query(ENTRIES).bind(owner).bind(filter.unit.as_ref());
        let rows = rows.bind(after.txn).bind(after.line);
        let rows = rows.bind(i64::from(limit)).bind(&filter.kind);
        let rows = rows.bind(filter.since).bind(filter.until).all().await?;
        rows.iter().map(entry).collect()
    }
}

/// Adds an account in one unit to those of its owner.
fn add(all: &mut Option<AccountRows>, row: &Row) -> Result<(), StorageError> {
    let balance = balance(row)?;
    let created_at: Timestamp = row.get("created_at")?;
    let rows = all.get_or_insert(AccountRows {
        status: AccountStatus::Open,
        created_at,
        balances: Vec::new(),
    });
    rows.status = rows.status.max(balance.status);
    rows.created_at = rows.created_at.min(created_at);
    rows.balances.push(balance);
    Ok(())
}

fn balance(row: &Row) -> Result<Balance, StorageError> {
    Ok(Balance {
        unit: row.get("unit")?,
        posted: row.get("posted")?,
        held: row.get("held")?,
        credit_limit: row.get("credit_limit")?,
        status: from_word(row, "status")?,
    })
}

fn amount(row: &Row) -> Result<Amount, StorageError> {
    Ok(Amount {
        minor: row.get("amount")?,
        unit: row.get("unit")?,
    })
}

fn entry(row: &Row) -> Result<EntryRow, StorageError> {
    let hold: Option<HoldId> = row.get("hold_id")?;
    Ok(EntryRow {
        at: EntryCursor {
            txn: row.get("txn_id")?,
            line: row.get("line")?,
        },
        kind: row.get("kind")?,
        actor: row.get("actor")?,
        reason: row.get("reason")?,
        decision: row.get("decision_id")?,
        hold,
        booking: hold.map(|_| unit_key(row)).transpose()?,
        layer: from_word(row, "layer")?,
        amount: amount(row)?,
        posted_after: row.get("posted_after")?,
        held_after: row.get("held_after")?,
        recorded_at: row.get("recorded_at")?,
    })
}

pub(super) fn hold(row: &Row) -> Result<Hold, StorageError> {
    Ok(Hold {
        id: row.get("id")?,
        decision: row.get("decision_id")?,
        unit: unit_key(row)?,
        owner: row.get("owner")?,
        amount: amount(row)?,
        captured: row.get("captured")?,
        released: row.get("released")?,
        refunded: row.get("refunded")?,
        state: from_word(row, "state")?,
    })
}
