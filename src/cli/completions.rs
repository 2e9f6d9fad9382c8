//! `completions`: what a shell needs to complete our commands and options.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::{Cli, Context};

/// What `completions` takes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bookgate completions bash > ~/.local/share/bash-completion/completions/bookgate
  bookgate completions zsh > ~/.zfunc/_bookgate     # and fpath+=~/.zfunc in .zshrc
  bookgate completions fish > ~/.config/fish/completions/bookgate.fish

For everybody on the machine: /usr/share/bash-completion/completions/bookgate,
/usr/share/zsh/vendor-completions/_bookgate,
/usr/share/fish/vendor_completions.d/bookgate.fish. Open a new shell after it.")]
pub(super) struct CompletionsArgs {
    /// For which shell
    #[arg(value_parser = shell)]
    shell: Shell,
}

fn shell(text: &str) -> Result<Shell, String> {
    match text {
        "bash" => Ok(Shell::Bash),
        "zsh" => Ok(Shell::Zsh),
        "fish" => Ok(Shell::Fish),
        _ => Err("bash, zsh or fish".to_owned()),
    }
}

/// Prints the script.
pub(super) fn run(args: &CompletionsArgs, context: &mut Context<'_>) -> anyhow::Result<()> {
    // The generator cannot fail, so a reader that goes away must not be met inside it.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "bookgate", &mut script);
    Ok(context.out.write_all(&script)?)
}
