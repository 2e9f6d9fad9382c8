//! What people have changed.

use axum::Extension;
use axum::extract::State;
use axum::response::Html;
use maud::html;
use serde::Deserialize;

use super::bookings::given;
use super::frame::{self, Viewer};
use super::parts::{address, nothing, pager, stranger, time};
use crate::gate::ChangesAsked;
use crate::http::App;
use crate::http::extract::QueryOf;
use crate::http::problem::Problem;

/// Which changes to list.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Filter {
    actor: String,
    action: String,
    target: String,
    after: String,
}

pub(super) async fn list(
    State(app): State<App>,
    Extension(viewer): Extension<Viewer>,
    QueryOf(filter): QueryOf<Filter>,
) -> Result<Html<String>, Problem> {
    let asked = ChangesAsked {
        actor: given(&filter.actor),
        action: given(&filter.action),
        target: given(&filter.target),
        request_id: None,
        since: None,
        until: None,
        after: given(&filter.after),
        limit: None,
    };
    let page = app.gate.desk().changes(asked).await?;
    let at = |after| {
        let actor = ("actor", Some(filter.actor.trim()));
        let action = ("action", Some(filter.action.trim()));
        let target = ("target", Some(filter.target.trim()));
        address("/audit", &[actor, action, target, ("after", after)])
    };
    let filtered = at(None) != "/audit";
    let first = (!filter.after.is_empty()).then(|| at(None));
    let next = page.next.as_deref().map(|next| at(Some(next)));
    let field = |name: &str, label: &str, value: &str| {
        html! { div { label for=(name) { (label) }
        input type="text" id=(name) name=(name) value=(value) autocomplete="off"; } }
    };
    let body = html! {
        h1 { "Audit log" }
        p.lead { "Every change that people made, here, by the API and on the command line." }
        form.filters method="get" action="/audit" {
            (field("actor", "By whom", &filter.actor))
            (field("action", "What", &filter.action))
            (field("target", "On what", &filter.target))
            div.act { button type="submit" { "Show" } @if filtered { a href="/audit" { "Clear" } } }
        }
        @if page.items.is_empty() {
            @if filtered {
                (nothing("No change fits.", "Names are written whole, such as token:ops."))
            } @else {
                (nothing("Nobody has changed anything yet.", "Top-ups, decisions and the like appear here."))
            }
        } @else {
            table.cards {
                caption { "Changes, newest first" }
                thead { tr {
                    th scope="col" { "When" } th scope="col" { "By whom" } th scope="col" { "What" }
                    th scope="col" { "On what" } th scope="col" { "More" } th scope="col" { "Request" }
                } }
                tbody {
                    @for change in &page.items {
                        tr {
                            td data-label="When" { (time(change.at)) }
                            td data-label="By whom" { (stranger(&change.actor)) }
                            td data-label="What" { (stranger(&change.action)) }
                            td data-label="On what" { (stranger(&change.target)) }
                            td data-label="More" { (stranger(change.detail.as_deref().unwrap_or("–"))) }
                            td.fine data-label="Request" { (stranger(change.request_id.as_deref().unwrap_or("–"))) }
                        }
                    }
                }
            }
            (pager(first.as_deref(), next.as_deref(), "Older changes"))
        }
    };
    Ok(frame::page(Some(&viewer), "Audit log", &body))
}
