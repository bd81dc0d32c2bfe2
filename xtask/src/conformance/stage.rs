//! The fixture and the proxy that brings its token, as programs of their own.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Child, ChildStdin, Stdio},
    time::Duration,
};

use anyhow::Context;

use crate::{shell::Command, workspace::Places};

/// What the fixture's only caller holds.
const TOKEN: &str = "token-of-admin";

/// An answer that takes longer is none.
const PATIENCE: Duration = Duration::from_secs(30);

/// The served fixture behind its proxy. Both end when it is dropped.
pub(super) struct Fixture {
    /// Where clients without a token reach it.
    pub(super) address: SocketAddr,
    _programs: [Program; 2],
}

impl Fixture {
    /// Builds and starts both programs.
    pub(super) fn start(places: &Places) -> anyhow::Result<Self> {
        let build = places.command("cargo").args(["build", "--locked", "--quiet", "-p", "everything"]);
        build.run()?;
        let folder = places.target.join("debug");
        let (server, url) = Program::start(&folder.join("everything"), &[], "")?;
        let host = url.strip_prefix("http://").and_then(|it| it.split('/').next());
        let host = host.with_context(|| format!("the fixture printed `{url}`, no URL"))?;
        let (proxy, address) = Program::start(&folder.join("bearer-proxy"), &[host], &format!("{TOKEN}\n"))?;
        let address =
            address.parse().with_context(|| format!("the proxy printed `{address}`, no address"))?;
        Ok(Self { address, _programs: [server, proxy] })
    }
}

/// A program that runs until its input ends.
struct Program {
    child: Child,
    input: Option<ChildStdin>,
}

impl Program {
    /// Starts it and returns the first line it prints.
    fn start(path: &Path, args: &[&str], input: &str) -> anyhow::Result<(Self, String)> {
        let mut command = Command::new(path.to_string_lossy()).args(args).prepared();
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("{} does not start", path.display()))?;
        let (mut stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let mut program = Self { child, input: None };
        if let Some(stdin) = &mut stdin {
            stdin.write_all(input.as_bytes()).context("it takes no input")?;
        }
        program.input = stdin;
        let mut line = String::new();
        let stdout = stdout.context("it has no output")?;
        BufReader::new(stdout).read_line(&mut line).context("it says nothing")?;
        anyhow::ensure!(!line.trim().is_empty(), "{} ended before it served", path.display());
        Ok((program, line.trim().to_owned()))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.input.take());
        if let Err(error) = self.child.wait() {
            eprintln!("a program of the harness could not be waited for: {error}");
        }
    }
}

/// Fails unless `tool` is listed at `url`: a server that lists nothing passes too many scenarios.
pub(super) fn control(url: &str, tool: &str) -> anyhow::Result<()> {
    let (host, path) =
        url.strip_prefix("http://").and_then(|it| it.split_once('/')).context("the URL is of plain HTTP")?;
    let meta = r#"{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;
    let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{{"_meta":{meta}}}}}"#);
    let request = format!(
        "POST /{path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: 2026-07-28\r\n\
         Mcp-Method: tools/list\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let mut socket = TcpStream::connect(host).with_context(|| format!("{url} is not there"))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.write_all(request.as_bytes())?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).context("the listing did not arrive")?;
    anyhow::ensure!(
        answer.contains(&format!("\"name\":\"{tool}\"")),
        "{url} does not list `{tool}`: nothing that passes there means anything"
    );
    Ok(())
}
