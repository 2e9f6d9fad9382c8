//! `policy reload`: has a daemon read its policies again.

use anyhow::bail;
use serde_json::Value;

use crate::cli::admin_endpoint::Refusal;
use crate::cli::reach::{self, WriteArgs};
use crate::cli::text::plain;
use crate::cli::{Context, print_json, wait_for};

/// Tells it, and prints what came of it.
pub(super) fn run(place: &WriteArgs, json: bool, context: &mut Context<'_>) -> anyhow::Result<()> {
    let daemon = reach::to_daemon(place, context)?;
    let path = ["v1", "policies", "reload"];
    let answer = wait_for(async { daemon.post(&path, None, None).await });
    let policies = match answer {
        Ok(answer) => answer.body,
        Err(error) => return refused(error, json, context),
    };
    if json {
        return print_json(&policies, context);
    }
    let count = policies["policies"].as_array().map_or(0, Vec::len);
    let hash = policies["hash"].as_str().unwrap_or_default();
    report(&policies["last_attempt"], context)?;
    Ok(writeln!(
        context.out,
        "policies in force: {count} ({})",
        plain(hash)
    )?)
}

fn refused(error: anyhow::Error, json: bool, context: &mut Context<'_>) -> anyhow::Result<()> {
    let refusal = error.downcast::<Refusal>()?;
    let attempt = &refusal.problem["last_attempt"];
    if attempt.is_null() {
        return Err(refusal.into());
    }
    match json {
        true => print_json(&refusal.problem, context)?,
        false => report(attempt, context)?,
    }
    bail!("the policies were refused; those that were in force go on");
}

fn report(attempt: &Value, context: &mut Context<'_>) -> anyhow::Result<()> {
    let lines = attempt["report"].as_str().unwrap_or_default().lines();
    for line in lines {
        writeln!(context.out, "{}", plain(line))?;
    }
    Ok(())
}
