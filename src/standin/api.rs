//! The HTTP side: all routes on one screen, and what every call passes: the log, and the faults.

use std::sync::Arc;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use super::connection::Severance;
use super::faults::{Fault, When};
use super::fields::milliseconds;
use super::refusal::Refusal;
use super::state::Shared;
use super::{api_v1, api_v2};

/// The largest request body that is read.
const BODY_BYTES_MAX: usize = 64 * 1_024;

/// Both dialects.
pub(super) fn router(shared: Arc<Shared>) -> Router {
    let booking = "/v2/bookings/{uid}";
    Router::new()
        .route("/v2/bookings", get(api_v2::list))
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
        .route(
            "/v1/bookings/{id}",
            get(api_v1::read).patch(api_v1::overwrite),
        )
        .route("/v1/bookings/{id}/cancel", delete(api_v1::cancel))
        .layer(from_fn_with_state(Arc::clone(&shared), attend))
        .with_state(shared)
}

/// Runs the call in a task of its own: a caller that hangs up does not stop the work.
async fn attend(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(severance): ConnectInfo<Severance>,
    request: Request,
    next: Next,
) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(bytes) = to_bytes(body, BODY_BYTES_MAX).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let request = Request::from_parts(parts, Body::from(bytes));
    let work = tokio::spawn(work(shared, severance, request, next));
    work.await
        .unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

async fn work(shared: Arc<Shared>, severance: Severance, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let call = shared.log_call(request.method(), &path);
    if let Some(fault) = shared.strike(When::BeforeWork, &call).await {
        return spoil(&shared, &severance, call.order, fault, &path);
    }
    let answer = next.run(request).await;
    if answer.status().is_success() && call.operation.changes() {
        shared.update_call(call.order, |call| call.effective = true);
    }
    if let Some(fault) = shared.strike(When::AfterWork, &call).await {
        return spoil(&shared, &severance, call.order, fault, &path);
    }
    let status = answer.status().as_u16();
    shared.update_call(call.order, |call| call.answered = Some(status));
    answer
}

fn spoil(shared: &Shared, severance: &Severance, order: u64, fault: Fault, path: &str) -> Response {
    let Some(answer) = fault.answer(path) else {
        severance.sever();
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let status = answer.status().as_u16();
    shared.update_call(order, |call| call.answered = Some(status));
    answer
}

/// A request's JSON object. No body counts as an empty one.
pub(super) fn object(body: &Bytes) -> Result<serde_json::Map<String, Value>, Refusal> {
    if body.is_empty() {
        return Ok(serde_json::Map::new());
    }
    serde_json::from_slice(body).map_err(|_| Refusal::bad_request("the body is not a JSON object"))
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
