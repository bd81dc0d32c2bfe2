//! What the embedded workflow driver does: `workflow_bench [RUNS] [OPEN] [FOLDER]`.
//!
//! - `driver`: RUNS runs of a three-step flow whose calls cost nothing, 64 at a time: durable steps per second;
//!   how late a call begins after its timer was due; OPEN waiting runs: time until the driver owns them after a
//!   restart, and memory for each;
//! - `file`: a bare file, one append and one `fdatasync` per step.
//!
//! Figures go to stdout as one JSON object.

use std::{
    error::Error,
    fs::OpenOptions,
    io::Write,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use kernel::BoxFuture;
use serde_json::{Value, json};
use store::DataDir;
use tokio::task::JoinSet;
use workflow::{
    Bookcase, Caller, Engine, EngineOptions, Job, Note, Order, Program, RunStatus, StepOutcome, ToolCatalog,
    check,
};

type Failure = Box<dyn Error + Send + Sync>;

const CONTRACT: &str =
    r#"{"servers": [{"name": "t", "tools": [{"name": "do", "required": {}, "optional": {"due": {}}}]}]}"#;
const THREE: &str =
    "workflow: three\nsteps:\n- { id: a, call: t.do }\n- { id: b, call: t.do }\n- { id: c, call: t.do }\n";
const LATE: &str = "workflow: late\nsteps:\n- { id: nap, wait: { for: 100ms } }\n- { id: a, call: t.do }\n";
const OPEN: &str = "workflow: open\nsteps:\n- { id: a, call: t.do }\n- { id: nap, wait: { for: 1h } }\n- { id: b, call: t.do }\n";
/// Runs under way at the same time.
const TOGETHER: usize = 64;

/// Calls that cost nothing and note when they began.
#[derive(Default)]
struct Nothing(Mutex<Vec<(String, f64)>>);

impl Caller for Nothing {
    fn call(&self, job: Job) -> BoxFuture<'static, StepOutcome> {
        self.0.lock().expect("nobody panics").push((job.run, now_ms()));
        Box::pin(async { StepOutcome::Ok { out: json!({ "ok": true }) } })
    }

    fn is_idempotent(&self, _tool: &str) -> bool {
        true
    }

    fn note(&self, _note: Note) {}
}

fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |index: usize, default: usize| args.get(index).map_or(Ok(default), |it| it.parse());
    let (runs, open) = (number(0, 2000)?, number(1, 10_000)?);
    let base = args.get(2).map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = tempfile::tempdir_in(base)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let driver = runtime.block_on(driver(folder.path(), runs, open))?;
    let file = append(&folder.path().join("file"))?;
    println!("{}", json!({ "driver": driver, "file": { "steps_per_second": file } }));
    Ok(())
}

fn program(text: &str) -> Result<Arc<Program>, Failure> {
    let catalog = ToolCatalog::default().with_documented(CONTRACT)?;
    let library = Bookcase { folder: None, journal: None, sticky: "" };
    check("bench", text, &catalog, &library).program.ok_or_else(|| "the flow is not in order".into())
}

async fn driver(folder: &Path, runs: usize, open: usize) -> Result<Value, Failure> {
    let data = DataDir::open(&folder.join("data"))?;
    let nothing = Arc::new(Nothing::default());
    let caller: Arc<dyn Caller> = nothing.clone();
    let engine = Engine::open(&data, EngineOptions::default())?;
    own(&engine, &caller).await?;
    let began = Instant::now();
    finish(&engine, &program(THREE)?, runs).await?;
    let steps_per_second = (runs * 3) as f64 / began.elapsed().as_secs_f64();
    let delay = delay(&engine, &nothing).await?;
    let waiting = program(OPEN)?;
    let mut ids = Vec::with_capacity(open);
    for _ in 0..open {
        ids.push(start(&engine, &waiting).await?);
    }
    // Every run has made its first call and sleeps.
    let until = tokio::time::Instant::now() + Duration::from_secs(300);
    for id in &ids {
        while engine.journal.status(id)? != Some(RunStatus::Waiting) && tokio::time::Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    let closing = Arc::clone(&engine);
    tokio::task::spawn_blocking(move || closing.close()).await?;
    drop((engine, ids));
    let before = resident_bytes();
    let again = Instant::now();
    let engine = Engine::open(&data, EngineOptions::default())?;
    own(&engine, &caller).await?;
    let resume_ms = again.elapsed().as_secs_f64() * 1000.0;
    let bytes = resident_bytes().saturating_sub(before) as f64 / open.max(1) as f64;
    tokio::task::spawn_blocking(move || engine.close()).await?;
    Ok(json!({
        "steps_per_second": steps_per_second, "timer_delay_ms_median": delay,
        "resume_ms": resume_ms, "open_run_bytes": bytes, "resident_mb": resident_bytes() as f64 / 1e6,
    }))
}

async fn own(engine: &Arc<Engine>, caller: &Arc<dyn Caller>) -> Result<(), Failure> {
    let (engine, caller) = (Arc::clone(engine), Arc::clone(caller));
    match tokio::task::spawn_blocking(move || engine.own(&caller)).await?? {
        true => Ok(()),
        false => Err("another process has the runs".into()),
    }
}

async fn start(engine: &Engine, program: &Program) -> Result<String, Failure> {
    let order = Order { reference: "bench", principal: "bench", context: None, inputs: json!({}) };
    Ok(engine.start(program, order).await?)
}

/// Runs a flow so often, some at the same time.
async fn finish(engine: &Arc<Engine>, program: &Arc<Program>, runs: usize) -> Result<(), Failure> {
    let mut all = JoinSet::new();
    for lane in 0..TOGETHER {
        let (engine, program) = (Arc::clone(engine), Arc::clone(program));
        let own = runs / TOGETHER + usize::from(lane < runs % TOGETHER);
        all.spawn(async move {
            for _ in 0..own {
                let id = start(&engine, &program).await?;
                let until = tokio::time::Instant::now() + Duration::from_secs(60);
                let status = engine.settled(&id, until).await?;
                if status != RunStatus::Succeeded {
                    return Err(format!("a run ended {}", status.as_str()).into());
                }
            }
            Ok::<(), Failure>(())
        });
    }
    while let Some(ended) = all.join_next().await {
        ended??;
    }
    Ok(())
}

/// How late calls begin after their timer was due: the median of 100.
async fn delay(engine: &Arc<Engine>, nothing: &Nothing) -> Result<f64, Failure> {
    nothing.0.lock().expect("nobody panics").clear();
    let program = program(LATE)?;
    let mut delays = Vec::new();
    for _ in 0..100 {
        let id = start(engine, &program).await?;
        let status = engine.settled(&id, tokio::time::Instant::now() + Duration::from_secs(30)).await?;
        let began =
            nothing.0.lock().expect("nobody panics").iter().find(|(run, _)| *run == id).map(|(_, at)| *at);
        let began = began.filter(|_| status == RunStatus::Succeeded).ok_or("the call was not made")?;
        let principal = kernel::Principal {
            id: "bench".into(),
            kind: kernel::PrincipalKind::Service,
            roles: Vec::new(),
            token_id: None,
        };
        let run = engine.journal.view(&principal, &id)?;
        delays.push(began - (run.info.started_ms as f64 + 100.0));
    }
    delays.sort_by(f64::total_cmp);
    Ok(delays[delays.len() / 2])
}

fn append(path: &Path) -> Result<f64, Failure> {
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    let (began, record) = (Instant::now(), [b'x'; 400]);
    let mut count = 0_u32;
    while began.elapsed() < Duration::from_secs(1) {
        file.write_all(&record)?;
        file.sync_data()?;
        count += 1;
    }
    Ok(f64::from(count) / began.elapsed().as_secs_f64())
}

fn now_ms() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64() * 1000.0
}

fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split_whitespace().nth(1).and_then(|it| it.parse::<usize>().ok());
    pages.unwrap_or_default() * 4096
}
