//! `dead-letters`: what the provider could not be told, trying it again, and laying it aside.

use anyhow::Context as _;
use clap::{ArgGroup, Args, Subcommand};
use serde_json::{Value, json};

use super::page::{PageArgs, print_page};
use super::reach::{self, Reached, WriteArgs};
use super::text::{field, or_dash, plain, second};
use super::when::When;
use super::{Context, print_json, refused, wait_for};
use crate::domain::clock::Timestamp;
use crate::domain::decision::Action;
use crate::gate::{DeadLetterView, LettersAsked, LettersFate, LettersOrder};

/// Commands about dead letters.
#[derive(Debug, Subcommand)]
pub(super) enum DeadLettersCommand {
    /// List what was given up, oldest first
    #[command(after_help = "\
Examples:
  bookgate dead-letters list
  bookgate dead-letters list --source calcom --action confirm
  bookgate dead-letters list --since 2027-03-01 --limit 200
  bookgate dead-letters list --json | jq '.items[].id'

Also beside a running daemon.")]
    List(ListArgs),
    /// Show one: what was to be told, why it was given up, and its last attempt
    #[command(after_help = "\
Examples:
  bookgate dead-letters show 17

Also beside a running daemon. Exits with 3 if there is no such dead letter.")]
    Show(ShowArgs),
    /// Try one or several again, from the start of their schedule
    #[command(after_help = "\
Examples:
  bookgate dead-letters retry 17
  bookgate dead-letters retry --source calcom --since 2d --dry-run
  bookgate dead-letters retry --all

The booking is read first: what is no longer wanted is not done. What has begun
is left, unless --force says to try once more. Without a running daemon it is
tried when one starts. Exits with 3 if there is no such dead letter.")]
    Retry(RetryArgs),
    /// Lay one or several aside for good; the audit log keeps that it was done
    #[command(after_help = "\
Examples:
  bookgate dead-letters purge 17
  bookgate dead-letters purge --source old --dry-run

The provider is not told any more. A dead letter whose booking still has credit
set aside is left: it is settled by another try, or by the host's own answer at
the provider. Exits with 3 if there is no such dead letter.")]
    Purge(PurgeArgs),
}

/// Which dead letters.
#[derive(Debug, Args)]
pub(super) struct FilterArgs {
    /// Of this source
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Of this operation: confirm, decline or cancel
    #[arg(long, value_parser = action)]
    action: Option<Action>,
    /// Given up at this time or later: 2027-03-01T00:00:00Z, 2027-03-01 (from
    /// its beginning, UTC), or 14d (so long ago)
    #[arg(long, value_name = "TIME")]
    since: Option<When>,
}

impl FilterArgs {
    fn asked(&self, id: Option<i64>, now: Timestamp) -> LettersAsked {
        LettersAsked {
            id,
            source: self.source.clone(),
            action: self.action,
            since: self.since.map(|when| when.at(now)),
        }
    }
}

/// Which part of the list.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    page: PageArgs,
}

/// What `dead-letters show` takes.
#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// Its id, as `dead-letters list` shows it
    id: i64,
}

/// Which dead letters an order is about. The ways to say so are one group, so that all of them are suggested.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("which").required(true).multiple(true)
    .args(["id", "source", "action", "since", "all"])))]
pub(super) struct WhichArgs {
    /// One, by its id as `dead-letters list` shows it
    #[arg(conflicts_with_all = ["source", "action", "since", "all"])]
    id: Option<i64>,
    #[command(flatten)]
    filter: FilterArgs,
    /// All of them
    #[arg(long, conflicts_with_all = ["source", "action", "since"])]
    all: bool,
    /// Only print what would be done
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    place: WriteArgs,
}

/// What `dead-letters retry` takes.
#[derive(Debug, Args)]
pub(super) struct RetryArgs {
    #[command(flatten)]
    which: WhichArgs,
    /// Also where the booking has begun
    #[arg(long)]
    force: bool,
}

/// What `dead-letters purge` takes.
#[derive(Debug, Args)]
pub(super) struct PurgeArgs {
    #[command(flatten)]
    which: WhichArgs,
}

fn action(text: &str) -> Result<Action, String> {
    let all = [Action::Confirm, Action::Decline, Action::Cancel];
    let found = all.into_iter().find(|action| action.as_str() == text);
    found.ok_or_else(|| "confirm, decline or cancel".to_owned())
}

/// Runs one of the commands.
pub(super) fn run(
    command: &DeadLettersCommand,
    json: bool,
    context: &mut Context<'_>,
) -> anyhow::Result<()> {
    match command {
        DeadLettersCommand::List(args) => list(args, json, context),
        DeadLettersCommand::Show(args) => show(args, json, context),
        DeadLettersCommand::Retry(RetryArgs { which, force }) => {
            order(which, LettersFate::Retry { force: *force }, json, context)
        }
        DeadLettersCommand::Purge(PurgeArgs { which }) => {
            order(which, LettersFate::Purge, json, context)
        }
    }
}

fn list(args: &ListArgs, json: bool, context: &mut Context<'_>) -> anyhow::Result<()> {
    let PageArgs { after, limit } = &args.page;
    let now = context.clock.now();
    let page = reach::read(context, async |desk| {
        let asked = args.filter.asked(None, now);
        desk.dead_letters(asked, after.as_deref(), Some(*limit))
            .await
    })?;
    let header = ["id", "action", "booking", "tries", "given up", "why"];
    let row = |letter: &DeadLetterView| {
        let why = letter.last_attempt.as_ref();
        let why = why.and_then(|attempt| attempt.detail.clone());
        [
            letter.id.to_string(),
            letter.action.as_str().to_owned(),
            format!("{}/{}", letter.source, letter.booking),
            letter.tries.to_string(),
            or_dash(letter.given_up_at.map(second)),
            or_dash(letter.note.clone().or(why)),
        ]
    };
    print_page(&page, json, "no dead letters", header, row, context)
}

fn show(args: &ShowArgs, json: bool, context: &mut Context<'_>) -> anyhow::Result<()> {
    let letter = reach::read(context, async |desk| desk.dead_letter(args.id).await)?;
    if json {
        return print_json(&letter, context);
    }
    let out = &mut *context.out;
    let booking = format!("{}/{}", letter.source, letter.booking);
    let title = format!(
        "dead letter {}: {} {booking}",
        letter.id,
        letter.action.as_str()
    );
    writeln!(out, "{}", plain(&title))?;
    field(out, 2, "given up", &or_dash(letter.given_up_at))?;
    field(out, 2, "why", &or_dash(letter.note))?;
    field(out, 2, "tries", &letter.tries.to_string())?;
    field(out, 2, "begins", &or_dash(letter.start))?;
    let credit = if letter.holds_credit {
        "set aside"
    } else {
        "none set aside"
    };
    field(out, 2, "credit", credit)?;
    if let Some(reason) = &letter.reason {
        field(out, 2, "reason", reason)?;
    }
    if let Some(last) = &letter.last_attempt {
        let detail = last.detail.as_deref().unwrap_or_default();
        field(
            out,
            2,
            "last attempt",
            &format!("{} {detail}", last.started_at),
        )?;
    }
    Ok(())
}

fn order(
    args: &WhichArgs,
    fate: LettersFate,
    json: bool,
    context: &mut Context<'_>,
) -> anyhow::Result<()> {
    let report = wait_for(send(args, fate, context))?;
    if json {
        return print_json(&report, context);
    }
    let word = match (fate, args.dry_run) {
        (LettersFate::Retry { .. }, true) => "would be tried again",
        (LettersFate::Retry { .. }, false) => "is tried again",
        (LettersFate::Purge, true) => "would be purged",
        (LettersFate::Purge, false) => "is purged",
    };
    let lines = |key: &str| report[key].as_array().cloned().unwrap_or_default();
    let text = |line: &Value, key: &str| plain(line[key].as_str().unwrap_or_default());
    let (done, left) = (lines("done"), lines("left"));
    if done.is_empty() && left.is_empty() {
        return Ok(writeln!(context.out, "no dead letters")?);
    }
    for line in done {
        let (id, what) = (&line["id"], text(&line, "action"));
        let booking = text(&line, "booking");
        writeln!(context.out, "dead letter {id} ({what} {booking}) {word}")?;
    }
    for line in left {
        let (id, why) = (&line["id"], text(&line, "why"));
        writeln!(context.out, "dead letter {id} is left: {why}")?;
    }
    if report["more"] == true {
        writeln!(context.out, "there are more: run it again")?;
    }
    Ok(())
}

async fn send(args: &WhichArgs, fate: LettersFate, context: &Context<'_>) -> anyhow::Result<Value> {
    let asked = args.filter.asked(args.id, context.clock.now());
    match reach::to_write(&args.place, context).await? {
        Reached::Store(store) => {
            let order = LettersOrder {
                asked,
                fate,
                dry_run: args.dry_run,
                actor: store.actor.clone(),
            };
            let report = store.desk.order_letters(order).await;
            store.close().await;
            let report = report.map_err(refused)?;
            serde_json::to_value(report).context("the report has no JSON form")
        }
        Reached::Daemon(endpoint) => {
            let mut body = json!({
                "id": asked.id,
                "source": asked.source,
                "action": asked.action,
                "since": asked.since,
                "dry_run": args.dry_run,
            });
            let path = match fate {
                LettersFate::Retry { force } => {
                    body["force"] = force.into();
                    "retries"
                }
                LettersFate::Purge => "purges",
            };
            let path = ["v1", "dead-letters", path];
            Ok(endpoint.post(&path, None, Some(&body)).await?.body)
        }
    }
}
