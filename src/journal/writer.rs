//! The thread that writes: takes whatever waits, writes it as one group, flushes once, tells
//! everybody. It never lingers for more: while it flushes, the next group gathers by itself.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::error::{JournalError, Limit};
use super::frame;
use super::record::{Position, Record};
use super::segment;
use super::state::{Segment, Shared};

/// The most bytes in one group, unless a single record is larger: bounds how long the first in it
/// waits, and the buffer.
const GROUP_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How much of a segment is filled with zeros at once, ahead of what is written. To overwrite what a file has
/// is one write of the disk; to make it longer needs the file system's log, too, which others fill.
const BLANK_BYTES: usize = 256 * 1024;
/// The largest group that is worth it. Many records share one flush anyway.
const BLANK_FOR_BYTES_MAX: usize = 64 * 1024;

/// How a segment is flushed: `fdatasync`, or in a test the same with a verdict of the test's own.
pub(super) type Flush = Box<dyn FnMut(&File) -> io::Result<()> + Send>;

/// What the writer is asked.
pub(super) enum Message {
    Append(Pending),
    /// Take no more, write what is queued, end; the sender is dropped when that is done.
    Close(oneshot::Sender<()>),
}

/// A record that somebody waits for. Nobody may: it is written all the same.
pub(super) struct Pending {
    pub(super) record: Record,
    /// Its size in the segment.
    pub(super) bytes: usize,
    pub(super) reply: oneshot::Sender<Result<Position, JournalError>>,
}

/// The segment that is written.
struct Current {
    file: File,
    path: PathBuf,
    number: u64,
    /// Its durable length, without what is blank.
    bytes: u64,
    /// Up to where it is filled with zeros.
    blank_until: u64,
}

impl Current {
    /// Fills a piece of it with zeros, from where the next group will end. If the disk will not have it, then
    /// not.
    fn make_blank(&mut self, from: u64) {
        let blank = vec![0; BLANK_BYTES];
        match self.file.write_all_at(&blank, from) {
            Ok(()) => self.blank_until = from + BLANK_BYTES as u64,
            Err(_) => drop(self.file.set_len(from)),
        }
    }
}

pub(super) struct Writer {
    shared: Arc<Shared>,
    flush: Flush,
    segment_bytes_max: u64,
    batch_max: usize,
    next_number: u64,
    current: Option<Current>,
    /// The last durable record.
    last: Position,
    /// The group as bytes, and where each record of it ends; kept to keep their memory.
    buffer: Vec<u8>,
    ends: Vec<Position>,
}

impl Writer {
    pub(super) fn new(
        shared: Arc<Shared>,
        settings: &super::JournalSettings,
        next_number: u64,
        flush: Flush,
    ) -> Self {
        let last = shared.state().durable;
        Self {
            shared,
            flush,
            // Small enough that a full journal has sealed segments, which can be removed.
            segment_bytes_max: settings.segment_bytes_max.min(settings.bytes_max / 4),
            batch_max: settings.batch_max.max(1),
            next_number,
            current: None,
            last,
            buffer: Vec::new(),
            ends: Vec::new(),
        }
    }

    /// Works until the journal is closed or dropped, and then writes what is queued.
    pub(super) fn run(mut self, mut queue: mpsc::Receiver<Message>) {
        let mut group: Vec<Pending> = Vec::with_capacity(self.batch_max);
        let mut closers = Vec::new();
        while let Some(first) = queue.blocking_recv() {
            let mut bytes = 0;
            let mut message = Some(first);
            while let Some(next) = message {
                match next {
                    Message::Append(pending) => {
                        bytes += pending.bytes;
                        group.push(pending);
                    }
                    Message::Close(closer) => {
                        queue.close();
                        closers.push(closer);
                    }
                }
                let more = group.len() < self.batch_max && bytes < GROUP_BYTES_MAX;
                message = more.then(|| queue.try_recv().ok()).flatten();
            }
            self.commit(&mut group);
        }
        self.seal();
        if let Err(error) = self.shared.retire_drained() {
            tracing::warn!("{error}; it is read again at the next start");
        }
        self.shared.close();
        drop(self); // the lock on the folder is not ours any more when `close` returns
        drop(closers);
    }

    /// Stores a group and answers everybody in it. Leaves it empty.
    fn commit(&mut self, group: &mut Vec<Pending>) {
        self.refuse_what_has_no_room(group);
        if group.is_empty() {
            return;
        }
        let written = match self.write(group) {
            Ok(written) => written,
            Err(error) => {
                for pending in group.drain(..) {
                    let _ = pending.reply.send(Err(error.clone())); // may have gone away
                }
                return;
            }
        };
        let (records, replies): (Vec<_>, Vec<_>) = group
            .drain(..)
            .map(|pending| (pending.record, pending.reply))
            .unzip();
        let records = records.into_iter().zip(self.ends.iter().copied());
        self.shared.publish(written, self.buffer.len(), records);
        for (reply, end) in replies.into_iter().zip(&self.ends) {
            let _ = reply.send(Ok(*end)); // may have gone away
        }
        if written >= self.segment_bytes_max {
            self.seal();
        }
        self.buffer.shrink_to(GROUP_BYTES_MAX);
    }

    fn refuse_what_has_no_room(&self, group: &mut Vec<Pending>) {
        let head = match self.current {
            Some(_) => frame::GROUP_BYTES as u64,
            None => segment::HEADER_BYTES + frame::GROUP_BYTES as u64,
        };
        let mut room = self.shared.room().saturating_sub(head);
        for full in group.extract_if(.., |pending| match room.checked_sub(pending.bytes as u64) {
            Some(left) => {
                room = left;
                false
            }
            None => true,
        }) {
            let _ = full.reply.send(Err(JournalError::Full {
                dir: self.shared.dir.clone(),
                limit: Limit::BytesMax(self.shared.bytes_max),
            }));
        }
    }

    /// One write and one flush. Gives the segment's length, and leaves in `ends` where each record
    /// ends. On an error the segment is poisoned: left behind as it is, never written again.
    fn write(&mut self, group: &[Pending]) -> Result<u64, JournalError> {
        let mut current = match self.current.take() {
            Some(current) => current,
            None => self.begin()?,
        };
        let drained = self.shared.state().drained;
        self.buffer.clear();
        self.ends.clear();
        frame::encode_group(&mut self.buffer, (drained.segment, drained.offset));
        for (record, pending) in (self.last.record + 1..).zip(group) {
            frame::encode_record(&mut self.buffer, &pending.record);
            self.ends.push(Position {
                segment: current.number,
                offset: current.bytes + self.buffer.len() as u64,
                record,
            });
        }
        let end = current.bytes + self.buffer.len() as u64;
        let outcome = current
            .file
            .write_all_at(&self.buffer, current.bytes)
            .map_err(JournalError::io("write", &current.path))
            .inspect_err(|_| {
                // A part of the group may stand there. If it cannot be cut off, a start does it.
                let _ = current.file.set_len(current.bytes);
            })
            .and_then(|()| {
                let more = (self.buffer.len() + BLANK_BYTES) as u64;
                let is_small = self.buffer.len() <= BLANK_FOR_BYTES_MAX;
                if end > current.blank_until && is_small && self.shared.room() > more {
                    current.make_blank(end);
                }
                (self.flush)(&current.file).map_err(JournalError::io("flush", &current.path))
            });
        if let Err(error) = outcome {
            self.poison(&current, &error);
            return Err(error);
        }
        current.bytes = end;
        self.last = self.ends.last().copied().unwrap_or(self.last);
        let written = current.bytes;
        self.current = Some(current);
        Ok(written)
    }

    fn begin(&mut self) -> Result<Current, JournalError> {
        let number = self.next_number;
        self.next_number += 1;
        let path = self.shared.path(number);
        let file = segment::create(&path).map_err(JournalError::io("create", &path))?;
        self.shared.state().segments.push_back(Segment {
            number,
            bytes: segment::HEADER_BYTES,
            end: self.last,
            first_at: None,
            sealed: false,
            damaged: false,
        });
        Ok(Current {
            file,
            path,
            number,
            bytes: segment::HEADER_BYTES,
            blank_until: 0,
        })
    }

    /// Gives a segment up after a failed write or flush: after a failed flush nobody can say what
    /// is on disk, and a second flush would claim success. What was acknowledged in it stays and is
    /// drained; what was not may be found by the next start, which is harmless.
    fn poison(&self, current: &Current, error: &JournalError) {
        tracing::error!(
            segment.number = current.number,
            "{error}; the segment is given up, later appends begin a new one"
        );
        let mut state = self.shared.state();
        let holds_records = self.last.segment == current.number;
        if let Some(segment) = state.segments.back_mut() {
            segment.sealed = true;
            // Its real length counts against the limit, also where it could not be cut.
            segment.bytes = current.file.metadata().map_or(current.bytes, |m| m.len());
        }
        if !holds_records && std::fs::remove_file(&current.path).is_ok() {
            state.segments.pop_back();
        }
    }

    /// Ends the current segment; the next append begins a new one.
    fn seal(&mut self) {
        let Some(current) = self.current.take() else {
            return;
        };
        if current.blank_until > current.bytes {
            // Blank space costs room and says nothing: should it stay, the next start cuts it off.
            let _ = current.file.set_len(current.bytes);
        }
        if let Some(segment) = self.shared.state().segments.back_mut() {
            segment.sealed = true;
        }
    }
}
