//! Upstreams that are programs: they die, flood, hang and leave things behind.

use std::{fs, path::Path};

use kernel::ErrorKind;
use serde_json::json;

use crate::rig::{PATIENCE, Person, Rig, program, request};

/// Processes whose command line names this folder: every child has it in its order or environment.
fn children(folder: &Path) -> usize {
    let folder = folder.to_string_lossy().into_owned();
    let entries = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    entries
        .filter(|it| {
            let environment = fs::read(it.path().join("environ")).unwrap_or_default();
            String::from_utf8_lossy(&environment).contains(&folder)
        })
        .count()
}

async fn until_no_children(folder: &Path) {
    let waiting = async {
        while children(folder) > 0 {
            tokio::task::yield_now().await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "children are left");
}

#[tokio::test]
async fn every_kind_of_stdio_server_is_understood() {
    for mode in ["legacy", "modern", "leaves"] {
        let rig = Rig::new().await;
        rig.mount(&[("up", program(mode, json!({})))]).await;
        assert_eq!(rig.text("up.echo", json!({"a": 1})).await.as_deref(), Ok(r#"{"a":1}"#), "{mode}");
        assert_eq!(rig.text("up.noise", json!({})).await.as_deref(), Ok("done"), "{mode}");
        rig.close().await;
    }
}

#[tokio::test]
async fn a_child_gets_only_the_environment_that_is_listed() {
    let rig = Rig::new().await;
    rig.mount(&[("up", program("legacy", json!({"env": {"LISTED": "x"}})))]).await;
    assert_eq!(rig.text("up.environment", json!({})).await.as_deref(), Ok("HOME,LISTED,PATH,TMPDIR"));
    rig.close().await;
}

#[tokio::test]
async fn a_child_that_dies_fails_its_call_and_the_next_one_gets_a_new_child() {
    let rig = Rig::new().await;
    rig.mount(&[("up", program("legacy", json!({})))]).await;
    assert_eq!(rig.text("up.die", json!({})).await, Err("unavailable"));
    assert_eq!(rig.text("up.echo", json!({})).await.as_deref(), Ok("{}"));
    let error = rig.call("up.write", json!({})).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::OutcomeUnknown, "{}", error.message);
    // Now it has died twice in a row: the next start waits a little, and says so.
    let again = rig.call("up.echo", json!({})).await;
    assert!(again.as_ref().is_ok_and(|it| it.is_object()) || again.is_err_and(|it| it.retry_after.is_some()));
    rig.assert_audit_is_complete();
    rig.close().await;
}

#[tokio::test]
async fn a_flood_a_huge_result_and_silence_end_in_one_error_each() {
    let rig = Rig::new().await;
    let section = program("legacy", json!({"message_bytes_max": 100_000, "timeout_seconds": 60}));
    rig.mount(&[("up", section), ("other", program("legacy", json!({})))]).await;
    let error = rig.call("up.big", json!({})).await.unwrap_err();
    assert!(error.message.contains("more than 100000 bytes"), "{}", error.message);
    assert_eq!(rig.text("up.echo", json!({})).await.as_deref(), Ok("{}"), "the child lives on");
    let error = rig.call("up.flood", json!({})).await.unwrap_err();
    assert!(error.message.contains("noise"), "{}", error.message);
    assert_eq!(rig.text("other.echo", json!({})).await.as_deref(), Ok("{}"));
    rig.assert_audit_is_complete();
    rig.close().await;
}

#[tokio::test]
async fn a_hanging_call_ends_in_time_and_the_child_is_told() {
    let rig = Rig::new().await;
    rig.mount(&[("up", program("cancellable", json!({"timeout_seconds": 1})))]).await;
    let error = rig.call("up.hang", json!({})).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Timeout);
    rig.close().await;
}

#[tokio::test]
async fn no_child_outlives_the_gateway() {
    let rig = Rig::new().await;
    let person = Person::who_can(json!({"elicitation": {}}));
    let unconfined = program("legacy", json!({"confinement": {"mode": "none"}}));
    rig.mount(&[("a", program("legacy", json!({}))), ("b", unconfined)]).await;
    rig.send(request(&rig, "a.echo", &json!({}), &person)).await.unwrap();
    let folder = rig.folder.path().to_owned();
    assert!(children(&folder) >= 4, "two launchers and their programs at least");
    rig.mount(&[("a", program("legacy", json!({})))]).await;
    assert!(children(&folder.join("homes/a")) > 0);
    until_no_children(&folder.join("homes/b")).await;
    let Rig { gateway, .. } = rig;
    gateway.close().await;
    until_no_children(&folder).await;
}

#[tokio::test]
async fn a_question_reaches_who_can_answer_and_is_refused_for_who_cannot() {
    let rig = Rig::new().await;
    rig.mount(&[("up", program("legacy", json!({"trust": "high"})))]).await;
    let person = Person::who_can(json!({"elicitation": {}}));
    let told = rig.send(request(&rig, "up.ask", &json!({}), &person)).await.unwrap();
    assert!(told["content"][0]["text"].as_str().unwrap().contains("\"Ann\""), "{told}");
    assert!(person.heard.lock().iter().any(|it| it.starts_with("elicitation/create")));
    let mute = Person::who_can(json!({}));
    let told = rig.send(request(&rig, "up.ask", &json!({}), &mute)).await.unwrap();
    assert!(told["content"][0]["text"].as_str().unwrap().contains("did not offer"), "{told}");
    assert_eq!(mute.heard.lock().len(), 0);
    rig.close().await;
}

#[tokio::test]
async fn what_cannot_start_says_why() {
    let rig = Rig::new().await;
    let missing = json!({"command": "no-such-program-at-all"});
    let leaves = json!({"command": "/bin/false", "start_timeout_seconds": 5, "confinement": {"allow_unconfined": true}});
    rig.mount(&[("missing", missing), ("leaves", leaves)]).await;
    for (name, words) in [("missing", "no program"), ("leaves", "ended")] {
        let error = rig.call(&format!("{name}.echo"), json!({})).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unavailable, "{name}");
        assert!(error.message.contains(words), "{name}: {}", error.message);
    }
    rig.close().await;
}
