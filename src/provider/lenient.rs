//! Bodies read loosely: a field that is absent, null or of another type than expected is `None` and
//! spoils nothing else. Providers add, drop and change fields without a word.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::de::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::domain::clock::Timestamp;
use crate::domain::ids::{SeatId, Uid};
use crate::domain::owner::Owner;

/// The longest id taken, in bytes. A longer one is no id: cutting it could make two bookings one.
const ID_BYTES_MAX: usize = 200;
/// The longest text kept, in bytes; the rest is cut off.
const TEXT_BYTES_MAX: usize = 4 * 1024;

/// A value that is there only if it has the expected type.
#[derive(Debug)]
pub(in crate::provider) struct Loose<T>(pub(in crate::provider) Option<T>);

impl<T> Default for Loose<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Loose<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?;
        Ok(Self(serde_json::from_str(raw.get()).ok()))
    }
}

/// A text, borrowed from the body where it needs no unescaping.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
#[serde(transparent)]
pub(in crate::provider) struct Text<'a>(#[serde(borrow)] pub(in crate::provider) Cow<'a, str>);

impl Loose<Text<'_>> {
    /// The text without surrounding white space; `None` if nothing is left.
    pub(in crate::provider) fn text(&self) -> Option<&str> {
        let text = self.0.as_ref()?.0.trim();
        (!text.is_empty()).then_some(text)
    }

    /// The text as it is kept: see [`kept`].
    pub(in crate::provider) fn kept(&self) -> Option<String> {
        self.text().map(kept)
    }

    /// A time in any spelling of RFC 3339 or RFC 9557.
    pub(in crate::provider) fn time(&self) -> Option<Timestamp> {
        self.text()?.parse().ok()
    }

    /// The address of a person.
    pub(in crate::provider) fn owner(&self) -> Option<Owner> {
        Owner::parse(self.text()?).ok()
    }

    /// The id of a booking.
    pub(in crate::provider) fn uid(&self) -> Option<Uid> {
        self.text().filter(|text| is_id(text)).map(Uid::new)
    }

    /// The id of a seat.
    pub(in crate::provider) fn seat(&self) -> Option<SeatId> {
        self.text().filter(|text| is_id(text)).map(SeatId::new)
    }
}

/// Whether a text can stand in a URL's path as the id of something.
pub(in crate::provider) fn is_id(text: &str) -> bool {
    text.len() <= ID_BYTES_MAX
        && text.bytes().any(|byte| byte.is_ascii_alphanumeric())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !b"/\\?#%".contains(&byte))
}

/// A stranger's text as it is kept: without NUL (PostgreSQL takes none), at most
/// [`TEXT_BYTES_MAX`] long.
pub(in crate::provider) fn kept(text: &str) -> String {
    text[..text.floor_char_boundary(TEXT_BYTES_MAX)].replace('\0', "")
}

/// An object whose values are looked at one by one.
pub(in crate::provider) type RawMap<'a> = BTreeMap<Text<'a>, &'a RawValue>;

/// A list whose odd entries are skipped.
pub(in crate::provider) type List<T> = Loose<Vec<Loose<T>>>;

impl<T> List<T> {
    /// The entries that could be read.
    pub(in crate::provider) fn entries(&self) -> impl Iterator<Item = &T> {
        self.0.iter().flatten().filter_map(|entry| entry.0.as_ref())
    }
}
