//! What is served beside the protocol.

use axum::routing::get;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use transport::{HttpConfig, HttpServer};

use crate::{
    client::{Ask, Running, start, wire},
    fakes,
};

#[tokio::test]
async fn health_is_for_everybody_and_metrics_for_those_who_may_read_all() {
    let server = start().await;
    let page = async |path: &str, token: Option<&str>| {
        let ask = Ask::new("GET", path);
        let ask = token.map_or(ask.clone(), |token| ask.header("authorization", &format!("Bearer {token}")));
        ask.send(&server).await
    };
    assert_eq!(page("/healthz", None).await.status, 200);
    assert_eq!(page("/readyz", None).await.status, 200);
    assert_eq!(page("/metrics", None).await.status, 401);
    assert_eq!(page("/metrics", Some("nobody")).await.status, 401);
    assert_eq!(page("/metrics", Some("eve")).await.status, 403);
    let metrics = page("/metrics", Some("ann")).await;
    assert!(metrics.status == 200 && metrics.body.ends_with(b"# EOF\n"), "{metrics:?}");
    assert_eq!(page("/nowhere", None).await.status, 404);
    assert_eq!(Ask::new("DELETE", "/healthz").send(&server).await.status, 405);
    assert_eq!(Ask::new("PUT", "/mcp").header("authorization", "Bearer ann").send(&server).await.status, 405);
}

#[tokio::test]
async fn a_caller_without_a_token_learns_where_tokens_come_from() {
    let server = start().await;
    let refused = Ask::modern("ann", "tools/list", json!({})).without("authorization").send(&server).await;
    assert_eq!(refused.status, 401);
    let challenge = refused.header("www-authenticate").unwrap();
    let url = "http://localhost/.well-known/oauth-protected-resource/mcp";
    assert_eq!(challenge, format!("Bearer realm=\"core-mcp\", resource_metadata=\"{url}\", scope=\"read\""));
    let wrong = Ask::modern("nobody", "tools/list", json!({})).send(&server).await;
    assert!(
        wrong
            .header("www-authenticate")
            .unwrap()
            .ends_with("error=\"invalid_token\", error_description=\"the token is not valid\"")
    );
    for (path, resource) in [
        ("/.well-known/oauth-protected-resource", "http://localhost"),
        ("/.well-known/oauth-protected-resource/mcp", "http://localhost/mcp"),
        ("/.well-known/oauth-protected-resource/mcp/bench", "http://localhost/mcp/bench"),
    ] {
        let document = Ask::new("GET", path).send(&server).await.json();
        assert_eq!(document["resource"], resource);
        assert_eq!(document["authorization_servers"], json!(["https://id.example.com"]));
        assert_eq!(document["scopes_supported"], json!(["read", "write"]));
    }
    let lookalike = Ask::new("GET", "/.well-known/oauth-protected-resourceful").send(&server).await;
    assert_eq!(lookalike.status, 404);
}

#[tokio::test]
async fn a_call_that_one_more_scope_would_allow_says_which() {
    let server = start().await;
    let call = |token: &str| {
        Ask::modern(token, "tools/call", json!({"name": "bench__echo", "arguments": {"message": "x"}}))
    };
    let refused = call("eve").send(&server).await;
    assert_eq!(refused.status, 403);
    let url = "http://localhost/.well-known/oauth-protected-resource/mcp";
    assert_eq!(
        refused.header("www-authenticate").unwrap(),
        format!(
            "Bearer realm=\"core-mcp\", resource_metadata=\"{url}\", error=\"insufficient_scope\", scope=\"write\", \
             error_description=\"the call needs another scope\""
        )
    );
    let text = refused.json()["result"]["content"][0]["text"].as_str().unwrap().to_owned();
    assert!(text.contains("hint: ask the authorization server for the scope `write`"), "{text}");
    assert_eq!(call("ann").send(&server).await.status, 200);
}

#[tokio::test]
async fn other_pages_stand_behind_the_same_guard() {
    let (gate, fakes) = fakes::gate().await;
    let config = HttpConfig::new("127.0.0.1:0".parse().unwrap());
    let router = axum::Router::new().route("/console", get(async || "console"));
    let server = HttpServer::bind(wire(&gate), config).await.unwrap().with_fallback(router);
    let (address, stop) = (server.local_addr().unwrap(), CancellationToken::new());
    let served = tokio::spawn(server.serve(stop.clone()));
    let server = Running { address, gate, fakes, stop, served };
    assert_eq!(Ask::new("GET", "/console").send(&server).await.body, b"console");
    assert_eq!(Ask::new("GET", "/else").send(&server).await.status, 404);
    assert_eq!(Ask::new("GET", "/console").header("host", "evil.com").send(&server).await.status, 421);
    assert_eq!(
        Ask::new("GET", "/console").header("origin", "http://evil.com").send(&server).await.status,
        403
    );
}
