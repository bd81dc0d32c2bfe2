//! `core-mcp completions`.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::{app::App, cli::Cli, failure::Failure, output::write_out};

/// Print a completion script for a shell.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  core-mcp completions bash > /etc/bash_completion.d/core-mcp\n  \
    core-mcp completions zsh > \"${fpath[1]}/_core-mcp\"\n  core-mcp completions fish | source")]
pub(crate) struct Completions {
    /// The shell.
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(self, _app: &App) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "core-mcp", &mut script);
        let script =
            String::from_utf8(script).map_err(|error| Failure::local("the script is not text", error))?;
        write_out(&script)
    }
}
