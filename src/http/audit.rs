//! What people have changed.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;

use super::App;
use super::extract::QueryOf;
use super::problem::Problem;
use crate::domain::clock::Timestamp;
use crate::gate::{ChangeView, ChangesAsked, Page};

/// Which changes to list.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filter {
    actor: Option<String>,
    action: Option<String>,
    target: Option<String>,
    request_id: Option<String>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    after: Option<String>,
    limit: Option<u32>,
}

pub(super) async fn list(
    State(app): State<App>,
    QueryOf(filter): QueryOf<Filter>,
) -> Result<Json<Page<ChangeView>>, Problem> {
    let asked = ChangesAsked {
        actor: filter.actor,
        action: filter.action,
        target: filter.target,
        request_id: filter.request_id,
        since: filter.since,
        until: filter.until,
        after: filter.after,
        limit: filter.limit,
    };
    Ok(Json(app.gate.desk().changes(asked).await?))
}
