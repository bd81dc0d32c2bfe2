//! A table of attacks. Each is refused with the right answer, and the server goes on serving.

use serde_json::json;

use crate::client::{Ask, Connection, Running, start, start_with};

async fn assert_alive(server: &Running) {
    let params = json!({"name": "bench__echo", "arguments": {"message": "alive"}});
    let response = Ask::modern("ann", "tools/call", params).send(server).await;
    assert_eq!(response.json()["result"]["structuredContent"]["text"], "alive");
}

#[tokio::test]
async fn strangers_are_turned_away_on_every_route() {
    let server = start().await;
    for path in ["/mcp", "/mcp/bench", "/contexts/c-ann/mcp", "/healthz", "/metrics", "/nowhere", "/readyz"] {
        for host in ["evil.com", "localhost.evil.com", "127.0.0.1.evil.com:80", "user@localhost", ""] {
            let response = Ask::new("GET", path).header("host", host).send(&server).await;
            assert!(matches!(response.status, 400 | 421), "{path} {host}: {response:?}");
        }
        for origin in ["http://evil.com", "null", "http://localhost.evil.com", "file://"] {
            let response = Ask::new("GET", path).header("origin", origin).send(&server).await;
            assert_eq!(response.status, 403, "{path} {origin}");
        }
        let absent = Ask::new("GET", path).without("host").send(&server).await;
        assert!(matches!(absent.status, 400 | 421), "{path}: {absent:?}");
        let twice = Ask::new("GET", path).and_header("host", "evil.com").send(&server).await;
        assert!(matches!(twice.status, 400 | 421), "{path}: {twice:?}");
    }
    for origin in ["http://localhost:5173", "https://127.0.0.1", "http://[::1]:1"] {
        assert_eq!(Ask::new("GET", "/healthz").header("origin", origin).send(&server).await.status, 200);
    }
    assert!(server.fakes.records.lock().unwrap().is_empty(), "nobody asked who they are");
}

/// A client, or a proxy before us, may send the head first and the body when the answer is on its way.
#[tokio::test]
async fn a_refusal_arrives_although_the_body_comes_late() {
    let server = start().await;
    for (head, status) in [
        ("Host: evil.com\r\n", 421),
        ("Host: localhost\r\n", 401),
        ("Host: localhost\r\nAuthorization: Bearer ann\r\nContent-Type: text/plain\r\n", 415),
    ] {
        let mut connection = Connection::open(server.address).await;
        connection.write(format!("POST /mcp HTTP/1.1\r\n{head}Content-Length: 7\r\n\r\n")).await;
        tokio::task::yield_now().await;
        connection.write("{\"a\":1}").await;
        assert_eq!(connection.response().await.status, status, "{head}");
        // The connection was left in order: it takes the next request.
        connection.write("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        assert_eq!(connection.response().await.status, 200, "{head}");
    }
    // Who never sends the rest is answered all the same.
    let mut connection = Connection::open(server.address).await;
    connection.write("POST /mcp HTTP/1.1\r\nHost: evil.com\r\nContent-Length: 7\r\n\r\n{").await;
    assert_eq!(connection.response().await.status, 421);
}

#[tokio::test]
async fn bodies_that_are_no_messages_are_refused() {
    let server = start().await;
    let post = |body: Vec<u8>| Ask::post("/mcp", "ann", &json!(null)).body(body);
    let nested = |depth: usize| {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{{"x":{open}{close}}}}}"#).into_bytes()
    };
    let zeros =
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{{"x":[{}0]}}}}"#, "0,".repeat(600_000));
    for (what, body, code) in [
        ("nothing", b"".to_vec(), -32700),
        ("not JSON", b"hello".to_vec(), -32700),
        ("half", br#"{"jsonrpc":"2.0","#.to_vec(), -32700),
        ("invalid UTF-8", b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}".to_vec(), -32700),
        ("a lone surrogate", br#"{"jsonrpc":"2.0","id":1,"method":"\ud800"}"#.to_vec(), -32700),
        ("deep", nested(200), -32600),
        ("very deep", nested(100_000), -32600),
        ("wide", zeros.into_bytes(), -32600),
        (
            "duplicate keys",
            br#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}"#.to_vec(),
            -32600,
        ),
        (
            "hidden duplicate",
            br#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":1,"\u0061":2}}"#.to_vec(),
            -32600,
        ),
        ("wrong types", br#"{"jsonrpc":2.0,"id":[],"method":{}}"#.to_vec(), -32600),
        ("id null", br#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#.to_vec(), -32600),
        ("positional", br#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#.to_vec(), -32600),
        ("batch of nothing", b"[]".to_vec(), -32600),
    ] {
        let response = post(body).send(&server).await;
        assert_eq!((response.status, &response.json()["error"]["code"]), (400, &json!(code)), "{what}");
    }
    let unknown = br#"{"jsonrpc":"2.0","id":1,"method":"ping","more":{"a":[1]},"params":{"b":2}}"#.to_vec();
    assert_eq!(post(unknown).send(&server).await.json()["result"], json!({}), "unknown fields are ignored");
    assert_alive(&server).await;
}

#[tokio::test]
async fn parameters_of_the_wrong_type_are_refused_by_every_method() {
    let server = start().await;
    for (method, params) in [
        ("initialize", json!({})),
        ("initialize", json!({"protocolVersion": 7})),
        ("tools/call", json!({})),
        ("tools/call", json!({"name": 7})),
        ("tools/call", json!({"name": null})),
        ("tools/call", json!({"name": "bench__echo", "arguments": "x"})),
        ("tools/call", json!({"name": "bench__echo", "_meta": []})),
        (
            "tools/call",
            json!({"name": "bench__echo", "arguments": {"message": "x"}, "_meta": {"progressToken": {}}}),
        ),
        ("tools/call", json!({"name": "bench__echo", "_meta": {"core-mcp/idempotency_key": 1}})),
        (
            "tools/call",
            json!({"name": "bench__echo", "_meta": {"core-mcp/idempotency_key": "x".repeat(201)}}),
        ),
        ("tools/list", json!({"cursor": {}})),
        ("resources/read", json!({"uri": []})),
        ("completion/complete", json!({"ref": 1, "argument": {}})),
        ("logging/setLevel", json!({"level": {}})),
    ] {
        let response = Ask::legacy("ann", method, params.clone()).send(&server).await;
        assert_eq!(response.json()["error"]["code"], -32602, "{method} {params}");
    }
    assert_alive(&server).await;
}

#[tokio::test]
async fn media_types_are_checked() {
    let server = start().await;
    let ping = Ask::legacy("ann", "ping", json!({}));
    for (what, ask, status) in [
        ("charset", ping.clone().header("content-type", "Application/JSON; charset=utf-8"), 200),
        ("anything", ping.clone().header("accept", "*/*"), 200),
        ("no content type", ping.clone().without("content-type"), 415),
        ("a form", ping.clone().header("content-type", "application/x-www-form-urlencoded"), 415),
        ("text", ping.clone().header("content-type", "text/plain"), 415),
        ("two types", ping.clone().and_header("content-type", "application/json"), 415),
        ("no accept", ping.clone().without("accept"), 406),
        ("a page", ping.clone().header("accept", "text/html"), 406),
        ("events only", ping.clone().header("accept", "text/event-stream"), 406),
    ] {
        assert_eq!(ask.send(&server).await.status, status, "{what}");
    }
}

#[tokio::test]
async fn tokens_are_taken_from_the_header_only() {
    let server = start().await;
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"});
    for (what, ask, status) in [
        ("none", Ask::post("/mcp", "ann", &body).without("authorization"), 401),
        ("unknown", Ask::post("/mcp", "nobody", &body), 401),
        ("basic", Ask::post("/mcp", "ann", &body).header("authorization", "Basic YW5uOmFubg=="), 401),
        ("two", Ask::post("/mcp", "ann", &body).and_header("authorization", "Bearer bob"), 401),
        ("cookie", Ask::post("/mcp", "x", &body).without("authorization").header("cookie", "token=ann"), 401),
        ("query", Ask::post("/mcp?access_token=ann", "x", &body).without("authorization"), 400),
        ("both", Ask::post("/mcp?token=ann", "ann", &body), 400),
        ("unknown server", Ask::post("/mcp/nobody", "ann", &body), 404),
        ("unknown server, unknown caller", Ask::post("/mcp/nobody", "nobody", &body), 401),
    ] {
        assert_eq!(ask.send(&server).await.status, status, "{what}");
    }
}

#[tokio::test]
async fn a_huge_body_is_refused_before_it_is_read_and_while_it_comes() {
    let server = start_with(|config| config.max_body = 64 * 1024).await;
    let ping = Ask::legacy("ann", "ping", json!({}));
    let mut honest = Connection::open(server.address).await;
    let head =
        ping.clone().header("transfer-encoding", "x").without("transfer-encoding").body(Vec::new()).bytes();
    let head = String::from_utf8(head).unwrap().replace("content-length: 0", "content-length: 99999999999");
    honest.write(head).await;
    assert_eq!(honest.response().await.status, 413);
    let mut chunked = Connection::open(server.address).await;
    chunked.write(ping.clone().header("transfer-encoding", "chunked").body(Vec::new()).bytes()).await;
    for _ in 0..40 {
        chunked.write_what_is_taken(format!("1000\r\n{}\r\n", "x".repeat(4096))).await;
    }
    assert_eq!(chunked.response().await.status, 413);
    let exact =
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"ping","pad":"{}"}}"#, "x".repeat(64 * 1024 - 49));
    for (pad, status) in [(exact.clone(), 200), (format!("{exact} "), 413)] {
        assert_eq!(ping.clone().body(pad).send(&server).await.status, status);
    }
    assert_alive(&server).await;
}

#[tokio::test]
async fn heads_that_make_no_sense_are_refused() {
    let server = start().await;
    for (what, bytes) in [
        ("not HTTP", b"hello\r\n\r\n".to_vec()),
        ("a line of noise", vec![0xff; 100].into_iter().chain(*b"\r\n\r\n").collect()),
        (
            "a huge head",
            format!("GET / HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n", "x".repeat(100_000)).into(),
        ),
        (
            "many headers",
            format!("GET / HTTP/1.1\r\nhost: localhost\r\n{}\r\n", "x: y\r\n".repeat(200)).into(),
        ),
        (
            "two lengths",
            b"POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab"
                .to_vec(),
        ),
    ] {
        let mut connection = Connection::open(server.address).await;
        connection.write_what_is_taken(bytes).await;
        if let Some(response) = connection.head().await {
            assert!((400..500).contains(&response.status), "{what}: {response:?}");
        }
    }
    assert_alive(&server).await;
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let server = start().await;
    let mut connection = Connection::open(server.address).await;
    let mut bytes = Vec::new();
    for index in 0..20 {
        let params = json!({"name": "bench__echo", "arguments": {"message": index.to_string()}});
        bytes.extend(Ask::modern("ann", "tools/call", params).bytes());
    }
    connection.write(bytes).await;
    for index in 0..20 {
        let text = connection.response().await.json()["result"]["structuredContent"]["text"].clone();
        assert_eq!(text, index.to_string());
    }
}
