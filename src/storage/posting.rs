//! How a transaction gets into the books: the running balances first, since only they can refuse,
//! then the transaction and its entries.

use std::collections::BTreeMap;

use super::backend::{Row, Sql, Tx};
use super::error::StorageError;
use super::records::{AccountStatus, Balance};
use super::words::{from_word, word};
use crate::domain::amount::UnitCode;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{AccountId, DecisionId, HoldId};
use crate::domain::owner::Owner;
use crate::ledger::{BALANCE_MINOR_MAX, Change, Line, Role, change};

const ACCOUNT: Sql = Sql::same(
    "SELECT id, unit, posted, held, credit_limit, status FROM account
     WHERE owner = $1 AND unit = $2 AND kind = 'booker'",
);
// One statement takes the step or does not. The CHECK of the table says the same once more.
const APPLY: Sql = Sql::same(
    "UPDATE account SET posted = posted + $2, held = held + $3, version = version + 1
     WHERE id = $1 AND posted + $2 - held - $3 + credit_limit >= 0 AND posted + $2 <= $4
     RETURNING posted, held, version",
);
const HOUSE: Sql = Sql::same("SELECT id FROM account WHERE owner = '' AND unit = $1 AND kind = $2");
const INSERT_ACCOUNT: Sql = Sql::same(
    "INSERT INTO account (unit, kind, owner, tracked, created_at) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (owner, unit, kind) DO NOTHING RETURNING id",
);
const INSERT_TXN: Sql = Sql::same(
    "INSERT INTO txn (kind, actor, reason, decision_id, metadata, recorded_at)
     VALUES ($1, $2, $3, $4, $5, $6) RETURNING id",
);
const INSERT_ENTRY: Sql = Sql::same(
    "INSERT INTO entry (txn_id, line, account_id, layer, amount, hold_id, posted_after, held_after,
         account_version)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
);

/// Who acts when nobody outside does.
pub(super) const GATE: &str = "gate";

/// The head of a transaction.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header<'a> {
    pub(super) kind: &'static str,
    pub(super) actor: &'a str,
    pub(super) reason: Option<&'a str>,
    pub(super) decision: Option<DecisionId>,
    pub(super) metadata: Option<&'a str>,
    pub(super) now: Timestamp,
}

/// Lines on one booker's account, for one hold if any. Their other side is the house's.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) account: AccountId,
    pub(super) unit: UnitCode,
    pub(super) hold: Option<HoldId>,
    pub(super) lines: Vec<Line>,
}

/// A booker's account as it is now.
#[derive(Debug, Clone)]
pub(super) struct Account {
    pub(super) id: AccountId,
    pub(super) balance: Balance,
}

/// A running balance after a step.
#[derive(Debug, Clone, Copy)]
pub(super) struct After {
    pub(super) posted: i64,
    pub(super) held: i64,
    version: i64,
}

/// The steps taken, by account.
pub(super) type Steps = BTreeMap<AccountId, After>;

impl Tx {
    /// A booker's account in one unit.
    pub(super) async fn account(
        &mut self,
        owner: &Owner,
        unit: &UnitCode,
    ) -> Result<Option<Account>, StorageError> {
        let row = self
            .query(ACCOUNT)
            .bind(owner)
            .bind(unit)
            .optional()
            .await?;
        row.map(|row| {
            Ok(Account {
                id: row.get("id")?,
                balance: Balance {
                    unit: row.get("unit")?,
                    posted: row.get("posted")?,
                    held: row.get("held")?,
                    credit_limit: row.get("credit_limit")?,
                    status: from_word(&row, "status")?,
                },
            })
        })
        .transpose()
    }

    /// Makes an empty account for a booker.
    pub(super) async fn open_account(
        &mut self,
        owner: &Owner,
        unit: &UnitCode,
        now: Timestamp,
    ) -> Result<Account, StorageError> {
        let insert = self.query(INSERT_ACCOUNT).bind(unit).bind("booker");
        let row = insert.bind(owner).bind(true).bind(now).optional().await?;
        Ok(Account {
            id: opened(row.as_ref())?,
            balance: Balance {
                unit: unit.clone(),
                posted: 0,
                held: 0,
                credit_limit: 0,
                status: AccountStatus::Open,
            },
        })
    }

    /// Takes one step of a running balance. `None`, and nothing changed, if that would bring it
    /// below its limit or above [`BALANCE_MINOR_MAX`].
    pub(super) async fn step(
        &mut self,
        account: AccountId,
        change: Change,
    ) -> Result<Option<After>, StorageError> {
        let apply = self.query(APPLY).bind(account).bind(change.posted);
        let apply = apply.bind(change.held).bind(BALANCE_MINOR_MAX);
        let row = apply.optional().await?;
        row.map(|row| {
            Ok(After {
                posted: row.get("posted")?,
                held: row.get("held")?,
                version: row.get("version")?,
            })
        })
        .transpose()
    }

    /// Takes the steps of these parts that cannot be refused, because they only give back; accounts
    /// in `steps` have taken theirs.
    pub(super) async fn steps(
        &mut self,
        parts: &[Part],
        mut steps: Steps,
    ) -> Result<Steps, StorageError> {
        let mut changes: BTreeMap<AccountId, Vec<Line>> = BTreeMap::new();
        for part in parts {
            changes.entry(part.account).or_default().extend(&part.lines);
        }
        for (account, lines) in changes {
            if steps.contains_key(&account) {
                continue;
            }
            let after = self.step(account, sum(&lines)?).await?;
            let after = after.ok_or_else(|| {
                StorageError::Corrupt(format!("account {account} cannot take back what it gave"))
            })?;
            steps.insert(account, after);
        }
        Ok(steps)
    }

    /// Writes a transaction whose steps were taken.
    pub(super) async fn record(
        &mut self,
        header: Header<'_>,
        parts: &[Part],
        steps: &Steps,
    ) -> Result<(), StorageError> {
        let insert = self.query(INSERT_TXN).bind(header.kind).bind(header.actor);
        let insert = insert.bind(header.reason).bind(header.decision);
        let insert = insert.bind(header.metadata).bind(header.now);
        let txn: i64 = insert.one().await?.get("id")?;
        let mut number = 0;
        for part in parts {
            for line in &part.lines {
                number += 1;
                let (account, after) = match line.role {
                    Role::Booker => (part.account, steps.get(&part.account)),
                    house => (self.house(&part.unit, house, header.now).await?, None),
                };
                let insert = self.query(INSERT_ENTRY).bind(txn).bind(number);
                let insert = insert.bind(account).bind(word(line.layer)?);
                let insert = insert.bind(line.amount).bind(part.hold);
                let insert = insert.bind(after.map(|after| after.posted));
                let insert = insert.bind(after.map(|after| after.held));
                let insert = insert.bind(after.map(|after| after.version));
                insert.run().await?;
            }
        }
        Ok(())
    }

    /// The house's account of one kind; made when it is first needed.
    async fn house(
        &mut self,
        unit: &UnitCode,
        role: Role,
        now: Timestamp,
    ) -> Result<AccountId, StorageError> {
        let kind = word(role)?;
        let found = self.query(HOUSE).bind(unit).bind(&kind).optional().await?;
        if let Some(row) = found {
            return row.get("id");
        }
        let insert = self.query(INSERT_ACCOUNT).bind(unit).bind(&kind).bind("");
        let row = insert.bind(false).bind(now).optional().await?;
        opened(row.as_ref())
    }
}

fn opened(row: Option<&Row>) -> Result<AccountId, StorageError> {
    match row {
        Some(row) => row.get("id"),
        None => Err(StorageError::Conflict(
            "another transaction opened the same account".to_owned(),
        )),
    }
}

/// What lines change on their booker's account.
pub(super) fn sum(lines: &[Line]) -> Result<Change, StorageError> {
    change(lines).ok_or_else(|| StorageError::Refused("amounts beyond 64 bits".to_owned()))
}
