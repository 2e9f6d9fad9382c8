//! The stand-in's memory: tables, and the making of ids and times.

use std::collections::HashMap;

use axum::http::{HeaderName, Method};
use serde_json::json;

use super::Options;
use super::calls::{Operation, classify};
use super::delivery::{OutgoingWebhook, Retry};
use super::limits::{RESET_HEADER, Window};
use super::refusal::Refusal;
use super::rows::{Invitee, ScheduledEvent, Status};
use super::subscriptions::Subscription;
use crate::domain::clock::{Timestamp, from_us};
use crate::domain::ids::Uid;
use crate::standin::ids::Ids;
use crate::standin::world::{self, World};

/// What the handle, the API and the people share.
pub(super) type Shared = world::Shared<State>;

/// Calendly's tables.
pub struct State {
    pub(super) user: Uid,
    pub(super) organization: Uid,
    pub(super) group: Uid,
    pub(super) events: Vec<ScheduledEvent>,
    pub(super) invitees: Vec<Invitee>,
    pub(super) subscriptions: Vec<Subscription>,
    pub(super) retries: Vec<Retry>,
    pub(super) webhooks_made: u64,
    /// Calls in the minute that runs, by token.
    pub(super) windows: HashMap<String, Window>,
    pub(super) ids: Ids,
    last_change: Timestamp,
}

impl World for State {
    type Options = Options;
    type Operation = Operation;
    type Webhook = OutgoingWebhook;

    const WAIT_HEADER: HeaderName = RESET_HEADER;

    fn classify(&self, method: &Method, path: &str) -> (Operation, Option<Uid>) {
        classify(method, path)
    }

    fn changes(operation: Operation) -> bool {
        operation.changes()
    }

    fn failure(_path: &str, message: &str) -> String {
        json!({ "title": "Error", "message": message }).to_string()
    }
}

impl State {
    /// One user in one organization and one group, and nothing booked.
    pub(super) fn new(seed: u64) -> Self {
        let mut ids = Ids::new(seed);
        let mut draw = || Uid::new(ids.uuid());
        let (user, organization, group) = (draw(), draw(), draw());
        Self {
            user,
            organization,
            group,
            events: Vec::new(),
            invitees: Vec::new(),
            subscriptions: Vec::new(),
            retries: Vec::new(),
            webhooks_made: 0,
            windows: HashMap::new(),
            ids,
            last_change: Timestamp::MIN,
        }
    }

    /// The next id.
    pub(super) fn new_uuid(&mut self) -> Uid {
        Uid::new(self.ids.uuid())
    }

    /// The time of a change: no two are the same, also if the clock stands still.
    pub(super) fn change_time(&mut self, now: Timestamp) -> Timestamp {
        let next = from_us(self.last_change.as_microsecond().saturating_add(1));
        self.last_change = now.max(next);
        self.last_change
    }

    /// A scheduled event by id.
    pub(super) fn event(&self, uuid: &Uid) -> Result<&ScheduledEvent, Refusal> {
        let found = self.events.iter().find(|event| event.uuid == *uuid);
        found.ok_or_else(Refusal::not_found)
    }

    /// A scheduled event by id, to be changed.
    pub(super) fn event_mut(&mut self, uuid: &Uid) -> Result<&mut ScheduledEvent, Refusal> {
        let found = self.events.iter_mut().find(|event| event.uuid == *uuid);
        found.ok_or_else(Refusal::not_found)
    }

    /// An invitee by id.
    pub(super) fn invitee(&self, uuid: &Uid) -> Result<&Invitee, Refusal> {
        let found = self.invitees.iter().find(|invitee| invitee.uuid == *uuid);
        found.ok_or_else(Refusal::not_found)
    }

    /// An invitee by id, to be changed.
    pub(super) fn invitee_mut(&mut self, uuid: &Uid) -> Result<&mut Invitee, Refusal> {
        let mut invitees = self.invitees.iter_mut();
        let found = invitees.find(|invitee| invitee.uuid == *uuid);
        found.ok_or_else(Refusal::not_found)
    }

    /// Everybody of a scheduled event, in the order in which they came.
    pub(super) fn invitees_of(&self, event: &Uid) -> impl Iterator<Item = &Invitee> {
        let event = event.clone();
        self.invitees
            .iter()
            .filter(move |invitee| invitee.event == event)
    }

    /// Those who still come to a scheduled event.
    pub(super) fn active_invitees_of(&self, event: &Uid) -> Vec<Uid> {
        self.invitees_of(event)
            .filter(|invitee| invitee.status == Status::Active)
            .map(|invitee| invitee.uuid.clone())
            .collect()
    }
}
