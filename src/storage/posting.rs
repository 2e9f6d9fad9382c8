//! How a transaction gets into the books: the running balances first, since only they can refuse,
//! then the transaction and its entries.

use std::collections::BTreeMap;

use super::backend::{Key, Sql, Tx, Value, inserted};
use super::error::StorageError;
use super::records::{AccountStatus, Balance};
use super::words::{from_word, word};
use crate::domain::amount::UnitCode;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{AccountId, DecisionId, HoldId};
use crate::domain::owner::Owner;
use crate::ledger::{BALANCE_MINOR_MAX, Change, Line, Role, change};

const ACCOUNT: Sql = Sql::same(
    "SELECT id, unit, posted, held, credit_limit, status,
         (SELECT hold.id FROM hold WHERE hold.decision_id = $3) AS hold_id
     FROM account WHERE owner = $1 AND unit = $2 AND kind = 'booker'",
)
.in_sets();
// One statement takes the step or does not. The CHECK of the table says the same once more.
const APPLY: Sql = Sql::same(
    "UPDATE account SET posted = posted + $2, held = held + $3, version = version + 1
     WHERE id = $1 AND posted + $2 - held - $3 + credit_limit >= 0 AND posted + $2 <= $4
     RETURNING posted, held, version",
)
.in_sets();
const HOUSE: Sql =
    Sql::same("SELECT id FROM account WHERE owner = '' AND unit = $1 AND kind = $2").in_sets();
const INSERT_ACCOUNT: Sql = Sql::same(
    "INSERT INTO account (unit, kind, owner, tracked, created_at) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (owner, unit, kind) DO NOTHING RETURNING id",
);
const INSERT_TXN: Sql = Sql::same(
    "INSERT INTO txn (kind, actor, reason, decision_id, metadata, recorded_at)
     VALUES ($1, $2, $3, $4, $5, $6) RETURNING id",
)
.in_sets();
// Rows come as arrays to a server, and one by one to a file.
const INSERT_ENTRIES: Sql = Sql::each(
    "INSERT INTO entry (txn_id, line, account_id, layer, amount, hold_id, posted_after, held_after,
         account_version)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    "INSERT INTO entry (txn_id, line, account_id, layer, amount, hold_id, posted_after, held_after,
         account_version)
     SELECT * FROM UNNEST($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::bigint[],
         $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[]) AS new",
)
.in_sets();

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
    /// What the decision that was asked about holds already.
    pub(super) hold: Option<HoldId>,
}

/// A running balance after a step.
#[derive(Debug, Clone, Copy)]
pub(super) struct After {
    pub(super) posted: i64,
    pub(super) held: i64,
    version: i64,
}

/// One line of a transaction as the table has it: number, account, layer, amount, hold, and the account's
/// posted, held and version afterwards.
type Entry = (
    i64,
    i64,
    &'static str,
    i64,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
);

/// The steps taken, by account.
pub(super) type Steps = BTreeMap<AccountId, After>;

impl Tx {
    /// A booker's account in one unit, and what a decision holds, on whichever account.
    pub(super) async fn account(
        &mut self,
        owner: &Owner,
        unit: &UnitCode,
        decision: Option<DecisionId>,
    ) -> Result<Option<Account>, StorageError> {
        let account = self.query(ACCOUNT).bind(owner).bind(unit);
        let row = account.bind(decision).optional().await?;
        row.map(|row| {
            Ok(Account {
                id: row.get("id")?,
                hold: row.get("hold_id")?,
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
        let insert = insert.bind(owner).bind(true).bind(now);
        Ok(Account {
            id: opened(insert.new_id().await?)?,
            hold: None,
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
        self.alone_with(|| Key::Account(account)).await?;
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
        let txn = inserted(insert.new_id().await?)?;
        let mut houses: BTreeMap<(&UnitCode, Role), AccountId> = BTreeMap::new();
        let (mut numbers, mut entries) = (0, Vec::new());
        for part in parts {
            for line in &part.lines {
                let key = (&part.unit, line.role);
                let (account, after) = match (line.role, houses.get(&key)) {
                    (Role::Booker, _) => (part.account, steps.get(&part.account)),
                    (_, Some(&house)) => (house, None),
                    (role, None) => {
                        let house = self.house(&part.unit, role, header.now).await?;
                        houses.insert(key, house);
                        (house, None)
                    }
                };
                numbers += 1;
                entries.push((
                    numbers,
                    account.0,
                    line.layer.as_str(),
                    line.amount,
                    part.hold.map(|hold| hold.0),
                    after.map(|after| after.posted),
                    after.map(|after| after.held),
                    after.map(|after| after.version),
                ));
            }
        }
        self.insert_entries(txn, &entries).await
    }

    async fn insert_entries(&mut self, txn: i64, entries: &[Entry]) -> Result<(), StorageError> {
        if !self.has_rivals() {
            for entry in entries {
                let insert = self.query(INSERT_ENTRIES).bind(txn);
                let insert = insert.bind(entry.0).bind(entry.1).bind(entry.2);
                let insert = insert.bind(entry.3).bind(entry.4).bind(entry.5);
                insert.bind(entry.6).bind(entry.7).run().await?;
            }
            return Ok(());
        }
        let column =
            |of: fn(&Entry) -> Option<i64>| Value::Integers(entries.iter().map(of).collect());
        let layers = entries.iter().map(|entry| Some(entry.2.to_owned()));
        let insert = self.query(INSERT_ENTRIES);
        let insert = insert.bind(Value::Integers(vec![Some(txn); entries.len()]));
        let insert = insert.bind(column(|entry| Some(entry.0)));
        let insert = insert.bind(column(|entry| Some(entry.1)));
        let insert = insert.bind(Value::Texts(layers.collect()));
        let insert = insert.bind(column(|entry| Some(entry.3)));
        let insert = insert.bind(column(|entry| entry.4));
        let insert = insert.bind(column(|entry| entry.5));
        let insert = insert.bind(column(|entry| entry.6));
        let insert = insert.bind(column(|entry| entry.7));
        insert.run().await.map(drop)
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
        opened(insert.bind(false).bind(now).new_id().await?)
    }
}

fn opened(account: Option<i64>) -> Result<AccountId, StorageError> {
    let text = "another transaction opened the same account";
    let account = account.ok_or_else(|| StorageError::Conflict(text.to_owned()))?;
    Ok(AccountId(account))
}

/// What lines change on their booker's account.
pub(super) fn sum(lines: &[Line]) -> Result<Change, StorageError> {
    change(lines).ok_or_else(|| StorageError::Refused("amounts beyond 64 bits".to_owned()))
}
