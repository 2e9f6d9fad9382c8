//! The doors, on one screen. Thin: a handler takes a request apart, calls the gate, and maps what it
//! says to an answer.

mod accounts;
mod audit;
mod auth;
mod bookings;
mod dead_letters;
mod decisions;
mod deliveries;
mod extract;
mod health;
mod instances;
mod jobs;
mod log_ins;
mod metrics;
mod notices;
mod openapi;
mod own_threads;
mod page;
mod policies;
mod problem;
mod request_id;
mod retention;
mod serve;
mod sources;
mod tags;
mod webhook;

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tower_http::catch_panic::CatchPanicLayer;

use crate::gate::Gate;

use auth::needs;
use log_ins::LogIns;

pub use auth::{Role, Token};
pub use log_ins::LogInSettings;
pub use openapi::openapi;
pub use own_threads::OwnThreads;
pub use serve::serve;

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
    /// How long one stays logged in to the page, in ms.
    pub session_ms: i64,
    /// How those who try tokens out are slowed down.
    pub log_ins: LogInSettings,
}

impl HttpSettings {
    fn request_timeout(&self) -> Duration {
        Duration::from_millis(self.request_timeout_ms)
    }
}

/// What every handler gets: one pointer, since each request has copies of it.
#[derive(Clone)]
struct App(Arc<Inside>);

/// What is in it.
struct Inside {
    gate: Gate,
    settings: Arc<HttpSettings>,
    log_ins: LogIns,
}

impl App {
    fn new(gate: Gate, settings: Arc<HttpSettings>) -> Self {
        let log_ins = LogIns::new(settings.log_ins, settings.request_timeout());
        Self(Arc::new(Inside {
            gate,
            settings,
            log_ins,
        }))
    }
}

impl Deref for App {
    type Target = Inside;

    fn deref(&self) -> &Inside {
        &self.0
    }
}

/// The public door: webhooks and health. A webhook's handler does itself what layers do for the others: each
/// of them costs a webhook as much as the check of its signature.
pub fn public(gate: Gate, settings: Arc<HttpSettings>) -> Router {
    let app = App::new(gate, settings);
    Router::new()
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .fallback(problem::no_such_page)
        .method_not_allowed_fallback(problem::no_such_method)
        .layer(middleware::from_fn_with_state(app.clone(), keep))
        .route(
            "/webhooks/{source}",
            post(webhook::receive).fallback(webhook::by_another_method),
        )
        .with_state(app)
}

/// [`request_id::kept`] as a layer.
async fn keep(State(app): State<App>, request: Request, next: Next) -> Response {
    request_id::kept(&app, request, |_, request| next.run(request)).await
}

/// The admin door. What is under `/v1` wants a token with every request; the page for people has sessions.
/// One of any role may look; what changes something says
/// which role it needs.
pub fn admin(gate: Gate, settings: Arc<HttpSettings>) -> Router {
    let app = App::new(gate, settings);
    let guarded = Router::new()
        .route("/v1/accounts", get(accounts::list))
        .route("/v1/accounts/{owner}", get(accounts::show))
        .route("/v1/accounts/{owner}/entries", get(accounts::entries))
        .route(
            "/v1/accounts/{owner}/top-ups",
            needs(Role::Credits, post(accounts::top_up)),
        )
        .route(
            "/v1/accounts/{owner}/deductions",
            needs(Role::Admin, post(accounts::deduct)),
        )
        .route(
            "/v1/accounts/{owner}/tags",
            get(tags::show).merge(needs(Role::Admin, post(tags::change))),
        )
        .route("/v1/audit", get(audit::list))
        .route("/v1/bookings", get(bookings::list))
        .route("/v1/bookings/{source}/{reference}", get(bookings::show))
        .route(
            "/v1/bookings/{source}/{reference}/decision",
            needs(Role::Admin, post(bookings::decide)),
        )
        .route(
            "/v1/bookings/{source}/{reference}/explanation",
            get(bookings::explain),
        )
        .route("/v1/decisions", get(decisions::list))
        .route("/v1/deliveries", get(deliveries::list))
        .route(
            "/v1/deliveries/replays",
            needs(Role::Admin, post(deliveries::replay_some)),
        )
        .route("/v1/deliveries/{id}", get(deliveries::show))
        .route(
            "/v1/deliveries/{id}/replay",
            needs(Role::Admin, post(deliveries::replay)),
        )
        .route("/v1/dead-letters", get(dead_letters::list))
        .route(
            "/v1/dead-letters/retries",
            needs(Role::Admin, post(dead_letters::retry_some)),
        )
        .route(
            "/v1/dead-letters/purges",
            needs(Role::Admin, post(dead_letters::purge)),
        )
        .route("/v1/dead-letters/{id}", get(dead_letters::show))
        .route(
            "/v1/dead-letters/{id}/retry",
            needs(Role::Admin, post(dead_letters::retry)),
        )
        .route("/v1/instances", get(instances::list))
        .route("/v1/jobs", get(jobs::list))
        .route("/v1/jobs/{name}/runs", needs(Role::Admin, post(jobs::run)))
        .route("/v1/ledger/verify", get(accounts::verify))
        .route("/metrics", get(metrics::show))
        .route("/v1/notices", get(notices::list))
        .route("/v1/policies", get(policies::show))
        .route(
            "/v1/policies/reload",
            needs(Role::Admin, post(policies::reload)),
        )
        .route("/v1/retention", get(retention::preview))
        .route(
            "/v1/retention/runs",
            needs(Role::Admin, post(retention::run)),
        )
        .route("/v1/sources", get(sources::list))
        .fallback(problem::no_such_page)
        .method_not_allowed_fallback(problem::no_such_method)
        .layer(middleware::from_fn_with_state(app.clone(), auth::guard));
    Router::new()
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .merge(page::routes(&app))
        .route("/v1/openapi.json", get(openapi::show))
        .method_not_allowed_fallback(problem::no_such_method)
        .merge(guarded)
        .layer(DefaultBodyLimit::max(ADMIN_BODY_BYTES_MAX))
        .layer(middleware::from_fn_with_state(app.clone(), in_time))
        .layer(CatchPanicLayer::custom(problem::after_panic))
        .layer(middleware::from_fn(page::dress))
        .layer(middleware::from_fn(page::careful))
        .layer(middleware::from_fn(request_id::give))
        .with_state(app)
}

/// Ends a request that takes too long. What it has handed to the gate to be stored is stored all the
/// same.
async fn in_time(State(app): State<App>, request: Request, next: Next) -> Response {
    ended_in_time(&app, next.run(request)).await
}

async fn ended_in_time(app: &App, answering: impl Future<Output = Response>) -> Response {
    let limit = app.settings.request_timeout();
    match tokio::time::timeout(limit, answering).await {
        Ok(response) => response,
        Err(_) => problem::took_too_long(limit).into_response(),
    }
}
