//! What is listed where, under which names, and what listeners hear.

use kernel::{Notice, Raw};
use serde_json::json;

use crate::client::{ALL, ONE, serve};

#[tokio::test]
async fn names_are_bare_on_the_servers_route_and_qualified_on_the_shared_one() {
    let served = serve().await;
    for (path, prefix) in [(ONE, ""), (ALL, "everything__")] {
        for (list, get, member, name) in [
            ("tools/list", "tools/call", "tools", "test_simple_text"),
            ("prompts/list", "prompts/get", "prompts", "test_simple_prompt"),
        ] {
            let name = format!("{prefix}{name}");
            let listed = served.modern("admin", path, list, json!({}), json!({})).await;
            let items = listed.last()["result"][member].as_array().unwrap().clone();
            assert!(items.iter().any(|it| it["name"] == *name), "{path} {name}");
            let got = served.modern("admin", path, get, json!({ "name": name }), json!({})).await;
            assert_eq!((got.status, got.code()), (200, 0), "{path} {name}");
        }
        for uri in ["test://static-text", "test://template/7/data", "skill://git-review/SKILL.md"] {
            let read = served.modern("admin", path, "resources/read", json!({ "uri": uri }), json!({})).await;
            assert_eq!(read.last()["result"]["contents"][0]["uri"], uri, "{path}");
        }
        let missing =
            served.modern("admin", path, "resources/read", json!({ "uri": "test://no" }), json!({})).await;
        assert_eq!((missing.code(), &missing.last()["error"]["data"]["uri"]), (-32602, &json!("test://no")));
    }
}

#[tokio::test]
async fn a_definition_arrives_keyword_by_keyword() {
    let served = serve().await;
    let listed = served.modern("admin", ONE, "tools/list", json!({}), json!({})).await;
    let tools = listed.last()["result"]["tools"].as_array().unwrap().clone();
    let tool = tools.iter().find(|it| it["name"] == "json_schema_2020_12_tool").unwrap();
    for keyword in ["$schema", "$defs", "allOf", "if", "then", "else", "additionalProperties"] {
        assert!(!tool["inputSchema"][keyword].is_null(), "{keyword}");
    }
}

#[tokio::test]
async fn a_listener_hears_of_what_it_asked_for_and_of_nothing_else() {
    let served = serve().await;
    let filter = json!({ "notifications": {
        "promptsListChanged": true, "resourceSubscriptions": ["test://watched-resource", "test://no-such"],
    } });
    let mut stream = served.open_modern("viewer", ONE, "subscriptions/listen", filter, json!({}), &[]).await;
    let agreed = stream.next().await["params"]["notifications"].clone();
    assert_eq!(
        agreed,
        json!({ "promptsListChanged": true, "resourceSubscriptions": ["test://watched-resource"] })
    );
    assert_eq!(
        stream.next().await["method"],
        "notifications/resources/updated",
        "the fixture says so at once"
    );
    let notices = served.rig.gate.registry().notices();
    let updated = |uri: &str| Notice::ResourceUpdated {
        server: "everything".into(),
        uri: uri.into(),
        params: Raw::of(&json!({ "uri": uri, "theirs": 1.5 })),
    };
    notices.publish(Notice::ResourcesChanged { server: "everything".into() });
    notices.publish(updated("test://static-text"));
    notices.publish(updated("test://watched-resource"));
    notices.publish(Notice::PromptsChanged { server: "everything".into() });
    let update = stream.next().await;
    assert_eq!(
        (&update["params"]["uri"], &update["params"]["theirs"]),
        (&json!("test://watched-resource"), &json!(1.5))
    );
    assert_eq!(update["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], 1);
    assert_eq!(stream.next().await["method"], "notifications/prompts/list_changed");
}

#[tokio::test]
async fn every_request_is_on_record() {
    let served = serve().await;
    served.modern("viewer", ONE, "resources/read", json!({ "uri": "test://static-text" }), json!({})).await;
    served.modern("viewer", ONE, "prompts/get", json!({ "name": "test_simple_prompt" }), json!({})).await;
    let entries = served.rig.journal.entries();
    for (tool, kind, id) in [
        ("resources/read", "mcp.resource", "test://static-text"),
        ("prompts/get", "mcp.prompt", "test_simple_prompt"),
    ] {
        let outcome = entries.iter().find(|it| it.tool == tool && it.code.is_some()).unwrap();
        assert_eq!((outcome.principal.as_str(), outcome.server.as_str()), ("viewer", "everything"));
        assert_eq!((outcome.resources[0].kind.as_str(), outcome.resources[0].id.as_str()), (kind, id));
    }
}
