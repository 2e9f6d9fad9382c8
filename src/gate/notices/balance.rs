//! Tells of accounts that become too low: once, when they fall below what their unit's `low_balance` says,
//! and again only after they have been above it.

use super::Notices;
use crate::domain::amount::{Amount, UnitCode};
use crate::domain::clock::Timestamp;
use crate::domain::owner::Owner;
use crate::gate::payer::Payer;
use crate::gate::{Desk, Inner};
use crate::storage::{StorageError, Tx};

/// An account that is about to pay.
pub(in crate::gate) struct Watched {
    owner: Owner,
    unit: UnitCode,
    threshold: i64,
}

impl Watched {
    /// Looks at the account of who is about to pay; `None` if nobody is told of it, whatever comes.
    pub(in crate::gate) async fn begin(
        notices: &Notices,
        tx: &mut Tx,
        payer: Option<&Payer>,
    ) -> Result<Option<Self>, StorageError> {
        let asked = payer.and_then(|payer| {
            let unit = &payer.amount.unit;
            Some((payer.owner.as_ref()?, unit, notices.low_balance(unit)?))
        });
        let Some((owner, unit, threshold)) = asked else {
            return Ok(None);
        };
        let before = available(tx, owner, unit).await?;
        Ok(before.filter(|before| *before >= threshold).map(|_| Self {
            owner: owner.clone(),
            unit: unit.clone(),
            threshold,
        }))
    }

    /// Tells of it if it has fallen.
    pub(in crate::gate) async fn end(
        self,
        gate: &Inner,
        tx: &mut Tx,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        let after = available(tx, &self.owner, &self.unit).await?;
        let Some(after) = after.filter(|after| *after < self.threshold) else {
            return Ok(());
        };
        let text = |minor| amount_text(&gate.desk, minor, &self.unit);
        let texts = (text(after), text(self.threshold));
        gate.notices
            .low(tx, &self.owner, &self.unit, texts, now)
            .await
    }
}

fn amount_text(desk: &Desk, minor: i64, unit: &UnitCode) -> String {
    desk.amount_text(&Amount {
        minor,
        unit: unit.clone(),
    })
}

async fn available(
    tx: &mut Tx,
    owner: &Owner,
    unit: &UnitCode,
) -> Result<Option<i64>, StorageError> {
    let balances = tx.balances(owner).await?.unwrap_or_default();
    let of_unit = balances.iter().find(|balance| balance.unit == *unit);
    Ok(of_unit.map(|balance| balance.available()))
}
