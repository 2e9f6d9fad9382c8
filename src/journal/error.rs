//! What can go wrong in the journal, in words that say what to do.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Which limit stopped an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Limit {
    /// The journal's own limit, in bytes on disk.
    #[error("{0} bytes wait for the drain, which is all it may hold (`bytes_max`)")]
    BytesMax(u64),
    /// The file system has no room, or the quota is used up.
    #[error("the disk has no space left; appends succeed again once there is")]
    Disk,
}

/// Why the journal could not do what was asked. Cheap to clone: one failed flush is told to
/// everybody who waited for it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum JournalError {
    /// Another process has the folder.
    #[error(
        "journal `{}`: in use by another process; stop that one, or set a journal folder of its own for each", dir.display()
    )]
    Locked {
        /// The journal's folder.
        dir: PathBuf,
    },
    /// A segment has a layout that this program does not know.
    #[error(
        "journal `{}`: layout {found}, but this version reads layout {known} only; drain it with the version that wrote it", path.display()
    )]
    Layout {
        /// The segment.
        path: PathBuf,
        /// The layout it names.
        found: u32,
        /// The layout this program reads and writes.
        known: u32,
    },
    /// There is no room for the record. Nothing of it was stored.
    #[error("journal `{}`: full: {limit}", dir.display())]
    Full {
        /// The journal's folder.
        dir: PathBuf,
        /// Which limit was met.
        limit: Limit,
    },
    /// The record is larger than the journal takes at all.
    #[error("a record of {bytes} bytes is more than the journal takes: at most {bytes_max}")]
    TooLarge {
        /// The size of the record as it would be stored, in bytes.
        bytes: u64,
        /// The largest there may be, in bytes.
        bytes_max: u64,
    },
    /// The operating system refused. Nothing was acknowledged.
    #[error("journal `{}`: cannot {what}: {error}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What the operating system said.
        error: Arc<io::Error>,
    },
    /// The journal was closed; nothing is taken any more.
    #[error("the journal is closed")]
    Closed,
}

impl JournalError {
    /// The error for something tried on `path`, for use in `map_err`. A full disk becomes
    /// [`JournalError::Full`].
    pub(super) fn io<'a>(what: &'static str, path: &'a Path) -> impl Fn(io::Error) -> Self + 'a {
        move |error| match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full {
                dir: path.parent().unwrap_or(path).to_owned(),
                limit: Limit::Disk,
            },
            _ => Self::Io {
                what,
                path: path.to_owned(),
                error: Arc::new(error),
            },
        }
    }
}
