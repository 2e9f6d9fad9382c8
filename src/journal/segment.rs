//! Segment files: their names, their making and removal, and what a start finds in them.
//!
//! A segment is `NNNNNNNNNN.journal`: sixteen bytes of magic and layout, then frames in groups. The
//! flush of one group ends before the head of the next is written, so a head proves that everything
//! in front of it was on disk once. That is how a start tells a **torn tail** (bytes of the last
//! group, which nobody was told is stored: cut off) from **damage** (bytes that were on disk and
//! are no longer what was written).
//!
//! While it is written, a segment may end in zeros: space made ahead. They are no frame.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::domain::clock::Timestamp;

use super::error::JournalError;
use super::frame::{self, Content, Mark, Step};

/// What the file begins with, before the layout number.
const MAGIC: &[u8; 12] = b"bookgate.jnl";
/// The layout of segments that this program writes and reads.
const LAYOUT: u32 = 1;
/// Magic and layout.
pub(super) const HEADER_BYTES: u64 = 16;
/// Nobody else's to read: what booked people wrote is in it.
pub(super) const MODE: u32 = 0o600;
/// The same for the folder.
pub(super) const FOLDER_MODE: u32 = 0o700;
const SUFFIX: &str = ".journal";
/// What is appended to the name of a damaged segment once all that reads well has been drained.
const SET_ASIDE: &str = ".damaged";

/// The file of segment `number`.
pub(super) fn path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:010}{SUFFIX}"))
}

/// What lies in a journal's folder.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// The numbers of the segments, ascending.
    pub(super) segments: Vec<u64>,
    /// Damaged segments that were set aside, by this start or an earlier one.
    pub(super) set_aside: Vec<PathBuf>,
    /// The highest number that any file has.
    pub(super) highest: u64,
}

/// Lists a folder; files with other names are left alone.
pub(super) fn list(dir: &Path) -> io::Result<Listing> {
    let mut listing = Listing::default();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let (name, damaged) = match name.strip_suffix(SET_ASIDE) {
            Some(name) => (name, true),
            None => (name, false),
        };
        let Some(number) = name
            .strip_suffix(SUFFIX)
            .and_then(|digits| digits.parse().ok())
        else {
            continue;
        };
        listing.highest = listing.highest.max(number);
        if damaged {
            listing.set_aside.push(entry.path());
        } else {
            listing.segments.push(number);
        }
    }
    listing.segments.sort_unstable();
    listing.set_aside.sort_unstable();
    Ok(listing)
}

/// Makes a new segment with its header and flushes the folder, so that the name survives a power
/// cut. The header itself is on disk with the first group.
pub(super) fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(MODE).open(path)?;
    let mut header = MAGIC.to_vec();
    header.extend_from_slice(&LAYOUT.to_le_bytes());
    file.write_all(&header)
        .and_then(|()| sync_parent(path))
        .inspect_err(|_| {
            let _ = fs::remove_file(path); // nothing is in it; an empty segment is harmless too
        })?;
    Ok(file)
}

/// Removes a segment, or sets it aside if it is damaged. One that is gone already is fine: removal
/// may be asked for twice. The folder is flushed by the caller, once for many.
pub(super) fn retire(path: &Path, damaged: bool) -> io::Result<()> {
    let done = if damaged {
        let mut aside = path.as_os_str().to_owned();
        aside.push(SET_ASIDE);
        fs::rename(path, aside)
    } else {
        fs::remove_file(path)
    };
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// Flushes a folder: the names in it are on disk afterwards.
pub(super) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Flushes the folder that `path` stands in.
pub(super) fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => sync_dir(dir),
        _ => sync_dir(Path::new(".")),
    }
}

/// Bytes of a segment that were on disk and cannot be read any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unreadable {
    /// Where they begin.
    pub(super) offset: u64,
    /// How many there are in all, from there on.
    pub(super) bytes: u64,
}

/// What a segment holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Scan {
    /// How many records read well.
    pub(super) records: u64,
    /// When the first of them was received.
    pub(super) first_at: Option<Timestamp>,
    /// Where the last of them ends; 0 if there is none.
    pub(super) end: u64,
    /// The last mark: up to where the drain was done.
    pub(super) mark: Option<Mark>,
    /// Bytes of the last group that do not read well.
    pub(super) torn_bytes: u64,
    /// The length at which the torn tail begins, or what is blank, if there is either.
    pub(super) cut_at: Option<u64>,
    /// Bytes before the last group that do not read well.
    pub(super) damage: Option<Unreadable>,
}

impl Scan {
    fn damaged(&mut self, offset: u64, bytes: u64) {
        let damage = self.damage.get_or_insert(Unreadable { offset, bytes: 0 });
        damage.bytes += bytes;
    }
}

/// Reads a whole segment. Memory: the file, once; segments are bounded by the settings.
///
/// # Errors
/// The file cannot be read, or has a layout that this program does not know.
pub(super) fn load(path: &Path) -> Result<Bytes, JournalError> {
    let bytes = fs::read(path).map_err(JournalError::io("read", path))?;
    if let Some((magic, rest)) = bytes.split_first_chunk::<12>()
        && let Some(layout) = rest.first_chunk().map(|layout| u32::from_le_bytes(*layout))
        && magic == MAGIC
        && layout != LAYOUT
    {
        return Err(JournalError::Layout {
            path: path.to_owned(),
            found: layout,
            known: LAYOUT,
        });
    }
    Ok(Bytes::from(bytes))
}

/// Follows the frames of a segment from `from` (a boundary of frames, or 0) to its end. A record
/// that is damaged inside a sound frame is skipped; the first frame that is not sound ends it, since
/// nothing behind it can be told from bytes inside a body, which strangers write.
pub(super) fn scan(bytes: &Bytes, from: u64) -> Scan {
    let mut scan = Scan::default();
    let mut suspects: Vec<Unreadable> = Vec::new();
    let length = bytes.len() as u64;
    let written = bytes.iter().rposition(|&byte| byte != 0);
    let written = written.map_or(0, |last| last as u64 + 1);
    let mut is_blank_behind = false;
    let mut at = from.max(HEADER_BYTES) as usize;
    let mut sound_until = at as u64;
    let headless = !bytes.starts_with(MAGIC) || length < HEADER_BYTES;
    if headless {
        (at, sound_until) = (0, 0);
    }
    loop {
        let step = if headless {
            Step::Broken
        } else {
            frame::read(bytes, at)
        };
        match step {
            Step::End => break,
            Step::Frame(Content::Damaged, end) => {
                suspects.push(Unreadable {
                    offset: at as u64,
                    bytes: (end - at) as u64,
                });
                at = end;
            }
            Step::Frame(content, end) => {
                at = end;
                sound_until = end as u64;
                match content {
                    Content::Group(mark) => {
                        scan.mark = Some(mark);
                        for suspect in suspects.drain(..) {
                            scan.damaged(suspect.offset, suspect.bytes);
                        }
                    }
                    Content::Record(record) => {
                        scan.records += 1;
                        scan.first_at.get_or_insert(record.received_at);
                        scan.end = end as u64;
                    }
                    Content::Damaged => {}
                }
            }
            Step::Broken => {
                // The head of the first group says nothing of what stands before it.
                let later = (at + 1).max(HEADER_BYTES as usize + 1);
                let rest = written.saturating_sub(at as u64);
                is_blank_behind = rest == 0;
                if rest > 0 && frame::group_follows(bytes, later) {
                    scan.damaged(at as u64, rest);
                } else {
                    scan.torn_bytes += rest;
                }
                break;
            }
        }
    }
    scan.torn_bytes += suspects.iter().map(|suspect| suspect.bytes).sum::<u64>();
    if (scan.torn_bytes > 0 || is_blank_behind) && scan.damage.is_none() {
        scan.cut_at = Some(sound_until);
    }
    scan
}

/// Cuts a torn tail off.
pub(super) fn cut(path: &Path, length: u64) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(path)?;
    file.set_len(length)?;
    file.sync_data()
}
