//! A stateful stand-in of Calendly: event types, scheduled events and their invitees, people who act on
//! them, signed webhooks that are tried again, and the API (version 2).
//!
//! It is as weak as the real one is known to be, because that is what bookgate has to survive:
//!
//! - a reschedule makes a new scheduled event **and** a new invitee, and tells of both ends in either
//!   order: `invitee.canceled` (with `rescheduled`) and `invitee.created`; no single event is a move;
//! - nothing has an id of its own on the wire: neither a delivery nor an event;
//! - the envelope's `created_at` is in whole seconds and lies before the change that it tells of;
//! - in `invitee.canceled` the scheduled event may still be `active`
//!   ([`Options::event_status_lags`]);
//! - nothing waits for an answer of the host's: what is booked stands until it is cancelled, and a
//!   cancellation is of the scheduled event, so that **all invitees of a group lose their place**;
//! - a cancellation by the API is told to its own caller like any other;
//! - each subscription gets its own copy: an organization's and a user's are two webhooks;
//! - after a day without a 2xx a subscription is disabled for good, and nobody is told;
//! - a retry may carry the time, and so the signature, of the first try ([`Options::renews_time`]);
//! - the key of the signatures is never shown again, and an address that is subscribed already is
//!   refused without the id of what is in the way;
//! - addresses of things are under Calendly's own host, those of further pages as well, wherever the
//!   stand-in listens; older captures have other hosts ([`Options::uri_base`]);
//! - `X-RateLimit-Reset` is in seconds from now;
//! - who calls without a user agent gets a web page and a 403.
//!
//! Where Calendly does not say what it does, this is a guess: the steps of the retries, the words of the
//! 403 for an appointment that is over or canceled, that a group's scheduled event ends with its last
//! invitee, that an appointment has to be ahead to be cancelled, which permission each call needs, and
//! that a move by the host looks like one by the invitee.
//!
//! Not rebuilt: other users than the one host, payments, routing forms, reconfirmations, OAuth and its
//! one key for each application, changes of event types, one-off links, webhooks that leave after the
//! answer to the call that caused them, and the end of retries a day after the appointment.

use std::io;
use std::sync::Arc;

use tokio::net::TcpListener;

use crate::domain::clock::Clock;
use crate::domain::ids::Uid;

mod actions;
mod api;
mod api_webhooks;
mod bodies;
mod calls;
mod delivery;
mod limits;
mod owners;
mod pages;
mod people;
mod refusal;
mod rows;
mod spelling;
mod state;
mod subscriptions;
#[cfg(test)]
mod tests;
mod uris;

pub use super::{Delivery, Fault, Pause, Person, When};
pub use bodies::Shape;
pub use calls::Operation;
pub use delivery::{Event, OutgoingWebhook, RETRIED_FOR_MS, SIGNATURE_HEADER};
pub use limits::{Permission, Token};
pub use refusal::Refusal;
pub use rows::{
    Actor, BookingRequest, Cancellation, EventType, Invitee, Location, NoShow, ScheduledEvent,
    Status, Tracking,
};
pub use state::State;
pub use subscriptions::{NewSubscription, Scope, Subscription};

/// What the host pays for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Plan {
    /// Everything.
    Paid,
    /// Webhooks about invitees and event types.
    Free,
    /// No webhooks: as it was until November 2026.
    FreeWithoutWebhooks,
}

/// What kind of Calendly it is.
#[derive(Debug, Clone)]
pub struct Options {
    /// Whose calendar.
    pub host: Person,
    /// What can be booked.
    pub event_types: Vec<EventType>,
    /// The host's tokens.
    pub tokens: Vec<Token>,
    /// What the host pays for.
    pub plan: Plan,
    /// Calls in a minute that each token may make.
    pub calls_per_minute: u32,
    /// Ids, and the order of webhooks, are the same for the same seed and the same order of actions.
    pub seed: u64,
    /// Scheme, host and path before all addresses of things.
    pub uri_base: String,
    /// How old the webhooks look.
    pub shape: Shape,
    /// How webhooks are delivered at first.
    pub delivery: Delivery,
    /// How long an answer to a webhook is waited for, in milliseconds.
    pub answer_timeout_ms: u64,
    /// Whether a retry is signed anew, or carries the time of the first try.
    pub renews_time: bool,
    /// Whether the scheduled event in `invitee.canceled` is still `active`.
    pub event_status_lags: bool,
    /// Whether a reschedule carries the tracking over to the new invitee.
    pub carries_tracking: bool,
    /// Whether the same address may be subscribed once in each scope, instead of once.
    pub hooks_differ_by_scope: bool,
}

impl Default for Options {
    /// Three event types: `intro` for one invitee, `coaching` for one who is asked two questions, and
    /// `masterclass` for a group of three.
    fn default() -> Self {
        let event_type = EventType::new;
        Self {
            host: Person::new("Ines Calendar", "ines@studio.example"),
            event_types: vec![
                event_type(
                    "5b0f6f0e-31d5-4c0e-9b86-2f64c9d1a001",
                    "intro",
                    "Introduction",
                    15,
                ),
                event_type(
                    "5b0f6f0e-31d5-4c0e-9b86-2f64c9d1a002",
                    "coaching",
                    "Coaching hour",
                    60,
                )
                .asking("Company")
                .asking("What is it about?"),
                event_type(
                    "5b0f6f0e-31d5-4c0e-9b86-2f64c9d1a003",
                    "masterclass",
                    "Masterclass",
                    90,
                )
                .for_groups_of(3),
            ],
            tokens: vec![Token::full("calendly_standin")],
            plan: Plan::Paid,
            calls_per_minute: 500,
            seed: 1,
            uri_base: "https://api.calendly.com".to_owned(),
            shape: Shape::Today,
            delivery: Delivery::Live,
            answer_timeout_ms: 15_000,
            renews_time: true,
            event_status_lags: true,
            carries_tracking: true,
            hooks_differ_by_scope: false,
        }
    }
}

/// A running stand-in of Calendly.
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

    /// The first of the host's tokens; empty if there is none.
    pub fn token(&self) -> &str {
        let first = self.shared.options.tokens.first();
        first.map(|token| token.text.as_str()).unwrap_or_default()
    }

    /// The address of the host.
    pub fn user_uri(&self) -> String {
        self.shared.uris().of("users", &self.shared.state().user)
    }

    /// The address of the host's organization.
    pub fn organization_uri(&self) -> String {
        let organization = &self.shared.state().organization;
        self.shared.uris().of("organizations", organization)
    }

    /// The address of the host's group.
    pub fn group_uri(&self) -> String {
        self.shared.uris().of("groups", &self.shared.state().group)
    }

    /// The address of an invitee.
    pub fn invitee_uri(&self, invitee: &Invitee) -> String {
        self.shared.uris().invitee(invitee)
    }

    /// An invitee as the row is now.
    pub fn invitee(&self, uuid: &Uid) -> Option<Invitee> {
        self.shared.state().invitee(uuid).ok().cloned()
    }

    /// All invitees in the order in which they came.
    pub fn invitees(&self) -> Vec<Invitee> {
        self.shared.state().invitees.clone()
    }

    /// Those who still come.
    pub fn live(&self) -> Vec<Invitee> {
        let mut invitees = self.invitees();
        invitees.retain(|invitee| invitee.status == Status::Active);
        invitees
    }

    /// A scheduled event as the row is now.
    pub fn event(&self, uuid: &Uid) -> Option<ScheduledEvent> {
        self.shared.state().event(uuid).ok().cloned()
    }
}
