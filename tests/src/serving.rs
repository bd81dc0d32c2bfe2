//! The program, serving HTTP.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, ChildStdout, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{Raw, Reply, message, post};

/// How long a start or a stop may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running `core-mcp serve`. Killed when dropped.
pub struct Serving {
    child: Child,
    stdout: Option<BufReader<ChildStdout>>,
    /// Host and port.
    pub address: String,
}

impl Serving {
    /// Starts it and waits for its first line, which says where it listens.
    #[track_caller]
    pub fn start(mut command: Command) -> Self {
        let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().expect("the program starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let mut stderr = child.stderr.take().expect("stderr is piped");
        let (sender, errors) = mpsc::sync_channel(1);
        // Read to the end, so that a talkative log never blocks the program.
        thread::spawn(move || {
            let mut said = String::new();
            let read = stderr.read_to_string(&mut said);
            drop(sender.send(read.map(|_| said)));
        });
        let mut line = String::new();
        stdout.read_line(&mut line).expect("the program says something");
        let Some(address) = address_in(&line) else {
            drop(child.kill());
            let said = errors.recv_timeout(PATIENCE);
            panic!("no address in the first line {line:?}; it said {said:?}");
        };
        Self { child, stdout: Some(stdout), address }
    }

    /// The aggregated endpoint.
    pub fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A fresh connection.
    #[track_caller]
    pub fn connect(&self) -> Raw {
        Raw::connect(&self.address)
    }

    /// One request of revision 2026-07-28 on a connection of its own.
    #[track_caller]
    pub fn request(&self, token: &str, method: &str, params: Value) -> Reply {
        let name = params["name"].as_str().unwrap_or_default().to_owned();
        let head = post("/mcp", &self.address, token, method, &name);
        self.connect().exchange(&head, message(method, params).to_string().as_bytes())
    }

    /// Calls a tool; returns the result object.
    #[track_caller]
    pub fn call(&self, token: &str, tool: &str, arguments: Value) -> Value {
        let reply =
            self.request(token, "tools/call", serde_json::json!({ "name": tool, "arguments": arguments }));
        reply.message()["result"].clone()
    }

    /// Ends it at once, as a power cut would.
    pub fn kill(mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
    }

    /// Asks it to stop and waits; returns the exit code.
    #[track_caller]
    pub fn stop(mut self) -> i32 {
        let asked =
            Command::new("kill").args(["-TERM", &self.pid().to_string()]).status().expect("kill runs");
        assert!(asked.success());
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("its state is known") {
                return status.code().unwrap_or(-1);
            }
            assert!(begun.elapsed() < PATIENCE, "it does not stop");
            thread::yield_now();
        }
    }

    /// What it prints after its first line, until it ends.
    pub fn rest_of_stdout(&mut self) -> String {
        let mut rest = String::new();
        if let Some(mut stdout) = self.stdout.take() {
            stdout.read_to_string(&mut rest).expect("stdout can be read");
        }
        rest
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if self.child.kill().is_ok() {
            drop(self.child.wait());
        }
    }
}

/// The first `host:port` of loopback in a line.
fn address_in(line: &str) -> Option<String> {
    let start = line.find("127.0.0.1:")?;
    let rest = &line[start..];
    let end = rest.find(|it: char| !(it.is_ascii_digit() || it == '.' || it == ':')).unwrap_or(rest.len());
    Some(rest[..end].to_owned())
}
