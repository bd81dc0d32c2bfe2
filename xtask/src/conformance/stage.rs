//! The fixture and the proxy that brings its token, as programs of their own.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Stdio},
    time::Duration,
};

use anyhow::Context;
use serde_json::Value;

use crate::{shell::Command, workspace::Places};

/// What the fixture's only caller holds.
const TOKEN: &str = "token-of-admin";

/// An answer that takes longer is none.
const PATIENCE: Duration = Duration::from_secs(30);

/// The served fixture behind its proxy. Both end when it is dropped.
pub(super) struct Fixture {
    /// Where clients without a token reach it.
    pub(super) address: SocketAddr,
    /// Its own route, for clients that have its token.
    url: String,
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
        Ok(Self { address, url, _programs: [server, proxy] })
    }
}

/// `core-mcp serve` with the fixture as its only upstream, behind a proxy of its own.
pub(super) struct Gateway {
    /// Where clients without a token reach it.
    pub(super) address: SocketAddr,
    // In this order: the proxy ends first, the folder goes last.
    _proxy: Program,
    server: Child,
    folder: PathBuf,
}

impl Gateway {
    /// Starts it over a fresh data directory; `None` when the program has no upstreams.
    pub(super) fn start(places: &Places, fixture: &Fixture) -> anyhow::Result<Option<Self>> {
        places.command("cargo").args(["build", "--locked", "--quiet", "-p", "core-mcp"]).run()?;
        let programs = places.target.join("debug");
        let program = programs.join("core-mcp");
        let core_mcp = || Command::new(program.to_string_lossy());
        if !core_mcp().args(["upstream", "--help"]).works() {
            return Ok(None);
        }
        let folder = std::env::temp_dir().join(format!("core-mcp-conformance-{}", std::process::id()));
        let (data, target) = (folder.join("data"), folder.join("target"));
        fs::create_dir_all(&target).context("a folder to set up over")?;
        let core_mcp = || core_mcp().args(["--data-dir".as_ref(), data.as_os_str()]);
        let quickstart = core_mcp().args(["quickstart", "--no-serve", "--yes", "--output", "json"]);
        let report: Value =
            serde_json::from_str(&quickstart.args(["--target".as_ref(), target.as_os_str()]).output()?)?;
        let token = report["token"].as_str().context("quickstart prints a token")?;
        loosen(&data.join("core.toml"))?;
        let header = format!("Authorization=Bearer {TOKEN}");
        let add =
            core_mcp().args(["upstream", "add", "everything", "--url", &fixture.url, "--header", &header]);
        add.args(["--allow-cidr", "127.0.0.0/8", "--trust", "high"]).output()?;
        let mut serve = core_mcp().args(["serve", "--listen", "127.0.0.1:0"]).prepared();
        let mut server = serve.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let mut line = String::new();
        BufReader::new(server.stdout.take().context("it has no output")?).read_line(&mut line)?;
        let address = line.split_whitespace().find_map(|word| {
            let word = word.trim_start_matches("http://");
            word.split('/').next().filter(|it| it.parse::<SocketAddr>().is_ok()).map(str::to_owned)
        });
        let address = address.with_context(|| format!("`serve` printed `{line}`, no address"))?;
        let proxy = Program::start(&programs.join("bearer-proxy"), &[&address], &format!("{token}\n"));
        let (proxy, address) = proxy?;
        Ok(Some(Self { address: address.parse()?, _proxy: proxy, server, folder }))
    }
}

/// The suite calls more often than a person would.
fn loosen(config: &Path) -> anyhow::Result<()> {
    let text = fs::read_to_string(config).context("quickstart writes a configuration")?;
    let lines = text.lines().map(|line| match line.split_once(" = ") {
        Some(("rate_per_minute", _)) => "rate_per_minute = 1000000\nbeyond_documented = true",
        Some(("semaphore", _)) => "semaphore = 200",
        _ => line,
    });
    let lines: Vec<&str> = lines.collect();
    fs::write(config, lines.join("\n") + "\n").context("the configuration cannot be written")
}

impl Drop for Gateway {
    fn drop(&mut self) {
        for ended in [self.server.kill(), self.server.wait().map(drop), fs::remove_dir_all(&self.folder)] {
            if let Err(error) = ended {
                eprintln!("the served program left something behind: {error}");
            }
        }
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
