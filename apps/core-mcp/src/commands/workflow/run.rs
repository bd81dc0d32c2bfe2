//! `core-mcp workflow run`.

use std::time::Duration;

use clap::Args;
use kernel::{ErrorKind, Principal};
use pipeline::Door;
use workflow::{Engine, Order, RunStatus, resolve, runnable};

use crate::{
    app::App,
    arguments,
    failure::Failure,
    platform::{Mounts, Platform},
    progress::ProgressView,
};

/// How often progress is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long a detached run may take to be taken up.
const TAKE_UP_MAX: Duration = Duration::from_secs(5);
/// Longest time a command follows one run.
pub(super) const FOLLOW_MAX: Duration = Duration::from_secs(366 * 86_400);

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// A file, or the name of a published or shipped workflow, with `@stable` or `@canary` if wanted
    #[arg(value_name = "FILE|NAME")]
    workflow: String,
    /// One input, typed by the workflow; repeat for more
    #[arg(long, value_name = "KEY=VALUE")]
    input: Vec<String>,
    /// All inputs as one JSON object, `@file`, or `-` for stdin
    #[arg(long, value_name = "JSON")]
    json: Option<String>,
    /// What decides whether a canary is taken [default: your name]
    #[arg(long, value_name = "KEY")]
    sticky: Option<String>,
    /// The context its calls belong to
    #[arg(long, value_name = "ID")]
    context: Option<String>,
    /// Do not wait; a running server does the work
    #[arg(long)]
    detach: bool,
}

impl Run {
    pub(crate) async fn run(self, app: &App) -> Result<(), Failure> {
        let token = app.token()?;
        let platform = Platform::open(app, &app.sources(&app.existing_data_root()?), Mounts::All).await?;
        let done = match platform.admit(&token, Door::Cli).await {
            Ok(caller) => self.go(app, &platform, caller.principal()).await,
            Err(failure) => Err(failure),
        };
        platform.close().await.and(done)
    }

    async fn go(&self, app: &App, platform: &Platform, who: &Principal) -> Result<(), Failure> {
        let workflows = &platform.workflows;
        let sticky = self.sticky.as_deref().unwrap_or(&who.id);
        let checked = resolve(&self.workflow, &workflows.catalog, Some(&workflows.engine.journal), sticky)?;
        let program = runnable(checked)?;
        let schema = program.inputs_schema();
        let inputs = arguments::parse(self.json.as_deref(), &self.input, Some(&schema))?;
        if !self.detach {
            workflows.own_runs().await?;
        }
        let order =
            Order { reference: &self.workflow, principal: &who.id, context: self.context.as_deref(), inputs };
        let run = workflows.engine.start(&program, order).await?;
        if self.detach {
            app.output.note(if taken_up(&workflows.engine, who, &run).await {
                "a running `core-mcp serve` goes on with it"
            } else {
                "it begins when `core-mcp serve` runs; `core-mcp workflow list` shows it then"
            });
            return app.output.one(&serde_json::json!({ "run": run }), || run.clone());
        }
        follow(app, &workflows.engine, who, &run).await
    }
}

/// Waits until the process that runs workflows has taken up what it was asked, so that the run can be looked at as
/// soon as its id is known. False when nobody did.
async fn taken_up(engine: &Engine, who: &Principal, run: &str) -> bool {
    let until = tokio::time::Instant::now() + TAKE_UP_MAX;
    while engine.journal.view(who, run).is_err() {
        if tokio::time::Instant::now() >= until {
            return false;
        }
        tokio::time::sleep(LOOK_EVERY / 20).await;
    }
    true
}

/// Waits until a run is over or waits for people, shows it, and says by the exit code how it went.
pub(super) async fn follow(app: &App, engine: &Engine, who: &Principal, run: &str) -> Result<(), Failure> {
    let view = ProgressView::new("workflow", app.common.no_progress);
    let settled = watch(engine, who, run, &view).await;
    drop(view);
    let status = settled?;
    let shown = engine.journal.view(who, run)?;
    app.output.one(&shown, || super::show::text(&shown))?;
    let message = shown.error["message"].as_str().unwrap_or_default();
    match status {
        RunStatus::Succeeded => Ok(()),
        RunStatus::Failed => Err(Failure::new(
            ErrorKind::ToolExecutionFailed,
            format!("the run failed, and what was done is undone: {message}"),
        )),
        RunStatus::Cancelled => {
            Err(Failure::new(ErrorKind::Cancelled, "the run was cancelled, and what was done is undone"))
        }
        RunStatus::NeedsAttention => Err(Failure::new(
            ErrorKind::ToolExecutionFailed,
            format!("not everything could be undone: {message}"),
        )
        .hint(format!("mend it, then `core-mcp workflow resume {run}`"))),
        _ => Err(waiting(&shown)),
    }
}

fn waiting(shown: &workflow::RunView) -> Failure {
    let run = &shown.info.run;
    let mut failure = Failure::new(ErrorKind::NeedsApproval, "the run waits for people");
    for question in &shown.questions {
        failure = failure.hint(format!(
            "`core-mcp workflow approve {run} {}` (asks {})",
            question.step,
            question.by.join(", ")
        ));
    }
    for stuck in &shown.stuck {
        failure = failure.hint(if stuck.is_unknown {
            format!("nobody knows whether `{0}` happened: look, then `core-mcp workflow resume {run} --step {0} --as done|failed|retry`", stuck.step)
        } else {
            format!("`{}`: {}; then `core-mcp workflow resume {run}`", stuck.step, stuck.message)
        });
    }
    failure
}

/// Ctrl-C cancels the run, which undoes what was done; a second one leaves it to the next process.
pub(crate) async fn watch(
    engine: &Engine,
    who: &Principal,
    run: &str,
    view: &ProgressView,
) -> Result<RunStatus, Failure> {
    let progress = view.progress();
    let mut signals = 0;
    let until = tokio::time::Instant::now() + FOLLOW_MAX;
    let mut settled = std::pin::pin!(engine.settled(run, until));
    loop {
        tokio::select! {
            status = &mut settled => return Ok(status?),
            () = tokio::time::sleep(LOOK_EVERY) => {
                if progress.is_heard() {
                    let attempts = engine.journal.attempts(run)?;
                    let last = attempts.last().map_or_else(String::new, |it| format!("{} {}", it.step, it.code));
                    progress.report(attempts.len() as f64, None, last);
                }
            }
            signal = tokio::signal::ctrl_c() => {
                signals += 1;
                if signal.is_err() || signals > 1 {
                    return Err(Failure::new(ErrorKind::Cancelled, "the run was left before it ended")
                        .hint(format!("`core-mcp workflow show {run}` says how it stands")));
                }
                engine.cancel(who, run).await?;
            }
        }
    }
}
