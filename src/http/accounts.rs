//! Accounts: look, top up, deduct, verify.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::App;
use super::extract::{JsonOf, PathOf, QueryOf};
use super::problem::Problem;
use crate::gate::{
    AccountView, AccountsAsked, Actor, CreditKind, CreditRequest, EntriesAsked, EntryView, Page,
};

/// The body of a top-up and of a deduction.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CreditBody {
    #[serde(deserialize_with = "amount_text")]
    amount: String,
    unit: String,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    metadata: Option<Value>,
}

/// An amount as a string; a JSON number gets an error that says why.
fn amount_text<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    match Value::deserialize(from)? {
        Value::String(text) => Ok(text),
        Value::Number(number) => Err(serde::de::Error::custom(format!(
            "write it as a string, \"{number}\": JSON numbers lose digits on the way"
        ))),
        _ => Err(serde::de::Error::custom(
            "must be a string such as \"2.50\"",
        )),
    }
}

pub(super) async fn list(
    State(app): State<App>,
    QueryOf(asked): QueryOf<AccountsAsked>,
) -> Result<Json<Page<AccountView>>, Problem> {
    Ok(Json(app.gate.desk().accounts(asked).await?))
}

pub(super) async fn show(
    State(app): State<App>,
    PathOf(owner): PathOf<String>,
) -> Result<Json<AccountView>, Problem> {
    Ok(Json(app.gate.desk().account(&owner).await?))
}

pub(super) async fn entries(
    State(app): State<App>,
    PathOf(owner): PathOf<String>,
    QueryOf(asked): QueryOf<EntriesAsked>,
) -> Result<Json<Page<EntryView>>, Problem> {
    Ok(Json(app.gate.desk().entries(&owner, asked).await?))
}

pub(super) async fn top_up(
    State(app): State<App>,
    Extension(actor): Extension<Actor>,
    PathOf(owner): PathOf<String>,
    headers: HeaderMap,
    JsonOf(body): JsonOf<CreditBody>,
) -> Result<Response, Problem> {
    change(&app, CreditKind::TopUp, owner, &headers, body, actor).await
}

pub(super) async fn deduct(
    State(app): State<App>,
    Extension(actor): Extension<Actor>,
    PathOf(owner): PathOf<String>,
    headers: HeaderMap,
    JsonOf(body): JsonOf<CreditBody>,
) -> Result<Response, Problem> {
    change(&app, CreditKind::Deduction, owner, &headers, body, actor).await
}

async fn change(
    app: &App,
    kind: CreditKind,
    owner: String,
    headers: &HeaderMap,
    body: CreditBody,
    actor: Actor,
) -> Result<Response, Problem> {
    let Some(key) = headers.get("idempotency-key") else {
        return Err(Problem::invalid(
            "the Idempotency-Key header is missing; send a value that is new for each request, and the same for each retry of one",
        ));
    };
    let key = key
        .to_str()
        .map_err(|_| Problem::invalid("the Idempotency-Key header must be plain ASCII"))?;
    let request = CreditRequest {
        kind,
        owner,
        amount: body.amount,
        unit: body.unit,
        reason: body.reason,
        metadata: body.metadata,
        idempotency_key: key.to_owned(),
        actor,
    };
    let answer = app.gate.desk().change_credit(request).await?;
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::CREATED);
    let mut response = (status, Json(answer.body)).into_response();
    if answer.replayed {
        let yes = axum::http::HeaderValue::from_static("true");
        response.headers_mut().insert("idempotent-replayed", yes);
    }
    Ok(response)
}

pub(super) async fn verify(State(app): State<App>) -> Result<Json<Value>, Problem> {
    let violations = app.gate.desk().verify_ledger().await?;
    let listed: Vec<_> = violations
        .iter()
        .map(|violation| json!({"invariant": violation.invariant, "what": violation.what}))
        .collect();
    Ok(Json(json!({"ok": listed.is_empty(), "violations": listed})))
}
