//! What the whole road costs with the real platform behind it: CPU microseconds per no-op call.
//!
//! All fifteen stages, tokens in SQLite, Cedar with the shipped policies, the journal in group mode; the
//! tool is `testkit`'s echo. `cargo xtask bench pipeline` runs it in release.

use std::{error::Error, sync::Arc, time::Duration};

use audit::{AuditLog, AuditOptions};
use identity::{IdentityStore, TokenOptions};
use kernel::{PrincipalKind, ServerEntry, StartContext};
use pipeline::{Door, Gate, GateParts, LimitOverrides, Mount, Registry, Request, Tuning, Verified};
use policy::{Manifest, PolicyEngine};
use serde_json::json;
use store::{DataDir, State, StateOptions};
use testkit::EchoServer;

const ROUNDS: usize = 5;
const CALLS: usize = 20_000;
const CALLERS: usize = 32;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let data = DataDir::open(&folder.path().join("data"))?;
    let (gate, caller, log) = build(&data).await?;
    let mut rounds = Vec::new();
    for round in 0..=ROUNDS {
        let (cpu, wall) = measure(&gate, &caller).await?;
        if round > 0 {
            // The first round warms caches and is thrown away.
            rounds.push((cpu, wall));
        }
    }
    rounds.sort_by(|left, right| left.0.total_cmp(&right.0));
    let (cpu, wall) = rounds[ROUNDS / 2];
    println!(
        "{}",
        json!({
            "bench": "pipeline", "calls": CALLS, "callers": CALLERS, "rounds": ROUNDS,
            "road": { "cpu_us_per_call": round2(cpu), "calls_per_second": (1e6 / wall).round() },
        })
    );
    log.shutdown()?;
    Ok(())
}

async fn build(data: &DataDir) -> Result<(Arc<Gate>, Verified, Arc<AuditLog>), Box<dyn Error>> {
    let entry = ServerEntry::of::<EchoServer>();
    let identity = Arc::new(IdentityStore::open(data)?);
    identity.create_principal("bench", PrincipalKind::Service)?;
    identity.grant_role("bench", "admin")?;
    let token = identity.create_token("bench", &TokenOptions::default())?.secret;
    policy::write_defaults(&data.policies())?;
    let manifest = Manifest::new().server(entry.facts, &(entry.specs)());
    let (policy, _) = PolicyEngine::open(data.policies(), manifest).map_err(|error| error.to_string())?;
    let state = State::open(data, StateOptions::default())?;
    let log = Arc::new(AuditLog::open(data, AuditOptions::default())?);
    let start = StartContext { state_dir: data.server("echo")?, ..StartContext::default() };
    let registry = Registry::new(vec![Mount::ready((entry.mount)(json!({}), start).await?)]);
    let defaults = LimitOverrides {
        rate_per_minute: Some(1_000_000_000),
        semaphore: Some(64),
        ..LimitOverrides::default()
    };
    let gate = Gate::new(GateParts {
        identity,
        policy,
        journal: log.clone(),
        contexts: state.contexts.clone(),
        approvals: state.approvals.clone(),
        artifacts: state.artifacts.clone(),
        registry,
        tuning: Tuning { defaults, beyond_documented: true, ..Tuning::default() },
    });
    let caller = gate.authenticate(&token, Door::Http)?;
    Ok((gate, caller, log))
}

/// CPU and wall microseconds per call, with 32 callers at a time.
async fn measure(gate: &Arc<Gate>, caller: &Verified) -> Result<(f64, f64), Box<dyn Error>> {
    let (cpu, wall) = (cpu_time(), std::time::Instant::now());
    let callers = (0..CALLERS).map(|_| {
        let (gate, caller) = (Arc::clone(gate), caller.clone());
        tokio::spawn(async move {
            for _ in 0..CALLS / CALLERS {
                let request =
                    Request::new(caller.clone(), "echo", "echo", json!({"message": "x"}), Door::Http);
                gate.call(request).await.map_err(|error| error.to_string())?;
            }
            Ok::<(), String>(())
        })
    });
    for caller in futures_util::future::join_all(callers).await {
        caller??;
    }
    let calls = (CALLS / CALLERS * CALLERS) as f64;
    let per_call = |time: Duration| time.as_secs_f64() * 1e6 / calls;
    Ok((per_call(cpu_time() - cpu), per_call(wall.elapsed())))
}

/// User and system time of this process.
fn cpu_time() -> Duration {
    let usage = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(usage.tv_sec).unwrap_or(0), u32::try_from(usage.tv_nsec).unwrap_or(0))
}

fn round2(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
