//! One file per command.

use clap::Subcommand;

use crate::{app::App, failure::Failure};

mod approval;
mod audit;
mod batch;
mod call;
mod completions;
mod config;
mod context;
mod doctor;
mod policy;
mod quickstart;
mod role;
mod secret;
mod serve;
mod servers;
mod stdio;
mod token;
mod tools;
mod user;
mod workflow;

pub(crate) use config::write_private;

/// The commands, in the order a reader should meet them.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Quickstart(quickstart::Quickstart),
    Serve(serve::Serve),
    Stdio(stdio::Stdio),
    Call(call::Call),
    Batch(batch::Batch),
    Workflow(workflow::Workflow),
    Servers(servers::Servers),
    Tools(tools::Tools),
    Context(context::Context),
    Audit(audit::Audit),
    Policy(policy::Policy),
    User(user::User),
    Role(role::Role),
    Token(token::Token),
    Secret(secret::Secret),
    Approval(approval::Approval),
    Config(config::Config),
    Doctor(doctor::Doctor),
    Completions(completions::Completions),
}

impl Command {
    /// Whether it serves clients until it is stopped, with the log that the configuration asks for.
    pub(crate) fn keeps_running(&self) -> bool {
        match self {
            Self::Serve(_) | Self::Stdio(_) => true,
            Self::Quickstart(it) => it.serves(),
            _ => false,
        }
    }

    /// Does it.
    pub(crate) async fn run(self, app: App) -> Result<(), Failure> {
        match self {
            Self::Quickstart(it) => it.run(&app).await,
            Self::Serve(it) => it.run(&app).await,
            Self::Stdio(it) => it.run(&app).await,
            Self::Call(it) => it.run(&app).await,
            Self::Batch(it) => it.run(&app).await,
            Self::Workflow(it) => it.run(&app).await,
            Self::Servers(it) => it.run(&app).await,
            Self::Tools(it) => it.run(&app).await,
            Self::Context(it) => it.run(&app).await,
            Self::Audit(it) => it.run(&app).await,
            Self::Policy(it) => it.run(&app).await,
            Self::User(it) => it.run(&app).await,
            Self::Role(it) => it.run(&app).await,
            Self::Token(it) => it.run(&app).await,
            Self::Secret(it) => it.run(&app).await,
            Self::Approval(it) => it.run(&app).await,
            Self::Config(it) => it.run(&app),
            Self::Doctor(it) => it.run(&app).await,
            Self::Completions(it) => it.run(&app),
        }
    }
}
