//! `deliveries`: the webhooks that are stored, and reading them again.

use anyhow::Context as _;
use clap::{ArgGroup, Args, Subcommand};
use serde_json::{Value, json};

use super::page::{PageArgs, print_page};
use super::progress::Progress;
use super::reach::{self, Reached, WriteArgs};
use super::text::{field, or_dash, plain, second};
use super::when::When;
use super::{Context, print_json, refused, wait_for};
use crate::domain::clock::Timestamp;
use crate::gate::{DeliveriesAsked, DeliveryRow, DeliveryState, Page, ReplayOrder};

/// Deliveries that one order is about; it is sent again for the next.
const AT_ONCE: u32 = 200;

/// Commands about deliveries.
#[derive(Debug, Subcommand)]
pub(super) enum DeliveriesCommand {
    /// List stored webhooks, newest first
    #[command(after_help = "\
Examples:
  bookgate deliveries list
  bookgate deliveries list --state unparsed
  bookgate deliveries list --source calcom --since 2027-03-01 --limit 200
  bookgate deliveries list --state quarantined --json | jq '.items[].note'

Also beside a running daemon.")]
    List(ListArgs),
    /// Show one: what became of it, and what was sent
    #[command(after_help = "\
Examples:
  bookgate deliveries show 4711
  bookgate deliveries show 4711 --json | jq -r .body | jq .

What was sent is personal. Also beside a running daemon. Exits with 3 if there is
no such delivery.")]
    Show(ShowArgs),
    /// Read one or several again, as if they came now
    #[command(after_help = "\
Examples:
  bookgate deliveries replay 4711
  bookgate deliveries replay --state unparsed --dry-run
  bookgate deliveries replay --source calcom --since 14d
  bookgate deliveries replay --all

For webhooks that this version understands better than the one that read them
first, or that the store refused. What was decided stays decided, and nothing is
paid or told twice. Where retention has removed the body, there is nothing to
read. Without a running daemon they are read when one starts. Exits with 3 if
there is no such delivery.")]
    Replay(ReplayArgs),
}

/// Which deliveries.
#[derive(Debug, Args)]
pub(super) struct FilterArgs {
    /// Of this source
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// What became of them: event, ignored, unparsed, quarantined, or waiting
    #[arg(long, value_parser = state)]
    state: Option<DeliveryState>,
    /// Of this trigger, as the list shows it
    #[arg(long)]
    trigger: Option<String>,
    /// Received at this time or later: 2027-03-01T00:00:00Z, 2027-03-01 (from
    /// its beginning, UTC), or 14d (so long ago)
    #[arg(long, value_name = "TIME")]
    since: Option<When>,
    /// Received before this time
    #[arg(long, value_name = "TIME")]
    until: Option<When>,
}

impl FilterArgs {
    fn asked(&self, now: Timestamp) -> DeliveriesAsked {
        DeliveriesAsked {
            source: self.source.clone(),
            state: self.state,
            trigger: self.trigger.clone(),
            since: self.since.map(|when| when.at(now)),
            until: self.until.map(|when| when.at(now)),
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

/// What `deliveries show` takes.
#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// Its id, as `deliveries list` shows it
    id: i64,
}

/// What `deliveries replay` takes. The ways to say which are one group, so that all of them are suggested.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("which").required(true).multiple(true)
    .args(["id", "source", "state", "trigger", "since", "until", "all"])))]
pub(super) struct ReplayArgs {
    /// One, by its id as `deliveries list` shows it
    #[arg(conflicts_with_all = ["source", "state", "trigger", "since", "until", "all", "dry_run"])]
    id: Option<i64>,
    #[command(flatten)]
    filter: FilterArgs,
    /// All of them
    #[arg(long, conflicts_with_all = ["source", "state", "trigger", "since", "until"])]
    all: bool,
    /// Only print which would be read again
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    place: WriteArgs,
}

fn state(text: &str) -> Result<DeliveryState, String> {
    let word = Value::from(text);
    serde_json::from_value(word)
        .map_err(|_| "event, ignored, unparsed, quarantined or waiting".to_owned())
}

/// Runs one of the commands.
pub(super) fn run(
    command: &DeliveriesCommand,
    json: bool,
    context: &mut Context<'_>,
) -> anyhow::Result<()> {
    match command {
        DeliveriesCommand::List(args) => list(args, json, context),
        DeliveriesCommand::Show(args) => show(args, json, context),
        DeliveriesCommand::Replay(args) => replay(args, json, context),
    }
}

fn list(args: &ListArgs, json: bool, context: &mut Context<'_>) -> anyhow::Result<()> {
    let limit = args.page.limit as usize;
    let asked = args.filter.asked(context.clock.now());
    let page = reach::read(context, async |desk| {
        let mut page = Page {
            items: Vec::new(),
            next: args.page.after.clone(),
        };
        // A search ends after some rows, found or not; people want to see what there is.
        loop {
            let wanted = u32::try_from(limit - page.items.len()).ok();
            let asked = asked.clone();
            let more = desk.deliveries(asked, page.next.as_deref(), wanted).await?;
            page.items.extend(more.items);
            page.next = more.next;
            if page.next.is_none() || page.items.len() >= limit {
                return Ok(page);
            }
        }
    })?;
    let header = ["id", "received", "source", "state", "trigger", "note"];
    print_page(&page, json, "no deliveries", header, row, context)
}

fn row(row: &DeliveryRow) -> [String; 6] {
    [
        row.id.to_string(),
        second(row.received_at),
        row.source.to_string(),
        row.state.as_str().to_owned(),
        or_dash(row.trigger.as_ref()),
        row.note.clone().unwrap_or_default(),
    ]
}

fn show(args: &ShowArgs, json: bool, context: &mut Context<'_>) -> anyhow::Result<()> {
    let seen = reach::read(context, async |desk| desk.delivery(args.id).await)?;
    if json {
        return print_json(&seen, context);
    }
    let (line, out) = (&seen.line, &mut *context.out);
    writeln!(
        out,
        "delivery {} of {}",
        line.id,
        plain(line.source.as_str())
    )?;
    field(out, 2, "received", &line.received_at.to_string())?;
    field(out, 2, "state", line.state.as_str())?;
    field(out, 2, "trigger", &or_dash(line.trigger.as_ref()))?;
    if let Some(note) = &line.note {
        field(out, 2, "note", note)?;
    }
    field(out, 2, "filed", &or_dash(line.filed_at))?;
    if let Some(replayed_at) = line.replayed_at {
        field(out, 2, "read again", &replayed_at.to_string())?;
    }
    match &seen.body {
        Some(body) => Ok(writeln!(out, "\n{}", plain(body))?),
        None => Ok(writeln!(out, "\nretention has removed what was sent")?),
    }
}

fn replay(args: &ReplayArgs, json: bool, context: &mut Context<'_>) -> anyhow::Result<()> {
    if let Some(id) = args.id {
        wait_for(send_one(id, args, context))?;
        return match json {
            true => print_json(&json!({"id": id}), context),
            false => Ok(writeln!(context.out, "delivery {id} is read again")?),
        };
    }
    let report = wait_for(send(
        args,
        Progress::begin(json, "looking them up"),
        context,
    ))?;
    if json {
        return print_json(&report, context);
    }
    let word = match args.dry_run {
        true => "would be read again",
        false => "is read again",
    };
    for line in &report.done {
        writeln!(context.out, "{} {word}", named(line))?;
    }
    for line in &report.left {
        let why = line["why"].as_str().unwrap_or_default();
        writeln!(context.out, "{} is left: {}", named(line), plain(why))?;
    }
    let (done, left) = (report.done.len(), report.left.len());
    Ok(writeln!(context.out, "{done} in all; {left} left")?)
}

fn named(line: &Value) -> String {
    let text = |key: &str| line[key].as_str().map_or_else(|| "-".to_owned(), plain);
    let (id, source) = (&line["id"], text("source"));
    format!(
        "delivery {id} ({source}, {}, {})",
        text("state"),
        text("trigger")
    )
}

async fn send_one(id: i64, args: &ReplayArgs, context: &Context<'_>) -> anyhow::Result<()> {
    match reach::to_write(&args.place, context).await? {
        Reached::Store(store) => {
            let done = store.desk.replay_one(id, store.actor.clone()).await;
            store.close().await;
            done.map(drop).map_err(refused)
        }
        Reached::Daemon(endpoint) => {
            let path = ["v1", "deliveries", &id.to_string(), "replay"];
            endpoint.post(&path, None, None).await.map(drop)
        }
    }
}

/// What all orders together have done.
#[derive(Debug, serde::Serialize)]
struct Report {
    dry_run: bool,
    done: Vec<Value>,
    left: Vec<Value>,
}

async fn send(
    args: &ReplayArgs,
    progress: Progress,
    context: &Context<'_>,
) -> anyhow::Result<Report> {
    let place = reach::to_write(&args.place, context).await?;
    let asked = args.filter.asked(context.clock.now());
    let report = send_pages(&place, &asked, args.dry_run, &progress).await;
    if let Reached::Store(store) = place {
        store.close().await;
    }
    report
}

/// Orders page by page, until there are no more.
async fn send_pages(
    place: &Reached,
    asked: &DeliveriesAsked,
    dry_run: bool,
    progress: &Progress,
) -> anyhow::Result<Report> {
    let mut all = Report {
        dry_run,
        done: Vec::new(),
        left: Vec::new(),
    };
    let mut after = None;
    loop {
        let page = send_page(place, asked, dry_run, after).await;
        let mut page = page.with_context(|| format!("{} were ordered before", all.done.len()))?;
        for (key, lines) in [("done", &mut all.done), ("left", &mut all.left)] {
            if let Some(more) = page[key].as_array_mut() {
                lines.append(more);
            }
        }
        progress.tell(format!(
            "{} so far, {} left",
            all.done.len(),
            all.left.len()
        ));
        after = page["next"].as_str().map(str::to_owned);
        if after.is_none() {
            return Ok(all);
        }
    }
}

async fn send_page(
    place: &Reached,
    asked: &DeliveriesAsked,
    dry_run: bool,
    after: Option<String>,
) -> anyhow::Result<Value> {
    match place {
        Reached::Store(store) => {
            let order = ReplayOrder {
                asked: asked.clone(),
                after,
                limit: Some(AT_ONCE),
                dry_run,
                actor: store.actor.clone(),
            };
            let report = store.desk.replay(order).await.map_err(refused)?;
            serde_json::to_value(report).context("the report has no JSON form")
        }
        Reached::Daemon(endpoint) => {
            let body = json!({
                "source": asked.source,
                "state": asked.state,
                "trigger": asked.trigger,
                "since": asked.since,
                "until": asked.until,
                "after": after,
                "limit": AT_ONCE,
                "dry_run": dry_run,
            });
            let path = ["v1", "deliveries", "replays"];
            Ok(endpoint.post(&path, None, Some(&body)).await?.body)
        }
    }
}
