//! Logging in with a token of the settings, and logging out.

use axum::extract::{FromRequest as _, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use serde::Deserialize;

use super::frame::{self, Said};
use super::guard::only_own_origin;
use super::{see_other, session};
use crate::http::App;
use crate::http::auth::find;
use crate::http::extract::{FormOf, QueryOf};
use crate::http::log_ins::Refused;
use crate::http::serve::Peer;

/// Where one logs in.
pub(super) const PATH: &str = "/log-in";

/// Where to go afterwards, and what to say.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    next: Option<String>,
    said: Option<String>,
}

/// What the form sends.
#[derive(Deserialize)]
struct LogIn {
    #[serde(default)]
    token: String,
    #[serde(default)]
    next: Option<String>,
}

pub(super) async fn show(QueryOf(wanted): QueryOf<Wanted>) -> Response {
    let said = wanted.said.as_deref().and_then(Said::from_code);
    let said = said.map(|said| html! { p.said role="status" { (said.text(None)) } });
    form(StatusCode::OK, wanted.next.as_deref(), said)
}

pub(super) async fn log_in(State(app): State<App>, request: Request) -> Response {
    let (peer, headers) = (Peer::of(&request), request.headers().clone());
    if let Err(problem) = only_own_origin(&headers) {
        return frame::problem_page(None, &problem);
    }
    let given: LogIn = match FormOf::from_request(request, &app).await {
        Ok(FormOf(given)) => given,
        Err(problem) => return frame::problem_page(None, &problem),
    };
    let next = given.next.as_deref();
    let given_token = given.token.trim();
    if given_token.is_empty() {
        return form(StatusCode::BAD_REQUEST, next, Some(wrong("Enter a token.")));
    }
    let Some(token) = find(&app.settings.tokens, given_token) else {
        return match app.log_ins.failed(&app.gate, peer).await {
            Refused::Waited => {
                let said = wrong("This is not one of the tokens.");
                form(StatusCode::UNAUTHORIZED, next, Some(said))
            }
            Refused::TooMany { retry_after_s } => too_many(next, retry_after_s),
        };
    };
    let secure = session::is_https(&headers);
    let cookie = session::begin(token, app.gate.now(), app.settings.session_ms, secure);
    tracing::info!(actor = %format_args!("token:{}", token.name()), "logged in to the page");
    let to = next.filter(|next| is_ours(next)).unwrap_or("/");
    ([(header::SET_COOKIE, cookie)], see_other(to)).into_response()
}

pub(super) async fn log_out(headers: HeaderMap) -> Response {
    let cookie = session::end(session::is_https(&headers));
    let to = format!("{PATH}?said={}", Said::LoggedOut.code());
    ([(header::SET_COOKIE, cookie)], see_other(&to)).into_response()
}

/// Whether it is a place on this page, and nothing that a browser takes for another site.
fn is_ours(next: &str) -> bool {
    let odd = |c: char| c == '\\' || c.is_control();
    next.starts_with('/') && !next.starts_with("//") && !next.contains(odd)
}

fn wrong(text: &str) -> Markup {
    html! { p.problem role="alert" { (text) } }
}

fn too_many(next: Option<&str>, retry_after_s: i64) -> Response {
    let minutes = retry_after_s / 60 + 1;
    let text = format!(
        "Too many wrong tokens came from this address. The next one is looked at in {minutes} min; a right \
         one is let in at any time."
    );
    let mut response = form(StatusCode::TOO_MANY_REQUESTS, next, Some(wrong(&text)));
    let headers = response.headers_mut();
    headers.insert(header::RETRY_AFTER, retry_after_s.into());
    response
}

fn form(status: StatusCode, next: Option<&str>, said: Option<Markup>) -> Response {
    let next = next.filter(|next| is_ours(next));
    let body = html! {
        div.narrow {
            h1 { "Log in" }
            @if let Some(said) = said { (said) }
            form.card method="post" action=(PATH) {
                @if let Some(next) = next {
                    input type="hidden" name="next" value=(next);
                }
                label for="token" { "Token" }
                input #token type="password" name="token" required autofocus
                    autocomplete="current-password" aria-describedby="token-help";
                p.help #token-help {
                    "One of those under " code { "[admin.tokens]" } " in the settings. What you may do here \
                     is what its role may do."
                }
                button.primary type="submit" { "Log in" }
            }
            @if let Some(next) = next {
                p.help { "Logged in already, and came here by a link? " a href=(next) { "Go on" } "." }
            }
        }
    };
    (status, frame::page(None, "Log in", &body)).into_response()
}

#[cfg(test)]
mod tests {
    use super::is_ours;

    #[test]
    fn one_is_sent_to_no_other_site() {
        for ours in ["/", "/bookings?status=pending", "/bookings/one/a%2Fb"] {
            assert!(is_ours(ours), "{ours}");
        }
        for other in [
            "",
            "bookings",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/\t/evil",
        ] {
            assert!(!is_ours(other), "{other}");
        }
    }
}
