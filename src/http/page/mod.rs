//! A page for people, at the admin listener: written here, without scripts. Each view asks the gate for what
//! the JSON API shows, and each form does what the API does, by the same roles and with the same audit.

mod accounts;
mod audit;
mod booking;
mod bookings;
mod dead_letters;
mod frame;
mod guard;
mod heard;
mod log_in;
mod overview;
mod parts;
mod policies;
mod session;
mod sources;
mod style;
mod timeline;
mod trace;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use super::App;
use super::auth::{Role, needs};

pub(super) use guard::dress;

/// What a browser may do with a page: nothing but show it, with our stylesheet, and send our forms.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
                      frame-ancestors 'none'; base-uri 'none'";
/// What every answer of the page says. `no-referrer` would keep browsers from saying where a form stands.
const HEADERS: [(HeaderName, &str); 4] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "same-origin"),
    (header::X_FRAME_OPTIONS, "DENY"),
];

/// All views and forms, on one screen.
pub(super) fn routes(app: &App) -> Router<App> {
    let inside = Router::new()
        .route("/", get(overview::show))
        .route("/bookings", get(bookings::list))
        .route("/bookings/{source}/{reference}", get(booking::show))
        .route(
            "/bookings/{source}/{reference}/decision",
            needs(Role::Admin, post(booking::decide)),
        )
        .route("/accounts", get(accounts::list))
        .route("/accounts/{owner}", get(accounts::show))
        .route("/top-ups", needs(Role::Credits, post(accounts::top_up)))
        .route("/deductions", needs(Role::Admin, post(accounts::deduct)))
        .route("/dead-letters", get(dead_letters::list))
        .route(
            "/dead-letters/retries",
            needs(Role::Admin, post(dead_letters::retry)),
        )
        .route(
            "/dead-letters/purges",
            needs(Role::Admin, post(dead_letters::purge)),
        )
        .route("/policies", get(policies::show))
        .route("/audit", get(audit::list))
        .route("/log-out", post(log_in::log_out))
        .route_layer(middleware::from_fn_with_state(app.clone(), guard::guard));
    Router::new()
        .route(log_in::PATH, get(log_in::show).post(log_in::log_in))
        .route(style::SHEET_PATH, get(style::sheet))
        .route(style::ICON_PATH, get(style::icon))
        .merge(inside)
}

/// Says on every HTML answer what browsers may do with it.
pub(super) async fn careful(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let none = HeaderValue::from_static("no-store");
    headers.entry(header::CACHE_CONTROL).or_insert(none);
    response
}

/// Sends a browser on after a form, so that a reload does not send the form again.
fn see_other(to: &str) -> Response {
    // What we write ourselves is encoded; what a client wrote was checked, and may still be no header.
    let to = HeaderValue::from_str(to).unwrap_or(HeaderValue::from_static("/"));
    (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response()
}
