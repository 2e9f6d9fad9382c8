//! Dead letters: what the provider could not be told, trying again, and laying aside.

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use maud::{Markup, html};
use serde::Deserialize;

use super::bookings::{given, select};
use super::frame::{self, Said, Viewer, problem_box};
use super::parts::{action, address, booking_path, nothing, pager, stranger, time_or};
use super::{heard, see_other};
use crate::domain::decision::Action;
use crate::gate::{DeadLetterView, LettersAsked, LettersFate, LettersOrder};
use crate::http::App;
use crate::http::auth::Role;
use crate::http::extract::{FormOf, QueryOf};
use crate::http::problem::Problem;

const ACTIONS: [(&str, &str); 3] = [
    ("confirm", "confirm"),
    ("decline", "decline"),
    ("cancel", "call off"),
];

/// Which dead letters to list.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Filter {
    source: String,
    action: String,
    after: String,
}

/// Which dead letters an order is about: one, or those of the filter that was shown.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct OrderForm {
    id: Option<i64>,
    source: String,
    action: String,
    force: Option<String>,
    sure: Option<String>,
}

fn asked(id: Option<i64>, source: &str, action: &str) -> Result<LettersAsked, Problem> {
    let action = match action {
        "" => None,
        "confirm" => Some(Action::Confirm),
        "decline" => Some(Action::Decline),
        "cancel" => Some(Action::Cancel),
        _ => {
            return Err(Problem::invalid(
                "action: must be confirm, decline or cancel",
            ));
        }
    };
    Ok(LettersAsked {
        id,
        source: given(source),
        action,
        since: None,
    })
}

pub(super) async fn list(
    State(app): State<App>,
    Extension(viewer): Extension<Viewer>,
    QueryOf(filter): QueryOf<Filter>,
) -> Result<Html<String>, Problem> {
    view(&app, &viewer, &filter, None).await
}

async fn view(
    app: &App,
    viewer: &Viewer,
    filter: &Filter,
    problem: Option<&Problem>,
) -> Result<Html<String>, Problem> {
    let after = given(&filter.after);
    let wanted = asked(None, &filter.source, &filter.action)?;
    let page = app
        .gate
        .desk()
        .dead_letters(wanted, after.as_deref(), None)
        .await?;
    let at = |after| {
        let source = ("source", Some(filter.source.trim()));
        address(
            "/dead-letters",
            &[source, ("action", Some(&filter.action)), ("after", after)],
        )
    };
    let filtered = at(None) != "/dead-letters";
    let first = after.is_some().then(|| at(None));
    let next = page.next.as_deref().map(|next| at(Some(next)));
    let body = html! {
        h1 { "Dead letters" }
        p.lead { "What a provider could not be told, although it was tried again and again. Put right what is \
            wrong, then have it tried once more." }
        (problem_box(problem))
        form.filters method="get" action="/dead-letters" {
            div { label for="source" { "Source" }
                input #source type="text" name="source" value=(filter.source) autocomplete="off"; }
            div { label for="action" { "To be told" } (select("action", &ACTIONS, &filter.action)) }
            div.act { button type="submit" { "Show" } @if filtered { a href="/dead-letters" { "Clear" } } }
        }
        @if page.items.is_empty() {
            @if filtered {
                (nothing("No dead letter fits.", "Take a filter away."))
            } @else {
                (nothing("There are no dead letters.", "Everything could be told, or is still being tried."))
            }
        } @else {
            @if viewer.may(Role::Admin) { (all_of_them(viewer, filter, filtered)) }
            ul.letters {
                @for letter in &page.items { (one(viewer, letter)) }
            }
            (pager(first.as_deref(), next.as_deref(), "Later ones"))
        }
    };
    Ok(frame::page(Some(viewer), "Dead letters", &body))
}

/// One dead letter, in short: also for the overview.
pub(super) fn line(letter: &DeadLetterView) -> Markup {
    let path = booking_path(
        letter.source.as_str(),
        letter.booking.split('/').next().unwrap_or_default(),
    );
    html! {
        p { strong { (upper(action(letter.action))) } ": "
            a href=(path) { (stranger(&letter.booking)) } " "
            span.muted { (stranger(letter.source.as_str())) } }
        @if let Some(note) = &letter.note { p { "Given up: " (stranger(note)) "." } }
        @if let Some(attempt) = &letter.last_attempt {
            p.fine { "Last attempt: " (heard::result(attempt.result).1)
                @if let Some(detail) = attempt.detail.as_ref().filter(|detail| letter.note.as_ref() != Some(*detail)) {
                    " – " (stranger(detail))
                } }
        }
        p.fine {
            "Tried " (letter.tries) (if letter.tries == 1 { " time" } else { " times" })
            ", given up " (time_or(letter.given_up_at, "at an unknown time"))
            " · booking starts " (time_or(letter.start, "at an unknown time"))
            @if letter.holds_credit { " · " strong { "credit is still set aside" } }
        }
    }
}

fn upper(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}

fn one(viewer: &Viewer, letter: &DeadLetterView) -> Markup {
    html! {
        li.card {
            (line(letter))
            @if viewer.may(Role::Admin) { (forms(viewer, letter)) }
        }
    }
}

/// What may be done about one.
pub(super) fn forms(viewer: &Viewer, letter: &DeadLetterView) -> Markup {
    html! {
        div.row {
            form.row method="post" action="/dead-letters/retries" {
                (viewer.form_token())
                input type="hidden" name="id" value=(letter.id);
                button.primary type="submit" { "Try again" }
                label.check { input type="checkbox" name="force" value="yes"; " also if it has begun" }
            }
            details.purge {
                summary { "Lay aside…" }
                form method="post" action="/dead-letters/purges" {
                    (viewer.form_token())
                    input type="hidden" name="id" value=(letter.id);
                    label.check { input type="checkbox" name="sure" value="yes" required;
                        " Nobody will be told any more. This cannot be undone." }
                    button.danger type="submit" { "Lay aside for good" }
                }
            }
        }
    }
}

fn all_of_them(viewer: &Viewer, filter: &Filter, filtered: bool) -> Markup {
    let which = if filtered {
        "all that fit"
    } else {
        "all of them"
    };
    html! {
        form.row method="post" action="/dead-letters/retries" {
            (viewer.form_token())
            input type="hidden" name="source" value=(filter.source);
            input type="hidden" name="action" value=(filter.action);
            button type="submit" { "Try " (which) " again" }
        }
    }
}

pub(super) async fn retry(
    State(app): State<App>,
    Extension(viewer): Extension<Viewer>,
    FormOf(form): FormOf<OrderForm>,
) -> Result<Response, Problem> {
    let force = form.force.is_some();
    order(
        &app,
        &viewer,
        &form,
        LettersFate::Retry { force },
        Said::Retried,
    )
    .await
}

pub(super) async fn purge(
    State(app): State<App>,
    Extension(viewer): Extension<Viewer>,
    FormOf(form): FormOf<OrderForm>,
) -> Result<Response, Problem> {
    if form.id.is_none() || form.sure.is_none() {
        let text = "say which one is laid aside, and that you are sure: it cannot be undone";
        return Err(Problem::invalid(text));
    }
    order(&app, &viewer, &form, LettersFate::Purge, Said::Purged).await
}

async fn order(
    app: &App,
    viewer: &Viewer,
    form: &OrderForm,
    fate: LettersFate,
    said: Said,
) -> Result<Response, Problem> {
    let order = LettersOrder {
        asked: asked(form.id, &form.source, &form.action)?,
        fate,
        dry_run: false,
        actor: viewer.actor.clone(),
    };
    let problem = match app.gate.order_letters(order).await {
        Ok(report) if report.left.is_empty() => {
            let (said, count) = (said.code(), report.done.len());
            return Ok(see_other(&format!(
                "/dead-letters?said={said}&count={count}"
            )));
        }
        Ok(report) => {
            let (done, left) = (report.done.len(), report.left.len());
            let why = report.left.iter().find_map(|line| line.why.as_deref());
            let why = why.unwrap_or("it is not open any more");
            Problem::new(
                StatusCode::CONFLICT,
                "left",
                format!("{done} were done and {left} were left, the first because {why}"),
            )
        }
        Err(error) => Problem::from(error),
    };
    if problem.status() == StatusCode::NOT_FOUND {
        return Err(problem);
    }
    let filter = Filter {
        source: form.source.clone(),
        action: form.action.clone(),
        after: String::new(),
    };
    let page = view(app, viewer, &filter, Some(&problem)).await?;
    Ok((problem.status(), page).into_response())
}
