//! Keeps the webhook subscriptions of the sources that ask for it, and watches the others: a provider
//! that has met too many failures stops sending, and tells nobody.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::jobs::{Job, JobError, Run, Step};
use super::{Inner, Source};
use crate::provider::CallError;
use crate::provider::subscriptions::{Fit, Subscription, Subscriptions};

/// The job's name in the store.
pub(super) const NAME: &str = "subscriptions";
/// From one look to the next, in ms. A provider that gives up does so after many hours.
const INTERVAL_MS: i64 = 5 * 60_000;

/// What a source wants done about its subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeping {
    /// It is made, and mended.
    Ensured,
    /// It is only looked at.
    Watched,
}

/// The job, if any source has a subscription to look at.
pub(super) fn job(sources: &BTreeMap<String, Source>) -> Option<Arc<Job>> {
    let any = sources.values().any(|source| managed(source).is_some());
    any.then(|| Job::at_start(NAME, INTERVAL_MS, |gate, run| Box::pin(look(gate, run))))
}

fn managed(source: &Source) -> Option<(Keeping, &dyn Subscriptions)> {
    Some((source.keeping?, source.provider.subscriptions()?))
}

/// Looks at all of them; each source is a few calls.
async fn look(gate: &Inner, run: &mut Run) -> Result<Step, JobError> {
    for source in gate.sources.values() {
        let Some((keeping, subscriptions)) = managed(source) else {
            continue;
        };
        run.count("checked", 1);
        let note = match state(keeping, subscriptions).await {
            Ok(found) => {
                let active = found.as_ref().is_some_and(|found| found.active);
                let failing = found
                    .as_ref()
                    .is_some_and(|found| found.failing_since.is_some());
                gate.metrics.subscription(&source.name, active, failing);
                told(source, found)
            }
            Err(error) => {
                gate.metrics.subscription_unseen(&source.name);
                tracing::error!(source.name = %source.name, error = %error, "the webhook subscription could not be looked after");
                json!({ "failed": error.to_string() })
            }
        };
        run.notes.insert(source.name.to_string(), note);
    }
    Ok(Step::Done)
}

async fn state(
    keeping: Keeping,
    subscriptions: &dyn Subscriptions,
) -> Result<Option<Subscription>, CallError> {
    if keeping == Keeping::Watched {
        let all = subscriptions.list().await?;
        let ours = |fit| all.iter().find(|one| one.fit == fit).cloned();
        return Ok(ours(Fit::Ours).or_else(|| ours(Fit::Outdated)));
    }
    let ensured = subscriptions.ensure().await?;
    if ensured.created || ensured.mended || !ensured.deleted.is_empty() {
        tracing::info!(
            subscription.id = %ensured.subscription.id,
            created = ensured.created,
            mended = ensured.mended,
            deleted = ensured.deleted.len(),
            "webhook subscription ensured"
        );
    }
    Ok(Some(ensured.subscription))
}

/// What is noted of a source's subscription, and said aloud if a person must act.
fn told(source: &Source, found: Option<Subscription>) -> Value {
    let Some(found) = found else {
        tracing::error!(source.name = %source.name, "the provider has no webhook subscription for this source: nothing will come in");
        return json!({ "subscribed": false });
    };
    if !found.active {
        tracing::error!(source.name = %source.name, subscription.id = %found.id, "the provider has disabled the webhook subscription: nothing comes in until it is made anew");
    } else if let Some(since) = found.failing_since {
        tracing::warn!(source.name = %source.name, subscription.id = %found.id, since = %since, "webhooks do not arrive; after a day the provider disables the subscription");
    }
    json!({
        "subscribed": true,
        "id": found.id,
        "active": found.active,
        "failing_since": found.failing_since,
    })
}
