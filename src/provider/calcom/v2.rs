//! API v2 (cal.com cloud, current self-hosted servers): bookings by `uid`, key in a header.

use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Method, RequestBuilder};
use serde_json::{Map, Value, json};
use tokio::time::Instant;
use url::Url;

use super::api::{Api, REASON_DEFAULT, cut_reason, not_sent, readings, shown, unreadable};
use crate::domain::booking::Reading;
use crate::domain::decision::Action;
use crate::domain::ids::Uid;
use crate::provider::client::{Effect, HttpAnswer};
use crate::provider::{Answer, Call, CallError, Target};

const VERSION_HEADER: &str = "cal-api-version";

pub(super) async fn read(api: &Api, target: &Target) -> Result<Vec<Reading>, CallError> {
    let uid = uid(target)?;
    let request = request(api, Method::GET, &[uid])?;
    let answer = api.send(request, Effect::Read, api.deadline()).await?;
    readings(&answer, target).ok_or_else(|| unreadable(&answer))
}

pub(super) async fn act(api: &Api, call: &Call) -> Result<Answer, CallError> {
    let deadline = api.deadline();
    let answer = match seat_call(api, call, deadline).await {
        None => booking_call(api, call, deadline).await?,
        // A server without calls for seats: there, each pending seat is a booking of its own.
        Some(Err(CallError::NotFound { .. })) => booking_call(api, call, deadline).await?,
        Some(Err(CallError::Rejected {
            http_status: 405, ..
        })) => booking_call(api, call, deadline).await?,
        Some(outcome) => outcome?,
    };
    Ok(Answer {
        reading: shown(&answer, &call.target),
        http_status: answer.status,
    })
}

/// Confirms or declines one pending seat; `None` if the call is not about one.
async fn seat_call(
    api: &Api,
    call: &Call,
    deadline: Instant,
) -> Option<Result<HttpAnswer, CallError>> {
    let seat = call.target.seat.as_ref().filter(|_| call.pending)?;
    let verb = match call.action {
        Action::Confirm => "confirm",
        Action::Decline => "decline",
        Action::Cancel => return None,
    };
    let body = json!({ "seatUids": [seat.as_str()] });
    Some(post(api, &call.target, &["seats", verb], &body, deadline).await)
}

async fn booking_call(api: &Api, call: &Call, deadline: Instant) -> Result<HttpAnswer, CallError> {
    let reason = call.reason.as_deref().map(cut_reason);
    let mut body = Map::new();
    let verb = match call.action {
        Action::Confirm => "confirm",
        Action::Decline => {
            body.extend(reason.map(|reason| ("reason".to_owned(), reason.into())));
            "decline"
        }
        Action::Cancel => {
            let reason = reason.unwrap_or_else(|| REASON_DEFAULT.to_owned());
            body.insert("cancellationReason".to_owned(), reason.into());
            if let Some(seat) = &call.target.seat {
                body.insert("seatUid".to_owned(), seat.as_str().into());
            }
            "cancel"
        }
    };
    post(api, &call.target, &[verb], &Value::Object(body), deadline).await
}

async fn post(
    api: &Api,
    target: &Target,
    path: &[&str],
    body: &Value,
    deadline: Instant,
) -> Result<HttpAnswer, CallError> {
    let segments = [&[uid(target)?], path].concat();
    let request = request(api, Method::POST, &segments)?.json(body);
    api.send(request, Effect::Change, deadline).await
}

/// A booking known only by its number cannot be named in this dialect.
fn uid(target: &Target) -> Result<&str, CallError> {
    let stands_for_number = target.number.map(Uid::from_number).as_ref() == Some(&target.uid);
    if stands_for_number {
        return Err(not_sent(
            "API v2 names bookings by `uid`, and only the number of this one is known",
        ));
    }
    Ok(target.uid.as_str())
}

fn request(api: &Api, method: Method, segments: &[&str]) -> Result<RequestBuilder, CallError> {
    let version = &api.settings.version_header;
    signed_in(api, method, api.bookings_url(segments), version)
}

/// A request with the key, to the API of this version.
pub(super) fn signed_in(
    api: &Api,
    method: Method,
    url: Url,
    version: &str,
) -> Result<RequestBuilder, CallError> {
    let mut bearer = HeaderValue::try_from(format!("Bearer {}", api.settings.key.expose()))
        .map_err(|_| not_sent("the API key has characters that no header can carry"))?;
    bearer.set_sensitive(true);
    Ok(api
        .request(method, url)
        .header(AUTHORIZATION, bearer)
        .header(VERSION_HEADER, version))
}
