//! `ledger verify`: whether the books are right, from the stored rows alone.

use anyhow::bail;
use clap::Subcommand;
use serde_json::json;

use super::progress::Progress;
use super::{Context, print_json, reach, text};

/// Commands about the ledger.
#[derive(Debug, Subcommand)]
pub(super) enum LedgerCommand {
    /// Check every rule of the ledger on every row
    #[command(after_help = "\
Examples:
  bookgate ledger verify
  bookgate ledger verify --json | jq .ok

Also beside a running daemon. Lists what does not add up, and exits with 1 then.")]
    Verify,
}

/// Runs one of the commands.
pub(super) fn run(
    command: &LedgerCommand,
    json: bool,
    context: &mut Context<'_>,
) -> anyhow::Result<()> {
    match command {
        LedgerCommand::Verify => verify(json, context),
    }
}

fn verify(json: bool, context: &mut Context<'_>) -> anyhow::Result<()> {
    let progress = Progress::begin(json, "checking every rule on every row");
    let violations = reach::read(context, async |desk| desk.verify_ledger().await)?;
    drop(progress);
    if json {
        let answer = json!({"ok": violations.is_empty(), "violations": violations});
        print_json(&answer, context)?;
    } else if violations.is_empty() {
        writeln!(context.out, "the ledger adds up")?;
    } else {
        for violation in &violations {
            let what = text::plain(&violation.what);
            writeln!(context.out, "{}  {what}", violation.invariant)?;
        }
    }
    if !violations.is_empty() {
        bail!(
            "the ledger does not add up: {} found; stop topping up and keep a copy of the database",
            violations.len()
        );
    }
    Ok(())
}
