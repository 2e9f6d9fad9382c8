//! The drain's end of the journal.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::error::JournalError;
use super::frame::{self, Content, Step};
use super::record::{Position, Record};
use super::segment;
use super::state::{Next, Shared};

/// Durable records in the order in which they were appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// At least one record.
    pub records: Vec<Record>,
    /// The last record's position: what [`Reader::drained`] is told once all are stored.
    pub up_to: Position,
}

/// Reads durable records in order. There is one reader: two drains would store everything twice.
#[derive(Debug)]
pub struct Reader {
    pub(super) shared: Arc<Shared>,
}

/// What a read from disk gave.
struct Found {
    records: Vec<Record>,
    /// Where the last frame read ends.
    offset: u64,
    /// Where the first bytes stand that do not read well.
    unreadable_at: Option<u64>,
    /// The segment cannot be followed any further.
    broken: bool,
}

impl Reader {
    /// The next records, waiting for some if there are none: at most `records_max`, and at most
    /// `bytes_max` bytes of bodies unless the first alone has more. `None` once the journal is
    /// closed and everything was read. May be cancelled: nothing is lost.
    ///
    /// Each record is given once, until [`Reader::rewind`] or a restart.
    ///
    /// # Errors
    /// A segment cannot be read; the next call tries again.
    pub async fn next_batch(
        &mut self,
        records_max: usize,
        bytes_max: usize,
    ) -> Result<Option<Batch>, JournalError> {
        loop {
            let next = self.shared.state().next(records_max, bytes_max);
            match next {
                Next::Records(records, up_to) => return Ok(Some(Batch { records, up_to })),
                Next::Disk(after, end) => {
                    if let Some(batch) = self.read_back(after, end, records_max, bytes_max).await? {
                        return Ok(Some(batch));
                    }
                }
                Next::Wait => self.shared.news.notified().await,
                Next::Closed => return Ok(None),
            }
        }
    }

    /// Says that all records up to `up_to` are stored elsewhere, on disk. Segments of which nothing
    /// is left are removed; how far the drain is inside a segment is noted with the next group that
    /// is written, so a crash has only the last records read again.
    ///
    /// # Errors
    /// A segment could not be removed. The progress stands; the next call tries again.
    pub async fn drained(&mut self, up_to: Position) -> Result<(), JournalError> {
        let removable = {
            let mut state = self.shared.state();
            state.drained(up_to);
            state.has_drained_segments()
        };
        if !removable {
            return Ok(());
        }
        let shared = Arc::clone(&self.shared);
        run_blocking(move || shared.retire_drained()).await
    }

    /// Starts again behind the last drained record: for a drain that has lost its batch.
    pub fn rewind(&mut self) {
        self.shared.state().rewind();
    }

    /// Reads records behind `after` that are not in memory, of the segment that `end` is the end of.
    async fn read_back(
        &mut self,
        after: Position,
        end: Position,
        records_max: usize,
        bytes_max: usize,
    ) -> Result<Option<Batch>, JournalError> {
        let path = self.shared.path(end.segment);
        let start = if after.segment == end.segment {
            after.offset
        } else {
            segment::HEADER_BYTES
        };
        let until = end.offset;
        let found = {
            let path = path.clone();
            run_blocking(move || {
                read(&path, start, until, records_max, bytes_max)
                    .map_err(JournalError::io("read", &path))
            })
            .await?
        };
        let mut state = self.shared.state();
        let up_to = if found.broken || found.offset >= until {
            end
        } else {
            Position {
                segment: end.segment,
                offset: found.offset,
                record: after.record + found.records.len() as u64,
            }
        };
        state.hand_out(&found.records, up_to);
        let newly_damaged = found.unreadable_at.is_some() && state.damage(end.segment);
        drop(state);
        if newly_damaged {
            tracing::error!(
                segment.number = end.segment,
                segment.offset = found.unreadable_at,
                segment.rest_is_lost = found.broken,
                "journal `{}`: damaged since it was written; what does not read well is skipped, \
                 and the file is set aside once the rest is drained",
                path.display()
            );
        }
        Ok((!found.records.is_empty()).then_some(Batch {
            records: found.records,
            up_to,
        }))
    }
}

/// Runs file operations where they do not hold up other tasks.
async fn run_blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, JournalError> + Send + 'static,
) -> Result<T, JournalError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(stopped) if stopped.is_panic() => std::panic::resume_unwind(stopped.into_panic()),
        Err(_) => Err(JournalError::Closed), // the runtime is going down
    }
}

/// Reads frames from `start` up to `until`, within the limits. Memory: `bytes_max` and one record.
fn read(
    path: &Path,
    start: u64,
    until: u64,
    records_max: usize,
    bytes_max: usize,
) -> io::Result<Found> {
    let left = usize::try_from(until - start).unwrap_or(usize::MAX);
    let bytes = read_chunk(path, start, left, bytes_max)?;
    let mut found = Found {
        records: Vec::new(),
        offset: start,
        unreadable_at: None,
        broken: false,
    };
    let (mut at, mut body_bytes) = (0, 0);
    while found.records.len() < records_max.max(1) && body_bytes < bytes_max.max(1) {
        match frame::read(&bytes, at) {
            Step::End if bytes.len() == left => break,
            // The chunk ends here or inside this frame: the next read begins with it.
            Step::End | Step::Broken if at > 0 => break,
            Step::End | Step::Broken => {
                found.broken = true;
                found.unreadable_at = Some(start);
                break;
            }
            Step::Frame(content, end) => {
                match content {
                    Content::Group(_) => {}
                    Content::Damaged => {
                        found.unreadable_at.get_or_insert(found.offset);
                    }
                    Content::Record(record) => {
                        let more = body_bytes + record.body.len();
                        if more > bytes_max && !found.records.is_empty() {
                            break;
                        }
                        body_bytes = more;
                        found.records.push(record);
                    }
                }
                at = end;
                found.offset = start + end as u64;
            }
        }
    }
    Ok(found)
}

/// About `bytes_max` bytes from `start`, and never less than the whole first frame. Less than that
/// only if the file has become shorter than it was written, or is gone.
fn read_chunk(path: &Path, start: u64, left: usize, bytes_max: usize) -> io::Result<Bytes> {
    const CHUNK_BYTES_MIN: usize = 64 * 1024;
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Bytes::new()),
        file => file?,
    };
    let mut chunk = vec![0; left.min(bytes_max.max(CHUNK_BYTES_MIN))];
    let mut filled = read_at(&file, &mut chunk, start)?;
    let first = frame::frame_bytes(&chunk[..filled]).unwrap_or(0).min(left);
    if first > chunk.len() {
        chunk.resize(first, 0);
        filled = read_at(&file, &mut chunk, start)?;
    }
    chunk.truncate(filled);
    Ok(Bytes::from(chunk))
}

/// Fills `chunk` from `start` as far as the file goes.
fn read_at(file: &File, chunk: &mut [u8], start: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < chunk.len() {
        match file.read_at(&mut chunk[filled..], start + filled as u64) {
            Ok(0) => break,
            Ok(more) => filled += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
