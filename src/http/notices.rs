//! Notices that were not taken yet.

use axum::Json;
use axum::extract::State;

use super::App;
use super::extract::QueryOf;
use super::problem::Problem;
use crate::gate::{NoticeView, NoticesAsked, Page};

pub(super) async fn list(
    State(app): State<App>,
    QueryOf(asked): QueryOf<NoticesAsked>,
) -> Result<Json<Page<NoticeView>>, Problem> {
    Ok(Json(app.gate.desk().notices(asked).await?))
}
