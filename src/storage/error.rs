//! What can go wrong with the store, in words a person can act on.

use std::path::PathBuf;

use crate::domain::amount::{Amount, UnitCode};
use crate::domain::ids::HoldId;

/// Why the store did not do what it was asked. Texts name tables and files, never what is in them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StorageError {
    /// It may work later: the disk is full, the file is busy, or the machine is in trouble.
    #[error("the store cannot be used at the moment: {0}")]
    Unavailable(String),
    /// Other work got in the way; nothing of this one was kept. Doing it again is all it takes.
    #[error("other work on the store got in the way: {0}")]
    Conflict(String),
    /// Another daemon has the file.
    #[error(
        "`{}` is in use by another bookgate: stop it first, or give this one a file of its own",
        path.display()
    )]
    Locked {
        /// The database file.
        path: PathBuf,
    },
    /// The server does not answer: it is down, not yet up, or the way to it is cut.
    #[error("cannot reach `{place}`: {cause}")]
    Unreachable {
        /// The database.
        place: String,
        /// What stands in the way.
        cause: String,
    },
    /// The server answers, and does not let us do our work: a password, a right or a database is
    /// missing. Nothing is wrong with the work.
    #[error("the database refuses bookgate: {0}")]
    Denied(String),
    /// The store cannot be opened at all; waiting changes nothing.
    #[error("cannot open `{place}`: {cause}")]
    Open {
        /// The database.
        place: String,
        /// What stands in the way.
        cause: String,
    },
    /// The store was written by a later version of bookgate.
    #[error(
        "`{place}` has schema {found}, and this bookgate knows {known} at most: use the version that wrote it"
    )]
    NewerSchema {
        /// The database.
        place: String,
        /// The schema it has.
        found: i64,
        /// The schema this program has.
        known: i64,
    },
    /// The store waits for migrations.
    #[error(
        "`{place}` has schema {found}, and this bookgate wants {known}: run `bookgate migrate` or start the daemon"
    )]
    OlderSchema {
        /// The database.
        place: String,
        /// The schema it has; 0 if it is empty.
        found: i64,
        /// The schema this program has.
        known: i64,
    },
    /// The settings give a used unit another scale.
    #[error(
        "unit {unit} has scale {stored} in the store and {wanted} in the settings: amounts already \
         stored would change their value, so set `units.{unit}.scale = {stored}` or use a new unit"
    )]
    UnitScale {
        /// The unit.
        unit: UnitCode,
        /// Its scale in the store.
        stored: i64,
        /// Its scale in the settings.
        wanted: u32,
    },
    /// The import that fills the store was interrupted.
    #[error(
        "`{place}` is only half imported: run `bookgate import` again, which goes on where it stopped"
    )]
    HalfImported {
        /// The database.
        place: String,
    },
    /// The store is damaged, or holds something this program never wrote.
    #[error("the store is damaged: {0}; restore a backup, or ask for help with a copy of the file")]
    Corrupt(String),
    /// The store will never take this row: a rule of the schema forbids it.
    #[error("the store refuses the row: {0}")]
    Refused(String),
    /// More was to be refunded than was captured and not yet given back.
    #[error("hold {hold}: a refund of {asked} minor units is more than the {left} that are left")]
    RefundTooLarge {
        /// The hold.
        hold: HoldId,
        /// Minor units asked for.
        asked: i64,
        /// Minor units that may still be refunded.
        left: i64,
    },
    /// A row that was named by its id is not there.
    #[error("{what} {id} does not exist")]
    Missing {
        /// What was looked for.
        what: &'static str,
        /// Its id.
        id: i64,
    },
    /// The work panicked; nothing of it was kept.
    #[error("the work on the store panicked; nothing of it was kept")]
    Panicked,
    /// The store was opened for reading.
    #[error("the store was opened for reading only")]
    ReadOnly,
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}

impl StorageError {
    /// Whether the same work may succeed later, unchanged.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Unavailable(_)
                | Self::Unreachable { .. }
                | Self::Denied(_)
                | Self::Conflict(_)
                | Self::Closed
        )
    }

    /// Whether what keeps a store from being opened may pass without a person doing something.
    pub(super) fn may_pass(&self) -> bool {
        self.is_transient() && !matches!(self, Self::Denied(_))
    }

    /// Whether it is the store that is in trouble, rather than this work with it.
    pub(super) fn is_trouble(&self) -> bool {
        matches!(
            self,
            Self::Unavailable(_) | Self::Unreachable { .. } | Self::Denied(_)
        )
    }

    /// What stands in the way, without the words around it.
    pub(super) fn cause(self) -> String {
        match self {
            Self::Unavailable(cause) | Self::Conflict(cause) => cause,
            other => other.to_string(),
        }
    }
}

/// Why the ledger refused. The refusal changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// The account has less than is asked for.
    #[error("not enough credit: {} minor units of {} asked for, {available} available", asked.minor, asked.unit)]
    Insufficient {
        /// What was asked for.
        asked: Amount,
        /// Minor units that were available: posted, less held, plus the credit limit.
        available: i64,
    },
    /// The account takes no new holds for now.
    #[error("the account is frozen")]
    Frozen,
    /// The account is closed.
    #[error("the account is closed")]
    Closed,
    /// Not an amount that can be posted.
    #[error(
        "{} minor units of {} cannot be posted: amounts are above zero, and no balance may pass {}",
        .0.minor, .0.unit, crate::ledger::BALANCE_MINOR_MAX
    )]
    Amount(Amount),
    /// The unit is not in the settings.
    #[error("unit {0} is not known: add it to `[units]` in the settings")]
    UnknownUnit(UnitCode),
    /// The store failed; this says nothing about the account.
    #[error(transparent)]
    Storage(#[from] StorageError),
}
