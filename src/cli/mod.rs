//! The command line: the tree of commands, and one file for each that does more than print. A
//! command writes what was asked for to [`Context::out`] and hands errors back; it never touches
//! the process, so tests run commands as the shell does.

mod init;
mod settings_show;
#[cfg(test)]
mod tests;
mod webhook;

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::domain::clock::Clock;
use crate::settings::{self, LoadOptions, SettingsError};

/// A doorman for calendars: decides signed booking webhooks by policy and credit, once, and can say
/// why.
#[derive(Debug, Parser)]
#[command(name = "bookgate", version, propagate_version = true, after_help = EXAMPLES_AND_EXIT_CODES)]
pub struct Cli {
    #[command(flatten)]
    shared: Shared,
    #[command(subcommand)]
    command: Command,
}

/// What `--help` says below the options.
const EXAMPLES_AND_EXIT_CODES: &str = "\
Examples:
  bookgate init                  a settings file, secrets and a first policy in this folder
  bookgate settings show         what holds, and where each value comes from
  bookgate settings default      every setting, explained
  bookgate webhook sign --secret env:BOOKGATE_CALCOM_SECRET

Exit codes:
  0  done
  1  failed: stderr says why
  2  the command line or the settings are wrong
  3  there is no such thing";

/// Options that every command takes.
#[derive(Debug, Args)]
struct Shared {
    /// The settings file [default: what BOOKGATE_CONFIG names, else bookgate.toml, if it exists]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print JSON instead of text
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a settings file, secrets and a first policy, and say what to enter at Cal.com
    Init(init::InitArgs),
    /// Show the settings
    #[command(subcommand)]
    Settings(SettingsCommand),
    /// Make webhooks for trying things out
    #[command(subcommand)]
    Webhook(webhook::WebhookCommand),
}

#[derive(Debug, Subcommand)]
enum SettingsCommand {
    /// Print what holds and where each value comes from; secrets are never printed
    #[command(after_help = "\
Examples:
  bookgate settings show
  bookgate --config /etc/bookgate/bookgate.toml settings show
  bookgate settings show --json | jq '.[] | select(.origin != \"default\")'

Exits with 2 if a daemon would not start with these settings, and says why.")]
    Show,
    /// Print every setting with its default and what it means
    #[command(after_help = "\
Examples:
  bookgate settings default
  bookgate settings default > bookgate.toml")]
    Default,
}

/// What a command is given beside its arguments.
pub struct Context<'a> {
    /// Where settings come from. `--config` goes before its `file`.
    pub options: LoadOptions,
    /// The time.
    pub clock: &'a dyn Clock,
    /// Where the answer goes.
    pub out: &'a mut dyn Write,
}

/// There is no such thing: an account, a booking, a dead letter.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NotFound(pub String);

/// What was asked for cannot be done that way; the message says how it can.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);

/// Runs a command.
///
/// # Errors
/// Whatever kept it from being done; [`exit_code`] says how the process ends.
pub fn run(cli: Cli, context: &mut Context<'_>) -> anyhow::Result<()> {
    let Shared { config, json } = cli.shared;
    context.options.file = config.or(context.options.file.take());
    match cli.command {
        Command::Init(args) => init::run(&args, json, context),
        Command::Settings(SettingsCommand::Show) => settings_show::run(json, context),
        Command::Settings(SettingsCommand::Default) => {
            Ok(context.out.write_all(settings::DEFAULTS.as_bytes())?)
        }
        Command::Webhook(command) => webhook::run(&command, json, context),
    }
}

/// How the process ends after an error: see `EXAMPLES_AND_EXIT_CODES`. A reader that went away (`| head`) is
/// no failure.
pub fn exit_code(error: &anyhow::Error) -> u8 {
    if is_broken_pipe(error) {
        0
    } else if error.is::<SettingsError>() || error.is::<UsageError>() {
        2
    } else if error.is::<NotFound>() {
        3
    } else {
        1
    }
}

/// What stderr says about an error: the whole chain, or nothing if nobody reads any more.
pub fn describe(error: &anyhow::Error) -> Option<String> {
    if is_broken_pipe(error) {
        return None;
    }
    if let Some(settings) = error.downcast_ref::<SettingsError>() {
        return Some(settings.to_string());
    }
    Some(format!("error: {error:#}"))
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
