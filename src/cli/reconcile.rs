//! `reconcile`: what the last comparison with the providers found, or has one made and waits for it.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use anyhow::{anyhow, bail};
use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::progress::Progress;
use super::reach::{self, Reached, WriteArgs};
use super::text::{field, plain, table};
use super::{Context, NotFound, print_json, refused, wait_for};
use crate::domain::clock::Timestamp;

const JOB: &str = "reconcile";
/// Between two looks at whether it is over.
const LOOK: Duration = Duration::from_millis(100);
/// How long a daemon may take to make its jobs known.
const BEGINNING: Duration = Duration::from_secs(5);

/// What `reconcile` takes.
#[derive(Debug, Args)]
#[command(mut_arg("admin_url", reach::only_a_daemon))]
#[command(after_help = "\
Examples:
  bookgate reconcile                   what the last run found
  bookgate reconcile --now             have a run made, wait for it
  bookgate reconcile --now --json | jq '.report.sources.calcom.why'

A daemon does it: at its start, and every reconcile.interval_ms. Exits with 1 if
a source could not be gone through.")]
pub(super) struct ReconcileArgs {
    /// Have a run made now, and wait until it is over
    #[arg(long)]
    now: bool,
    /// How long to wait for it, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 600, requires = "now")]
    wait: u64,
    #[command(flatten)]
    place: WriteArgs,
}

/// The job, as the store or a daemon's answer has it.
#[derive(Debug, Deserialize, Serialize)]
struct Job {
    name: String,
    due_at: Timestamp,
    running_on: Option<String>,
    ended_at: Option<Timestamp>,
    report: Option<Value>,
}

#[derive(Deserialize)]
struct Jobs {
    items: Vec<Job>,
}

/// Runs the command.
pub(super) fn run(
    args: &ReconcileArgs,
    json: bool,
    context: &mut Context<'_>,
) -> anyhow::Result<()> {
    let job = if args.now {
        let _progress = Progress::begin(json, "waiting for a run to begin and end");
        wait_for(order(args, context))?
    } else {
        found(&reach::read(context, async |desk| desk.jobs().await)?)?
    };
    if json {
        print_json(&job, context)?;
    } else {
        print(&job, context)?;
    }
    match job.report.as_ref().map(|report| &report["failed"]) {
        Some(Value::Number(_)) => bail!("not all sources could be gone through"),
        Some(Value::String(why)) => bail!("the run broke off, and is tried again: {why}"),
        _ => Ok(()),
    }
}

/// Has a run made, and waits for its end.
async fn order(args: &ReconcileArgs, context: &Context<'_>) -> anyhow::Result<Job> {
    let place = match reach::to_write(&args.place, context).await? {
        Reached::Store(store) if !store.shared => {
            store.close().await;
            bail!(
                "no daemon runs on this database, and a daemon is who reconciles: `bookgate serve` does \
                 it at its start"
            );
        }
        place => place,
    };
    let waited = follow(&place, Duration::from_secs(args.wait)).await;
    if let Reached::Store(store) = place {
        store.close().await;
    }
    waited
}

async fn follow(place: &Reached, patience: Duration) -> anyhow::Result<Job> {
    let until = Instant::now() + patience;
    wait_until_known(place).await?;
    // A run that is under way has passed over what changed since its begin.
    wait_until(place, until, |job| job.running_on.is_none()).await?;
    let ordered = call(place).await?;
    wait_until(place, until, |job| {
        job.running_on.is_none() && job.due_at > ordered.due_at
    })
    .await
}

/// A daemon that has just begun makes the job known in a moment.
async fn wait_until_known(place: &Reached) -> anyhow::Result<()> {
    let until = Instant::now() + BEGINNING;
    loop {
        match look(place).await {
            Err(error) if error.is::<NotFound>() && Instant::now() < until => {
                tokio::time::sleep(LOOK).await;
            }
            known => return known.map(drop),
        }
    }
}

async fn wait_until(
    place: &Reached,
    until: Instant,
    over: impl Fn(&Job) -> bool,
) -> anyhow::Result<Job> {
    loop {
        let job = look(place).await?;
        if over(&job) {
            return Ok(job);
        }
        if Instant::now() >= until {
            return Err(match job.running_on {
                Some(instance) => anyhow!(
                    "the run on {instance} is not over; `bookgate reconcile` shows it later"
                ),
                None => anyhow!("no daemon has begun it; `bookgate instances` shows which live"),
            });
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn look(place: &Reached) -> anyhow::Result<Job> {
    match place {
        Reached::Store(store) => found(&store.desk.jobs().await.map_err(refused)?),
        Reached::Daemon(endpoint) => found(&endpoint.get(&["v1", "jobs"]).await?.body),
    }
}

async fn call(place: &Reached) -> anyhow::Result<Job> {
    let job = match place {
        Reached::Store(store) => {
            let job = store.desk.run_job(JOB, &store.actor).await;
            serde_json::to_value(job.map_err(refused)?)?
        }
        Reached::Daemon(endpoint) => {
            let path = ["v1", "jobs", JOB, "runs"];
            endpoint.post(&path, None, None).await?.body
        }
    };
    Ok(serde_json::from_value(job)?)
}

fn found(jobs: &impl Serialize) -> anyhow::Result<Job> {
    let jobs: Jobs = serde_json::from_value(serde_json::to_value(jobs)?)?;
    let job = jobs.items.into_iter().find(|job| job.name == JOB);
    job.ok_or_else(|| {
        let message =
            "nothing was reconciled yet: a daemon does it, unless reconcile.interval_ms is 0";
        NotFound(message.to_owned()).into()
    })
}

fn print(job: &Job, context: &mut Context<'_>) -> anyhow::Result<()> {
    let (Some(report), Some(ended_at)) = (&job.report, job.ended_at) else {
        return Ok(writeln!(context.out, "no run has come to its end yet")?);
    };
    writeln!(context.out, "last run: {ended_at}")?;
    let nothing = Map::new();
    let sources = report["sources"].as_object().unwrap_or(&nothing);
    let rows: Vec<_> = sources.iter().map(|(name, told)| row(name, told)).collect();
    let header = ["source", "checked", "repaired", "deferred", "why"];
    table(&mut *context.out, header, &rows)?;
    for (name, told) in sources {
        which(name, told, &mut *context.out)?;
    }
    Ok(())
}

/// The bookings of a source behind each reason; of many, the first ones are kept.
fn which(name: &str, told: &Value, out: &mut dyn Write) -> io::Result<()> {
    let reasons = told["bookings"].as_object().into_iter().flatten();
    for (number, (why, named)) in reasons.enumerate() {
        if number == 0 {
            writeln!(out, "\n{}", plain(name))?;
        }
        let named = named.as_array().into_iter().flatten();
        let mut named: Vec<_> = named.filter_map(Value::as_str).map(str::to_owned).collect();
        let all = told["why"][why].as_u64().unwrap_or(0);
        let more = all.saturating_sub(named.len() as u64);
        if more > 0 {
            named.push(format!("{more} more"));
        }
        field(out, 2, &plain(why), &named.join(", "))?;
    }
    Ok(())
}

fn row(name: &str, told: &Value) -> [String; 5] {
    let number = |what: &str| told[what].as_i64().unwrap_or(0).to_string();
    let reasons = told["why"].as_object().into_iter().flatten();
    let mut why: Vec<_> = reasons
        .map(|(why, number)| format!("{why} {number}"))
        .collect();
    if let Some(error) = told["failed"].as_str() {
        why.insert(0, format!("failed: {error}"));
    }
    [
        name.to_owned(),
        number("checked"),
        number("repaired"),
        number("deferred"),
        why.join(", "),
    ]
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_bookings_behind_each_reason_are_named() {
        let uid = |number: usize| format!("{number}Wx2kQvNn3TzRb5mLpYc1d");
        let told = json!({
            "why": {"missed": 25, "older": 1},
            "bookings": {"missed": [uid(1), uid(2), uid(3)], "older": ["short"]},
        });
        let mut out = Vec::new();
        which("calcom", &told, &mut out).unwrap();
        which("quiet", &json!({"checked": 3}), &mut out).unwrap();
        expect![[r#"

            calcom
              missed        1Wx2kQvNn3TzRb5mLpYc1d, 2Wx2kQvNn3TzRb5mLpYc1d,
                            3Wx2kQvNn3TzRb5mLpYc1d, 22 more
              older         short
        "#]]
        .assert_eq(&String::from_utf8(out).unwrap());
    }
}
