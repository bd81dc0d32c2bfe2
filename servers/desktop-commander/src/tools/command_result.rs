//! What a finished command gives back.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use guard::command::{Plan, quote};
use kernel::{CallContext, ErrorKind, Resource, ToolError};
use serde::Serialize;
use tokio::{sync::mpsc, time};

use super::brief::brief_schema;
use crate::exec::{Captured, Commands, Ended, Request, Stream};

/// Output kept inline unless the caller asks for another bound.
pub(super) const OUTPUT_BYTES: usize = 256 * 1024;

/// How a command ended. A code other than zero is a result, not an error.
#[derive(Debug, Default, Serialize)]
pub(crate) struct CommandResult {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) exit_code: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) signal: Option<i32>,
    pub(super) duration_ms: u64,
    pub(super) stdout: String,
    pub(super) stderr: String,
    pub(super) truncated: bool,
    pub(super) total_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) session_id: Option<String>,
    /// Each program with its arguments.
    pub(super) programs: Vec<String>,
    pub(super) sandbox: Sandbox,
    /// Targets of the makefile, when the one asked for is missing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) targets: Vec<String>,
    /// Why a program that wants the network got none; told when the command fails.
    #[serde(skip)]
    pub(super) network_closed: Option<&'static str>,
}

brief_schema!(CommandResult {
    exit_code: "integer",
    signal: "integer",
    duration_ms: "integer",
    stdout: "string",
    stderr: "string",
    truncated: "boolean",
    total_bytes: "integer",
    session_id: "string",
    programs: "string[]",
    sandbox: "object",
    targets: "string[]",
});

/// What held the command.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Sandbox {
    filesystem: bool,
    syscalls: bool,
    network: bool,
}

impl CommandResult {
    /// A plan that has not run.
    pub(super) fn of(commands: &Commands, plan: &Plan, offline: bool) -> Self {
        let line = |name: &str, args: &[String]| {
            std::iter::once(name)
                .chain(args.iter().map(String::as_str))
                .map(quote)
                .collect::<Vec<_>>()
                .join(" ")
        };
        let enforcement = commands.enforcement();
        Self {
            programs: plan.stages().map(|stage| line(stage.name(), stage.args())).collect(),
            sandbox: Sandbox {
                filesystem: enforcement.filesystem,
                syscalls: enforcement.syscalls,
                network: !offline && plan.stages().any(|stage| commands.grants_network(stage)),
            },
            network_closed: commands.network_closed(plan, offline),
            ..Self::default()
        }
    }

    fn finish(mut self, ended: Ended, out: &Captured, err: &Captured) -> Result<Self, ToolError> {
        if ended.timed_out {
            return Err(timed_out(ended.duration, out, err));
        }
        self.exit_code = ended.exit_code;
        self.signal = ended.signal;
        self.duration_ms = u64::try_from(ended.duration.as_millis()).unwrap_or(u64::MAX);
        (self.stdout, self.stderr) = (out.text(), err.text());
        if ended.overgrown {
            self.stderr.push_str("\n[stopped: more processes than the operator allows]");
        }
        if let Some(why) = self.network_closed.filter(|_| ended.exit_code != Some(0)) {
            self.stderr.push_str(&format!("\n[{why}]"));
        }
        self.truncated = out.is_cut() || err.is_cut();
        self.total_bytes = out.total() + err.total();
        Ok(self)
    }
}

/// A command stopped by its own `timeout`: not a result, but what it wrote may say why.
fn timed_out(after: Duration, out: &Captured, err: &Captured) -> ToolError {
    let error =
        ToolError::new(ErrorKind::Timeout, format!("the command was stopped after {} s", after.as_secs()))
            .reason("COMMAND_TIMED_OUT")
            .hint("raise `timeout`, or set `background` and follow it with `read_process`");
    let written = [("stdout", out.text()), ("stderr", err.text())];
    written.into_iter().filter(|(_, text)| !text.is_empty()).fold(error, |error, (stream, text)| {
        error.hint(format!("{stream} so far ended with: {}", tail(&text)))
    })
}

/// The last kilobyte.
fn tail(text: &str) -> &str {
    let from = text.len().saturating_sub(1024);
    let from = (from..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    &text[from..]
}

/// Runs a request to its end and reports progress every second.
pub(super) async fn run(
    commands: &Commands,
    request: Request,
    output_bytes: usize,
    cx: &CallContext,
) -> Result<CommandResult, ToolError> {
    let result = CommandResult::of(commands, &request.plan, request.offline);
    let timeout = request.timeout.as_secs_f64();
    let captured = Mutex::new((Captured::new(output_bytes), Captured::new(output_bytes)));
    let lock = || captured.lock().unwrap_or_else(PoisonError::into_inner);
    let collect = |stream, bytes: &[u8]| {
        let mut captured = lock();
        match stream {
            Stream::Out => captured.0.push(bytes),
            Stream::Err => captured.1.push(bytes),
        }
    };
    let running = commands.run(request, &collect);
    tokio::pin!(running);
    let started = time::Instant::now();
    let mut second = time::interval_at(started + time::Duration::from_secs(1), time::Duration::from_secs(1));
    let ended = loop {
        tokio::select! {
            ended = &mut running => break ended?,
            _ = second.tick() => {
                let bytes = { let captured = lock(); captured.0.total() + captured.1.total() };
                cx.progress.report(started.elapsed().as_secs_f64(), Some(timeout), format!("{bytes} bytes of output"));
            }
        }
    };
    let captured = lock();
    result.finish(ended, &captured.0, &captured.1)
}

/// A channel that holds the whole input and then ends.
pub(super) fn whole_input(text: Option<String>) -> Option<mpsc::Receiver<Vec<u8>>> {
    let text = text?;
    let (sender, receiver) = mpsc::channel(1);
    // One message fits by construction; without it the program sees an empty input.
    sender.try_send(text.into_bytes()).ok();
    Some(receiver)
}

/// The programs and redirected files that a command line names, for policy and audit.
pub(super) fn resources(command: &str) -> Vec<Resource> {
    let Ok(line) = guard::command::parse(command) else { return vec![Resource::new("program", "?")] };
    let commands = line.pipelines.iter().flat_map(|(_, pipeline)| &pipeline.commands);
    let mut resources = Vec::new();
    for command in commands {
        let name = command.words.first().map(guard::command::Word::text).unwrap_or_default();
        resources.push(Resource::new("program", name.rsplit('/').next().unwrap_or_default()));
        for redirect in &command.redirects {
            if let guard::command::Redirect::In(file) | guard::command::Redirect::Out { file, .. } = redirect
            {
                resources.push(Resource::new("file", file.text()));
            }
        }
    }
    resources.dedup();
    resources
}
