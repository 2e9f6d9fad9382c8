//! Dead letters: what the provider could not be told.

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::Deserialize;

use super::App;
use super::extract::{BytesOf, JsonOf, PathOf, QueryOf};
use super::problem::Problem;
use crate::domain::clock::Timestamp;
use crate::domain::decision::Action;
use crate::gate::{
    Actor, DeadLetterView, LettersAsked, LettersFate, LettersOrder, LettersReport, Page,
};

/// Which dead letters to list.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filter {
    source: Option<String>,
    action: Option<Action>,
    since: Option<Timestamp>,
    after: Option<String>,
    limit: Option<u32>,
}

/// Which dead letters an order is about.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OrderBody {
    id: Option<i64>,
    source: Option<String>,
    action: Option<Action>,
    since: Option<Timestamp>,
    #[serde(default)]
    dry_run: bool,
    #[serde(default)]
    force: bool,
}

/// What may be said about one that is tried again.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RetryBody {
    #[serde(default)]
    force: bool,
}

pub(super) async fn list(
    State(app): State<App>,
    QueryOf(filter): QueryOf<Filter>,
) -> Result<Json<Page<DeadLetterView>>, Problem> {
    let asked = LettersAsked {
        id: None,
        source: filter.source,
        action: filter.action,
        since: filter.since,
    };
    let desk = app.gate.desk();
    let page = desk.dead_letters(asked, filter.after.as_deref(), filter.limit);
    Ok(Json(page.await?))
}

pub(super) async fn show(
    State(app): State<App>,
    PathOf(id): PathOf<i64>,
) -> Result<Json<DeadLetterView>, Problem> {
    Ok(Json(app.gate.desk().dead_letter(id).await?))
}

/// One is tried again. A body is not needed.
pub(super) async fn retry(
    State(app): State<App>,
    Extension(actor): Extension<Actor>,
    PathOf(id): PathOf<i64>,
    BytesOf(body): BytesOf,
) -> Result<StatusCode, Problem> {
    let body: RetryBody = match body.is_empty() {
        true => RetryBody::default(),
        false => serde_json::from_slice(&body).map_err(|why| Problem::invalid(why.to_string()))?,
    };
    let order = LettersOrder {
        asked: LettersAsked {
            id: Some(id),
            ..LettersAsked::default()
        },
        fate: LettersFate::Retry { force: body.force },
        dry_run: false,
        actor,
    };
    app.gate.order_letters(order).await?;
    Ok(StatusCode::ACCEPTED)
}

pub(super) async fn retry_some(
    State(app): State<App>,
    Extension(actor): Extension<Actor>,
    JsonOf(body): JsonOf<OrderBody>,
) -> Result<Json<LettersReport>, Problem> {
    let fate = LettersFate::Retry { force: body.force };
    let report = app.gate.order_letters(order(body, fate, actor)).await?;
    Ok(Json(report))
}

pub(super) async fn purge(
    State(app): State<App>,
    Extension(actor): Extension<Actor>,
    JsonOf(body): JsonOf<OrderBody>,
) -> Result<Json<LettersReport>, Problem> {
    if body.force {
        let text = "force: nothing is purged by force; `left` says what has to be done first";
        return Err(Problem::invalid(text));
    }
    let order = order(body, LettersFate::Purge, actor);
    Ok(Json(app.gate.order_letters(order).await?))
}

fn order(body: OrderBody, fate: LettersFate, actor: Actor) -> LettersOrder {
    LettersOrder {
        asked: LettersAsked {
            id: body.id,
            source: body.source,
            action: body.action,
            since: body.since,
        },
        fate,
        dry_run: body.dry_run,
        actor,
    }
}
