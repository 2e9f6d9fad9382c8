//! The HTTP side: all routes on one screen, and the calls about event types, scheduled events and
//! invitees.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use axum::routing::{delete, get, post};
use axum::{Extension, Json, Router};
use serde_json::{Map, Value, json};

use super::api_webhooks;
use super::bodies::{cancellation_view, no_show_view};
use super::delivery::{Event, News};
use super::limits::{Caller, Permission, admit};
use super::pages::Parameters;
use super::refusal::Refusal;
use super::rows::ScheduledEvent;
use super::state::Shared;
use super::uris::id_in;
use crate::domain::ids::Uid;
use crate::standin::api;

/// The longest reason of a cancellation, in characters.
const REASON_CHARS_MAX: usize = 10_000;

pub(super) type Answer = Result<Json<Value>, Refusal>;

/// Everything that is answered.
pub(super) fn router(shared: Arc<Shared>) -> Router {
    let event = "/scheduled_events/{event}";
    let routes = Router::new()
        .route("/users/me", get(me))
        .route("/event_types", get(list_event_types))
        .route("/event_types/{uuid}", get(read_event_type))
        .route("/scheduled_events", get(list_events))
        .route(event, get(read_event))
        .route(&format!("{event}/cancellation"), post(cancel))
        .route(&format!("{event}/invitees"), get(list_invitees))
        .route(&format!("{event}/invitees/{{invitee}}"), get(read_invitee))
        .route("/invitee_no_shows", post(mark_no_show))
        .route("/invitee_no_shows/{uuid}", delete(unmark_no_show))
        .route(
            "/webhook_subscriptions",
            get(api_webhooks::list).post(api_webhooks::subscribe),
        )
        .route(
            "/webhook_subscriptions/{uuid}",
            get(api_webhooks::read).delete(api_webhooks::unsubscribe),
        )
        .fallback(async || Refusal::not_found())
        .layer(from_fn_with_state(Arc::clone(&shared), admit));
    api::attended(routes, shared)
}

/// A request's JSON object.
pub(super) fn object(body: &Bytes) -> Result<Map<String, Value>, Refusal> {
    let unreadable = || Refusal::invalid("body", "is not a JSON object");
    api::object(body).ok_or_else(unreadable)
}

fn resource(view: &Value) -> Json<Value> {
    Json(json!({ "resource": view }))
}

/// `GET /users/me`
async fn me(State(shared): State<Arc<Shared>>, Extension(caller): Extension<Caller>) -> Answer {
    caller.require(Permission::ReadUsers)?;
    let state = shared.state();
    Ok(resource(&shared.user_view(&state)))
}

/// `GET /event_types?organization=…` or `?user=…`
async fn list_event_types(
    State(shared): State<Arc<Shared>>,
    Extension(caller): Extension<Caller>,
    Query(query): Query<HashMap<String, String>>,
) -> Answer {
    caller.require(Permission::ReadEventTypes)?;
    let parameters = Parameters(query);
    let state = shared.state();
    parameters.owners()?.require_any(&state)?;
    let all = shared.options.event_types.iter();
    let views: Vec<_> = all.map(|one| shared.event_type_view(&state, one)).collect();
    let path = format!("{}/event_types", shared.options.uri_base);
    Ok(Json(parameters.page(&path, &views)?))
}

/// `GET /event_types/{uuid}`
async fn read_event_type(
    State(shared): State<Arc<Shared>>,
    Extension(caller): Extension<Caller>,
    Path(uuid): Path<String>,
) -> Answer {
    caller.require(Permission::ReadEventTypes)?;
    let found = shared.event_type(&Uid::new(uuid));
    let event_type = found.ok_or_else(Refusal::not_found)?;
    Ok(resource(
        &shared.event_type_view(&shared.state(), event_type),
    ))
}

/// `GET /scheduled_events?organization=…` or `?user=…`
async fn list_events(
    State(shared): State<Arc<Shared>>,
    Extension(caller): Extension<Caller>,
    Query(query): Query<HashMap<String, String>>,
) -> Answer {
    caller.require(Permission::ReadScheduledEvents)?;
    let parameters = Parameters(query);
    let owners = parameters.owners()?;
    let status = parameters.one_of("status", &["active", "canceled"])?;
    let from = parameters.time("min_start_time")?;
    let until = parameters.time("max_start_time")?;
    let descending = parameters.descending("start_time")?;
    let email = parameters.text("invitee_email");
    let state = shared.state();
    owners.require_any(&state)?;
    let covers = |event: &&ScheduledEvent| {
        status.is_none_or(|status| event.status.as_str() == status)
            && from.is_none_or(|from| event.start >= from)
            && until.is_none_or(|until| event.start <= until)
            && email.is_none_or(|email| {
                let mut invitees = state.invitees_of(&event.uuid);
                invitees.any(|invitee| invitee.person.email == email)
            })
    };
    let mut found: Vec<_> = state.events.iter().filter(covers).collect();
    found.sort_by_key(|event| event.start);
    if descending {
        found.reverse();
    }
    let views: Vec<_> = found
        .iter()
        .map(|event| shared.event_view(&state, event))
        .collect();
    let path = format!("{}/scheduled_events", shared.options.uri_base);
    Ok(Json(parameters.page(&path, &views)?))
}

/// `GET /scheduled_events/{event}`
async fn read_event(
    State(shared): State<Arc<Shared>>,
    Extension(caller): Extension<Caller>,
    Path(event): Path<String>,
) -> Answer {
    caller.require(Permission::ReadScheduledEvents)?;
    let state = shared.state();
    let event = state.event(&Uid::new(event))?;
    Ok(resource(&shared.event_view(&state, event)))
}

/// `GET /scheduled_events/{event}/invitees`
async fn list_invitees(
    State(shared): State<Arc<Shared>>,
    Extension(caller): Extension<Caller>,
    Path(event): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Answer {
    caller.require(Permission::ReadScheduledEvents)?;
    let parameters = Parameters(query);
    let status = parameters.one_of("status", &["active", "canceled"])?;
    let email = parameters.text("email");
    let descending = parameters.descending("created_at")?;
    let state = shared.state();
    let event = &state.event(&Uid::new(event))?.uuid;
    let mut found: Vec<_> = state.invitees_of(event).collect();
    found.retain(|invitee| {
        status.is_none_or(|status| invitee.status.as_str() == status)
            && email.is_none_or(|email| invitee.person.email == email)
    });
    if descending {
        found.reverse();
    }
    let views: Vec<_> = found
        .iter()
        .map(|one| shared.invitee_view(&state, one))
        .collect();
    let path = format!("{}/invitees", shared.uris().event(event));
    Ok(Json(parameters.page(&path, &views)?))
}

/// `GET /scheduled_events/{event}/invitees/{invitee}`
async fn read_invitee(
    State(shared): State<Arc<Shared>>,
    Extension(caller): Extension<Caller>,
    Path((event, invitee)): Path<(String, String)>,
) -> Answer {
    caller.require(Permission::ReadScheduledEvents)?;
    let state = shared.state();
    let invitee = state.invitee(&Uid::new(invitee))?;
    if invitee.event.as_str() != event {
        return Err(Refusal::not_found());
    }
    Ok(resource(&shared.invitee_view(&state, invitee)))
}

/// `POST /scheduled_events/{event}/cancellation`
async fn cancel(
    State(shared): State<Arc<Shared>>,
    Extension(caller): Extension<Caller>,
    Path(event): Path<String>,
    body: Bytes,
) -> Result<impl IntoResponse, Refusal> {
    caller.require(Permission::WriteScheduledEvents)?;
    let body = object(&body)?;
    let reason = match body.get("reason") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) if text.chars().count() <= REASON_CHARS_MAX => {
            Some(text.as_str())
        }
        Some(_) => {
            let wrong = format!("must be a text of at most {REASON_CHARS_MAX} characters");
            return Err(Refusal::invalid("reason", wrong));
        }
    };
    let (cancellation, canceled) = shared.cancel_event(&Uid::new(event), reason)?;
    let news = canceled
        .iter()
        .map(|one| News::of(Event::InviteeCanceled, one));
    shared.tell(news.collect()).await;
    let view = cancellation_view(&cancellation);
    Ok((StatusCode::CREATED, resource(&view)))
}

/// `POST /invitee_no_shows`
async fn mark_no_show(
    State(shared): State<Arc<Shared>>,
    Extension(caller): Extension<Caller>,
    body: Bytes,
) -> Result<impl IntoResponse, Refusal> {
    caller.require(Permission::WriteScheduledEvents)?;
    let body = object(&body)?;
    let uri = body.get("invitee").and_then(Value::as_str);
    let invitee = uri.and_then(|uri| id_in(uri, "invitees"));
    let invitee = invitee.ok_or_else(|| Refusal::invalid("invitee", "is not a valid URI"))?;
    let no_show = shared.mark_no_show(&invitee).await?;
    let mut view = no_show_view(&shared.uris(), &no_show);
    view["invitee"] = json!(uri);
    Ok((StatusCode::CREATED, resource(&view)))
}

/// `DELETE /invitee_no_shows/{uuid}`
async fn unmark_no_show(
    State(shared): State<Arc<Shared>>,
    Extension(caller): Extension<Caller>,
    Path(uuid): Path<String>,
) -> Result<StatusCode, Refusal> {
    caller.require(Permission::WriteScheduledEvents)?;
    shared.unmark_no_show(&Uid::new(uuid)).await?;
    Ok(StatusCode::NO_CONTENT)
}
