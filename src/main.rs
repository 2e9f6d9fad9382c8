//! The bookgate binary: hands the process to the command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    bookgate::cli::main()
}
