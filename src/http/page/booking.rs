//! One booking: how it stands, its story, and deciding it.

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use serde::Deserialize;

use super::frame::{self, Said, Viewer, problem_box};
use super::parts::{
    booking_link, booking_path, encoded, outcome, owner_link, status, stranger, time, time_or,
};
use super::{see_other, timeline};
use crate::domain::decision::Outcome;
use crate::gate::{BookingLine, BookingView, ChangesAsked, PersonDecides, PersonsAnswer};
use crate::http::App;
use crate::http::auth::Role;
use crate::http::extract::{FormOf, PathOf};
use crate::http::problem::Problem;

type Reference = (String, String);

pub(super) async fn show(
    State(app): State<App>,
    Extension(viewer): Extension<Viewer>,
    PathOf(reference): PathOf<Reference>,
) -> Result<Response, Problem> {
    view(&app, &viewer, &reference, None).await
}

/// What a person decides.
#[derive(Debug, Deserialize)]
pub(super) struct DecisionForm {
    answer: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    waive_credits: Option<String>,
    #[serde(default)]
    seat: Option<String>,
    /// Where the form stood: `waiting`, or with the booking.
    #[serde(default)]
    from: Option<String>,
}

impl DecisionForm {
    fn answer(&self) -> Result<(PersonsAnswer, Said), Problem> {
        match self.answer.as_str() {
            "accept" => {
                let waive_credits = self.waive_credits.is_some();
                Ok((PersonsAnswer::Accept { waive_credits }, Said::Accepted))
            }
            "refuse" => {
                let reason = self.reason.clone();
                Ok((PersonsAnswer::Refuse { reason }, Said::Refused))
            }
            _ => Err(Problem::invalid("answer: must be accept or refuse")),
        }
    }
}

pub(super) async fn decide(
    State(app): State<App>,
    Extension(viewer): Extension<Viewer>,
    PathOf(reference): PathOf<Reference>,
    FormOf(form): FormOf<DecisionForm>,
) -> Result<Response, Problem> {
    let (answer, said) = form.answer()?;
    let order = PersonDecides {
        source: reference.0.clone(),
        reference: reference.1.clone(),
        answer,
        seat: form.seat.filter(|seat| !seat.is_empty()),
        actor: viewer.actor.clone(),
    };
    if let Err(error) = app.gate.decide_booking(order).await {
        let problem = Problem::from(error);
        if problem.status() == StatusCode::NOT_FOUND {
            return Err(problem);
        }
        return view(&app, &viewer, &reference, Some(&problem)).await;
    }
    let back = match form.from.as_deref() {
        Some("waiting") => "/".to_owned(),
        _ => booking_path(&reference.0, &reference.1),
    };
    Ok(see_other(&format!("{back}?said={}", said.code())))
}

async fn view(
    app: &App,
    viewer: &Viewer,
    (source, reference): &Reference,
    problem: Option<&Problem>,
) -> Result<Response, Problem> {
    let desk = app.gate.desk();
    let booking = desk.booking(source, reference).await?;
    let mut changes = Vec::new();
    for line in &booking.chain {
        let asked = ChangesAsked {
            target: Some(target(line)),
            ..ChangesAsked::default()
        };
        changes.extend(desk.changes(asked).await?.items);
    }
    let title = about(&booking).map_or_else(|| "Booking".to_owned(), |about| about.title);
    let body = html! {
        p.crumb { a href="/bookings" { "Bookings" } " / " (stranger(booking.line.source.as_str())) }
        h1 { (stranger(&title)) }
        (problem_box(problem))
        (summary(&booking))
        @if waits(&booking.line, app) { (decision_card(viewer, &booking, problem)) }
        (timeline::holds(&booking))
        h2 { "What happened" }
        (timeline::timeline(&booking, &changes))
        (others(&booking))
        (deliveries(&booking))
    };
    let status = problem.map_or(StatusCode::OK, Problem::status);
    Ok((status, frame::page(Some(viewer), &title, &body)).into_response())
}

/// What changes of this booking are noted under.
fn target(line: &BookingLine) -> String {
    match &line.seat {
        Some(seat) => format!("{}/{}/{seat}", line.source, line.uid),
        None => format!("{}/{}", line.source, line.uid),
    }
}

/// Whether a person may still decide it.
fn waits(line: &BookingLine, app: &App) -> bool {
    let open = matches!(
        line.status.as_str(),
        "pending" | "pending_payment" | "accepted"
    );
    let ahead = line.start.is_none_or(|start| start > app.gate.now());
    line.outcome == Some(Outcome::Defer) && open && ahead
}

/// Who booked what, as the last decision's facts have it. Written by strangers.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct About {
    title: String,
    booker: Booker,
    guests: Vec<String>,
    location: Option<String>,
    notes: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Booker {
    name: String,
}

fn about(booking: &BookingView) -> Option<About> {
    #[derive(Deserialize)]
    struct Facts {
        details: Option<About>,
    }
    let facts = booking.decisions.iter().rev();
    let mut all = facts.filter_map(|decision| {
        let facts: Facts = serde_json::from_str(decision.facts.get()).ok()?;
        facts.details
    });
    all.find(|about| !about.title.trim().is_empty())
}

fn summary(booking: &BookingView) -> Markup {
    let (line, about) = (&booking.line, about(booking).unwrap_or_default());
    html! {
        dl.facts {
            div { dt { "Stands" } dd { (status(&line.status))
                @if !line.settled { " " span.badge.open { "in hand" } } } }
            div { dt { "Decision" } dd { (outcome(line.outcome)) } }
            div { dt { "When" } dd { (time_or(line.start, "not known"))
                @if let Some(end) = line.end { " to " (time(end)) } } }
            div { dt { "Booker" } dd {
                @if !about.booker.name.is_empty() { (stranger(&about.booker.name)) ", " }
                @match &line.booker {
                    Some(owner) => { (owner_link(owner.as_str())) },
                    None => { span.muted { "no address" } },
                }
            } }
            @if !about.guests.is_empty() {
                div { dt { "Guests" } dd { (stranger(&about.guests.join(", "))) } }
            }
            div { dt { "Event type" } dd { (stranger(line.event_type.as_deref().unwrap_or("not known"))) } }
            @if let Some(location) = &about.location {
                div { dt { "Where" } dd { (stranger(location)) } }
            }
            @if let Some(notes) = about.notes.as_deref().filter(|notes| !notes.is_empty()) {
                div { dt { "Notes" } dd { (stranger(notes)) } }
            }
            div { dt { "Id" } dd { (stranger(&line.uid))
                @if let Some(number) = line.booking_id { span.muted { " (number " (number) ")" } } } }
        }
    }
}

fn decision_card(viewer: &Viewer, booking: &BookingView, problem: Option<&Problem>) -> Markup {
    let last = booking.decisions.iter().rev();
    let why = last.clone().find_map(|decision| decision.note.as_deref());
    let short = problem.is_some_and(|problem| problem.code() == "insufficient-credit");
    html! {
        section.card.decide aria-labelledby="decide" {
            h2 #decide { "This booking waits for a person" }
            @if let Some(why) = why { p { "Why: " (stranger(why)) "." } }
            @if let Some(decision) = last.clone().next() {
                @if let (Some(cost), Some(unit)) = (&decision.cost, &decision.unit_of_cost) {
                    p { "Price: " (cost) " " (unit) "." }
                }
            }
            @if viewer.may(Role::Admin) {
                (decision_forms(viewer, &booking.line, None, short))
            } @else {
                p.help { "Your token may look. One with the role " code { "admin" } " decides." }
            }
        }
    }
}

/// Two forms, so that Enter in the reason refuses and never accepts.
pub(super) fn decision_forms(
    viewer: &Viewer,
    line: &BookingLine,
    from: Option<&str>,
    offer_waiver: bool,
) -> Markup {
    let path = format!("{}/decision", booking_path(line.source.as_str(), &line.uid));
    let id = encoded(&format!(
        "{}-{}-{}",
        line.source,
        line.uid,
        line.seat.as_deref().unwrap_or("")
    ));
    let same = html! {
        (viewer.form_token())
        @if let Some(from) = from { input type="hidden" name="from" value=(from); }
        @if let Some(seat) = &line.seat { input type="hidden" name="seat" value=(seat); }
    };
    html! {
        div.answers {
            form method="post" action=(path) {
                (same)
                input type="hidden" name="answer" value="accept";
                @if offer_waiver || from.is_none() {
                    label.check { input type="checkbox" name="waive_credits" value="yes"; " For nothing (the price is waived)" }
                }
                button.primary type="submit" { "Accept" }
            }
            form method="post" action=(path) {
                (same)
                input type="hidden" name="answer" value="refuse";
                label for={ "reason-" (id) } { "Reason, for the booker" }
                div.inline {
                    input type="text" id={ "reason-" (id) } name="reason" required maxlength="500"
                        autocomplete="off";
                    button.danger type="submit" { "Refuse" }
                }
            }
        }
    }
}

/// What it was moved from and to, its seats, its series.
fn others(booking: &BookingView) -> Markup {
    let others = booking
        .chain
        .iter()
        .filter(|line| (&line.uid, &line.seat) != (&booking.line.uid, &booking.line.seat));
    let others: Vec<&BookingLine> = others.collect();
    html! {
        @if !others.is_empty() {
            h2 { "Belongs together" }
            p.help { "Bookings that were moved from or to this one, other seats, and the same series." }
            ul.plain {
                @for line in others {
                    li { (booking_link(line)) " " (status(&line.status)) " " (time_or(line.start, "")) }
                }
            }
        }
    }
}

fn deliveries(booking: &BookingView) -> Markup {
    html! {
        @if !booking.deliveries.is_empty() {
            details {
                summary { "Webhooks as they came (" (booking.deliveries.len()) ")" }
                div.scroll {
                    table {
                        caption { "Webhooks of this booking" }
                        thead { tr {
                            th scope="col" { "Id" } th scope="col" { "Received" }
                            th scope="col" { "Event" } th scope="col" { "Understood as" }
                        } }
                        tbody {
                            @for row in &booking.deliveries {
                                tr {
                                    td { (row.id) }
                                    td { (time(row.received_at)) }
                                    td { (stranger(row.trigger.as_deref().unwrap_or("not told"))) }
                                    td { (row.state.as_str()) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
