//! Bookings: lists, and everything about one.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;

use super::App;
use super::extract::{PathOf, QueryOf};
use super::problem::Problem;
use crate::domain::decision::Outcome;
use crate::gate::{BookingLine, BookingView, BookingsAsked, Page};

/// Which bookings to list.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filter {
    source: Option<String>,
    status: Option<String>,
    outcome: Option<Outcome>,
    booker: Option<String>,
    after: Option<String>,
    limit: Option<u32>,
}

pub(super) async fn list(
    State(app): State<App>,
    QueryOf(filter): QueryOf<Filter>,
) -> Result<Json<Page<BookingLine>>, Problem> {
    let asked = BookingsAsked {
        source: filter.source,
        status: filter.status,
        outcome: filter.outcome,
        booker: filter.booker,
        after: filter.after,
        limit: filter.limit,
    };
    Ok(Json(app.gate.desk().bookings(asked).await?))
}

pub(super) async fn show(
    State(app): State<App>,
    PathOf((source, reference)): PathOf<(String, String)>,
) -> Result<Json<BookingView>, Problem> {
    Ok(Json(app.gate.desk().booking(&source, &reference).await?))
}
