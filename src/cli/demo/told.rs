//! What the story consists of, as plain values: `--json` prints them as they are, `print` for people.

use serde::{Deserialize, Serialize};

use crate::domain::decision::Outcome;
use crate::policy::Trace;

/// One step of the story.
#[derive(Debug, Default, Serialize)]
pub(super) struct Step {
    /// What it is about.
    pub(super) title: &'static str,
    /// What people did.
    pub(super) happened: Vec<String>,
    /// The webhooks that came in, in this order.
    pub(super) webhooks: Vec<Webhook>,
    /// What was decided, if something was.
    pub(super) decision: Option<Decided>,
    /// What the provider was asked and told.
    pub(super) calls: Vec<Call>,
    /// The webhooks that came because of those calls.
    pub(super) echoes: Vec<Webhook>,
    /// The lines of a statement.
    pub(super) entries: Vec<Entry>,
    /// The accounts afterwards.
    pub(super) accounts: Vec<Account>,
    /// What it shows.
    pub(super) shows: String,
}

/// A webhook and its answer.
#[derive(Debug, Serialize)]
pub(super) struct Webhook {
    pub(super) trigger: &'static str,
    pub(super) booking: String,
    pub(super) answered: u16,
}

/// A call to the provider.
#[derive(Debug, Serialize)]
pub(super) struct Call {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) answered: Option<u16>,
}

/// A booking, as the admin endpoint shows it; what the story does not need is left out.
#[derive(Debug, Deserialize)]
pub(super) struct Booking {
    pub(super) status: String,
    pub(super) decisions: Vec<Decided>,
    pub(super) deliveries: Vec<serde::de::IgnoredAny>,
}

/// A decision, as the admin endpoint shows it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Decided {
    #[serde(rename = "unit")]
    pub(super) booking: String,
    pub(super) outcome: Outcome,
    pub(super) policy: Option<String>,
    pub(super) message: Option<String>,
    pub(super) cost: Option<String>,
    pub(super) trace: Trace,
}

/// An account, as the admin endpoint shows it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Account {
    pub(super) owner: String,
    pub(super) balances: Vec<Balance>,
}

/// One balance of an account.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Balance {
    pub(super) unit: String,
    pub(super) posted: String,
    pub(super) held: String,
    pub(super) available: String,
}

/// A line of an account's history, as the admin endpoint shows it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) kind: String,
    pub(super) layer: String,
    pub(super) amount: String,
    pub(super) posted_after: String,
    pub(super) held_after: String,
}

/// A page of a list.
#[derive(Debug, Deserialize)]
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
}

/// What the ledger says of itself.
#[derive(Debug, Deserialize)]
pub(super) struct Verified {
    pub(super) ok: bool,
}
