//! Looking at runs.

use kernel::ToolError;
use serde_json::{Value, json};
use workflow::{Attempt, Journal, RunInfo, RunView};

use super::somebody;
use crate::{
    app::App,
    failure::Failure,
    output::{Table, date, outline, plain},
    platform::Local,
};

fn open(app: &App) -> Result<(Local, std::sync::Arc<Journal>), Failure> {
    let local = Local::open(app)?;
    let journal = Journal::open(&local.data).map_err(ToolError::from)?;
    Ok((local, journal))
}

pub(super) fn list(app: &App, workflow: Option<&str>, status: Option<&str>) -> Result<(), Failure> {
    let (local, journal) = open(app)?;
    let runs = journal.list(&somebody(app, &local.identity)?, workflow, status)?;
    app.output.list(&runs, || {
        let mut table = Table::new(&["run", "workflow", "status", "who", "started"]);
        runs.iter().for_each(|it| row(&mut table, it));
        table.render("no runs")
    })
}

fn row(table: &mut Table, it: &RunInfo) {
    table.row([&it.run, &it.workflow, &it.status, &it.principal, &date(it.started_ms / 1000)]);
}

pub(super) fn show(app: &App, run: &str) -> Result<(), Failure> {
    let (local, journal) = open(app)?;
    let view = journal.view(&somebody(app, &local.identity)?, run)?;
    app.output.one(&view, || text(&view))
}

/// A run for people.
pub(super) fn text(view: &RunView) -> String {
    let info = &view.info;
    let mut table = Table::new(&["step", "status", "attempts", "ms", "error"]);
    for step in &view.steps {
        let word = |key: &str| step[key].as_str().unwrap_or_default().to_owned();
        let attempts = step["attempts"].as_array().map_or(0, Vec::len);
        let spent: i64 = step["attempts"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|it| it["duration_ms"].as_i64())
            .sum();
        let error = step["error"]["message"].as_str().unwrap_or_default();
        table.row([&word("step"), &word("status"), &attempts.to_string(), &spent.to_string(), &plain(error)]);
    }
    let mut text = format!(
        "run {}  {}  {}  version {}\n\n{}",
        info.run,
        info.workflow,
        info.status,
        &info.hash[..12.min(info.hash.len())],
        table.render("no steps")
    );
    for question in &view.questions {
        text.push_str(&format!(
            "\n\n{} asks {}: {}",
            question.step,
            question.by.join(", "),
            plain(&question.question)
        ));
    }
    for stuck in &view.stuck {
        text.push_str(&format!("\n\n{} is stuck: {}", stuck.step, plain(&stuck.message)));
    }
    if let Some(message) = view.error["message"].as_str() {
        text.push_str(&format!("\n\nfailed: {}", plain(message)));
    }
    if view.outputs.as_object().is_some_and(|it| !it.is_empty()) {
        text.push_str(&format!("\n\n{}", outline(&view.outputs)));
    }
    text
}

pub(super) fn history(app: &App, run: &str) -> Result<(), Failure> {
    let (local, journal) = open(app)?;
    // Whoever may see the run may see its calls.
    let view = journal.view(&somebody(app, &local.identity)?, run)?;
    let attempts = journal.attempts(run)?;
    let all = json!({ "run": run, "status": view.info.status, "trace_id": run, "attempts": attempts });
    app.output.one(&all, || calls(&all, &attempts))
}

fn calls(all: &Value, attempts: &[Attempt]) -> String {
    let mut table = Table::new(&["step", "attempt", "tool", "outcome", "started", "ms", "audit id"]);
    for it in attempts {
        let started = chrono::DateTime::from_timestamp_millis(it.started_ms);
        let started = started.map_or_else(String::new, |it| it.format("%H:%M:%S%.3f").to_string());
        table.row([
            &it.step,
            &it.attempt.to_string(),
            &it.tool,
            &it.code,
            &started,
            &it.duration_ms.to_string(),
            &it.call_id,
        ]);
    }
    format!(
        "{}\n\n{}; `core-mcp audit search --call-id ID` shows a call",
        table.render("no calls"),
        all["status"].as_str().unwrap_or_default()
    )
}
