//! `audit`: what people have changed.

use clap::{Args, Subcommand};

use super::page::{PageArgs, print_page};
use super::text::second;
use super::{Context, reach};
use crate::domain::clock::Timestamp;
use crate::gate::{ChangeView, ChangesAsked};

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
    /// Made at this time or later, such as 2027-03-01T00:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<Timestamp>,
    /// Made before this time
    #[arg(long, value_name = "TIME")]
    until: Option<Timestamp>,
    #[command(flatten)]
    page: PageArgs,
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
        since: args.since,
        until: args.until,
        after: args.page.after,
        limit: Some(args.page.limit),
    };
    let page = reach::read(context, async move |desk| desk.changes(asked).await)?;
    let header = ["at", "who", "what", "on"];
    let row = |change: &ChangeView| {
        let change = change.clone();
        let on = match change.detail {
            Some(detail) => format!("{}: {detail}", change.target),
            None => change.target,
        };
        [second(change.at), change.actor, change.action, on]
    };
    print_page(&page, json, "no changes", header, row, context)
}
