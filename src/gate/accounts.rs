//! Credit accounts as an admin sees them: topping up and deducting, once per idempotency key, and looking.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::again::again;
use super::query::page;
use super::views::{AccountView, Page};
use super::{Actor, Desk, GateError};
use crate::domain::amount::{Amount, Unit, UnitCode};
use crate::domain::owner::Owner;
use crate::storage::records::{AccountRows, Balance, CreditChange, StoredAnswer};
use crate::storage::{LedgerError, Tx};

/// The longest idempotency key taken, in bytes.
const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;
/// The longest reason taken, in characters.
const REASON_CHARS_MAX: usize = 500;
/// The largest metadata taken, in bytes of JSON.
const METADATA_BYTES_MAX: usize = 4_096;
/// HTTP status of a change that was made.
const CREATED: u16 = 201;

/// Which way credit goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CreditKind {
    /// It is put on an account, which is made if there is none.
    TopUp,
    /// It is taken off an account where it should not be: no more than is available, so that no booking that
    /// was accepted is unpaid.
    Deduction,
}

/// A request to put credit on an account, or to take it off.
#[derive(Debug, Clone)]
pub struct CreditRequest {
    /// Which of the two.
    pub kind: CreditKind,
    /// Whose account.
    pub owner: String,
    /// How much, as a decimal text.
    pub amount: String,
    /// Of which unit.
    pub unit: String,
    /// Why; shown in the account's entries. A deduction needs one.
    pub reason: Option<String>,
    /// Whatever else is to be kept with it.
    pub metadata: Option<Value>,
    /// The same key means the same request: it is done once.
    pub idempotency_key: String,
    /// Who asks.
    pub actor: Actor,
}

/// The answer to a top-up or a deduction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreditAnswer {
    /// HTTP status.
    pub status: u16,
    /// The account after it, as JSON.
    pub body: Value,
    /// Whether this is the stored answer to an earlier request with the same key.
    pub replayed: bool,
}

/// One balance of an account; amounts are decimal texts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BalanceView {
    /// The unit.
    pub unit: UnitCode,
    /// What was put in and not spent.
    pub posted: String,
    /// What of it is set aside for pending bookings.
    pub held: String,
    /// What may be used now.
    pub available: String,
}

/// Which accounts to list.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountsAsked {
    /// Those whose address begins so, in any case of its letters; any if empty.
    pub begins: Option<String>,
    /// Where to begin, from the page before.
    pub after: Option<String>,
    /// How many.
    pub limit: Option<u32>,
}

impl Desk {
    /// Accounts, by the address of their owner.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn accounts(&self, asked: AccountsAsked) -> Result<Page<AccountView>, GateError> {
        let begins = asked.begins.unwrap_or_default().trim().to_lowercase();
        let after = asked.after.unwrap_or_default();
        let limit = page(asked.limit);
        let desk = self.clone();
        self.storage
            .read(move |tx| {
                Box::pin(async move {
                    let rows = tx.accounts(&begins, &after, limit + 1).await?;
                    let cursor = |(owner, _): &(Owner, AccountRows)| owner.to_string();
                    let view = |(owner, account)| desk.account_of(owner, &account);
                    Ok(Page::of(rows, limit, cursor, view))
                })
            })
            .await
    }

    /// The units of account there are.
    pub fn units(&self) -> impl Iterator<Item = &UnitCode> {
        self.units.keys()
    }

    /// Puts credit on an account, or takes it off, once for each idempotency key.
    ///
    /// # Errors
    /// [`GateError::Invalid`], [`GateError::Amount`], [`GateError::Owner`] or
    /// [`GateError::UnknownUnit`] for a request that makes no sense, [`GateError::KeyReused`] if the
    /// key was used for another request, [`GateError::ShortOfCredit`] if there is less to be taken off.
    pub async fn change_credit(&self, request: CreditRequest) -> Result<CreditAnswer, GateError> {
        let order = Arc::new(self.understand(request)?);
        again(|| {
            let (desk, order) = (self.clone(), Arc::clone(&order));
            self.storage
                .write(move |tx| Box::pin(async move { desk.post(tx, &order).await }))
        })
        .await
    }
}

impl CreditKind {
    /// What it is to the audit log, and what its idempotency keys belong to.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::TopUp => ("account.top_up", "POST /v1/accounts/top-ups"),
            Self::Deduction => ("account.deduct", "POST /v1/accounts/deductions"),
        }
    }
}

/// A request that makes sense.
struct Order {
    kind: CreditKind,
    change: CreditChange,
    actor: Actor,
    key: String,
    /// The request in a form in which equal requests are equal texts.
    canonical: BTreeMap<&'static str, Value>,
}

impl Desk {
    fn unit(&self, code: &str) -> Result<&Unit, GateError> {
        let unit = UnitCode::try_from(code).ok();
        unit.and_then(|code| self.units.get(&code)).ok_or_else(|| {
            let known: Vec<_> = self.units.keys().map(UnitCode::as_str).collect();
            GateError::UnknownUnit {
                unit: code.to_owned(),
                known: known.join(", "),
            }
        })
    }

    fn understand(&self, request: CreditRequest) -> Result<Order, GateError> {
        let invalid = |text: &str| Err(GateError::Invalid(text.to_owned()));
        if request.idempotency_key.is_empty() {
            return invalid(
                "the Idempotency-Key header is empty; send a value that is new for each request",
            );
        }
        if request.idempotency_key.len() > IDEMPOTENCY_KEY_BYTES_MAX {
            return invalid("the Idempotency-Key header is longer than 255 bytes");
        }
        let owner = Owner::parse(&request.owner)?;
        let unit = self.unit(&request.unit)?;
        let amount = unit.parse(&request.amount)?;
        if amount.minor <= 0 {
            return invalid("amount: must be more than 0");
        }
        let unexplained = request
            .reason
            .as_ref()
            .is_none_or(|reason| reason.trim().is_empty());
        if request.kind == CreditKind::Deduction && unexplained {
            return invalid("reason: say why credit is taken off; it stands in the statement");
        }
        if request
            .reason
            .as_ref()
            .is_some_and(|reason| reason.chars().count() > REASON_CHARS_MAX)
        {
            return invalid("reason: longer than 500 characters");
        }
        let metadata = match &request.metadata {
            None | Some(Value::Null) => None,
            Some(Value::Object(map)) => Some(Value::Object(map.clone()).to_string()),
            Some(_) => return invalid("metadata: must be an object"),
        };
        if metadata
            .as_ref()
            .is_some_and(|text| text.len() > METADATA_BYTES_MAX)
        {
            return invalid("metadata: larger than 4096 bytes");
        }
        let canonical = BTreeMap::from([
            ("owner", Value::from(owner.as_str())),
            ("amount", Value::from(unit.format(amount.minor))),
            ("unit", Value::from(unit.code.as_str())),
            ("reason", Value::from(request.reason.clone())),
            ("metadata", request.metadata.clone().unwrap_or(Value::Null)),
        ]);
        Ok(Order {
            kind: request.kind,
            key: request.idempotency_key,
            canonical,
            change: CreditChange {
                owner,
                amount,
                actor: request.actor.name.clone(),
                reason: request.reason,
                metadata,
            },
            actor: request.actor,
        })
    }

    async fn post(&self, tx: &mut Tx, order: &Order) -> Result<CreditAnswer, GateError> {
        let (action, place) = order.kind.names();
        // Keys belong to who uses them: two tokens may use the same one for different things.
        let scope = format!("{} {place}", order.change.actor);
        let canonical = serde_json::to_string(&order.canonical)?;
        let hash = Sha256::digest(canonical.as_bytes());
        if let Some(stored) = tx.idempotent(&scope, &order.key).await? {
            if stored.request_hash != hash[..] {
                let differs = differences(&stored.request, &order.canonical)?;
                return Err(GateError::KeyReused { differs });
            }
            return Ok(CreditAnswer {
                status: u16::try_from(stored.status).unwrap_or(CREATED),
                body: serde_json::from_str(&stored.outcome)?,
                replayed: true,
            });
        }
        let now = self.clock.now();
        let (owner, amount) = (&order.change.owner, &order.change.amount);
        match order.kind {
            CreditKind::TopUp => tx.top_up(&order.change, now).await?,
            CreditKind::Deduction => {
                let deducted = tx.deduct(&order.change, now).await;
                deducted.map_err(|refusal| self.not_deducted(refusal, amount))?
            }
        };
        let detail = format!("{} {}", self.amount_text(amount), amount.unit);
        let actor = &order.actor;
        let change = actor.change(action, owner.as_str(), Some(detail));
        tx.note_change(&change, now).await?;
        let body = self.account_view(tx, owner).await?.ok_or_else(|| {
            GateError::NotFound("the account that was just changed is gone".to_owned())
        })?;
        let body = serde_json::to_value(body)?;
        let answer = StoredAnswer {
            request_hash: hash.to_vec(),
            request: canonical,
            status: i64::from(CREATED),
            outcome: body.to_string(),
        };
        tx.put_idempotent(&scope, &order.key, &answer, now).await?;
        Ok(CreditAnswer {
            status: CREATED,
            body,
            replayed: false,
        })
    }

    fn not_deducted(&self, refusal: LedgerError, asked: &Amount) -> GateError {
        let LedgerError::Insufficient { available, .. } = refusal else {
            return refusal.into();
        };
        let available = Amount {
            minor: available,
            unit: asked.unit.clone(),
        };
        let (asked, available) = (self.amount_text(asked), self.amount_text(&available));
        GateError::ShortOfCredit(format!(
            "{asked} cannot be taken off: {available} is available, and what is held for bookings stays"
        ))
    }

    pub(super) fn balance_view(&self, balance: &Balance) -> BalanceView {
        let text = |minor: i64| match self.units.get(&balance.unit) {
            Some(unit) => unit.format(minor),
            // A unit that was taken out of the settings keeps its accounts; only its scale is unknown.
            None => format!("{minor} minor units"),
        };
        BalanceView {
            unit: balance.unit.clone(),
            posted: text(balance.posted),
            held: text(balance.held),
            available: text(balance.available()),
        }
    }

    /// An amount as a decimal text.
    pub(super) fn amount_text(&self, amount: &Amount) -> String {
        match self.units.get(&amount.unit) {
            Some(unit) => unit.format(amount.minor),
            None => format!("{} minor units", amount.minor),
        }
    }
}

fn differences(stored: &str, request: &BTreeMap<&'static str, Value>) -> Result<String, GateError> {
    let stored: BTreeMap<String, Value> = serde_json::from_str(stored)?;
    let fields: Vec<&str> = request
        .iter()
        .filter(|(name, value)| stored.get(**name) != Some(value))
        .map(|(name, _)| *name)
        .collect();
    Ok(fields.join(", "))
}
