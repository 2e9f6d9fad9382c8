//! Deliveries that a person should look at.

use axum::Json;
use axum::extract::State;

use super::App;
use super::accounts::Paging;
use super::extract::QueryOf;
use super::problem::Problem;
use crate::gate::{DeliveryRow, Page};

pub(super) async fn to_look_at(
    State(app): State<App>,
    QueryOf(paging): QueryOf<Paging>,
) -> Result<Json<Page<DeliveryRow>>, Problem> {
    let desk = app.gate.desk();
    let page = desk.deliveries_to_look_at(paging.after.as_deref(), paging.limit);
    Ok(Json(page.await?))
}
