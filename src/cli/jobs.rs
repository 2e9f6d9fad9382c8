//! `jobs`: what runs on a schedule, and having it run now.

use clap::{Args, Subcommand};
use serde_json::Value;

use super::reach::{self, Reached, WriteArgs};
use super::text::{in_words, or_dash, second, table};
use super::{Context, print_json, refused, wait_for};

/// Commands about jobs.
#[derive(Debug, Subcommand)]
pub(super) enum JobsCommand {
    /// When each job is due, and what its last run did
    #[command(after_help = "\
Examples:
  bookgate jobs list
  bookgate jobs list --json | jq '.items[] | select(.name == \"reconcile\").report'

Reads the database itself, also beside running daemons.")]
    List,
    /// Have a job run now, by whichever daemon comes first
    #[command(after_help = "\
Examples:
  bookgate jobs run reconcile          compare what the provider has with what is known
  bookgate jobs run subscriptions      look after the webhook subscriptions

Without a daemon, the job runs as soon as one starts.")]
    Run(RunArgs),
}

/// What `jobs run` takes.
#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// The job, as `jobs list` names it
    name: String,
    #[command(flatten)]
    place: WriteArgs,
}

/// Runs one of the commands.
pub(super) fn run(
    command: &JobsCommand,
    json: bool,
    context: &mut Context<'_>,
) -> anyhow::Result<()> {
    match command {
        JobsCommand::List => list(json, context),
        JobsCommand::Run(args) => call(args, json, context),
    }
}

fn list(json: bool, context: &mut Context<'_>) -> anyhow::Result<()> {
    let page = reach::read(context, async |desk| desk.jobs().await)?;
    if json {
        return print_json(&page, context);
    }
    if page.items.is_empty() {
        return Ok(writeln!(
            context.out,
            "no jobs: no daemon has run on this database yet"
        )?);
    }
    let rows: Vec<_> = page
        .items
        .iter()
        .map(|job| {
            [
                job.name.clone(),
                match &job.running_on {
                    Some(instance) => format!("now, on {instance}"),
                    None => second(job.due_at),
                },
                or_dash(job.ended_at.map(second)),
                or_dash(job.report.as_ref().map(in_words)),
            ]
        })
        .collect();
    let header = ["job", "next run", "last run", "what it did"];
    Ok(table(&mut *context.out, header, &rows)?)
}

fn call(args: &RunArgs, json: bool, context: &mut Context<'_>) -> anyhow::Result<()> {
    let job: Value = wait_for(async {
        match reach::to_write(&args.place, context).await? {
            Reached::Store(store) => {
                let job = store.desk.run_job(&args.name, &store.actor).await;
                store.close().await;
                Ok(serde_json::to_value(job.map_err(refused)?)?)
            }
            Reached::Daemon(endpoint) => {
                let path = ["v1", "jobs", args.name.as_str(), "runs"];
                Ok(endpoint.post(&path, None, None).await?.body)
            }
        }
    })?;
    if json {
        return print_json(&job, context);
    }
    Ok(writeln!(
        context.out,
        "{} is due now; `bookgate jobs list` shows what it did",
        args.name
    )?)
}
