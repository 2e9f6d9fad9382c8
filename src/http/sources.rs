//! The sources of the settings, and how they are.

use axum::Json;
use axum::extract::State;

use super::App;
use super::problem::Problem;
use crate::gate::{Page, SourceView};

pub(super) async fn list(State(app): State<App>) -> Result<Json<Page<SourceView>>, Problem> {
    let items = app.gate.sources().await?;
    Ok(Json(Page { items, next: None }))
}
