//! What the writer and the reader share: which segments there are, what is durable, read and
//! drained, and the newest records in memory. The lock is held for moves of values only, never for
//! a file operation.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::domain::clock::Timestamp;

use super::error::JournalError;
use super::record::{Position, Record};
use super::recover::Lock;
use super::{Depth, segment};

/// What one record in memory is counted as, beside its bytes in the segment.
const MEMORY_OVERHEAD_BYTES: usize = size_of::<(Record, Position)>();

/// A segment that has not been retired.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) number: u64,
    /// Its length on disk.
    pub(super) bytes: u64,
    /// The last durable record in it, or the last one before it while it has none.
    pub(super) end: Position,
    /// When its first record that is not drained was received.
    pub(super) first_at: Option<Timestamp>,
    /// Nothing is appended any more.
    pub(super) sealed: bool,
    /// Something in it cannot be read: set aside in the end, instead of removed.
    pub(super) damaged: bool,
}

/// A batch that was handed to the drain.
#[derive(Debug)]
struct Handed {
    up_to: Position,
    first_at: Timestamp,
}

/// Everything behind the lock.
#[derive(Debug)]
pub(super) struct State {
    /// Ascending; the last may be the one that is written.
    pub(super) segments: VecDeque<Segment>,
    /// Durable records that nobody has read. Unless `behind`, all of them.
    fresh: VecDeque<(Record, Position)>,
    fresh_bytes: usize,
    /// Memory did not hold all that came in: after `fresh`, the reader goes on from the disk.
    behind: bool,
    handed: VecDeque<Handed>,
    /// The last record handed out, and when it was received.
    pub(super) read: Position,
    read_at: Option<Timestamp>,
    /// The last record of which the drain said that it is stored elsewhere.
    pub(super) drained: Position,
    /// The last record on disk.
    pub(super) durable: Position,
    /// The writer has ended.
    closed: bool,
}

/// Where the reader finds what it is to read next.
pub(super) enum Next {
    /// Here it is.
    Records(Vec<Record>, Position),
    /// On disk, behind the first position and up to the second, in the second one's segment.
    Disk(Position, Position),
    /// Nothing for now.
    Wait,
    /// Nothing for ever.
    Closed,
}

/// The state, and what goes with it.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) dir: PathBuf,
    state: Mutex<State>,
    /// Wakes the reader.
    pub(super) news: Notify,
    memory_bytes_max: usize,
    pub(super) bytes_max: u64,
    /// Held, not used: the lock on the folder goes when the last user of the journal goes.
    _lock: Lock,
}

impl Shared {
    pub(super) fn new(
        settings: &super::JournalSettings,
        lock: Lock,
        segments: VecDeque<Segment>,
        drained: Position,
    ) -> Self {
        let durable = segments.back().map_or(drained, |segment| segment.end);
        Self {
            dir: settings.dir.clone(),
            state: Mutex::new(State {
                segments,
                fresh: VecDeque::new(),
                fresh_bytes: 0,
                behind: drained < durable,
                handed: VecDeque::new(),
                read: drained,
                read_at: None,
                drained,
                durable,
                closed: false,
            }),
            news: Notify::new(),
            memory_bytes_max: settings.memory_bytes_max,
            bytes_max: settings.bytes_max,
            _lock: lock,
        }
    }

    /// The state. A panic elsewhere leaves it whole: every change is a few moves of values.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn path(&self, number: u64) -> PathBuf {
        segment::path(&self.dir, number)
    }

    /// How many bytes may still be written.
    pub(super) fn room(&self) -> u64 {
        self.bytes_max.saturating_sub(self.state().bytes())
    }

    /// Makes a group known that is on disk.
    pub(super) fn publish(
        &self,
        segment_bytes: u64,
        group_bytes: usize,
        records: impl ExactSizeIterator<Item = (Record, Position)>,
    ) {
        let memory = group_bytes + records.len() * MEMORY_OVERHEAD_BYTES;
        let mut guard = self.state();
        let state = &mut *guard;
        if state.fresh_bytes + memory > self.memory_bytes_max {
            state.behind = true;
        }
        let Some(segment) = state.segments.back_mut() else {
            return; // the writer enters its segment before it writes
        };
        segment.bytes = segment_bytes;
        for (record, end) in records {
            segment.end = end;
            segment.first_at.get_or_insert(record.received_at);
            if !state.behind {
                state.fresh_bytes += in_memory(&record);
                state.fresh.push_back((record, end));
            }
        }
        state.durable = segment.end;
        drop(guard);
        self.news.notify_one();
    }

    /// The writer has ended: the reader gets what is left, and then the end.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.news.notify_one();
    }

    /// Removes the segments that are sealed and drained, and flushes the folder.
    ///
    /// # Errors
    /// A segment could not be removed; it is tried again the next time.
    pub(super) fn retire_drained(&self) -> Result<(), JournalError> {
        let drained = self.state().drained_segments();
        let mut retired = Vec::new();
        let outcome = drained.into_iter().try_for_each(|(number, damaged)| {
            let path = self.path(number);
            segment::retire(&path, damaged)
                .map_err(JournalError::io("remove the drained segment", &path))?;
            retired.push(number);
            Ok(())
        });
        if !retired.is_empty() {
            segment::sync_dir(&self.dir).map_err(JournalError::io("flush", &self.dir))?;
            let mut state = self.state();
            state.segments.retain(|s| !retired.contains(&s.number));
        }
        outcome
    }

    pub(super) fn depth(&self) -> Depth {
        let state = self.state();
        Depth {
            records: state.durable.record - state.drained.record,
            bytes: state.bytes(),
            bytes_max: self.bytes_max,
            oldest: state.oldest(),
        }
    }
}

fn in_memory(record: &Record) -> usize {
    MEMORY_OVERHEAD_BYTES + record.body.len() + record.content_type.as_ref().map_or(0, String::len)
}

impl State {
    fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// Numbers of segments that nothing is left of to drain, and whether they are damaged.
    fn drained_segments(&self) -> Vec<(u64, bool)> {
        self.segments
            .iter()
            .take_while(|segment| segment.sealed && segment.end <= self.drained)
            .map(|segment| (segment.number, segment.damaged))
            .collect()
    }

    /// Whether there is something to retire.
    pub(super) fn has_drained_segments(&self) -> bool {
        self.segments
            .front()
            .is_some_and(|segment| segment.sealed && segment.end <= self.drained)
    }

    /// Notes that a segment cannot be read whole. Whether that is new.
    pub(super) fn damage(&mut self, number: u64) -> bool {
        let segment = self.segments.iter_mut().find(|s| s.number == number);
        segment.is_some_and(|segment| !std::mem::replace(&mut segment.damaged, true))
    }

    /// How much memory the unread records take, about.
    #[cfg(test)]
    pub(super) fn fresh_bytes(&self) -> usize {
        self.fresh_bytes
    }

    /// What comes after the last record read.
    pub(super) fn next(&mut self, records_max: usize, bytes_max: usize) -> Next {
        if let Some(&(_, first)) = self.fresh.front() {
            let mut up_to = first;
            let (mut records, mut bytes) = (Vec::new(), 0);
            while let Some((record, _)) = self.fresh.front()
                && (records.is_empty()
                    || (records.len() < records_max && bytes + record.body.len() <= bytes_max))
                && let Some((record, end)) = self.fresh.pop_front()
            {
                bytes += record.body.len();
                self.fresh_bytes -= in_memory(&record);
                up_to = end;
                records.push(record);
            }
            self.hand_out(&records, up_to);
            return Next::Records(records, up_to);
        }
        let ahead = self.segments.iter().find(|s| s.end > self.read);
        if let Some(segment) = ahead {
            return Next::Disk(self.read, segment.end);
        }
        if self.closed {
            Next::Closed
        } else {
            Next::Wait
        }
    }

    /// Notes that records up to `up_to` are with the drain.
    pub(super) fn hand_out(&mut self, records: &[Record], up_to: Position) {
        if let (Some(first), Some(last)) = (records.first(), records.last()) {
            self.read_at = Some(last.received_at);
            self.handed.push_back(Handed {
                up_to,
                first_at: first.received_at,
            });
        }
        self.read = up_to;
        if self.read == self.durable {
            self.behind = false;
        }
    }

    /// Notes that the drain has stored everything up to `up_to`, of what it was given.
    pub(super) fn drained(&mut self, up_to: Position) {
        self.drained = self.drained.max(up_to.min(self.read));
        while self
            .handed
            .front()
            .is_some_and(|handed| handed.up_to <= self.drained)
        {
            self.handed.pop_front();
        }
    }

    /// Starts reading again behind the last drained record.
    pub(super) fn rewind(&mut self) {
        self.read = self.drained;
        self.read_at = None;
        self.handed.clear();
        self.fresh.clear();
        self.fresh_bytes = 0;
        self.behind = self.read < self.durable;
    }

    /// When the oldest record that is not drained was received; on disk, about when.
    fn oldest(&self) -> Option<Timestamp> {
        if let Some(handed) = self.handed.front() {
            return Some(handed.first_at);
        }
        if let Some((record, _)) = self.fresh.front() {
            return Some(record.received_at);
        }
        let ahead = self.segments.iter().find(|s| s.end > self.read)?;
        ahead.first_at.max(self.read_at)
    }
}
