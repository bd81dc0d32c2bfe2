//! What a call carries besides its result, towards upstreams of both eras. What the doors add towards clients of
//! both eras is tested with them.

use std::sync::{Arc, atomic::Ordering};

use kernel::{Listing, Notice, Raw};
use pipeline::{Method, Operation, seams::Action};
use serde_json::{Value, json};

use crate::{
    fake::{Era, Fake},
    rig::{PATIENCE, Person, Rig, at, request},
};

/// One row of the matrix.
struct Row {
    era: Era,
    /// Whether the upstream's own question comes back as a result for the door to handle.
    asks_by_result: bool,
}

const ROWS: [Row; 2] =
    [Row { era: Era::Legacy, asks_by_result: false }, Row { era: Era::Modern, asks_by_result: true }];

#[tokio::test]
async fn progress_and_logs_reach_the_caller() {
    for Row { era, .. } in ROWS {
        let (rig, fake) = (Rig::new().await, Fake::new(era).await);
        rig.mount(&[("up", at(&fake.url, json!({"trust": "high"})))]).await;
        let person = Person::who_can(json!({}));
        let result = rig.send(request(&rig, "up.progress", &json!({}), &person)).await.unwrap();
        assert_eq!(result["content"][0]["text"], "done");
        let heard = person.heard.lock().clone();
        assert_eq!(heard[0], "progress 1 of Some(2.0)");
        assert!(heard[1].starts_with("notifications/message") && heard[1].contains("hello"), "{heard:?}");
        assert_eq!(heard[2], "progress 2 of Some(2.0)");
        let call = fake.state.heard.lock().iter().find(|it| it.contains("tools/call")).cloned().unwrap();
        assert_eq!(call.contains("io.modelcontextprotocol/logLevel"), era == Era::Modern, "{call}");
        let asked_for_logs = fake.state.heard.lock().iter().any(|it| it.contains("logging/setLevel"));
        assert_eq!(asked_for_logs, era == Era::Legacy);
        rig.close().await;
    }
}

#[tokio::test]
async fn questions_reach_the_caller_in_the_upstreams_own_way() {
    for Row { era, asks_by_result } in ROWS {
        let (rig, fake) = (Rig::new().await, Fake::new(era).await);
        rig.mount(&[("up", at(&fake.url, json!({"trust": "high"})))]).await;
        let person = Person::who_can(json!({"elicitation": {"form": {}}}));
        let result = rig.send(request(&rig, "up.ask", &json!({}), &person)).await.unwrap();
        if asks_by_result {
            assert_eq!(result["resultType"], "input_required");
            assert_eq!(result["requestState"], "state-1");
            let mut again = request(&rig, "up.ask", &json!({}), &person);
            let params = json!({
                "name": "ask", "arguments": {}, "requestState": "state-1",
                "inputResponses": {"q": {"action": "accept", "content": {"name": "Ann"}}},
            });
            again.params = Some(Raw::of(&params));
            assert_eq!(rig.send(again).await.unwrap()["content"][0]["text"], "hello Ann");
        } else {
            let text = result["content"][0]["text"].as_str().unwrap().to_owned();
            assert!(text.contains("\"id\":\"q-1\"") && text.contains("\"Ann\""), "{text}");
        }
        // The caller's abilities were declared, and nobody else's.
        let heard = fake.state.heard.lock().join("\n");
        assert!(heard.contains(r#""elicitation":{"form":{}}"#), "{heard}");
        rig.close().await;
    }
}

#[tokio::test]
async fn a_cancelled_call_is_cancelled_upstream() {
    for Row { era, .. } in ROWS {
        let (rig, fake) = (Rig::new().await, Fake::new(era).await);
        rig.mount(&[("up", at(&fake.url, json!({})))]).await;
        let mut asked = rig.gate.request("up.hang", json!({}));
        asked.cancel = tokio_util::sync::CancellationToken::new();
        let cancel = asked.cancel.clone();
        let cancelling = async {
            while fake.state.calls.load(Ordering::Relaxed) == 0 {
                tokio::task::yield_now().await;
            }
            cancel.cancel();
        };
        let (answer, ()) = tokio::join!(rig.send(asked), cancelling);
        assert_eq!(answer.unwrap_err().kind.code(), "cancelled");
        if era == Era::Legacy {
            let told = async {
                while !fake.state.heard.lock().iter().any(|it| it.contains("notifications/cancelled")) {
                    tokio::task::yield_now().await;
                }
            };
            assert!(tokio::time::timeout(PATIENCE, told).await.is_ok(), "the upstream was not told");
        }
        rig.close().await;
    }
}

#[tokio::test]
async fn resources_prompts_and_completion_are_relayed_byte_for_byte() {
    for Row { era, .. } in ROWS {
        let (rig, fake) = (Rig::new().await, Fake::new(era).await);
        rig.mount(&[("up", at(&fake.url, json!({"trust": "high"})))]).await;
        let mount = rig.gate.gate.registry().find("up").unwrap();
        let peer = mount.state.as_ref().unwrap().peer().unwrap();
        let offers = peer.offers();
        assert!(offers.resources && offers.prompts && offers.completions && offers.subscribe);
        let who = Arc::clone(rig.gate.caller("admin").principal());
        let listed = Arc::clone(&peer).list(Listing::Resources, who.clone()).await.unwrap();
        assert_eq!(listed[0].get(), r#"{"uri":"test://a","name":"a","future":1.0e5}"#);
        assert_eq!(Arc::clone(&peer).list(Listing::Prompts, who.clone()).await.unwrap().len(), 1);
        assert!(Arc::clone(&peer).list(Listing::Templates, who).await.unwrap().is_empty());
        let read = method(&rig, "resources/read", r#"{"uri":"test://é","x":1.50}"#).await;
        assert_eq!(read, r#"{"contents":[{"uri":"test://é","text":"t","x":1e400}]}"#);
        assert!(fake.state.heard.lock().last().unwrap().contains(r#""x":1.50"#));
        if era == Era::Modern {
            let headers = fake.state.headers.lock().last().unwrap().clone();
            assert_eq!(headers["mcp-name"], "=?base64?dGVzdDovL8Op?=");
        }
        let completed = method(&rig, "completion/complete", r#"{"ref":{},"argument":{}}"#).await;
        assert_eq!(completed, r#"{"completion":{"values":["v"]}}"#);
        rig.close().await;
    }
}

async fn method(rig: &Rig, name: &str, params: &str) -> String {
    let mut request = rig.gate.request(&format!("up.{name}"), json!({}));
    request.operation =
        Operation::Method(Method { name: name.into(), action: Action::Read, resources: Vec::new() });
    request.params = Raw::parse(params.into());
    rig.gate.gate.call(request).await.unwrap().raw.unwrap().get().to_owned()
}

#[tokio::test]
async fn a_followed_resource_is_followed_once_and_its_updates_arrive() {
    for Row { era, .. } in ROWS {
        let (rig, fake) = (Rig::new().await, Fake::new(era).await);
        rig.mount(&[("up", at(&fake.url, json!({})))]).await;
        let mut notices = rig.gate.gate.registry().notices().subscribe();
        let uri = r#"{"uri":"test://a"}"#;
        for name in ["resources/subscribe", "resources/subscribe", "resources/unsubscribe"] {
            method(&rig, name, uri).await;
        }
        let heard = async {
            loop {
                fake.state.say("notifications/resources/updated", json!({"uri": "test://a", "vendor": 1}));
                if let Ok(notice) = notices.try_recv()
                    && let Notice::ResourceUpdated { uri, params, .. } = &*notice
                {
                    return (uri.clone(), params.to_value());
                }
                tokio::task::yield_now().await;
            }
        };
        let (uri_heard, params): (String, Value) = tokio::time::timeout(PATIENCE, heard).await.unwrap();
        assert_eq!((uri_heard.as_str(), &params["vendor"]), ("test://a", &json!(1)));
        let count = |what: &str| fake.state.heard.lock().iter().filter(|it| it.contains(what)).count();
        if era == Era::Legacy {
            assert!(count("resources/subscribe") >= 1);
            assert_eq!(count("resources/unsubscribe"), 0, "somebody still follows it");
        }
        method(&rig, "resources/unsubscribe", uri).await;
        if era == Era::Legacy {
            assert_eq!(count("resources/unsubscribe"), 1);
        }
        rig.close().await;
    }
}
