//! Keeps what decisions are made from, so that any of them can be explained and made again later: every
//! policy of the set in force, with the entries of the lists that it names. A set is kept before it makes
//! its first decision; later ones cost nothing.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::decide::to_json;
use crate::domain::clock::Timestamp;
use crate::policy::lists::List;
use crate::policy::{PolicyHash, PolicySet};
use crate::storage::{Storage, StorageError};

/// The longest list that is kept, in bytes of its entries: room for a million addresses.
pub const ARCHIVED_LIST_BYTES_MAX: usize = 32 * 1024 * 1024;

/// The sets that the store has for sure: one for each that was in force since the start.
#[derive(Debug, Default)]
pub(super) struct Archive {
    known: Mutex<HashSet<PolicyHash>>,
    /// Held while one is kept: those who come meanwhile need not do it, too.
    turn: tokio::sync::Mutex<()>,
}

impl Archive {
    /// One that has nothing to keep of this set.
    #[cfg(test)]
    pub(super) fn with(set: PolicyHash) -> Self {
        let archive = Self::default();
        archive.known().insert(set);
        archive
    }

    /// Whether a set is kept.
    pub(super) fn has(&self, set: PolicyHash) -> bool {
        self.known().contains(&set)
    }

    /// Keeps a set, unless that is done.
    ///
    /// # Errors
    /// If the store fails. What was kept of it by then is found the next time.
    pub(super) async fn keep(
        &self,
        storage: &Storage,
        set: Arc<PolicySet>,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        let hash = set.hash();
        if self.has(hash) {
            return Ok(());
        }
        let _turn = self.turn.lock().await;
        if self.has(hash) {
            return Ok(());
        }
        let files = set.policies().flat_map(|policy| policy.lists.values());
        let lists: BTreeMap<_, _> = files
            .map(|file| (file.digest, Arc::clone(&file.list)))
            .collect();
        // Each by itself, so that nobody waits for more than one.
        for (digest, list) in lists {
            keep_list(storage, digest, list, now).await?;
        }
        storage
            .write(move |tx| {
                Box::pin(async move {
                    for policy in set.policies() {
                        let (hash, source) = (policy.hash.to_string(), &policy.source);
                        tx.archive_policy(&hash, &source.name, &source.text, now)
                            .await?;
                    }
                    let (hash, parts) = (hash.to_string(), to_json(&set.parts()));
                    tx.archive_set(&hash, &parts, now).await
                })
            })
            .await?;
        self.known().insert(hash);
        Ok(())
    }

    /// A panic elsewhere leaves the set usable: every change is one call.
    fn known(&self) -> MutexGuard<'_, HashSet<PolicyHash>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn keep_list(
    storage: &Storage,
    digest: PolicyHash,
    list: Arc<List>,
    now: Timestamp,
) -> Result<(), StorageError> {
    let digest = digest.to_string();
    let wanted = digest.clone();
    let is_kept = storage
        .read(move |tx| Box::pin(async move { tx.has_archived_list(&wanted).await }))
        .await?;
    if is_kept {
        return Ok(());
    }
    let text = match tokio::task::spawn_blocking(move || list.text()).await {
        Ok(text) => Some(text).filter(|text| text.len() <= ARCHIVED_LIST_BYTES_MAX),
        Err(ended) => std::panic::resume_unwind(ended.into_panic()),
    };
    if text.is_none() {
        tracing::warn!(
            list.digest = %digest,
            list.bytes_max = ARCHIVED_LIST_BYTES_MAX,
            "a list is too long to be kept with the decisions: these can be shown, but not made again"
        );
    }
    storage
        .write(move |tx| {
            Box::pin(async move { tx.archive_list(&digest, text.as_deref(), now).await })
        })
        .await
}
