//! Credit that people put on accounts, and take off them again where that was a mistake.

use super::backend::{Sql, Tx};
use super::error::LedgerError;
use super::posting::{Account, Header, Part, Steps, sum};
use super::records::{AccountStatus, Balance, CreditChange};
use crate::domain::clock::Timestamp;
use crate::ledger::{self, Line};

const UNIT: Sql = Sql::same("SELECT scale FROM unit WHERE code = $1");

impl Tx {
    /// Puts credit into an account, which is made if there is none; returns what it has then.
    ///
    /// # Errors
    /// [`LedgerError::Amount`] if it is not above zero or the balance would become too large,
    /// [`LedgerError::UnknownUnit`], [`LedgerError::Closed`].
    pub async fn top_up(
        &mut self,
        top_up: &CreditChange,
        now: Timestamp,
    ) -> Result<Balance, LedgerError> {
        let account = match self.changeable(top_up).await? {
            Some(account) if account.balance.status == AccountStatus::Closed => {
                return Err(LedgerError::Closed);
            }
            Some(account) => account,
            None => {
                let (owner, unit) = (&top_up.owner, &top_up.amount.unit);
                self.open_account(owner, unit, now).await?
            }
        };
        let lines = ledger::top_up(top_up.amount.minor);
        let posted = self.post(("topup", top_up), account, lines, now).await?;
        posted.ok_or_else(|| LedgerError::Amount(top_up.amount.clone()))
    }

    /// Takes credit off an account, as much as is available and no more; returns what it has then. From one
    /// that is frozen or closed, too: whoever does it is a person.
    ///
    /// # Errors
    /// [`LedgerError::Insufficient`] (an account that does not exist has nothing), [`LedgerError::Amount`] if
    /// it is not above zero, [`LedgerError::UnknownUnit`].
    pub async fn deduct(
        &mut self,
        deduction: &CreditChange,
        now: Timestamp,
    ) -> Result<Balance, LedgerError> {
        let asked = &deduction.amount;
        let short = |available| LedgerError::Insufficient {
            asked: asked.clone(),
            available,
        };
        let account = self.changeable(deduction).await?.ok_or_else(|| short(0))?;
        // A credit limit is for bookings: nobody is put into debt by hand.
        let own = account.balance.posted - account.balance.held;
        if own < asked.minor {
            return Err(short(own.max(0)));
        }
        let lines = ledger::deduct(asked.minor);
        let posted = self
            .post(("adjust", deduction), account, lines, now)
            .await?;
        posted.ok_or_else(|| short(own))
    }

    /// The account that is to be changed, if there is one.
    async fn changeable(&mut self, change: &CreditChange) -> Result<Option<Account>, LedgerError> {
        let amount = &change.amount;
        if !ledger::is_postable(amount.minor) {
            return Err(LedgerError::Amount(amount.clone()));
        }
        let unit = self.query(UNIT).bind(&amount.unit).optional().await?;
        if unit.is_none() {
            return Err(LedgerError::UnknownUnit(amount.unit.clone()));
        }
        Ok(self.account(&change.owner, &amount.unit, None).await?)
    }

    /// Writes the transaction down; `None` if the account does not allow for it.
    async fn post(
        &mut self,
        (kind, change): (&'static str, &CreditChange),
        account: Account,
        lines: Vec<Line>,
        now: Timestamp,
    ) -> Result<Option<Balance>, LedgerError> {
        let Some(after) = self.step(account.id, sum(&lines)?).await? else {
            return Ok(None);
        };
        let header = Header {
            kind,
            actor: &change.actor,
            reason: change.reason.as_deref(),
            decision: None,
            metadata: change.metadata.as_deref(),
            now,
        };
        let part = Part {
            account: account.id,
            unit: change.amount.unit.clone(),
            hold: None,
            lines,
        };
        let steps = Steps::from([(account.id, after)]);
        self.record(header, &[part], &steps).await?;
        Ok(Some(Balance {
            posted: after.posted,
            held: after.held,
            ..account.balance
        }))
    }
}
