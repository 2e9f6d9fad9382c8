//! Decisions of all bookings.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;

use super::App;
use super::extract::QueryOf;
use super::problem::Problem;
use crate::domain::clock::Timestamp;
use crate::domain::decision::Outcome;
use crate::gate::{DecisionLine, DecisionsAsked, Page};

/// Which decisions to list.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filter {
    source: Option<String>,
    outcome: Option<Outcome>,
    policy: Option<String>,
    decided_by: Option<String>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    after: Option<String>,
    limit: Option<u32>,
}

pub(super) async fn list(
    State(app): State<App>,
    QueryOf(filter): QueryOf<Filter>,
) -> Result<Json<Page<DecisionLine>>, Problem> {
    let asked = DecisionsAsked {
        source: filter.source,
        outcome: filter.outcome,
        policy: filter.policy,
        decided_by: filter.decided_by,
        since: filter.since,
        until: filter.until,
        after: filter.after,
        limit: filter.limit,
    };
    Ok(Json(app.gate.desk().decisions(asked).await?))
}
