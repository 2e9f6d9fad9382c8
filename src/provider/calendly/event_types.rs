//! The slugs of event types: policies name them, webhooks do not. Each is asked for once and kept for
//! as long as the daemon runs; one that is renamed is known by its new name after a restart.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use super::payload::ScheduledEvent;
use super::uris;

/// Event types kept. Nobody has as many; the bound keeps a stranger's webhooks from filling the memory.
const KEPT_MAX: usize = 10_000;

/// What is known of event types, by id. `None`: asked for, and the API does not tell.
#[derive(Debug, Default)]
pub(super) struct EventTypes(RwLock<HashMap<String, Option<String>>>);

impl EventTypes {
    /// The slug of an appointment's type, as far as it is known.
    pub(super) fn slug_of(&self, event: &ScheduledEvent<'_>) -> Option<String> {
        self.known(id_of(event)?)?
    }

    /// What was learned of a type; `None` if it was never asked for.
    pub(super) fn known(&self, id: &str) -> Option<Option<String>> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.get(id).cloned()
    }

    /// Keeps what the API said.
    pub(super) fn learn(&self, id: &str, slug: Option<String>) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() < KEPT_MAX || known.contains_key(id) {
            known.insert(id.to_owned(), slug);
        }
    }
}

/// The id of an appointment's type.
pub(super) fn id_of<'e>(event: &'e ScheduledEvent<'_>) -> Option<&'e str> {
    uris::id(event.event_type.text()?, "event_types")
}
