//! Dead letters: what the provider could not be told.

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;

use super::App;
use super::accounts::{Paging, bad_query};
use super::problem::Problem;
use crate::gate::{DeadLetterView, Page};

pub(super) async fn list(
    State(app): State<App>,
    paging: Result<Query<Paging>, QueryRejection>,
) -> Result<Json<Page<DeadLetterView>>, Problem> {
    let Query(paging) = paging.map_err(|rejection| bad_query(&rejection))?;
    let page = app
        .gate
        .desk()
        .dead_letters(paging.after.as_deref(), paging.limit);
    Ok(Json(page.await?))
}

pub(super) async fn retry(
    State(app): State<App>,
    id: Result<Path<i64>, PathRejection>,
) -> Result<StatusCode, Problem> {
    let Path(id) = id.map_err(|_| Problem::invalid("a dead letter's id is a number"))?;
    app.gate.retry_dead_letter(id).await?;
    Ok(StatusCode::ACCEPTED)
}
