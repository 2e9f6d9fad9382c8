//! The doors, on one screen. Thin: a handler takes a request apart, calls the gate, and maps what it
//! says to an answer.

mod accounts;
mod auth;
mod bookings;
mod dead_letters;
mod health;
mod problem;
mod webhook;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware;
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::TimeoutLayer;

use crate::gate::Gate;

pub use auth::{Role, Token};

/// The largest body the admin endpoint takes, in bytes.
const ADMIN_BODY_BYTES_MAX: usize = 64 * 1024;

/// What the doors need to know beside the gate.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// The largest webhook taken, in bytes.
    pub body_bytes_max: usize,
    /// How long one request may take, in ms.
    pub request_timeout_ms: u64,
    /// Who may use the admin endpoint.
    pub tokens: Vec<Token>,
}

/// What every handler gets.
#[derive(Clone)]
struct App {
    gate: Gate,
    settings: Arc<HttpSettings>,
}

/// The public door: webhooks and health.
pub fn public(gate: Gate, settings: Arc<HttpSettings>) -> Router {
    let app = App { gate, settings };
    let timeout = timeout(&app);
    Router::new()
        .route("/webhooks/{source}", post(webhook::receive))
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .fallback(problem::no_such_page)
        .method_not_allowed_fallback(problem::no_such_method)
        .layer(DefaultBodyLimit::disable())
        .layer(timeout)
        .layer(CatchPanicLayer::custom(problem::after_panic))
        .with_state(app)
}

/// The admin door: every request carries a token.
pub fn admin(gate: Gate, settings: Arc<HttpSettings>) -> Router {
    let app = App { gate, settings };
    let timeout = timeout(&app);
    let guarded = Router::new()
        .route("/v1/accounts/{owner}", get(accounts::show))
        .route("/v1/accounts/{owner}/entries", get(accounts::entries))
        .route("/v1/accounts/{owner}/top-ups", post(accounts::top_up))
        .route("/v1/bookings", get(bookings::list))
        .route("/v1/bookings/{source}/{reference}", get(bookings::show))
        .route("/v1/dead-letters", get(dead_letters::list))
        .route("/v1/dead-letters/{id}/retry", post(dead_letters::retry))
        .route("/v1/ledger/verify", get(accounts::verify))
        .fallback(problem::no_such_page)
        .method_not_allowed_fallback(problem::no_such_method)
        .layer(middleware::from_fn_with_state(app.clone(), auth::guard));
    Router::new()
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .merge(guarded)
        .layer(DefaultBodyLimit::max(ADMIN_BODY_BYTES_MAX))
        .layer(timeout)
        .layer(CatchPanicLayer::custom(problem::after_panic))
        .with_state(app)
}

/// Serves one door until `shutdown` is cancelled; requests that run then have `grace` to end.
///
/// # Errors
/// The listener fails.
pub async fn serve(
    listener: TcpListener,
    door: Router,
    shutdown: CancellationToken,
    grace: Duration,
) -> std::io::Result<()> {
    let stop = shutdown.clone();
    let serving = axum::serve(listener, door).with_graceful_shutdown(stop.cancelled_owned());
    let too_late = async {
        shutdown.cancelled().await;
        tokio::time::sleep(grace).await;
    };
    tokio::select! {
        served = serving.into_future() => served,
        () = too_late => {
            tracing::warn!("requests did not end in time; they are cut off");
            Ok(())
        }
    }
}

fn timeout(app: &App) -> TimeoutLayer {
    let limit = Duration::from_millis(app.settings.request_timeout_ms);
    TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, limit)
}
