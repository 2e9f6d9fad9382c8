//! What a start does before anything is appended: takes the folder's lock, and looks through the
//! segments that an earlier run left.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use super::error::JournalError;
use super::record::Position;
use super::segment::{self, Scan};
use super::state::Segment;
use super::{Damage, Opened};

/// The file whose lock keeps a second process out.
const LOCK: &str = "LOCK";

/// What keeps other processes out of a folder, until it is dropped. It is then given up in so many words: a
/// process that was just begun has all files of this one until it runs its own program.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

/// Keeps other processes out, until what is returned is dropped.
///
/// # Errors
/// Another process has the lock, or the folder cannot be written.
pub(super) fn lock(dir: &Path) -> Result<Lock, JournalError> {
    let path = dir.join(LOCK);
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(segment::MODE)
        .open(&path)
        .map_err(JournalError::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(Lock(file)),
        Err(TryLockError::WouldBlock) => Err(JournalError::Locked {
            dir: dir.to_owned(),
        }),
        Err(TryLockError::Error(error)) => Err(JournalError::io("lock", &path)(error)),
    }
}

/// Looks through the segments an earlier run left, cuts torn tails off, and counts what is not
/// drained.
///
/// # Errors
/// A segment cannot be read or cut, or was written by a newer version.
pub(super) fn recover(
    dir: &Path,
    numbers: &[u64],
    opened: &mut Opened,
) -> Result<(VecDeque<Segment>, Position), JournalError> {
    let mut scans = Vec::with_capacity(numbers.len());
    for &number in numbers {
        let path = segment::path(dir, number);
        let bytes = segment::load(&path)?;
        let scan = segment::scan(&bytes, 0);
        report(&path, &scan, opened);
        if let Some(length) = scan.cut_at {
            segment::cut(&path, length).map_err(JournalError::io("cut the torn tail of", &path))?;
        }
        scans.push((number, bytes.len() as u64, scan));
    }
    let mark = scans.iter().filter_map(|(_, _, scan)| scan.mark).max();
    let drained = mark.map_or(Position::START, |(segment, offset)| Position {
        segment,
        offset,
        record: 0,
    });
    let mut segments = VecDeque::with_capacity(scans.len());
    let mut last = drained;
    for (number, length, scan) in scans {
        let damaged = scan.damage.is_some();
        let bytes = scan.cut_at.unwrap_or(length);
        let left = if number == drained.segment {
            // A part of it is drained: only what comes behind the mark counts.
            let bytes = segment::load(&segment::path(dir, number))?;
            segment::scan(&bytes, drained.offset)
        } else if number < drained.segment {
            Scan::default()
        } else {
            scan
        };
        if left.records > 0 {
            last = Position {
                segment: number,
                offset: left.end,
                record: last.record + left.records,
            };
        }
        segments.push_back(Segment {
            number,
            bytes,
            end: last,
            first_at: left.first_at,
            sealed: true,
            damaged,
        });
    }
    opened.recovered_records = last.record;
    Ok((segments, drained))
}

fn report(path: &Path, scan: &Scan, opened: &mut Opened) {
    if scan.torn_bytes > 0 {
        opened.torn_bytes += scan.torn_bytes;
        tracing::warn!(
            bytes = scan.torn_bytes,
            "journal `{}`: the last group was not written whole; what is left of it was never \
             acknowledged and is cut off",
            path.display()
        );
    }
    if let Some(damage) = scan.damage {
        tracing::error!(
            segment.offset = damage.offset,
            bytes = damage.bytes,
            "journal `{}`: damaged: acknowledged records cannot be read; the file is set aside \
             once the rest is drained",
            path.display()
        );
        opened.damaged.push(Damage {
            path: path.to_owned(),
            offset: damage.offset,
            bytes: damage.bytes,
        });
    }
}
