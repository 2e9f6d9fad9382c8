//! Retention: what is old enough to go, and removing it now.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::App;
use super::problem::Problem;
use crate::gate::RetentionLine;

pub(super) async fn preview(State(app): State<App>) -> Result<Json<Vec<RetentionLine>>, Problem> {
    Ok(Json(app.gate.retention_preview().await?))
}

pub(super) async fn run(
    State(app): State<App>,
) -> Result<(StatusCode, Json<Vec<RetentionLine>>), Problem> {
    let found = app.gate.start_retention().await?;
    Ok((StatusCode::ACCEPTED, Json(found)))
}
