//! Webhook subscriptions: where a provider has been told to send its webhooks. A provider whose API
//! can list and make them implements [`Subscriptions`]; the command line and a job of the gate use it.

use async_trait::async_trait;
use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use sha2::Sha256;
use url::Url;

use super::CallError;
use crate::domain::clock::Timestamp;
use crate::domain::secret::Secret;

/// The query's name of the key's mark.
const MARK: &str = "key";

/// One subscription, as the provider shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Subscription {
    /// The provider's id of it.
    pub id: String,
    /// Where webhooks go.
    pub url: String,
    /// What is sent, in the provider's words.
    pub events: Vec<String>,
    /// Whose bookings it tells of, in the provider's words.
    pub scope: String,
    /// Whether the provider still sends.
    pub active: bool,
    /// Since when deliveries fail, if they do: the provider gives up some time later, and tells nobody.
    pub failing_since: Option<Timestamp>,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// How it stands to what the settings ask for.
    pub fit: Fit,
}

/// How a subscription stands to what the settings ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fit {
    /// It is the one.
    Ours,
    /// It sends to this source, but signs with another key, leaves events out, tells of somebody
    /// else's bookings, or is disabled: to be replaced.
    Outdated,
    /// It sends elsewhere and is none of our business.
    Foreign,
}

/// What [`Subscriptions::ensure`] did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ensured {
    /// The subscription that is in force now.
    pub subscription: Subscription,
    /// Whether it was made just now.
    pub created: bool,
    /// Whether it was there, and was changed just now.
    pub mended: bool,
    /// Ids of those that it replaced.
    pub deleted: Vec<String>,
}

/// A provider whose API manages subscriptions.
#[async_trait]
pub trait Subscriptions: Send + Sync {
    /// All subscriptions that the key may see.
    ///
    /// # Errors
    /// See [`CallError`].
    async fn list(&self) -> Result<Vec<Subscription>, CallError>;

    /// Sees to it that exactly one subscription sends to this source what the settings ask for. A new
    /// one is made before an old one is deleted, so that nothing is missed in between. May be repeated,
    /// and run by several instances at once.
    ///
    /// # Errors
    /// See [`CallError`]; `Rejected` with status 0 if the settings do not say enough.
    async fn ensure(&self) -> Result<Ensured, CallError>;

    /// Deletes one. `false` if it was gone already.
    ///
    /// # Errors
    /// See [`CallError`].
    async fn delete(&self, id: &str) -> Result<bool, CallError>;
}

/// Deletes all others that send to this source, and gives their ids: each would tell everything once more.
///
/// # Errors
/// See [`CallError`].
pub(super) async fn delete_others(
    at: &dyn Subscriptions,
    kept: &str,
    all: &[Subscription],
) -> Result<Vec<String>, CallError> {
    let mut deleted = Vec::new();
    for other in all {
        if other.fit != Fit::Foreign && other.id != kept {
            at.delete(&other.id).await?;
            deleted.push(other.id.clone());
        }
    }
    Ok(deleted)
}

/// An address that tells with which key what comes there is signed: an API that hides the key does not tell otherwise.
pub(super) fn marked(url: &Url, key: &Secret) -> Url {
    let mut url = url.clone();
    url.query_pairs_mut().append_pair(MARK, &mark(key));
    url
}

/// Whether an address has the mark of this key.
pub(super) fn is_marked(url: &Url, key: &Secret) -> bool {
    let mark = mark(key);
    url.query_pairs()
        .any(|(name, value)| name == MARK && value == mark)
}

/// Tells one key from another, and nothing of either.
fn mark(key: &Secret) -> String {
    let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key.expose().as_bytes());
    // HMAC takes keys of any length.
    let Ok(mut mac) = mac else {
        return String::new();
    };
    mac.update(b"bookgate webhook subscription");
    hex::encode(&mac.finalize().into_bytes()[..4])
}
