//! Retention: what is old enough to go, and removing it now.

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};

use super::App;
use super::problem::Problem;
use crate::gate::{Actor, RetentionLine};

pub(super) async fn preview(State(app): State<App>) -> Result<Json<Vec<RetentionLine>>, Problem> {
    Ok(Json(app.gate.retention_preview().await?))
}

pub(super) async fn run(
    State(app): State<App>,
    Extension(actor): Extension<Actor>,
) -> Result<(StatusCode, Json<Vec<RetentionLine>>), Problem> {
    let found = app.gate.start_retention(&actor).await?;
    Ok((StatusCode::ACCEPTED, Json(found)))
}
