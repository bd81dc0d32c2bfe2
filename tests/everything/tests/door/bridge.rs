//! A tool asks in its own way, the client answers in its own: every pair works.

use serde_json::{Value, json};

use crate::client::{Exchange, ONE, Served, serve};

/// Opens an older session that can answer everything, and returns its id.
async fn handshake(served: &Served) -> String {
    let params = json!({
        "protocolVersion": "2025-11-25", "clientInfo": { "name": "test", "version": "1" },
        "capabilities": { "elicitation": {}, "sampling": {}, "roots": {} },
    });
    let body = json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params });
    served.open("admin", ONE, &[], &body).await.header("mcp-session-id").await
}

async fn legacy(served: &Served, session: &str, body: Value) -> Exchange {
    served.open("admin", ONE, &[("Mcp-Session-Id", session)], &body).await
}

/// What a willing client answers to a question.
fn willing(method: &str) -> Value {
    match method {
        "elicitation/create" => {
            json!({ "action": "accept", "content": { "name": "Ann", "color": "red", "response": "fine", "ok": true } })
        }
        "sampling/createMessage" => {
            json!({ "role": "assistant", "model": "m", "content": { "type": "text", "text": "a sample" } })
        }
        _ => json!({ "roots": [{ "uri": "file:///a" }] }),
    }
}

const ASKING: [(&str, &str); 8] = [
    ("test_elicitation", "fine"),
    ("test_sampling", "a sample"),
    ("test_roots", "1 roots"),
    ("test_input_required_result_elicitation", "Hello, Ann!"),
    ("test_input_required_result_sampling", "a sample"),
    ("test_input_required_result_list_roots", "Found 1 root(s)"),
    ("test_input_required_result_multiple_inputs", "Name: Ann; Greeting: a sample; Roots: 1"),
    ("test_input_required_result_multi_round", "Ann who likes red"),
];

#[tokio::test]
async fn an_older_client_is_asked_on_the_stream_however_the_tool_asks() {
    let served = serve().await;
    let session = handshake(&served).await;
    for (tool, words) in ASKING {
        let params = json!({ "name": tool, "arguments": { "message": "m", "prompt": "p" } });
        let body = json!({ "jsonrpc": "2.0", "id": tool, "method": "tools/call", "params": params });
        let mut call = legacy(&served, &session, body).await;
        let answer = loop {
            let message = call.next().await;
            let Some(method) = message["method"].as_str() else { break message };
            let reply = json!({ "jsonrpc": "2.0", "id": message["id"], "result": willing(method) });
            assert_eq!(legacy(&served, &session, reply).await.rest_status().await, 202);
        };
        let text = answer["result"]["content"][0]["text"].as_str().unwrap_or_default();
        assert!(text.contains(words), "{tool}: {answer}");
    }
}

#[tokio::test]
async fn a_modern_client_is_asked_in_rounds_however_the_tool_asks() {
    let served = serve().await;
    let can = json!({ "elicitation": {}, "sampling": {}, "roots": {} });
    for (tool, words) in ASKING {
        let first = json!({ "name": tool, "arguments": { "message": "m", "prompt": "p" } });
        let mut params = first.clone();
        let mut rounds = 0;
        let text = loop {
            let answer = served.modern("admin", ONE, "tools/call", params, can.clone()).await;
            let result = &answer.last()["result"];
            if result["resultType"] != "input_required" {
                break answer.text().to_owned();
            }
            rounds += 1;
            assert!(rounds < 5, "{tool}");
            let requests = result["inputRequests"].as_object().unwrap();
            let responses: serde_json::Map<_, _> = requests
                .iter()
                .map(|(key, request)| (key.clone(), willing(request["method"].as_str().unwrap())))
                .collect();
            params = first.clone();
            params["inputResponses"] = responses.into();
            if let Some(state) = result.get("requestState") {
                params["requestState"] = state.clone();
            }
        };
        assert!(rounds > 0 && text.contains(words), "{tool}: {text}");
    }
}

#[tokio::test]
async fn a_refused_question_fails_the_call_and_nothing_else() {
    let served = serve().await;
    let session = handshake(&served).await;
    let params = json!({ "name": "test_sampling", "arguments": { "prompt": "p" } });
    let body = json!({ "jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": params });
    let mut call = legacy(&served, &session, body).await;
    let question = call.next().await;
    let error = json!({ "code": -1, "message": "User rejected the request" });
    let reply = json!({ "jsonrpc": "2.0", "id": question["id"], "error": error });
    legacy(&served, &session, reply).await.rest_status().await;
    let answer = call.next().await;
    assert_eq!(answer["error"]["message"], "User rejected the request");
    let ping = json!({ "jsonrpc": "2.0", "id": 6, "method": "ping" });
    assert_eq!(legacy(&served, &session, ping).await.next().await["result"], json!({}));
}
