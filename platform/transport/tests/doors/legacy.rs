//! Revisions up to 2025-11-25: handshake, sessions, and a server that may ask.

use serde_json::{Value, json};

use crate::client::{Ask, Connection, Running, session, start, start_with};

fn call(token: &str, session: &str, params: Value) -> Ask {
    Ask::legacy(token, "tools/call", params).header("mcp-session-id", session)
}

#[tokio::test]
async fn a_handshake_agrees_on_a_revision_and_opens_a_session() {
    let server = start().await;
    for (asked, agreed) in [
        ("2024-11-05", "2024-11-05"),
        ("2025-03-26", "2025-03-26"),
        ("2025-06-18", "2025-06-18"),
        ("2025-11-25", "2025-11-25"),
        ("2026-07-28", "2025-11-25"),
        ("tomorrow", "2025-11-25"),
    ] {
        let params = json!({"protocolVersion": asked, "capabilities": {}});
        let response = Ask::legacy("ann", "initialize", params).send(&server).await;
        let result = &response.json()["result"];
        assert_eq!(result["protocolVersion"], agreed);
        assert_eq!(result["serverInfo"]["name"], "core-mcp");
        assert!(result["instructions"].is_string() && result.get("resultType").is_none());
        let id = response.header("mcp-session-id").unwrap();
        assert!(id.len() == 32 && id.bytes().all(|it| it.is_ascii_hexdigit()), "{id}");
    }
}

#[tokio::test]
async fn calls_work_inside_a_session_and_without_one() {
    let server = start().await;
    let id = session(&server, "ann", "2025-11-25", json!({})).await;
    let params = json!({"name": "bench__echo", "arguments": {"message": "hi"}});
    for ask in [
        call("ann", &id, params.clone()).header("mcp-protocol-version", "2025-11-25"),
        call("ann", &id, params.clone()),
        Ask::legacy("ann", "tools/call", params.clone()),
        Ask::legacy("ann", "tools/call", params).header("mcp-protocol-version", "2025-06-18"),
    ] {
        let response = ask.send(&server).await;
        assert_eq!(response.header("content-type"), Some("application/json"));
        let result = &response.json()["result"];
        assert_eq!(result["structuredContent"]["text"], "hi");
        assert_eq!(result.get("resultType"), None);
    }
    for (method, key) in
        [("tools/list", "tools"), ("prompts/list", "prompts"), ("resources/list", "resources")]
    {
        let list = Ask::legacy("ann", method, json!({})).send(&server).await.json();
        assert!(list["result"][key].is_array() && list["result"].get("ttlMs").is_none(), "{list}");
    }
    assert_eq!(Ask::legacy("ann", "ping", json!({})).send(&server).await.json()["result"], json!({}));
}

#[tokio::test]
async fn errors_of_a_well_formed_request_are_200_and_an_unknown_version_is_400() {
    let server = start().await;
    let unknown = Ask::legacy("ann", "nonsense", json!({})).send(&server).await;
    assert_eq!((unknown.status, &unknown.json()["error"]["code"]), (200, &json!(-32601)));
    let level = Ask::legacy("ann", "logging/setLevel", json!({"level": "loud"})).send(&server).await;
    assert_eq!((level.status, &level.json()["error"]["code"]), (200, &json!(-32602)));
    let version = Ask::legacy("ann", "ping", json!({}))
        .header("mcp-protocol-version", "1999-01-01")
        .send(&server)
        .await;
    assert_eq!((version.status, &version.json()["error"]["code"]), (400, &json!(-32022)));
    let resource = Ask::legacy("ann", "resources/read", json!({"uri": "artifact://x"})).send(&server).await;
    assert_eq!(resource.json()["error"]["code"], -32002);
}

#[tokio::test]
async fn a_session_is_its_principals_on_its_route_until_it_is_deleted() {
    let server = start().await;
    let id = session(&server, "ann", "2025-11-25", json!({})).await;
    let ping = |token: &str, path: &str| {
        Ask::post(path, token, &json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}))
            .header("mcp-session-id", &id)
    };
    assert_eq!(ping("ann", "/mcp").send(&server).await.status, 200);
    for (token, path) in [("bob", "/mcp"), ("ann", "/mcp/bench"), ("ann", "/contexts/c-ann/mcp")] {
        assert_eq!(ping(token, path).send(&server).await.status, 404, "{token} {path}");
    }
    assert_eq!(ping("ann", "/mcp").header("mcp-session-id", "0").send(&server).await.status, 404);
    let delete = |token: &str| {
        Ask::new("DELETE", "/mcp")
            .header("authorization", &format!("Bearer {token}"))
            .header("mcp-session-id", &id)
    };
    assert_eq!(delete("bob").send(&server).await.status, 404);
    assert_eq!(delete("ann").send(&server).await.status, 204);
    assert_eq!(ping("ann", "/mcp").send(&server).await.status, 404);
    assert_eq!(delete("ann").send(&server).await.status, 404);
}

#[tokio::test]
async fn notifications_and_stray_responses_are_accepted_or_refused_as_the_specification_says() {
    let server = start().await;
    let id = session(&server, "ann", "2025-11-25", json!({})).await;
    let post = |body: Value| Ask::post("/mcp", "ann", &body);
    let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    let response = post(initialized).header("mcp-session-id", &id).send(&server).await;
    assert_eq!((response.status, response.body.len()), (202, 0));
    let stray = json!({"jsonrpc": "2.0", "id": "core-mcp-7", "result": {"action": "accept"}});
    assert_eq!(post(stray.clone()).header("mcp-session-id", &id).send(&server).await.status, 202);
    assert_eq!(post(stray).send(&server).await.status, 400);
}

/// Starts `tool` in a session, on a connection of its own, and waits until it runs.
async fn begin(server: &Running, session: &str, tool: &str, params: Value) -> Connection {
    let mut connection = Connection::open(server.address).await;
    connection.write(call("ann", session, params).bytes()).await;
    while !server.fakes.records.lock().unwrap().iter().any(|it| it.tool == tool) {
        tokio::task::yield_now().await;
    }
    connection
}

#[tokio::test]
async fn a_running_call_is_cancelled_by_its_id_and_a_second_time_does_no_harm() {
    let server = start().await;
    let id = session(&server, "ann", "2025-11-25", json!({})).await;
    let mut connection = begin(&server, &id, "wait", json!({"name": "bench__wait"})).await;
    let cancel = |session: &str| {
        let body = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}});
        Ask::post("/mcp", "ann", &body).header("mcp-session-id", session)
    };
    let other = session_of_ann(&server).await;
    assert_eq!(cancel(&other).send(&server).await.status, 202, "another session's id means nothing here");
    assert!(server.fakes.outcomes("wait").is_empty());
    for _ in 0..2 {
        assert_eq!(cancel(&id).send(&server).await.status, 202);
    }
    let result = connection.response().await.json();
    assert_eq!(result["result"]["_meta"]["core-mcp/error"]["code"], "cancelled");
}

async fn session_of_ann(server: &Running) -> String {
    session(server, "ann", "2025-11-25", json!({})).await
}

#[tokio::test]
async fn deleting_a_session_cancels_what_runs_in_it() {
    let server = start().await;
    let id = session_of_ann(&server).await;
    let mut connection = begin(&server, &id, "wait", json!({"name": "bench__wait"})).await;
    let twice = call("ann", &id, json!({"name": "bench__wait"})).send(&server).await;
    assert_eq!(twice.json()["error"]["code"], -32600, "the id runs already");
    let delete =
        Ask::new("DELETE", "/mcp").header("authorization", "Bearer ann").header("mcp-session-id", &id);
    assert_eq!(delete.send(&server).await.status, 204);
    let result = connection.response().await.json();
    assert_eq!(result["result"]["_meta"]["core-mcp/error"]["code"], "cancelled");
}

#[tokio::test]
async fn the_human_is_asked_on_the_calls_own_stream_and_answers_in_the_session() {
    let server = start().await;
    let danger = json!({"name": "bench__danger", "arguments": {"name": "db"}});
    for (action, approve, end) in [
        ("accept", true, json!("destroyed db")),
        ("accept", false, Value::Null),
        ("decline", true, Value::Null),
    ] {
        let id = session(&server, "ann", "2025-06-18", json!({"elicitation": {}})).await;
        let mut connection = begin(&server, &id, "danger", danger.clone()).await;
        assert_eq!(connection.head().await.unwrap().header("content-type"), Some("text/event-stream"));
        let question = connection.event().await.unwrap();
        assert_eq!(question["method"], "elicitation/create");
        assert!(question["params"]["message"].as_str().unwrap().contains("bench.danger"));
        let answer = json!({
            "jsonrpc": "2.0", "id": question["id"], "result": {"action": action, "content": {"approve": approve}},
        });
        let post = |token: &str, body: &Value| Ask::post("/mcp", token, body).header("mcp-session-id", &id);
        assert_eq!(post("bob", &answer).send(&server).await.status, 404);
        assert_eq!(post("ann", &answer).send(&server).await.status, 202);
        let last = connection.event().await.unwrap();
        assert_eq!(last["result"]["structuredContent"]["text"], end, "{action} {approve}: {last}");
        assert!(connection.event().await.is_none());
    }
}

#[tokio::test]
async fn who_cannot_be_asked_gets_the_ticket() {
    let server = start().await;
    let danger = json!({"name": "bench__danger", "arguments": {"name": "db"}});
    let mute = session(&server, "ann", "2025-11-25", json!({})).await;
    let old = session(&server, "ann", "2025-03-26", json!({"elicitation": {}})).await;
    let url_only = session(&server, "ann", "2025-11-25", json!({"elicitation": {"url": {}}})).await;
    let can = session(&server, "ann", "2025-11-25", json!({"elicitation": {}})).await;
    for ask in [
        call("ann", &mute, danger.clone()),
        call("ann", &old, danger.clone()),
        call("ann", &url_only, danger.clone()),
        call("ann", &can, danger.clone()).header("accept", "application/json"),
        Ask::legacy("ann", "tools/call", danger),
    ] {
        let detail = ask.send(&server).await.json()["result"]["_meta"]["core-mcp/error"].clone();
        assert_eq!(detail["code"], "needs_approval");
        assert!(detail["approval"]["id"].as_str().unwrap().starts_with("ap-"));
    }
}

#[tokio::test]
async fn the_notification_stream_tells_of_changes_and_a_second_one_replaces_it() {
    let server = start().await;
    let id = session_of_ann(&server).await;
    let get = Ask::new("GET", "/mcp")
        .header("authorization", "Bearer ann")
        .header("mcp-session-id", &id)
        .header("accept", "text/event-stream");
    let open = async || {
        let mut connection = Connection::open(server.address).await;
        connection.write(get.bytes()).await;
        assert_eq!(connection.head().await.unwrap().status, 200);
        // The stream watches once its first comment is out.
        connection.chunk().await.unwrap();
        connection
    };
    let mut first = open().await;
    server.gate.notify_changed();
    for list in ["tools", "prompts", "resources"] {
        assert_eq!(first.event().await.unwrap()["method"], format!("notifications/{list}/list_changed"));
    }
    let mut second = open().await;
    assert!(first.event().await.is_none(), "the first stream ends");
    server.gate.notify_changed();
    assert_eq!(second.event().await.unwrap()["method"], "notifications/tools/list_changed");
    for (ask, status) in [
        (get.clone().without("mcp-session-id"), 405),
        (get.clone().header("mcp-session-id", "x"), 404),
        (get.clone().header("accept", "application/json"), 406),
        (get.clone().without("authorization"), 401),
    ] {
        assert_eq!(ask.send(&server).await.status, status);
    }
}

#[tokio::test]
async fn streams_of_one_principal_are_counted() {
    let server = start_with(|config| config.max_streams_per_principal = 2).await;
    let mut open = Vec::new();
    for expected in [200, 200, 429] {
        let filter = json!({"notifications": {}});
        let mut connection = Connection::open(server.address).await;
        connection.write(Ask::modern("ann", "subscriptions/listen", filter).bytes()).await;
        assert_eq!(connection.head().await.unwrap().status, expected);
        open.push(connection);
    }
}

#[tokio::test]
async fn batches_are_for_the_one_revision_that_has_them() {
    let server = start().await;
    let ping = |id: u64| json!({"jsonrpc": "2.0", "id": id, "method": "ping"});
    let note = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    let batch = Ask::post("/mcp", "ann", &json!([ping(1), note, {"id": 3}, ping(2)]));
    let answers = batch.clone().header("mcp-protocol-version", "2025-03-26").send(&server).await.json();
    let ids: Vec<_> = answers.as_array().unwrap().iter().map(|it| it.get("id").cloned()).collect();
    assert_eq!(ids, [Some(json!(1)), Some(json!(3)), Some(json!(2))]);
    assert_eq!(answers[1]["error"]["code"], -32600);
    let only_notes = Ask::post("/mcp", "ann", &json!([note])).header("mcp-protocol-version", "2025-03-26");
    assert_eq!(only_notes.send(&server).await.status, 202);
    for version in ["2025-06-18", "2025-11-25", "2026-07-28"] {
        let refused = batch.clone().header("mcp-protocol-version", version).send(&server).await;
        assert_eq!((refused.status, &refused.json()["error"]["code"]), (400, &json!(-32600)), "{version}");
    }
}
