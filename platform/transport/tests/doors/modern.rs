//! Revision 2026-07-28: no session, every request describes itself.

use serde_json::{Value, json};

use crate::client::{Ask, Connection, start, start_with};

const CAN_ASK: &str = "io.modelcontextprotocol/clientCapabilities";

#[tokio::test]
async fn a_call_is_answered_with_one_json_document() {
    let server = start().await;
    for (path, name) in [
        ("/mcp", "bench__echo"),
        ("/mcp", "bench.echo"),
        ("/mcp", "workbench__echo"),
        ("/mcp/bench", "echo"),
        ("/mcp/workbench", "echo"),
        ("/mcp/bench", "bench__echo"),
    ] {
        let params = json!({"name": name, "arguments": {"message": "hi \u{1F600}"}});
        let response = Ask::modern_to(path, "ann", "tools/call", params).send(&server).await;
        assert_eq!((response.status, response.header("content-type")), (200, Some("application/json")));
        assert_eq!(response.header("mcp-session-id"), None);
        let result = &response.json()["result"];
        assert_eq!(result["structuredContent"], json!({"text": "hi \u{1F600}"}), "{path} {name}");
        assert_eq!(
            (&result["resultType"], &result["content"][0]["type"]),
            (&json!("complete"), &json!("text"))
        );
        assert_eq!(result["_meta"]["io.modelcontextprotocol/serverInfo"]["version"], "1.2.3");
    }
    assert_eq!(server.fakes.outcomes("echo").len(), 6);
}

#[tokio::test]
async fn what_fails_in_a_tool_is_a_result_and_what_is_unknown_is_an_error() {
    let server = start().await;
    let call = async |token: &str, name: &str, arguments: Value| {
        Ask::modern(token, "tools/call", json!({"name": name, "arguments": arguments})).send(&server).await
    };
    for (token, name, arguments, code) in [
        ("ann", "bench__fail", json!({}), "tool_execution_failed"),
        ("ann", "bench__echo", json!({}), "validation_failed"),
        ("ann", "bench__echo", json!({"message": 7}), "validation_failed"),
        ("ann", "bench__echo", json!({"message": "x", "more": 1}), "validation_failed"),
        ("eve", "bench__echo", json!({"message": "x"}), "permission_denied"),
    ] {
        let result = &call(token, name, arguments).await.json()["result"];
        assert_eq!((&result["isError"], &result["resultType"]), (&json!(true), &json!("complete")), "{code}");
        assert_eq!(result["_meta"]["core-mcp/error"]["code"], code);
        assert!(result["content"][0]["text"].as_str().unwrap().starts_with(code));
        assert_eq!(result.get("structuredContent"), None);
    }
    for (name, arguments) in [
        ("bench__nothing", json!({})),
        ("nobody__echo", json!({})),
        ("echo", json!({})),
        ("bench__echo", json!([])),
    ] {
        let response = call("ann", name, arguments).await;
        assert_eq!((response.status, &response.json()["error"]["code"]), (200, &json!(-32602)), "{name}");
    }
}

#[tokio::test]
async fn a_context_calls_only_what_it_enables_and_only_for_its_owner() {
    let server = start().await;
    let hello = json!({"name": "other__hello"});
    let echo = json!({"name": "bench__echo", "arguments": {"message": "x"}});
    for (token, params, code) in [
        ("ann", &hello, Value::Null),
        ("ann", &echo, json!("permission_denied")),
        ("bob", &hello, json!("not_found")),
    ] {
        let ask = Ask::modern_to("/contexts/c-ann/mcp", token, "tools/call", params.clone());
        let result = ask.send(&server).await.json()["result"].clone();
        assert_eq!(result["_meta"]["core-mcp/error"]["code"], code, "{token} {params}");
    }
}

#[tokio::test]
async fn text_from_outside_is_marked() {
    let server = start().await;
    let result =
        Ask::modern("ann", "tools/call", json!({"name": "bench__outside"})).send(&server).await.json();
    let marker = result["result"]["_meta"]["core-mcp/untrusted"]["marker"].as_str().unwrap();
    assert!(result["result"]["content"][1]["text"].as_str().unwrap().contains(marker));
}

#[tokio::test]
async fn discovery_and_lists_say_how_long_and_for_whom_they_are_good() {
    let server = start().await;
    let ask = async |method: &str| {
        let response = Ask::modern("ann", method, json!({})).send(&server).await;
        assert_eq!(response.status, 200, "{response:?}");
        response.json()["result"].clone()
    };
    let discovered = ask("server/discover").await;
    assert_eq!(discovered["supportedVersions"][0], "2026-07-28");
    assert_eq!(discovered["supportedVersions"].as_array().unwrap().len(), 5);
    assert_eq!(
        discovered["capabilities"],
        json!({
            "tools": {"listChanged": true}, "resources": {"listChanged": true},
            "prompts": {"listChanged": true}, "completions": {},
        })
    );
    for (method, key) in [
        ("tools/list", "tools"),
        ("prompts/list", "prompts"),
        ("resources/list", "resources"),
        ("resources/templates/list", "resourceTemplates"),
    ] {
        let list = ask(method).await;
        assert_eq!((&list["cacheScope"], &list["resultType"]), (&json!("private"), &json!("complete")));
        let empty = list[key].as_array().unwrap().is_empty();
        assert!(list["ttlMs"].is_u64() && empty == (key == "prompts"), "{method}: {list}");
    }
}

#[tokio::test]
async fn pages_follow_each_other_and_cursors_are_their_owners() {
    let server = start().await;
    let list = async |token: &str, path: &str, cursor: Option<&str>| {
        let params = cursor.map_or(json!({}), |cursor| json!({ "cursor": cursor }));
        Ask::modern_to(path, token, "tools/list", params).send(&server).await.json()
    };
    let names = |page: &Value| -> Vec<String> {
        page["result"]["tools"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let first = list("ann", "/mcp", None).await;
    assert_eq!(names(&first), ["bench__echo", "bench__outside", "bench__steps", "bench__wait"]);
    let cursor = first["result"]["nextCursor"].as_str().unwrap();
    let second = list("ann", "/mcp", Some(cursor)).await;
    assert_eq!(names(&second), ["bench__demolish", "bench__fail", "bench__danger", "other__hello"]);
    assert_eq!(second["result"].get("nextCursor"), None);
    for (token, cursor) in [("bob", cursor), ("ann", "x"), ("ann", ""), ("ann", &cursor[1..])] {
        assert_eq!(list(token, "/mcp", Some(cursor)).await["error"]["code"], -32602, "{token} {cursor}");
    }
    assert_eq!(names(&list("eve", "/mcp", None).await), ["other__hello"]);
    assert_eq!(names(&list("ann", "/mcp/other", None).await), ["hello"]);
    assert_eq!(names(&list("ann", "/contexts/c-ann/mcp", None).await), ["other__hello"]);
    assert_eq!(list("bob", "/contexts/c-ann/mcp", None).await["error"]["code"], -32602);
}

#[tokio::test]
async fn headers_must_tell_what_the_body_tells() {
    let server = start().await;
    let call =
        Ask::modern("ann", "tools/call", json!({"name": "bench__echo", "arguments": {"message": "x"}}));
    let list = Ask::modern("ann", "tools/list", json!({}));
    for (what, ask, status, code) in [
        ("encoded name", call.clone().header("mcp-name", "=?base64?YmVuY2hfX2VjaG8=?="), 200, None),
        ("no version", call.clone().without("mcp-protocol-version"), 400, Some(-32020)),
        ("other version", call.clone().header("mcp-protocol-version", "2025-11-25"), 400, Some(-32020)),
        ("no method", call.clone().without("mcp-method"), 400, Some(-32020)),
        ("other method", call.clone().header("mcp-method", "tools/list"), 400, Some(-32020)),
        ("no name", call.clone().without("mcp-name"), 400, Some(-32020)),
        ("other name", call.clone().header("mcp-name", "bench__danger"), 400, Some(-32020)),
        ("two names", call.clone().and_header("mcp-name", "bench__echo"), 400, Some(-32020)),
        ("broken base64", call.clone().header("mcp-name", "=?base64?%?="), 400, Some(-32020)),
        ("no name needed", list.clone(), 200, None),
    ] {
        let response = ask.send(&server).await;
        assert_eq!(response.status, status, "{what}: {response:?}");
        assert_eq!(response.json()["error"]["code"].as_i64(), code, "{what}");
    }
}

#[tokio::test]
async fn metadata_must_be_complete_and_the_revision_known() {
    let server = start().await;
    let with_meta = |meta: Value, header: &str| {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": meta}});
        Ask::post("/mcp", "ann", &body)
            .header("mcp-protocol-version", header)
            .header("mcp-method", "tools/list")
    };
    let version = "io.modelcontextprotocol/protocolVersion";
    for (meta, header, code) in [
        (json!({}), "2026-07-28", -32602),
        (json!({version: "2026-07-28"}), "2026-07-28", -32602),
        (json!({CAN_ASK: {}}), "2026-07-28", -32602),
        (json!({version: "2027-01-01", CAN_ASK: {}}), "2027-01-01", -32022),
        (json!({version: "2026-07-28", CAN_ASK: {}}), "2027-01-01", -32020),
    ] {
        let response = with_meta(meta.clone(), header).send(&server).await;
        assert_eq!(
            (response.status, &response.json()["error"]["code"]),
            (400, &json!(code)),
            "{meta} {header}"
        );
    }
    let refused =
        with_meta(json!({version: "2027-01-01", CAN_ASK: {}}), "2027-01-01").send(&server).await.json();
    assert_eq!(refused["error"]["data"]["supported"][0], "2026-07-28");
}

#[tokio::test]
async fn methods_of_the_other_era_do_not_exist() {
    let server = start().await;
    for method in ["initialize", "ping", "logging/setLevel", "resources/subscribe", "nonsense"] {
        let response = Ask::modern("ann", method, json!({})).send(&server).await;
        assert_eq!((response.status, &response.json()["error"]["code"]), (404, &json!(-32601)), "{method}");
    }
}

#[tokio::test]
async fn progress_streams_and_the_answer_comes_last() {
    let server = start().await;
    let params = json!({"name": "bench__steps", "_meta": {"progressToken": "p\u{e9}"}});
    let response = Ask::modern("ann", "tools/call", params.clone()).send(&server).await;
    let events = response.events();
    assert_eq!(response.header("x-accel-buffering"), Some("no"));
    let steps: Vec<_> = events.iter().filter(|it| it["method"] == "notifications/progress").collect();
    assert_eq!(steps.len(), 3);
    assert_eq!(steps[0]["params"]["progressToken"], "p\u{e9}");
    assert_eq!(steps[2]["params"]["progress"], 3.0);
    assert_eq!(events.last().unwrap()["result"]["structuredContent"]["text"], "done");
    let plain =
        Ask::modern("ann", "tools/call", params).header("accept", "application/json").send(&server).await;
    assert_eq!(plain.json()["result"]["structuredContent"]["text"], "done");
}

#[tokio::test]
async fn a_step_goes_out_while_the_work_goes_on() {
    let server = start().await;
    let params = json!({"name": "bench__demolish", "_meta": {"progressToken": 7}});
    let mut connection = Connection::open(server.address).await;
    connection.write(Ask::modern("ann", "tools/call", params).bytes()).await;
    connection.head().await.unwrap();
    assert_eq!(connection.event().await.unwrap()["params"]["message"], "begun");
    assert!(server.fakes.outcomes("demolish").is_empty(), "still at work");
    assert_eq!(connection.event().await.unwrap()["result"]["structuredContent"]["text"], "gone");
}

#[tokio::test]
async fn a_long_call_becomes_a_stream_that_shows_it_lives() {
    let server = start_with(|config| config.keep_alive = std::time::Duration::from_millis(20)).await;
    let response = Ask::modern("ann", "tools/call", json!({"name": "bench__demolish"})).send(&server).await;
    assert_eq!(response.events().pop().unwrap()["result"]["structuredContent"]["text"], "gone");
    assert!(response.body.starts_with(b":\n\n"), "a comment first");
}

#[tokio::test]
async fn a_trace_goes_on_and_a_malformed_one_does_not() {
    let server = start().await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    for (parent, goes_on) in
        [(format!("00-{trace}-00f067aa0ba902b7-01"), true), (format!("00-{trace}"), false)]
    {
        server.fakes.records.lock().unwrap().clear();
        let params = json!({"name": "other__hello", "_meta": {"traceparent": parent}});
        Ask::modern("ann", "tools/call", params).send(&server).await;
        let records = server.fakes.records.lock().unwrap();
        assert_eq!(records.iter().any(|it| it.trace_id.as_deref() == Some(trace)), goes_on, "{parent}");
    }
}

#[tokio::test]
async fn hanging_up_cancels_a_read_but_not_what_destroys() {
    let server = start().await;
    for (tool, code) in [("wait", "cancelled"), ("demolish", "ok")] {
        let params = json!({"name": format!("bench__{tool}"), "_meta": {"progressToken": 1}});
        let mut connection = Connection::open(server.address).await;
        connection.write(Ask::modern("ann", "tools/call", params).bytes()).await;
        let started = || server.fakes.records.lock().unwrap().iter().any(|it| it.tool == tool);
        while !started() {
            tokio::task::yield_now().await;
        }
        drop(connection);
        while server.fakes.outcomes(tool).is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        let outcome = server.fakes.outcomes(tool).remove(0);
        assert!(outcome == code || (tool == "wait" && outcome == "abandoned"), "{tool}: {outcome}");
    }
}

#[tokio::test]
async fn an_approval_takes_a_second_round_and_counts_for_that_call_only() {
    let server = start().await;
    let call = async |token: &str, name: &str, can: Value, more: Value| {
        let mut params =
            json!({"name": "bench__danger", "arguments": {"name": name}, "_meta": {CAN_ASK: can}});
        for (key, value) in more.as_object().unwrap() {
            params[key] = value.clone();
        }
        Ask::modern(token, "tools/call", params).send(&server).await.json()
    };
    let can = json!({"elicitation": {}});
    let mute = call("ann", "db", json!({}), json!({})).await;
    assert_eq!(mute["result"]["_meta"]["core-mcp/error"]["code"], "needs_approval");
    let asked = call("ann", "db", can.clone(), json!({})).await;
    assert_eq!(asked["result"]["resultType"], "input_required");
    let question = &asked["result"]["inputRequests"]["approval"];
    assert_eq!(question["method"], "elicitation/create");
    assert!(question["params"]["message"].as_str().unwrap().contains("bench.danger"));
    let state = asked["result"]["requestState"].clone();
    let yes = json!({"approval": {"action": "accept", "content": {"approve": true}}});
    let no = json!({"approval": {"action": "decline"}});
    let answer = |responses: &Value| json!({"inputResponses": responses, "requestState": state});
    for (token, name) in [("bob", "db"), ("ann", "other-db")] {
        let stolen = call(token, name, can.clone(), answer(&yes)).await;
        assert_eq!(stolen["error"]["code"], -32602, "{token} {name}: {stolen}");
    }
    let missing = call("ann", "db", can.clone(), json!({"requestState": state})).await;
    assert_eq!(missing["result"]["resultType"], "input_required", "asked again");
    let refused = call("ann", "db", can.clone(), answer(&no)).await;
    assert_eq!(refused["result"]["_meta"]["core-mcp/error"]["code"], "permission_denied");
    let done = call("ann", "db", can.clone(), answer(&yes)).await;
    assert_eq!(done["result"]["structuredContent"]["text"], "destroyed db");
    assert_eq!(server.fakes.outcomes("danger").iter().filter(|code| *code == "ok").count(), 1);
}

#[tokio::test]
async fn a_subscription_is_acknowledged_told_of_changes_and_closed_in_good_order() {
    let server = start().await;
    let filter = json!({"notifications": {"toolsListChanged": true, "promptsListChanged": true}});
    let mut connection = Connection::open(server.address).await;
    connection.write(Ask::modern("ann", "subscriptions/listen", filter).bytes()).await;
    assert_eq!(connection.head().await.unwrap().header("content-type"), Some("text/event-stream"));
    let tag = "io.modelcontextprotocol/subscriptionId";
    let opening = connection.event().await.unwrap();
    assert_eq!(opening["method"], "notifications/subscriptions/acknowledged");
    assert_eq!(
        opening["params"]["notifications"],
        json!({"toolsListChanged": true, "promptsListChanged": true})
    );
    server.gate.notify_changed();
    let change = connection.event().await.unwrap();
    assert_eq!(change["method"], "notifications/tools/list_changed");
    assert_eq!(change["params"]["_meta"][tag], 1);
    assert_eq!(connection.event().await.unwrap()["method"], "notifications/prompts/list_changed");
    server.stop.cancel();
    let last = connection.event().await.unwrap();
    assert_eq!((&last["id"], &last["result"]["resultType"]), (&json!(1), &json!("complete")));
    assert!(connection.event().await.is_none());
    server.served.await.unwrap();
}

#[tokio::test]
async fn a_revoked_token_ends_its_subscription() {
    let server = start_with(|config| config.keep_alive = std::time::Duration::from_millis(20)).await;
    let filter = json!({"notifications": {"toolsListChanged": true}});
    let mut connection = Connection::open(server.address).await;
    connection.write(Ask::modern("ann", "subscriptions/listen", filter).bytes()).await;
    connection.head().await.unwrap();
    connection.event().await.unwrap();
    server.fakes.revoked.lock().unwrap().push("ann".into());
    assert_eq!(connection.event().await.unwrap()["result"]["resultType"], "complete");
    assert!(connection.event().await.is_none());
}

#[tokio::test]
async fn artifacts_are_read_in_pieces_by_their_owner() {
    let server = start().await;
    let read = async |token: &str, uri: &str| {
        Ask::modern(token, "resources/read", json!({ "uri": uri })).send(&server).await.json()
    };
    let first = read("ann", "artifact://ann-1").await["result"].clone();
    let piece = &first["contents"][0];
    assert_eq!(piece["text"].as_str().unwrap().len(), 262_144);
    assert_eq!(piece["_meta"], json!({"core-mcp/next_offset": 262_144, "core-mcp/total": 300_000}));
    assert_eq!((&first["ttlMs"], &first["cacheScope"]), (&json!(0), &json!("private")));
    let last = read("ann", "artifact://ann-1?offset=262144").await["result"]["contents"][0].clone();
    assert_eq!((last["text"].as_str().unwrap().len(), last.get("_meta")), (37_856, None));
    for (token, uri) in [("bob", "artifact://ann-1"), ("ann", "artifact://x"), ("ann", "file:///etc/passwd")]
    {
        let missing = read(token, uri).await;
        assert_eq!(
            (&missing["error"]["code"], &missing["error"]["data"]["uri"]),
            (&json!(-32602), &json!(uri))
        );
    }
}

#[tokio::test]
async fn arguments_and_artifact_ids_are_completed() {
    let server = start().await;
    let complete = async |token: &str, reference: Value, name: &str, value: &str| {
        let params = json!({"ref": reference, "argument": {"name": name, "value": value}});
        let answer = Ask::modern(token, "completion/complete", params).send(&server).await.json();
        answer["result"]["completion"].get("values").unwrap_or(&answer["error"]["code"]).clone()
    };
    let tool = |name: &str| json!({"type": "ref/tool", "name": name});
    let resource = json!({"type": "ref/resource", "uri": "artifact://{id}{?offset}"});
    assert_eq!(complete("ann", tool("bench__echo"), "message", "h").await, json!(["echo/message/h"]));
    assert_eq!(complete("ann", resource.clone(), "id", "ann").await, json!(["ann-1"]));
    assert_eq!(complete("bob", resource, "id", "").await, json!([]));
    assert_eq!(complete("eve", tool("bench__echo"), "message", "h").await, json!(-32602));
    assert_eq!(complete("ann", json!({"type": "ref/prompt", "name": "x"}), "a", "").await, json!(-32602));
    assert_eq!(complete("ann", json!({"type": "nonsense"}), "a", "").await, json!(-32602));
}
