//! What the calls to the API ask for.

use axum::http::Method;

use crate::domain::ids::Uid;

/// What a call to the API asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Who the token belongs to.
    Me,
    /// List event types.
    ListEventTypes,
    /// Read one event type.
    ReadEventType,
    /// List scheduled events.
    ListEvents,
    /// Read one scheduled event.
    ReadEvent,
    /// List the invitees of a scheduled event.
    ListInvitees,
    /// Read one invitee.
    ReadInvitee,
    /// Call off a scheduled event, with all its invitees.
    Cancel,
    /// Say that an invitee did not come.
    MarkNoShow,
    /// Take that back.
    UnmarkNoShow,
    /// List webhook subscriptions.
    ListSubscriptions,
    /// Read one webhook subscription.
    ReadSubscription,
    /// Subscribe.
    Subscribe,
    /// Delete a subscription.
    Unsubscribe,
    /// Not a call the stand-in knows.
    Other,
}

impl Operation {
    /// Whether it changes something when it succeeds.
    pub fn changes(self) -> bool {
        matches!(
            self,
            Self::Cancel
                | Self::MarkNoShow
                | Self::UnmarkNoShow
                | Self::Subscribe
                | Self::Unsubscribe
        )
    }
}

/// What a call asks for, and the id that its path names last.
pub(super) fn classify(method: &Method, path: &str) -> (Operation, Option<Uid>) {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let (operation, id) = match (method.as_str(), parts.as_slice()) {
        ("GET", ["users", "me"]) => (Operation::Me, None),
        ("GET", ["event_types"]) => (Operation::ListEventTypes, None),
        ("GET", ["event_types", id]) => (Operation::ReadEventType, Some(id)),
        ("GET", ["scheduled_events"]) => (Operation::ListEvents, None),
        ("GET", ["scheduled_events", id]) => (Operation::ReadEvent, Some(id)),
        ("GET", ["scheduled_events", id, "invitees"]) => (Operation::ListInvitees, Some(id)),
        ("GET", ["scheduled_events", _, "invitees", id]) => (Operation::ReadInvitee, Some(id)),
        ("POST", ["scheduled_events", id, "cancellation"]) => (Operation::Cancel, Some(id)),
        ("POST", ["invitee_no_shows"]) => (Operation::MarkNoShow, None),
        ("DELETE", ["invitee_no_shows", id]) => (Operation::UnmarkNoShow, Some(id)),
        ("GET", ["webhook_subscriptions"]) => (Operation::ListSubscriptions, None),
        ("GET", ["webhook_subscriptions", id]) => (Operation::ReadSubscription, Some(id)),
        ("POST", ["webhook_subscriptions"]) => (Operation::Subscribe, None),
        ("DELETE", ["webhook_subscriptions", id]) => (Operation::Unsubscribe, Some(id)),
        _ => (Operation::Other, None),
    };
    (operation, id.map(|id| Uid::new(*id)))
}
