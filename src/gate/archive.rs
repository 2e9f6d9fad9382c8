//! The texts of the policies that have decided, kept so that any decision can be explained later.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::clock::Timestamp;
use crate::policy::{PolicyHash, PolicySet};
use crate::storage::{StorageError, Tx};

/// The policies whose texts the store has for sure: one entry for each that has decided since the start.
#[derive(Debug, Default)]
pub(super) struct Archive(Mutex<HashSet<PolicyHash>>);

impl Archive {
    /// Keeps the text of a policy that decides, unless that is committed already.
    pub(super) async fn keep(
        &self,
        tx: &mut Tx,
        policies: &PolicySet,
        hash: PolicyHash,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        if self.known().contains(&hash) {
            return Ok(());
        }
        let mut all = policies.policies();
        let Some(policy) = all.find(|policy| policy.hash == hash) else {
            return Ok(());
        };
        let (hash, source) = (hash.to_string(), &policy.source);
        tx.archive_policy(&hash, &source.name, &source.text, now)
            .await
    }

    /// A decision by this policy was committed, and its text with it.
    pub(super) fn kept(&self, hash: PolicyHash) {
        self.known().insert(hash);
    }

    /// A panic elsewhere leaves the set usable: every change is one call.
    fn known(&self) -> MutexGuard<'_, HashSet<PolicyHash>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
