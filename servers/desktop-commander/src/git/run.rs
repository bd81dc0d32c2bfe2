//! One git command.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use kernel::{CallContext, ErrorKind, ToolError};

use crate::exec::{Captured, Commands, Request, Stream};

/// Longest time for work on what is here, and with a remote.
const TIMEOUT: Duration = Duration::from_secs(300);
/// Output that is read.
const BYTES_MAX: usize = 1 << 20;

/// What git printed.
pub(crate) struct Said {
    pub(crate) text: String,
    pub(crate) truncated: bool,
}

/// Runs git in a repository and fails when git does.
pub(crate) async fn git(
    commands: &Commands,
    cx: &CallContext,
    repo: &str,
    args: &[&str],
) -> Result<Said, ToolError> {
    let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
    let plan = commands.plan_args("git", args.clone(), repo).await?;
    let network_closed = commands.network_closed(&plan, false);
    let request = Request {
        plan,
        principal: Arc::clone(&cx.principal),
        timeout: TIMEOUT,
        cancel: cx.cancel.clone(),
        stdin: None,
        offline: false,
    };
    let captured = Mutex::new((Captured::new(BYTES_MAX), Captured::new(4096)));
    let lock = || captured.lock().unwrap_or_else(PoisonError::into_inner);
    let collect = |stream, bytes: &[u8]| match stream {
        Stream::Out => lock().0.push(bytes),
        Stream::Err => lock().1.push(bytes),
    };
    let ended = commands.run(request, &collect).await?;
    let captured = lock();
    if ended.timed_out {
        return Err(ToolError::new(ErrorKind::Timeout, format!("git {} took too long", args[0])));
    }
    if ended.exit_code != Some(0) {
        let error = failed(&args[0], ended.exit_code, &captured.1.text());
        return Err(network_closed.into_iter().fold(error, ToolError::hint));
    }
    Ok(Said { text: captured.0.text(), truncated: captured.0.is_cut() })
}

fn failed(command: &str, code: Option<i32>, stderr: &str) -> ToolError {
    let words: String = stderr
        .lines()
        .find(|line| !line.trim().is_empty())
        .unwrap_or_default()
        .chars()
        .filter(|c| !c.is_control())
        .take(300)
        .collect();
    let code = code.map_or_else(|| "a signal".to_owned(), |code| format!("code {code}"));
    ToolError::new(ErrorKind::ToolExecutionFailed, format!("git {command} ended with {code}: {words}"))
        .hint("look at the repository with `git_query` op `status`")
}

/// A revision or range, never an option.
pub(crate) fn check_revision(field: &str, revision: &str) -> Result<(), ToolError> {
    let plain = revision.chars().all(|c| !c.is_control() && !c.is_whitespace());
    if plain && !revision.is_empty() && revision.len() <= 255 && !revision.starts_with('-') {
        return Ok(());
    }
    Err(ToolError::invalid(field, "this is no revision")
        .reason("NAME_INVALID")
        .hint("use a branch, a tag, a hash or a range such as main..topic"))
}

/// The name of a branch or remote.
pub(crate) fn check_name(field: &str, name: &str) -> Result<(), ToolError> {
    let plain = name.chars().all(|c| c.is_alphanumeric() || "_./+@-".contains(c));
    if plain
        && !name.is_empty()
        && name.len() <= 255
        && !name.starts_with(['-', '.', '/'])
        && !name.contains("..")
        && !name.contains("@{")
    {
        return Ok(());
    }
    Err(ToolError::invalid(field, "this is no plain name")
        .reason("NAME_INVALID")
        .hint("use letters, digits, `-`, `_`, `.` and `/`"))
}
