//! The tags of people.

use axum::extract::State;
use axum::{Extension, Json};
use serde::Deserialize;

use super::App;
use super::extract::{JsonOf, PathOf};
use super::problem::Problem;
use crate::gate::{Actor, TagsChange, TagsView};

/// The body of a change.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeBody {
    #[serde(default)]
    add: Option<Vec<String>>,
    #[serde(default)]
    remove: Option<Vec<String>>,
}

pub(super) async fn show(
    State(app): State<App>,
    PathOf(owner): PathOf<String>,
) -> Result<Json<TagsView>, Problem> {
    Ok(Json(app.gate.desk().tags(&owner).await?))
}

pub(super) async fn change(
    State(app): State<App>,
    Extension(actor): Extension<Actor>,
    PathOf(owner): PathOf<String>,
    JsonOf(body): JsonOf<ChangeBody>,
) -> Result<Json<TagsView>, Problem> {
    let change = TagsChange {
        owner,
        add: body.add.unwrap_or_default(),
        remove: body.remove.unwrap_or_default(),
        actor,
    };
    Ok(Json(app.gate.desk().change_tags(change).await?))
}
