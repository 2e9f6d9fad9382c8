//! A chain's record while a step writes to it: what was written is known, and need not be read again.

use super::callouts::Open;
use crate::domain::chain::{ChainRecord, Command, Decision, Hold};
use crate::domain::ids::{CommandId, DecisionId};
use crate::domain::timeline::with_final_names;
use crate::storage::{StorageError, Tx};

/// What bookkeeping has made of all that a step may change.
pub(super) struct Written {
    pub(super) decisions: Vec<Decision>,
    pub(super) commands: Vec<Command>,
    pub(super) holds: Vec<Hold>,
    pub(super) waivers: Vec<DecisionId>,
    /// Whether credit was carried over: what became of the holds it came from, the ledger knows.
    pub(super) carried: bool,
    /// What has to be asked before the rest can be decided.
    pub(super) open: Vec<Open>,
}

impl Written {
    /// Nothing yet.
    pub(super) fn to(record: &ChainRecord) -> Self {
        Self {
            decisions: record.decisions.clone(),
            commands: record.commands.clone(),
            holds: record.holds.clone(),
            waivers: record.waivers.clone(),
            carried: false,
            open: Vec::new(),
        }
    }

    /// One of the commands.
    pub(super) fn command(&mut self, id: CommandId) -> Option<&mut Command> {
        self.commands.iter_mut().find(|command| command.id == id)
    }

    /// The record after all that.
    pub(super) async fn read(
        self,
        tx: &mut Tx,
        mut record: ChainRecord,
    ) -> Result<ChainRecord, StorageError> {
        record.decisions = self.decisions;
        record.commands = self.commands;
        record.holds = self.holds;
        record.waivers = self.waivers;
        if self.carried {
            record = tx.load_decisions(record).await?;
        }
        as_stored(tx, with_final_names(record)).await
    }
}

/// What is known of a chain without reading it. All tests go through here, and so prove that it is what is
/// stored.
pub(super) async fn as_stored(
    #[cfg_attr(not(test), expect(unused_variables))] tx: &mut Tx,
    known: ChainRecord,
) -> Result<ChainRecord, StorageError> {
    #[cfg(test)]
    {
        let stored = tx.load_chain(known.chain).await?.map(with_final_names);
        assert_eq!(format!("{:?}", Some(&known)), format!("{stored:?}"));
    }
    Ok(known)
}
