//! Is the process there, and can it take webhooks.

use axum::extract::State;
use axum::http::StatusCode;

use super::App;
use crate::gate::Health;

/// The process answers.
pub(super) async fn live() -> &'static str {
    "ok"
}

/// 200 while deliveries can be stored at all.
pub(super) async fn ready(State(app): State<App>) -> (StatusCode, &'static str) {
    match app.gate.health().await {
        Health::Ok => (StatusCode::OK, "ok"),
        Health::Degraded => (StatusCode::OK, "degraded"),
        Health::Down => (
            StatusCode::SERVICE_UNAVAILABLE,
            "deliveries cannot be stored",
        ),
    }
}
