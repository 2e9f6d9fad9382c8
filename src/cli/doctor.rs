//! `doctor`: looks an installation through, part by part, and says of each whether it is well, and if not,
//! what would be right. It changes nothing. What one part needs of another that is broken is left out, and
//! said so.

mod local;
mod outside;
mod store;

use anyhow::bail;
use clap::Args;
use serde::Serialize;

use super::text::{field, plain};
use super::{Context, print_json, wait_for};
use crate::settings::Settings;

/// What `doctor` takes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bookgate doctor
  bookgate doctor --offline
  bookgate doctor --json | jq '.findings[] | select(.state != \"ok\")'

Looks at settings, secrets, policies, disk, database, clock, at each source's
API, key and webhook, and whether a daemon answers. Each line is `ok`,
`warning` or `FAILED`, with what would be right. Changes nothing; asks each
provider two or three times. Works with a broken configuration as far as can be.
Exits with 1 if something failed.")]
pub(super) struct DoctorArgs {
    /// Ask no provider, and nobody else outside
    #[arg(long)]
    offline: bool,
}

/// How a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Ok,
    Warning,
    Failed,
}

/// What was found of one part.
#[derive(Debug, Serialize)]
struct Finding {
    /// Which part, such as `disk`.
    part: &'static str,
    state: State,
    what: String,
    /// What would be right.
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
}

/// All that was found, in order.
#[derive(Debug, Default, Serialize)]
struct Findings {
    findings: Vec<Finding>,
}

impl Findings {
    fn ok(&mut self, part: &'static str, what: impl Into<String>) {
        self.add(part, State::Ok, what.into(), None);
    }

    fn warning(&mut self, part: &'static str, what: impl Into<String>, help: impl Into<String>) {
        self.add(part, State::Warning, what.into(), Some(help.into()));
    }

    fn failed(&mut self, part: &'static str, what: impl Into<String>, help: impl Into<String>) {
        self.add(part, State::Failed, what.into(), Some(help.into()));
    }

    fn add(&mut self, part: &'static str, state: State, what: String, help: Option<String>) {
        self.findings.push(Finding {
            part,
            state,
            what,
            help,
        });
    }

    fn count(&self, state: State) -> usize {
        let findings = self.findings.iter();
        findings.filter(|finding| finding.state == state).count()
    }
}

/// Looks everything through.
pub(super) fn run(args: &DoctorArgs, json: bool, context: &mut Context<'_>) -> anyhow::Result<()> {
    let mut found = Findings::default();
    let settings = local::settings(context, &mut found);
    if let Some(settings) = &settings {
        local::secrets(settings, context, &mut found);
        local::policies(settings, &mut found);
        local::disk(settings, &mut found);
        local::privacy(settings, &mut found);
        wait_for(async {
            remote(args, settings, context, &mut found).await;
            Ok(())
        })?;
    }
    let failed = found.count(State::Failed);
    if json {
        print_json(&found, context)?;
    } else {
        print(&found, context)?;
    }
    match failed {
        0 => Ok(()),
        1 => bail!("1 check failed"),
        _ => bail!("{failed} checks failed"),
    }
}

/// What is asked of others, this machine's database among them.
async fn remote(
    args: &DoctorArgs,
    settings: &Settings,
    context: &Context<'_>,
    found: &mut Findings,
) {
    store::database(settings, context, found).await;
    outside::daemon(settings, found).await;
    if args.offline {
        return;
    }
    for (name, source) in &settings.sources {
        outside::source(name, source, context, found).await;
    }
}

fn print(found: &Findings, context: &mut Context<'_>) -> anyhow::Result<()> {
    let out = &mut *context.out;
    for finding in &found.findings {
        let state = match finding.state {
            State::Ok => "ok",
            State::Warning => "warning",
            State::Failed => "FAILED",
        };
        let lines: Vec<&str> = finding.what.lines().collect();
        match lines.as_slice() {
            [] | [_] => field(
                out,
                0,
                state,
                &format!("{}: {}", finding.part, finding.what),
            )?,
            // A report of several lines stands for itself.
            lines => {
                writeln!(out, "{state:<14}{}:", finding.part)?;
                for line in lines {
                    writeln!(out, "  {}", plain(line))?;
                }
            }
        }
        for line in finding.help.iter().flat_map(|help| help.lines()) {
            field(out, 0, "", &format!("-> {line}"))?;
        }
    }
    let [ok, warnings, failed] = [State::Ok, State::Warning, State::Failed].map(|s| found.count(s));
    Ok(writeln!(
        out,
        "\nok: {ok}, warnings: {warnings}, failed: {failed}"
    )?)
}
