//! Clients that use what is not theirs, forge what they carry, ask for what they may not, or flood.

use serde_json::{Value, json};

use crate::client::{ALL, ONE, TASKS, serve};

fn knows_tasks() -> Value {
    json!({ "extensions": { TASKS: {} } })
}

#[tokio::test]
async fn a_task_belongs_to_the_principal_that_made_it() {
    let served = serve().await;
    let call = json!({ "name": "slow_compute", "arguments": { "seconds": 60 } });
    let made = served.modern("admin", ONE, "tools/call", call, knows_tasks()).await;
    let task = made.last()["result"]["taskId"].as_str().unwrap().to_owned();
    let ask = async |who: &str, path: &str, method: &str, id: &str, capabilities: Value| {
        let params = json!({ "taskId": id, "inputResponses": {} });
        served.modern(who, path, method, params, capabilities).await
    };
    let swapped = format!("{}{}", &task[..task.len() - 2], if task.ends_with("AA") { "BB" } else { "AA" });
    for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
        assert_eq!(ask("viewer", ONE, method, &task, knows_tasks()).await.code(), -32602, "{method}");
        assert_eq!(ask("admin", ONE, method, &swapped, knows_tasks()).await.code(), -32602, "{method}");
        assert_eq!(ask("admin", ONE, method, "", knows_tasks()).await.status, 400, "a name is missing");
        let undeclared = ask("admin", ONE, method, &task, json!({})).await;
        assert_eq!((undeclared.code(), undeclared.status), (-32021, 400), "{method}");
    }
    assert_eq!(
        ask("admin", ALL, "tasks/get", &task, knows_tasks()).await.last()["result"]["status"],
        "working"
    );
    ask("admin", ONE, "tasks/cancel", &task, knows_tasks()).await;
    assert_eq!(
        ask("admin", ONE, "tasks/get", &task, knows_tasks()).await.last()["result"]["status"],
        "cancelled"
    );
}

#[tokio::test]
async fn a_state_counts_for_its_principal_its_request_and_once() {
    let served = serve().await;
    let can = json!({ "elicitation": {} });
    let call = async |who: &str, message: &str, more: Value| {
        let mut params = json!({ "name": "test_elicitation", "arguments": { "message": message } });
        for (key, value) in more.as_object().unwrap() {
            params[key] = value.clone();
        }
        served.modern(who, ONE, "tools/call", params, can.clone()).await
    };
    let asked = call("admin", "hello", json!({})).await.last()["result"].clone();
    assert_eq!(asked["resultType"], "input_required");
    let state = asked["requestState"].as_str().unwrap();
    let (key, question) = asked["inputRequests"].as_object().unwrap().iter().next().unwrap();
    assert_eq!(question["params"]["message"], "hello");
    let answer = json!({ key: { "action": "accept", "content": { "response": "yes" } } });
    let with = |state: &str| json!({ "requestState": state, "inputResponses": answer });
    let forged = format!("{}A", &state[..state.len() - 1]);
    for (who, message, state) in [
        ("viewer", "hello", state),
        ("admin", "other", state),
        ("admin", "hello", forged.as_str()),
        ("admin", "hello", ""),
    ] {
        assert_eq!(call(who, message, with(state)).await.code(), -32602, "{who} {message}");
    }
    let unanswered = json!({ "requestState": state, "inputResponses": { "other": {} } });
    let again = call("admin", "hello", unanswered).await.last()["result"].clone();
    assert_eq!(again["inputRequests"], asked["inputRequests"], "the question stays open");
    let state = again["requestState"].as_str().unwrap();
    assert!(call("admin", "hello", with(state)).await.text().contains("yes"));
    assert_eq!(call("admin", "hello", with(state)).await.code(), -32602, "it was used up");
}

#[tokio::test]
async fn nobody_is_asked_for_what_they_did_not_declare() {
    let served = serve().await;
    for (tool, capabilities, missing) in [
        ("test_elicitation", json!({}), "elicitation"),
        ("test_elicitation", json!({ "elicitation": { "url": {} } }), "elicitation"),
        ("test_sampling", json!({ "elicitation": {} }), "sampling"),
        ("test_roots", json!({ "sampling": {} }), "roots"),
        ("test_input_required_result_sampling", json!({}), "sampling"),
        ("test_missing_capability", json!({ "roots": {} }), "sampling"),
    ] {
        let params = json!({ "name": tool, "arguments": { "message": "m", "prompt": "p" } });
        let refused = served.modern("admin", ONE, "tools/call", params, capabilities).await;
        assert_eq!((refused.code(), refused.status), (-32021, 400), "{tool}");
        assert!(!refused.last()["error"]["data"]["requiredCapabilities"][missing].is_null(), "{tool}");
    }
}

#[tokio::test]
async fn cursors_are_their_owners_and_of_their_list() {
    let served = serve().await;
    for cursor in ["", "x", "cmVzb3VyY2VzL2xpc3Q6MQ"] {
        for method in ["resources/list", "resources/templates/list", "prompts/list", "tools/list"] {
            let answer = served.modern("admin", ONE, method, json!({ "cursor": cursor }), json!({})).await;
            assert_eq!(answer.code(), -32602, "{method} {cursor}");
        }
    }
}

#[tokio::test]
async fn waiting_calls_and_subscriptions_are_bounded() {
    let served = serve().await;
    let can = json!({ "elicitation": {} });
    let mut last = None;
    for index in 0..=32 {
        let params = json!({ "name": "test_elicitation", "arguments": { "message": format!("m{index}") } });
        last = Some(served.modern("admin", ONE, "tools/call", params, can.clone()).await);
    }
    assert_eq!(last.unwrap().code(), -32000, "the thirty-third waits for nobody");
    let params = json!({ "name": "test_elicitation", "arguments": { "message": "m" } });
    let other = served.modern("viewer", ONE, "tools/call", params, can).await;
    assert_eq!(other.last()["result"]["resultType"], "input_required", "others have their own room");
    let uris: Vec<String> = (0..65).map(|index| format!("test://template/{index}/data")).collect();
    for filter in
        [json!({ "resourceSubscriptions": uris }), json!({ "taskIds": uris }), json!([]), json!("x")]
    {
        let params = json!({ "notifications": filter });
        let refused = served.modern("admin", ONE, "subscriptions/listen", params, json!({})).await;
        assert_eq!(refused.code(), -32602);
    }
}

#[tokio::test]
async fn arguments_and_their_headers_tell_the_same_story() {
    let served = serve().await;
    let call = async |value: Value, header: &str| {
        let params = json!({ "name": "test_custom_header", "arguments": { "region": value } });
        let headers = [("Mcp-Param-Region", header)];
        served.open_modern("admin", ONE, "tools/call", params, json!({}), &headers).await.rest().await
    };
    assert!(call(json!("eu"), "eu").await.text().contains("eu"));
    assert!(call(json!("grün"), "=?base64?Z3LDvG4=?=").await.text().contains("grün"));
    for header in ["us", "", "=?base64?ZXU?=", "=?base64?!!?="] {
        let refused = call(json!("eu"), header).await;
        assert_eq!((refused.code(), refused.status), (-32020, 400), "{header:?}");
    }
}

#[tokio::test]
async fn what_policy_forbids_is_neither_listed_nor_read_nor_subscribed() {
    let served = serve().await;
    served.rig.policy.forbid("admin", "everything.");
    for method in ["resources/list", "prompts/list"] {
        let listed = served.modern("admin", ONE, method, json!({}), json!({})).await;
        let member = method.split('/').next().unwrap();
        assert_eq!(listed.last()["result"][member], json!([]), "{method}");
    }
    for (method, params) in [
        ("resources/read", json!({ "uri": "test://static-text" })),
        ("prompts/get", json!({ "name": "test_simple_prompt" })),
        ("skills/list", json!({})),
    ] {
        assert_ne!(served.modern("admin", ONE, method, params, json!({})).await.code(), 0, "{method}");
    }
    let filter = json!({ "notifications": { "resourceSubscriptions": ["test://static-text"] } });
    let mut stream = served.open_modern("admin", ONE, "subscriptions/listen", filter, json!({}), &[]).await;
    assert_eq!(stream.next().await["params"]["notifications"], json!({}));
}
