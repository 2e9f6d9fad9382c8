//! `dead-letters`: what the provider could not be told, and trying it again.

use clap::{Args, Subcommand};
use serde_json::json;

use super::reach::{self, Reached, WriteArgs};
use super::text::{or_dash, table};
use super::{Context, print_json, refused, wait_for};

/// Commands about dead letters.
#[derive(Debug, Subcommand)]
pub(super) enum DeadLettersCommand {
    /// List what was given up, oldest first
    #[command(after_help = "\
Examples:
  bookgate dead-letters list
  bookgate dead-letters list --limit 200
  bookgate dead-letters list --json | jq '.items[].id'

Also beside a running daemon.")]
    List(ListArgs),
    /// Try one again, from the start of its schedule
    #[command(after_help = "\
Examples:
  bookgate dead-letters retry 17

The booking is read first: what is no longer wanted is not done. Without a
running daemon it is tried when one starts. Exits with 3 if there is no such
dead letter.")]
    Retry(RetryArgs),
}

/// Which part of the list.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Where to go on: what the page before said
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,
    /// How many, 200 at most
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=200))]
    limit: u32,
}

/// What `dead-letters retry` takes.
#[derive(Debug, Args)]
pub(super) struct RetryArgs {
    /// Its id, as `dead-letters list` shows it
    id: i64,
    #[command(flatten)]
    place: WriteArgs,
}

/// Runs one of the commands.
pub(super) fn run(
    command: &DeadLettersCommand,
    json: bool,
    context: &mut Context<'_>,
) -> anyhow::Result<()> {
    match command {
        DeadLettersCommand::List(args) => list(args, json, context),
        DeadLettersCommand::Retry(args) => retry(args, json, context),
    }
}

fn list(args: &ListArgs, json: bool, context: &mut Context<'_>) -> anyhow::Result<()> {
    let page = reach::read(context, async |desk| {
        let after = args.after.as_deref();
        desk.dead_letters(after, Some(args.limit)).await
    })?;
    if json {
        return print_json(&page, context);
    }
    if page.items.is_empty() {
        return Ok(writeln!(context.out, "no dead letters")?);
    }
    let rows: Vec<_> = page
        .items
        .iter()
        .map(|letter| {
            let why = letter.last_attempt.as_ref();
            let why = why.and_then(|attempt| attempt.detail.clone());
            [
                letter.id.to_string(),
                letter.action.as_str().to_owned(),
                format!("{}/{}", letter.source, letter.booking),
                letter.tries.to_string(),
                or_dash(letter.given_up_at),
                or_dash(letter.note.clone().or(why)),
            ]
        })
        .collect();
    let header = ["id", "action", "booking", "tries", "given up", "why"];
    table(&mut *context.out, header, &rows)?;
    if let Some(next) = page.next {
        writeln!(context.out, "\nmore: --after {next}")?;
    }
    Ok(())
}

fn retry(args: &RetryArgs, json: bool, context: &mut Context<'_>) -> anyhow::Result<()> {
    let id = args.id;
    wait_for(async {
        match reach::to_write(&args.place, context).await? {
            Reached::Store(store) => {
                let revived = store.desk.retry_dead_letter(id).await;
                store.close().await;
                revived.map_err(refused)
            }
            Reached::Daemon(endpoint) => {
                let path = ["v1", "dead-letters", &id.to_string(), "retry"];
                endpoint.post(&path, None, None).await.map(drop)
            }
        }
    })?;
    if json {
        return print_json(&json!({"id": id, "retried": true}), context);
    }
    Ok(writeln!(context.out, "dead letter {id} is tried again")?)
}
