//! `audit`: what people have changed.

use clap::{Args, Subcommand};

use super::page::{PageArgs, print_page};
use super::text::second;
use super::when::When;
use super::{Context, reach};
use crate::gate::{ChangeView, ChangesAsked};

/// Commands about the audit log.
#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// List what people have changed, newest first
    #[command(after_help = "\
Examples:
  bookgate audit list
  bookgate audit list --since 14d
  bookgate audit list --actor token:ops --action dead_letter.purge
  bookgate audit list --target calcom/8wX2kQvNn3TzRb5mLpYc1d --json

Also beside a running daemon.")]
    List(ListArgs),
}

/// What people can do that is noted, as the log calls it.
const ACTIONS: [&str; 14] = [
    "account.deduct",
    "account.tags",
    "account.top_up",
    "booking.accept",
    "booking.accept_for_nothing",
    "booking.refuse",
    "dead_letter.purge",
    "dead_letter.retry",
    "dead_letter.retry_forced",
    "delivery.replay",
    "delivery.replay_some",
    "job.run",
    "policy.reload",
    "retention.run",
];

/// Which changes.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// By whom, such as token:ops
    #[arg(long)]
    actor: Option<String>,
    /// Of this kind
    #[arg(long, value_parser = ACTIONS)]
    action: Option<String>,
    /// On what: a booking such as calcom/UID, or an account's address
    #[arg(long)]
    target: Option<String>,
    /// Ordered by the request with this id: what its answer and the log call it
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,
    /// Made at this time or later: 2027-03-01T00:00:00Z, 2027-03-01 (from
    /// its beginning, UTC), or 14d (so long ago)
    #[arg(long, value_name = "TIME")]
    since: Option<When>,
    /// Made before this time
    #[arg(long, value_name = "TIME")]
    until: Option<When>,
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
    let now = context.clock.now();
    let asked = ChangesAsked {
        actor: args.actor,
        action: args.action,
        target: args.target,
        request_id: args.request_id,
        since: args.since.map(|when| when.at(now)),
        until: args.until.map(|when| when.at(now)),
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    /// Words such as `"job.run"` in the sources of a folder, where one of the log's own begins so.
    fn words(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                words(&path, found);
                continue;
            }
            let text = fs::read_to_string(path).unwrap();
            let known = |word: &&str| {
                let (what, done) = word.split_once('.').unwrap_or_default();
                let is_plain = |c: char| c.is_ascii_lowercase() || c == '_';
                let starts = ACTIONS.map(|action| action.split('.').next());
                starts.contains(&Some(what)) && !done.is_empty() && done.chars().all(is_plain)
            };
            found.extend(text.split('"').filter(known).map(str::to_owned));
        }
    }

    #[test]
    fn every_action_that_is_noted_can_be_asked_for() {
        let mut noted = BTreeSet::new();
        let gate = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/gate");
        words(&gate, &mut noted);
        assert_eq!(noted, ACTIONS.map(str::to_owned).into());
    }
}
