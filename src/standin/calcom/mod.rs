//! A stateful stand-in of Cal.com for `bookgate demo` and for the tests: bookings, people who act on
//! them, signed webhooks, and both dialects of the API over real HTTP.
//!
//! It is as weak as the real one was seen to be, because that is what bookgate has to survive:
//!
//! - a confirm revives a rejected, cancelled or moved booking, and only an accepted one is refused;
//! - a cancel's webhook leaves before the row changes;
//! - webhooks go out once, inside the call that caused them, and any answer will do;
//! - a move makes a new booking and tells nothing of the old one; a later confirm tells nothing of the
//!   move; the same booking can be moved twice;
//! - an answer to one occurrence answers its whole series and is told once;
//! - v1's PATCH writes the row and tells nobody;
//! - the same address subscribed twice hears everything twice;
//! - the list has what the owner is invited to elsewhere, and miscounts what changed since a time.
//!
//! Not rebuilt: payments, teams, payload templates, queued delivery, two confirms passing each other's
//! check, and rescheduling of a shared booking (refused).

use std::io;
use std::sync::Arc;

use jiff::tz::Offset;
use tokio::net::TcpListener;

use crate::domain::booking::Status;
use crate::domain::clock::Clock;
use crate::domain::ids::Uid;

mod actions;
mod api;
mod api_v1;
mod api_v2;
mod bodies;
mod bookings;
mod calls;
#[cfg(test)]
mod direct;
mod event_types;
mod fields;
mod listing;
mod people;
mod refusal;
mod rows;
mod sender;
mod state;
#[cfg(test)]
mod tests;
mod view_v2;
mod webhooks;

pub use super::{BadSubscriber, Delivery, Fault, Pause, Person, When};
pub use calls::Operation;
#[cfg(test)]
pub(crate) use direct::CancelBegun;
pub use people::OCCURRENCES_MAX;
pub use refusal::Refusal;
pub use rows::{Booking, BookingRequest, EventType, Place, Seat, Subscription, Trigger};
pub use sender::{OutgoingWebhook, SIGNATURE_HEADER};
pub use state::State;
pub use webhooks::Webhook;

/// What kind of Cal.com it is.
#[derive(Debug, Clone)]
pub struct Options {
    /// Whose calendar.
    pub host: Person,
    /// What can be booked.
    pub event_types: Vec<EventType>,
    /// The host's API key, for both dialects.
    pub api_key: String,
    /// Ids are the same for the same seed and the same order of actions.
    pub seed: u64,
    /// How far apart two webhooks' `createdAt` are at least, in milliseconds; 0 lets copies be
    /// identical.
    pub created_at_step_ms: i64,
    /// The zone the server runs in: a cancel's webhook spells its times there.
    pub server_offset: Offset,
    /// How webhooks are delivered at first.
    pub delivery: Delivery,
    /// Newer servers refuse plain confirm and decline of shared bookings and have calls of their own
    /// for seats (which are always there).
    pub seats_have_own_calls: bool,
    /// Whether the API shows what webhooks are signed with.
    pub shows_secrets: bool,
}

impl Default for Options {
    /// Three event types: `consultation` asks the host, `chat` does not, `workshop` asks and has three
    /// seats.
    fn default() -> Self {
        Self {
            host: Person::new("Ines Calendar", "ines@studio.example"),
            event_types: vec![
                EventType::new(7, "consultation", "Consultation", 30).requiring_confirmation(),
                EventType::new(8, "chat", "Short chat", 15),
                EventType::new(9, "workshop", "Workshop", 60)
                    .requiring_confirmation()
                    .with_seats(3),
            ],
            api_key: "cal_standin".to_owned(),
            seed: 1,
            created_at_step_ms: 1,
            server_offset: Offset::UTC,
            delivery: Delivery::Live,
            seats_have_own_calls: false,
            shows_secrets: true,
        }
    }
}

/// A running stand-in of Cal.com.
pub type StandIn = super::StandIn<State>;

/// Which calls a fault is meant for.
pub type Matcher = super::Matcher<Operation>;

/// One call to the API.
pub type ApiCall = super::ApiCall<Operation>;

impl StandIn {
    /// Serves on `listener` until stopped.
    ///
    /// # Errors
    /// The listener has no local address.
    pub fn start(
        listener: TcpListener,
        clock: Arc<dyn Clock>,
        options: Options,
    ) -> io::Result<Self> {
        let delivery = options.delivery;
        let shared = state::Shared::new(State::new(options.seed), clock, options, delivery);
        Self::serve(listener, shared, api::router)
    }

    /// The host's API key.
    pub fn api_key(&self) -> &str {
        &self.shared.options.api_key
    }

    /// A booking as its row is now.
    pub fn booking(&self, uid: &Uid) -> Option<Booking> {
        self.shared.state().find(uid).ok().cloned()
    }

    /// All bookings in the order in which they were made.
    pub fn bookings(&self) -> Vec<Booking> {
        self.shared.state().bookings.clone()
    }

    /// The bookings that stand.
    pub fn live(&self) -> Vec<Booking> {
        let mut bookings = self.bookings();
        bookings.retain(|booking| booking.status == Status::Accepted);
        bookings
    }
}
