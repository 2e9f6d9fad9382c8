//! Notices that were not taken yet.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;

use super::App;
use super::extract::QueryOf;
use super::problem::Problem;
use crate::gate::{NoticeView, NoticesAsked, Page};

/// Which notices to list.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filter {
    receiver: Option<String>,
    state: Option<String>,
    after: Option<String>,
    limit: Option<u32>,
}

pub(super) async fn list(
    State(app): State<App>,
    QueryOf(filter): QueryOf<Filter>,
) -> Result<Json<Page<NoticeView>>, Problem> {
    let asked = NoticesAsked {
        receiver: filter.receiver,
        state: filter.state,
        after: filter.after,
        limit: filter.limit,
    };
    Ok(Json(app.gate.desk().notices(asked).await?))
}
