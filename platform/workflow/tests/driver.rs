//! The embedded driver on a real journal, with calls that answer as a test says.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use kernel::{BoxFuture, Principal, PrincipalKind, ServerEntry};
use parking_lot::Mutex;
use pipeline::{Door, LimitOverrides, Tuning};
use serde_json::{Value, json};
use store::DataDir;
use testkit::{EchoServer, Rig};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use workflow::{
    BatchCaller, Bookcase, CallList, Caller, Engine, EngineOptions, Job, Note, Order, Program, RunStatus,
    StepOutcome, ToolCatalog, call_all, check,
};

const CONTRACT: &str =
    r#"{"servers": [{"name": "t", "tools": [{"name": "do", "required": {}, "optional": {"x": {}}}]}]}"#;

/// Answers at once, and remembers what it was asked.
#[derive(Default)]
struct World {
    jobs: Mutex<Vec<Job>>,
    notes: AtomicUsize,
    running: AtomicUsize,
    most: AtomicUsize,
}

impl Caller for World {
    fn call(&self, job: Job) -> BoxFuture<'static, StepOutcome> {
        let now = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        let wanted = job.args["x"].clone();
        self.jobs.lock().push(job);
        self.running.fetch_sub(1, Ordering::SeqCst);
        Box::pin(async move {
            match wanted.as_str() {
                Some("crash") => panic!("on purpose"),
                Some("huge") => StepOutcome::Ok { out: json!({ "text": "\u{1}".repeat(20 << 20) }) },
                Some("fail") => StepOutcome::Failed {
                    code: "not_found".into(),
                    message: "no".into(),
                    retry_after_ms: None,
                },
                _ => StepOutcome::Ok { out: json!({ "x": wanted }) },
            }
        })
    }

    fn is_idempotent(&self, _tool: &str) -> bool {
        false
    }

    fn note(&self, _note: Note) {
        self.notes.fetch_add(1, Ordering::SeqCst);
    }
}

fn program(steps: &str) -> Arc<Program> {
    let catalog = ToolCatalog::default().with_documented(CONTRACT).unwrap();
    let library = Bookcase { folder: None, journal: None, sticky: "" };
    let text = format!("workflow: a\ninputs: {{ x: {{ type: string, default: y }} }}\nsteps:\n{steps}");
    let checked = check("a.yaml", &text, &catalog, &library);
    let problems: Vec<String> =
        checked.problems.iter().filter(|it| it.class.is_fault()).map(ToString::to_string).collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    checked.program.unwrap()
}

fn person(id: &str, roles: &[&str]) -> Principal {
    let roles = roles.iter().map(|it| (*it).to_owned()).collect();
    Principal { id: id.into(), kind: PrincipalKind::User, roles, token_id: None }
}

async fn start(engine: &Engine, program: &Program) -> String {
    let order = Order { reference: "a.yaml", principal: "ann", context: Some("c1"), inputs: json!({}) };
    engine.start(program, order).await.unwrap()
}

async fn settled(engine: &Engine, run: &str) -> RunStatus {
    engine.settled(run, Instant::now() + Duration::from_secs(30)).await.unwrap()
}

fn open(data: &DataDir) -> Arc<Engine> {
    Engine::open(data, EngineOptions::default()).unwrap()
}

async fn own(engine: &Arc<Engine>, world: &Arc<World>) -> bool {
    let (engine, caller): (_, Arc<dyn Caller>) = (Arc::clone(engine), world.clone());
    tokio::task::spawn_blocking(move || engine.own(&caller)).await.unwrap().unwrap()
}

const TWO: &str = "- { id: one, call: t.do, with: { x: '${{ inputs.x }}' } }\n- { id: two, call: t.do, with: { x: '${{ steps.one.out.x }}!' } }\n";

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_made_for_whoever_started_the_run_with_keys_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let (engine, world) = (open(&DataDir::open(folder.path()).unwrap()), Arc::new(World::default()));
    assert!(own(&engine, &world).await);
    let run = start(&engine, &program(TWO)).await;
    assert_eq!(settled(&engine, &run).await, RunStatus::Succeeded);
    let jobs = world.jobs.lock().clone();
    assert_eq!(
        jobs.iter().map(|it| it.args.clone()).collect::<Vec<_>>(),
        [json!({"x": "y"}), json!({"x": "y!"})]
    );
    assert!(jobs.iter().all(|it| it.principal == "ann" && it.context.as_deref() == Some("c1")));
    assert_ne!(jobs[0].idempotency_key(), jobs[1].idempotency_key());
    let view = engine.journal.view(&person("ann", &[]), &run).unwrap();
    assert_eq!(view.steps[0]["attempts"][0]["call_id"], jobs[0].call_id, "{:?}", view.steps);
    assert!(engine.journal.view(&person("eve", &["operator"]), &run).is_err());
    assert!(engine.journal.view(&person("eve", &["admin"]), &run).is_ok());
    assert_eq!(world.notes.load(Ordering::SeqCst), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_leaves_it_to_the_first_and_takes_over_when_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    let data = DataDir::open(folder.path()).unwrap();
    let (first, second) = (open(&data), open(&data));
    let (one, two) = (Arc::new(World::default()), Arc::new(World::default()));
    assert!(own(&first, &one).await);
    assert!(!own(&second, &two).await);
    let run = start(&second, &program(TWO)).await;
    assert_eq!(settled(&second, &run).await, RunStatus::Succeeded);
    assert_eq!((one.jobs.lock().len(), two.jobs.lock().len()), (2, 0));
    let waiting = start(&second, &program("- { id: go, approval: { question: ok?, by: ['user:bob'], within: 1h } }\n- { id: end, call: t.do }\n")).await;
    assert_eq!(settled(&second, &waiting).await, RunStatus::Waiting);
    let closing = Arc::clone(&first);
    tokio::task::spawn_blocking(move || closing.close()).await.unwrap();
    assert!(own(&second, &two).await);
    second.decide(&person("bob", &[]), &waiting, "go", true, Value::Null).await.unwrap();
    assert_eq!(settled(&second, &waiting).await, RunStatus::Succeeded);
    assert_eq!(two.jobs.lock().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn crashing_calls_and_huge_results_fail_their_run_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let data = DataDir::open(folder.path()).unwrap();
    let (engine, world) = (open(&data), Arc::new(World::default()));
    own(&engine, &world).await;
    for (what, code) in [("crash", "internal"), ("huge", "too_large"), ("fail", "not_found")] {
        let run =
            start(&engine, &program(&format!("- {{ id: one, call: t.do, with: {{ x: {what} }} }}\n"))).await;
        assert_eq!(settled(&engine, &run).await, RunStatus::Failed, "{what}");
        let view = engine.journal.view(&person("ann", &[]), &run).unwrap();
        assert_eq!(view.error["code"], code, "{what}");
    }
    let run = start(&engine, &program(TWO)).await;
    assert_eq!(settled(&engine, &run).await, RunStatus::Succeeded);
    let size = std::fs::metadata(data.workflows_db()).unwrap().len();
    assert!(size < 4 << 20, "the huge result is not kept: {size}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_runs_and_events_ends_and_keeps_the_bound_on_calls() {
    let folder = tempfile::tempdir().unwrap();
    let data = DataDir::open(folder.path()).unwrap();
    let engine = Engine::open(&data, EngineOptions { calls_max: 4, ..EngineOptions::default() }).unwrap();
    let world = Arc::new(World::default());
    own(&engine, &world).await;
    let program =
        program("- { id: wait, wait: { event: 'storm.*', within: 1h } }\n- { id: one, call: t.do }\n");
    let mut runs = Vec::new();
    for _ in 0..50 {
        runs.push(start(&engine, &program).await);
    }
    let ann = person("ann", &[]);
    for number in 0..200 {
        engine.emit(&ann, "storm.begins", json!({ "n": number })).await.unwrap();
    }
    for run in &runs {
        assert_eq!(settled(&engine, run).await, RunStatus::Succeeded);
    }
    assert_eq!(world.jobs.lock().len(), 50);
    assert!(world.most.load(Ordering::SeqCst) <= 4);
    assert!(engine.emit(&ann, "not a type", Value::Null).await.is_err());
    assert!(engine.emit(&ann, "big", json!("x".repeat(70_000))).await.is_err());
    let stranger = start(&engine, &program).await;
    engine.emit(&person("eve", &["operator"]), "storm.begins", Value::Null).await.unwrap();
    engine.cancel(&ann, &stranger).await.unwrap();
    assert_eq!(settled(&engine, &stranger).await, RunStatus::Cancelled, "events of others do not reach it");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_people_who_may_steer_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let (engine, world) = (open(&DataDir::open(folder.path()).unwrap()), Arc::new(World::default()));
    own(&engine, &world).await;
    let run =
        start(&engine, &program("- { id: go, approval: { question: ok?, by: ['role:lead'] } }\n")).await;
    settled(&engine, &run).await;
    let (ann, eve) = (person("ann", &["lead"]), person("eve", &["operator"]));
    let code = |result: Result<(), kernel::ToolError>| result.err().map(|it| it.kind.code());
    assert_eq!(code(engine.cancel(&eve, &run).await), Some("not_found"));
    assert_eq!(code(engine.retry(&eve, &run, "go").await), Some("not_found"));
    assert_eq!(code(engine.resume(&eve, &run, None).await), Some("not_found"));
    assert_eq!(code(engine.decide(&eve, &run, "go", true, Value::Null).await), Some("not_found"));
    assert_eq!(code(engine.decide(&ann, &run, "go", true, Value::Null).await), Some("permission_denied"));
    let bot = Principal { kind: PrincipalKind::Agent, ..person("bot", &["lead"]) };
    assert_eq!(code(engine.decide(&bot, &run, "go", true, Value::Null).await), Some("permission_denied"));
    assert_eq!(code(engine.resume(&ann, &run, None).await), Some("validation_failed"));
    assert_eq!(code(engine.decide(&person("lea", &["lead"]), &run, "go", true, Value::Null).await), None);
    assert_eq!(settled(&engine, &run).await, RunStatus::Succeeded);
    assert_eq!(code(engine.cancel(&ann, &run).await), Some("validation_failed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_gets_its_share_of_the_keys_and_always_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(&DataDir::open(folder.path()).unwrap());
    let (stable, canary) = (program(TWO), program("- { id: one, call: t.do }\n"));
    let journal = &engine.journal;
    journal.publish(&stable, "stable", 0).unwrap();
    journal.publish(&canary, "canary", 20).unwrap();
    let takes = |key: usize| journal.choose("a", &format!("key-{key}")).unwrap().unwrap().alias == "canary";
    let share = (0..200).filter(|it| takes(*it)).count();
    assert!((20..65).contains(&share), "{share}");
    assert!((0..20).all(|it| takes(it) == takes(it)));
    assert_eq!(journal.choose("a@stable", "x").unwrap().unwrap().hash, stable.hash);
    assert!(journal.publish(&canary, "latest", 0).is_err());
    assert!(journal.publish(&canary, "canary", 101).is_err());
    assert!(journal.rollback("a", "stable").is_err(), "there is no version before");
    journal.publish(&canary, "stable", 0).unwrap();
    assert_eq!(journal.rollback("a", "stable").unwrap().hash, stable.hash);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_reports_each_call_and_goes_through_the_gate() {
    let defaults = LimitOverrides { rate_per_minute: Some(1000), ..LimitOverrides::default() };
    let rig = Rig::new(&[ServerEntry::of::<EchoServer>()], Tuning { defaults, ..Tuning::default() }).await;
    let list = |calls: Value| {
        serde_json::from_value::<CallList>(json!({ "calls": calls, "max_parallel": 3 })).unwrap()
    };
    let who = || BatchCaller {
        caller: rig.caller("admin"),
        door: Door::Cli,
        context: None,
        progress: kernel::Progress::silent(),
        cancel: CancellationToken::new(),
    };
    let calls = json!([
        { "tool": "echo.echo", "args": { "message": "hi" }, "id": "first" },
        { "tool": "parrot__echo", "args": { "message": "ho" } },
        { "tool": "echo.echo", "args": {} },
        { "tool": "nowhere.x" },
        { "tool": "workflows.batch" },
        { "tool": "x" },
    ]);
    let report = call_all(&rig.gate, list(calls), who()).await.unwrap();
    let codes: Vec<&str> = report.items.iter().map(|it| it.code.as_str()).collect();
    assert_eq!(
        codes,
        ["ok", "ok", "validation_failed", "not_found", "validation_failed", "validation_failed"]
    );
    assert_eq!((report.succeeded, report.failed, report.items[0].id.as_str()), (2, 4, "first"));
    assert_eq!(report.items[1].result["message"], "ho");
    assert!(rig.journal.lines().len() >= 6, "every call is recorded");
    assert!(call_all(&rig.gate, list(json!([])), who()).await.is_err());
    let many = json!(vec![json!({ "tool": "echo.echo" }); 1001]);
    assert!(call_all(&rig.gate, list(many), who()).await.is_err());
    let cancelled = who();
    cancelled.cancel.cancel();
    let report =
        call_all(&rig.gate, list(json!([{ "tool": "echo.echo", "args": { "message": "x" } }])), cancelled)
            .await
            .unwrap();
    assert_eq!(report.items[0].code, "cancelled");
}
