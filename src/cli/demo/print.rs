//! The story for people, in 80 columns.

use std::io::Write;
use std::path::Path;

use super::installation::Installation;
use super::told::{Decided, Step, Webhook};
use crate::policy::{CriterionTrace, TraceResult};

const WIDTH: usize = 80;
/// Where what follows a label begins.
const INDENT: usize = 12;

/// What runs where.
pub(super) fn opening(out: &mut dyn Write, it: &Installation) -> anyhow::Result<()> {
    writeln!(
        out,
        "The real daemon on a store of its own, and stand-ins for Cal.com and Calendly.\n\
         All listen on loopback, and nothing leaves this machine.\n"
    )?;
    line(
        out,
        "webhooks",
        &format!("{0}/webhooks/calcom, {0}/webhooks/calendly", it.public),
    )?;
    line(out, "admin", it.admin.as_str())?;
    line(
        out,
        "Cal.com",
        &format!("{}/v2 (stand-in)", it.calcom.base_url()),
    )?;
    line(
        out,
        "Calendly",
        &format!("{} (stand-in)", it.calendly.base_url()),
    )?;
    line(out, "folder", &it.folder().display().to_string())?;
    line(
        out,
        "policy",
        "policies/executive-book-club.toml: 2 credits a session",
    )?;
    let now = it.now().strftime("%A, %-d %B %Y, %H:%M UTC");
    line(out, "clock", &format!("{now}, moved by hand"))?;
    Ok(out.flush()?)
}

/// One step.
pub(super) fn step(out: &mut dyn Write, number: usize, step: &Step) -> anyhow::Result<()> {
    writeln!(out, "\n{number}. {}", step.title)?;
    for text in &step.happened {
        line(out, "", text)?;
    }
    webhooks(out, &step.webhooks)?;
    if let Some(decision) = &step.decision {
        decided(out, decision)?;
    }
    for call in &step.calls {
        let answered = call
            .answered
            .map_or("-".to_owned(), |status| status.to_string());
        let text = format!("{:<4} {} -> {answered}", call.method, call.path);
        line(out, "call", &text)?;
    }
    webhooks(out, &step.echoes)?;
    for entry in &step.entries {
        let text = format!(
            "{:<8} {:<6} {:>4}   posted {:>3}, held {:>3}",
            entry.kind, entry.layer, entry.amount, entry.posted_after, entry.held_after
        );
        line(out, "entry", &text)?;
    }
    for account in &step.accounts {
        for balance in &account.balances {
            let text = format!(
                "{:<20} {} {}: {} held, {} available",
                account.owner, balance.posted, balance.unit, balance.held, balance.available
            );
            line(out, "balance", &text)?;
        }
    }
    line(out, "=>", &step.shows)?;
    Ok(out.flush()?)
}

fn webhooks(out: &mut dyn Write, webhooks: &[Webhook]) -> anyhow::Result<()> {
    for webhook in webhooks {
        let text = format!(
            "{:<18} {} -> {}",
            webhook.trigger, webhook.booking, webhook.answered
        );
        line(out, "webhook", &text)?;
    }
    Ok(())
}

fn decided(out: &mut dyn Write, decision: &Decided) -> anyhow::Result<()> {
    let policy = decision.policy.as_deref().unwrap_or("no policy");
    let cost = decision.cost.as_deref().unwrap_or("nothing");
    let outcome = decision.outcome.as_str().to_uppercase();
    line(
        out,
        "decision",
        &format!("{outcome} by {policy}, price {cost}"),
    )?;
    for criterion in &decision.trace.criteria {
        line(out, "", &answer(criterion))?;
    }
    if let Some(message) = &decision.message {
        line(out, "told", &format!("\"{message}\""))?;
    }
    Ok(())
}

/// `pass  has-credit: available 5, cost 2`
fn answer(criterion: &CriterionTrace) -> String {
    let word = match criterion.result {
        TraceResult::Pass => "pass",
        TraceResult::Fail => "FAIL",
        TraceResult::Unknown => "unknown",
        TraceResult::NotEvaluated => "not asked",
        TraceResult::Skipped => "skipped",
    };
    let facts = criterion
        .facts
        .iter()
        .map(|(name, value)| format!("{name} {value}"));
    let facts = facts.collect::<Vec<_>>().join(", ");
    format!("{word}  {}: {facts}", criterion.id)
}

/// How to go on.
pub(super) fn ending(out: &mut dyn Write, kept: Option<&Path>) -> anyhow::Result<()> {
    match kept {
        Some(folder) => writeln!(
            out,
            "\nKept: {}\n\
             bookgate.toml (settings), policies/, journal/ and bookgate.db (the store).",
            folder.display()
        )?,
        None => writeln!(
            out,
            "\nEverything came out as told, and the folder is gone (--keep keeps it)."
        )?,
    }
    Ok(out.write_all(GO_ON.as_bytes())?)
}

const GO_ON: &str = "
To go on for real:
  1. bookgate init --public-url https://YOUR.HOST
     writes settings, secrets and a first policy, and prints what to enter at
     Cal.com: \"Requires confirmation\" on the event type; a webhook to
     https://YOUR.HOST/webhooks/calcom with the secret; an API key.
  2. set -a; . ./bookgate.env; set +a
     bookgate serve
     behind a proxy with TLS that passes /webhooks/ on to 127.0.0.1:8080.
  3. Top up an account (README.md, \"The first booking\"), and book a session.
";

/// A label and a text behind it, broken at words so that it fits.
fn line(out: &mut dyn Write, label: &str, text: &str) -> std::io::Result<()> {
    let mut label = label;
    let mut row = String::new();
    for word in text.split_inclusive(' ') {
        let fits = INDENT + row.chars().count() + word.trim_end().chars().count() <= WIDTH;
        if !fits && !row.is_empty() {
            put(out, label, &row)?;
            label = "";
            row.clear();
        }
        row.push_str(word);
    }
    put(out, label, &row)
}

fn put(out: &mut dyn Write, label: &str, row: &str) -> std::io::Result<()> {
    let width = INDENT - 4;
    writeln!(out, "   {label:<width$} {}", row.trim_end())
}
