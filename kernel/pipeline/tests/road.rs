//! What holds on the road, whoever serves: the order, the records, and each stage seen from outside.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use kernel::{ApprovalTicket, BoxFuture, ServerEntry};
use pipeline::{
    ApprovalReply, Asker, Door, LimitOverrides, Question, Request, Scope, Tuning,
    seams::{Obligations, Phase},
};
use serde_json::{Value, json};
use testkit::{EchoServer, Rig};

async fn rig() -> Rig {
    tuned(LimitOverrides::default()).await
}

/// A rig whose rate limit is out of the way unless the test sets one.
async fn tuned(limits: LimitOverrides) -> Rig {
    let defaults = LimitOverrides { rate_per_minute: limits.rate_per_minute.or(Some(10_000)), ..limits };
    Rig::new(&[ServerEntry::of::<EchoServer>()], Tuning { defaults, ..Tuning::default() }).await
}

fn codes(rig: &Rig) -> Vec<String> {
    let outcomes = rig.journal.entries().into_iter().filter(|entry| entry.phase == Phase::Outcome);
    outcomes.map(|entry| entry.code.unwrap_or_default()).collect()
}

#[tokio::test]
async fn the_order_of_the_stages_is_the_documented_one() {
    let documented = [
        "trace",
        "audit",
        "authenticate",
        "decode",
        "authorize",
        "context",
        "approve",
        "rate_limit",
        "cache",
        "bulkhead",
        "breaker",
        "retry",
        "deadline",
        "shape",
        "execute",
    ];
    assert_eq!(rig().await.gate.stages(), documented);
}

#[tokio::test]
async fn every_ending_is_recorded_with_an_intent_before_it() {
    let rig = rig().await;
    rig.policy.forbid("viewer", "echo.fail");
    assert_eq!(rig.call("echo.echo", json!({"message": "hi"})).await, Ok(json!({"message": "hi"})));
    assert_eq!(rig.call("parrot.echo", json!({"message": "alias"})).await, Ok(json!({"message": "alias"})));
    assert_eq!(rig.call("echo.echo", json!({"oops": 1})).await, Err("validation_failed"));
    assert_eq!(rig.call("echo.nothing", json!({})).await, Err("not_found"));
    assert_eq!(rig.call("nobody.echo", json!({})).await, Err("not_found"));
    assert_eq!(
        rig.call("echo.fail", json!({"way": "tool_execution_failed"})).await,
        Err("tool_execution_failed")
    );
    assert_eq!(rig.call("echo.fail", json!({"way": "panic"})).await, Err("internal"));
    let denied =
        Request { caller: rig.caller("viewer"), ..rig.request("echo.fail", json!({"way": "panic"})) };
    assert_eq!(rig.gate.call(denied).await.unwrap_err().kind.code(), "permission_denied");
    assert_eq!(
        codes(&rig),
        [
            "ok",
            "ok",
            "validation_failed",
            "not_found",
            "not_found",
            "tool_execution_failed",
            "internal",
            "permission_denied",
        ]
    );
    let entries = rig.journal.entries();
    for pair in entries.chunks(2) {
        assert_eq!((pair[0].phase, pair[1].phase), (Phase::Intent, Phase::Outcome));
        assert_eq!(pair[0].call_id, pair[1].call_id);
    }
}

#[tokio::test]
async fn a_reader_who_hangs_up_is_recorded_and_a_writer_finishes_without_its_client() {
    let rig = rig().await;
    let entry = ServerEntry::of::<EchoServer>();
    assert!((entry.specs)().iter().any(|spec| spec.name == "slow" && !spec.effect.is_read()));
    let write = rig.gate.call(rig.request("echo.slow", json!({"milliseconds": 150})));
    assert!(tokio::time::timeout(Duration::from_millis(20), write).await.is_err(), "the client hangs up");
    assert_eq!(codes(&rig), Vec::<String>::new(), "the work goes on");
    for _ in 0..200 {
        if !codes(&rig).is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(codes(&rig), ["ok"]);
    let read = rig.gate.call(rig.request("echo.progress", json!({"steps": 10_000})));
    let mut read = Box::pin(read);
    assert!(futures_util::poll!(read.as_mut()).is_pending());
    drop(read);
    assert_eq!(codes(&rig), ["ok", "abandoned"]);
}

#[tokio::test]
async fn a_journal_that_cannot_be_written_refuses_calls_before_they_run() {
    let rig = rig().await;
    assert_eq!(rig.call("echo.count", json!({})).await, Ok(json!({"count": 1})));
    rig.journal.break_down();
    assert_eq!(rig.call("echo.echo", json!({"message": "x"})).await, Err("audit_unavailable"));
    rig.journal.mend();
    assert_eq!(
        rig.call("echo.slow", json!({"milliseconds": 0})).await,
        Ok(json!({"count": 0})),
        "forgets the cache"
    );
    assert_eq!(
        rig.call("echo.count", json!({})).await,
        Ok(json!({"count": 3})),
        "the refused call never arrived"
    );
}

#[tokio::test]
async fn records_hold_no_secret_and_results_neither() {
    let rig = rig().await;
    // Put together at run time, so that no scanner mistakes this file for a leak.
    let token = format!("ghp_{}", "aB3dE6gH9kLmN0pQrStUvWxYz1234567890A");
    let message = format!("the key is {token}");
    let answer = rig.gate.call(rig.request("echo.echo", json!({ "message": message }))).await.unwrap();
    assert_eq!((answer.structured["message"].as_str(), answer.masked), (Some("the key is [masked]"), 1));
    let records = serde_json::to_string(&rig.journal.entries()).unwrap();
    assert!(!records.contains(&token), "{records}");
    let refused =
        rig.gate.call(rig.request("echo.echo", json!({ "message": 5, "extra": token }))).await.unwrap_err();
    assert!(!format!("{refused} {:?}", refused.hints).contains(&token), "{refused}");
}

#[tokio::test]
async fn text_from_outside_is_cleaned_and_marked() {
    let rig = rig().await;
    let dirty = "\u{1b}[31mred\u{202e}\u{200b} text";
    let answer = rig.gate.call(rig.request("echo.relay", json!({ "message": dirty }))).await.unwrap();
    assert_eq!((answer.structured, answer.untrusted), (json!({"message": "red text"}), true));
    let own = rig.gate.call(rig.request("echo.echo", json!({"message": "x"}))).await.unwrap();
    assert!(!own.untrusted);
}

#[tokio::test]
async fn a_large_result_is_cut_and_kept_whole_for_its_owner() {
    let rig = tuned(LimitOverrides { result_bytes_max: Some(4096), ..LimitOverrides::default() }).await;
    let answer = rig.gate.call(rig.request("echo.big", json!({"bytes": 100_000}))).await.unwrap();
    assert!(answer.truncated && answer.structured.to_string().len() <= 4096);
    assert_eq!(answer.structured["truncated"], true);
    let uri = answer.artifact_uri.expect("the whole is kept");
    let whole = rig.gate.artifact(&rig.caller("admin"), &uri, 0, usize::MAX).await.unwrap();
    let whole: Value = serde_json::from_slice(&whole.bytes).unwrap();
    assert_eq!(whole["message"].as_str().map(str::len), Some(100_000));
    assert!(
        rig.gate.artifact(&rig.caller("viewer"), &uri, 0, 10).await.is_err(),
        "somebody else's is not found"
    );
}

#[tokio::test]
async fn the_rate_is_per_principal_and_class_and_says_when_to_come_back() {
    let rig = tuned(LimitOverrides { rate_per_minute: Some(3), ..LimitOverrides::default() }).await;
    for _ in 0..3 {
        assert!(rig.call("echo.echo", json!({"message": "x"})).await.is_ok());
    }
    let refused = rig.gate.call(rig.request("echo.echo", json!({"message": "x"}))).await.unwrap_err();
    assert_eq!(refused.kind.code(), "rate_limited");
    assert!(
        refused.retry_after.is_some_and(|wait| wait <= Duration::from_secs(20)),
        "{:?}",
        refused.retry_after
    );
    assert!(rig.call("echo.slow", json!({"milliseconds": 0})).await.is_ok(), "another class");
    let other = Request { caller: rig.caller("viewer"), ..rig.request("echo.echo", json!({"message": "x"})) };
    assert!(rig.gate.call(other).await.is_ok(), "another principal");
    rig.policy.oblige("echo.echo", Obligations { rate_class: Some("busy".into()), ..Obligations::default() });
    assert!(rig.call("echo.echo", json!({"message": "x"})).await.is_ok(), "policy names another class");
}

#[tokio::test]
async fn a_denied_call_costs_its_caller_nothing() {
    let rig = tuned(LimitOverrides { rate_per_minute: Some(1), ..LimitOverrides::default() }).await;
    rig.policy.forbid("admin", "echo.big");
    for _ in 0..5 {
        assert_eq!(rig.call("echo.big", json!({"bytes": 1})).await, Err("permission_denied"));
    }
    assert!(rig.call("echo.echo", json!({"message": "x"})).await.is_ok());
}

#[tokio::test]
async fn a_cached_read_is_per_principal_and_forgotten_by_a_write() {
    let rig = rig().await;
    assert_eq!(rig.call("echo.count", json!({})).await, Ok(json!({"count": 1})));
    let hit = rig.gate.call(rig.request("echo.count", json!({}))).await.unwrap();
    assert_eq!((hit.structured, hit.cached), (json!({"count": 1}), true));
    let other = Request { caller: rig.caller("viewer"), ..rig.request("echo.count", json!({})) };
    assert_eq!(
        rig.gate.call(other).await.unwrap().structured,
        json!({"count": 2}),
        "nobody reads another's answer"
    );
    rig.call("echo.slow", json!({"milliseconds": 0})).await.unwrap();
    assert_eq!(rig.call("echo.count", json!({})).await, Ok(json!({"count": 4})), "a write forgets");
    rig.policy.forbid("admin", "echo.count");
    assert_eq!(
        rig.call("echo.count", json!({})).await,
        Err("permission_denied"),
        "a hit is still a permitted call"
    );
}

#[tokio::test]
async fn failures_open_the_breaker_and_the_refusal_is_recorded() {
    let rig = tuned(LimitOverrides { retry_attempts: Some(1), ..LimitOverrides::default() }).await;
    for _ in 0..5 {
        assert_eq!(rig.call("echo.fail", json!({"way": "unavailable"})).await, Err("unavailable"));
    }
    let refused = rig.gate.call(rig.request("echo.echo", json!({"message": "x"}))).await.unwrap_err();
    assert_eq!(refused.kind.code(), "circuit_open");
    assert!(refused.retry_after.is_some_and(|wait| wait <= Duration::from_secs(30)));
    let events = rig.journal.entries().into_iter().filter(|entry| entry.phase == Phase::Event);
    assert_eq!(events.map(|entry| entry.tool).collect::<Vec<_>>(), ["breaker.opened"]);
}

#[tokio::test(start_paused = true)]
async fn only_what_may_be_repeated_is_repeated() {
    let rig = rig().await;
    assert_eq!(rig.call("echo.flaky", json!({"key": "a", "failures": 2})).await, Ok(json!({"count": 3})));
    assert_eq!(
        rig.call("echo.flaky", json!({"key": "b", "failures": 3})).await,
        Err("unavailable"),
        "three attempts"
    );
    let before = rig.call("echo.count", json!({})).await.unwrap()["count"].as_u64().unwrap();
    assert_eq!(rig.call("echo.fail", json!({"way": "unavailable"})).await, Err("unavailable"));
    assert_eq!(rig.call("echo.fail", json!({"way": "outcome_unknown"})).await, Err("outcome_unknown"));
    let after = rig.call("echo.count", json!({})).await.unwrap()["count"].as_u64().unwrap();
    assert_eq!(after - before, 3, "a write that is not idempotent arrives once");
}

#[tokio::test(start_paused = true)]
async fn a_late_write_is_unknown_and_a_cancelled_one_stops() {
    let rig = tuned(LimitOverrides { deadline_seconds: Some(2), ..LimitOverrides::default() }).await;
    let late = rig.call("echo.slow", json!({"milliseconds": 60_000})).await;
    assert_eq!(late, Err("cancelled"), "the fixture watches its token and stops in good order");
    let request = rig.request("echo.slow", json!({"milliseconds": 60_000}));
    let cancel = request.cancel.clone();
    let gate = Arc::clone(&rig.gate);
    let running = tokio::spawn(async move { gate.call(request).await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    cancel.cancel();
    assert_eq!(running.await.unwrap().unwrap_err().kind.code(), "cancelled");
}

#[tokio::test]
async fn a_full_queue_refuses_at_once() {
    let limits = LimitOverrides { semaphore: Some(1), queue: Some(1), ..LimitOverrides::default() };
    let rig = tuned(limits).await;
    let call = |milliseconds: u64| {
        let request = rig.request("echo.slow", json!({ "milliseconds": milliseconds }));
        let gate = Arc::clone(&rig.gate);
        tokio::spawn(async move { gate.call(request).await.map_err(|error| error.kind.code()) })
    };
    let (first, second) = (call(300), call(0));
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(call(0).await.unwrap().unwrap_err(), "overloaded");
    assert!(
        rig.call("echo.echo", json!({"message": "x"})).await.is_ok(),
        "changes do not keep anybody from reading"
    );
    assert!(first.await.unwrap().is_ok() && second.await.unwrap().is_ok());
}

#[tokio::test]
async fn a_tool_with_turns_of_its_own_does_not_change_those_of_the_others() {
    let own = LimitOverrides { semaphore: Some(1), queue: Some(0), ..LimitOverrides::default() };
    let defaults =
        LimitOverrides { rate_per_minute: Some(10_000), semaphore: Some(2), ..LimitOverrides::default() };
    let tool = [("echo.slow".to_owned(), own)].into();
    let rig =
        Rig::new(&[ServerEntry::of::<EchoServer>()], Tuning { defaults, tool, ..Tuning::default() }).await;
    let (request, gate) = (rig.request("echo.slow", json!({"milliseconds": 300})), Arc::clone(&rig.gate));
    let first = tokio::spawn(async move { gate.call(request).await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(rig.call("echo.slow", json!({"milliseconds": 0})).await, Err("overloaded"), "one at a time");
    assert_eq!(
        rig.call("echo.fail", json!({"way": "not_found"})).await,
        Err("not_found"),
        "others have their own"
    );
    assert_eq!(
        rig.call("echo.slow", json!({"milliseconds": 0})).await,
        Err("overloaded"),
        "and changed nothing"
    );
    assert!(first.await.unwrap().is_ok());
}

struct Human {
    says: Question,
    asked: AtomicUsize,
}

impl Asker for Human {
    fn ask<'a>(&'a self, ticket: &'a ApprovalTicket) -> BoxFuture<'a, Question> {
        assert!(ticket.question.contains("target: a"), "{}", ticket.question);
        self.asked.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move { self.says })
    }
}

#[tokio::test]
async fn an_obliged_call_waits_for_a_yes_that_counts_once_and_for_these_arguments_only() {
    let rig = rig().await;
    let duty = Obligations { approval: Some("it cannot be undone".into()), ..Obligations::default() };
    rig.policy.oblige("echo.approve_me", duty);
    let call = |target: &str| rig.request("echo.approve_me", json!({ "target": target }));

    let refused = rig.gate.call(call("a")).await.unwrap_err();
    assert_eq!(refused.kind.code(), "needs_approval", "no way to ask means refused");
    let ticket = refused.approval.expect("a ticket comes with it");

    rig.gate.decide_approval(&ticket.id, true, &rig.caller("viewer"), "cli").unwrap();
    assert_eq!(rig.gate.call(call("b")).await.unwrap_err().kind.code(), "needs_approval", "other arguments");
    assert!(rig.gate.call(call("a")).await.is_ok());
    assert_eq!(rig.gate.call(call("a")).await.unwrap_err().kind.code(), "needs_approval", "single use");

    let ticket = rig.gate.call(call("a")).await.unwrap_err().approval.unwrap();
    let reply = |id: &str| Some(ApprovalReply { id: id.into(), granted: true });
    let forged = Request { approval: reply("approval-99"), ..call("a") };
    assert_eq!(rig.gate.call(forged).await.unwrap_err().kind.code(), "needs_approval", "not this ticket");
    let moved = Request { approval: reply(&ticket.id), ..call("b") };
    assert_eq!(
        rig.gate.call(moved).await.unwrap_err().kind.code(),
        "needs_approval",
        "bound to the arguments"
    );
    assert!(rig.gate.call(Request { approval: reply(&ticket.id), ..call("a") }).await.is_ok());

    for (says, expected) in [(Question::Granted, None), (Question::Declined, Some("permission_denied"))] {
        let human = Arc::new(Human { says, asked: AtomicUsize::new(0) });
        let asker: Arc<dyn Asker> = human.clone();
        let outcome = rig.gate.call(Request { asker: Some(asker), ..call("a") }).await;
        assert_eq!(outcome.err().map(|error| error.kind.code()), expected);
        assert_eq!(human.asked.load(Ordering::Relaxed), 1);
    }
}

#[tokio::test]
async fn a_listing_shows_what_policy_allows_and_hiding_is_not_the_only_check() {
    let rig = rig().await;
    rig.policy.forbid("viewer", "echo.fail");
    let viewer = rig.caller("viewer");
    let listed = rig.gate.tools(&viewer, &Scope::default(), Door::Http).unwrap();
    assert!(listed.iter().any(|view| view.spec.name == "echo"));
    assert!(listed.iter().all(|view| view.spec.name != "fail"));
    let hidden = Request { caller: viewer, ..rig.request("echo.fail", json!({"way": "panic"})) };
    assert_eq!(rig.gate.call(hidden).await.unwrap_err().kind.code(), "permission_denied");
}

#[tokio::test]
async fn an_unknown_token_is_refused_and_recorded() {
    let rig = rig().await;
    let forged = kernel::Secret::new("token-of-nobody".to_owned());
    let refused = rig.gate.authenticate(&forged, Door::Http).unwrap_err();
    assert_eq!(refused.kind.code(), "authentication_failed");
    assert_eq!(rig.journal.lines(), ["event auth.refused authentication_failed"]);
}

#[tokio::test]
async fn bad_arguments_name_the_field_and_never_repeat_the_value() {
    let rig = rig().await;
    for (args, field) in [
        (json!({"message": 5}), "message"),
        (json!({"message": "x", "extra": 1}), "arguments"),
        (json!({}), "arguments"),
        (json!([1]), "arguments"),
        (json!("x"), "arguments"),
        (json!({"message": "x".repeat(70_000)}), "message"),
    ] {
        let refused = rig.gate.call(rig.request("echo.echo", args.clone())).await.unwrap_err();
        assert_eq!(refused.kind.code(), "validation_failed", "{args}");
        assert_eq!(refused.field.as_deref(), Some(field), "{args}: {refused}");
        assert!(!refused.hints.is_empty() && refused.message.len() < 300, "{refused}");
    }
}
