//! `notices`: trying out who is told what happens, and what could not be told yet.

use std::time::Instant;

use anyhow::bail;
use clap::{Args, Subcommand};
use serde_json::json;

use super::page::{PageArgs, print_page};
use super::text::{or_dash, second};
use super::{Context, NotFound, UsageError, print_json, reach, wait_for};
use crate::app::open_receiver;
use crate::gate::{NoticeView, NoticesAsked, send_test};
use crate::notify::Told;
use crate::settings::Settings;

/// Commands about notices.
#[derive(Debug, Subcommand)]
pub(super) enum NoticesCommand {
    /// Send a notice that tells of nothing, at once, and say what came back
    #[command(after_help = "\
Examples:
  bookgate notices test
  bookgate notices test ops

Its type is `bookgate.test`, and it is signed like any other. It is sent from
here, once, without the database or a daemon. Fails unless every receiver takes
it.")]
    Test(TestArgs),
    /// List the notices that were not taken yet, oldest first
    #[command(after_help = "\
Examples:
  bookgate notices list
  bookgate notices list --receiver ops --state given_up
  bookgate notices list --json | jq '.items[].detail'

Reads the database itself, also beside running daemons. A notice that was taken
leaves the list. One that was not is sent again for two days, then given up,
and forgotten after 30 days.")]
    List(ListArgs),
}

/// What `notices test` takes.
#[derive(Debug, Args)]
pub(super) struct TestArgs {
    /// The receiver, as in [notices.NAME] [default: all of them]
    name: Option<String>,
}

/// What `notices list` takes.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// To this receiver only
    #[arg(long, value_name = "NAME")]
    receiver: Option<String>,
    /// Only those that are waiting, or given_up
    #[arg(long)]
    state: Option<String>,
    #[command(flatten)]
    page: PageArgs,
}

/// Runs one of the commands.
pub(super) fn run(
    command: NoticesCommand,
    json: bool,
    context: &mut Context<'_>,
) -> anyhow::Result<()> {
    match command {
        NoticesCommand::Test(args) => test(&args, json, context),
        NoticesCommand::List(args) => list(args, json, context),
    }
}

fn test(args: &TestArgs, json: bool, context: &mut Context<'_>) -> anyhow::Result<()> {
    let settings = Settings::load(&context.options)?;
    let mut receivers = settings.notices;
    if let Some(name) = &args.name {
        receivers.retain(|known, _| known == name);
        if receivers.is_empty() {
            let text = format!("there is no receiver `{name}`: write [notices.{name}]");
            return Err(NotFound(text).into());
        }
    }
    if receivers.is_empty() {
        let text = "there is no receiver of notices: write [notices.NAME] into the settings, see \
                    `bookgate settings default`";
        return Err(UsageError(text.to_owned()).into());
    }
    let (mut answers, mut refused) = (Vec::new(), Vec::new());
    for (name, receiver) in &receivers {
        let receiver = open_receiver(name, receiver)?;
        let started = Instant::now();
        let told = wait_for(async { Ok(send_test(&receiver, context.clock.now()).await) })?;
        let took_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let taken = matches!(told, Told::Taken { .. });
        if !json {
            writeln!(context.out, "{name}: {told}, after {took_ms} ms")?;
        }
        if !taken {
            refused.push(name.as_str());
        }
        answers.push(json!({
            "receiver": name,
            "taken": taken,
            "answer": told.to_string(),
            "took_ms": took_ms,
        }));
    }
    if json {
        print_json(&answers, context)?;
    }
    match refused.as_slice() {
        [] => Ok(()),
        names => bail!("not taken by: {}", names.join(", ")),
    }
}

fn list(args: ListArgs, json: bool, context: &mut Context<'_>) -> anyhow::Result<()> {
    let asked = NoticesAsked {
        receiver: args.receiver,
        state: args.state,
        after: args.page.after,
        limit: Some(args.page.limit),
    };
    let page = reach::read(context, async move |desk| desk.notices(asked).await)?;
    let header = ["receiver", "type", "sent next", "tries", "last answer"];
    let row = |notice: &NoticeView| {
        [
            notice.receiver.clone(),
            notice.r#type.as_str().to_owned(),
            notice.due_at.map_or_else(|| "given up".to_owned(), second),
            notice.tries.to_string(),
            or_dash(notice.detail.as_ref()),
        ]
    };
    let nothing = "no notices: all were taken";
    print_page(&page, json, nothing, header, row, context)
}
