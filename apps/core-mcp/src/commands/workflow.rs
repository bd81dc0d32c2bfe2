//! `core-mcp workflow`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use kernel::Principal;
use pipeline::seams::Identity;

use crate::{app::App, failure::Failure, platform::Local};

mod publish;
mod run;
mod show;
mod steer;
mod validate;

pub(super) use run::watch;

/// Check, run, publish and steer workflows
///
/// A workflow is a YAML file whose steps are tool calls. Runs are durable: a process that dies leaves them
/// where they are, and the next one goes on. While a server runs, it makes the calls and these commands follow.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  core-mcp workflow validate deploy.yaml\n  \
    core-mcp workflow run security-audit --input target=.\n  core-mcp workflow run deploy.yaml --input image=app:v2 --output json\n  \
    core-mcp workflow approve RUN go --form reason=\"looks good\"\n  core-mcp workflow history RUN\n  \
    core-mcp workflow publish deploy.yaml --alias canary --weight 10\n\nThe language: docs/workflows.md.")]
pub(crate) struct Workflow {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Say everything that is wrong with workflow files, with line, column and fix
    Validate {
        /// Files, or names of published or shipped workflows
        #[arg(required = true, value_name = "FILE|NAME")]
        files: Vec<String>,
    },
    /// Print the JSON Schema of workflow files, for editors
    Schema,
    /// Run a workflow and wait for its end, or until it waits for people
    Run(run::Run),
    /// List runs, newest first
    List {
        /// Only of this workflow
        #[arg(long, value_name = "NAME")]
        workflow: Option<String>,
        /// Only runs that stand so
        #[arg(long, value_name = "STATUS")]
        status: Option<String>,
        /// List what is published and shipped instead
        #[arg(long)]
        published: bool,
    },
    /// Show a run: its steps, what it waits for, why it failed
    Show {
        /// The run
        run: String,
    },
    /// Show every call a run made, with its time, duration and audit id
    History {
        /// The run
        run: String,
    },
    /// Let a run go on that is stuck, or say what became of a call
    Resume {
        /// The run
        run: String,
        /// The step whose outcome is unknown
        #[arg(long, requires = "became")]
        step: Option<String>,
        /// What became of it
        #[arg(long = "as", value_enum, id = "became", requires = "step")]
        became: Option<Became>,
        /// Its result, with --as done
        #[arg(long, value_name = "JSON")]
        result: Option<String>,
    },
    /// Cancel a run; what was done is undone
    Cancel {
        /// The run
        run: String,
    },
    /// Say yes to a question of a run, or no
    Approve {
        /// The run
        run: String,
        /// The step that asks
        step: String,
        /// Say no
        #[arg(long)]
        deny: bool,
        /// A field of the form; repeat for more
        #[arg(long, value_name = "KEY=VALUE")]
        form: Vec<String>,
    },
    /// Bring an event to the runs that wait for its type
    Emit {
        /// The type, for example `registry.image.pushed`
        #[arg(value_name = "TYPE")]
        kind: String,
        /// Its data, as JSON
        #[arg(long, value_name = "JSON", default_value = "null")]
        data: String,
    },
    /// Repeat a failed run from one of its outermost steps
    Retry {
        /// The run
        run: String,
        /// The step
        #[arg(long, value_name = "STEP")]
        from: String,
    },
    /// Publish a version: it becomes a tool, and runs by its name
    Publish {
        /// A file, or the name of a shipped workflow
        #[arg(value_name = "FILE|NAME")]
        file: String,
        /// Under which alias
        #[arg(long, value_enum, default_value_t = Alias::Stable)]
        alias: Alias,
        /// Percent of runs by the plain name that take a canary
        #[arg(long, value_name = "PERCENT", default_value_t = 0)]
        weight: u8,
    },
    /// Go back to the version before
    Rollback {
        /// The workflow
        name: String,
        /// Which alias
        #[arg(long, value_enum, default_value_t = Alias::Stable)]
        alias: Alias,
    },
    /// Take an alias away; runs of it go on
    Unpublish {
        /// The workflow
        name: String,
        /// Which alias
        #[arg(long, value_enum, default_value_t = Alias::Stable)]
        alias: Alias,
    },
    /// Print the text of a shipped workflow
    Source {
        /// Its name
        name: String,
        /// A new file [default: stdout]
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
    },
}

/// What became of a call.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Became {
    /// It happened
    Done,
    /// It did not happen, and the step has failed
    Failed,
    /// It did not happen; try again
    Retry,
}

/// An alias of a version.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Alias {
    /// What the plain name means
    Stable,
    /// What a share of the runs takes
    Canary,
}

impl Alias {
    fn as_str(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Canary => "canary",
        }
    }
}

impl Workflow {
    pub(crate) async fn run(self, app: &App) -> Result<(), Failure> {
        match self.action {
            Action::Validate { files } => validate::run(app, &files),
            Action::Schema => app.output.one(workflow::schema(), || {
                serde_json::to_string_pretty(workflow::schema()).unwrap_or_default()
            }),
            Action::Run(it) => it.run(app).await,
            Action::List { published: true, .. } => publish::list(app),
            Action::List { workflow, status, .. } => show::list(app, workflow.as_deref(), status.as_deref()),
            Action::Show { run } => show::show(app, &run),
            Action::History { run } => show::history(app, &run),
            Action::Resume { run, step, became, result } => {
                steer::resume(app, &run, step, became, result.as_deref()).await
            }
            Action::Cancel { run } => steer::cancel(app, &run).await,
            Action::Approve { run, step, deny, form } => steer::approve(app, &run, &step, !deny, &form).await,
            Action::Emit { kind, data } => steer::emit(app, &kind, &data).await,
            Action::Retry { run, from } => steer::retry(app, &run, &from).await,
            Action::Publish { file, alias, weight } => publish::publish(app, &file, alias, weight).await,
            Action::Rollback { name, alias } => publish::rollback(app, &name, alias).await,
            Action::Unpublish { name, alias } => publish::unpublish(app, &name, alias).await,
            Action::Source { name, to } => publish::source(app, &name, to.as_deref()),
        }
    }
}

/// The holder of the token, or the owner of the data directory.
fn somebody(app: &App, identity: &impl Identity) -> Result<Principal, Failure> {
    if app.common.token_file.is_none() && app.environment.token.is_none() {
        return Ok(Local::operator());
    }
    Ok(identity.authenticate(&app.token()?)?.as_ref().clone())
}
