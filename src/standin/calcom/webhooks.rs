//! Webhooks as the v2 API manages them: those of the key's own user. A user has one for each address;
//! what a test subscribes by hand may be any number, as webhooks of event types and teams may.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::StandIn;
use super::api::object;
use super::api_v2::Call;
use super::refusal::Refusal;
use super::rows::HOST_ID;
use super::state::State;
use crate::standin::sender::parse_url;

/// Webhooks on a page, if the request does not say, and at the most.
const TAKE_MAX: usize = 250;
/// The one version of payloads there is.
const VERSION: &str = "2021-10-20";
/// What can be subscribed to, beside what starts with `BOOKING_`.
const OTHER_TRIGGERS: [&str; 5] = [
    "MEETING_STARTED",
    "MEETING_ENDED",
    "RECORDING_READY",
    "FORM_SUBMITTED",
    "OOO_CREATED",
];

/// A webhook that the account has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Its id, a UUID.
    pub id: String,
    /// Where to send; `http://` only.
    pub url: String,
    /// Key of the signature.
    pub secret: Option<String>,
    /// Names of what to send.
    pub triggers: Vec<String>,
    /// Whether anything is sent.
    pub active: bool,
    /// A text that would take the place of the body. Kept, and not applied.
    pub payload_template: Option<String>,
}

impl Webhook {
    /// Whether it is to hear of this.
    pub(super) fn wants(&self, trigger: &str) -> bool {
        self.active && self.triggers.iter().any(|known| known == trigger)
    }

    /// Takes over what a request names, and checks it.
    fn take(&mut self, body: &Map<String, Value>) -> Result<(), Refusal> {
        let wrong = |what: &str| Refusal::bad_request(what.to_owned());
        let text = |value: &Value| value.as_str().map(str::to_owned);
        if let Some(url) = body.get("subscriberUrl") {
            let url = text(url).filter(|url| parse_url(url).is_ok());
            self.url = url.ok_or_else(|| wrong("subscriberUrl must be a URL address"))?;
        }
        if let Some(triggers) = body.get("triggers") {
            let named = triggers.as_array().into_iter().flatten();
            let known = named.map(|name| text(name).filter(|name| is_trigger(name)));
            let known = known.collect::<Option<Vec<_>>>();
            let known = known.filter(|known| !known.is_empty());
            self.triggers = known.ok_or_else(|| wrong("each value in triggers must be known"))?;
        }
        if let Some(active) = body.get("active") {
            let active = active.as_bool();
            self.active = active.ok_or_else(|| wrong("active must be a boolean value"))?;
        }
        for (name, kept) in [
            ("secret", &mut self.secret),
            ("payloadTemplate", &mut self.payload_template),
        ] {
            match body.get(name) {
                None => {}
                Some(Value::Null) => *kept = None,
                Some(Value::String(given)) => *kept = Some(given.clone()),
                Some(_) => return Err(wrong("secret and payloadTemplate must be strings")),
            }
        }
        if body.get("version").is_some_and(|given| given != VERSION) {
            return Err(wrong("version must be a known one"));
        }
        Ok(())
    }
}

fn is_trigger(name: &str) -> bool {
    name.starts_with("BOOKING_") || OTHER_TRIGGERS.contains(&name)
}

impl State {
    /// Adds a webhook and gives it its id.
    pub(super) fn add_webhook(&mut self, webhook: Webhook) -> &Webhook {
        self.webhooks_made += 1;
        // Not drawn, so that the ids of bookings are the same however many webhooks there are.
        let id = format!("00000000-0000-4000-8000-{:012}", self.webhooks_made);
        let index = self.webhooks.len();
        self.webhooks.push(Webhook { id, ..webhook });
        &self.webhooks[index]
    }

    fn webhook(&self, id: &str) -> Result<usize, Refusal> {
        let found = self.webhooks.iter().position(|webhook| webhook.id == id);
        found.ok_or_else(|| Refusal::not_found(format!("Webhook ({id}) not found")))
    }
}

impl StandIn {
    /// The account's webhooks in the order in which they were made.
    pub fn webhooks(&self) -> Vec<Webhook> {
        self.shared.state().webhooks.clone()
    }
}

impl Call {
    fn shows(&self, webhook: &Webhook) -> Value {
        let mut shown = json!({
            "id": webhook.id,
            "userId": HOST_ID,
            "subscriberUrl": webhook.url,
            "triggers": webhook.triggers,
            "active": webhook.active,
            "payloadTemplate": webhook.payload_template,
            "version": VERSION,
        });
        if self.shared.options.shows_secrets {
            shown["secret"] = webhook.secret.clone().into();
        }
        shown
    }
}

pub(super) fn success(data: &Value) -> Value {
    json!({ "status": "success", "data": data })
}

/// `GET /v2/webhooks`
pub(super) async fn list(call: Call, Query(asked): Query<Vec<(String, String)>>) -> Response {
    let listed = || {
        call.require_key()?;
        let number = |name: &str| {
            let given = asked.iter().find(|(known, _)| known == name);
            given.and_then(|(_, value)| value.parse::<usize>().ok())
        };
        let take = number("take").unwrap_or(TAKE_MAX).min(TAKE_MAX);
        let skip = number("skip").unwrap_or(0);
        let state = call.shared.state();
        let page = state.webhooks.iter().skip(skip).take(take);
        let page: Value = page.map(|webhook| call.shows(webhook)).collect();
        Ok(success(&page))
    };
    call.respond(listed())
}

/// `GET /v2/webhooks/{id}`
pub(super) async fn read(call: Call, Path(id): Path<String>) -> Response {
    let one = || {
        call.require_key()?;
        let state = call.shared.state();
        let index = state.webhook(&id)?;
        Ok(success(&call.shows(&state.webhooks[index])))
    };
    call.respond(one())
}

/// `POST /v2/webhooks`
pub(super) async fn make(call: Call, body: Bytes) -> Response {
    let made = || {
        call.require_key()?;
        let body = object(&body)?;
        if let Some(missing) = ["subscriberUrl", "triggers", "active"]
            .iter()
            .find(|name| !body.contains_key(**name))
        {
            return Err(Refusal::bad_request(format!("{missing} is missing")));
        }
        let mut webhook = Webhook {
            id: String::new(),
            url: String::new(),
            secret: None,
            triggers: Vec::new(),
            active: true,
            payload_template: None,
        };
        webhook.take(&body)?;
        let mut state = call.shared.state();
        if state.webhooks.iter().any(|known| known.url == webhook.url) {
            return Err(Refusal::webhook_exists());
        }
        Ok(success(&call.shows(state.add_webhook(webhook))))
    };
    match made() {
        Ok(answer) => (StatusCode::CREATED, Json(answer)).into_response(),
        refused => call.respond(refused),
    }
}

/// `PATCH /v2/webhooks/{id}`
pub(super) async fn change(call: Call, Path(id): Path<String>, body: Bytes) -> Response {
    let changed = || {
        call.require_key()?;
        let body = object(&body)?;
        let mut state = call.shared.state();
        let index = state.webhook(&id)?;
        let mut webhook = state.webhooks[index].clone();
        webhook.take(&body)?;
        state.webhooks[index] = webhook.clone();
        Ok(success(&call.shows(&webhook)))
    };
    call.respond(changed())
}

/// `DELETE /v2/webhooks/{id}`
pub(super) async fn delete(call: Call, Path(id): Path<String>) -> Response {
    let deleted = || {
        call.require_key()?;
        let mut state = call.shared.state();
        let index = state.webhook(&id)?;
        let gone = state.webhooks.remove(index);
        Ok(success(&call.shows(&gone)))
    };
    call.respond(deleted())
}
