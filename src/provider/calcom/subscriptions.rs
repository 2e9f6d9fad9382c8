//! Keeps the webhook of the key's own user, by API v2 (`/v2/webhooks`). Webhooks of an event type, a team
//! or an organization stand elsewhere and are left alone.
//!
//! Some servers show a webhook's secret and some do not, so the subscriber URL carries a mark of it, as
//! at every provider whose API hides it. A webhook can be changed where it stands: nothing is missed
//! meanwhile.

use async_trait::async_trait;
use reqwest::Method;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use url::Url;

use super::Calcom;
use super::api::not_sent;
use super::payload::{List, Loose, Text};
use super::v2::signed_in;
use crate::provider::CallError;
use crate::provider::client::{Effect, HttpAnswer};
use crate::provider::lenient::is_id;
use crate::provider::registry::SubscriptionSetup;
use crate::provider::subscriptions::{
    Ensured, Fit, Subscription, Subscriptions, delete_others, is_marked, marked,
};

/// What bookgate wants to be told of, as Cal.com calls it.
pub(super) const TRIGGERS: [&str; 5] = [
    "BOOKING_REQUESTED",
    "BOOKING_CREATED",
    "BOOKING_RESCHEDULED",
    "BOOKING_CANCELLED",
    "BOOKING_REJECTED",
];
/// Webhooks asked for at once.
const PAGE: usize = 100;
/// Pages of webhooks looked at.
const PAGES_MAX: usize = 20;
/// Whose bookings a webhook of the key's own user tells of.
const SCOPE: &str = "user";

/// What it took to have the webhook that is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Done {
    Nothing,
    Made,
    Mended,
}

#[async_trait]
impl Subscriptions for Calcom {
    async fn list(&self) -> Result<Vec<Subscription>, CallError> {
        let mut all = Vec::new();
        for page in 0..PAGES_MAX {
            let answer = self.webhooks(page * PAGE).await.map_err(explained)?;
            let rows = serde_json::from_slice::<Answered<List<Row<'_>>>>(&answer.body);
            let rows = rows.ok().filter(|rows| rows.data.0.is_some());
            let rows = rows.ok_or_else(|| unreadable(&answer, "a list of webhooks"))?;
            let seen = rows.data.0.as_ref().map_or(0, Vec::len);
            let found = rows.data.entries().filter_map(|row| self.shown(row));
            all.extend(found);
            if seen < PAGE {
                break;
            }
        }
        Ok(all)
    }

    async fn ensure(&self) -> Result<Ensured, CallError> {
        let wanted = self.subscription.as_ref();
        let wanted = wanted.ok_or_else(|| {
            not_sent(
                "the source's settings have no [subscription] with a url, or no signing secret",
            )
        })?;
        let all = self.list().await?;
        if let Some(kept) = all.iter().find(|one| one.fit == Fit::Ours) {
            return self.settle(kept.clone(), Done::Nothing, &all).await;
        }
        if let Some(old) = all.iter().find(|one| one.fit == Fit::Outdated) {
            let path = ["webhooks", &old.id];
            let mended = self.write(Method::PATCH, &path, wanted).await?;
            return self.settle(mended, Done::Mended, &all).await;
        }
        match self.write(Method::POST, &["webhooks"], wanted).await {
            Ok(made) => self.settle(made, Done::Made, &all).await,
            // Another instance was quicker.
            Err(CallError::Rejected {
                http_status: 409, ..
            }) => {
                let again = self.list().await?;
                let kept = again.iter().find(|one| one.fit == Fit::Ours).cloned();
                let kept = kept.ok_or_else(|| {
                    not_sent("Cal.com says that the URL is taken, and shows no webhook with it")
                })?;
                self.settle(kept, Done::Nothing, &again).await
            }
            Err(error) => Err(error),
        }
    }

    async fn delete(&self, id: &str) -> Result<bool, CallError> {
        let url = self.api.url(&["webhooks", id]);
        match self.call(Method::DELETE, url, None).await {
            Ok(_) => Ok(true),
            Err(CallError::NotFound { .. }) => Ok(false),
            Err(error) => Err(explained(error)),
        }
    }
}

impl Calcom {
    async fn webhooks(&self, skip: usize) -> Result<HttpAnswer, CallError> {
        let mut url = self.api.url(&["webhooks"]);
        url.query_pairs_mut()
            .append_pair("take", &PAGE.to_string())
            .append_pair("skip", &skip.to_string());
        self.call(Method::GET, url, None).await
    }

    /// Makes or changes a webhook, so that it is what the settings ask for.
    async fn write(
        &self,
        method: Method,
        path: &[&str],
        wanted: &SubscriptionSetup,
    ) -> Result<Subscription, CallError> {
        let body = json!({
            "active": true,
            "subscriberUrl": marked(&wanted.url, &wanted.signing_key).as_str(),
            "triggers": TRIGGERS,
            "secret": wanted.signing_key.expose(),
            // Null takes away a template, which would keep bookings from being understood.
            "payloadTemplate": Value::Null,
        });
        let answer = self.call(method, self.api.url(path), Some(&body)).await;
        let answer = answer.map_err(explained)?;
        let row = serde_json::from_slice::<Answered<Row<'_>>>(&answer.body).ok();
        let shown = row.and_then(|row| self.shown(&row.data));
        shown.ok_or_else(|| unreadable(&answer, "a webhook with id and URL"))
    }

    async fn call(
        &self,
        method: Method,
        url: Url,
        body: Option<&Value>,
    ) -> Result<HttpAnswer, CallError> {
        let effect = match method {
            Method::GET => Effect::Read,
            _ => Effect::Change,
        };
        let version = &self.api.settings.version_header;
        let mut request = signed_in(&self.api, method, url, version)?;
        if let Some(body) = body {
            request = request.json(body);
        }
        self.api.send(request, effect, self.api.deadline()).await
    }

    /// Deletes all others that send here: each would tell everything once more.
    async fn settle(
        &self,
        kept: Subscription,
        done: Done,
        all: &[Subscription],
    ) -> Result<Ensured, CallError> {
        let deleted = delete_others(self, &kept.id, all).await?;
        Ok(Ensured {
            subscription: kept,
            created: done == Done::Made,
            mended: done == Done::Mended,
            deleted,
        })
    }

    fn shown(&self, row: &Row<'_>) -> Option<Subscription> {
        let wanted = self.subscription.as_ref();
        Some(Subscription {
            id: row.id()?,
            url: row.subscriber_url.kept()?,
            events: row
                .triggers
                .entries()
                .map(|one| one.0.to_string())
                .collect(),
            scope: SCOPE.to_owned(),
            active: row.active.0 == Some(true),
            failing_since: None,
            created_at: None,
            fit: wanted.map_or(Fit::Foreign, |wanted| row.fit(wanted)),
        })
    }
}

#[derive(Deserialize)]
struct Answered<T> {
    data: T,
}

/// A webhook as the API shows it.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Row<'a> {
    /// A UUID; the API's own description calls it a number.
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    subscriber_url: Loose<Text<'a>>,
    triggers: List<Text<'a>>,
    active: Loose<bool>,
    /// Not every server shows it.
    secret: Loose<Text<'a>>,
    payload_template: Loose<Text<'a>>,
}

impl Row<'_> {
    fn id(&self) -> Option<String> {
        let id = self.id?.get().trim_matches('"');
        is_id(id).then(|| id.to_owned())
    }

    fn fit(&self, wanted: &SubscriptionSetup) -> Fit {
        let url = self.subscriber_url.text();
        let Some(url) = url.and_then(|url| Url::parse(url).ok()) else {
            return Fit::Foreign;
        };
        let mut bare = url.clone();
        bare.set_query(None);
        if bare != wanted.url {
            return Fit::Foreign;
        }
        let signs = match self.secret.text() {
            Some(secret) => secret == wanted.signing_key.expose(),
            None => is_marked(&url, &wanted.signing_key),
        };
        let told = |trigger: &&str| self.triggers.entries().any(|known| known.0 == **trigger);
        let plain = self.payload_template.text().is_none();
        let whole = TRIGGERS.iter().all(told);
        match signs && plain && whole && self.active.0 == Some(true) {
            true => Fit::Ours,
            false => Fit::Outdated,
        }
    }
}

fn unreadable(answer: &HttpAnswer, what: &str) -> CallError {
    CallError::Transient {
        http_status: Some(answer.status),
        detail: format!("HTTP {} whose JSON is not {what}", answer.status),
    }
}

/// What an admin can do about it.
fn explained(error: CallError) -> CallError {
    let CallError::Rejected {
        http_status,
        detail,
    } = error
    else {
        return error;
    };
    let advice = match http_status {
        401 => ": the key is wrong or was revoked (api.key)",
        403 => ": this key may not manage webhooks",
        _ => "",
    };
    CallError::Rejected {
        http_status,
        detail: format!("{detail}{advice}"),
    }
}
