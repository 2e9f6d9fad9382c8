//! Bookings, latest change first, with filters.

use axum::Extension;
use axum::extract::State;
use axum::response::Html;
use maud::{Markup, html};
use serde::Deserialize;

use super::frame::{self, Viewer};
use super::parts::{
    address, booking_link, nothing, outcome, owner_link, pager, status, stranger, time, time_or,
};
use crate::domain::decision::Outcome;
use crate::gate::{BookingLine, BookingsAsked};
use crate::http::App;
use crate::http::extract::QueryOf;
use crate::http::problem::Problem;

const STATUSES: [(&str, &str); 6] = [
    ("pending", "pending"),
    ("accepted", "accepted"),
    ("rejected", "rejected"),
    ("cancelled", "cancelled"),
    ("superseded", "moved"),
    ("pending_payment", "waits for payment"),
];
const OUTCOMES: [(&str, &str); 3] = [
    ("accept", "accepted"),
    ("reject", "refused"),
    ("defer", "left to a person"),
];

/// Which bookings to list. Fields of the form that were left empty are none.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Filter {
    source: String,
    status: String,
    outcome: String,
    booker: String,
    after: String,
}

impl Filter {
    fn asked(&self) -> Result<BookingsAsked, Problem> {
        let outcome = match self.outcome.as_str() {
            "" => None,
            "accept" => Some(Outcome::Accept),
            "reject" => Some(Outcome::Reject),
            "defer" => Some(Outcome::Defer),
            _ => return Err(Problem::invalid("outcome: must be accept, reject or defer")),
        };
        Ok(BookingsAsked {
            source: given(&self.source),
            status: given(&self.status),
            outcome,
            booker: given(&self.booker),
            since: None,
            until: None,
            starts_since: None,
            starts_until: None,
            after: given(&self.after),
            limit: None,
        })
    }

    fn address(&self, after: Option<&str>) -> String {
        let parameters = [
            ("source", Some(self.source.trim())),
            ("status", Some(self.status.as_str())),
            ("outcome", Some(self.outcome.as_str())),
            ("booker", Some(self.booker.trim())),
            ("after", after),
        ];
        address("/bookings", &parameters)
    }
}

/// What was filled in.
pub(super) fn given(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

pub(super) async fn list(
    State(app): State<App>,
    Extension(viewer): Extension<Viewer>,
    QueryOf(filter): QueryOf<Filter>,
) -> Result<Html<String>, Problem> {
    let page = app.gate.desk().bookings(filter.asked()?).await?;
    let first = (!filter.after.is_empty()).then(|| filter.address(None));
    let next = page.next.as_deref().map(|next| filter.address(Some(next)));
    let filtered = filter.address(None) != "/bookings";
    let body = html! {
        h1 { "Bookings" }
        (form(&filter))
        @if page.items.is_empty() {
            @if filtered {
                (nothing("No booking fits.", "Take a filter away, or look at another source."))
            } @else {
                (nothing("There are no bookings yet.",
                    "They appear as soon as the first webhook came in and was understood."))
            }
        } @else {
            (table(&page.items, "Bookings, latest change first"))
            (pager(first.as_deref(), next.as_deref(), "Older bookings"))
        }
    };
    Ok(frame::page(Some(&viewer), "Bookings", &body))
}

fn form(filter: &Filter) -> Markup {
    html! {
        form.filters method="get" action="/bookings" {
            div { label for="source" { "Source" }
                input #source type="text" name="source" value=(filter.source) autocomplete="off"; }
            div { label for="status" { "Stands" } (select("status", &STATUSES, &filter.status)) }
            div { label for="outcome" { "Decision" } (select("outcome", &OUTCOMES, &filter.outcome)) }
            div.wide { label for="booker" { "Booker's address" }
                input #booker type="text" inputmode="email" name="booker" value=(filter.booker)
                    autocomplete="off"; }
            div.act { button type="submit" { "Show" }
                @if filter.address(None) != "/bookings" { a href="/bookings" { "Clear" } } }
        }
    }
}

/// A choice of one of these, or any.
pub(super) fn select(name: &str, options: &[(&str, &str)], chosen: &str) -> Markup {
    html! {
        select id=(name) name=(name) {
            option value="" { "any" }
            @for (value, text) in options {
                option value=(value) selected[*value == chosen] { (text) }
            }
        }
    }
}

/// Bookings as a table, that becomes a list of cards where there is little room.
pub(super) fn table(lines: &[BookingLine], caption: &str) -> Markup {
    html! {
        table.cards {
            caption { (caption) }
            thead { tr {
                th scope="col" { "Booking" } th scope="col" { "Starts" } th scope="col" { "Booker" }
                th scope="col" { "Event type" } th scope="col" { "Stands" } th scope="col" { "Decision" }
                th scope="col" { "Changed" }
            } }
            tbody {
                @for line in lines {
                    tr {
                        td data-label="Booking" {
                            (booking_link(line)) " " span.muted { (stranger(line.source.as_str())) }
                        }
                        td data-label="Starts" { (time_or(line.start, "not known")) }
                        td data-label="Booker" {
                            @match &line.booker {
                                Some(owner) => { (owner_link(owner.as_str())) },
                                None => { span.muted { "no address" } },
                            }
                        }
                        td data-label="Event type" {
                            (stranger(line.event_type.as_deref().unwrap_or("–")))
                        }
                        td data-label="Stands" { (status(&line.status)) }
                        td data-label="Decision" { (outcome(line.outcome)) }
                        td data-label="Changed" { (time(line.updated_at)) }
                    }
                }
            }
        }
    }
}
