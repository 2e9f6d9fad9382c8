//! What is kept, and where it stands.

use std::fmt;

use bytes::Bytes;

use crate::domain::clock::Timestamp;
use crate::domain::ids::SourceName;

/// A verified delivery as it came in, not yet understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The source it was sent to.
    pub source: SourceName,
    /// When it was received, by our clock; kept to the microsecond.
    pub received_at: Timestamp,
    /// The `Content-Type` header, if one was sent.
    pub content_type: Option<String>,
    /// The exact bytes that were signed.
    pub body: Bytes,
}

/// Where a record ends in the journal. Positions order records as they were appended. They are good
/// for the process that got them: a restart counts the records anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    /// The number of the segment.
    pub(super) segment: u64,
    /// The byte behind the record's last one in that segment.
    pub(super) offset: u64,
    /// How many records stood or came in up to and with this one since the journal was opened.
    pub(super) record: u64,
}

impl Position {
    /// Before everything.
    pub(super) const START: Self = Self {
        segment: 0,
        offset: 0,
        record: 0,
    };
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.segment, self.offset)
    }
}
