//! `jobs`: what runs on a schedule, and having it run now.

use clap::{Args, Subcommand};
use serde_json::Value;

use super::reach::{self, Reached, WriteArgs};
use super::text::{in_words, or_dash, second, table};
use super::{Context, NotFound, print_json, refused, wait_for};

/// What people call several jobs at once.
const RETENTION: &str = "retention";

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

What retention does is several jobs: `bookgate retention run` has all of them run.
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

/// Has a job run.
async fn order(name: &str, place: &Reached) -> anyhow::Result<Value> {
    match place {
        Reached::Store(store) => {
            let job = store.desk.run_job(name, &store.actor).await;
            Ok(serde_json::to_value(job.map_err(refused)?)?)
        }
        Reached::Daemon(endpoint) => {
            let path = ["v1", "jobs", name, "runs"];
            Ok(endpoint.post(&path, None, None).await?.body)
        }
    }
}

/// The names of the jobs there are.
async fn known(place: &Reached) -> anyhow::Result<Vec<String>> {
    let jobs = match place {
        Reached::Store(store) => serde_json::to_value(store.desk.jobs().await.map_err(refused)?)?,
        Reached::Daemon(endpoint) => endpoint.get(&["v1", "jobs"]).await?.body,
    };
    let jobs = jobs["items"].as_array().into_iter().flatten();
    let names = jobs.filter_map(|job| job["name"].as_str());
    Ok(names.map(str::to_owned).collect())
}

fn no_job(name: &str, known: &[String]) -> anyhow::Error {
    let known = match known {
        [] => "none are known before a daemon has run on this database".to_owned(),
        known => format!("there are {}", known.join(", ")),
    };
    NotFound(format!("there is no job `{name}`; {known}")).into()
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
    if args.name == RETENTION {
        let text = "retention is several jobs: `bookgate retention run` has all of them run";
        return Err(NotFound(text.to_owned()).into());
    }
    let job = wait_for(async {
        let place = reach::to_write(&args.place, context).await?;
        let mut job = order(&args.name, &place).await;
        if job.as_ref().is_err_and(|error| error.is::<NotFound>()) {
            job = Err(no_job(&args.name, &known(&place).await?));
        }
        if let Reached::Store(store) = place {
            store.close().await;
        }
        job
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
