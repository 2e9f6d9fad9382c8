//! The HTTP side: all routes on one screen, and what both dialects share.

use std::sync::Arc;

use axum::body::Bytes;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use serde_json::{Map, Value, json};

use super::fields::milliseconds;
use super::refusal::Refusal;
use super::state::Shared;
use super::{api_v1, api_v2, event_types, webhooks};
use crate::standin::api;

/// Both dialects.
pub(super) fn router(shared: Arc<Shared>) -> Router {
    let booking = "/v2/bookings/{uid}";
    let routes = Router::new()
        .route("/v2/me", get(api_v2::me))
        .route("/v2/bookings", get(api_v2::list))
        .route("/v2/event-types", get(event_types::list))
        .route(booking, get(api_v2::read))
        .route(&format!("{booking}/confirm"), post(api_v2::confirm))
        .route(&format!("{booking}/decline"), post(api_v2::decline))
        .route(&format!("{booking}/cancel"), post(api_v2::cancel))
        .route(
            &format!("{booking}/seats/confirm"),
            post(api_v2::confirm_seats),
        )
        .route(
            &format!("{booking}/seats/decline"),
            post(api_v2::decline_seats),
        )
        .route("/v1/me", get(api_v1::me))
        .route("/v2/webhooks", get(webhooks::list).post(webhooks::make))
        .route(
            "/v2/webhooks/{id}",
            get(webhooks::read)
                .patch(webhooks::change)
                .delete(webhooks::delete),
        )
        .route(
            "/v1/bookings/{id}",
            get(api_v1::read).patch(api_v1::overwrite),
        )
        .route("/v1/bookings/{id}/cancel", delete(api_v1::cancel));
    api::attended(routes, shared)
}

/// A request's JSON object. No body counts as an empty one.
pub(super) fn object(body: &Bytes) -> Result<Map<String, Value>, Refusal> {
    let unreadable = || Refusal::bad_request("the body is not a JSON object");
    api::object(body).ok_or_else(unreadable)
}

/// The v2 envelope of an error.
pub(super) fn error_envelope(shared: &Shared, path: &str, refusal: &Refusal) -> Response {
    let status = StatusCode::from_u16(refusal.http_status).unwrap_or(StatusCode::BAD_REQUEST);
    let envelope = json!({
        "status": "error",
        "timestamp": milliseconds(shared.clock.now()),
        "path": path,
        "error": { "code": refusal.code, "message": refusal.message },
    });
    (status, Json(envelope)).into_response()
}
