//! The single checks. Each says what it saw and, when that is not good, what mends it.

use std::{
    net::{SocketAddr, TcpListener},
    path::Path,
    time::{Duration, SystemTime},
};

use kernel::Health;
use store::DataDir;
use vault::Vault;

use super::Check;
use crate::{
    app::App,
    config::{self, Loaded},
    failure::Failure,
    platform::{Local, Mounts, Running, mount},
};

/// Clocks further ahead of a file they wrote themselves than this are wrong.
const CLOCK_SLACK: Duration = Duration::from_secs(60);

/// Runs every check that makes sense after the ones before it.
pub(super) async fn all(app: &App) -> Result<Vec<Check>, Failure> {
    let root = app.data_root()?;
    let mut checks = vec![sandbox()];
    if !root.is_dir() {
        let detail = format!("{} does not exist", root.display());
        checks.push(Check::failed(
            "data directory",
            detail,
            "run `core-mcp quickstart`, or name it with --data-dir",
        ));
        return Ok(checks);
    }
    let data = match DataDir::open(&root) {
        Ok(data) => data,
        Err(error) => {
            checks.push(Check::failed(
                "data directory",
                error.to_string(),
                "make it yours alone: chmod 700, and no links",
            ));
            return Ok(checks);
        }
    };
    checks.push(Check::ok("data directory", format!("{} (yours alone)", data.root().display())));
    checks.push(clock(data.root()));
    checks.extend(databases(&data));
    checks.push(audit_chain(data.clone()).await);
    let (check, loaded) = configuration(app, data.root());
    checks.push(check);
    if let Some(loaded) = loaded {
        checks.push(port(&data, &loaded));
        checks.push(policies(app));
        checks.extend(super::access::all(&data, &loaded).await);
        checks.extend(servers(app, &data, &loaded).await);
    }
    Ok(checks)
}

fn sandbox() -> Check {
    let Ok(program) = std::env::current_exe() else {
        return Check::failed("sandbox", "this program cannot find itself", "start it by its full path");
    };
    let held = sandbox::Launcher::new(program).probe();
    if held.is_confined() {
        return Check::ok(
            "sandbox",
            format!("files, network and system calls are confined (landlock {})", held.landlock_abi),
        );
    }
    Check::warning(
        "sandbox",
        format!("programs cannot be fully confined: {}", held.reasons.join("; ")),
        "use a kernel with Landlock and seccomp (Linux 6.7 or newer); programs that need confinement are refused until then",
    )
}

fn clock(root: &Path) -> Check {
    let newest = std::fs::read_dir(root)
        .ok()
        .and_then(|entries| entries.flatten().filter_map(|it| it.metadata().ok()?.modified().ok()).max());
    let ahead =
        newest.and_then(|it| it.duration_since(SystemTime::now()).ok()).filter(|it| *it > CLOCK_SLACK);
    match ahead {
        None => Check::ok("clock", format!("{}", chrono::Utc::now().format("%Y-%m-%d %H:%M:%S UTC"))),
        Some(ahead) => Check::failed(
            "clock",
            format!("files were written {} s in the future: the clock went back", ahead.as_secs()),
            "set the clock (timedatectl); tokens and approvals expire by it",
        ),
    }
}

fn databases(data: &DataDir) -> Vec<Check> {
    let known = [
        ("database identity.db", data.identity_db()),
        ("database audit.db", data.audit_db()),
        ("database state.db", data.state_db()),
        ("database secrets.db", data.secrets_db()),
        ("database workflows.db", data.workflows_db()),
    ];
    let existing = known.into_iter().filter(|(_, path)| path.exists());
    let checked = existing.map(|(name, path)| {
        let sound = store::sqlite::open_read_only(&path).and_then(|it| store::sqlite::integrity(&it));
        match sound {
            Ok(()) => Check::ok(name, "sound"),
            Err(error) => {
                Check::failed(name, error.to_string(), "stop core-mcp and restore the file from a backup")
            }
        }
    });
    checked.collect()
}

async fn audit_chain(data: DataDir) -> Check {
    let name = "audit chain";
    if !data.audit_db().exists() {
        return Check::ok(name, "no record yet");
    }
    let verified = tokio::task::spawn_blocking(move || {
        audit::VerifySources::of(&data).and_then(|sources| audit::verify(&sources, |_, _| {}))
    });
    match verified.await {
        Ok(Ok(report)) => match report.first_bad {
            None => Check::ok(name, format!("{} records verified", report.records)),
            Some(fault) => Check::failed(
                name,
                format!("record {}: {}", fault.seq, fault.detail),
                "somebody or something changed the log: keep a copy, and compare with your exports",
            ),
        },
        Ok(Err(error)) => {
            Check::failed(name, error.to_string(), "run `core-mcp audit verify` for the whole story")
        }
        Err(error) => Check::failed(name, error.to_string(), "this is a bug of core-mcp: please report it"),
    }
}

fn configuration(app: &App, root: &Path) -> (Check, Option<Loaded>) {
    let sources = app.sources(root);
    match config::load(&sources) {
        Ok(loaded) => {
            let files: Vec<String> =
                sources.files().filter(|it| it.exists()).map(|it| it.display().to_string()).collect();
            let detail = if files.is_empty() { "defaults, no file".into() } else { files.join(", ") };
            (Check::ok("configuration", detail), Some(loaded))
        }
        Err(problems) => {
            let first = problems.first().map(config::Problem::line).unwrap_or_default();
            let detail = format!("problems found: {}; first: {first}", problems.len());
            (Check::failed("configuration", detail, "`core-mcp config check` lists them all"), None)
        }
    }
}

/// Free, or held by our own running server; then also whether that server waits for a restart.
fn port(data: &DataDir, loaded: &Loaded) -> Check {
    let name = "port";
    if let Some(running) = Running::read(data) {
        if running.needs_restart.is_empty() {
            return Check::ok(
                name,
                format!("core-mcp serves on {} (process {})", running.listen, running.pid),
            );
        }
        return Check::warning(
            name,
            format!(
                "the server on {} still has the old {}",
                running.listen,
                running.needs_restart.join(", ")
            ),
            "restart it to put the new values in force",
        );
    }
    let Some(address) = loaded.settings.server.address() else { return Check::ok(name, "not set") };
    match TcpListener::bind::<SocketAddr>(address) {
        Ok(_) => Check::ok(name, format!("{address} is free")),
        Err(error) => Check::failed(
            name,
            format!("{address} cannot be used: {error}"),
            "another program has it: stop that, or set another server.listen",
        ),
    }
}

fn policies(app: &App) -> Check {
    let checked = match Local::open(app) {
        Ok(local) => local.manifest().map(|manifest| policy::check(&local.data.policies(), &manifest)),
        Err(failure) => Err(failure),
    };
    let fix = "`core-mcp policy check` shows every finding with its place";
    match checked {
        Ok(Ok(report)) if report.warnings.is_empty() => {
            Check::ok("policies", format!("{} policies in {} files", report.policies, report.files))
        }
        Ok(Ok(report)) => Check::warning("policies", format!("warnings: {}", report.warnings.len()), fix),
        Ok(Err(errors)) => Check::failed("policies", format!("errors: {}", errors.findings.len()), fix),
        Err(failure) => Check::failed("policies", failure.message, fix),
    }
}

async fn servers(app: &App, data: &DataDir, loaded: &Loaded) -> Vec<Check> {
    let files: Vec<_> = app.sources(data.root()).files().map(Path::to_owned).collect();
    let vault = match Vault::open(data) {
        Ok(vault) => vault,
        Err(error) => {
            let fix = "restore keys/vault.key and secrets.db from the same backup";
            return vec![Check::failed("secrets", error.to_string(), fix)];
        }
    };
    let registry = mount(&Mounts::All, &loaded.settings, (data, &vault), &files).await;
    let mut checks = Vec::new();
    for it in registry.mounts().iter() {
        let health = match &it.state {
            Ok(server) => server.health().await,
            Err(reason) => Health::Unavailable(reason.clone()),
        };
        checks.push(match health {
            Health::Ready => {
                Check::ok("server", format!("{} is ready with {} tools", it.facts.name, it.specs.len()))
            }
            Health::Unavailable(reason) => {
                let fix = format!("see [servers.{}] in core.toml", it.facts.name);
                Check::warning("server", format!("{}: {reason}", it.facts.name), fix)
            }
        });
    }
    checks
}
