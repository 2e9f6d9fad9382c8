//! The log of API calls: what came in, what was answered, and whether it changed anything, so that
//! tests can count effects.

use axum::http::Method;

use super::state::{Shared, keep};
use crate::domain::ids::Uid;

/// What a call to the API asks for, whatever the dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Read one booking (or a whole series).
    Read,
    /// List bookings.
    List,
    /// Confirm a booking or seats of it.
    Confirm,
    /// Decline a booking or seats of it.
    Decline,
    /// Cancel a booking or a seat of it.
    Cancel,
    /// v1: overwrite fields of the row.
    Patch,
    /// Not a call the stand-in knows.
    Other,
}

impl Operation {
    /// Whether it changes something when it succeeds.
    pub fn changes(self) -> bool {
        matches!(
            self,
            Self::Confirm | Self::Decline | Self::Cancel | Self::Patch
        )
    }
}

/// One call to the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiCall {
    /// Place in the order in which calls came in, from 1.
    pub order: u64,
    /// HTTP method.
    pub method: Method,
    /// Path without the query: v1 carries its key there.
    pub path: String,
    /// What it asked for.
    pub operation: Operation,
    /// Of which booking; as in the path for v2, looked up for v1 (`id:<number>` if there is none).
    pub uid: Option<Uid>,
    /// HTTP status answered. `None` while the call runs, and if its connection was reset.
    pub answered: Option<u16>,
    /// Whether it changed the booking, also if the answer said otherwise or never arrived.
    pub effective: bool,
}

impl Shared {
    /// Enters a call into the log.
    pub(super) fn log_call(&self, method: &Method, path: &str) -> ApiCall {
        let (operation, id) = classify(method, path);
        let mut state = self.state();
        state.calls_seen += 1;
        let uid = id.map(|id| match id {
            BookingId::Uid(uid) => uid,
            BookingId::Number(number) => state
                .bookings
                .iter()
                .find(|booking| booking.number == number)
                .map_or_else(|| Uid::from_number(number), |booking| booking.uid.clone()),
        });
        let call = ApiCall {
            order: state.calls_seen,
            method: method.clone(),
            path: path.to_owned(),
            operation,
            uid,
            answered: None,
            effective: false,
        };
        keep(&mut state.calls, call.clone());
        call
    }

    /// Notes what became of a call. One that was dropped from the log meanwhile is left dropped.
    pub(super) fn update_call(&self, order: u64, change: impl FnOnce(&mut ApiCall)) {
        let mut state = self.state();
        if let Some(call) = state.calls.iter_mut().find(|call| call.order == order) {
            change(call);
        }
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
        ("GET", ["v1", "bookings", id]) => (Operation::Read, number(id)),
        ("PATCH", ["v1", "bookings", id]) => (Operation::Patch, number(id)),
        ("DELETE", ["v1", "bookings", id, "cancel"]) => (Operation::Cancel, number(id)),
        _ => (Operation::Other, None),
    }
}
