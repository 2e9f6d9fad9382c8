//! The shapes Cal.com sends, read loosely: a field that is absent, null or of another type than
//! expected is `None` and spoils nothing else. Only the envelope must be well-formed JSON.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::de::{Deserialize, Deserializer, IgnoredAny};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::domain::booking::Status;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{SeatId, Uid};

/// The longest id taken, in bytes. A longer one is no id: cutting it could make two bookings one.
const ID_BYTES_MAX: usize = 200;
/// The longest text kept, in bytes; the rest is cut off.
const TEXT_BYTES_MAX: usize = 4 * 1024;

/// A value that is there only if it has the expected type.
#[derive(Debug)]
pub(super) struct Loose<T>(pub(super) Option<T>);

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
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

impl Loose<Text<'_>> {
    /// The text without surrounding white space; `None` if nothing is left.
    pub(super) fn text(&self) -> Option<&str> {
        let text = self.0.as_ref()?.0.trim();
        (!text.is_empty()).then_some(text)
    }

    /// The text as it is kept: see [`kept`].
    pub(super) fn kept(&self) -> Option<String> {
        self.text().map(kept)
    }

    /// A time in any of Cal.com's three spellings.
    pub(super) fn time(&self) -> Option<Timestamp> {
        self.text()?.parse().ok()
    }

    /// The id of a booking.
    pub(super) fn uid(&self) -> Option<Uid> {
        self.text().filter(|text| is_id(text)).map(Uid::new)
    }

    /// The id of a seat.
    pub(super) fn seat(&self) -> Option<SeatId> {
        self.text().filter(|text| is_id(text)).map(SeatId::new)
    }

    /// A booking's state: upper case in webhooks and API v1, lower case in API v2.
    pub(super) fn status(&self) -> Option<Status> {
        match self.text()?.to_ascii_lowercase().as_str() {
            "pending" => Some(Status::Pending),
            "accepted" => Some(Status::Accepted),
            "rejected" => Some(Status::Rejected),
            "cancelled" => Some(Status::Cancelled),
            _ => None,
        }
    }
}

/// Whether a text can stand in a URL's path as the id of something.
fn is_id(text: &str) -> bool {
    text.len() <= ID_BYTES_MAX
        && text.bytes().any(|byte| byte.is_ascii_alphanumeric())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !b"/\\?#%".contains(&byte))
}

/// A stranger's text as it is kept: without NUL (PostgreSQL takes none), at most
/// [`TEXT_BYTES_MAX`] long.
pub(super) fn kept(text: &str) -> String {
    text[..text.floor_char_boundary(TEXT_BYTES_MAX)].replace('\0', "")
}

/// An object whose values are looked at one by one.
pub(super) type RawMap<'a> = BTreeMap<Text<'a>, &'a RawValue>;

/// A list whose odd entries are skipped.
pub(super) type List<T> = Loose<Vec<Loose<T>>>;

impl<T> List<T> {
    /// The entries that could be read.
    pub(super) fn entries(&self) -> impl Iterator<Item = &T> {
        self.0.iter().flatten().filter_map(|entry| entry.0.as_ref())
    }
}

/// What is around every webhook, unless the subscriber set a template of its own.
#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Envelope<'a> {
    #[serde(borrow, default)]
    pub(super) trigger_event: Loose<Text<'a>>,
    #[serde(default)]
    pub(super) created_at: Loose<Text<'a>>,
    #[serde(default)]
    pub(super) payload: Loose<Payload<'a>>,
}

/// The booking as a webhook tells it.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Payload<'a> {
    #[serde(borrow)]
    pub(super) uid: Loose<Text<'a>>,
    pub(super) booking_id: Loose<i64>,
    /// Instead of `uid` in no-show webhooks.
    pub(super) booking_uid: Loose<Text<'a>>,
    pub(super) attendee_seat_id: Loose<Text<'a>>,
    pub(super) status: Loose<Text<'a>>,
    pub(super) start_time: Loose<Text<'a>>,
    pub(super) end_time: Loose<Text<'a>>,
    /// Minutes.
    pub(super) length: Loose<i64>,
    pub(super) title: Loose<Text<'a>>,
    /// The event type's slug.
    #[serde(rename = "type")]
    pub(super) event_type_slug: Loose<Text<'a>>,
    pub(super) event_type_id: Loose<i64>,
    pub(super) organizer: Loose<Person<'a>>,
    pub(super) team: Loose<Team<'a>>,
    pub(super) attendees: List<Person<'a>>,
    pub(super) responses: Loose<RawMap<'a>>,
    pub(super) metadata: Loose<RawMap<'a>>,
    pub(super) location: Loose<Text<'a>>,
    pub(super) additional_notes: Loose<Text<'a>>,
    pub(super) price: Loose<f64>,
    #[serde(rename = "iCalUID")]
    pub(super) ical_uid: Option<IgnoredAny>,
    pub(super) seats_per_time_slot: Option<IgnoredAny>,
    pub(super) recurring_event: Option<IgnoredAny>,
    pub(super) reschedule_uid: Loose<Text<'a>>,
    pub(super) reschedule_id: Loose<i64>,
    pub(super) rescheduled_by: Loose<Text<'a>>,
    pub(super) cancelled_by: Loose<Text<'a>>,
    pub(super) cancellation_reason: Loose<Text<'a>>,
    pub(super) rejection_reason: Loose<Text<'a>>,
    pub(super) request_reschedule: Loose<bool>,
}

/// The team of an event type that several hosts share.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct Team<'a> {
    #[serde(borrow)]
    pub(super) members: List<Person<'a>>,
}

/// A host or an attendee, in webhooks and in both API dialects.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Person<'a> {
    #[serde(borrow)]
    pub(super) email: Loose<Text<'a>>,
    pub(super) name: Loose<Text<'a>>,
    pub(super) time_zone: Loose<Text<'a>>,
    /// `{locale}` in webhooks, a tag in API v2.
    language: Loose<Value>,
    /// A tag in API v1.
    locale: Loose<Text<'a>>,
    /// API v2, seated event types.
    pub(super) seat_uid: Loose<Text<'a>>,
    /// API v2, seated event types: each attendee's own answers.
    pub(super) booking_fields_responses: Loose<RawMap<'a>>,
    /// No-show webhooks.
    pub(super) no_show: Loose<bool>,
}

impl Person<'_> {
    /// The language tag, wherever it stands.
    pub(super) fn locale(&self) -> Option<String> {
        let language = self.language.0.as_ref();
        let tag = language.and_then(|tag| tag.as_str().or_else(|| tag["locale"].as_str()));
        self.locale.text().or(tag).map(kept)
    }
}
