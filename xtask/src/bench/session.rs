//! A server over stdio, spoken to as every server understands: with the handshake of 2025-11-25.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Stdio},
};

use anyhow::Context;
use serde_json::{Value, json};

use crate::{shell::Command, workspace::Places};

/// A fastmcp server with one tool: what most Python servers are made of.
const FASTMCP: &str = "from fastmcp import FastMCP\nmcp = FastMCP('echo')\n@mcp.tool\ndef echo(message: str) -> str:\n    \
                       return message\nmcp.run(show_banner=False)\n";

/// Most notifications that may come before an answer.
const NOTIFICATIONS_MAX: usize = 100;

/// The peer of the stdio benches.
pub(super) fn fastmcp(places: &Places) -> anyhow::Result<Command> {
    let python = places.venv().join("bin/python");
    anyhow::ensure!(python.exists(), "the peer is missing; install it: cargo xtask test --only install");
    Ok(Command::new(python.to_string_lossy()).args(["-c", FASTMCP]))
}

/// An open session. The server is ended when it is dropped.
pub(super) struct Session {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    last: u64,
}

impl Session {
    /// Starts the server and shakes hands.
    pub(super) fn open(command: &Command) -> anyhow::Result<Self> {
        let mut prepared = command.prepared();
        let child = prepared.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut child = child.with_context(|| format!("`{}` does not start", command.shown()))?;
        let input = child.stdin.take().context("stdin is piped")?;
        let output = BufReader::new(child.stdout.take().context("stdout is piped")?);
        let mut session = Self { child, input, output, last: 0 };
        let who = json!({ "name": "bench", "version": "1" });
        let hello = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": who });
        session.request("initialize", hello)?;
        session.say(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }))?;
        Ok(session)
    }

    /// The server's process.
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends one request and waits for its answer.
    pub(super) fn request(&mut self, method: &str, params: Value) -> anyhow::Result<Value> {
        self.last += 1;
        let id = self.last;
        self.say(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }))?;
        let mut line = String::new();
        for _ in 0..NOTIFICATIONS_MAX {
            line.clear();
            anyhow::ensure!(self.output.read_line(&mut line)? > 0, "the server hung up");
            let message: Value =
                serde_json::from_str(&line).with_context(|| format!("not a message: {line}"))?;
            if message["id"] == id {
                return Ok(message);
            }
        }
        anyhow::bail!("no answer to {method}")
    }

    fn say(&mut self, message: &Value) -> anyhow::Result<()> {
        writeln!(self.input, "{message}")?;
        Ok(self.input.flush()?)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Already gone is fine; there is nobody to tell anything else.
        if self.child.kill().is_ok() {
            drop(self.child.wait());
        }
    }
}
