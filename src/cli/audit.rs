//! `audit`: what people have changed.

use clap::{Args, Subcommand};

use super::text::{or_dash, table};
use super::{Context, print_json, reach};
use crate::gate::ChangesAsked;

/// Commands about the audit log.
#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// List what people have changed, newest first
    #[command(after_help = "\
Examples:
  bookgate audit list
  bookgate audit list --actor token:ops --action dead_letter.purge
  bookgate audit list --target calcom/8wX2kQvNn3TzRb5mLpYc1d --json

Also beside a running daemon.")]
    List(ListArgs),
}

/// Which changes.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// By whom, such as token:ops
    #[arg(long)]
    actor: Option<String>,
    /// Of this kind, such as booking.accept
    #[arg(long)]
    action: Option<String>,
    /// On what: a booking such as calcom/UID, or an account's address
    #[arg(long)]
    target: Option<String>,
    /// Ordered by the request with this id: what its answer and the log call it
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,
    /// Where to go on: what the page before said
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,
    /// How many, 200 at most
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=200))]
    limit: u32,
}

/// Runs one of the commands.
pub(super) fn run(
    command: AuditCommand,
    json: bool,
    context: &mut Context<'_>,
) -> anyhow::Result<()> {
    let AuditCommand::List(args) = command;
    let asked = ChangesAsked {
        actor: args.actor,
        action: args.action,
        target: args.target,
        request_id: args.request_id,
        after: args.after,
        limit: Some(args.limit),
    };
    let page = reach::read(context, async move |desk| desk.changes(asked).await)?;
    if json {
        return print_json(&page, context);
    }
    if page.items.is_empty() {
        return Ok(writeln!(context.out, "no changes")?);
    }
    let rows: Vec<_> = page
        .items
        .into_iter()
        .map(|change| {
            let at = change.at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
            let detail = or_dash(change.detail);
            [at, change.actor, change.action, change.target, detail]
        })
        .collect();
    let header = ["at", "who", "what", "on", "detail"];
    table(&mut *context.out, header, &rows)?;
    if let Some(next) = page.next {
        writeln!(context.out, "\nmore: --after {next}")?;
    }
    Ok(())
}
