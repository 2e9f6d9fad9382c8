//! The process around a command: its arguments, its streams and its exit code.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;

use super::{Cli, Context, describe, exit_code, run};
use crate::domain::clock::SteadyClock;
use crate::settings::LoadOptions;

/// Does what the arguments of the process ask for. All there is to a `main`; whoever adds something of their
/// own, such as [kinds of criteria](crate::policy::kinds::add), does so before.
pub fn main() -> ExitCode {
    match on_stdout(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if let Some(text) = describe(&error) {
                // Nothing is left to tell if stderr is gone.
                let _ = writeln!(std::io::stderr(), "{text}");
            }
            ExitCode::from(exit_code(&error))
        }
    }
}

fn on_stdout(cli: Cli) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    let mut context = Context {
        options: LoadOptions::of_process(None)?,
        clock: Arc::new(SteadyClock::start()),
        out: &mut stdout,
    };
    run(cli, &mut context)?;
    Ok(stdout.flush()?)
}
