//! The command line: the tree of commands, and one file for each that does more than print. A
//! command writes what was asked for to [`Context::out`] and hands errors back; only `process` touches
//! the process, so tests run commands as the shell does.

mod admin_endpoint;
mod audit;
mod backup;
mod bookings;
mod completions;
mod credits;
mod dead_letters;
mod deliveries;
mod demo;
mod doctor;
mod healthcheck;
mod import;
mod init;
mod instances;
mod jobs;
mod journal;
mod ledger;
mod migrate;
mod notices;
mod page;
mod policy;
mod process;
mod progress;
mod reach;
mod reconcile;
mod retention;
mod serve;
mod service_manager;
mod settings_show;
mod status;
mod subscriptions;
mod tags;
#[cfg(test)]
mod tests;
mod text;
mod webhook;
mod when;

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use serde::Serialize;

use crate::app::PolicyError;
use crate::domain::clock::Clock;
use crate::gate::GateError;
use crate::settings::{self, LoadOptions, SettingsError};

pub use process::main;

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
  bookgate demo              see it work, on this machine alone
  bookgate init              settings, secrets and a first policy to start from
  bookgate policy check      whether the policies are sound, and if not, where
  bookgate serve             the daemon
  bookgate credits top-up ada@example.org 5
  bookgate bookings show calcom 4711

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
    /// See it work: the real daemon, a stand-in for Cal.com, and a story told step by step
    Demo(demo::DemoArgs),
    /// Run the daemon
    Serve(serve::ServeArgs),
    /// Ask the daemon on this machine whether it takes webhooks
    Healthcheck(healthcheck::HealthcheckArgs),
    /// Write a settings file, secrets and a first policy, and say what to enter at Cal.com
    Init(init::InitArgs),
    /// Look at policies
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    /// Look at accounts and put credit on them
    #[command(subcommand)]
    Credits(credits::CreditsCommand),
    /// Words that policies may ask for, put to people
    #[command(subcommand)]
    Tags(tags::TagsCommand),
    /// Look at bookings and what was decided about them
    #[command(subcommand)]
    Bookings(bookings::BookingsCommand),
    /// What the provider could not be told
    #[command(subcommand)]
    DeadLetters(dead_letters::DeadLettersCommand),
    /// The webhooks that are stored, and reading them again
    #[command(subcommand)]
    Deliveries(deliveries::DeliveriesCommand),
    /// What people have changed
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Which daemons there are on this database, and which of them live
    Instances(instances::InstancesArgs),
    /// What runs on a schedule
    #[command(subcommand)]
    Jobs(jobs::JobsCommand),
    /// Compare what the providers have with what is known here
    Reconcile(reconcile::ReconcileArgs),
    /// Who is told what happens, and what could not be told yet
    #[command(subcommand)]
    Notices(notices::NoticesCommand),
    /// Where Cal.com sends webhooks
    #[command(subcommand)]
    Calcom(subscriptions::ProviderCommand),
    /// Where Calendly sends webhooks
    #[command(subcommand)]
    Calendly(subscriptions::ProviderCommand),
    /// Check the ledger
    #[command(subcommand)]
    Ledger(ledger::LedgerCommand),
    /// How it stands: daemons, sources, what waits
    Status(status::StatusArgs),
    /// Look the installation through, and say what would be right
    Doctor(doctor::DoctorArgs),
    /// Look after the journal
    #[command(subcommand)]
    Journal(journal::JournalCommand),
    /// Remove what is old
    #[command(subcommand)]
    Retention(retention::RetentionCommand),
    /// Show the settings
    #[command(subcommand)]
    Settings(SettingsCommand),
    /// Copy the database, also while a daemon runs
    Backup(backup::BackupArgs),
    /// Move everything from the file to a PostgreSQL server
    Import(import::ImportArgs),
    /// Bring the database to this program's schema, without starting the daemon
    Migrate(migrate::MigrateArgs),
    /// Print the description of the admin API, as GET /v1/openapi.json serves it
    #[command(after_help = "\
Examples:
  bookgate openapi
  bookgate openapi | jq '.paths | keys'")]
    Openapi,
    /// Print what bash, zsh or fish needs to complete commands
    Completions(completions::CompletionsArgs),
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
  bookgate settings default > bookgate.toml
  bookgate settings default --json | jq .worker

As JSON without what it means, and without what has no default.")]
    Default,
}

/// What a command is given beside its arguments.
pub struct Context<'a> {
    /// Where settings come from. `--config` goes before its `file`.
    pub options: LoadOptions,
    /// The time.
    pub clock: Arc<dyn Clock>,
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
        Command::Demo(args) => demo::run(&args, json, context),
        Command::Serve(serve::ServeArgs {}) => serve::run(context),
        Command::Init(args) => init::run(&args, json, context),
        Command::Policy(command) => policy::run(&command, json, context),
        Command::Credits(command) => credits::run(command, json, context),
        Command::Tags(command) => tags::run(&command, json, context),
        Command::Bookings(command) => bookings::run(command, json, context),
        Command::DeadLetters(command) => dead_letters::run(&command, json, context),
        Command::Deliveries(command) => deliveries::run(&command, json, context),
        Command::Audit(command) => audit::run(command, json, context),
        Command::Healthcheck(healthcheck::HealthcheckArgs {}) => healthcheck::run(json, context),
        Command::Instances(instances::InstancesArgs {}) => instances::run(json, context),
        Command::Jobs(command) => jobs::run(&command, json, context),
        Command::Reconcile(args) => reconcile::run(&args, json, context),
        Command::Notices(command) => notices::run(command, json, context),
        Command::Calcom(command) => {
            subscriptions::run(settings::ProviderKind::Calcom, &command, json, context)
        }
        Command::Calendly(command) => {
            subscriptions::run(settings::ProviderKind::Calendly, &command, json, context)
        }
        Command::Ledger(command) => ledger::run(&command, json, context),
        Command::Status(status::StatusArgs {}) => status::run(json, context),
        Command::Doctor(args) => doctor::run(&args, json, context),
        Command::Journal(command) => journal::run(&command, json, context),
        Command::Backup(args) => backup::run(&args, json, context),
        Command::Import(args) => import::run(&args, json, context),
        Command::Migrate(migrate::MigrateArgs {}) => migrate::run(json, context),
        Command::Retention(command) => retention::run(&command, json, context),
        Command::Settings(SettingsCommand::Show) => settings_show::run(json, context),
        Command::Settings(SettingsCommand::Default) if json => {
            let defaults: toml::Table = toml::from_str(settings::DEFAULTS)?;
            print_json(&defaults, context)
        }
        Command::Settings(SettingsCommand::Default) => {
            Ok(context.out.write_all(settings::DEFAULTS.as_bytes())?)
        }
        Command::Openapi => Ok(writeln!(context.out, "{}", crate::http::openapi())?),
        Command::Completions(args) => completions::run(&args, context),
        Command::Webhook(command) => webhook::run(&command, json, context),
    }
}

/// What the gate refused, as the error that ends the process the right way.
fn refused(error: GateError) -> anyhow::Error {
    let text = error.to_string();
    match error {
        GateError::NotFound(_) => NotFound(text).into(),
        GateError::Invalid(_)
        | GateError::Amount(_)
        | GateError::Owner(_)
        | GateError::UnknownUnit { .. } => UsageError(text).into(),
        error => error.into(),
    }
}

/// Runs what has to wait for a database or a network, on this thread.
fn wait_for<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build();
    runtime.context("cannot start the runtime")?.block_on(work)
}

/// The answer as JSON, for `--json`.
fn print_json(answer: &impl Serialize, context: &mut Context<'_>) -> anyhow::Result<()> {
    serde_json::to_writer_pretty(&mut *context.out, answer)?;
    Ok(writeln!(context.out)?)
}

/// How the process ends after an error: see `EXAMPLES_AND_EXIT_CODES`. A reader that went away
/// (`| head`) is no failure.
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

/// What stderr says about an error: the whole chain, or nothing if nobody reads any more. Reports on
/// settings and policies stand for themselves.
pub fn describe(error: &anyhow::Error) -> Option<String> {
    if is_broken_pipe(error) {
        return None;
    }
    if let Some(settings) = error.downcast_ref::<SettingsError>() {
        return Some(settings.to_string());
    }
    if let Some(policies) = error.downcast_ref::<PolicyError>() {
        return Some(policies.to_string());
    }
    Some(format!("error: {error:#}"))
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    // Written as text, or as JSON, which wraps what the pipe says.
    let as_text = error.downcast_ref::<io::Error>().map(io::Error::kind);
    let as_json = error.downcast_ref::<serde_json::Error>();
    as_text.or_else(|| as_json?.io_error_kind()) == Some(io::ErrorKind::BrokenPipe)
}
