//! The calls about webhook subscriptions.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::{Extension, Json};
use serde_json::{Map, Value, json};

use super::api::{Answer, object};
use super::limits::{Caller, Permission};
use super::owners::Owners;
use super::pages::Parameters;
use super::refusal::Refusal;
use super::spelling::microseconds;
use super::state::{self, Shared};
use super::subscriptions::{NewSubscription, Scope, Subscription, require_permissions};
use crate::domain::ids::Uid;

/// `POST /webhook_subscriptions`
pub(super) async fn subscribe(
    State(shared): State<Arc<Shared>>,
    Extension(caller): Extension<Caller>,
    body: Bytes,
) -> Result<impl IntoResponse, Refusal> {
    let new = shared.read_new(&object(&body)?)?;
    require_permissions(&caller, &new.events)?;
    let subscription = shared.subscribe(new)?;
    let uri = shared
        .uris()
        .of("webhook_subscriptions", &subscription.uuid);
    let view = shared.subscription_view(&shared.state(), &subscription);
    let location = [(header::LOCATION, uri)];
    Ok((
        StatusCode::CREATED,
        location,
        Json(json!({ "resource": view })),
    ))
}

/// `GET /webhook_subscriptions`
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    Extension(caller): Extension<Caller>,
    Query(query): Query<HashMap<String, String>>,
) -> Answer {
    caller.require(Permission::ReadWebhooks)?;
    let parameters = Parameters(query);
    let scope = parameters.text("scope").and_then(Scope::parse);
    let scope = scope.ok_or_else(|| Refusal::invalid("scope", "is invalid"))?;
    let state = shared.state();
    parameters.owners()?.require(scope, &state)?;
    let descending = parameters.descending("created_at")?;
    let all = state.subscriptions.iter();
    let mut views: Vec<_> = all
        .filter(|one| one.scope == scope)
        .map(|one| shared.subscription_view(&state, one))
        .collect();
    if descending {
        views.reverse();
    }
    let path = format!("{}/webhook_subscriptions", shared.options.uri_base);
    Ok(Json(parameters.page(&path, &views)?))
}

/// `GET /webhook_subscriptions/{uuid}`
pub(super) async fn read(
    State(shared): State<Arc<Shared>>,
    Extension(caller): Extension<Caller>,
    Path(uuid): Path<String>,
) -> Answer {
    caller.require(Permission::ReadWebhooks)?;
    let state = shared.state();
    let subscription = state.subscription(&Uid::new(uuid))?;
    let view = shared.subscription_view(&state, subscription);
    Ok(Json(json!({ "resource": view })))
}

/// `DELETE /webhook_subscriptions/{uuid}`
pub(super) async fn unsubscribe(
    State(shared): State<Arc<Shared>>,
    Extension(caller): Extension<Caller>,
    Path(uuid): Path<String>,
) -> Result<StatusCode, Refusal> {
    caller.require(Permission::WriteWebhooks)?;
    let mut state = shared.state();
    let uuid = state.subscription(&Uid::new(uuid))?.uuid.clone();
    state.unsubscribe(&uuid);
    Ok(StatusCode::NO_CONTENT)
}

impl Shared {
    fn read_new(&self, body: &Map<String, Value>) -> Result<NewSubscription, Refusal> {
        let text = |name: &'static str| {
            let value = body.get(name).filter(|value| !value.is_null());
            let wrong = || Refusal::invalid(name, "is not a text");
            value
                .map(|value| value.as_str().ok_or_else(wrong))
                .transpose()
        };
        let required = |name| text(name)?.ok_or_else(|| Refusal::invalid(name, "is missing"));
        let scope = Scope::parse(required("scope")?);
        let scope = scope.ok_or_else(|| Refusal::invalid("scope", "is invalid"))?;
        let owners = Owners::read(|name| Ok(text(name)?.map(str::to_owned)))?;
        owners.require(scope, &self.state())?;
        let events = body.get("events").and_then(Value::as_array);
        let events = events.ok_or_else(|| Refusal::invalid("events", "is missing"))?;
        let names = events.iter().map(|event| event.as_str().map(str::to_owned));
        let names: Option<Vec<_>> = names.collect();
        Ok(NewSubscription {
            url: required("url")?.to_owned(),
            events: names.ok_or_else(|| Refusal::invalid("events", "is invalid"))?,
            scope,
            signing_key: text("signing_key")?.map(str::to_owned),
        })
    }

    /// A subscription as the API shows it: **without its key**.
    fn subscription_view(&self, state: &state::State, subscription: &Subscription) -> Value {
        let uris = self.uris();
        let user = || uris.of("users", &state.user);
        let group = || uris.of("groups", &state.group);
        json!({
            "uri": uris.of("webhook_subscriptions", &subscription.uuid),
            "callback_url": subscription.url,
            "events": subscription.events,
            "scope": subscription.scope.as_str(),
            "organization": uris.of("organizations", &state.organization),
            "user": (subscription.scope == Scope::User).then(user),
            "group": (subscription.scope == Scope::Group).then(group),
            "creator": uris.of("users", &subscription.creator),
            "state": if subscription.active { "active" } else { "disabled" },
            "retry_started_at": subscription.retry_started_at.map(microseconds),
            "created_at": microseconds(subscription.created_at),
            "updated_at": microseconds(subscription.updated_at),
        })
    }
}
