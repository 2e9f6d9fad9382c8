//! The journal: the append-only files in front of the inbox. A verified delivery is appended and
//! flushed here, then answered; the drain moves it into the inbox; then it is removed. It knows
//! nothing of bookings, HTTP or SQL.
//!
//! ```no_run
//! # async fn example(record: bookgate::journal::Record) -> Result<(), bookgate::journal::JournalError> {
//! use bookgate::journal::{Journal, JournalSettings};
//!
//! let settings = JournalSettings::new("/var/lib/bookgate/journal");
//! let (journal, mut reader, _opened) = Journal::open(&settings)?;
//! journal.append(record).await?; // on disk from here on
//! while let Some(batch) = reader.next_batch(512, 4 << 20).await? {
//!     // store the batch, commit, and only then:
//!     reader.drained(batch.up_to).await?;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Files
//!
//! One folder holds `LOCK` (one process at a time) and segments `0000000001.journal` and so on. A
//! segment is a header and groups; a group is a head and the records that waited together; one
//! write and one `fdatasync` store a group. While few wait, space for the next groups is made ahead, as
//! zeros: to overwrite it, the disk has less to do. The folder is flushed whenever a name
//! appears or goes.
//!
//! # What is promised
//!
//! - [`Journal::append`] gives a position only after the flush, and the drain sees a record only
//!   after that too. A caller that goes away loses the answer, not the record.
//! - Records are drained in the order of their positions, at least once: after a crash the last
//!   ones may come again, because how far the drain is rides on the next group (the inbox knows
//!   them by their key). After [`Journal::close`] and a complete drain no segment is left.
//! - Memory is bounded: what the drain has not fetched is dropped from memory past
//!   `memory_bytes_max` and read back from disk.
//! - Disk is bounded: past `bytes_max`, or with no space left, an append fails with
//!   [`JournalError::Full`] and nothing of it is stored. Both end by themselves.
//!
//! # When something is wrong
//!
//! - **A write or flush fails.** Everybody in that group gets the error, the segment is given up for
//!   good, and the next append begins a new one. The records acknowledged before stay and are
//!   drained. Of the failed group a restart may find some: they are drained too, since the provider
//!   may never send them again.
//! - **The last group is torn** (power went in the middle of it): what does not read well is cut
//!   off and counted ([`Opened::torn_bytes`]). Nobody was told that it is stored.
//! - **A segment is damaged**: bytes that a later group proves to have been on disk do not read
//!   well. If only a record's content is hit, that record alone is skipped. If the frame itself is,
//!   the segment is read up to there and no further: behind it, a frame could not be told from bytes
//!   in a body made to look like one, and a body proves nothing by itself. Either way it is logged
//!   as an error, listed in [`Opened::damaged`], and once the readable records are drained the file
//!   is renamed to `NNNNNNNNNN.journal.damaged` instead of removed, for a person to look at.
//!
//! A damaged *last* group cannot be told from a torn one and is treated as such.

mod error;
mod frame;
mod reader;
mod record;
mod recover;
mod segment;
mod state;
mod writer;

#[cfg(test)]
mod tests;

use std::fs::{DirBuilder, File};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::domain::clock::Timestamp;

pub use error::{JournalError, Limit};
pub use reader::{Batch, Reader};
pub use record::{Position, Record};

use state::Shared;
use writer::{Flush, Message, Pending, Writer};

/// Where the journal is and how large it may become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalSettings {
    /// The folder; made if missing. Must be persistent, and on a local disk.
    pub dir: PathBuf,
    /// A segment that has reached this length, in bytes, is followed by a new one. At most a quarter
    /// of `bytes_max` counts.
    pub segment_bytes_max: u64,
    /// The most bytes that all segments may have together.
    pub bytes_max: u64,
    /// The most bytes of records kept in memory for the drain.
    pub memory_bytes_max: usize,
    /// The most appends that wait for the writer; further ones wait for a place.
    pub queue_max: usize,
    /// The most records in one group.
    pub batch_max: usize,
}

impl JournalSettings {
    /// The usual settings for a folder: segments of 16 MiB, 1 GiB in all, 16 MiB in memory, 1024
    /// waiting, 512 in a group.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            segment_bytes_max: 16 << 20,
            bytes_max: 1 << 30,
            memory_bytes_max: 16 << 20,
            queue_max: 1024,
            batch_max: 512,
        }
    }
}

/// What was found when the journal was opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Opened {
    /// Records that an earlier run did not drain, or did not note as drained.
    pub recovered_records: u64,
    /// Segments that hold them.
    pub segments: usize,
    /// Bytes that were cut off because nobody was ever told that they are stored.
    pub torn_bytes: u64,
    /// Segments in which acknowledged bytes cannot be read. A person must look.
    pub damaged: Vec<Damage>,
    /// Damaged segments that earlier runs set aside and nobody has removed yet.
    pub set_aside: Vec<PathBuf>,
}

/// A segment in which acknowledged bytes cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The segment.
    pub path: PathBuf,
    /// Where the first unreadable bytes stand.
    pub offset: u64,
    /// How many bytes cannot be read in all.
    pub bytes: u64,
}

/// How much waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Depth {
    /// Records that are not drained.
    pub records: u64,
    /// Bytes on disk, drained ones in segments that are not removed yet included.
    pub bytes: u64,
    /// How many bytes there may be.
    pub bytes_max: u64,
    /// When the oldest record was received that is not drained; while the drain reads from disk, a
    /// time close to that.
    pub oldest: Option<Timestamp>,
}

/// The writing end. Shared by reference; the reading end is the [`Reader`].
#[derive(Debug)]
pub struct Journal {
    queue: mpsc::Sender<Message>,
    shared: Arc<Shared>,
}

/// A record that is about to be written.
#[derive(Debug)]
pub struct Queued(oneshot::Receiver<Result<Position, JournalError>>);

impl Queued {
    /// Done when it is on disk.
    ///
    /// # Errors
    /// As [`Journal::append`].
    pub async fn written(self) -> Result<Position, JournalError> {
        self.0.await.unwrap_or(Err(JournalError::Closed))
    }
}

/// What the writer is asked, and where its answer will come.
fn append(record: Record, bytes: usize) -> (Message, Queued) {
    let (reply, answer) = oneshot::channel();
    let pending = Pending {
        record,
        bytes,
        reply,
    };
    (Message::Append(pending), Queued(answer))
}

impl Journal {
    /// Opens the journal in a folder, making it if needed, and looks through what an earlier run
    /// left. Any folder will do: an orphan is drained by opening it. Reads every segment once; call
    /// it at start-up.
    ///
    /// # Errors
    /// The folder is in use, cannot be read or written, or was written by a newer version.
    pub fn open(settings: &JournalSettings) -> Result<(Self, Reader, Opened), JournalError> {
        Self::open_with(settings, Box::new(File::sync_data))
    }

    fn open_with(
        settings: &JournalSettings,
        flush: Flush,
    ) -> Result<(Self, Reader, Opened), JournalError> {
        let dir = &settings.dir;
        if !dir.is_dir() {
            let mut builder = DirBuilder::new();
            let made = builder
                .recursive(true)
                .mode(segment::FOLDER_MODE)
                .create(dir);
            made.map_err(JournalError::io("create", dir))?;
            segment::sync_parent(dir).map_err(JournalError::io("flush the folder of", dir))?;
        }
        let lock = recover::lock(dir)?;
        let listing = segment::list(dir).map_err(JournalError::io("list", dir))?;
        let mut opened = Opened {
            set_aside: listing.set_aside,
            ..Opened::default()
        };
        let (segments, drained) = recover::recover(dir, &listing.segments, &mut opened)?;
        let shared = Arc::new(Shared::new(settings, lock, segments, drained));
        shared.retire_drained()?;
        opened.segments = shared.state().segments.len();
        let (queue, messages) = mpsc::channel(settings.queue_max.max(1));
        let writer = Writer::new(Arc::clone(&shared), settings, listing.highest + 1, flush);
        std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || writer.run(messages))
            .map_err(JournalError::io("start the writing thread for", dir))?;
        let reader = Reader {
            shared: Arc::clone(&shared),
        };
        Ok((Self { queue, shared }, reader, opened))
    }

    /// Stores a record: done when it is on disk. May be cancelled; once queued, the record is
    /// written even so.
    ///
    /// # Errors
    /// Full, too large, closed, or refused by the disk: the record is not stored, or not for sure.
    pub async fn append(&self, record: Record) -> Result<Position, JournalError> {
        let bytes = frame::record_bytes(&record)?;
        let (message, queued) = append(record, bytes);
        let sent = self.queue.send(message).await;
        sent.map_err(|_| JournalError::Closed)?;
        queued.written().await
    }

    /// Queues a record if there is a place at once, and gives it back if there is none, or it cannot be
    /// stored: [`Journal::append`] then waits, or says why. What is queued is written, whether the end of it
    /// is waited for or not.
    ///
    /// # Errors
    /// The record.
    pub fn queue(&self, record: Record) -> Result<Queued, Box<Record>> {
        let Ok(bytes) = frame::record_bytes(&record) else {
            return Err(Box::new(record));
        };
        let Ok(place) = self.queue.try_reserve() else {
            return Err(Box::new(record));
        };
        let (message, queued) = append(record, bytes);
        place.send(message);
        Ok(queued)
    }

    /// The number of the last record on disk.
    pub fn last_record(&self) -> u64 {
        self.shared.state().durable.record
    }

    /// Whether the drain has stored all records up to this number.
    pub fn has_drained(&self, record: u64) -> bool {
        self.shared.state().drained.record >= record
    }

    /// How much waits for the drain.
    pub fn depth(&self) -> Depth {
        self.shared.depth()
    }

    /// Takes no more and writes what is queued; done when that is on disk. The reader goes on until
    /// everything is drained. The folder is free once journal and reader are dropped.
    pub async fn close(&self) {
        let (closer, closed) = oneshot::channel();
        if self.queue.send(Message::Close(closer)).await.is_ok() {
            let _ = closed.await; // the writer drops its end: always an error
        }
    }
}
