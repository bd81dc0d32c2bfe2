//! The stand-ins hold together: a whole gate, every fixture tool, every ending recorded.

use kernel::ServerEntry;
use pipeline::{Tuning, seams::Obligations};
use serde_json::json;
use testkit::{EchoServer, Rig, gate};

async fn rig() -> Rig {
    Rig::new(&[ServerEntry::of::<EchoServer>()], Tuning::default()).await
}

#[tokio::test]
async fn the_fixture_answers_as_its_names_say() {
    let rig = rig().await;
    assert_eq!(rig.call("echo.echo", json!({ "message": "hi" })).await, Ok(json!({ "message": "hi" })));
    assert_eq!(rig.call("parrot.echo", json!({ "message": "hi" })).await, Ok(json!({ "message": "hi" })));
    assert_eq!(rig.call("echo.progress", json!({ "steps": 3 })).await, Ok(json!({ "count": 3 })));
    assert_eq!(rig.call("echo.slow", json!({ "milliseconds": 1 })).await, Ok(json!({ "count": 1 })));
    assert_eq!(rig.call("echo.approve_me", json!({ "target": "t" })).await, Ok(json!({ "target": "t" })));
    assert_eq!(rig.call("echo.fail", json!({ "way": "not_found" })).await, Err("not_found"));
    assert_eq!(rig.call("echo.fail", json!({ "way": "panic" })).await, Err("internal"));
    assert_eq!(rig.call("echo.echo", json!({ "massage": "hi" })).await, Err("validation_failed"));
    assert_eq!(rig.call("echo.sing", json!({})).await, Err("not_found"));
}

#[tokio::test]
async fn a_cached_count_does_not_reach_the_fixture_again() {
    let rig = rig().await;
    assert_eq!(rig.call("echo.count", json!({})).await, Ok(json!({ "count": 1 })));
    assert_eq!(rig.call("echo.count", json!({})).await, Ok(json!({ "count": 1 })));
}

#[tokio::test(start_paused = true)]
async fn a_flaky_tool_is_tried_again() {
    let rig = rig().await;
    let args = json!({ "key": "k", "failures": 2 });
    assert_eq!(rig.call("echo.flaky", args).await, Ok(json!({ "count": 3 })));
}

#[tokio::test]
async fn both_halves_of_a_call_are_recorded() {
    let (gate, journal) = gate(&[ServerEntry::of::<EchoServer>()]).await;
    assert!(gate.registry().find("echo").is_ok());
    assert_eq!(journal.lines(), Vec::<String>::new());

    let rig = rig().await;
    rig.call("echo.echo", json!({ "message": "hi" })).await.expect("echo answers");
    assert_eq!(rig.journal.lines(), ["intent echo -", "outcome echo ok"]);
}

#[tokio::test]
async fn each_stand_in_can_be_turned() {
    let rig = rig().await;
    let say = || rig.call("echo.echo", json!({ "message": "hi" }));
    rig.journal.break_down();
    assert_eq!(say().await, Err("audit_unavailable"));
    rig.journal.mend();
    assert!(say().await.is_ok());
    assert!(rig.policy.asked() > 0);
    rig.policy.forbid("admin", "echo.echo");
    assert_eq!(say().await, Err("permission_denied"));

    let duty = Obligations { approval: Some("it is final".into()), ..Obligations::default() };
    rig.policy.oblige("echo.approve_me", duty);
    let lose = || rig.call("echo.approve_me", json!({ "target": "t" }));
    assert_eq!(lose().await, Err("needs_approval"));
    let ticket = rig.approvals.waiting().remove(0);
    rig.gate.decide_approval(&ticket.id, true, &rig.caller("viewer"), "cli").expect("an open ticket");
    assert!(lose().await.is_ok());
    assert_eq!(lose().await, Err("needs_approval"), "a grant works once");

    rig.contexts.open("c", "admin", &["echo"]);
    rig.contexts.open("empty", "admin", &[]);
    let within = async |context: &str| {
        let mut request = rig.request("echo.count", json!({}));
        request.context_id = Some(context.to_owned());
        rig.gate.call(request).await.map(drop).map_err(|error| error.kind.code())
    };
    assert_eq!(within("c").await, Ok(()));
    assert_eq!(rig.contexts.history("c").len(), 1);
    assert!(within("empty").await.is_err());
    assert!(within("nobody's").await.is_err());
}

#[tokio::test]
async fn a_large_answer_becomes_an_artifact() {
    let rig = rig().await;
    let outcome = rig.gate.call(rig.request("echo.big", json!({ "bytes": 1 << 20 }))).await;
    let answer = outcome.expect("big answers");
    assert!(answer.truncated);
    let uri = answer.artifact_uri.expect("the whole is kept");
    let viewer = rig.gate.artifact(&rig.caller("viewer"), &uri, 0, 16).await;
    assert_eq!(viewer.map(drop).map_err(|error| error.kind.code()), Err("not_found"), "it is its owner's");
    let own = rig.gate.artifact(&rig.caller("admin"), &uri, 0, 16).await.expect("the owner reads it");
    assert_eq!(own.bytes.len(), 16);
    assert!(own.total > 1 << 20);
}
