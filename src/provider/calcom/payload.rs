//! The shapes Cal.com sends, read loosely. Only the envelope must be well-formed JSON.

use serde::de::IgnoredAny;
use serde_json::Value;

use crate::domain::booking::{Host, Status};
pub(super) use crate::provider::lenient::{List, Loose, RawMap, Text, kept};

/// A booking's state: upper case in webhooks and API v1, lower case in API v2.
pub(super) fn status(text: &Loose<Text<'_>>) -> Option<Status> {
    match text.text()?.to_ascii_lowercase().as_str() {
        "pending" => Some(Status::Pending),
        "accepted" => Some(Status::Accepted),
        "rejected" => Some(Status::Rejected),
        "cancelled" => Some(Status::Cancelled),
        _ => None,
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
    pub(super) phone_number: Loose<Text<'a>>,
    /// Hosts only.
    pub(super) id: Loose<i64>,
    /// Hosts only.
    pub(super) username: Loose<Text<'a>>,
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
    /// The host that this is.
    pub(super) fn host(&self) -> Host {
        Host {
            email: self.email.owner(),
            username: self.username.kept(),
            id: self.id.0.map(|id| id.to_string()),
        }
    }

    /// The language tag, wherever it stands.
    pub(super) fn locale(&self) -> Option<String> {
        let language = self.language.0.as_ref();
        let tag = language.and_then(|tag| tag.as_str().or_else(|| tag["locale"].as_str()));
        self.locale.text().or(tag).map(kept)
    }
}
