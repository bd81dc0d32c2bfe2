//! One gate between AI agents and real infrastructure: wiring and command line.
//!
//! Reading order: `cli` (flags), `commands` (one file per command), `app` (what a command is given),
//! `platform` (how the parts become one gate), `config`, `env` (the only reader of the environment).

mod app;
mod arguments;
mod ask;
mod cli;
mod commands;
mod config;
mod env;
mod failure;
mod logging;
mod output;
mod platform;
mod progress;
mod remote;
mod snippets;

use std::{ffi::OsString, process::ExitCode};

use clap::{CommandFactory, FromArgMatches};

use crate::{
    app::App,
    cli::Cli,
    commands::Command,
    env::Environment,
    failure::Failure,
    output::{Format, Output},
};

fn main() -> ExitCode {
    // Before any thread: a confined child is this program once more, with another first argument.
    if let Some(code) = sandbox::become_launcher_if_asked() {
        return code;
    }
    let environment = Environment::capture();
    let words: Vec<OsString> = std::env::args_os().collect();
    let colour = if environment.no_color { clap::ColorChoice::Never } else { clap::ColorChoice::Auto };
    let parsed = Cli::command().color(colour).try_get_matches_from(&words);
    match parsed.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => run(cli, environment),
        Err(error) => usage_error(&error, &words),
    }
}

fn run(cli: Cli, environment: Environment) -> ExitCode {
    let app = App::new(cli.common, environment);
    let output = app.output;
    let done = start(&cli.command, &app).and_then(|runtime| {
        let done = runtime.block_on(cli.command.run(app));
        // A thread that still waits for the terminal must not keep the process; the disk was waited for.
        runtime.shutdown_timeout(std::time::Duration::from_millis(500));
        done
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output.failure(&failure);
            ExitCode::from(failure.exit_code())
        }
    }
}

/// Everything that is set up once per process. Commands that keep running start their own log.
fn start(command: &Command, app: &App) -> Result<tokio::runtime::Runtime, Failure> {
    tls_provider()?;
    if !command.keeps_running() {
        logging::start_quiet(app.environment.log.as_deref(), app.environment.no_color)?;
    }
    runtime()
}

/// One crypto provider for the whole process.
fn tls_provider() -> Result<(), Failure> {
    rustls::crypto::ring::default_provider()
        .install_default()
        .map_err(|_| Failure::local("TLS cannot start", "another crypto provider is installed"))
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::local("the runtime cannot start", error))
}

/// Help and version are answers; anything else is exit code 2, as JSON when JSON was asked for.
fn usage_error(error: &clap::Error, words: &[OsString]) -> ExitCode {
    let wants_json = words.windows(2).any(|it| it[0] == "--output" && (it[1] == "json" || it[1] == "jsonl"))
        || words.iter().any(|it| it == "--output=json" || it == "--output=jsonl");
    if error.use_stderr() && wants_json {
        let text = error.render().to_string();
        let message = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
        Output::new(Format::Json, true).failure(&Failure::usage(message).hint("see --help"));
    } else {
        // Nobody is listening when this fails.
        drop(error.print());
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}
