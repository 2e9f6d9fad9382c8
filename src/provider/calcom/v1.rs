//! API v1 (self-hosted servers that still have it): bookings by number, key in the query.
//!
//! Its confirm is a bare update of the row: no calendar entry, no mail, no webhook. It has no
//! decline; a refusal is a cancel. To an ordinary user an unknown booking is 403, not 404, so it
//! is `Rejected` here: the status alone does not tell it from a booking one may not touch.

use reqwest::Method;
use serde_json::json;
use url::Url;

use super::api::{Api, cut_reason, not_sent, readings, shown, unreadable};
use crate::domain::booking::Reading;
use crate::domain::decision::Action;
use crate::provider::client::Effect;
use crate::provider::{Answer, Call, CallError, Target};

pub(super) async fn read(api: &Api, target: &Target) -> Result<Vec<Reading>, CallError> {
    let request = api.request(Method::GET, url(api, target, &[])?);
    let answer = api.send(request, Effect::Read, api.deadline()).await?;
    readings(&answer, target).ok_or_else(|| unreadable(&answer))
}

/// Asks for the key's own user.
pub(super) async fn check_key(api: &Api) -> Result<(), CallError> {
    let url = with_key(api, api.url(&["me"]));
    let request = api.request(Method::GET, url);
    let answer = api.send(request, Effect::Read, api.deadline()).await;
    answer.map(drop)
}

pub(super) async fn act(api: &Api, call: &Call) -> Result<Answer, CallError> {
    if call.target.seat.is_some() && !call.pending {
        return Err(not_sent(
            "API v1 can only call off a shared booking as a whole, not one seat of it",
        ));
    }
    let request = match call.action {
        Action::Confirm => api
            .request(Method::PATCH, url(api, &call.target, &[])?)
            .json(&json!({ "status": "ACCEPTED" })),
        Action::Cancel => cancel(api, call)?,
        Action::Decline => return Err(not_sent("API v1 has no decline; cancel instead")),
    };
    let answer = api.send(request, Effect::Change, api.deadline()).await?;
    Ok(Answer {
        reading: shown(&answer, &call.target),
        http_status: answer.status,
    })
}

/// The reason goes into the query, where current servers read it, and into the body, where older
/// ones do and the published guide puts it as `reason`. Only PATCH is strict about its body.
fn cancel(api: &Api, call: &Call) -> Result<reqwest::RequestBuilder, CallError> {
    let mut url = url(api, &call.target, &["cancel"])?;
    let Some(reason) = call.reason.as_deref().map(cut_reason) else {
        return Ok(api.request(Method::DELETE, url));
    };
    url.query_pairs_mut()
        .append_pair("cancellationReason", &reason);
    let body = json!({ "reason": reason, "cancellationReason": reason });
    Ok(api.request(Method::DELETE, url).json(&body))
}

fn url(api: &Api, target: &Target, path: &[&str]) -> Result<Url, CallError> {
    let number = target.number.ok_or_else(|| {
        not_sent("API v1 names bookings by number, and the number of this one is not known")
    })?;
    let number = number.to_string();
    let url = api.bookings_url(&[&[number.as_str()], path].concat());
    Ok(with_key(api, url))
}

fn with_key(api: &Api, mut url: Url) -> Url {
    url.query_pairs_mut()
        .append_pair("apiKey", api.settings.key.expose());
    url
}
