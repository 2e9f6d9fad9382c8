//! `calendly webhooks`: the webhook subscriptions at a provider whose API manages them.

use std::sync::Arc;

use anyhow::anyhow;
use clap::{Args, Subcommand};

use super::text::{or_dash, table};
use super::{Context, NotFound, UsageError, print_json, wait_for};
use crate::app::open_provider;
use crate::provider::Provider;
use crate::provider::registry::Calling;
use crate::provider::subscriptions::{Fit, Subscription, Subscriptions};
use crate::settings::{ProviderKind, Settings};

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
  bookgate calendly webhooks list
  bookgate calendly webhooks list --json | jq '.[] | select(.active | not)'

`ours` is the one that [sources.NAME.subscription] asks for, `outdated` sends
to the same address and would be replaced by `ensure`.")]
    List(SourceArgs),
    /// See to it that exactly one subscription sends here what the settings ask for
    #[command(after_help = "\
Examples:
  bookgate calendly webhooks ensure
  bookgate calendly webhooks ensure --source calendly_sales

Needs [sources.NAME.subscription] with a url, and signs with the first of
signing_secrets. A new subscription is made before an old one is deleted, so
that nothing is missed. To change the key: put the new one first and keep the
old one second, run this, and remove the old one a day later.")]
    Ensure(SourceArgs),
    /// Delete a subscription; one that is gone already is fine
    #[command(after_help = "\
Examples:
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
    let opened = open(provider, source, context)?;
    let subscriptions = opened.subscriptions();
    let subscriptions =
        subscriptions.ok_or_else(|| anyhow!("{} has no such API", provider.as_str()))?;
    match command {
        WebhooksCommand::List(_) => list(subscriptions, json, context),
        WebhooksCommand::Ensure(_) => ensure(subscriptions, json, context),
        WebhooksCommand::Delete(args) => delete(subscriptions, &args.id, json, context),
    }
}

fn open(
    provider: ProviderKind,
    args: &SourceArgs,
    context: &Context<'_>,
) -> anyhow::Result<std::sync::Arc<dyn Provider>> {
    let settings = Settings::load(&context.options)?;
    let of = settings.sources.iter();
    let of: Vec<_> = of
        .filter(|(_, source)| source.provider == provider)
        .collect();
    let word = provider.as_str();
    let source = match (&args.source, of.as_slice()) {
        (Some(name), all) => all
            .iter()
            .find(|(known, _)| known.as_str() == name)
            .ok_or_else(|| UsageError(format!("no source `{name}` of `{word}` in the settings")))?,
        (None, [only]) => only,
        (None, []) => {
            let text =
                format!("no source of `{word}` in the settings: see `bookgate settings default`");
            return Err(UsageError(text).into());
        }
        (None, _) => {
            let text = format!("several sources of `{word}`: say which with --source");
            return Err(UsageError(text).into());
        }
    };
    Ok(open_provider(
        source.1,
        Calling::whatever_comes(Arc::clone(&context.clock)),
    )?)
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
    let rows = [
        ["state".to_owned(), state],
        ["is".to_owned(), fit.to_owned()],
        ["url".to_owned(), one.url.clone()],
        ["scope".to_owned(), one.scope.clone()],
        ["events".to_owned(), one.events.join(", ")],
        ["made".to_owned(), or_dash(one.created_at)],
    ];
    Ok(table(&mut *context.out, ["id", &one.id], &rows)?)
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
    let what = if ensured.created {
        "made"
    } else {
        "there already"
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
