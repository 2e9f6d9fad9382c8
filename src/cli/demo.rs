//! `demo`: the real daemon on an embedded store in a temporary folder, with a stand-ins for Cal.com and Calendly
//! on loopback. Signed webhooks come in over HTTP, and what was decided, why, and what became of it is
//! told step by step. Fails if anything comes out other than told.

mod halves;
mod installation;
mod print;
mod story;
mod told;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use clap::Args;
use serde_json::json;
use tempfile::TempDir;

use self::installation::Installation;
use self::told::Step;
use super::Context;

/// Longer than the story takes on a slow machine; a story that hangs is a failure.
const STORY_MS_MAX: u64 = 60_000;

/// What `demo` takes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bookgate demo
  bookgate demo --keep
  bookgate demo --json | jq '.steps[].decision'

Everything stays on this machine, on loopback addresses and in a temporary folder.
Exits with 1 if anything does not come out as told.")]
pub(super) struct DemoArgs {
    /// Keep the folder with settings, policy, journal and store, and say where it is
    #[arg(long)]
    keep: bool,
}

/// Plays the story and tells it.
pub(super) fn run(args: &DemoArgs, json: bool, context: &mut Context<'_>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the threads that do the work")?;
    runtime.block_on(play(args, json, context))
}

async fn play(args: &DemoArgs, json: bool, context: &mut Context<'_>) -> anyhow::Result<()> {
    let installation = Installation::start(context.clock.now()).await?;
    if !json {
        print::opening(context.out, &installation)?;
    }
    let mut steps: Vec<Step> = Vec::new();
    let mut tell = |step: Step| {
        if !json {
            print::step(context.out, steps.len() + 1, &step)?;
        }
        steps.push(step);
        Ok(())
    };
    let limit = Duration::from_millis(STORY_MS_MAX);
    let played = tokio::select! {
        played = story::play(&installation, &mut tell) => played,
        () = tokio::time::sleep(limit) => Err(anyhow!("nothing came of it in {STORY_MS_MAX} ms")),
        _ = tokio::signal::ctrl_c() => Err(anyhow!("interrupted")),
    };
    // The daemon lets go of the folder before it is removed, also after a failure.
    let folder = installation.stop().await;
    played.with_context(|| format!("step {} did not come out as told", steps.len() + 1))?;
    let kept = keep_or_remove(folder?, args.keep)?;
    if json {
        let answer = json!({"steps": steps, "kept": kept});
        let text = serde_json::to_string_pretty(&answer)?;
        return Ok(writeln!(context.out, "{text}")?);
    }
    print::ending(context.out, kept.as_deref())
}

fn keep_or_remove(folder: TempDir, keep: bool) -> anyhow::Result<Option<PathBuf>> {
    if keep {
        return Ok(Some(folder.keep()));
    }
    folder
        .close()
        .context("cannot remove the temporary folder")?;
    Ok(None)
}
