//! Dead letters: what the provider could not be told.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::App;
use super::accounts::Paging;
use super::extract::{PathOf, QueryOf};
use super::problem::Problem;
use crate::gate::{DeadLetterView, Page};

pub(super) async fn list(
    State(app): State<App>,
    QueryOf(paging): QueryOf<Paging>,
) -> Result<Json<Page<DeadLetterView>>, Problem> {
    let page = app
        .gate
        .desk()
        .dead_letters(paging.after.as_deref(), paging.limit);
    Ok(Json(page.await?))
}

pub(super) async fn retry(
    State(app): State<App>,
    PathOf(id): PathOf<i64>,
) -> Result<StatusCode, Problem> {
    app.gate.retry_dead_letter(id).await?;
    Ok(StatusCode::ACCEPTED)
}
