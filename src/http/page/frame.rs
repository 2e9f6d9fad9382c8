//! What all pages have in common: head, navigation, what was just done, and how a problem looks.

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};

use super::session::Session;
use super::style;
use crate::gate::Actor;
use crate::http::auth::Role;
use crate::http::problem::Problem;

/// Who looks at a page.
#[derive(Debug, Clone)]
pub(super) struct Viewer {
    token: String,
    role: Role,
    form_token: String,
    path: String,
    /// Who changes something with this request.
    pub(super) actor: Actor,
    /// What was done by the request before.
    done: Option<(Said, Option<u32>)>,
}

impl Viewer {
    pub(super) fn new(session: &Session, request: &Request) -> Self {
        Self {
            token: session.holder.token.clone(),
            role: session.holder.role,
            form_token: session.form_token.clone(),
            path: request.uri().path().to_owned(),
            actor: session.holder.actor(request),
            done: done(request.uri().query().unwrap_or_default()),
        }
    }

    /// Whether what needs this role is shown.
    pub(super) fn may(&self, role: Role) -> bool {
        self.role >= role
    }

    /// What every form that changes something carries.
    pub(super) fn form_token(&self) -> Markup {
        html! { input type="hidden" name="form_token" value=(self.form_token); }
    }
}

fn done(query: &str) -> Option<(Said, Option<u32>)> {
    let value = |name: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
    };
    let said = Said::from_code(value("said")?)?;
    Some((said, value("count").and_then(|count| count.parse().ok())))
}

/// What a person is told after a form was sent: a code in the address, never a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    /// A booking was accepted.
    Accepted,
    /// A booking was refused.
    Refused,
    /// An account was topped up.
    ToppedUp,
    /// Credit was taken off an account.
    Deducted,
    /// Dead letters are tried again.
    Retried,
    /// Dead letters were laid aside.
    Purged,
    /// Logged out.
    LoggedOut,
}

impl Said {
    const ALL: [Self; 7] = [
        Self::Accepted,
        Self::Refused,
        Self::ToppedUp,
        Self::Deducted,
        Self::Retried,
        Self::Purged,
        Self::LoggedOut,
    ];

    pub(super) fn code(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::ToppedUp => "topped-up",
            Self::Deducted => "deducted",
            Self::Retried => "retried",
            Self::Purged => "purged",
            Self::LoggedOut => "logged-out",
        }
    }

    pub(super) fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|said| said.code() == code)
    }

    pub(super) fn text(self, count: Option<u32>) -> String {
        let letters = match count {
            Some(count) if count != 1 => format!("{count} dead letters were"),
            _ => "The dead letter was".to_owned(),
        };
        match self {
            Self::Accepted => "The booking was accepted. The provider is told now.".to_owned(),
            Self::Refused => "The booking was refused. The provider is told now.".to_owned(),
            Self::ToppedUp => "The account was topped up.".to_owned(),
            Self::Deducted => "The credit was taken off.".to_owned(),
            Self::Retried => format!("{letters} given another try."),
            Self::Purged => format!("{letters} laid aside for good."),
            Self::LoggedOut => "You are logged out.".to_owned(),
        }
    }
}

const TABS: [(&str, &str); 6] = [
    ("/", "What waits"),
    ("/bookings", "Bookings"),
    ("/accounts", "Accounts"),
    ("/dead-letters", "Dead letters"),
    ("/policies", "Policies"),
    ("/audit", "Audit log"),
];

fn is_here(tab: &str, path: &str) -> bool {
    let below = path.strip_prefix(tab);
    path == tab || (tab != "/" && below.is_some_and(|rest| rest.starts_with('/')))
}

/// A whole page.
pub(super) fn page(viewer: Option<&Viewer>, title: &str, body: &Markup) -> Html<String> {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · bookgate" }
                link rel="icon" type="image/svg+xml" href=(style::ICON_PATH);
                link rel="stylesheet" href=(style::sheet_url());
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                header.top {
                    a.brand href="/" { "bookgate" }
                    @if let Some(viewer) = viewer { (navigation(viewer)) }
                }
                main #main {
                    @if let Some((said, count)) = viewer.and_then(|viewer| viewer.done) {
                        p.said role="status" { (said.text(count)) }
                    }
                    (body)
                }
                footer { "bookgate " (env!("CARGO_PKG_VERSION")) " · all times are UTC" }
            }
        }
    };
    Html(page.into_string())
}

fn navigation(viewer: &Viewer) -> Markup {
    html! {
        nav aria-label="Pages" {
            ul {
                @for (path, name) in TABS {
                    li {
                        @if is_here(path, &viewer.path) {
                            a href=(path) aria-current="page" { (name) }
                        } @else {
                            a href=(path) { (name) }
                        }
                    }
                }
            }
        }
        form.who method="post" action="/log-out" {
            (viewer.form_token())
            span { bdi { (viewer.token) } " " span.muted { "(" (viewer.role.as_str()) ")" } }
            button.quiet type="submit" { "Log out" }
        }
    }
}

/// A problem as a page.
pub(super) fn problem_page(viewer: Option<&Viewer>, problem: &Problem) -> Response {
    let title = match problem.status() {
        StatusCode::NOT_FOUND => "There is nothing here",
        StatusCode::FORBIDDEN => "This is not allowed",
        StatusCode::CONFLICT => "This cannot be done as things stand",
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::REQUEST_TIMEOUT => "Please try again",
        status if status.is_server_error() => "Something went wrong here",
        _ => "This did not work",
    };
    let body = html! {
        div.narrow {
            h1 { (title) }
            p.problem role="alert" { (problem.detail()) }
            p { a href="/" { "Go to what waits" } }
        }
    };
    (problem.status(), page(viewer, title, &body)).into_response()
}

/// What kept a form from being carried out, above the form.
pub(super) fn problem_box(problem: Option<&Problem>) -> Markup {
    html! {
        @if let Some(problem) = problem {
            p.problem role="alert" { strong { "This did not work: " } (problem.detail()) "." }
        }
    }
}
