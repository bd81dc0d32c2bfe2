//! Telling runs what to do: whoever owns them hears it, and this command follows.

use std::time::Duration;

use kernel::Principal;
use serde_json::{Value, json};
use workflow::{Engine, EngineOptions, Resolution};

use super::{
    Became,
    run::{FOLLOW_MAX, follow},
    somebody,
};
use crate::{
    app::App,
    arguments,
    failure::Failure,
    platform::{Local, Mounts, Platform},
};

/// How long the owner of the runs may take to hear what was asked.
const HEARING: Duration = Duration::from_secs(10);

/// Opens everything, lets `ask` say what is to happen, and does `then` once that was heard.
async fn steer<A, T>(app: &App, ask: A, then: T) -> Result<(), Failure>
where
    A: AsyncFnOnce(&Engine, &Principal) -> Result<(), Failure>,
    T: AsyncFnOnce(&Engine, &Principal) -> Result<(), Failure>,
{
    let platform = Platform::open(app, &app.sources(&app.existing_data_root()?), Mounts::All).await?;
    let done = async {
        let who = somebody(app, platform.identity.as_ref())?;
        let engine = &platform.workflows.engine;
        platform.workflows.own_runs().await?;
        ask(engine, &who).await?;
        engine.heard(HEARING).await?;
        then(engine, &who).await
    };
    let done = done.await;
    platform.close().await.and(done)
}

pub(super) async fn cancel(app: &App, run: &str) -> Result<(), Failure> {
    let ended = {
        let ask = async |engine: &Engine, who: &Principal| Ok(engine.cancel(who, run).await?);
        steer(app, ask, async |engine: &Engine, who: &Principal| follow(app, engine, who, run).await).await
    };
    match ended {
        // That is what was asked for.
        Err(failure) if failure.code == "cancelled" => Ok(()),
        other => other,
    }
}

/// The event is kept in the journal: a server that runs brings it at once, the next one otherwise.
pub(super) async fn emit(app: &App, kind: &str, data: &str) -> Result<(), Failure> {
    let data =
        serde_json::from_str(data).map_err(|error| Failure::usage(format!("--data is not JSON: {error}")))?;
    let local = Local::open(app)?;
    let engine = Engine::open(&local.data, EngineOptions::default()).map_err(kernel::ToolError::from)?;
    let who = somebody(app, &local.identity)?;
    let id = engine.emit(&who, kind, data).await?;
    app.output.one(&json!({ "id": id, "type": kind }), || format!("event {id} is on its way"))
}

pub(super) async fn retry(app: &App, run: &str, from: &str) -> Result<(), Failure> {
    let ask = async |engine: &Engine, who: &Principal| Ok(engine.retry(who, run, from).await?);
    steer(app, ask, async |engine: &Engine, who: &Principal| follow(app, engine, who, run).await).await
}

pub(super) async fn resume(
    app: &App,
    run: &str,
    step: Option<String>,
    became: Option<Became>,
    result: Option<&str>,
) -> Result<(), Failure> {
    let resolution = match (became, result) {
        (Some(Became::Done), Some(text)) => {
            let out = serde_json::from_str(text)
                .map_err(|error| Failure::usage(format!("--result is not JSON: {error}")))?;
            Some(Resolution::Done { out })
        }
        (Some(Became::Done), None) => Some(Resolution::Done { out: Value::Null }),
        (_, Some(_)) => return Err(Failure::usage("--result belongs to --as done")),
        (Some(Became::Failed), None) => Some(Resolution::Failed),
        (Some(Became::Retry), None) => Some(Resolution::Retry),
        (None, None) => None,
    };
    let said = step.zip(resolution);
    let ask = async |engine: &Engine, who: &Principal| Ok(engine.resume(who, run, said).await?);
    steer(app, ask, async |engine: &Engine, who: &Principal| follow(app, engine, who, run).await).await
}

pub(super) async fn approve(
    app: &App,
    run: &str,
    step: &str,
    grant: bool,
    form: &[String],
) -> Result<(), Failure> {
    let ask = async |engine: &Engine, who: &Principal| {
        let form = match form {
            [] => Value::Null,
            words => arguments::parse(None, words, Some(&engine.form_schema(run, step)?))?,
        };
        Ok(engine.decide(who, run, step, grant, form).await?)
    };
    // Whoever decided need not be somebody who may see the run.
    steer(app, ask, async |engine: &Engine, _who: &Principal| {
        let status = engine.settled(run, tokio::time::Instant::now() + FOLLOW_MAX).await?;
        let said = if grant { "yes" } else { "no" };
        let result = json!({ "run": run, "step": step, "granted": grant, "status": status });
        app.output.one(&result, || format!("{said} to {step}; the run is {} now", status.as_str()))
    })
    .await
}
