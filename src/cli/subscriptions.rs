//! `calcom webhooks`, `calendly webhooks`: the webhook subscriptions at a provider whose API manages them.

use std::sync::Arc;

use clap::{Args, Subcommand};

use super::text::{field, or_dash, plain, second};
use super::{Context, NotFound, UsageError, print_json, wait_for};
use crate::app::open_provider;
use crate::domain::ids::SourceName;
use crate::provider::Provider;
use crate::provider::registry::{self, Calling};
use crate::provider::subscriptions::{Fit, Subscription, Subscriptions};
use crate::settings::{ProviderKind, Settings, SourceSettings};

/// Commands about one provider.
#[derive(Debug, Subcommand)]
pub(super) enum ProviderCommand {
    /// Where the provider sends webhooks
    #[command(subcommand)]
    Webhooks(WebhooksCommand),
}

/// Commands about webhook subscriptions.
#[derive(Debug, Subcommand)]
pub(super) enum WebhooksCommand {
    /// List the subscriptions that the token may see
    #[command(after_help = "\
Examples:
  bookgate calcom webhooks list
  bookgate calendly webhooks list
  bookgate calendly webhooks list --json | jq '.[] | select(.active | not)'

`ours` is the one that [sources.NAME.subscription] asks for, `outdated` sends
to the same address and would be mended or replaced by `ensure`. Of Cal.com's
webhooks those of the key's own user are listed: what belongs to an event type,
a team or an organization stands in its own settings there.")]
    List(SourceArgs),
    /// See to it that exactly one subscription sends here what the settings ask for
    #[command(after_help = "\
Examples:
  bookgate calcom webhooks ensure
  bookgate calendly webhooks ensure --source calendly_sales

Needs [sources.NAME.subscription] with a url, and signs with the first of
signing_secrets. Cal.com's webhook is mended where it stands; at Calendly a new
subscription is made before an old one is deleted. So nothing is missed. To
change the key: put the new one first and keep the old one second, run this, and
remove the old one a day later. API v1 of Cal.com has no such calls: then this
says what to enter there.")]
    Ensure(SourceArgs),
    /// Delete a subscription; one that is gone already is fine
    #[command(after_help = "\
Examples:
  bookgate calcom webhooks delete 0d9c2f6e-63f5-4a0c-9e0b-3c1d6a3f1f53
  bookgate calendly webhooks delete AAAAAAAAAAAAAAAA")]
    Delete(DeleteArgs),
}

/// Which source.
#[derive(Debug, Args)]
pub(super) struct SourceArgs {
    /// The source, as in [sources.NAME] [default: the only one of this provider]
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
}

/// What `webhooks delete` takes.
#[derive(Debug, Args)]
pub(super) struct DeleteArgs {
    /// The subscription's id, or its whole URI
    id: String,
    #[command(flatten)]
    source: SourceArgs,
}

/// Runs one of the commands.
pub(super) fn run(
    provider: ProviderKind,
    command: &ProviderCommand,
    json: bool,
    context: &mut Context<'_>,
) -> anyhow::Result<()> {
    let ProviderCommand::Webhooks(command) = command;
    let source = match command {
        WebhooksCommand::List(source) | WebhooksCommand::Ensure(source) => source,
        WebhooksCommand::Delete(args) => &args.source,
    };
    let settings = Settings::load(&context.options)?;
    let (name, source) = choose(provider, source, &settings)?;
    let calling = Calling::whatever_comes(Arc::clone(&context.clock));
    let opened: Arc<dyn Provider> = open_provider(source, calling)?;
    let Some(subscriptions) = opened.subscriptions() else {
        return Err(UsageError(by_hand(name.as_str(), source)).into());
    };
    match command {
        WebhooksCommand::List(_) => list(subscriptions, json, context),
        WebhooksCommand::Ensure(_) => ensure(subscriptions, json, context),
        WebhooksCommand::Delete(args) => delete(subscriptions, &args.id, json, context),
    }
}

fn choose<'s>(
    provider: ProviderKind,
    args: &SourceArgs,
    settings: &'s Settings,
) -> Result<(&'s SourceName, &'s SourceSettings), UsageError> {
    let of = settings.sources.iter();
    let of: Vec<_> = of
        .filter(|(_, source)| source.provider == provider)
        .collect();
    let word = provider.as_str();
    match (&args.source, of.as_slice()) {
        (Some(name), all) => {
            let found = all.iter().find(|(known, _)| known.as_str() == name);
            let none = || UsageError(format!("no source `{name}` of `{word}` in the settings"));
            found.copied().ok_or_else(none)
        }
        (None, [only]) => Ok(*only),
        (None, []) => Err(UsageError(format!(
            "no source of `{word}` in the settings: see `bookgate settings default`"
        ))),
        (None, _) => Err(UsageError(format!(
            "several sources of `{word}`: say which with --source"
        ))),
    }
}

/// What a person enters where the API manages no webhooks.
pub(super) fn by_hand(name: &str, source: &SourceSettings) -> String {
    let entry = registry::find(source.provider.as_str());
    let events = entry.map_or(&[][..], |entry| entry.events);
    let kept = source.subscription.as_ref();
    let url = kept.map_or_else(
        || format!("https://YOUR-ADDRESS/webhooks/{name}"),
        |kept| kept.url.to_string(),
    );
    format!(
        "API v1 has no calls for webhooks: look there yourself, in Settings > Developer > Webhooks\n  \
         subscriber URL    {url}\n  \
         event triggers    {}\n  \
         secret            the first of sources.{name}.signing_secrets\n  \
         payload template  switched off",
        events.join("\n                    ")
    )
}

fn list(
    subscriptions: &dyn Subscriptions,
    json: bool,
    context: &mut Context<'_>,
) -> anyhow::Result<()> {
    let all = wait_for(async { Ok(subscriptions.list().await?) })?;
    if json {
        return print_json(&all, context);
    }
    if all.is_empty() {
        return Ok(writeln!(context.out, "no subscriptions")?);
    }
    for one in &all {
        show(one, context)?;
    }
    Ok(())
}

fn show(one: &Subscription, context: &mut Context<'_>) -> anyhow::Result<()> {
    let state = match (one.active, one.failing_since) {
        (false, _) => "disabled".to_owned(),
        (true, Some(since)) => format!("failing since {since}"),
        (true, None) => "active".to_owned(),
    };
    let fit = match one.fit {
        Fit::Ours => "ours",
        Fit::Outdated => "outdated",
        Fit::Foreign => "elsewhere",
    };
    writeln!(context.out, "{}", plain(&one.id))?;
    for (label, value) in [
        ("state", state.as_str()),
        ("is", fit),
        ("url", one.url.as_str()),
        ("scope", one.scope.as_str()),
        ("events", &one.events.join(", ")),
        ("made", &or_dash(one.created_at.map(second))),
    ] {
        field(&mut *context.out, 2, label, value)?;
    }
    Ok(())
}

fn ensure(
    subscriptions: &dyn Subscriptions,
    json: bool,
    context: &mut Context<'_>,
) -> anyhow::Result<()> {
    let ensured = wait_for(async { Ok(subscriptions.ensure().await?) })?;
    if json {
        return print_json(&ensured, context);
    }
    let what = match (ensured.created, ensured.mended) {
        (true, _) => "made",
        (false, true) => "mended",
        (false, false) => "there already",
    };
    writeln!(
        context.out,
        "subscription {}: {what}",
        ensured.subscription.id
    )?;
    for id in &ensured.deleted {
        writeln!(context.out, "subscription {id}: deleted, it was outdated")?;
    }
    Ok(())
}

fn delete(
    subscriptions: &dyn Subscriptions,
    id: &str,
    json: bool,
    context: &mut Context<'_>,
) -> anyhow::Result<()> {
    let deleted = wait_for(async { Ok(subscriptions.delete(id).await?) })?;
    if json {
        return print_json(
            &serde_json::json!({ "id": id, "deleted": deleted }),
            context,
        );
    }
    if !deleted {
        return Err(NotFound(format!("there is no subscription `{id}` (any more)")).into());
    }
    Ok(writeln!(context.out, "subscription {id}: deleted")?)
}
