//! Stored deliveries: lists, one with its body, and reading them again.

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::Deserialize;

use super::App;
use super::extract::{JsonOf, PathOf, QueryOf};
use super::problem::Problem;
use crate::domain::clock::Timestamp;
use crate::gate::{Actor, DeliveriesAsked, DeliveryRow, DeliveryState, DeliveryView, Page};
use crate::gate::{ReplayOrder, ReplayReport};

/// Which deliveries to list.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filter {
    source: Option<String>,
    state: Option<DeliveryState>,
    trigger: Option<String>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    after: Option<String>,
    limit: Option<u32>,
}

/// Which deliveries to read again.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReplayBody {
    source: Option<String>,
    state: Option<DeliveryState>,
    trigger: Option<String>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    after: Option<String>,
    limit: Option<u32>,
    #[serde(default)]
    dry_run: bool,
}

pub(super) async fn list(
    State(app): State<App>,
    QueryOf(filter): QueryOf<Filter>,
) -> Result<Json<Page<DeliveryRow>>, Problem> {
    let asked = DeliveriesAsked {
        source: filter.source,
        state: filter.state,
        trigger: filter.trigger,
        since: filter.since,
        until: filter.until,
    };
    let desk = app.gate.desk();
    let page = desk.deliveries(asked, filter.after.as_deref(), filter.limit);
    Ok(Json(page.await?))
}

pub(super) async fn show(
    State(app): State<App>,
    PathOf(id): PathOf<i64>,
) -> Result<Json<DeliveryView>, Problem> {
    Ok(Json(app.gate.desk().delivery(id).await?))
}

pub(super) async fn replay(
    State(app): State<App>,
    Extension(actor): Extension<Actor>,
    PathOf(id): PathOf<i64>,
) -> Result<StatusCode, Problem> {
    app.gate.replay_one(id, actor).await?;
    Ok(StatusCode::ACCEPTED)
}

pub(super) async fn replay_some(
    State(app): State<App>,
    Extension(actor): Extension<Actor>,
    JsonOf(body): JsonOf<ReplayBody>,
) -> Result<Json<ReplayReport>, Problem> {
    let order = ReplayOrder {
        asked: DeliveriesAsked {
            source: body.source,
            state: body.state,
            trigger: body.trigger,
            since: body.since,
            until: body.until,
        },
        after: body.after,
        limit: body.limit,
        dry_run: body.dry_run,
        actor,
    };
    Ok(Json(app.gate.replay(order).await?))
}
