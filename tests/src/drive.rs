//! Real clients: the official SDKs, fastmcp and the Inspector.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use crate::{Ended, Serving, Site, binary, places};

/// A client people use, with the way it picks the protocol's era.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// The official Python SDK: `legacy`, `auto` or a revision.
    Python(&'static str),
    /// The official TypeScript SDK: `legacy`, `auto` or a revision.
    TypeScript(&'static str),
    /// fastmcp, which decides by itself.
    FastMcp,
}

/// How a client reaches the program.
#[derive(Clone, Copy)]
pub enum Door<'a> {
    /// Streamable HTTP, all servers.
    Http(&'a Serving),
    /// Streamable HTTP, another path, for example `/mcp/desktop-commander`.
    Route(&'a Serving, &'a str),
    /// A child process.
    Stdio(&'a Site),
}

/// What a client does, step by step.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    steps: Vec<Value>,
}

impl Plan {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lists the tools.
    #[must_use]
    pub fn list(mut self) -> Self {
        self.steps.push(json!({ "list": true }));
        self
    }

    /// Calls one.
    #[must_use]
    pub fn call(mut self, tool: &str, arguments: Value) -> Self {
        self.steps.push(json!({ "call": tool, "arguments": arguments }));
        self
    }

    /// Has `client` do it; returns its report: `protocol` and `steps`, or `connect_error`.
    #[track_caller]
    pub fn run(&self, client: Client, door: Door<'_>, token: &str) -> Value {
        let mut plan = json!({ "steps": self.steps });
        match door {
            Door::Http(serving) => plan["http"] = json!({ "url": serving.url(), "token": token }),
            Door::Route(serving, path) => {
                plan["http"] = json!({ "url": format!("http://{}{path}", serving.address), "token": token });
            }
            Door::Stdio(site) => {
                let env = json!({
                    "CORE_MCP_TOKEN": token,
                    "CORE_MCP_DATA_DIR": site.data_dir(),
                    "HOME": site.outside(),
                });
                plan["stdio"] = json!({ "command": binary(), "args": ["stdio"], "env": env });
            }
        }
        let (mut program, name, mode) = match client {
            Client::Python(mode) => (python(), "mcp", mode),
            Client::FastMcp => (python(), "fastmcp", "auto"),
            Client::TypeScript(mode) => (typescript(), "typescript", mode),
        };
        plan["client"] = name.into();
        plan["mode"] = mode.into();
        let piped = program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().expect("the client starts");
        let mut stdin = child.stdin.take().expect("stdin is piped");
        stdin.write_all(plan.to_string().as_bytes()).expect("the client reads its plan");
        drop(stdin);
        let output = child.wait_with_output().expect("the client ends");
        let printed = String::from_utf8_lossy(&output.stdout);
        let report = printed.lines().last().and_then(|it| serde_json::from_str(it).ok());
        report.unwrap_or_else(|| {
            panic!("{client:?} printed {printed}; {}", String::from_utf8_lossy(&output.stderr))
        })
    }
}

fn python() -> Command {
    let mut command = Command::new(places::tool("python"));
    command.arg(places::client("python/drive.py"));
    command
}

fn typescript() -> Command {
    places::client("node/node_modules/@modelcontextprotocol/client/package.json");
    let mut command = Command::new(places::tool("node"));
    command.arg(places::client("node/drive.mjs"));
    command
}

/// Runs the Inspector's command line against a serving program.
#[track_caller]
pub fn inspector(site: &Site, serving: &Serving, token: &str, args: &[&str]) -> Ended {
    let launcher =
        places::client("node/node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js");
    let header = format!("Authorization: Bearer {token}");
    let output = Command::new(places::tool("node"))
        .arg(launcher)
        .args(["--cli", "--transport", "http", "--server-url", &serving.url(), "--header", &header])
        .args(["--format", "json", "-q", "--stored-auth-only"])
        .args(args)
        .env("HOME", site.outside())
        .stdin(Stdio::null())
        .output()
        .expect("the Inspector starts");
    Ended {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
