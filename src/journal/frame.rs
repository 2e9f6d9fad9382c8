//! The bytes inside a segment: how a record and a group head are written and read. Pure.
//!
//! ```text
//! frame      payload length u32 | crc32c of payload u32 | crc32c of the 8 bytes before u32 | payload
//! group head 1u8 | drained segment u64 | drained offset u64
//! record     2u8 | received_at i64 (µs) | length u16, source | length u16, content type | body
//! ```
//!
//! Numbers are little-endian; a content type that was not sent has the length `0xFFFF`. The first
//! byte of a payload names its kind and its layout at once: a new layout gets a new number.
//!
//! The header has a checksum of its own so that a damaged body does not cost the records behind it:
//! its length can still be trusted, and the next frame is found.

use bytes::{Buf, Bytes};

use crate::domain::clock::from_us;
use crate::domain::ids::SourceName;

use super::error::JournalError;
use super::record::Record;

/// The largest record taken, in bytes as stored. A longer one read back is damage.
pub(super) const RECORD_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The bytes in front of each payload.
const HEADER_BYTES: usize = 12;
const KIND_GROUP: u8 = 1;
const KIND_RECORD: u8 = 2;
/// The length that stands for a content type that was not sent.
const ABSENT: u16 = u16::MAX;
/// What a record takes beside its source, content type and body.
const RECORD_OVERHEAD_BYTES: usize = HEADER_BYTES + 1 + 8 + 2 + 2;
/// What the head of a group takes.
pub(super) const GROUP_BYTES: usize = HEADER_BYTES + 1 + 8 + 8;

/// Up to where the drain was done when a group was written: segment and offset.
pub(super) type Mark = (u64, u64);

/// What a frame holds.
#[derive(Debug)]
pub(super) enum Content {
    /// The head of a group. What stands before it was on disk before it was written.
    Group(Mark),
    /// A record.
    Record(Record),
    /// Something that was written well and does not read well: its checksum does not match.
    Damaged,
}

/// What stands at an offset.
#[derive(Debug)]
pub(super) enum Step {
    /// A frame, and where the next one begins.
    Frame(Content, usize),
    /// Nothing more.
    End,
    /// Bytes that are no frame, or not all of one.
    Broken,
}

/// How many bytes `record` takes in a segment.
///
/// # Errors
/// More than a record may have, or a source or content type of 64 KiB.
pub(super) fn record_bytes(record: &Record) -> Result<usize, JournalError> {
    let source = record.source.as_str().len();
    let content_type = record.content_type.as_ref().map_or(0, String::len);
    let bytes = RECORD_OVERHEAD_BYTES + source + content_type + record.body.len();
    let longest_name = source.max(content_type);
    if bytes > RECORD_BYTES_MAX || longest_name >= usize::from(ABSENT) {
        return Err(JournalError::TooLarge {
            bytes: bytes as u64,
            bytes_max: RECORD_BYTES_MAX as u64,
        });
    }
    Ok(bytes)
}

/// Appends the head of a group.
pub(super) fn encode_group(buffer: &mut Vec<u8>, (segment, offset): Mark) {
    encode(buffer, |payload| {
        payload.push(KIND_GROUP);
        payload.extend_from_slice(&segment.to_le_bytes());
        payload.extend_from_slice(&offset.to_le_bytes());
    });
}

/// Appends a record whose size [`record_bytes`] has approved.
pub(super) fn encode_record(buffer: &mut Vec<u8>, record: &Record) {
    encode(buffer, |payload| {
        payload.push(KIND_RECORD);
        payload.extend_from_slice(&record.received_at.as_microsecond().to_le_bytes());
        encode_text(payload, Some(record.source.as_str()));
        encode_text(payload, record.content_type.as_deref());
        payload.extend_from_slice(&record.body);
    });
}

fn encode_text(payload: &mut Vec<u8>, text: Option<&str>) {
    let length = text.map_or(ABSENT, |text| text.len() as u16);
    payload.extend_from_slice(&length.to_le_bytes());
    payload.extend_from_slice(text.unwrap_or_default().as_bytes());
}

fn encode(buffer: &mut Vec<u8>, payload: impl FnOnce(&mut Vec<u8>)) {
    let start = buffer.len();
    buffer.extend_from_slice(&[0; HEADER_BYTES]);
    payload(buffer);
    let (header, payload) = buffer[start..].split_at_mut(HEADER_BYTES);
    header[..4].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    header[4..8].copy_from_slice(&crc32c::crc32c(payload).to_le_bytes());
    let own = crc32c::crc32c(&header[..8]);
    header[8..].copy_from_slice(&own.to_le_bytes());
}

/// A frame's header that reads well.
struct Header {
    payload_bytes: usize,
    payload_crc: u32,
}

fn header(mut bytes: &[u8]) -> Option<Header> {
    let own = crc32c::crc32c(bytes.get(..8)?);
    let payload_bytes = bytes.try_get_u32_le().ok()? as usize;
    let payload_crc = bytes.try_get_u32_le().ok()?;
    let good = bytes.try_get_u32_le().ok()? == own && payload_bytes <= RECORD_BYTES_MAX;
    good.then_some(Header {
        payload_bytes,
        payload_crc,
    })
}

/// The length of the frame at the start of `bytes`, if its header is there and reads well. More
/// than there are bytes, if the frame goes on behind them.
pub(super) fn frame_bytes(bytes: &[u8]) -> Option<usize> {
    header(bytes).map(|header| HEADER_BYTES + header.payload_bytes)
}

/// Reads what stands at `at`. A record's body shares memory with `bytes`.
pub(super) fn read(bytes: &Bytes, at: usize) -> Step {
    let rest = bytes.get(at..).unwrap_or_default();
    if rest.is_empty() {
        return Step::End;
    }
    let Some(header) = header(rest) else {
        return Step::Broken;
    };
    let (start, end) = (HEADER_BYTES, HEADER_BYTES + header.payload_bytes);
    let Some(payload) = rest.get(start..end) else {
        return Step::Broken;
    };
    let content = (crc32c::crc32c(payload) == header.payload_crc)
        .then(|| decode(bytes.slice(at + start..at + end)))
        .flatten();
    Step::Frame(content.unwrap_or(Content::Damaged), at + end)
}

fn decode(mut payload: Bytes) -> Option<Content> {
    match payload.try_get_u8().ok()? {
        KIND_GROUP => {
            let segment = payload.try_get_u64_le().ok()?;
            let offset = payload.try_get_u64_le().ok()?;
            payload
                .is_empty()
                .then_some(Content::Group((segment, offset)))
        }
        KIND_RECORD => Some(Content::Record(Record {
            received_at: from_us(payload.try_get_i64_le().ok()?),
            source: SourceName::new(decode_text(&mut payload)??),
            content_type: decode_text(&mut payload)?,
            body: payload,
        })),
        _ => None,
    }
}

/// A text that may be absent; the outer `None` is one that does not read.
fn decode_text(payload: &mut Bytes) -> Option<Option<String>> {
    let length = payload.try_get_u16_le().ok()?;
    if length == ABSENT {
        return Some(None);
    }
    let length = usize::from(length);
    if length > payload.len() {
        return None;
    }
    let text = payload.split_to(length);
    Some(Some(std::str::from_utf8(&text).ok()?.to_owned()))
}

/// Whether the head of a group stands anywhere from `from` on. Looks at every byte, because the
/// frames before it cannot be followed.
pub(super) fn group_follows(bytes: &Bytes, from: usize) -> bool {
    (from..bytes.len()).any(|at| {
        frame_bytes(&bytes[at..]) == Some(GROUP_BYTES)
            && matches!(read(bytes, at), Step::Frame(Content::Group(_), _))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_record() -> impl Strategy<Value = Record> {
        let times = -62_135_596_800_000_000_i64..253_402_207_200_000_000;
        let types = proptest::option::of("[ -~]{0,40}");
        let bodies = proptest::collection::vec(any::<u8>(), 0..600);
        (times, "[a-z0-9_]{1,32}", types, bodies).prop_map(|(us, source, content_type, body)| {
            Record {
                source: SourceName::new(source),
                received_at: from_us(us),
                content_type,
                body: Bytes::from(body),
            }
        })
    }

    fn encoded(record: &Record) -> Bytes {
        let mut buffer = Vec::new();
        encode_record(&mut buffer, record);
        Bytes::from(buffer)
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(record in any_record()) {
            let bytes = encoded(&record);
            prop_assert_eq!(bytes.len(), record_bytes(&record).unwrap());
            let Step::Frame(Content::Record(read), end) = read(&bytes, 0) else {
                panic!("not a record");
            };
            prop_assert_eq!(read, record);
            prop_assert_eq!(end, bytes.len());
        }

        #[test]
        fn a_flipped_bit_is_never_taken_for_a_record(record in any_record(), at in any::<prop::sample::Index>(), bit in 0_u32..8) {
            let mut bytes = encoded(&record).to_vec();
            let at = at.index(bytes.len());
            bytes[at] ^= 1_u8 << bit;
            let step = read(&Bytes::from(bytes), 0);
            prop_assert!(matches!(step, Step::Broken | Step::Frame(Content::Damaged, _)), "{:?}", step);
        }

        #[test]
        fn noise_is_read_without_a_panic(noise in proptest::collection::vec(any::<u8>(), 0..200), at in 0_usize..220) {
            let noise = Bytes::from(noise);
            read(&noise, at);
            prop_assert!(!group_follows(&noise, at));
            decode(noise);
        }
    }

    #[test]
    fn a_record_that_is_too_large_is_refused() {
        let mut record = Record {
            source: SourceName::new("front_desk"),
            received_at: from_us(0),
            content_type: None,
            body: Bytes::from(vec![0; RECORD_BYTES_MAX]),
        };
        assert_eq!(
            record_bytes(&record).unwrap_err().to_string(),
            "a record of 16777251 bytes is more than the journal takes: at most 16777216"
        );
        record.body = Bytes::new();
        record.content_type = Some("x".repeat(usize::from(ABSENT)));
        assert!(matches!(
            record_bytes(&record),
            Err(JournalError::TooLarge { .. })
        ));
    }
}
