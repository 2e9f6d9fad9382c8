//! The bookgate binary: hands the process to the command line, and its outcome to the shell.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use bookgate::cli::{self, Cli, Context};
use bookgate::domain::clock::SteadyClock;
use bookgate::settings::LoadOptions;
use clap::Parser;

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if let Some(text) = cli::describe(&error) {
                // Nothing is left to tell if stderr is gone.
                let _ = writeln!(std::io::stderr(), "{text}");
            }
            ExitCode::from(cli::exit_code(&error))
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    let mut context = Context {
        options: LoadOptions::of_process(None)?,
        clock: Arc::new(SteadyClock::start()),
        out: &mut stdout,
    };
    cli::run(cli, &mut context)?;
    Ok(stdout.flush()?)
}
