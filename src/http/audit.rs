//! What people have changed.

use axum::Json;
use axum::extract::State;

use super::App;
use super::extract::QueryOf;
use super::problem::Problem;
use crate::gate::{ChangeView, ChangesAsked, Page};

pub(super) async fn list(
    State(app): State<App>,
    QueryOf(asked): QueryOf<ChangesAsked>,
) -> Result<Json<Page<ChangeView>>, Problem> {
    Ok(Json(app.gate.desk().changes(asked).await?))
}
