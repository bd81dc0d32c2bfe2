//! `tools/call` over Streamable HTTP: the release build next to a bare server made with the official SDK.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::PathBuf,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use anyhow::Context;
use serde_json::{Value, json};

use super::{
    Figure, Side,
    process::{higher, lower, seconds_of},
};
use crate::{shell::Command, test, workspace::Places};

const REVISION: &str = "2026-07-28";
const SECONDS: u32 = 5;
const CONNECTIONS: &[u32] = &[1, 32];
/// What both sides are asked to do: answer at once.
pub(super) const OURS: (&str, &str) = ("desktop-commander__list_directory", "directory_path");

/// Ours, with the whole road in front of a small tool, and the peer with nothing in front of an echo.
pub(super) fn sides(places: &Places) -> anyhow::Result<Vec<Box<dyn Side>>> {
    test::debian(&[("sh", &["-c", "command -v wrk"], "wrk")])?;
    let ours = OurServer::prepare(places)?;
    let folder = ours.target.to_string_lossy().into_owned();
    let script =
        Script { tool: OURS.0.into(), arguments: json!({ OURS.1: folder }), token: ours.token.clone() };
    let mut sides: Vec<Box<dyn Side>> = vec![Box::new(Load {
        label: "core-mcp".into(),
        script: script.write(places, "ours")?,
        start: Box::new(move || ours.serve()),
    })];
    let manifest = places.root.join("xtask/peers/rmcp-echo/Cargo.toml");
    let target = places.target.join("peers");
    let build = places.command("cargo").env("CARGO_TARGET_DIR", &target);
    build.args(["build", "--release", "--quiet", "--manifest-path"]).args([&manifest]).run()?;
    let peer = Command::new(target.join("release/rmcp-echo").to_string_lossy()).args(["127.0.0.1:0"]);
    let script = Script { tool: "echo".into(), arguments: json!({ "message": "hi" }), token: String::new() };
    sides.push(Box::new(Load {
        label: "rmcp echo".into(),
        script: script.write(places, "peer")?,
        start: Box::new(move || Running::spawn(&peer)),
    }));
    Ok(sides)
}

/// Our release build with a data directory of its own.
pub(super) struct OurServer {
    binary: PathBuf,
    /// Where it keeps everything.
    pub(super) data_dir: PathBuf,
    /// The folder that is open to tools.
    pub(super) target: PathBuf,
    /// The first token.
    pub(super) token: String,
}

impl OurServer {
    /// Builds it and sets up a fresh data directory in the cache.
    pub(super) fn prepare(places: &Places) -> anyhow::Result<Self> {
        places
            .command("cargo")
            .args(["build", "--release", "--quiet", "--locked", "-p", "core-mcp"])
            .run()?;
        let (data_dir, target) = (places.cache.join("bench/data"), places.cache.join("bench/root"));
        for folder in [&data_dir, &target] {
            if folder.exists() {
                fs::remove_dir_all(folder).context("the old folder cannot be removed")?;
            }
        }
        fs::create_dir_all(&target)?;
        let mut ours = Self { binary: places.release_binary(), data_dir, target, token: String::new() };
        let target = ours.target.to_string_lossy().into_owned();
        let quickstart = ["quickstart", "--target", &target, "--no-serve", "--yes", "--output", "json"];
        let report: Value = serde_json::from_str(&ours.command(&quickstart).output()?)?;
        ours.token = report["token"].as_str().context("quickstart prints a token")?.to_owned();
        Ok(ours)
    }

    /// A command of the binary. Limits are lifted: a bench measures work, not waiting.
    pub(super) fn command(&self, args: &[&str]) -> Command {
        Command::new(self.binary.to_string_lossy())
            .args(args)
            .env("CORE_MCP_DATA_DIR", &self.data_dir)
            .env("CORE_MCP_TOKEN", &self.token)
            .env("CORE_MCP__TUNING__BEYOND_DOCUMENTED", "true")
            .env("CORE_MCP__TUNING__RATE_PER_MINUTE", "100000000")
            .env("CORE_MCP__TUNING__SEMAPHORE", "64")
            .env("CORE_MCP_LOG", "error")
    }

    /// Serves on a free port.
    pub(super) fn serve(&self) -> anyhow::Result<Running> {
        Running::spawn(&self.command(&["serve", "--listen", "127.0.0.1:0"]))
    }
}

/// A server that says on its first line where it listens. Ended when dropped.
pub(super) struct Running {
    pub(super) child: Child,
    /// Host and port.
    pub(super) address: String,
}

impl Running {
    pub(super) fn spawn(command: &Command) -> anyhow::Result<Self> {
        let mut prepared = command.prepared();
        let child = prepared.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let child = child.with_context(|| format!("`{}` does not start", command.shown()))?;
        let mut running = Self { child, address: String::new() };
        let output = running.child.stdout.take().context("stdout is piped")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).context("the server says nothing")?;
        let word = line
            .split_whitespace()
            .find_map(|it| it.split("//").last().filter(|it| it.contains("127.0.0.1:")));
        running.address =
            word.context("the first line holds no address")?.split('/').next().unwrap_or_default().into();
        Ok(running)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Already gone is fine; there is nobody to tell anything else.
        if self.child.kill().is_ok() {
            drop(self.child.wait());
        }
    }
}

/// One request at a time, a connection for each.
pub(super) struct Client<'a> {
    address: &'a str,
    token: &'a str,
}

impl<'a> Client<'a> {
    pub(super) fn new(address: &'a str, token: &'a str) -> Self {
        Self { address, token }
    }

    /// Sends one request of revision 2026-07-28.
    pub(super) fn call(&self, method: &str, params: Value) -> anyhow::Result<Value> {
        let body = message(method, params).to_string();
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        let token = self.token;
        write!(
            stream,
            "POST /mcp HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
             Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: {REVISION}\r\nMcp-Method: {method}\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.address,
            body.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let line = answer.lines().map(|it| it.trim_start_matches("data: ")).find(|it| it.starts_with('{'));
        serde_json::from_str(line.with_context(|| format!("no message in {answer}"))?)
            .context("the answer is JSON")
    }
}

fn message(method: &str, mut params: Value) -> Value {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": REVISION,
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": { "name": "bench", "version": "1" },
    });
    json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params })
}

/// What `wrk` sends.
pub(super) struct Script {
    pub(super) tool: String,
    pub(super) arguments: Value,
    pub(super) token: String,
}

impl Script {
    pub(super) fn write(&self, places: &Places, name: &str) -> anyhow::Result<PathBuf> {
        let body =
            message("tools/call", json!({ "name": self.tool, "arguments": self.arguments })).to_string();
        let Self { tool, token, .. } = self;
        // The script counts answers that are no results: fast refusals are no figures.
        let script = format!(
            "wrk.method = 'POST'\nwrk.body = [==[{body}]==]\nwrk.headers['Content-Type'] = 'application/json'\n\
             wrk.headers['Accept'] = 'application/json, text/event-stream'\n\
             wrk.headers['MCP-Protocol-Version'] = '{REVISION}'\nwrk.headers['Mcp-Method'] = 'tools/call'\n\
             wrk.headers['Mcp-Name'] = '{tool}'\nwrk.headers['Authorization'] = 'Bearer {token}'\n\
             local threads = {{}}\nfunction setup(thread) table.insert(threads, thread) end\nbad = 0\n\
             function response(status, headers, body)\n  if status ~= 200 or not body:find('\"content\"', 1, true) \
             or body:find('\"isError\":true', 1, true) then bad = bad + 1 end\nend\n\
             function done(summary, latency)\n  local wrong = 0\n  for _, it in ipairs(threads) do wrong = wrong + it:get('bad') end\n\
             \x20 local errors = summary.errors\n\
             wrong = wrong + errors.connect + errors.read + errors.write + errors.timeout\n\
             io.write(string.format('FIGURES %f %f %f %d %d\\n', summary.requests * 1e6 / summary.duration, \
             latency:percentile(50) / 1000, latency:percentile(99) / 1000, summary.requests, wrong))\nend\n"
        );
        let path = places.cache.join(format!("bench/{name}.lua"));
        fs::write(&path, script).context("the script cannot be written")?;
        Ok(path)
    }
}

struct Load {
    label: String,
    script: PathBuf,
    start: Box<dyn Fn() -> anyhow::Result<Running>>,
}

impl Side for Load {
    fn label(&self) -> &str {
        &self.label
    }

    fn round(&mut self) -> anyhow::Result<Vec<Figure>> {
        let running = (self.start)()?;
        wait_until_open(&running.address)?;
        let mut figures = Vec::new();
        for connections in CONNECTIONS {
            let before = seconds_of(running.child.id())?;
            let wrk = Command::new("wrk").args([
                "-t1",
                &format!("-c{connections}"),
                &format!("-d{SECONDS}s"),
                "-s",
            ]);
            let said = wrk.args([&self.script]).args([format!("http://{}/mcp", running.address)]).output()?;
            let cpu = seconds_of(running.child.id())? - before;
            let [per_second, _, p99, requests, wrong] = figures_in(&said)?;
            anyhow::ensure!(wrong == 0.0, "{}: {wrong} of {requests} answers were no results", self.label);
            figures.push(higher(&format!("per_second_c{connections}"), per_second));
            figures.push(lower(&format!("p99_ms_c{connections}"), p99));
            figures.push(lower(&format!("cpu_us_c{connections}"), cpu * 1e6 / requests));
        }
        Ok(figures)
    }
}

pub(super) fn figures_in(said: &str) -> anyhow::Result<[f64; 5]> {
    let line = said.lines().find_map(|it| it.strip_prefix("FIGURES ")).context("wrk printed no figures")?;
    let numbers: Vec<f64> =
        line.split(' ').map(str::parse).collect::<Result<_, _>>().context("figures are numbers")?;
    numbers.try_into().ok().context("wrk prints five figures")
}

pub(super) fn wait_until_open(address: &str) -> anyhow::Result<()> {
    let begun = Instant::now();
    while TcpStream::connect(address).is_err() {
        anyhow::ensure!(begun.elapsed() < Duration::from_secs(10), "{address} does not open");
        std::thread::yield_now();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_from_what_wrk_says() {
        let said = "Running 5s test\nFIGURES 1234.5 3.2 6.7 100 0\n";
        assert_eq!(figures_in(said).expect("figures"), [1234.5, 3.2, 6.7, 100.0, 0.0]);
        assert!(figures_in("Running 5s test").is_err());
        assert!(figures_in("FIGURES 1 2").is_err());
    }
}
