//! Whether an account may be used.

use serde::{Deserialize, Serialize};

/// The state of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountStatus {
    /// In use.
    Open,
    /// No new holds; those it has may be captured, released and refunded.
    Frozen,
    /// No new holds and no top-ups.
    Closed,
}

impl AccountStatus {
    /// The status as it is written in policies, messages and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Frozen => "frozen",
            Self::Closed => "closed",
        }
    }
}
