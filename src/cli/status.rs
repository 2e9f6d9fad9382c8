//! `status`: how a running installation stands, on one screen.

use std::fs;
use std::io::Write;
use std::path::Path;

use clap::Args;
use serde::Serialize;

use super::text::{ago, field, plain, table};
use super::{Context, print_json, reach};
use crate::app::{LastGood, check_policies};
use crate::domain::clock::Timestamp;
use crate::gate::{CallView, JobView, Overview, SourceHealth};
use crate::settings::{Database, Extent, Settings};
use crate::storage::records::{Pile, Waiting};

/// What `status` takes: nothing of its own.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bookgate status
  watch -n 5 bookgate status
  bookgate status --json | jq .waiting

Reads the database itself, also beside running daemons, and looks at the size of
this machine's journal and at its policies. `bookgate doctor` looks for what is wrong.")]
pub(super) struct StatusArgs {}

/// What `--json` prints.
#[derive(Serialize)]
struct Status {
    version: &'static str,
    database: String,
    journal: Option<JournalSize>,
    policies: PoliciesHere,
    #[serde(flatten)]
    overview: Overview,
}

/// The policies on this machine.
#[derive(Serialize)]
struct PoliciesHere {
    dir: String,
    /// How many there are; `None` if they are wrong.
    count: Option<usize>,
    /// Their meaning.
    set_hash: Option<String>,
    /// The meaning of the last good ones: those that a daemon here has in force.
    last_good_hash: Option<String>,
    /// When they were loaded.
    last_good_at: Option<Timestamp>,
}

/// The journal's files on this machine.
#[derive(Serialize)]
struct JournalSize {
    dir: String,
    files: u64,
    bytes: u64,
}

/// Prints it.
pub(super) fn run(json: bool, context: &mut Context<'_>) -> anyhow::Result<()> {
    let settings = Settings::load_extent(&context.options, Extent::Offline)?;
    let lease_ms = settings.worker.lease_ms;
    let overview = reach::read(context, async |desk| desk.overview(lease_ms).await)?;
    let status = Status {
        version: env!("CARGO_PKG_VERSION"),
        database: match &settings.storage.database {
            Database::Sqlite(path) => format!("SQLite, {}", path.display()),
            Database::Postgres(_) => "PostgreSQL".to_owned(),
        },
        journal: journal(&settings.journal.dir),
        policies: policies(&settings),
        overview,
    };
    if json {
        return print_json(&status, context);
    }
    let now = context.clock.now();
    print(&status, now, &mut *context.out)
}

fn policies(settings: &Settings) -> PoliciesHere {
    let checked = check_policies(&settings.policies.dir, settings).ok();
    let set = checked.map(|(set, _)| set);
    // Of what cannot be read the daemon's log tells.
    let kept = LastGood::read(&LastGood::path(&settings.journal.dir));
    let kept = kept.ok().flatten();
    PoliciesHere {
        dir: settings.policies.dir.display().to_string(),
        count: set.as_ref().map(|set| set.policies().count()),
        set_hash: set.map(|set| set.hash().to_string()),
        last_good_hash: kept.as_ref().map(|kept| kept.set_hash.to_string()),
        last_good_at: kept.map(|kept| kept.kept_at),
    }
}

/// The policies in a line.
fn policies_line(here: &PoliciesHere, now: Timestamp) -> String {
    let in_force = match here.last_good_at {
        Some(at) => format!("in force are those of {}", ago(at, now)),
        None => "none was ever in force".to_owned(),
    };
    match here.count {
        None => format!("REFUSED: `bookgate policy check` says why; {in_force}"),
        Some(count) if here.set_hash == here.last_good_hash => {
            format!("{count} in {}, in force", here.dir)
        }
        Some(count) => format!("{count} in {}, not loaded yet; {in_force}", here.dir),
    }
}

fn journal(dir: &Path) -> Option<JournalSize> {
    let mut size = JournalSize {
        dir: dir.display().to_string(),
        files: 0,
        bytes: 0,
    };
    for entry in fs::read_dir(dir).ok()?.flatten() {
        if let Ok(seen) = entry.metadata()
            && seen.is_file()
        {
            size.files += 1;
            size.bytes += seen.len();
        }
    }
    Some(size)
}

fn print(status: &Status, now: Timestamp, out: &mut dyn Write) -> anyhow::Result<()> {
    let overview = &status.overview;
    field(out, 0, "bookgate", status.version)?;
    field(out, 0, "database", &status.database)?;
    let alive = overview.instances.iter().filter(|one| one.alive);
    let alive: Vec<_> = alive
        .map(|one| {
            let (since, seen) = (ago(one.started_at, now), ago(one.seen_at, now));
            format!(
                "{} on {} ({}, started {since}, seen {seen})",
                one.id, one.host, one.version
            )
        })
        .collect();
    let daemons = match alive.is_empty() {
        true => "none lives: nothing is decided".to_owned(),
        false => alive.join("; "),
    };
    field(out, 0, "daemons", &daemons)?;
    field(out, 0, "policies", &policies_line(&status.policies, now))?;
    writeln!(out, "\nwaiting")?;
    waiting(&overview.waiting, now, out)?;
    if let Some(journal) = &status.journal {
        let text = format!("{} KiB in {}", journal.bytes >> 10, journal.dir);
        field(out, 2, "journal", &text)?;
    }
    writeln!(out, "\nsources")?;
    if overview.sources.is_empty() {
        writeln!(out, "  none yet: no daemon has run on this database")?;
    }
    for source in &overview.sources {
        print_source(source, now, out)?;
    }
    if overview.jobs.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    jobs(&overview.jobs, now, out)
}

fn jobs(jobs: &[JobView], now: Timestamp, out: &mut dyn Write) -> anyhow::Result<()> {
    let row = |job: &JobView| {
        let report = job.report.as_ref();
        let failed = report.is_some_and(|report| report.get("failed").is_some());
        [
            job.name.clone(),
            job.ended_at.map_or_else(never, |at| ago(at, now)),
            match &job.running_on {
                Some(instance) => format!("now, on {instance}"),
                None => ago(job.due_at, now),
            },
            match failed {
                true => "FAILED: `bookgate jobs list`".to_owned(),
                false => String::new(),
            },
        ]
    };
    let rows: Vec<_> = jobs.iter().map(row).collect();
    Ok(table(out, ["job", "last run", "next run", ""], &rows)?)
}

fn waiting(waiting: &Waiting, now: Timestamp, out: &mut dyn Write) -> anyhow::Result<()> {
    for (label, pile, advice) in [
        ("webhooks", &waiting.unfiled, "to be understood"),
        ("bookings", &waiting.undecided, "to be decided"),
        (
            "deferred",
            &waiting.deferred,
            "for a person: `bookgate bookings decide`",
        ),
        (
            "calls",
            &waiting.calls,
            "to be made or tried again: `bookgate bookings show` says when",
        ),
        (
            "dead letters",
            &waiting.dead_letters,
            "given up: `bookgate dead-letters list` says why",
        ),
        ("notices", &waiting.notices, "to be told"),
        (
            "",
            &waiting.notices_given_up,
            "given up: `bookgate notices list`",
        ),
    ] {
        if label.is_empty() && pile.number == 0 {
            continue;
        }
        field(out, 2, label, &counted(pile, advice, now))?;
    }
    Ok(())
}

fn counted(pile: &Pile, advice: &str, now: Timestamp) -> String {
    if pile.number == 0 {
        return "none".to_owned();
    }
    let more = if pile.more { " or more" } else { "" };
    let since = pile.since.map(|since| ago(since, now));
    let oldest = since.map_or_else(String::new, |since| format!("; the oldest {since}"));
    format!("{}{more} {advice}{oldest}", pile.number)
}

fn print_source(source: &SourceHealth, now: Timestamp, out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "  {}", plain(source.name.as_str()))?;
    if let Some(since) = source.failing_since {
        let first = ago(since, now);
        let text = format!("FAILING, first {first}: calls wait until it answers again");
        field(out, 4, "provider", &text)?;
    }
    let heard = source.last_delivery.as_ref();
    let heard = heard.map_or_else(none, |last| ago(last.received_at, now));
    field(out, 4, "last webhook", &heard)?;
    let called = source.last_call.as_ref();
    let called = called.map_or_else(none, |last| last_call(last, now));
    field(out, 4, "last call", &called)?;
    let surveyed = source.surveyed_at;
    let surveyed = surveyed.map_or_else(never, |at| ago(at, now));
    Ok(field(out, 4, "gone through", &surveyed)?)
}

fn last_call(call: &CallView, now: Timestamp) -> String {
    let begun = ago(call.started_at, now);
    let status = call.http_status;
    let status = status.map_or_else(String::new, |status| format!(", HTTP {status}"));
    match call.result {
        Some(result) => format!("{begun}: {}{status}", result.as_str()),
        None => format!("{begun}: no answer yet"),
    }
}

/// Only the newest of all sources are searched.
fn none() -> String {
    "none lately".to_owned()
}

fn never() -> String {
    "never".to_owned()
}
