//! How the wire spells things.

use crate::domain::clock::Timestamp;

/// `2027-03-01T10:00:00.000000Z`
pub(super) fn microseconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}
