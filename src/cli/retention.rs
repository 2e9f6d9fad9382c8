//! `retention run`: what is old enough goes, or is only counted.

use clap::{Args, Subcommand};
use serde::Deserialize;

use super::progress::Progress;
use super::reach::{self, Reached, WriteArgs};
use super::text::{or_dash, table};
use super::{Context, print_json, refused, wait_for};
use crate::app::retention_settings;
use crate::settings::{Extent, Settings};

/// Commands about retention.
#[derive(Debug, Subcommand)]
pub(super) enum RetentionCommand {
    /// Remove what is older than [retention] in the settings says
    #[command(after_help = "\
Examples:
  bookgate retention run --dry-run     what would go; changes nothing
  bookgate retention run
  bookgate retention run --json | jq '.[] | {what, rows}'

A daemon does the same by itself every retention.interval_ms. If one has the
database, it is asked to begin now, and what it has found to remove is shown.
Accounts and their entries, decisions, policies and a line for each booking
are never removed.")]
    Run(RunArgs),
}

/// What `retention run` takes.
#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// Only count what would go
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    place: WriteArgs,
}

/// A line as the store or a daemon's answer has it.
#[derive(Debug, Deserialize, serde::Serialize)]
struct Line {
    what: String,
    kept_days: Option<i64>,
    before: Option<String>,
    rows: i64,
    bytes: i64,
    busy: bool,
}

/// Runs one of the commands.
pub(super) fn run(
    command: &RetentionCommand,
    json: bool,
    context: &mut Context<'_>,
) -> anyhow::Result<()> {
    let RetentionCommand::Run(args) = command;
    let settings = Settings::load_extent(&context.options, Extent::Offline)?;
    let ages = retention_settings(&settings);
    let progress = Progress::begin(json, "looking for what is old enough to go");
    let (lines, title) = if args.dry_run {
        let lines = reach::read(context, async |desk| desk.retention_preview(&ages).await)?;
        (serde_json::to_value(lines)?, "would be removed")
    } else {
        wait_for(async {
            match reach::to_write(&args.place, context).await? {
                Reached::Store(store) => {
                    let instance = format!("cli-{}", std::process::id());
                    let lines = store
                        .desk
                        .run_retention(&ages, &instance, &store.actor)
                        .await;
                    store.close().await;
                    let lines = serde_json::to_value(lines.map_err(refused)?)?;
                    Ok((lines, "removed"))
                }
                Reached::Daemon(endpoint) => {
                    let answer = endpoint
                        .post(&["v1", "retention", "runs"], None, None)
                        .await?;
                    Ok((answer.body, "being removed by the daemon"))
                }
            }
        })?
    };
    drop(progress);
    let lines: Vec<Line> = serde_json::from_value(lines)?;
    if json {
        return print_json(&lines, context);
    }
    let rows: Vec<_> = lines.into_iter().map(row).collect();
    let header = ["what", "older than", "rows", "bytes", ""];
    table(&mut *context.out, header, &rows)?;
    Ok(writeln!(context.out, "\n{title}")?)
}

fn row(line: Line) -> [String; 5] {
    let age = line.kept_days.map(|days| format!("{days} days"));
    let note = match (line.kept_days, line.busy) {
        (None, _) => "kept for ever",
        (_, true) => "left to the instance that is at it",
        (_, false) => "",
    };
    [
        line.what,
        or_dash(age),
        line.rows.to_string(),
        line.bytes.to_string(),
        note.to_owned(),
    ]
}
