//! Development tasks. `cargo xtask --help` lists them.
//!
//! Reading order: `test` (the one command that checks everything), `tidy` (rules about the repository),
//! `new_server` and `docs` (what is generated), `bench` (figures next to a peer's).

mod bench;
mod conformance;
mod docs;
mod new_server;
#[cfg(test)]
mod packaging;
mod shell;
mod test;
mod tidy;
mod workspace;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

/// Development tasks of core-mcp.
#[derive(Parser)]
#[command(name = "cargo xtask", disable_help_subcommand = true)]
struct Cli {
    /// Where the tools that tests need are kept between runs.
    #[arg(long, env = "CORE_MCP_DEV_CACHE", global = true, hide_env_values = true)]
    cache: Option<PathBuf>,
    /// The user's home, for the default of --cache.
    #[arg(long, env = "HOME", global = true, hide = true)]
    home: Option<PathBuf>,
    /// Where cargo builds. Unset: `target` in the cache.
    #[arg(long, env = "CARGO_TARGET_DIR", global = true, hide = true)]
    target_dir: Option<PathBuf>,
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Installs what the tests need, then runs every check, fastest first.
    Test(test::Options),
    /// Checks the rules about the repository itself.
    Tidy,
    /// Writes a new server under `servers/` and adds it to the catalogue.
    NewServer {
        /// Lower case words joined by `-`, for example `docker-manager`.
        name: String,
    },
    /// Writes the manual pages of the servers and the list of errors from the code.
    Docs {
        /// Changes nothing; fails when a page is not what would be written.
        #[arg(long)]
        check: bool,
    },
    /// Runs the official conformance suite against the fixture, per mode and revision.
    Conformance(conformance::Options),
    /// Measures ours and a peer's, interleaved, on the same input.
    Bench(bench::Options),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<()> {
    let places = workspace::Places::find(cli.cache, cli.home, cli.target_dir)?;
    match cli.task {
        Task::Test(options) => test::run(&places, &options),
        Task::Tidy => tidy::run(&places),
        Task::NewServer { name } => new_server::run(&places, &name),
        Task::Docs { check } => docs::run(&places, check),
        Task::Conformance(options) => conformance::run(&places, &options),
        Task::Bench(options) => bench::run(&places, &options),
    }
}
