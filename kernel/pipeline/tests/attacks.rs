//! What a hostile or careless caller tries on the road, and what must not come of it.

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::poll;
use kernel::ServerEntry;
use pipeline::{Door, LimitOverrides, Request, Scope, Tuning, seams::Phase};
use serde_json::json;
use testkit::{EchoServer, Rig};
use tracing_subscriber::fmt::MakeWriter;

async fn rig() -> Rig {
    let defaults = LimitOverrides { rate_per_minute: Some(10_000), ..LimitOverrides::default() };
    Rig::new(&[ServerEntry::of::<EchoServer>()], Tuning { defaults, ..Tuning::default() }).await
}

/// Put together at run time, so that no scanner mistakes this file for a leak.
fn secret() -> String {
    format!("ghp_{}", "aB3dE6gH9kLmN0pQrStUvWxYz1234567890A")
}

/// Everything that was recorded so far, as one text.
fn recorded(rig: &Rig) -> String {
    serde_json::to_string(&rig.journal.entries()).expect("records are JSON")
}

#[tokio::test]
async fn a_secret_in_a_name_an_argument_or_a_resource_reaches_no_record() {
    let rig = rig().await;
    let (secret, padded) = (secret(), format!("{}{}", "x-".repeat(30), secret()));
    for (server, tool, args) in [
        (secret.as_str(), "echo", json!({})),
        ("echo", secret.as_str(), json!({})),
        (padded.as_str(), padded.as_str(), json!({})),
        ("echo", "echo", json!({ secret.as_str(): 1 })),
        ("echo", "echo", json!({ "message": secret })),
        ("echo", "echo", json!({ "message": { "deep": [secret] } })),
        ("echo", "approve_me", json!({ "target": secret })),
        ("echo", "flaky", json!({ "key": "mysql --password hunter2secret -e 'select 1'", "failures": 0 })),
        ("echo", "echo", json!({ "message": "PGPASSWORD=hunter2secret psql" })),
    ] {
        let mut request = Request::new(rig.caller("admin"), server, tool, args.clone(), Door::Cli);
        request.context_id = Some(secret.clone());
        assert!(rig.gate.call(request).await.is_err(), "{args}: the context does not exist");
        let request = Request::new(rig.caller("admin"), server, tool, args, Door::Cli);
        drop(rig.gate.call(request).await);
    }
    let recorded = recorded(&rig);
    assert!(!recorded.contains(&secret[4..20]), "{recorded}");
    assert!(!recorded.contains("hunter2secret"), "{recorded}");
}

/// Keeps what a subscriber writes.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("nobody panicked while writing").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn what_a_caller_names_cannot_forge_or_leak_into_the_log() {
    let (rig, log) = (rig().await, Log::default());
    let subscriber =
        tracing_subscriber::fmt().with_env_filter("trace").with_writer(log.clone()).with_ansi(false).finish();
    let guard = tracing::subscriber::set_default(subscriber);
    for name in [secret(), "x\nERROR forged: yes\u{1b}[2J".to_owned(), "n".repeat(100_000)] {
        let request = Request::new(rig.caller("admin"), &name, &name, json!({}), Door::Cli);
        assert!(rig.gate.call(request).await.is_err());
    }
    drop(guard);
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("tools/call"), "the calls are in the log: {text}");
    assert!(!text.contains(&secret()[4..20]) && !text.contains("\nERROR forged"), "{text}");
    assert!(!text.contains('\u{1b}') && text.len() < 10_000, "{}", text.len());
}

#[tokio::test(start_paused = true)]
async fn who_shares_a_flight_does_not_share_its_cancellation() {
    let rig = rig().await;
    let leader = rig.request("echo.count", json!({ "milliseconds": 1000 }));
    let cancel = leader.cancel.clone();
    let mut leader = Box::pin(rig.gate.call(leader));
    assert!(poll!(leader.as_mut()).is_pending());
    let mut follower = Box::pin(rig.gate.call(rig.request("echo.count", json!({ "milliseconds": 1000 }))));
    assert!(poll!(follower.as_mut()).is_pending(), "it waits for the flight that is under way");
    cancel.cancel();
    let (leader, follower) = tokio::join!(leader, follower);
    assert_eq!(leader.unwrap_err().kind.code(), "cancelled");
    assert_eq!(follower.map(|it| it.structured).map_err(|it| it.kind.code()), Ok(json!({ "count": 2 })));
}

#[tokio::test(start_paused = true)]
async fn a_call_from_before_the_outage_does_not_close_the_breaker() {
    let limits = LimitOverrides {
        rate_per_minute: Some(10_000),
        retry_attempts: Some(1),
        deadline_seconds: Some(3600),
        ..LimitOverrides::default()
    };
    let tuning = Tuning { defaults: limits, ..Tuning::default() };
    let rig = Rig::new(&[ServerEntry::of::<EchoServer>()], tuning).await;
    let slow = |seconds: u64| {
        let request = rig.request("echo.slow", json!({ "milliseconds": seconds * 1000 }));
        let gate = Arc::clone(&rig.gate);
        tokio::spawn(async move { gate.call(request).await.map_err(|error| error.kind.code()) })
    };
    let early = slow(100);
    tokio::task::yield_now().await;
    for _ in 0..5 {
        assert_eq!(rig.call("echo.fail", json!({ "way": "unavailable" })).await, Err("unavailable"));
    }
    tokio::time::advance(Duration::from_secs(40)).await;
    let probe = slow(200);
    assert!(early.await.unwrap().is_ok(), "it began before the breaker opened");
    let refused = rig.call("echo.echo", json!({ "message": "x" })).await;
    assert_eq!(refused, Err("circuit_open"), "the probe is still out");
    assert!(probe.await.unwrap().is_ok());
    assert!(rig.call("echo.echo", json!({ "message": "x" })).await.is_ok());
}

#[tokio::test]
async fn a_tool_with_a_rate_of_its_own_has_an_allowance_of_its_own() {
    let own = LimitOverrides { rate_per_minute: Some(2), ..LimitOverrides::default() };
    let tool = ["echo.echo", "echo.relay"].map(|name| (name.to_owned(), own)).into();
    let rig = Rig::new(&[ServerEntry::of::<EchoServer>()], Tuning { tool, ..Tuning::default() }).await;
    let say = json!({ "message": "x" });
    for expected in [Ok(say.clone()), Ok(say.clone()), Err("rate_limited")] {
        assert_eq!(rig.call("echo.echo", say.clone()).await, expected);
    }
    assert_eq!(rig.call("echo.relay", say.clone()).await, Ok(say), "another tool with the same number");
}

#[tokio::test]
async fn a_call_that_was_left_is_in_the_history_of_its_context() {
    let rig = rig().await;
    rig.contexts.open("c1", "admin", &["echo"]);
    let request =
        Request { context_id: Some("c1".into()), ..rig.request("echo.progress", json!({ "steps": 10_000 })) };
    let mut call = Box::pin(rig.gate.call(request));
    assert!(poll!(call.as_mut()).is_pending());
    drop(call);
    let codes: Vec<String> = rig.contexts.history("c1").into_iter().map(|it| it.code).collect();
    assert_eq!(codes, ["abandoned"]);
    let outcomes = rig.journal.entries().into_iter().filter(|it| it.phase == Phase::Outcome);
    assert_eq!(outcomes.filter_map(|it| it.code).collect::<Vec<_>>(), ["abandoned"]);
}

#[tokio::test]
async fn a_server_that_was_never_called_is_measured_as_zero() {
    let text = rig().await.gate.metrics().encode();
    for line in [
        "core_mcp_breaker_state{server=\"echo\"} 0",
        "core_mcp_retries_total{server=\"echo\"} 0",
        "core_mcp_running{server=\"echo\"} 0",
        "core_mcp_waiting{server=\"echo\"} 0",
        "core_mcp_cache_total{server=\"echo\",result=\"hit\"} 0",
    ] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
}

#[tokio::test]
async fn suggestions_stay_inside_the_context_and_know_the_words_of_the_schema() {
    let rig = rig().await;
    rig.contexts.open("empty", "admin", &[]);
    let admin = rig.caller("admin");
    let suggest = async |context: Option<&str>, tool: &str, argument: &str, prefix: &str| {
        let scope = Scope { server: None, context: context.map(Into::into) };
        let found = rig.gate.complete(&admin, &scope, ("echo", tool), argument, prefix, Door::Http).await;
        found.map_err(|error| error.kind.code())
    };
    assert_eq!(suggest(None, "echo", "message", "hel").await, Ok(vec!["hello".into(), "help".into()]));
    assert_eq!(suggest(Some("empty"), "echo", "message", "hel").await, Err("permission_denied"));
    assert_eq!(suggest(Some("nobody's"), "echo", "message", "hel").await, Err("not_found"));
    assert_eq!(suggest(None, "fail", "way", "un").await, Ok(vec!["unavailable".into()]));
    assert_eq!(suggest(None, "fail", "nothing", "").await, Ok(Vec::new()));
}
