//! `policy`: whether a folder of policies may be put in force, and what is wrong where; and what they say
//! of a webhook.

mod explain;
mod reload;

use std::path::PathBuf;

use anyhow::bail;
use clap::{Args, Subcommand};
use serde_json::json;

use super::reach::WriteArgs;
use super::{Context, print_json};
use crate::app::{PolicyError, check_policies};
use crate::policy::{Diagnostics, PolicySet};
use crate::settings::{Extent, Settings};

/// Commands about policies.
#[derive(Debug, Subcommand)]
pub(super) enum PolicyCommand {
    /// Check every policy of a folder, and run the tests inside them
    #[command(after_help = "\
Examples:
  bookgate policy check
  bookgate policy check policies/
  bookgate policy check --json | jq '.diagnostics[].message'

Needs no settings file and no secrets; units come from the settings, if there
are any. Exits with 1 if the policies cannot be put in force.")]
    Check(CheckArgs),
    /// Explain what the policies say of a webhook: who is asked, what, and what comes of it
    #[command(after_help = "\
Examples:
  bookgate policy explain webhook.json
  bookgate policy explain webhook.json --balance CREDIT=2 --at 2027-03-01T09:00:00Z
  bookgate policy explain --delivery 4711
  bookgate webhook sign --json | jq -r .body | bookgate policy explain -

Nothing is stored, decided or told, and no API is called. Reads the policies and
the units of the settings, no secrets. An event type of Calendly's is known by
its name and id here; its slug is asked for when a daemon decides.")]
    Explain(explain::ExplainArgs),
    /// Have the daemon read its policies again, now
    #[command(after_help = "\
Examples:
  bookgate policy reload
  bookgate policy reload --admin-url http://gate-2.internal:8081

A daemon reads them by itself when their files change (policies.look_ms), and on
SIGHUP. Of several daemons each has a folder of its own, so each is told by its
own address. If anything is wrong in any file, all of it is printed, the command
exits with 1, and the policies that were in force go on.")]
    Reload(WriteArgs),
}

/// What `policy check` takes.
#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// The folder [default: policies.dir of the settings]
    dir: Option<PathBuf>,
}

/// Runs one of the commands.
pub(super) fn run(
    command: &PolicyCommand,
    json: bool,
    context: &mut Context<'_>,
) -> anyhow::Result<()> {
    match command {
        PolicyCommand::Check(args) => check(args, json, context),
        PolicyCommand::Explain(args) => explain::run(args, json, context),
        PolicyCommand::Reload(place) => reload::run(place, json, context),
    }
}

fn check(args: &CheckArgs, json: bool, context: &mut Context<'_>) -> anyhow::Result<()> {
    let settings = Settings::load_extent(&context.options, Extent::Offline)?;
    let dir = match &args.dir {
        Some(dir) => context.options.working_dir.join(dir),
        None => settings.policies.dir,
    };
    let checked = check_policies(&dir, &settings.units);
    if json {
        return print(checked, context);
    }
    let (set, warnings) = checked?;
    if !warnings.is_empty() {
        writeln!(context.out, "{}\n", warnings.render(false))?;
    }
    let policies = set.policies().count();
    let summary = match policies {
        0 => format!(
            "no policy in {}: every booking would be deferred",
            dir.display()
        ),
        1 => "1 policy".to_owned(),
        _ => format!("{policies} policies"),
    };
    let hints = match warnings.iter().count() {
        0 => "nothing to complain about".to_owned(),
        1 => "1 hint, no error".to_owned(),
        hints => format!("{hints} hints, no error"),
    };
    writeln!(context.out, "{summary}; {hints}")?;
    Ok(())
}

fn print(
    checked: Result<(PolicySet, Diagnostics), PolicyError>,
    context: &mut Context<'_>,
) -> anyhow::Result<()> {
    let (set, diagnostics) = match checked {
        Ok((set, warnings)) => (Some(set), warnings),
        Err(error) => (None, error.0),
    };
    let policies = set.as_ref().map(|set| {
        let policies = set.policies().map(|policy| &policy.id);
        policies.map(ToString::to_string).collect::<Vec<_>>()
    });
    let answer = json!({
        "ok": set.is_some(),
        "set_hash": set.as_ref().map(|set| set.hash().to_string()),
        "policies": policies,
        "diagnostics": diagnostics.iter().collect::<Vec<_>>(),
    });
    print_json(&answer, context)?;
    if set.is_none() {
        bail!("the policies cannot be put in force");
    }
    Ok(())
}
