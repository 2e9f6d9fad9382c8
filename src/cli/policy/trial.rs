//! `policy diff` and `policy replay`: what policies would have made of what was decided.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::Format;
use crate::app::{check_policies, check_policies_with};
use crate::cli::progress::Progress;
use crate::cli::text::{field, or_dash, plain, second};
use crate::cli::when::When;
use crate::cli::{Context, UsageError, print_json, reach};
use crate::gate::{CHANGES_MAX, Candidate, ChangedDecision, Trial};
use crate::policy::Mode;
use crate::settings::{Extent, Settings};

/// What `policy diff` takes.
#[derive(Debug, Args)]
pub(in crate::cli) struct DiffArgs {
    /// Decisions since then: so long ago, such as 14d, or a time: 2027-03-01T00:00:00Z, 2027-03-01 (from its
    /// beginning, UTC)
    #[arg(long, value_name = "WHEN", default_value = "14d")]
    since: When,
    /// Only this policy in shadow
    #[arg(long, value_name = "ID")]
    policy: Option<String>,
    #[command(flatten)]
    shown: Shown,
}

/// What `policy replay` takes.
#[derive(Debug, Args)]
pub(in crate::cli) struct ReplayArgs {
    /// A policy that takes the place of the one with its id, or joins those there are
    #[arg(long, required_unless_present = "dir")]
    file: Option<PathBuf>,
    /// A folder of policies: alone, instead of all there are; with --file, those that it joins [default:
    /// policies.dir of the settings]
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
    /// Decisions since then: so long ago, such as 30d, or a time: 2027-03-01T00:00:00Z, 2027-03-01 (from its
    /// beginning, UTC)
    #[arg(long, value_name = "WHEN", default_value = "30d")]
    since: When,
    #[command(flatten)]
    shown: Shown,
}

/// How to tell of what would have gone otherwise.
#[derive(Debug, Args)]
struct Shown {
    /// How many bookings to tell one by one; all are counted
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(0..=CHANGES_MAX as i64))]
    limit: u32,
    /// `text` or `json` [default: text]
    #[arg(long, value_name = "FORMAT", value_parser = text_or_json)]
    format: Option<Format>,
}

fn text_or_json(text: &str) -> Result<Format, String> {
    match text {
        "text" => Ok(Format::Text),
        "json" => Ok(Format::Json),
        _ => Err("text or json".to_owned()),
    }
}

impl Shown {
    fn is_json(&self, json: bool) -> bool {
        json || matches!(self.format, Some(Format::Json))
    }

    fn cut(&self, trial: &mut Trial) {
        trial.changes.truncate(self.limit as usize);
    }
}

/// What policies in shadow would have decided otherwise.
pub(super) fn diff(args: &DiffArgs, json: bool, context: &mut Context<'_>) -> anyhow::Result<()> {
    let since = args.since.at(context.clock.now());
    let json = args.shown.is_json(json);
    let progress = Progress::begin(json, "reading what was decided");
    let mut trials = reach::read(context, async |desk| {
        let tell = |seen| progress.tell(format!("{seen} compared"));
        desk.diff_shadows(args.policy.clone(), since, tell).await
    })?;
    drop(progress);
    trials.values_mut().for_each(|trial| args.shown.cut(trial));
    if json {
        return print_json(&json!({ "since": since, "policies": trials }), context);
    }
    if trials.is_empty() {
        let nothing = "no policy in shadow was asked since then";
        return Ok(writeln!(context.out, "{nothing} ({})", second(since))?);
    }
    for (number, (policy, trial)) in trials.iter().enumerate() {
        if number > 0 {
            writeln!(context.out)?;
        }
        let title = format!("Policy {policy}, in shadow, since {}", second(since));
        tell(&title, trial, context)?;
    }
    Ok(())
}

/// What other policies would have made of what was decided.
pub(super) fn replay(
    args: &ReplayArgs,
    json: bool,
    context: &mut Context<'_>,
) -> anyhow::Result<()> {
    let since = args.since.at(context.clock.now());
    let json = args.shown.is_json(json);
    let (candidate, what) = candidate(args, context)?;
    let progress = Progress::begin(json, "reading what was decided");
    let mut trial = reach::read(context, async |desk| {
        let tell = |seen| progress.tell(format!("{seen} decided again"));
        desk.try_out(&candidate, since, tell).await
    })?;
    drop(progress);
    args.shown.cut(&mut trial);
    if json {
        let hash = candidate.set.hash();
        let told =
            json!({ "since": since, "set_hash": hash, "shadow": candidate.shadow, "trial": trial });
        return print_json(&told, context);
    }
    let title = format!("{what}, since {}", second(since));
    tell(&title, &trial, context)
}

/// The policies to try out, and how to call them.
fn candidate(args: &ReplayArgs, context: &Context<'_>) -> anyhow::Result<(Candidate, String)> {
    let settings = Settings::load_extent(&context.options, Extent::Offline)?;
    let here = &context.options.working_dir;
    let dir = match &args.dir {
        Some(dir) => here.join(dir),
        None => settings.policies.dir.clone(),
    };
    let Some(file) = &args.file else {
        let (set, _) = check_policies(&dir, &settings)?;
        let what = format!("The policies in {}", dir.display());
        return Ok((Candidate { set, shadow: None }, what));
    };
    let (set, id) = check_policies_with(&dir, &here.join(file), &settings)?;
    let policy = set.policies().find(|policy| policy.id == id);
    let mode = policy.map(|policy| policy.mode);
    if mode == Some(Mode::Off) {
        let why = format!("`{id}` is switched off (mode = \"off\"), so it would change nothing");
        return Err(UsageError(why).into());
    }
    let shadow = (mode == Some(Mode::Shadow)).then(|| id.clone());
    Ok((Candidate { set, shadow }, format!("Policy {id}")))
}

fn tell(title: &str, trial: &Trial, context: &mut Context<'_>) -> anyhow::Result<()> {
    let out = &mut *context.out;
    writeln!(out, "{}", plain(title))?;
    field(out, 2, "compared", &trial.compared.to_string())?;
    let turns = trial.turns.iter();
    let turns: Vec<_> = turns
        .map(|(turn, count)| format!("{count} {turn}"))
        .collect();
    let turns = match turns.is_empty() {
        true => String::new(),
        false => format!(" ({})", turns.join(", ")),
    };
    field(out, 2, "otherwise", &format!("{}{turns}", trial.changed))?;
    for (unit, totals) in &trial.credits {
        let text = format!(
            "{} {unit} instead of {} ({} more)",
            totals.would, totals.was, totals.more
        );
        field(out, 2, "credits", &text)?;
    }
    for (why, count) in &trial.cannot_tell {
        field(out, 2, "cannot tell", &format!("{count} ({why})"))?;
    }
    for (why, count) in &trial.skipped {
        field(out, 2, "left out", &format!("{count} ({why})"))?;
    }
    for change in &trial.changes {
        one(change, context)?;
    }
    let told = trial.changes.len() as u64;
    if told < trial.changed {
        writeln!(
            context.out,
            "\nand {} more: --limit tells more of them",
            trial.changed - told
        )?;
    }
    Ok(())
}

fn one(change: &ChangedDecision, context: &mut Context<'_>) -> anyhow::Result<()> {
    let out = &mut *context.out;
    writeln!(out, "\n{}", plain(&change.booking))?;
    field(out, 2, "start", &second(change.start))?;
    let cost = |cost: &Option<String>| match cost {
        Some(cost) => format!(" for {cost}"),
        None => String::new(),
    };
    let was = format!(
        "{}{} (decided {} by {})",
        change.was.as_str(),
        cost(&change.was_cost),
        second(change.decided_at),
        or_dash(change.was_by.as_ref())
    );
    field(out, 2, "was", &was)?;
    let would = format!("{}{}", change.would.as_str(), cost(&change.would_cost));
    field(out, 2, "would be", &would)?;
    if !change.why.is_empty() {
        field(out, 2, "because", &change.why)?;
    }
    Ok(())
}
