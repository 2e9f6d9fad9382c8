//! Which daemons there are.

use axum::Json;
use axum::extract::State;

use super::App;
use super::problem::Problem;
use crate::gate::{InstanceView, Page};

pub(super) async fn list(State(app): State<App>) -> Result<Json<Page<InstanceView>>, Problem> {
    Ok(Json(app.gate.instances().await?))
}
