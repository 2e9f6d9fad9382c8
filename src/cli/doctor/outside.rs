//! What others tell: a daemon that runs, each provider's API, its clock, its webhook, and the address by
//! which it reaches us.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use url::Url;

use super::Findings;
use crate::app::open_provider;
use crate::cli::subscriptions::by_hand;
use crate::cli::{Context, reach};
use crate::domain::clock::ms_between;
use crate::domain::ids::SourceName;
use crate::provider::client::{HttpClient, Method, RawAnswer};
use crate::provider::registry::Calling;
use crate::provider::subscriptions::{Fit, Subscription};
use crate::provider::{CallError, Provider};
use crate::settings::{Settings, SourceSettings};

/// How long anybody is waited for, in ms.
const PATIENCE_MS: u32 = 5_000;
/// How far two clocks may be apart, in ms, before somebody should look; an answer's own time is told in
/// whole seconds, and was a moment ago.
const APART_MS_LOOK: i64 = 5_000;
/// How far they may be apart before signatures with a time are refused, in ms.
const APART_MS_MAX: i64 = 120_000;

/// Whether a daemon answers where the admin endpoint is.
pub(super) async fn daemon(settings: &Settings, found: &mut Findings) {
    let listen = settings.server.admin_listen;
    let Ok(url) = reach::url_of(listen).and_then(|url| url.join("readyz")) else {
        return;
    };
    match ask(&url).await {
        Ok(answer) if answer.body == "ok" => {
            found.ok("daemon", format!("one answers at {listen}, and is well"));
        }
        Ok(answer) if matches!(answer.status, 200 | 503) => found.failed(
            "daemon",
            format!(
                "one answers at {listen}, and is not well: {}",
                String::from_utf8_lossy(&answer.body)
            ),
            "its log says what is wrong; most often the disk is full or the database is down",
        ),
        Ok(answer) => found.failed(
            "daemon",
            format!("somebody else answers at {listen} (HTTP {})", answer.status),
            "give one of the two another address (server.admin_listen)",
        ),
        Err(error) => found.warning(
            "daemon",
            format!("none answers at {listen} (server.admin_listen): {error}"),
            "start one: `bookgate serve`",
        ),
    }
}

/// Everything about one source.
pub(super) async fn source(
    name: &SourceName,
    source: &SourceSettings,
    context: &Context<'_>,
    found: &mut Findings,
) {
    let calling = Calling::whatever_comes(Arc::clone(&context.clock));
    let provider = match open_provider(source, calling) {
        Ok(provider) => provider,
        Err(error) => {
            let what = format!("{name}: {error}");
            return found.failed("api", what, format!("look at [sources.{name}.api]"));
        }
    };
    let base = &source.api.base_url;
    let host = base.host_str().unwrap_or_default();
    match ask(base).await {
        Ok(answer) => {
            if let Some(theirs) = answer.date {
                let apart_ms = ms_between(context.clock.now(), theirs);
                apart(apart_ms, &format!("{host}'s"), found);
            }
            if key(name, provider.as_ref(), found).await {
                webhook(name, source, provider.as_ref(), found).await;
            }
        }
        Err(error) => found.failed(
            "api",
            format!("{name}: {host} cannot be reached: {error}"),
            format!("look at the network, and at sources.{name}.api.base_url"),
        ),
    }
    if let Some(kept) = &source.subscription {
        address(name, &kept.url, found).await;
    }
}

/// Says how far two clocks are apart.
pub(super) fn apart(ms: i64, whose: &str, found: &mut Findings) {
    let seconds = ms.abs() / 1_000;
    let what = format!("{whose} and this machine's are {seconds} s apart");
    let help = "set this machine's clock by NTP (systemd-timesyncd, chrony)";
    match ms.abs() {
        0..=APART_MS_LOOK => found.ok("clock", format!("agrees with {whose}")),
        ..=APART_MS_MAX => found.warning("clock", what, help),
        _ => found.failed("clock", what, help),
    }
}

/// Whether the API takes the key.
async fn key(name: &SourceName, provider: &dyn Provider, found: &mut Findings) -> bool {
    match provider.check_key().await {
        Ok(()) => {
            found.ok("api", format!("{name}: answers, and takes the key"));
            true
        }
        Err(CallError::Rejected { detail, .. }) => {
            let help =
                format!("make a new key there, and put it where sources.{name}.api.key says");
            found.failed("api", format!("{name}: refuses the key: {detail}"), help);
            false
        }
        Err(error) => {
            let help = format!("look at sources.{name}.api: base_url, dialect; or try again later");
            found.failed("api", format!("{name}: {error}"), help);
            false
        }
    }
}

/// Whether the provider has been told to send webhooks here.
async fn webhook(
    name: &SourceName,
    source: &SourceSettings,
    provider: &dyn Provider,
    found: &mut Findings,
) {
    let word = source.provider.as_str();
    let Some(subscriptions) = provider.subscriptions() else {
        let what = format!("{name}: cannot be seen");
        return found.warning("webhook", what, by_hand(name.as_str(), source));
    };
    let all = match subscriptions.list().await {
        Ok(all) => all,
        Err(error) => {
            let what = format!("{name}: cannot be seen: {error}");
            return found.warning("webhook", what, "look there yourself");
        }
    };
    let here = all.iter().find(|one| one.fit == Fit::Ours);
    if let Some(ours) = here {
        return registered(name, ours, found);
    }
    let ensure = format!("`bookgate {word} webhooks ensure` puts it right");
    if all.iter().any(|one| one.fit == Fit::Outdated) {
        let what = format!(
            "{name}: is there, but signs with another secret, leaves events out, or is switched off"
        );
        return found.failed("webhook", what, ensure);
    }
    if source.subscription.is_some() {
        let what = format!("{name}: none sends here");
        return found.failed("webhook", what, ensure);
    }
    // Without an address in the settings, whatever ends with the source's name is probably it.
    let path = format!("/webhooks/{name}");
    let is_it = |one: &&Subscription| {
        Url::parse(&one.url).is_ok_and(|url| url.path().ends_with(&path)) && one.active
    };
    let help = format!(
        "write [sources.{name}.subscription] with its url, so that bookgate can tell and mend it"
    );
    match all.iter().find(is_it) {
        Some(one) => found.warning(
            "webhook",
            format!("{name}: {} probably sends here", one.id),
            help,
        ),
        None => found.warning(
            "webhook",
            format!(
                "{name}: none of the {} that the key shows ends with {path}",
                all.len()
            ),
            format!(
                "{help}; or look at those of the event type, the team or the organization there"
            ),
        ),
    }
}

fn registered(name: &SourceName, ours: &Subscription, found: &mut Findings) {
    match ours.failing_since {
        None => found.ok(
            "webhook",
            format!("{name}: {} sends here, with the right events", ours.id),
        ),
        Some(since) => found.failed(
            "webhook",
            format!("{name}: {} fails since {since}", ours.id),
            "see below whether the public address answers; after a day the provider gives up",
        ),
    }
}

/// What our public door says of a request that is no webhook.
#[derive(Deserialize)]
struct Problem {
    code: String,
}

/// Whether what answers at the public address is a bookgate. Asked with GET, which our door refuses and
/// nobody counts.
async fn address(name: &SourceName, url: &Url, found: &mut Findings) {
    match ask(url).await {
        Ok(answer) => {
            let problem = serde_json::from_slice::<Problem>(&answer.body);
            if problem.is_ok_and(|problem| problem.code == "method-not-allowed") {
                return found.ok("address", format!("{name}: a bookgate answers at {url}"));
            }
            found.warning(
                "address",
                format!(
                    "{name}: {url} answers HTTP {}, and not as a bookgate does",
                    answer.status
                ),
                "let the proxy pass /webhooks/ on to server.listen, path and body as they came",
            );
        }
        Err(error) => found.warning(
            "address",
            format!("{name}: {url} cannot be reached from here: {error}"),
            "is the daemon up, and the proxy? From outside it may look different: try it there",
        ),
    }
}

async fn ask(url: &Url) -> Result<RawAnswer, String> {
    let client = HttpClient::new(url, PATIENCE_MS).map_err(|error| error.to_string())?;
    let request = client.request(Method::GET, url.clone());
    let patience = Duration::from_millis(PATIENCE_MS.into());
    let answer = client.exchange(request, patience).await;
    answer.map_err(|error| error.to_string())
}
