//! Whether the store is up, as far as those have seen who use it. It tells so once when it goes down, and
//! once when it is back; those who wait for it need not.

use std::sync::atomic::{AtomicBool, Ordering};

use super::error::StorageError;

/// How the store is.
#[derive(Debug)]
pub(super) struct Health {
    well: AtomicBool,
}

impl Health {
    /// Well, until somebody sees otherwise.
    pub(super) fn new() -> Self {
        Self {
            well: AtomicBool::new(true),
        }
    }

    /// Whether the last who used it was served.
    pub(super) fn is_well(&self) -> bool {
        self.well.load(Ordering::Relaxed)
    }

    /// Somebody was served, or refused for reasons of his own.
    pub(super) fn up(&self) {
        // Looked at first: nearly always there is no news, and a look disturbs nobody.
        if !self.is_well() && !self.well.swap(true, Ordering::Relaxed) {
            tracing::info!("the store is back");
        }
    }

    /// Somebody was not served, or has waited for too long.
    pub(super) fn down(&self, why: &StorageError) {
        if self.well.swap(false, Ordering::Relaxed) {
            tracing::warn!(error = %why, "the store is down; work waits until it is back");
        }
    }
}
