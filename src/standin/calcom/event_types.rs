//! The event types of the host, as v2 shows them.

use axum::response::Response;
use serde_json::{Value, json};

use super::api_v2::Call;
use super::rows::EventType;
use super::webhooks::success;

/// `GET /v2/event-types`
pub(super) async fn list(call: Call) -> Response {
    let listed = || {
        call.require_key()?;
        let all = &call.shared.options.event_types;
        Ok(success(&all.iter().map(shown).collect::<Value>()))
    };
    call.respond(listed())
}

fn shown(one: &EventType) -> Value {
    json!({
        "id": one.id,
        "slug": one.slug,
        "title": one.title,
        "lengthInMinutes": one.length_min,
    })
}
