//! Lets those who are logged in look at the page, and takes forms only from the page itself.

use axum::body::{Body, to_bytes};
use axum::extract::{Form, FromRequest as _, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use subtle::ConstantTimeEq as _;

use super::frame::{self, Viewer};
use super::parts::encoded;
use super::{log_in, see_other, session};
use crate::http::problem::Problem;
use crate::http::{ADMIN_BODY_BYTES_MAX, App};

/// What every form carries.
#[derive(Deserialize)]
struct FormToken {
    #[serde(default)]
    form_token: String,
}

/// Lets a request through if it belongs to a session, and is a form of that session if it changes anything.
pub(super) async fn guard(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let (tokens, now) = (&app.settings.tokens, app.gate.now());
    let Some(session) = session::of(request.headers(), tokens, now) else {
        return to_log_in(&request);
    };
    let viewer = Viewer::new(&session, &request);
    if changes(request.method()) {
        request = match only_own_form(request, &session.form_token).await {
            Ok(request) => request,
            Err(problem) => return frame::problem_page(Some(&viewer), &problem),
        };
    }
    request.extensions_mut().insert(session.holder);
    request.extensions_mut().insert(viewer.clone());
    let response = next.run(request).await;
    match response.extensions().get::<Problem>() {
        Some(problem) => frame::problem_page(Some(&viewer), problem),
        None => response,
    }
}

fn changes(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD)
}

fn to_log_in(request: &Request) -> Response {
    let wanted = request.uri().path_and_query();
    match wanted.map(|wanted| wanted.as_str()) {
        // What was to be changed has to be asked for once more.
        Some(wanted) if wanted != "/" && !changes(request.method()) => {
            see_other(&format!("{}?next={}", log_in::PATH, encoded(wanted)))
        }
        _ => see_other(log_in::PATH),
    }
}

/// Reads a form's body to see whether it carries the session's token, and puts it back.
async fn only_own_form(request: Request, form_token: &str) -> Result<Request, Problem> {
    only_own_origin(request.headers())?;
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, ADMIN_BODY_BYTES_MAX).await.map_err(|_| {
        let detail = format!("the form is larger than {ADMIN_BODY_BYTES_MAX} bytes");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail)
    })?;
    let copy = Request::from_parts(parts.clone(), Body::from(body.clone()));
    let given = Form::<FormToken>::from_request(copy, &()).await;
    let given = given.map_or_else(|_| String::new(), |Form(given)| given.form_token);
    if !bool::from(given.as_bytes().ct_eq(form_token.as_bytes())) {
        return Err(stranger(
            "the form is not one of this session: open the page again, and send it from there",
        ));
    }
    Ok(Request::from_parts(parts, Body::from(body)))
}

/// Refuses what another site has a browser send. Browsers say where a form stands; to plain http addresses
/// of other machines older ones say it by `Origin` alone.
pub(super) fn only_own_origin(headers: &HeaderMap) -> Result<(), Problem> {
    let says = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let own = match says("sec-fetch-site") {
        Some(site) => site == "same-origin",
        None => {
            let origin = says("origin").and_then(|origin| origin.split_once("://"));
            let origin = origin.map(|(_, host)| host);
            let hosts = [says(header::HOST.as_str()), says("x-forwarded-host")];
            origin.is_some_and(|origin| hosts.contains(&Some(origin)))
        }
    };
    match own {
        true => Ok(()),
        false => Err(stranger(
            "the form was sent by another site, or the browser does not say from where",
        )),
    }
}

fn stranger(detail: &'static str) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "not-our-form", detail)
}

/// Problems that nobody in the page has seen (no such page, too slow, a panic) look like the page for
/// browsers, too.
pub(in crate::http) async fn dress(request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let api = ["/v1/", "/metrics", "/livez", "/readyz"];
    let accepts = request.headers().get(header::ACCEPT);
    let accepts = accepts.and_then(|value| value.to_str().ok());
    let browser = accepts.is_some_and(|accepts| accepts.contains("text/html"))
        && !api.iter().any(|api| path.starts_with(api));
    let response = next.run(request).await;
    match response.extensions().get::<Problem>().filter(|_| browser) {
        Some(problem) => frame::problem_page(None, problem),
        None => response.into_response(),
    }
}
