//! Upstreams over HTTP that fail in every way we know.

use std::sync::atomic::Ordering;

use kernel::{ErrorKind, Raw};
use serde_json::json;

use crate::{
    fake::{Era, Fake},
    rig::{PATIENCE, Person, Rig, at, request},
};

#[tokio::test]
async fn one_dead_upstream_hurts_nobody_else() {
    let (rig, alive, dead) = (Rig::new().await, Fake::new(Era::Legacy).await, Fake::new(Era::Modern).await);
    alive.only(&["echo"]);
    dead.only(&["echo"]);
    let sections = [("alive", at(&alive.url, json!({}))), ("dead", at(&dead.url, json!({})))];
    rig.mount(&sections).await;
    assert_eq!(rig.tools(), ["alive.echo", "dead.echo"]);
    drop(dead);
    for _ in 0..3 {
        assert_eq!(rig.text("dead.echo", json!({})).await, Err("unavailable"));
        assert_eq!(rig.text("alive.echo", json!({})).await.as_deref(), Ok("ok"));
    }
    assert_eq!(rig.tools(), ["alive.echo", "dead.echo"], "tools do not come and go with every hiccup");
    rig.assert_audit_is_complete();
    rig.close().await;
}

#[tokio::test]
async fn an_upstream_that_never_answered_is_listed_with_its_reason() {
    let rig = Rig::new().await;
    rig.mount(&[("nobody", at("http://127.0.0.1:1/mcp", json!({})))]).await;
    assert_eq!(rig.tools(), Vec::<String>::new());
    let error = rig.call("nobody.echo", json!({})).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert!(error.message.contains("nobody") && !error.message.contains("127.0.0.1"), "{}", error.message);
    assert_eq!(rig.gateway.status()["nobody"].status, "unavailable");
    rig.close().await;
}

#[tokio::test]
async fn an_expired_session_is_opened_again_and_the_call_goes_through() {
    let (rig, fake) = (Rig::new().await, Fake::new(Era::Legacy).await);
    rig.mount(&[("up", at(&fake.url, json!({})))]).await;
    assert_eq!(rig.text("up.echo", json!({})).await.as_deref(), Ok("ok"));
    let before = fake.state.initialized.load(Ordering::Relaxed);
    fake.state.sessions.lock().clear();
    assert_eq!(rig.text("up.echo", json!({})).await.as_deref(), Ok("ok"));
    assert!(fake.state.initialized.load(Ordering::Relaxed) > before);
    rig.close().await;
}

#[tokio::test]
async fn sessions_are_ended_when_the_gateway_stops() {
    let (rig, fake) = (Rig::new().await, Fake::new(Era::Legacy).await);
    rig.mount(&[("up", at(&fake.url, json!({})))]).await;
    let person = Person::who_can(json!({"elicitation": {}}));
    rig.send(request(&rig, "up.echo", &json!({}), &person)).await.unwrap();
    assert_eq!(fake.state.sessions.lock().len(), 2, "one for us, one for callers who can be asked");
    rig.close().await;
    assert_eq!(fake.state.sessions.lock().len(), 0);
}

#[tokio::test]
async fn lists_follow_their_upstream_in_both_eras() {
    for era in [Era::Legacy, Era::Modern] {
        let (rig, fake) = (Rig::new().await, Fake::new(era).await);
        fake.only(&["one"]);
        rig.mount(&[("up", at(&fake.url, json!({"trust": "high"})))]).await;
        assert_eq!(rig.tools(), ["up.one"]);
        let mut changes = rig.gate.gate.changes();
        changes.mark_unchanged();
        // Said again until it is heard: the stream may not be open yet.
        let told = async {
            while rig.tools() != ["up.one", "up.two"] {
                fake.change_tools(
                    json!([{"name": "one", "annotations": {"readOnlyHint": true}}, {"name": "two"}]),
                );
                tokio::task::yield_now().await;
            }
        };
        assert!(tokio::time::timeout(PATIENCE, told).await.is_ok(), "the change was not taken up");
        assert!(changes.has_changed().unwrap(), "clients were not told");
        rig.close().await;
    }
}

#[tokio::test]
async fn a_slow_upstream_blocks_neither_another_nor_its_own_quick_calls() {
    let (rig, slow, quick) = (Rig::new().await, Fake::new(Era::Modern).await, Fake::new(Era::Legacy).await);
    rig.mount(&[("slow", at(&slow.url, json!({}))), ("quick", at(&quick.url, json!({})))]).await;
    let first = rig.call("slow.slow", json!({}));
    let rest = async {
        assert_eq!(rig.text("quick.echo", json!({})).await.as_deref(), Ok("ok"));
        assert_eq!(rig.text("slow.echo", json!({})).await.as_deref(), Ok("ok"));
        while slow.state.calls.load(Ordering::Relaxed) < 2 {
            tokio::task::yield_now().await;
        }
        slow.state.release.notify_one();
    };
    let (first, ()) = tokio::join!(first, rest);
    assert_eq!(first.unwrap()["content"][0]["text"], "at last");
    rig.close().await;
}

#[tokio::test]
async fn what_goes_wrong_is_one_clear_error_and_the_breaker_moves() {
    let (rig, fake) = (Rig::new().await, Fake::new(Era::Legacy).await);
    rig.mount(&[("up", at(&fake.url, json!({"message_bytes_max": 100_000, "timeout_seconds": 1})))]).await;
    let check = async |tool: &str, kind: ErrorKind, words: &str| {
        let error = rig.call(&format!("up.{tool}"), json!({"bytes": 200_000})).await.unwrap_err();
        assert_eq!(error.kind, kind, "{tool}: {}", error.message);
        assert!(error.message.contains(words), "{tool}: {}", error.message);
    };
    check("big", ErrorKind::ToolExecutionFailed, "more than 100000 bytes").await;
    check("unknown", ErrorKind::ValidationFailed, "unknown tool").await;
    check("fails", ErrorKind::ToolExecutionFailed, "it broke").await;
    check("die", ErrorKind::Unavailable, "went away").await;
    check("write", ErrorKind::OutcomeUnknown, "went away").await;
    check("garbage", ErrorKind::Unavailable, "not MCP").await;
    check("wrong_id", ErrorKind::Unavailable, "another request").await;
    check("hang", ErrorKind::Timeout, "").await;
    check("echo", ErrorKind::CircuitOpen, "resting").await;
    assert!(rig.gate.journal.lines().iter().any(|it| it.contains("breaker.opened")));
    rig.assert_audit_is_complete();
    rig.close().await;
}

#[tokio::test]
async fn statuses_say_what_they_mean() {
    let (rig, fake) = (Rig::new().await, Fake::new(Era::Modern).await);
    rig.mount(&[("up", at(&fake.url, json!({})))]).await;
    for (status, words) in [
        (401, "refused core-mcp's credentials"),
        (429, "busy"),
        (503, "busy"),
        (500, "HTTP 500"),
        (302, "redirects"),
    ] {
        *fake.state.status.lock() = Some(status);
        let error = rig.call("up.echo", json!({})).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unavailable, "{status}");
        assert!(error.message.contains(words), "{status}: {}", error.message);
        *fake.state.status.lock() = None;
        rig.call("up.echo", json!({})).await.unwrap();
    }
    rig.close().await;
}

#[tokio::test]
async fn what_we_do_not_know_passes_unharmed() {
    for era in [Era::Legacy, Era::Modern] {
        let (rig, fake) = (Rig::new().await, Fake::new(era).await);
        rig.mount(&[("up", at(&fake.url, json!({"trust": "high"})))]).await;
        let mut request = rig.gate.request("up.odd", json!({}));
        request.params = Raw::parse(r#"{"name":"odd","arguments":{"n":1.0e30},"future":{"a":0.10}}"#.into());
        let answer = rig.gate.gate.call(request).await.unwrap();
        assert_eq!(
            answer.raw.unwrap().get(),
            r#"{"content":[{"type":"video","data":"…","future":{"n":1.50e2}}],"resultType":"complete","unknown":[1e400, 0.10]}"#
        );
        let heard = fake.state.heard.lock().last().unwrap().clone();
        assert!(heard.contains(r#""arguments":{"n":1.0e30},"future":{"a":0.10}"#), "{heard}");
        rig.close().await;
    }
}

#[tokio::test]
async fn replicas_share_the_calls_and_a_dead_one_is_passed_over() {
    let (rig, one, two) = (Rig::new().await, Fake::new(Era::Modern).await, Fake::new(Era::Modern).await);
    rig.mount(&[("up", at(&one.url, json!({"replicas": [two.url.clone(), "http://127.0.0.1:1/mcp"]})))])
        .await;
    for _ in 0..60 {
        rig.call("up.echo", json!({})).await.unwrap();
    }
    let calls = |fake: &Fake| fake.state.calls.load(Ordering::Relaxed);
    assert!(calls(&one) > 5 && calls(&two) > 5, "{} and {}", calls(&one), calls(&two));
    drop(one);
    // A request may have been on its way to it; the road repeats reads, this test does not.
    let mut lost = 0;
    for _ in 0..20 {
        lost += usize::from(rig.call("up.echo", json!({})).await.is_err());
    }
    assert!(lost <= 2, "{lost} calls were lost");
    rig.close().await;
}

#[tokio::test]
async fn changed_sections_are_taken_up_and_removed_ones_go() {
    let (rig, fake) = (Rig::new().await, Fake::new(Era::Modern).await);
    fake.only(&["one", "two"]);
    rig.mount(&[("a", at(&fake.url, json!({}))), ("b", at(&fake.url, json!({})))]).await;
    assert_eq!(rig.tools().len(), 4);
    rig.mount(&[("a", at(&fake.url, json!({"tools": ["two"]})))]).await;
    assert_eq!(rig.tools(), ["a.two"]);
    rig.mount(&[]).await;
    assert_eq!(rig.tools(), Vec::<String>::new());
    assert_eq!(rig.gate.gate.registry().mounts().len(), 0);
    rig.close().await;
}
