//! Whose credit pays for a booking, and whether it suffices.

use crate::domain::account::AccountStatus;
use crate::domain::amount::{Amount, UnitCode};
use crate::domain::booking::Details;
use crate::domain::chain::{ChainRecord, Hold, HoldState};
use crate::domain::decision::Terms;
use crate::domain::ids::HoldId;
use crate::domain::owner::Owner;
use crate::policy::facts::{AccountFacts, Balance};
use crate::storage::records::AccountRows;
use crate::storage::{StorageError, Tx};

/// Whose credit pays, and whether it suffices.
pub(super) struct Payer {
    /// `None` if the booking names nobody: then nothing suffices.
    pub(super) owner: Option<Owner>,
    pub(super) amount: Amount,
    pub(super) suffices: bool,
}

/// Credit that this decision sets free or has already used, by unit of account.
#[derive(Default)]
pub(super) struct Spare(Vec<Amount>);

impl Spare {
    fn of(&self, unit: &UnitCode) -> i64 {
        let same = self.0.iter().filter(|amount| amount.unit == *unit);
        same.map(|amount| amount.minor).sum()
    }

    pub(super) fn take(&mut self, amount: &Amount) {
        self.0.push(Amount {
            minor: -amount.minor,
            unit: amount.unit.clone(),
        });
    }
}

pub(super) fn returning(record: &ChainRecord, holds: &[HoldId]) -> Spare {
    let of = |hold: &&Hold| holds.contains(&hold.id);
    let back = record.holds.iter().filter(of).map(|hold| Amount {
        minor: match hold.state {
            HoldState::Held => hold.amount.minor,
            HoldState::Captured => hold.captured - hold.refunded,
            HoldState::Released | HoldState::Carried => 0,
        },
        unit: hold.amount.unit.clone(),
    });
    Spare(back.collect())
}

/// The booker's account, kept as it is until the transaction ends.
pub(super) async fn account(
    tx: &mut Tx,
    owner: Option<&Owner>,
    spare: &Spare,
) -> Result<Option<AccountFacts>, StorageError> {
    let Some(owner) = owner else {
        return Ok(None);
    };
    let account = tx.locked_accounts(owner).await?;
    Ok(account.map(|account| seen(account, spare)))
}

/// An account as policies see it.
pub(super) fn seen(account: AccountRows, spare: &Spare) -> AccountFacts {
    let balances = account.balances.into_iter().map(|line| {
        let spare = spare.of(&line.unit);
        let balance = Balance {
            posted: line.posted,
            held: line.held,
            available: line.posted - line.held + line.credit_limit + spare,
            limit: line.credit_limit,
        };
        (line.unit, balance)
    });
    AccountFacts {
        status: account.status,
        created_at: account.created_at,
        balances: balances.collect(),
    }
}

/// Whether a booking costs anything.
pub(super) fn has_price(terms: &Terms) -> bool {
    terms.cost.as_ref().is_some_and(|cost| cost.minor > 0)
}

pub(super) async fn payer(
    tx: &mut Tx,
    owner: Option<Owner>,
    terms: &Terms,
    spare: &Spare,
) -> Result<Option<Payer>, StorageError> {
    if !has_price(terms) {
        return Ok(None);
    }
    let facts = account(tx, owner.as_ref(), spare).await?;
    Ok(payer_with(owner, terms, facts.as_ref()))
}

/// What an open account has for a booking, in minor units; `None` without one.
pub(super) async fn available(
    tx: &mut Tx,
    owner: &Owner,
    unit: &UnitCode,
    spare: &Spare,
) -> Result<Option<i64>, StorageError> {
    let account = account(tx, Some(owner), spare).await?;
    let open = account.filter(|account| account.status == AccountStatus::Open);
    Ok(open.map(|account| account.balances.get(unit).map_or(0, |line| line.available)))
}

/// Who pays, where the account is known already. It stays locked, so that it is still as it was.
pub(super) fn payer_with(
    owner: Option<Owner>,
    terms: &Terms,
    account: Option<&AccountFacts>,
) -> Option<Payer> {
    let amount = terms.cost.clone().filter(|cost| cost.minor > 0)?;
    let suffices = account.is_some_and(|account| {
        let balance = account.balances.get(&amount.unit);
        account.status == AccountStatus::Open
            && balance.is_some_and(|balance| balance.available >= amount.minor)
    });
    Some(Payer {
        owner,
        amount,
        suffices,
    })
}

/// What was waived before stays waived.
pub(super) fn unpaid(details: &Details, terms: &Terms) -> Option<Payer> {
    let amount = terms.cost.clone().filter(|cost| cost.minor > 0)?;
    Some(Payer {
        owner: details.booker.email.clone(),
        amount,
        suffices: false,
    })
}
