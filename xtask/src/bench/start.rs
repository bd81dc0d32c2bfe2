//! From spawn to the first answered `tools/list`, and what the idle server holds in memory.

use std::time::Instant;

use anyhow::Context;
use serde_json::json;

use super::{
    Figure, Side,
    http::{Client, OurServer},
    process::{lower, resident_mib, seconds_of},
    session::{self, Session},
};
use crate::{shell::Command, workspace::Places};

/// Ours over stdio and HTTP, a fastmcp server over stdio.
pub(super) fn sides(places: &Places) -> anyhow::Result<Vec<Box<dyn Side>>> {
    let server = OurServer::prepare(places)?;
    let peer = session::fastmcp(places)?;
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
        let mut session = Session::open(&self.command).with_context(|| self.label.clone())?;
        let listed = session.request("tools/list", json!({}))?;
        let tools = listed["result"]["tools"].as_array().map_or(0, Vec::len);
        idle_figures(begun.elapsed().as_secs_f64(), tools, session.pid())
    }
}

fn idle_figures(wall: f64, tools: usize, pid: u32) -> anyhow::Result<Vec<Figure>> {
    anyhow::ensure!(tools > 0, "no tools were listed");
    Ok(vec![lower("ready_s", wall), lower("cpu_s", seconds_of(pid)?), lower("rss_mib", resident_mib(pid)?)])
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
