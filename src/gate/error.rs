//! What can go wrong in the gate, seen from outside.

use crate::domain::amount::AmountError;
use crate::domain::owner::NotAnAddress;
use crate::storage::{LedgerError, StorageError};

/// Why the gate could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The ledger refused.
    #[error("{0}")]
    Ledger(LedgerError),
    /// An amount was refused.
    #[error(transparent)]
    Amount(#[from] AmountError),
    /// The owner is not an address.
    #[error("owner: {0}")]
    Owner(#[from] NotAnAddress),
    /// No such unit is configured.
    #[error("unknown unit `{unit}`; configured: {known}")]
    UnknownUnit {
        /// The unit as given.
        unit: String,
        /// The configured ones.
        known: String,
    },
    /// A request that makes no sense; what would.
    #[error("{0}")]
    Invalid(String),
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// It cannot be done as things stand; why, and what would be right.
    #[error("{0}")]
    Conflict(String),
    /// There is not enough credit; how much is, and what would be right.
    #[error("{0}")]
    ShortOfCredit(String),
    /// The idempotency key was used for another request.
    #[error("this idempotency key was used for another request; different: {differs}")]
    KeyReused {
        /// The fields that differ.
        differs: String,
    },
    /// A journal cannot be read.
    #[error("{0}")]
    Journal(String),
    /// A stored value could not be read back.
    #[error("a stored value could not be read back: {0}")]
    Damaged(#[from] serde_json::Error),
}

impl From<LedgerError> for GateError {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Storage(error) => Self::Storage(error),
            refusal => Self::Ledger(refusal),
        }
    }
}

/// Logs that work is put off because of the store. That the store is down it says itself, once.
pub(super) fn put_off(error: &StorageError, what: &'static str) {
    if error.is_transient() {
        tracing::debug!(error = %error, "{what}");
    } else {
        tracing::warn!(error = %error, "{what}");
    }
}
