//! What every call to a stand-in passes, whatever it asks for: the log, and the faults.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

use super::connection::Severance;
use super::faults::{Fault, When};
use super::world::{Shared, World};

/// The largest request body that is read.
const BODY_BYTES_MAX: usize = 64 * 1_024;

/// The routes of a provider, attended.
pub(super) fn attended<W: World>(routes: Router<Arc<Shared<W>>>, shared: Arc<Shared<W>>) -> Router {
    routes
        .layer(from_fn_with_state(Arc::clone(&shared), attend::<W>))
        .with_state(shared)
}

/// Runs the call in a task of its own: a caller that hangs up does not stop the work.
async fn attend<W: World>(
    State(shared): State<Arc<Shared<W>>>,
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

async fn work<W: World>(
    shared: Arc<Shared<W>>,
    severance: Severance,
    request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path().to_owned();
    let traceparent = request.headers().get("traceparent");
    let traceparent = traceparent.and_then(|value| Some(value.to_str().ok()?.to_owned()));
    let call = shared.log_call(request.method(), &path, traceparent);
    if let Some(fault) = shared.strike(When::BeforeWork, &call).await {
        return spoil(&shared, &severance, call.order, fault, &path);
    }
    let answer = next.run(request).await;
    if answer.status().is_success() && W::changes(call.operation) {
        shared.update_call(call.order, |call| call.effective = true);
    }
    if let Some(fault) = shared.strike(When::AfterWork, &call).await {
        return spoil(&shared, &severance, call.order, fault, &path);
    }
    let status = answer.status().as_u16();
    shared.update_call(call.order, |call| call.answered = Some(status));
    answer
}

fn spoil<W: World>(
    shared: &Shared<W>,
    severance: &Severance,
    order: u64,
    fault: Fault,
    path: &str,
) -> Response {
    let Some(answer) = fault.answer::<W>(path) else {
        severance.sever();
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let status = answer.status().as_u16();
    shared.update_call(order, |call| call.answered = Some(status));
    answer
}

/// A request's JSON object, if it is one. No body counts as an empty one.
pub(super) fn object(body: &Bytes) -> Option<Map<String, Value>> {
    if body.is_empty() {
        return Some(Map::new());
    }
    serde_json::from_slice(body).ok()
}
