//! The event types of the key's own user, by API v2 (`GET /v2/event-types`). Those of teams and
//! organizations stand elsewhere.

use reqwest::Method;
use serde::Deserialize;

use super::api::{Api, unreadable};
use super::payload::{List, Loose, Text};
use super::v2::signed_in;
use crate::provider::client::Effect;
use crate::provider::{CallError, EventType};

/// The version of these calls, which have one of their own.
const VERSION: &str = "2024-06-14";

#[derive(Deserialize)]
struct Answered<'a> {
    #[serde(borrow)]
    data: List<Row<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Row<'a> {
    id: Loose<i64>,
    #[serde(borrow)]
    slug: Loose<Text<'a>>,
}

/// All of them; `None` if the server shows none at all: some show them to who asks by a user's name only.
pub(super) async fn list(api: &Api) -> Result<Option<Vec<EventType>>, CallError> {
    let url = api.url(&["event-types"]);
    let request = signed_in(api, Method::GET, url, VERSION)?;
    let answer = api.send(request, Effect::Read, api.deadline()).await?;
    let rows: Answered<'_> =
        serde_json::from_slice(&answer.body).map_err(|_| unreadable(&answer))?;
    let event_type = |row: &Row<'_>| {
        Some(EventType {
            id: row.id.0?,
            slug: row.slug.kept()?,
        })
    };
    let all: Vec<EventType> = rows.data.entries().filter_map(event_type).collect();
    Ok((!all.is_empty()).then_some(all))
}
