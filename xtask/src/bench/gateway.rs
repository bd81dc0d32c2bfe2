//! `tools/call` through gateways to one light upstream: what each adds to the direct way.

use std::{
    cell::RefCell,
    fs,
    path::PathBuf,
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::Context;
use serde_json::json;

use super::{
    Figure, Side,
    http::{Client, OurServer, Running, Script, figures_in, wait_until_open},
    process::{higher, lower, resident_mib, seconds_of},
};
use crate::{shell::Command, test, workspace::Places};

const SECONDS: u32 = 5;
const CONNECTIONS: &[u32] = &[1, 32, 256];

/// The peer that the test environment brings anyway.
const FASTMCP: &str = "import sys\nfrom fastmcp.server import create_proxy\nport = int(sys.argv[2])\n\
    print(f'listening on http://127.0.0.1:{port}', flush=True)\n\
    create_proxy(sys.argv[1]).run(transport='http', host='127.0.0.1', port=port, show_banner=False, stateless_http=True, json_response=True)\n";

/// The upstream, shared by all sides so that they are measured in front of the same process.
type Upstream = Rc<RefCell<Running>>;

/// Direct first would make every ratio one to the wrong side: ours is first, as in every bench.
pub(super) fn sides(places: &Places) -> anyhow::Result<Vec<Box<dyn Side>>> {
    test::debian(&[("sh", &["-c", "command -v wrk"], "wrk")])?;
    let upstream = upstream(places)?;
    let url = format!("http://{}/mcp", upstream.borrow().address);
    let ours = OurServer::prepare(places)?;
    let section = format!("\n[upstreams.light]\nurl = \"{url}\"\nallow_cidrs = [\"127.0.0.0/8\"]\n");
    let config = ours.data_dir.join("core.toml");
    let before = fs::read_to_string(&config).context("quickstart writes core.toml")?;
    fs::write(&config, before + &section)?;
    let token = ours.token.clone();
    let mut sides: Vec<Box<dyn Side>> = vec![Box::new(Gateway {
        label: "core-mcp".into(),
        script: script("light__echo", &token).write(places, "gateway-ours")?,
        token,
        start: Box::new(move || ours.serve()),
        upstream: Rc::clone(&upstream),
    })];
    sides.push(Box::new(Direct {
        script: script("echo", "").write(places, "gateway-direct")?,
        upstream: Rc::clone(&upstream),
    }));
    let python = places.venv().join("bin/python");
    if python.exists() {
        let proxy = Command::new(python.to_string_lossy()).args(["-c", FASTMCP]);
        sides.push(Box::new(Gateway {
            label: "fastmcp proxy".into(),
            script: script("echo", "").write(places, "gateway-fastmcp")?,
            token: String::new(),
            start: Box::new(move || {
                Running::spawn(&proxy.clone().args([url.clone(), free_port()?.to_string()]))
            }),
            upstream,
        }));
    } else {
        eprintln!("fastmcp is left out: install it with cargo xtask test --only install");
    }
    for name in ["agentgateway", "mcp-proxy", "mcpgateway"] {
        eprintln!("{name} is left out: it is not among the programs this bench knows how to start");
    }
    Ok(sides)
}

fn upstream(places: &Places) -> anyhow::Result<Upstream> {
    let (manifest, target) =
        (places.root.join("xtask/peers/light-echo/Cargo.toml"), places.target.join("peers"));
    let build = places.command("cargo").env("CARGO_TARGET_DIR", &target);
    build.args(["build", "--release", "--quiet", "--manifest-path"]).args([&manifest]).run()?;
    let program = Command::new(target.join("release/light-echo").to_string_lossy()).args(["127.0.0.1:0"]);
    Ok(Rc::new(RefCell::new(Running::spawn(&program)?)))
}

fn script(tool: &str, token: &str) -> Script {
    Script { tool: tool.into(), arguments: json!({ "message": "hi" }), token: token.into() }
}

fn free_port() -> anyhow::Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Runs wrk at each number of connections. `pids`: whose processor time counts.
fn load(address: &str, script: &PathBuf, pids: &[u32], label: &str) -> anyhow::Result<Vec<Figure>> {
    let cpu = || pids.iter().map(|it| seconds_of(*it)).sum::<anyhow::Result<f64>>();
    let mut figures = Vec::new();
    for connections in CONNECTIONS {
        let before = cpu()?;
        let wrk = ["-t1", &format!("-c{connections}"), &format!("-d{SECONDS}s"), "-s"];
        let wrk = Command::new("wrk").args(wrk).args([script]).args([format!("http://{address}/mcp")]);
        let [per_second, p50, p99, requests, wrong] = figures_in(&wrk.output()?)?;
        let spent = cpu()? - before;
        anyhow::ensure!(wrong == 0.0, "{label}: {wrong} of {requests} answers were no results");
        figures.push(higher(&format!("per_second_c{connections}"), per_second));
        figures.push(lower(&format!("p50_ms_c{connections}"), p50));
        figures.push(lower(&format!("p99_ms_c{connections}"), p99));
        figures.push(lower(&format!("cpu_us_c{connections}"), spent * 1e6 / requests));
    }
    Ok(figures)
}

/// No gateway at all.
struct Direct {
    script: PathBuf,
    upstream: Upstream,
}

impl Side for Direct {
    fn label(&self) -> &str {
        "direct"
    }

    fn round(&mut self) -> anyhow::Result<Vec<Figure>> {
        let upstream = self.upstream.borrow();
        load(&upstream.address, &self.script, &[upstream.child.id()], "direct")
    }
}

/// A gateway in front of the upstream. Its processor time includes the upstream's.
struct Gateway {
    label: String,
    script: PathBuf,
    token: String,
    start: Box<dyn Fn() -> anyhow::Result<Running>>,
    upstream: Upstream,
}

impl Side for Gateway {
    fn label(&self) -> &str {
        &self.label
    }

    fn round(&mut self) -> anyhow::Result<Vec<Figure>> {
        let begun = Instant::now();
        let running = (self.start)()?;
        wait_until_open(&running.address)?;
        self.until_mounted(&running, begun)?;
        let ready = begun.elapsed().as_secs_f64();
        let pid = running.child.id();
        let idle = resident_mib(pid)?;
        let mut figures =
            load(&running.address, &self.script, &[pid, self.upstream.borrow().child.id()], &self.label)?;
        figures.push(lower("ready_s", ready));
        figures.push(lower("rss_idle_mib", idle));
        figures.push(lower("rss_loaded_mib", resident_mib(pid)?));
        Ok(figures)
    }
}

impl Gateway {
    /// Until the upstream's tool is listed.
    #[expect(clippy::disallowed_methods, reason = "there is no runtime here to block")]
    fn until_mounted(&self, running: &Running, begun: Instant) -> anyhow::Result<()> {
        let client = Client::new(&running.address, &self.token);
        loop {
            let listed = client.call("tools/list", json!({}));
            if listed.as_ref().is_ok_and(|it| it.to_string().contains("echo")) {
                return Ok(());
            }
            anyhow::ensure!(
                begun.elapsed() < Duration::from_secs(30),
                "{}: the tool is not listed",
                self.label
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
