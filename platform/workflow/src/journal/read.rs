//! Looking at runs.

use kernel::{ErrorKind, Principal, ToolError};
use rusqlite::OptionalExtension;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Journal, broken};
use crate::interpreter::{Question, RunStatus, State, Stuck};

/// Runs in a listing at most.
const LIST_MAX: i64 = 500;
/// Attempts shown of one run.
const ATTEMPTS_SHOWN: i64 = 2_000;

/// A run in a listing.
#[derive(Clone, Debug, Serialize)]
pub struct RunInfo {
    /// Its id, which is also the trace id of its calls.
    pub run: String,
    /// The workflow.
    pub workflow: String,
    /// The version it runs.
    pub hash: String,
    /// Who started it.
    pub principal: String,
    /// How it stands.
    pub status: String,
    /// Unix milliseconds.
    pub started_ms: i64,
    /// Unix milliseconds.
    pub ended_ms: Option<i64>,
}

/// One call that a run made.
#[derive(Clone, Debug, Serialize)]
pub struct Attempt {
    /// Where in the run.
    pub step: String,
    /// Counted from 1.
    pub attempt: u32,
    /// `server.tool`.
    pub tool: String,
    /// Whether it took another step back.
    pub undo: bool,
    /// Joins the audit records of the call.
    pub call_id: String,
    /// Unix milliseconds.
    pub started_ms: i64,
    /// Wall time.
    pub duration_ms: i64,
    /// `ok` or an error code.
    pub code: String,
    /// One sentence, when it failed.
    pub message: Option<String>,
}

/// A run with everything that is known of it.
#[derive(Clone, Debug, Serialize)]
pub struct RunView {
    /// As in a listing.
    #[serde(flatten)]
    pub info: RunInfo,
    /// What was asked for.
    pub reference: String,
    /// What it was given.
    pub inputs: Value,
    /// What came out.
    pub outputs: Value,
    /// Why it failed.
    pub error: Value,
    /// The outermost steps: status, output, error and attempts.
    pub steps: Vec<Value>,
    /// Calls of steps inside loops and workflows, and undos.
    pub attempts: Vec<Attempt>,
    /// Questions that wait for people.
    pub questions: Vec<Question>,
    /// Calls that cannot go on without somebody.
    pub stuck: Vec<Stuck>,
    /// Steps whose undo has not happened.
    pub left_to_undo: Vec<String>,
}

impl Journal {
    /// Runs `who` may see, newest first: their own; an admin sees everybody's.
    pub fn list(
        &self,
        who: &Principal,
        workflow: Option<&str>,
        status: Option<&str>,
    ) -> Result<Vec<RunInfo>, ToolError> {
        let connection = self.connection.lock();
        let mut rows = connection
            .prepare_cached(
                "SELECT id, workflow, hash, principal, status, started_ms, ended_ms FROM runs
                 WHERE (?1 OR principal = ?2) AND (?3 IS NULL OR workflow = ?3) AND (?4 IS NULL OR status = ?4)
                 ORDER BY n DESC LIMIT ?5",
            )
            .map_err(broken)?;
        let rows = rows.query_map((sees_all(who), &who.id, workflow, status, LIST_MAX), info);
        rows.and_then(Iterator::collect).map_err(broken)
    }

    /// How a run stands.
    pub fn status(&self, run: &str) -> Result<Option<RunStatus>, ToolError> {
        let connection = self.connection.lock();
        let status: Option<String> = connection
            .prepare_cached("SELECT status FROM runs WHERE id = ?1")
            .and_then(|mut it| it.query_row([run], |row| row.get(0)).optional())
            .map_err(broken)?;
        Ok(status.and_then(|it| serde_json::from_value(it.into()).ok()))
    }

    /// The state, the version and the principal of a run. Somebody else's is not found.
    pub(crate) fn state(&self, run: &str) -> Result<(State, RunInfo), ToolError> {
        let connection = self.connection.lock();
        let found: Option<(String, RunInfo)> = connection
            .prepare_cached(
                "SELECT id, workflow, hash, principal, status, started_ms, ended_ms, state FROM runs WHERE id = ?1",
            )
            .and_then(|mut it| it.query_row([run], |row| Ok((row.get(7)?, info(row)?))).optional())
            .map_err(broken)?;
        let (text, info) = found.ok_or_else(unknown)?;
        let state =
            serde_json::from_str(&text).map_err(|error| ToolError::wrap(ErrorKind::Internal, error))?;
        Ok((state, info))
    }

    /// Everything about one run, for `who`.
    pub fn view(&self, who: &Principal, run: &str) -> Result<RunView, ToolError> {
        let (state, info) = self.state(run)?;
        let may_look = sees_all(who)
            || info.principal == who.id
            || state.questions().iter().any(|it| crate::interpreter::may_decide(&it.by, &decider(who)));
        if !may_look {
            return Err(unknown());
        }
        let attempts = self.attempts(run)?;
        let program = self.program(&info.hash)?;
        let outermost: Vec<&str> = program.definition.steps.iter().map(|it| it.id.as_str()).collect();
        let steps = outermost.iter().map(|id| {
            let result = state.results().get(*id);
            let of = |key: &str| result.map_or(Value::Null, |it| it[key].clone());
            let status = result.and_then(|it| it["status"].as_str()).unwrap_or("pending");
            let own: Vec<&Attempt> = attempts.iter().filter(|it| it.step == *id).collect();
            json!({ "step": id, "status": status, "out": of("out"), "error": of("error"), "attempts": own })
        });
        let steps = steps.collect();
        let reference = self.reference(run)?;
        Ok(RunView {
            reference,
            inputs: state.inputs().cloned().unwrap_or_default(),
            outputs: state.outputs().clone(),
            error: state
                .failure()
                .map_or(Value::Null, |it| json!({ "code": it.code, "message": it.message, "step": it.step })),
            steps,
            questions: state.questions(),
            stuck: state.stuck(),
            left_to_undo: state.left_to_undo().into_iter().map(str::to_owned).collect(),
            attempts: attempts.iter().filter(|it| !outermost.contains(&it.step.as_str())).cloned().collect(),
            info,
        })
    }

    fn reference(&self, run: &str) -> Result<String, ToolError> {
        let connection = self.connection.lock();
        connection
            .query_row("SELECT reference FROM runs WHERE id = ?1", [run], |row| row.get(0))
            .map_err(broken)
    }

    /// Every call a run made, in the order in which they were asked for.
    pub fn attempts(&self, run: &str) -> Result<Vec<Attempt>, ToolError> {
        let connection = self.connection.lock();
        let mut rows = connection
            .prepare_cached(
                "SELECT step, attempt, tool, is_undo, call_id, attempts.started_ms, attempts.ended_ms, code, message
                 FROM attempts JOIN runs ON runs.n = attempts.run WHERE runs.id = ?1 ORDER BY ticket LIMIT ?2",
            )
            .map_err(broken)?;
        let rows = rows.query_map((run, ATTEMPTS_SHOWN), |row| {
            let (started, ended): (i64, i64) = (row.get(5)?, row.get(6)?);
            Ok(Attempt {
                step: row.get(0)?,
                attempt: row.get(1)?,
                tool: row.get(2)?,
                undo: row.get(3)?,
                call_id: row.get(4)?,
                started_ms: started,
                duration_ms: ended.saturating_sub(started),
                code: row.get(7)?,
                message: row.get(8)?,
            })
        });
        rows.and_then(Iterator::collect).map_err(broken)
    }
}

pub(crate) fn sees_all(who: &Principal) -> bool {
    who.roles.iter().any(|it| it == "admin")
}

pub(crate) fn decider(who: &Principal) -> crate::interpreter::Decider {
    crate::interpreter::Decider { id: who.id.clone(), roles: who.roles.clone() }
}

fn info(row: &rusqlite::Row<'_>) -> rusqlite::Result<RunInfo> {
    Ok(RunInfo {
        run: row.get(0)?,
        workflow: row.get(1)?,
        hash: row.get(2)?,
        principal: row.get(3)?,
        status: row.get(4)?,
        started_ms: row.get(5)?,
        ended_ms: row.get(6)?,
    })
}

/// Somebody else's and unknown look alike.
pub(crate) fn unknown() -> ToolError {
    ToolError::new(ErrorKind::NotFound, "you have no such run")
        .hint("`core-mcp workflow list` shows your runs")
}
