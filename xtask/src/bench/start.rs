//! From spawn to the first answered `tools/list`, and what the idle server holds in memory.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, Stdio},
    time::Instant,
};

use anyhow::Context;
use serde_json::{Value, json};

use super::{
    Figure, Side,
    http::{Client, OurServer},
    process::{lower, resident_mib, seconds_of},
};
use crate::{shell::Command, workspace::Places};

/// A fastmcp server with one tool: what most Python servers are made of.
const PEER: &str = "from fastmcp import FastMCP\nmcp = FastMCP('echo')\n@mcp.tool\ndef echo(message: str) -> str:\n    \
                    return message\nmcp.run(show_banner=False)\n";

/// Ours over stdio and HTTP, a fastmcp server over stdio.
pub(super) fn sides(places: &Places) -> anyhow::Result<Vec<Box<dyn Side>>> {
    let server = OurServer::prepare(places)?;
    let python = places.venv().join("bin/python");
    anyhow::ensure!(python.exists(), "the peer is missing; install it: cargo xtask test --only install");
    let peer = Command::new(python.to_string_lossy()).args(["-c", PEER]);
    Ok(vec![
        Box::new(OverStdio { label: "core-mcp stdio".into(), command: server.command(&["stdio"]) }),
        Box::new(OverStdio { label: "fastmcp stdio".into(), command: peer }),
        Box::new(Http { server }),
    ])
}

struct OverStdio {
    label: String,
    command: Command,
}

impl Side for OverStdio {
    fn label(&self) -> &str {
        &self.label
    }

    fn round(&mut self) -> anyhow::Result<Vec<Figure>> {
        let begun = Instant::now();
        let mut prepared = self.command.prepared();
        let child = prepared.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut child = child.with_context(|| format!("{} does not start", self.label))?;
        let listed = list_over_stdio(&mut child);
        let wall = begun.elapsed().as_secs_f64();
        let figures = listed.and_then(|tools| idle_figures(wall, tools, child.id()));
        child.kill().context("the server cannot be ended")?;
        child.wait().context("the server does not end")?;
        figures
    }
}

fn idle_figures(wall: f64, tools: usize, pid: u32) -> anyhow::Result<Vec<Figure>> {
    anyhow::ensure!(tools > 0, "no tools were listed");
    Ok(vec![lower("ready_s", wall), lower("cpu_s", seconds_of(pid)?), lower("rss_mib", resident_mib(pid)?)])
}

/// The handshake of 2025-11-25, which every server speaks, then the list. Returns how many tools there are.
fn list_over_stdio(child: &mut Child) -> anyhow::Result<usize> {
    let mut input = child.stdin.take().context("stdin is piped")?;
    let mut output = BufReader::new(child.stdout.take().context("stdout is piped")?);
    let mut say = |message: Value| -> anyhow::Result<()> {
        writeln!(input, "{message}")?;
        Ok(input.flush()?)
    };
    say(json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "bench", "version": "1" },
    }}))?;
    answer(&mut output, 1)?;
    say(json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }))?;
    say(json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/list" }))?;
    let listed = answer(&mut output, 2)?;
    Ok(listed["result"]["tools"].as_array().map_or(0, Vec::len))
}

fn answer(output: &mut impl BufRead, id: u64) -> anyhow::Result<Value> {
    let mut line = String::new();
    // Notifications may come first; a server that says nothing but those is broken.
    for _ in 0..100 {
        line.clear();
        anyhow::ensure!(output.read_line(&mut line)? > 0, "the server hung up");
        let message: Value = serde_json::from_str(&line).with_context(|| format!("not a message: {line}"))?;
        if message["id"] == id {
            return Ok(message);
        }
    }
    anyhow::bail!("no answer to request {id}")
}

struct Http {
    server: OurServer,
}

impl Side for Http {
    fn label(&self) -> &str {
        "core-mcp http"
    }

    fn round(&mut self) -> anyhow::Result<Vec<Figure>> {
        let begun = Instant::now();
        let running = self.server.serve()?;
        let listed = Client::new(&running.address, &self.server.token)
            .call("tools/list", json!({}))
            .context("tools/list over HTTP")?;
        let wall = begun.elapsed().as_secs_f64();
        idle_figures(wall, listed["result"]["tools"].as_array().map_or(0, Vec::len), running.child.id())
    }
}
