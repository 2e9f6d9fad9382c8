//! What the calls to either dialect ask for.

use axum::http::Method;

use super::state::State;
use crate::domain::ids::Uid;

/// What a call to the API asks for, whatever the dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Read one booking (or a whole series).
    Read,
    /// List bookings.
    List,
    /// Ask whose key it is.
    Me,
    /// Confirm a booking or seats of it.
    Confirm,
    /// Decline a booking or seats of it.
    Decline,
    /// Cancel a booking or a seat of it.
    Cancel,
    /// v1: overwrite fields of the row.
    Patch,
    /// List event types.
    ListEventTypes,
    /// List webhooks, or read one.
    ListWebhooks,
    /// Make a webhook.
    MakeWebhook,
    /// Change a webhook.
    ChangeWebhook,
    /// Delete a webhook.
    DeleteWebhook,
    /// Not a call the stand-in knows.
    Other,
}

impl Operation {
    /// Whether it changes something when it succeeds.
    pub fn changes(self) -> bool {
        !matches!(
            self,
            Self::Read
                | Self::List
                | Self::Me
                | Self::ListEventTypes
                | Self::ListWebhooks
                | Self::Other
        )
    }
}

impl State {
    /// What a call asks for, and of which booking: as in the path for v2, looked up for v1
    /// (`id:<number>` if there is none).
    pub(super) fn asked(&self, method: &Method, path: &str) -> (Operation, Option<Uid>) {
        let (operation, id) = classify(method, path);
        let uid = id.map(|id| match id {
            BookingId::Uid(uid) => uid,
            BookingId::Number(number) => self
                .bookings
                .iter()
                .find(|booking| booking.number == number)
                .map_or_else(|| Uid::from_number(number), |booking| booking.uid.clone()),
        });
        (operation, uid)
    }
}

enum BookingId {
    Uid(Uid),
    Number(i64),
}

fn classify(method: &Method, path: &str) -> (Operation, Option<BookingId>) {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let uid = |uid: &str| Some(BookingId::Uid(Uid::new(uid)));
    let number = |number: &str| number.parse().ok().map(BookingId::Number);
    match (method.as_str(), parts.as_slice()) {
        ("GET", ["v1" | "v2", "me"]) => (Operation::Me, None),
        ("GET", ["v2", "bookings"]) => (Operation::List, None),
        ("GET", ["v2", "bookings", id]) => (Operation::Read, uid(id)),
        (
            "POST",
            ["v2", "bookings", id, "confirm"] | ["v2", "bookings", id, "seats", "confirm"],
        ) => (Operation::Confirm, uid(id)),
        (
            "POST",
            ["v2", "bookings", id, "decline"] | ["v2", "bookings", id, "seats", "decline"],
        ) => (Operation::Decline, uid(id)),
        ("POST", ["v2", "bookings", id, "cancel"]) => (Operation::Cancel, uid(id)),
        ("GET", ["v2", "event-types"]) => (Operation::ListEventTypes, None),
        ("GET", ["v2", "webhooks"]) => (Operation::ListWebhooks, None),
        ("GET", ["v2", "webhooks", id]) => (Operation::ListWebhooks, uid(id)),
        ("POST", ["v2", "webhooks"]) => (Operation::MakeWebhook, None),
        ("PATCH", ["v2", "webhooks", id]) => (Operation::ChangeWebhook, uid(id)),
        ("DELETE", ["v2", "webhooks", id]) => (Operation::DeleteWebhook, uid(id)),
        ("GET", ["v1", "bookings", id]) => (Operation::Read, number(id)),
        ("PATCH", ["v1", "bookings", id]) => (Operation::Patch, number(id)),
        ("DELETE", ["v1", "bookings", id, "cancel"]) => (Operation::Cancel, number(id)),
        _ => (Operation::Other, None),
    }
}
