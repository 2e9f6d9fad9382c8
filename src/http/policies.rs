//! The policies in force.

use axum::Json;
use axum::extract::State;

use super::App;
use crate::gate::PoliciesView;

pub(super) async fn show(State(app): State<App>) -> Json<PoliciesView> {
    Json(app.gate.policies())
}
