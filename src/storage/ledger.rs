//! The operations of the ledger. What they post is told in [`crate::ledger`]; here it is written
//! down, each operation as one transaction of the books. An operation that is refused has changed
//! nothing, and one that is repeated does nothing.

use super::backend::{Row, Sql, Tx, inserted};
use super::error::{LedgerError, StorageError};
use super::posting::{Account, GATE, Header, Part, Steps, sum};
use super::records::{AccountStatus, HoldRequest, HoldState, Posted};
use super::words::{from_word, word};
use crate::domain::amount::{Amount, UnitCode};
use crate::domain::clock::Timestamp;
use crate::domain::ids::{AccountId, ChainId, DecisionId, HoldId};
use crate::domain::owner::Owner;
use crate::ledger::{self, Line, Remainder};

const HOLD: Sql = Sql::same(
    "SELECT hold.id, hold.account_id, account.unit, account.owner, hold.decision_id, hold.amount,
         hold.captured, hold.refunded, hold.state
     FROM hold JOIN account ON account.id = hold.account_id WHERE hold.id = $1",
)
.in_sets();
const INSERT_HOLD: Sql = Sql::same(
    "INSERT INTO hold (account_id, chain_id, decision_id, uid, seat, amount, state, created_at,
         updated_at)
     VALUES ($1, $2, $3, $4, $5, $6, 'held', $7, $7) RETURNING id",
)
.in_sets();
const SET_HOLD: Sql = Sql::same(
    "UPDATE hold SET state = $2, captured = $3, released = $4, refunded = $5, updated_at = $6
     WHERE id = $1",
)
.in_sets();
const WAIVE: Sql = Sql::same(
    "INSERT INTO waiver (decision_id, chain_id, unit, amount, reason, created_at)
     VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (decision_id) DO NOTHING",
);

/// A hold with its account's unit and owner.
#[derive(Debug, Clone)]
struct Standing {
    id: HoldId,
    account: AccountId,
    unit: UnitCode,
    owner: Owner,
    decision: DecisionId,
    amount: i64,
    captured: i64,
    refunded: i64,
    state: HoldState,
}

impl Standing {
    fn left(&self) -> Remainder {
        match self.state {
            HoldState::Held => Remainder {
                open: self.amount,
                kept: 0,
            },
            HoldState::Captured => Remainder {
                open: 0,
                kept: self.captured - self.refunded,
            },
            HoldState::Released | HoldState::Carried => Remainder::default(),
        }
    }

    fn part(&self, lines: Vec<Line>) -> Part {
        Part {
            account: self.account,
            unit: self.unit.clone(),
            hold: Some(self.id),
            lines,
        }
    }

    fn header(&self, kind: &'static str, now: Timestamp) -> Header<'static> {
        Header {
            kind,
            actor: GATE,
            reason: None,
            decision: Some(self.decision),
            metadata: None,
            now,
        }
    }
}

impl Tx {
    /// Sets credit aside for a decision, once: a repeated call returns the hold that is there.
    ///
    /// # Errors
    /// [`LedgerError::Insufficient`] (an account that does not exist has nothing),
    /// [`LedgerError::Frozen`], [`LedgerError::Closed`], [`LedgerError::Amount`].
    pub async fn hold(
        &mut self,
        request: &HoldRequest,
        now: Timestamp,
    ) -> Result<HoldId, LedgerError> {
        self.carry(&[], request, now).await
    }

    /// Holds for a decision with the credit of older holds: in one transaction, all that they have
    /// open is released, all that they keep is refunded, and the new amount is held, or nothing
    /// happens. The older holds end as carried; those that have nothing left to give stay as they
    /// are. They may be on other accounts than the new one.
    ///
    /// # Errors
    /// As [`Tx::hold`], where `available` counts what the older holds give back; and
    /// [`StorageError::Missing`] for an older hold that does not exist.
    pub async fn carry(
        &mut self,
        from: &[HoldId],
        request: &HoldRequest,
        now: Timestamp,
    ) -> Result<HoldId, LedgerError> {
        let asked = &request.amount;
        let (owner, decision) = (&request.owner, Some(request.decision));
        let found = self.account(owner, &asked.unit, decision).await?;
        if let Some(hold) = found.as_ref().and_then(|account| account.hold) {
            return Ok(hold);
        }
        if !ledger::is_postable(asked.minor) {
            return Err(LedgerError::Amount(asked.clone()));
        }
        let older = self.carried(from).await?;
        let mut parts: Vec<Part> = older
            .iter()
            .map(|old| old.part(ledger::unwind(old.left())))
            .collect();

        // The account that is asked comes first: it is the only one that can refuse.
        let account = usable(found, asked)?;
        let lines = ledger::hold(asked.minor);
        let own = parts.iter().filter(|part| part.account == account.id);
        let back: Vec<Line> = own.flat_map(|part| part.lines.clone()).collect();
        let all: Vec<Line> = back.iter().chain(&lines).copied().collect();
        let step = self.step(account.id, sum(&all)?).await?;
        let Some(after) = step else {
            let back = sum(&back)?;
            return Err(LedgerError::Insufficient {
                asked: asked.clone(),
                available: account.balance.available() + back.posted - back.held,
            });
        };
        let steps = self
            .steps(&parts, Steps::from([(account.id, after)]))
            .await?;
        for old in &older {
            self.set_carried(old, now).await?;
        }
        let hold = self.insert_hold(account.id, request, now).await?;
        parts.push(Part {
            account: account.id,
            unit: asked.unit.clone(),
            hold: Some(hold),
            lines,
        });
        let header = Header {
            kind: if older.is_empty() { "hold" } else { "carry" },
            actor: GATE,
            reason: None,
            decision: Some(request.decision),
            metadata: None,
            now,
        };
        self.record(header, &parts, &steps).await?;
        Ok(hold)
    }

    /// Spends what a hold has set aside. [`Posted::Duplicate`] if it was resolved before.
    ///
    /// # Errors
    /// [`StorageError::Missing`] if there is no such hold.
    pub async fn capture(
        &mut self,
        hold: HoldId,
        now: Timestamp,
    ) -> Result<Posted<()>, StorageError> {
        let standing = self.standing(hold).await?;
        if standing.state != HoldState::Held {
            return Ok(Posted::Duplicate);
        }
        let amount = standing.amount;
        self.set_hold(hold, HoldState::Captured, (amount, 0, 0), now)
            .await?;
        let part = standing.part(ledger::capture(amount));
        self.give_back(standing.header("capture", now), part).await
    }

    /// Frees what a hold has set aside. [`Posted::Duplicate`] if it was resolved before.
    ///
    /// # Errors
    /// [`StorageError::Missing`] if there is no such hold.
    pub async fn release_hold(
        &mut self,
        hold: HoldId,
        now: Timestamp,
    ) -> Result<Posted<()>, StorageError> {
        let standing = self.standing(hold).await?;
        if standing.state != HoldState::Held {
            return Ok(Posted::Duplicate);
        }
        let amount = standing.amount;
        self.set_hold(hold, HoldState::Released, (0, amount, 0), now)
            .await?;
        let part = standing.part(ledger::release(amount));
        self.give_back(standing.header("release", now), part).await
    }

    /// Gives `minor` units of a captured hold back. [`Posted::Duplicate`] if there is nothing to
    /// give back: it was not captured, all of it was refunded before, or `minor` is zero or less.
    ///
    /// # Errors
    /// [`StorageError::RefundTooLarge`] if less is left, [`StorageError::Missing`] if there is no
    /// such hold.
    pub async fn refund(
        &mut self,
        hold: HoldId,
        minor: i64,
        reason: &str,
        now: Timestamp,
    ) -> Result<Posted<()>, StorageError> {
        let standing = self.standing(hold).await?;
        let left = standing.left().kept;
        if left == 0 || minor <= 0 {
            return Ok(Posted::Duplicate);
        }
        if minor > left {
            return Err(StorageError::RefundTooLarge {
                hold,
                asked: minor,
                left,
            });
        }
        let sums = (standing.captured, 0, standing.refunded + minor);
        self.set_hold(hold, HoldState::Captured, sums, now).await?;
        let header = Header {
            reason: Some(reason),
            ..standing.header("refund", now)
        };
        let part = standing.part(ledger::refund(minor));
        self.give_back(header, part).await
    }

    /// Spends again `minor` units that a captured hold gave back. [`Posted::Duplicate`] if it has not given
    /// back so much, or `minor` is zero or less.
    ///
    /// # Errors
    /// As [`Tx::hold`]; [`StorageError::Missing`] if there is no such hold.
    pub async fn charge_again(
        &mut self,
        hold: HoldId,
        minor: i64,
        reason: &str,
        now: Timestamp,
    ) -> Result<Posted<()>, LedgerError> {
        let standing = self.standing(hold).await?;
        if standing.state != HoldState::Captured || minor <= 0 || standing.refunded < minor {
            return Ok(Posted::Duplicate);
        }
        let asked = Amount {
            minor,
            unit: standing.unit.clone(),
        };
        let found = self.account(&standing.owner, &asked.unit, None).await?;
        let account = usable(found, &asked)?;
        let lines = ledger::charge_again(minor);
        let step = self.step(account.id, sum(&lines)?).await?;
        let after = step.ok_or_else(|| LedgerError::Insufficient {
            asked,
            available: account.balance.available(),
        })?;
        let sums = (standing.captured, 0, standing.refunded - minor);
        self.set_hold(hold, HoldState::Captured, sums, now).await?;
        let header = Header {
            reason: Some(reason),
            ..standing.header("reverse", now)
        };
        let steps = Steps::from([(account.id, after)]);
        self.record(header, &[standing.part(lines)], &steps).await?;
        Ok(Posted::New(()))
    }

    /// Writes down that a decision's price is not asked for, once for each decision.
    ///
    /// # Errors
    /// If the amount is not above zero, or the store fails.
    pub async fn waive(
        &mut self,
        decision: DecisionId,
        chain: ChainId,
        amount: &Amount,
        reason: &str,
        now: Timestamp,
    ) -> Result<Posted<()>, StorageError> {
        let waive = self.query(WAIVE).bind(decision).bind(chain);
        let waive = waive.bind(&amount.unit).bind(amount.minor);
        match waive.bind(reason).bind(now).run().await? {
            0 => Ok(Posted::Duplicate),
            _ => Ok(Posted::New(())),
        }
    }

    async fn standing(&mut self, hold: HoldId) -> Result<Standing, StorageError> {
        let row = self.query(HOLD).bind(hold).optional().await?;
        let row = row.ok_or(StorageError::Missing {
            what: "hold",
            id: hold.0,
        })?;
        standing(&row)
    }

    /// Those of the holds that can be carried, each once.
    async fn carried(&mut self, from: &[HoldId]) -> Result<Vec<Standing>, StorageError> {
        let mut ids = from.to_vec();
        ids.sort_unstable();
        ids.dedup();
        let mut older = Vec::with_capacity(ids.len());
        for id in ids {
            let old = self.standing(id).await?;
            if old.left() != Remainder::default() {
                older.push(old);
            }
        }
        Ok(older)
    }

    async fn set_carried(&mut self, old: &Standing, now: Timestamp) -> Result<(), StorageError> {
        let (captured, released) = match old.state {
            HoldState::Held => (0, old.amount),
            _ => (old.captured, 0),
        };
        let sums = (captured, released, captured);
        self.set_hold(old.id, HoldState::Carried, sums, now).await
    }

    /// `sums` are captured, released, refunded.
    async fn set_hold(
        &mut self,
        hold: HoldId,
        state: HoldState,
        sums: (i64, i64, i64),
        now: Timestamp,
    ) -> Result<(), StorageError> {
        let set = self.query(SET_HOLD).bind(hold).bind(word(state)?);
        let set = set.bind(sums.0).bind(sums.1).bind(sums.2);
        set.bind(now).run().await.map(drop)
    }

    async fn insert_hold(
        &mut self,
        account: AccountId,
        request: &HoldRequest,
        now: Timestamp,
    ) -> Result<HoldId, StorageError> {
        let insert = self.query(INSERT_HOLD).bind(account).bind(request.chain);
        let insert = insert.bind(request.decision).bind(&request.unit.uid);
        let insert = insert.bind(&request.unit.seat).bind(request.amount.minor);
        inserted(insert.bind(now).new_id().await?).map(HoldId)
    }

    async fn give_back(
        &mut self,
        header: Header<'_>,
        part: Part,
    ) -> Result<Posted<()>, StorageError> {
        let parts = [part];
        let steps = self.steps(&parts, Steps::new()).await?;
        self.record(header, &parts, &steps).await?;
        Ok(Posted::New(()))
    }
}

/// The account, if it may be held on.
fn usable(account: Option<Account>, asked: &Amount) -> Result<Account, LedgerError> {
    let account = account.ok_or_else(|| LedgerError::Insufficient {
        asked: asked.clone(),
        available: 0,
    })?;
    match account.balance.status {
        AccountStatus::Open => Ok(account),
        AccountStatus::Frozen => Err(LedgerError::Frozen),
        AccountStatus::Closed => Err(LedgerError::Closed),
    }
}

fn standing(row: &Row) -> Result<Standing, StorageError> {
    Ok(Standing {
        id: row.get("id")?,
        account: row.get("account_id")?,
        unit: row.get("unit")?,
        owner: row.get("owner")?,
        decision: row.get("decision_id")?,
        amount: row.get("amount")?,
        captured: row.get("captured")?,
        refunded: row.get("refunded")?,
        state: from_word(row, "state")?,
    })
}
