//! The shapes Calendly sends and answers, read loosely: bodies of 2020 lack what those of 2026 have
//! (contract §1.3). An invitee is the same in webhooks and in the API.

use crate::provider::lenient::{List, Loose, Text};

/// What is around every webhook.
#[derive(Debug, serde::Deserialize)]
pub(super) struct Envelope<'a> {
    #[serde(borrow, default)]
    pub(super) event: Loose<Text<'a>>,
    #[serde(default)]
    pub(super) payload: Loose<Invitee<'a>>,
}

/// What is around every answer about one thing.
#[derive(Debug, serde::Deserialize)]
pub(super) struct Resource<T> {
    pub(super) resource: T,
}

/// What is around every answer that lists things.
#[derive(Debug, serde::Deserialize)]
pub(super) struct Collection<T> {
    pub(super) collection: Vec<T>,
    #[serde(default)]
    pub(super) pagination: Pagination,
}

/// Where the next page is.
#[derive(Debug, Default, serde::Deserialize)]
pub(super) struct Pagination {
    #[serde(default)]
    pub(super) next_page_token: Option<String>,
}

/// Somebody who has booked a place in a scheduled event.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct Invitee<'a> {
    #[serde(borrow)]
    pub(super) uri: Loose<Text<'a>>,
    pub(super) email: Loose<Text<'a>>,
    pub(super) name: Loose<Text<'a>>,
    pub(super) first_name: Loose<Text<'a>>,
    pub(super) last_name: Loose<Text<'a>>,
    pub(super) timezone: Loose<Text<'a>>,
    pub(super) text_reminder_number: Loose<Text<'a>>,
    /// `active` or `canceled`.
    pub(super) status: Loose<Text<'a>>,
    pub(super) created_at: Loose<Text<'a>>,
    pub(super) updated_at: Loose<Text<'a>>,
    pub(super) questions_and_answers: List<Question<'a>>,
    pub(super) tracking: Loose<Tracking<'a>>,
    /// True on the old half of a move only.
    pub(super) rescheduled: Loose<bool>,
    pub(super) old_invitee: Loose<Text<'a>>,
    pub(super) new_invitee: Loose<Text<'a>>,
    pub(super) cancellation: Loose<Cancellation<'a>>,
    /// Webhooks only, and not those of 2020.
    pub(super) scheduled_event: Loose<ScheduledEvent<'a>>,
}

/// One answered question.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct Question<'a> {
    #[serde(borrow)]
    pub(super) question: Loose<Text<'a>>,
    pub(super) answer: Loose<Text<'a>>,
}

/// Where a booker came from.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct Tracking<'a> {
    #[serde(borrow)]
    utm_campaign: Loose<Text<'a>>,
    utm_source: Loose<Text<'a>>,
    utm_medium: Loose<Text<'a>>,
    utm_content: Loose<Text<'a>>,
    utm_term: Loose<Text<'a>>,
    salesforce_uuid: Loose<Text<'a>>,
}

impl Tracking<'_> {
    /// What is set, by Calendly's names.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&'static str, String)> {
        [
            ("utm_campaign", &self.utm_campaign),
            ("utm_source", &self.utm_source),
            ("utm_medium", &self.utm_medium),
            ("utm_content", &self.utm_content),
            ("utm_term", &self.utm_term),
            ("salesforce_uuid", &self.salesforce_uuid),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.kept()?)))
    }
}

/// Who called it off, and why.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct Cancellation<'a> {
    #[serde(borrow)]
    pub(super) reason: Loose<Text<'a>>,
    /// Not in captures of 2023 and before.
    pub(super) created_at: Loose<Text<'a>>,
    /// `host` or `invitee`.
    pub(super) canceler_type: Loose<Text<'a>>,
}

/// An appointment, with one invitee or several.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct ScheduledEvent<'a> {
    #[serde(borrow)]
    pub(super) uri: Loose<Text<'a>>,
    pub(super) name: Loose<Text<'a>>,
    /// `active` or `canceled`. In an invitee's cancel it may still be `active`.
    pub(super) status: Loose<Text<'a>>,
    pub(super) start_time: Loose<Text<'a>>,
    pub(super) end_time: Loose<Text<'a>>,
    pub(super) event_type: Loose<Text<'a>>,
    pub(super) location: Loose<Location<'a>>,
    pub(super) invitees_counter: Loose<Counter>,
    pub(super) event_guests: List<Guest<'a>>,
    pub(super) event_memberships: List<Membership<'a>>,
}

/// Somebody whose calendar it is. Webhooks of 2020 and the API of then name the `user` only.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct Membership<'a> {
    #[serde(borrow)]
    pub(super) user: Loose<Text<'a>>,
    pub(super) user_email: Loose<Text<'a>>,
}

/// Where it takes place.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct Location<'a> {
    #[serde(borrow)]
    pub(super) location: Loose<Text<'a>>,
    pub(super) join_url: Loose<Text<'a>>,
    #[serde(rename = "type")]
    pub(super) kind: Loose<Text<'a>>,
}

/// How many people an appointment has, and may have.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct Counter {
    pub(super) total: Loose<i64>,
    pub(super) active: Loose<i64>,
    pub(super) limit: Loose<i64>,
}

/// Somebody the booker brings along.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct Guest<'a> {
    #[serde(borrow)]
    pub(super) email: Loose<Text<'a>>,
}
