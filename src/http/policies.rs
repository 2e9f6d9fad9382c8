//! The policies in force, and having them read again.

use axum::extract::State;
use axum::{Extension, Json};

use super::App;
use super::problem::Problem;
use crate::gate::{Actor, PoliciesView, ReloadCause};

pub(super) async fn show(State(app): State<App>) -> Json<PoliciesView> {
    Json(app.gate.policies())
}

/// 200 only if what is in the folder is in force now.
pub(super) async fn reload(
    State(app): State<App>,
    Extension(actor): Extension<Actor>,
) -> Result<Json<PoliciesView>, Problem> {
    let policies = app.gate.reload_policies(ReloadCause::Actor(actor)).await?;
    match policies.last_attempt.is_refused() {
        true => Err(Problem::policies_refused(policies.last_attempt)),
        false => Ok(Json(policies)),
    }
}
