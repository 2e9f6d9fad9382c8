//! `policy`: whether a folder of policies may be put in force, and what is wrong where; what they say of a
//! webhook; and what an editor has to know to help with them.

mod code;
mod editor;
pub(in crate::cli) mod explain;
mod online;
mod reload;
mod report;
mod trial;

use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::{Args, Subcommand, ValueEnum};
use jiff::tz::TimeZone;

use self::report::{Format, Report};
use super::reach::{WriteArgs, only_a_daemon};
use super::{Context, print_json};
use crate::app::{PolicyError, check_policies};
use crate::policy::codes::{Code, Severity};
use crate::policy::{Diagnostics, PolicySet};
use crate::settings::{Extent, Settings};

/// Commands about policies.
#[derive(Debug, Subcommand)]
pub(super) enum PolicyCommand {
    /// Check every policy of a folder, and run the tests inside them
    #[command(after_help = "\
Examples:
  bookgate policy check
  bookgate policy check policies/ --deny warnings
  bookgate policy check --online                       are the event types there?
  bookgate policy check policies/ --format github      in a GitHub workflow
  bookgate policy check policies/ --format sarif > policies.sarif
  bookgate policy check --format json | jq '.diagnostics[].message'

Needs no settings file and no secrets; units come from the settings, if there
are any. With --online it needs both: it asks the API of each source for the
event types of its key's own user (Cal.com's v2). `policy explain-code BG0103` explains a code.

Exit codes:
  0  they may be put in force
  1  they may not, or there is a warning and --deny warnings
  2  the command line or the settings are wrong")]
    Check(CheckArgs),
    /// Run the tests inside policies, and say what they leave untried
    #[command(after_help = "\
Examples:
  bookgate policy test
  bookgate policy test policies/ --require-coverage

A criterion is covered if some test shows it met, and some test not met.

Exit codes:
  0  all tests pass
  1  one fails or a policy is wrong; or something is not covered, and
     --require-coverage
  2  the command line or the settings are wrong")]
    Test(TestArgs),
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
    /// Tell what policies in shadow would have decided otherwise: how many bookings, which, and why
    #[command(after_help = "\
Examples:
  bookgate policy diff
  bookgate policy diff --since 14d --policy club-next
  bookgate policy diff --since 2027-03-01 --limit 500
  bookgate policy diff --format json | jq '.policies[].changes[].booking'

A policy with `mode = \"shadow\"` is asked about every booking, and its word is kept
beside the verdict; this reads that. Each booking is judged by itself: that its
booker would have more or less credit by then is not played through.

Also beside a running daemon. Nothing is changed.")]
    Diff(trial::DiffArgs),
    /// Tell what a changed policy would have made of past bookings: how many, which, and why
    #[command(after_help = "\
Examples:
  bookgate policy replay --file club-next.toml
  bookgate policy replay --file policies/club.toml --since 90d
  bookgate policy replay --dir next/ --since 30d --format json | jq .trial.turns

The file takes the place of the policy with its id, among the others as they are
now; its list files are looked for beside it. With `mode = \"shadow\"` it is asked as
if it were in force. It judges each past decision by what was looked at then: where
it asks for more, it cannot tell, and that is counted apart. What persons, hosts
and moves decided is left out.

Also beside a running daemon: the database is read in small pages, and nothing is
changed, decided, told or called.")]
    Replay(trial::ReplayArgs),
    /// Explain a code such as BG0103: the rule, why it is there, what breaks it, what would be right
    #[command(after_help = "\
Examples:
  bookgate policy explain-code BG0103
  bookgate policy explain-code                          all codes, a line each")]
    ExplainCode(code::CodeArgs),
    /// Print the JSON Schema of policies, for editors
    #[command(after_help = "\
Examples:
  bookgate policy schema > policies/policy.schema.json
  bookgate policy schema next/ > next/policy.schema.json

It has the kinds of this program and those in `kinds/` of the folder: write it
anew when you add one, because editors underline all others.

Then write `#:schema ./policy.schema.json` as the first line of a policy: editors
that know Taplo (Even Better TOML in VS Code) complete keys and underline slips.
The schema knows less than `policy check`, which alone decides.")]
    Schema(editor::SchemaArgs),
    /// Have the daemon read its policies again, now
    #[command(after_help = "\
Examples:
  bookgate policy reload
  bookgate policy reload --admin-url http://gate-2.internal:8081

A daemon reads them by itself when their files change (policies.look_ms), and on
SIGHUP. Of several daemons each has a folder of its own, so each is told by its
own address. If anything is wrong in any file, all of it is printed, the command
exits with 1, and the policies that were in force go on.")]
    #[command(mut_arg("admin_url", only_a_daemon))]
    Reload(WriteArgs),
}

/// What `policy check` takes.
#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    folder: Folder,
    /// Take these for errors, too
    #[arg(long, value_name = "WHAT")]
    deny: Option<Deny>,
    /// Ask the providers whether the event types that policies are for are there
    #[arg(long)]
    online: bool,
}

/// What `policy test` takes.
#[derive(Debug, Args)]
pub(super) struct TestArgs {
    #[command(flatten)]
    folder: Folder,
    /// Take it for an error if no test shows a criterion met, or none shows it not met
    #[arg(long)]
    require_coverage: bool,
}

/// Which policies, and how to tell of them.
#[derive(Debug, Args)]
struct Folder {
    /// The folder [default: policies.dir of the settings]
    dir: Option<PathBuf>,
    /// How to print what was found [default: text]
    #[arg(long, value_name = "FORMAT", conflicts_with = "json")]
    format: Option<Format>,
}

/// What may be taken for an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Deny {
    /// What is probably not what was meant
    Warnings,
}

/// Runs one of the commands.
pub(super) fn run(
    command: &PolicyCommand,
    json: bool,
    context: &mut Context<'_>,
) -> anyhow::Result<()> {
    match command {
        PolicyCommand::Check(args) => check(args, json, context),
        PolicyCommand::Test(args) => test(args, json, context),
        PolicyCommand::Explain(args) => explain::run(args, json, context),
        PolicyCommand::Diff(args) => trial::diff(args, json, context),
        PolicyCommand::Replay(args) => trial::replay(args, json, context),
        PolicyCommand::ExplainCode(args) => code::run(args, json, context),
        PolicyCommand::Schema(args) => editor::run(args, context),
        PolicyCommand::Reload(place) => reload::run(place, json, context),
    }
}

/// Policies that were read, and what was found.
struct Read {
    /// The folder as the settings or the command line name it.
    dir: PathBuf,
    set: Option<PolicySet>,
    found: Diagnostics,
    format: Format,
}

/// The folder that the command line names, or else the settings.
fn dir_of(named: Option<&Path>, settings: &Settings, context: &Context<'_>) -> PathBuf {
    match named {
        Some(dir) => context.options.working_dir.join(dir),
        None => settings.policies.dir.clone(),
    }
}

impl Folder {
    fn read(&self, json: bool, context: &Context<'_>) -> anyhow::Result<Read> {
        let settings = Settings::load_extent(&context.options, Extent::Offline)?;
        let here = &context.options.working_dir;
        let dir = dir_of(self.dir.as_deref(), &settings, context);
        let today = context.clock.now().to_zoned(TimeZone::UTC).date();
        let (set, found) = match check_policies(&dir, &settings) {
            Ok((set, hints)) => {
                let old = set.old_shadows(today);
                (Some(set), hints.and(old))
            }
            Err(PolicyError(errors)) => (None, errors),
        };
        let format = if json { Format::Json } else { Format::Text };
        Ok(Read {
            dir: dir.strip_prefix(here).unwrap_or(&dir).to_owned(),
            set,
            found,
            format: self.format.unwrap_or(format),
        })
    }
}

impl Read {
    /// Prints what was found, and `summary` for people.
    fn tell(self, summary: &str, context: &mut Context<'_>) -> anyhow::Result<()> {
        let failed = self.found.has_errors();
        let report = Report {
            set: self.set.as_ref(),
            found: &self.found,
            dir: self.dir,
            failed,
        };
        match self.format {
            Format::Text if failed => return Err(PolicyError(self.found).into()),
            Format::Text => {
                if !self.found.is_empty() {
                    writeln!(context.out, "{}\n", self.found.render(false))?;
                }
                writeln!(context.out, "{summary}")?;
            }
            Format::Json => print_json(&report.json(), context)?,
            Format::Sarif => print_json(&report.sarif(), context)?,
            Format::Github => write!(context.out, "{}", report.github())?,
        }
        if failed {
            bail!("the policies cannot be put in force");
        }
        Ok(())
    }
}

fn check(args: &CheckArgs, json: bool, context: &mut Context<'_>) -> anyhow::Result<()> {
    let mut read = args.folder.read(json, context)?;
    if let (true, Some(set)) = (args.online, &read.set) {
        let known = online::event_types(context)?;
        read.found = read.found.and(set.unknown_event_types(&known));
    }
    if args.deny == Some(Deny::Warnings) {
        read.found = read.found.raised(|one| one.severity == Severity::Warning);
    }
    let hints = match read.found.iter().count() {
        0 => "nothing to complain about".to_owned(),
        1 => "1 hint, no error".to_owned(),
        hints => format!("{hints} hints, no error"),
    };
    let summary = format!("{}; {hints}", counted(read.set.as_ref(), &read.dir));
    read.tell(&summary, context)
}

fn counted(set: Option<&PolicySet>, dir: &Path) -> String {
    match set.map_or(0, |set| set.policies().count()) {
        0 => format!(
            "no policy in {}: every booking would be deferred",
            dir.display()
        ),
        1 => "1 policy".to_owned(),
        policies => format!("{policies} policies"),
    }
}

fn test(args: &TestArgs, json: bool, context: &mut Context<'_>) -> anyhow::Result<()> {
    let untried = |code| matches!(code, Code::NoTests | Code::NeverFails | Code::NeverPasses);
    let mut read = args.folder.read(json, context)?;
    // Other hints are for `policy check`.
    read.found = read
        .found
        .only(|one| one.severity == Severity::Error || untried(one.code));
    if args.require_coverage {
        read.found = read.found.raised(|one| untried(one.code));
    }
    let policies: Vec<_> = read.set.iter().flat_map(PolicySet::policies).collect();
    let tests: usize = policies.iter().map(|policy| policy.tests).sum();
    let asked: usize = policies
        .iter()
        .map(|policy| policy.require.criteria().len())
        .sum();
    let summary = format!(
        "{}; tests passed: {tests}; criteria asked: {asked}, {}",
        counted(read.set.as_ref(), &read.dir),
        match read.found.iter().count() {
            0 => "each seen met and not met".to_owned(),
            1 => "1 hint on what no test has tried".to_owned(),
            hints => format!("{hints} hints on what no test has tried"),
        }
    );
    read.tell(&summary, context)
}
