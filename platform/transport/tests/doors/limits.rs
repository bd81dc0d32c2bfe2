//! Time, number and patience have bounds.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::client::{Ask, Connection, session, start_with};

#[tokio::test]
async fn heads_that_trickle_in_are_cut_off_and_idle_connections_closed() {
    let server = start_with(|config| {
        config.header_read_timeout = Duration::from_millis(100);
        config.idle_timeout = Duration::from_secs(3);
    })
    .await;
    let silent = async {
        let begun = Instant::now();
        Connection::open(server.address).await.closed().await;
        begun.elapsed()
    };
    let trickle = async {
        let begun = Instant::now();
        let mut connection = Connection::open(server.address).await;
        for byte in b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nx: aaaaaaaaaaaaaaaaaaaaaaaaaaaa" {
            connection.write_what_is_taken([*byte]).await;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        connection.closed().await;
        begun.elapsed()
    };
    let idle = async {
        let mut connection = Connection::open(server.address).await;
        connection.write(Ask::new("GET", "/healthz").bytes()).await;
        assert_eq!(connection.response().await.status, 200);
        let begun = Instant::now();
        tokio::time::sleep(Duration::from_millis(200)).await;
        connection.write(Ask::new("GET", "/healthz").bytes()).await;
        assert_eq!(connection.response().await.status, 200, "still served after the head limit");
        connection.closed().await;
        begun.elapsed()
    };
    let (silent, trickle, idle) = tokio::join!(silent, trickle, idle);
    // Generous: what matters is that they end, and that idling is not taken for trickling.
    assert!(silent < Duration::from_secs(10) && trickle < Duration::from_secs(10), "{silent:?} {trickle:?}");
    assert!(idle > Duration::from_secs(3), "{idle:?}");
}

#[tokio::test]
async fn a_body_that_trickles_in_is_cut_off() {
    let server = start_with(|config| config.body_timeout = Duration::from_millis(100)).await;
    let bytes = Ask::legacy("ann", "ping", json!({})).bytes();
    let mut connection = Connection::open(server.address).await;
    connection.write(&bytes[..bytes.len() - 1]).await;
    let response = connection.response().await;
    assert_eq!((response.status, response.header("connection")), (408, Some("close")));
    connection.closed().await;
}

#[tokio::test]
async fn a_long_call_is_neither_slow_nor_idle() {
    let server = start_with(|config| {
        config.header_read_timeout = Duration::from_millis(50);
        config.idle_timeout = Duration::from_millis(50);
    })
    .await;
    let params = json!({"name": "bench__demolish"});
    let response = Ask::modern("ann", "tools/call", params).send(&server).await;
    assert_eq!(response.json()["result"]["structuredContent"]["text"], "gone");
}

#[tokio::test]
async fn connections_over_the_limit_are_told_so_and_others_are_served() {
    let server = start_with(|config| {
        config.max_connections = 4;
        config.header_read_timeout = Duration::from_secs(60);
    })
    .await;
    let mut held = Vec::new();
    for _ in 0..4 {
        let mut connection = Connection::open(server.address).await;
        connection.write(Ask::new("GET", "/healthz").bytes()).await;
        assert_eq!(connection.response().await.status, 200);
        held.push(connection);
    }
    let told = Connection::open(server.address).await.closed().await;
    assert!(told.starts_with(b"HTTP/1.1 503 "), "{}", String::from_utf8_lossy(&told));
    held[0].write(Ask::new("GET", "/healthz").bytes()).await;
    assert_eq!(held[0].response().await.status, 200);
    drop(held);
    loop {
        let mut connection = Connection::open(server.address).await;
        connection.write_what_is_taken(Ask::new("GET", "/healthz").bytes()).await;
        if connection.head().await.is_some_and(|it| it.status == 200) {
            break;
        }
    }
}

#[tokio::test]
async fn two_thousand_silent_connections_do_not_keep_others_out() {
    let server = start_with(|config| config.header_read_timeout = Duration::from_secs(60)).await;
    let mut silent = Vec::new();
    for _ in 0..2000 {
        silent.push(Connection::open(server.address).await);
    }
    let params = json!({"name": "bench__echo", "arguments": {"message": "x"}});
    let response = Ask::modern("ann", "tools/call", params).send(&server).await;
    assert_eq!(response.status, 200);
    drop(silent);
}

#[tokio::test]
async fn wrong_tokens_are_answered_cheaply_after_a_while_and_right_ones_still_served() {
    let server = start_with(|config| {
        config.refusals_burst = 5;
        config.refusals_per_minute = 1;
    })
    .await;
    let ping = |token: &str| Ask::legacy(token, "ping", json!({}));
    assert_eq!(ping("ann").send(&server).await.status, 200);
    let mut statuses = Vec::new();
    for _ in 0..8 {
        statuses.push(ping("nobody").send(&server).await.status);
    }
    assert_eq!(statuses, [401, 401, 401, 401, 401, 429, 429, 429]);
    assert!(ping("nobody").send(&server).await.header("retry-after").is_some());
    assert_eq!(server.fakes.records.lock().unwrap().len(), 5, "a flood does not fill the journal");
    assert_eq!(ping("ann").send(&server).await.status, 200, "a token that was good is looked at");
    server.fakes.revoked.lock().unwrap().push("ann".into());
    assert_eq!(ping("ann").send(&server).await.status, 401);
    assert_eq!(ping("ann").send(&server).await.status, 429, "and then is not any more");
}

#[tokio::test]
async fn denied_calls_use_up_their_callers_allowance_and_nobody_elses() {
    let server = start_with(|config| {
        config.refusals_burst = 3;
        config.refusals_per_minute = 1;
    })
    .await;
    let call = |token: &str| {
        Ask::modern(token, "tools/call", json!({"name": "bench__echo", "arguments": {"message": "x"}}))
    };
    for _ in 0..3 {
        let denied = call("eve").send(&server).await.json();
        assert_eq!(denied["result"]["_meta"]["core-mcp/error"]["code"], "permission_denied");
    }
    assert_eq!(call("eve").send(&server).await.status, 429);
    assert_eq!(call("ann").send(&server).await.status, 200);
}

#[tokio::test]
async fn mistakes_cannot_fill_the_journal_either() {
    for (name, arguments) in
        [("bench__echo", json!({"oops": 1})), ("bench__nothing", json!({})), ("x", json!({}))]
    {
        let server = start_with(|config| {
            config.refusals_burst = 2;
            config.refusals_per_minute = 1;
        })
        .await;
        let call = || Ask::modern("ann", "tools/call", json!({"name": name, "arguments": arguments}));
        let mut statuses = Vec::new();
        for _ in 0..40 {
            statuses.push(call().send(&server).await.status);
        }
        let looked_at = statuses.iter().filter(|it| **it != 429).count();
        assert!((10..=11).contains(&looked_at), "{name}: {statuses:?}");
        assert_eq!(statuses.last(), Some(&429));
        assert!(server.fakes.records.lock().unwrap().len() <= 22, "a flood does not fill the journal");
    }
}

#[tokio::test]
async fn sessions_are_bounded_per_principal() {
    let server = start_with(|config| config.max_sessions_per_principal = 2).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(session(&server, "ann", "2025-11-25", json!({})).await);
    }
    let mut statuses = Vec::new();
    for id in &ids {
        statuses.push(
            Ask::legacy("ann", "ping", json!({})).header("mcp-session-id", id).send(&server).await.status,
        );
    }
    assert_eq!(statuses, [404, 200, 200]);
}

#[tokio::test]
async fn sessions_are_bounded_in_all() {
    let server = start_with(|config| config.max_sessions = 1).await;
    session(&server, "ann", "2025-11-25", json!({})).await;
    let params = json!({"protocolVersion": "2025-11-25", "capabilities": {}});
    let full = Ask::legacy("bob", "initialize", params).send(&server).await;
    assert_eq!((full.status, full.header("retry-after")), (503, Some("60")));
}

#[tokio::test]
async fn stopping_lets_a_running_call_finish_and_takes_no_new_ones() {
    let server = start_with(|_| {}).await;
    let mut connection = Connection::open(server.address).await;
    connection.write(Ask::modern("ann", "tools/call", json!({"name": "bench__demolish"})).bytes()).await;
    while !server.fakes.records.lock().unwrap().iter().any(|it| it.tool == "demolish") {
        tokio::task::yield_now().await;
    }
    server.stop.cancel();
    assert_eq!(connection.response().await.json()["result"]["structuredContent"]["text"], "gone");
    connection.closed().await;
    server.served.await.unwrap();
    assert!(tokio::net::TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn stopping_does_not_wait_for_ever() {
    let server = start_with(|config| config.shutdown_grace = Duration::from_millis(50)).await;
    let mut connection = Connection::open(server.address).await;
    connection.write(Ask::modern("ann", "tools/call", json!({"name": "bench__wait"})).bytes()).await;
    while !server.fakes.records.lock().unwrap().iter().any(|it| it.tool == "wait") {
        tokio::task::yield_now().await;
    }
    server.stop.cancel();
    connection.closed().await;
    server.served.await.unwrap();
}
