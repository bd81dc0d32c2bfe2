//! `serve`, `stdio` and `call --url`: real sockets, real signals.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    process::Stdio,
    time::Duration,
};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::installation::Installation;

/// Far more than a clean stop needs, and the bound that is promised.
const STOP_LIMIT: Duration = Duration::from_secs(15);

#[test]
fn it_says_where_it_listens_answers_and_stops_cleanly() {
    for signal in [Signal::TERM, Signal::INT] {
        let made = Installation::new();
        let mut server = made.serve(&["--output", "json"]);
        let first: Value = serde_json::from_str(&server.first).unwrap();
        assert!(first["listen"].as_str().is_some_and(|it| it.starts_with("127.0.0.1:")), "{first}");
        let url = format!("http://{}", first["listen"].as_str().unwrap());
        let path = format!("file_path={}", made.work().join("hello.txt").display());
        let called = made
            .run(&["call", "desktop-commander.read_file", &path, "--url", &url, "--output", "json"])
            .done();
        assert_eq!(called.json()["content"], "hello\n");
        server.signal(signal);
        assert_eq!(server.wait(STOP_LIMIT), Some(0));
        let verified = made.run(&["audit", "verify", "--output", "json"]).done().json();
        assert_eq!((&verified["ok"], &verified["first_bad"]), (&json!(true), &Value::Null));
    }
}

#[test]
fn people_read_the_address_in_the_first_line() {
    let made = Installation::new();
    let server = made.serve(&[]);
    assert!(server.first.contains("127.0.0.1:"), "{:?}", server.first);
    let address = server.url().replace("http://", "");
    TcpStream::connect(address).unwrap();
}

#[test]
fn over_http_a_call_fails_with_the_same_codes() {
    let made = Installation::new();
    made.append_config("[tuning.tool.\"desktop-commander.list_directory\"]\nrate_per_minute = 1");
    let viewer = made.user("vera", "viewer");
    let server = made.serve(&[]);
    let url = server.url();
    let check = |token: &str, words: &[&str], code: i32, name: &str| {
        let ended = made.run_as(token, &[&["call", "--output", "json", "--url", &url], words].concat());
        assert_eq!((ended.code, ended.error()["code"].as_str()), (code, Some(name)), "{words:?} {ended:?}");
    };
    let read = "desktop-commander.read_file";
    check("", &[read, "file_path=hello.txt"], 3, "authentication_failed");
    check(&made.token, &["desktop-commander.no_such_tool"], 1, "not_found");
    check(&made.token, &["no-such-server.tool"], 1, "not_found");
    check("wrong-token", &[read, "file_path=hello.txt"], 3, "authentication_failed");
    let write = format!("file_path={}", made.work().join("new.txt").display());
    check(&viewer, &["desktop-commander.write_file", &write, "content=x"], 4, "permission_denied");
    check(&made.token, &[read, "file_path=/etc/passwd"], 2, "validation_failed");
    let list = format!("directory_path={}", made.work().display());
    let words = ["call", "desktop-commander.list_directory", &list, "--url", &url];
    made.run(&words).done();
    check(&made.token, &words[1..3], 5, "rate_limited");
}

#[test]
fn a_second_server_on_the_same_data_is_refused_and_told_where_the_first_is() {
    let made = Installation::new();
    let first = made.serve(&[]);
    let second = made.run_as("", &["serve", "--listen", "127.0.0.1:0", "--output", "json"]);
    assert_eq!(second.code, 1, "{second:?}");
    let address = first.url().replace("http://", "");
    assert!(second.error()["message"].as_str().is_some_and(|it| it.contains(&address)), "{second:?}");
}

#[test]
fn a_port_that_is_taken_is_said_to_be() {
    let made = Installation::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ended = made.run_as("", &["serve", "--listen", &address, "--output", "json"]);
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.error()["hints"].to_string().contains("--listen"), "{ended:?}");
    made.run(&["audit", "verify"]).done();
}

#[test]
fn nobody_listens_beyond_this_machine_without_tls() {
    let made = Installation::new();
    let ended = made.run_as("", &["serve", "--listen", "0.0.0.0:0", "--output", "json"]);
    assert_eq!(ended.code, 2, "{ended:?}");
    assert!(ended.error()["hints"].to_string().contains("behind_tls_proxy"), "{ended:?}");
}

#[test]
fn a_server_that_is_not_there_is_said_to_be_away() {
    let made = Installation::new();
    let ended =
        made.run(&["call", "desktop-commander.read_file", "--url", "http://127.0.0.1:1", "--output", "json"]);
    assert_eq!((ended.code, ended.error()["code"].as_str()), (1, Some("unavailable")), "{ended:?}");
}

#[test]
fn changed_tuning_is_picked_up_on_sighup() {
    let made = Installation::new();
    let server = made.serve(&[]);
    let url = server.url();
    let list = format!("directory_path={}", made.work().display());
    let words = ["call", "desktop-commander.list_directory", &list, "--url", &url, "--output", "json"];
    made.run(&words).done();
    made.append_config("[tuning.tool.\"desktop-commander.list_directory\"]\nrate_per_minute = 1");
    server.signal(Signal::HUP);
    // The new rate allows one call per minute, so it must refuse before as many calls as the old one allowed.
    let refused = (0..50).any(|_| made.run(&words).code == 5);
    assert!(refused, "the new rate is not in force");
}

/// The status of a request that names `host`.
fn status_for(address: &str, host: &str) -> String {
    let mut socket = TcpStream::connect(address).unwrap();
    write!(socket, "GET /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
    let mut status = String::new();
    BufReader::new(socket).read_line(&mut status).unwrap();
    status
}

#[test]
fn a_new_host_name_is_served_without_a_restart() {
    let made = Installation::new();
    let server = made.serve(&[]);
    let address = server.url().replace("http://", "");
    assert!(status_for(&address, "core.example.com").contains(" 421 "));
    let path = made.data().join("core.toml");
    let changed = fs::read_to_string(&path)
        .unwrap()
        .replace("allowed_hosts = []", "allowed_hosts = [\"core.example.com\"]");
    fs::write(&path, changed).unwrap();
    server.signal(Signal::HUP);
    let served = (0..10_000).any(|_| status_for(&address, "core.example.com").contains(" 200 "));
    assert!(served, "the new name is not served");
    assert!(status_for(&address, "other.example.com").contains(" 421 "));
}

#[test]
fn stdio_speaks_mcp_and_ends_with_its_input() {
    let made = Installation::new();
    let mut child = made
        .command(&made.token, &["stdio", "--server", "desktop-commander"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut ask = |message: Value| {
        writeln!(stdin, "{message}").unwrap();
        if message["id"].is_null() {
            Value::Null
        } else {
            serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap()
        }
    };
    let hello = ask(json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}}));
    assert_eq!(hello["result"]["serverInfo"]["name"], "core-mcp", "{hello}");
    ask(json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
    let listed: Value = ask(json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"}));
    let names: Vec<&str> =
        listed["result"]["tools"].as_array().unwrap().iter().filter_map(|it| it["name"].as_str()).collect();
    assert!(names.contains(&"read_file"), "{names:?}");
    let path = made.work().join("hello.txt");
    let called = ask(json!({"jsonrpc": "2.0", "id": 3, "method": "tools/call",
        "params": {"name": "read_file", "arguments": {"file_path": path}}}));
    assert_eq!(called["result"]["structuredContent"]["content"], "hello\n", "{called}");
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

#[test]
fn stdio_refuses_without_a_token() {
    let made = Installation::new();
    let ended = made.run_as("", &["stdio", "--output", "json"]);
    assert_eq!(ended.code, 3, "{ended:?}");
}

#[test]
fn doctor_sees_the_running_server_and_what_waits_for_a_restart() {
    let made = Installation::new();
    let doctor = made.run_as("", &["doctor", "--output", "json"]).done().json();
    assert_eq!(doctor["ok"], true, "{doctor}");
    let server = made.serve(&[]);
    let path = made.data().join("core.toml");
    let changed = fs::read_to_string(&path).unwrap().replace("retention_days = 365", "retention_days = 30");
    fs::write(&path, changed).unwrap();
    server.signal(Signal::HUP);
    let waits = (0..200).any(|_| {
        let doctor = made.run_as("", &["doctor", "--output", "json"]).json();
        doctor["checks"].to_string().contains("audit.retention_days")
    });
    assert!(waits, "doctor does not know about the change");
}
