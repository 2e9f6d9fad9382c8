//! What runs on a schedule.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::App;
use super::extract::PathOf;
use super::problem::Problem;
use crate::gate::{JobView, Page};

pub(super) async fn list(State(app): State<App>) -> Result<Json<Page<JobView>>, Problem> {
    Ok(Json(app.gate.desk().jobs().await?))
}

pub(super) async fn run(
    State(app): State<App>,
    PathOf(name): PathOf<String>,
) -> Result<(StatusCode, Json<JobView>), Problem> {
    Ok((StatusCode::ACCEPTED, Json(app.gate.run_job(&name).await?)))
}
