//! Keeps the webhook subscription (contract §2). The API never shows which key a subscription signs
//! with, and cannot change one, so the callback URL carries a mark of the key: `?key=…`. A
//! subscription without our mark is replaced, and since the new URL is another one, the new
//! subscription is made before the old one is deleted.

use async_trait::async_trait;
use serde_json::json;
use url::Url;

use super::Calendly;
use super::client::{parsed, unreadable};
use super::payload::{Collection, Resource};
use super::uris;
use crate::provider::CallError;
use crate::provider::api::not_sent;
use crate::provider::lenient::{List, Loose, Text};
use crate::provider::registry::SubscriptionSetup;
use crate::provider::subscriptions::{
    Ensured, Fit, Subscription, Subscriptions, delete_others, is_marked, marked,
};

/// What bookgate wants to be told of.
pub(super) const EVENTS: [&str; 4] = [
    "invitee.created",
    "invitee.canceled",
    "invitee_no_show.created",
    "invitee_no_show.deleted",
];
/// Pages of subscriptions looked at.
const PAGES_MAX: usize = 20;
/// Subscriptions asked for at once: what the API allows at the most.
const PAGE: &str = "100";
/// Times that another callback URL is tried because the one before is taken.
const URLS_MAX: usize = 4;
/// The query's name of what tells apart two callback URLs with one mark.
const NUMBER: &str = "n";

/// Whose token it is.
#[derive(Debug, Clone)]
pub(super) struct Myself {
    pub(super) user: String,
    pub(super) organization: String,
}

#[async_trait]
impl Subscriptions for Calendly {
    async fn list(&self) -> Result<Vec<Subscription>, CallError> {
        self.seen().await.map_err(explained)
    }

    async fn ensure(&self) -> Result<Ensured, CallError> {
        let wanted = self.subscription.as_ref();
        let wanted = wanted.ok_or_else(|| {
            not_sent(
                "the source's settings have no [subscription] with a url, or no signing secret",
            )
        })?;
        let all = self.list().await?;
        if let Some(ours) = ours(&all) {
            return self.settle(ours.clone(), false, &all).await;
        }
        for number in 1..=URLS_MAX {
            let url = callback(wanted, number);
            if all.iter().any(|one| one.url == url.as_str()) {
                continue;
            }
            match self.create(wanted, &url).await {
                Ok(made) => return self.settle(made, true, &all).await,
                Err(CallError::Rejected {
                    http_status: 409, ..
                }) => {
                    // Another instance was quicker; or somebody has it whose subscriptions this token
                    // may not see.
                    let again = self.list().await?;
                    if let Some(ours) = ours(&again) {
                        return self.settle(ours.clone(), false, &again).await;
                    }
                }
                Err(error) => return Err(explained(error)),
            }
        }
        Err(not_sent(
            "the callback URL is taken by subscriptions that this token may not see",
        ))
    }

    async fn delete(&self, id: &str) -> Result<bool, CallError> {
        let id = uris::id(id, "webhook_subscriptions").unwrap_or(id);
        let path = ["webhook_subscriptions", id];
        match self.client.delete(&path, self.client.deadline()).await {
            Ok(_) => Ok(true),
            Err(CallError::NotFound { .. }) => Ok(false),
            Err(error) => Err(explained(error)),
        }
    }
}

impl Calendly {
    /// Whose token it is: asked for once.
    pub(super) async fn myself(&self) -> Result<&Myself, CallError> {
        let ask = || async {
            let path = ["users", "me"];
            let answer = self.client.get(&path, &[], self.client.deadline()).await?;
            let user: Resource<User<'_>> = parsed(&answer, "a user")?;
            let uri = |text: &Loose<Text<'_>>| text.kept();
            match (
                uri(&user.resource.uri),
                uri(&user.resource.current_organization),
            ) {
                (Some(user), Some(organization)) => Ok(Myself { user, organization }),
                _ => Err(unreadable(&answer, "a user with an organization")),
            }
        };
        self.myself.get_or_try_init(ask).await
    }

    /// The subscriptions that the token may see, of the scope that is wanted.
    async fn seen(&self) -> Result<Vec<Subscription>, CallError> {
        let me = self.myself().await?;
        let Some(wanted) = &self.subscription else {
            // All the token may see: an organization's are for its admins only.
            let own = [("scope", "user"), ("user", me.user.as_str())];
            let mut all = self.list_of(me, &own, None).await?;
            match self.list_of(me, &[("scope", "organization")], None).await {
                Ok(shared) => all.extend(shared),
                Err(CallError::Rejected {
                    http_status: 403, ..
                }) => {}
                Err(error) => return Err(error),
            }
            return Ok(all);
        };
        let user = wanted.user.as_ref().unwrap_or(&me.user);
        let group = wanted.group.as_deref().unwrap_or_default();
        let mut query = vec![("scope", wanted.scope.as_str())];
        match wanted.scope.as_str() {
            "user" => query.push(("user", user)),
            "group" => query.push(("group", group)),
            _ => {}
        }
        self.list_of(me, &query, Some(wanted)).await
    }

    async fn list_of(
        &self,
        me: &Myself,
        query: &[(&str, &str)],
        wanted: Option<&SubscriptionSetup>,
    ) -> Result<Vec<Subscription>, CallError> {
        let deadline = self.client.deadline();
        let (mut all, mut token) = (Vec::new(), None::<String>);
        for _ in 0..PAGES_MAX {
            let mut query = [
                query,
                &[("organization", &me.organization), ("count", PAGE)],
            ]
            .concat();
            query.extend(token.as_deref().map(|token| ("page_token", token)));
            let path = ["webhook_subscriptions"];
            let answer = self.client.get(&path, &query, deadline).await?;
            let page: Collection<Row<'_>> = parsed(&answer, "a list of subscriptions")?;
            let rows = page.collection.iter();
            all.extend(rows.filter_map(|row| row.subscription(me, wanted)));
            token = page.pagination.next_page_token;
            if token.is_none() {
                break;
            }
        }
        Ok(all)
    }

    async fn create(
        &self,
        wanted: &SubscriptionSetup,
        url: &Url,
    ) -> Result<Subscription, CallError> {
        let me = self.myself().await?;
        let mut body = json!({
            "url": url.as_str(),
            "events": EVENTS,
            "organization": me.organization,
            "scope": wanted.scope,
            "signing_key": wanted.signing_key.expose(),
        });
        match wanted.scope.as_str() {
            "user" => body["user"] = wanted.user.as_ref().unwrap_or(&me.user).as_str().into(),
            "group" => body["group"] = wanted.group.as_deref().into(),
            _ => {}
        }
        let path = ["webhook_subscriptions"];
        let answer = self
            .client
            .post(&path, &body, self.client.deadline())
            .await?;
        let made: Resource<Row<'_>> = parsed(&answer, "a subscription")?;
        let made = made.resource.subscription(me, Some(wanted));
        made.ok_or_else(|| unreadable(&answer, "a subscription with URI and URL"))
    }

    /// Deletes all other subscriptions that send to this source.
    async fn settle(
        &self,
        kept: Subscription,
        created: bool,
        all: &[Subscription],
    ) -> Result<Ensured, CallError> {
        let deleted = delete_others(self, &kept.id, all).await?;
        Ok(Ensured {
            subscription: kept,
            created,
            mended: false,
            deleted,
        })
    }
}

fn ours(all: &[Subscription]) -> Option<&Subscription> {
    all.iter().find(|one| one.fit == Fit::Ours)
}

/// The URL that is registered: the source's own, with a mark of the key that it is signed with, and a
/// number if the one before is taken.
fn callback(wanted: &SubscriptionSetup, number: usize) -> Url {
    let mut url = marked(&wanted.url, &wanted.signing_key);
    if number > 1 {
        let number = number.to_string();
        url.query_pairs_mut().append_pair(NUMBER, &number);
    }
    url
}

/// What an admin can do about it.
fn explained(error: CallError) -> CallError {
    match error {
        CallError::Rejected {
            http_status: 403,
            detail,
        } => CallError::Rejected {
            http_status: 403,
            detail: format!(
                "{detail}: the token needs the scopes webhooks:write and scheduled_events:read; for \
                 scope = \"organization\" its user has to be an admin or owner; and on plans before \
                 November 2026 webhooks have to be paid for"
            ),
        },
        CallError::Rejected {
            http_status: 401,
            detail,
        } => CallError::Rejected {
            http_status: 401,
            detail: format!("{detail}: the token is wrong or was revoked (api.key)"),
        },
        other => other,
    }
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct User<'a> {
    #[serde(borrow)]
    uri: Loose<Text<'a>>,
    current_organization: Loose<Text<'a>>,
}

/// A subscription as the API shows it.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct Row<'a> {
    #[serde(borrow)]
    uri: Loose<Text<'a>>,
    callback_url: Loose<Text<'a>>,
    created_at: Loose<Text<'a>>,
    retry_started_at: Loose<Text<'a>>,
    state: Loose<Text<'a>>,
    events: List<Text<'a>>,
    scope: Loose<Text<'a>>,
    user: Loose<Text<'a>>,
    group: Loose<Text<'a>>,
}

impl Row<'_> {
    fn subscription(
        &self,
        me: &Myself,
        wanted: Option<&SubscriptionSetup>,
    ) -> Option<Subscription> {
        Some(Subscription {
            id: uris::id(self.uri.text()?, "webhook_subscriptions")?.to_owned(),
            url: self.callback_url.kept()?,
            events: self
                .events
                .entries()
                .map(|event| event.0.clone().into_owned())
                .collect(),
            scope: self.scope.kept().unwrap_or_default(),
            active: self.is_active(),
            failing_since: self.retry_started_at.time(),
            created_at: self.created_at.time(),
            fit: wanted.map_or(Fit::Foreign, |wanted| self.fit(me, wanted)),
        })
    }

    fn is_active(&self) -> bool {
        self.state.text() == Some("active")
    }

    fn fit(&self, me: &Myself, wanted: &SubscriptionSetup) -> Fit {
        let Some(url) = self
            .callback_url
            .text()
            .and_then(|url| Url::parse(url).ok())
        else {
            return Fit::Foreign;
        };
        let mut bare = url.clone();
        bare.set_query(None);
        if bare != wanted.url {
            return Fit::Foreign;
        }
        let marked = is_marked(&url, &wanted.signing_key);
        let told = |event: &&str| self.events.entries().any(|known| known.0 == **event);
        let same = |uri: &Loose<Text<'_>>, wanted: &str, of: &str| {
            let id = uri.text().and_then(|uri| uris::id(uri, of));
            id.is_some() && id == uris::id(wanted, of)
        };
        let whose = match wanted.scope.as_str() {
            "user" => same(
                &self.user,
                wanted.user.as_ref().unwrap_or(&me.user),
                "users",
            ),
            "group" => same(
                &self.group,
                wanted.group.as_deref().unwrap_or_default(),
                "groups",
            ),
            _ => true,
        };
        let scope = self.scope.text() == Some(&wanted.scope);
        if self.is_active() && marked && scope && whose && EVENTS.iter().all(told) {
            Fit::Ours
        } else {
            Fit::Outdated
        }
    }
}
