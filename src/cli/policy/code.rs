//! `policy explain-code`: what a code of a diagnostic means.

use std::io::Write;

use clap::Args;
use serde_json::json;

use crate::cli::{Context, NotFound, print_json};
use crate::policy::codes::{Code, Severity};
use crate::policy::explain::{Example, FRAME};

/// What `policy explain-code` takes.
#[derive(Debug, Args)]
pub(in crate::cli) struct CodeArgs {
    /// The code, such as BG0103 [default: a line for each]
    code: Option<String>,
}

/// Explains.
pub(super) fn run(args: &CodeArgs, json: bool, context: &mut Context<'_>) -> anyhow::Result<()> {
    let Some(wanted) = &args.code else {
        return all(json, context);
    };
    let is_wanted = |code: &&Code| code.as_str().eq_ignore_ascii_case(wanted.trim());
    let Some(code) = Code::ALL.iter().find(is_wanted).copied() else {
        let message = format!("there is no code `{wanted}`; `policy explain-code` lists all");
        return Err(NotFound(message).into());
    };
    if json {
        return print_json(&in_json(code), context);
    }
    let out = &mut *context.out;
    writeln!(out, "{}[{code}]: {}", word(code.severity()), code.rule())?;
    let Some(about) = code.explanation() else {
        return Ok(());
    };
    writeln!(out, "\n{}", about.why)?;
    for (title, example) in [("Wrong", about.wrong), ("Right", about.right)] {
        writeln!(out, "\n{title}:\n")?;
        print(example, out)?;
    }
    Ok(())
}

fn all(json: bool, context: &mut Context<'_>) -> anyhow::Result<()> {
    if json {
        let codes: Vec<_> = Code::ALL.iter().map(|code| in_json(*code)).collect();
        return print_json(&codes, context);
    }
    for code in Code::ALL {
        let severity = word(code.severity());
        writeln!(context.out, "{code}  {severity:<8} {}", code.rule())?;
    }
    Ok(())
}

fn in_json(code: Code) -> serde_json::Value {
    let about = code.explanation();
    let text = |example: Example| match example {
        Example::Toml(text) if text.contains("schema =") => text.to_owned(),
        Example::Toml(text) => format!("{FRAME}{text}"),
        Example::Words(text) => text.to_owned(),
    };
    json!({
        "code": code,
        "severity": code.severity(),
        "rule": code.rule(),
        "why": about.map(|about| about.why),
        "wrong": about.map(|about| text(about.wrong)),
        "right": about.map(|about| text(about.right)),
    })
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

fn print(example: Example, out: &mut dyn Write) -> std::io::Result<()> {
    match example {
        Example::Toml(text) | Example::Words(text) => {
            for line in text.lines() {
                writeln!(out, "{}", format!("    {line}").trim_end())?;
            }
        }
    }
    Ok(())
}
