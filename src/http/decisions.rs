//! Decisions of all bookings.

use axum::Json;
use axum::extract::State;

use super::App;
use super::extract::QueryOf;
use super::problem::Problem;
use crate::gate::{DecisionLine, DecisionsAsked, Page};

pub(super) async fn list(
    State(app): State<App>,
    QueryOf(asked): QueryOf<DecisionsAsked>,
) -> Result<Json<Page<DecisionLine>>, Problem> {
    Ok(Json(app.gate.desk().decisions(asked).await?))
}
