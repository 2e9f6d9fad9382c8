//! What runs on a schedule.

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};

use super::App;
use super::extract::PathOf;
use super::problem::Problem;
use crate::gate::{Actor, JobView, Page};

pub(super) async fn list(State(app): State<App>) -> Result<Json<Page<JobView>>, Problem> {
    Ok(Json(app.gate.desk().jobs().await?))
}

pub(super) async fn run(
    State(app): State<App>,
    Extension(actor): Extension<Actor>,
    PathOf(name): PathOf<String>,
) -> Result<(StatusCode, Json<JobView>), Problem> {
    let job = app.gate.run_job(&name, &actor).await?;
    Ok((StatusCode::ACCEPTED, Json(job)))
}
