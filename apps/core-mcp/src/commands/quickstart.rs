//! `core-mcp quickstart`.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use clap::Args;
use kernel::Secret;
use pipeline::{Door, Request, Verified};
use serde_json::{Value, json};
use workflow::{Order, resolve, runnable};

use super::{config::resolve_folder, serve};
use crate::{
    app::App,
    config::Sources,
    failure::Failure,
    output::{plain, say, write_out},
    platform::{Mounts, Platform, Running, SetUp, set_up},
    progress::ProgressView,
    snippets::{Target, snippets},
};

mod report;

/// Set up, audit the current folder, print client snippets, and serve
///
/// Makes the data directory, an admin token, the default policies and a commented core.toml, opens the
/// target folder to tools, and runs a security scan of it through the same gate every call takes. Running
/// it again keeps what is there and makes a fresh token.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  core-mcp quickstart\n  core-mcp quickstart --target ~/src/shop --no-serve\n  \
    TOKEN=$(core-mcp quickstart --no-serve --output json | jq -r .token)"
)]
pub(crate) struct Quickstart {
    /// The folder to open to tools and to scan
    #[arg(long, value_name = "DIR", default_value = ".")]
    target: PathBuf,
    /// Port to serve on [default: from core.toml, else 7332]
    #[arg(long, value_name = "N")]
    port: Option<u16>,
    /// Stop after the report
    #[arg(long)]
    no_serve: bool,
    /// Ask nothing
    #[arg(long)]
    yes: bool,
}

/// Who the first token is for.
const FIRST_USER: &str = "admin";
/// The workflow of quickstart.
const AUDIT: &str = "security-audit";

impl Quickstart {
    /// Whether it goes on after the report.
    pub(super) fn serves(&self) -> bool {
        !self.no_serve
    }

    pub(crate) async fn run(self, app: &App) -> Result<(), Failure> {
        let target = resolve_folder(&self.target)?;
        let root = app.data_root()?;
        self.confirm(app, &root, &target)?;
        let listen = self.port.map(|port| format!("127.0.0.1:{port}"));
        // A port the system chose is no setting to keep.
        let kept = listen.as_deref().filter(|_| self.port != Some(0));
        let SetUp { data, wrote_config } = set_up(&root, &[&target], kept)?;
        let sources = self.sources(app, data.root(), listen, &target, wrote_config)?;
        let platform = Platform::open(app, &sources, Mounts::All).await?;
        let token = platform.first_token(FIRST_USER)?;
        let started = Instant::now();
        let scanned = self.scan(app, &platform, &token, &target).await;
        let took = started.elapsed();
        let ready = Ready { token: &token, data_dir: data.root(), scanned: &scanned, took };
        // Whoever serves this data directory already goes on doing so.
        let running = Running::read(&data).map(|it| it.listen);
        if self.no_serve || running.is_some() {
            let address = running.unwrap_or_else(|| platform.settings().server.listen.clone());
            platform.close().await?;
            ready.announce(app, &format!("http://{address}/mcp"))?;
            return scanned.map(drop);
        }
        let announce = |address| {
            ready.announce(app, &format!("http://{address}/mcp"))?;
            app.output.note(&format!("serving on http://{address}; Ctrl-C stops it"));
            Ok(())
        };
        serve::serve(app, platform, sources, announce).await
    }

    /// A person at a terminal is told what will happen; a script has decided already.
    fn confirm(&self, app: &App, root: &Path, target: &Path) -> Result<(), Failure> {
        if self.yes || root.exists() || !app.output.can_ask() {
            return Ok(());
        }
        say(&format!(
            "This makes {} (keys, policies, audit log), opens {} to tools, and scans that folder.\nGo on? [Y/n]",
            root.display(),
            target.display()
        ));
        let mut answer = String::new();
        std::io::stdin()
            .read_line(&mut answer)
            .map_err(|error| Failure::local("stdin cannot be read", error))?;
        match answer.trim().to_ascii_lowercase().as_str() {
            "" | "y" | "yes" => Ok(()),
            _ => Err(Failure::usage("nothing was done").hint("run it with --yes to skip the question")),
        }
    }

    /// An existing core.toml stays as it is; the target is then opened for this run only.
    fn sources(
        &self,
        app: &App,
        root: &Path,
        listen: Option<String>,
        target: &Path,
        wrote: bool,
    ) -> Result<Sources, Failure> {
        let mut sources = app.sources(root);
        if let Some(listen) = listen {
            sources.flags.push((&["server", "listen"], listen.into(), "--port"));
        }
        if wrote {
            return Ok(sources);
        }
        let mut roots = app.load_config(&sources)?.settings.workspace.roots;
        if !roots.iter().any(|it| target.starts_with(it)) {
            say(&format!(
                "note: {} is opened for this run only; add it to workspace.roots to keep it",
                target.display()
            ));
            roots.push(target.to_owned());
            sources.flags.push((&["workspace", "roots"], json!(roots), "--target"));
        }
        Ok(sources)
    }

    /// Runs the security audit chain with the servers that are there.
    async fn scan(
        &self,
        app: &App,
        platform: &Platform,
        token: &Secret<String>,
        target: &Path,
    ) -> Result<Value, Failure> {
        let caller = platform.gate.authenticate(token, Door::Cli)?;
        let who = &Arc::clone(caller.principal());
        let workflows = &platform.workflows;
        let program =
            runnable(resolve(AUDIT, &workflows.catalog, Some(&workflows.engine.journal), &who.id)?)?;
        if !workflows.own_runs().await? {
            // The server that has the runs need not have this target open: one call of our own does the scan.
            return scan_here(platform, caller, target).await;
        }
        let order = Order {
            reference: AUDIT,
            principal: &who.id,
            context: None,
            inputs: json!({ "target": target }),
        };
        let run = workflows.engine.start(&program, order).await?;
        let view = ProgressView::new("security audit", app.common.no_progress);
        let settled = super::workflow::watch(&workflows.engine, who, &run, &view).await;
        drop(view);
        settled?;
        let shown = workflows.engine.journal.view(who, &run)?;
        match (&shown.error, &shown.outputs["report"]) {
            (Value::Null, report) => Ok(report.clone()),
            (error, _) => {
                let word = |key: &str| error[key].as_str().unwrap_or_default().to_owned();
                let hint = format!("`core-mcp workflow history {run}` shows every call");
                Err(Failure { code: word("code"), ..Failure::usage(word("message")).hint(hint) })
            }
        }
    }
}

async fn scan_here(platform: &Platform, caller: Verified, target: &Path) -> Result<Value, Failure> {
    let arguments = json!({ "file_path": target, "scan_type": "all" });
    let request = Request::new(caller, "security-scanner", "file_security_scan", arguments, Door::Cli);
    Ok(platform.gate.call(request).await?.structured)
}

/// What there is to say once everything is set up. A scan that failed costs nobody their token.
struct Ready<'a> {
    token: &'a Secret<String>,
    data_dir: &'a Path,
    scanned: &'a Result<Value, Failure>,
    took: Duration,
}

impl Ready<'_> {
    fn announce(&self, app: &App, url: &str) -> Result<(), Failure> {
        if !app.output.is_human() {
            let report = match self.scanned {
                Ok(report) => report.clone(),
                Err(failure) => json!({ "error": failure }),
            };
            let all = json!({
                "token": self.token.expose(), "url": url, "data_dir": self.data_dir, "report": report,
            });
            return write_out(&all.to_string());
        }
        let report = match self.scanned {
            Ok(report) => report::render(report, self.took),
            Err(failure) => format!("the security audit did not run: {}", plain(&failure.message)),
        };
        write_out(&format!("{report}\n\n{}{}", self.access(url), self.clients(url)))
    }

    fn access(&self, url: &str) -> String {
        let (data_dir, token) = (self.data_dir.display(), self.token.expose());
        format!(
            "data directory  {data_dir}\nendpoint        {url}\ntoken           {token}\n\n\
             The token is shown this once. Keep it where your clients find it:\n\n  export CORE_MCP_TOKEN={token}\n"
        )
    }

    fn clients(&self, url: &str) -> String {
        let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("core-mcp"));
        let target = Target { url, program: &program, data_dir: self.data_dir };
        let shown = snippets(&target).into_iter().map(|snippet| {
            let text: Vec<String> = snippet.text.lines().map(|line| format!("  {line}")).collect();
            let client = console::style(snippet.client).bold();
            format!("\n{client} ({})\n\n{}\n", snippet.place, text.join("\n"))
        });
        shown.collect()
    }
}
