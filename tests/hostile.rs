//! Clients that mean harm, or are broken beyond what a library would send. After each of them the server still
//! answers a good client.

use std::{
    process::Command,
    thread,
    time::{Duration, Instant},
};

use blackbox::{Raw, Serving, Site, message, post};
use serde_json::{Value, json};

/// The server's own limit for a request body, and more than any client has reason to send.
const BODY_BYTES: usize = 17 << 20;

#[track_caller]
fn still_answers(serving: &Serving, token: &str) {
    let reply = serving.request(token, "tools/list", json!({}));
    assert_eq!(reply.status, 200, "{reply:?}");
    assert!(reply.message()["result"]["tools"].is_array(), "{reply:?}");
}

fn head(serving: &Serving, token: &str) -> String {
    post("/mcp", &serving.address, token, "tools/list", "")
}

#[test]
fn a_body_that_is_too_large_is_refused_without_being_read() {
    let site = Site::new();
    let serving = site.serve();
    let mut body = br#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"x":""#.to_vec();
    body.resize(BODY_BYTES, b'a');
    body.extend_from_slice(br#""}}"#);
    for token in [site.admin.as_str(), "", "cmcp_wrong"] {
        let reply = serving.connect().exchange(&head(&serving, token), &body);
        assert!(matches!(reply.status, 0 | 401 | 413), "{token:?}: {reply:?}");
    }
    let mut endless = serving.connect();
    let begin = format!("{}Transfer-Encoding: chunked\r\n\r\n", head(&serving, &site.admin));
    let mut chunk = b"100000\r\n".to_vec();
    chunk.resize(chunk.len() + (1 << 20), b' ');
    chunk.extend_from_slice(b"\r\n");
    let mut sent = usize::from(endless.send(begin.as_bytes()));
    while sent < 64 && endless.send(&chunk) {
        sent += 1;
    }
    assert!(sent < 64 || endless.is_closed_within(Duration::from_secs(40)), "64 MiB were taken");
    still_answers(&serving, &site.admin);
    assert!(memory_mib(&serving) < 400.0, "{} MiB", memory_mib(&serving));
}

#[test]
fn json_that_is_nested_too_deep_is_refused() {
    let site = Site::new();
    let serving = site.serve();
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
        let body =
            format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{{\"x\":{deep}}}}}");
        let reply = serving.connect().exchange(&head(&serving, &site.admin), body.as_bytes());
        assert_eq!(reply.status, 400, "{reply:?}");
        still_answers(&serving, &site.admin);
    }
    let arguments = format!("{{\"file_path\":{}1{}}}", "[".repeat(100), "]".repeat(100));
    let mut call = message("tools/call", json!({ "name": "desktop-commander__read_file" }));
    call["params"]["arguments"] = serde_json::from_str(&arguments).expect("JSON");
    let head = post("/mcp", &serving.address, &site.admin, "tools/call", "desktop-commander__read_file");
    let reply = serving.connect().exchange(&head, call.to_string().as_bytes());
    assert!(matches!(reply.status, 200 | 400), "{reply:?}");
    still_answers(&serving, &site.admin);
}

#[test]
fn heads_that_contradict_the_body_are_refused() {
    let site = Site::new();
    let serving = site.serve();
    let call = message(
        "tools/call",
        json!({ "name": "desktop-commander__read_file", "arguments": { "file_path": "note.txt" } }),
    );
    let good = post("/mcp", &serving.address, &site.admin, "tools/call", "desktop-commander__read_file");
    let body = call.to_string();
    assert_eq!(serving.connect().exchange(&good, body.as_bytes()).status, 200);
    let other = |from: &str, to: &str| good.replace(from, to);
    for wrong in [
        other("Mcp-Method: tools/call", "Mcp-Method: tools/list"),
        other("Mcp-Method: tools/call\r\n", ""),
        other("Mcp-Name: desktop-commander__read_file", "Mcp-Name: desktop-commander__list_directory"),
        other("Mcp-Name: desktop-commander__read_file\r\n", ""),
        other("Mcp-Name: desktop-commander__read_file", "Mcp-Name: =?base64?bGllcw==?="),
        other("MCP-Protocol-Version: 2026-07-28", "MCP-Protocol-Version: 2025-11-25"),
        other("MCP-Protocol-Version: 2026-07-28", "MCP-Protocol-Version: 1999-01-01"),
    ] {
        let reply = serving.connect().exchange(&wrong, body.as_bytes());
        assert_eq!(reply.status, 400, "{wrong}: {reply:?}");
        assert!(!reply.body.contains("a note"), "{wrong}: {reply:?}");
    }
    let mismatch = serving
        .connect()
        .exchange(&other("Mcp-Method: tools/call", "Mcp-Method: tools/list"), body.as_bytes());
    assert_eq!(mismatch.message()["error"]["code"], -32020, "{mismatch:?}");
}

#[test]
fn bodies_that_are_no_request_are_refused() {
    let site = Site::new();
    let serving = site.serve();
    let meta = message("tools/list", json!({}))["params"].clone();
    for body in [
        String::new(),
        "{".into(),
        "nonsense".into(),
        "null".into(),
        "7".into(),
        "\"text\"".into(),
        "{}".into(),
        "\u{0}\u{0}".into(),
        json!({ "jsonrpc": "1.0", "id": 1, "method": "tools/list", "params": meta }).to_string(),
        json!({ "jsonrpc": "2.0", "id": 1, "method": 7, "params": meta }).to_string(),
        json!({ "jsonrpc": "2.0", "id": {}, "method": "tools/list", "params": meta }).to_string(),
        json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": [] }).to_string(),
        json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {} }).to_string(),
        json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" }).to_string() + "{}",
    ] {
        let reply = serving.connect().exchange(&head(&serving, &site.admin), body.as_bytes());
        assert_eq!(reply.status, 400, "{body:?}: {reply:?}");
    }
    let unknown = message("tools/steal", json!({})).to_string();
    let head = post("/mcp", &serving.address, &site.admin, "tools/steal", "");
    let reply = serving.connect().exchange(&head, unknown.as_bytes());
    assert_eq!((reply.status, &reply.message()["error"]["code"]), (404, &json!(-32601)), "{reply:?}");
    still_answers(&serving, &site.admin);
}

#[test]
fn bytes_that_are_no_http_do_no_harm() {
    let site = Site::new();
    let serving = site.serve();
    let body = message("tools/list", json!({})).to_string();
    let good = head(&serving, &site.admin);
    let requests = [
        "\r\n\r\n\r\n".to_owned(),
        "\u{0}".repeat(100_000),
        "GET".to_owned() + &"A".repeat(1 << 20),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
        "POST /mcp HTTP/9.9\r\n\r\n".to_owned(),
        "POST http://[::1 HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        format!("{good}X-Long: {}\r\n\r\n", "a".repeat(2 << 20)),
        format!("{good}{}\r\n", "X-Many: a\r\n".repeat(20_000)),
        format!("{good}Content-Length: -1\r\n\r\n{body}"),
        format!("{good}Content-Length: 99999999999999999999\r\n\r\n{body}"),
        format!("{good}Content-Length: 5\r\nContent-Length: {}\r\n\r\n{body}", body.len()),
        format!(
            "{good}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /metrics HTTP/1.1\r\n\r\n"
        ),
        format!("{good}Transfer-Encoding: chunked\r\n\r\nzz\r\n{body}"),
        format!("{good}Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{body}"),
    ];
    for request in requests {
        let shown = request.chars().take(200).collect::<String>();
        let mut raw = serving.connect();
        let _all_taken = raw.send(request.as_bytes());
        assert!(raw.is_closed_within(Duration::from_secs(45)), "left open: {shown}");
        still_answers(&serving, &site.admin);
    }
}

#[test]
fn two_lengths_never_smuggle_a_second_request() {
    let site = Site::new();
    let serving = site.serve();
    let smuggled = "POST /mcp HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n";
    let request = format!(
        "{}Content-Length: {}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}",
        head(&serving, &site.admin),
        smuggled.len() + 5
    );
    let mut raw = serving.connect();
    assert!(raw.send(request.as_bytes()));
    let reply = raw.reply();
    let answers = reply.body.matches("HTTP/1.1 ").count() + usize::from(reply.status > 0);
    assert!(answers <= 1, "{answers} answers to one request: {reply:?}");
}

#[test]
fn slow_clients_hold_up_nobody_and_are_let_go() {
    let site = Site::new();
    let serving = site.serve();
    let whole = head(&serving, &site.admin);
    let mut slow: Vec<Raw> = (0..200).map(|_| serving.connect()).collect();
    for (index, raw) in slow.iter_mut().enumerate() {
        let part = if index % 2 == 0 {
            whole[..40].to_owned()
        } else {
            format!("{whole}Content-Length: 1000\r\n\r\n{{")
        };
        assert!(raw.send(part.as_bytes()));
    }
    let begun = Instant::now();
    still_answers(&serving, &site.admin);
    assert!(begun.elapsed() < Duration::from_secs(5), "a good client waited {:?}", begun.elapsed());
    for mut raw in slow {
        assert!(raw.is_closed_within(Duration::from_secs(60)), "a slow client is held for ever");
    }
}

#[test]
fn thousands_of_idle_connections_leave_room_for_a_good_client() {
    let allowed = raise_open_files();
    assert!(
        allowed >= 4096,
        "this machine allows {allowed} open files; the test needs `ulimit -n 4096` or more"
    );
    let site = Site::new();
    let serving = site.serve();
    let many = connections(&serving, 3000);
    assert_eq!(many.len(), 3000, "3000 clients may connect");
    still_answers(&serving, &site.admin);
    drop(many);

    // More than the server has room for: it may turn them away, and is back when they are gone.
    let flood = connections(&serving, (allowed - 500).min(10_000));
    assert!(memory_mib(&serving) < 400.0, "{} MiB for {} connections", memory_mib(&serving), flood.len());
    drop(flood);
    let begun = Instant::now();
    while serving.request(&site.admin, "tools/list", json!({})).status != 200 {
        assert!(begun.elapsed() < Duration::from_secs(60), "the server does not come back");
        thread::yield_now();
    }
}

#[test]
fn strangers_cannot_use_up_the_files_that_calls_need() {
    let site = Site::new();
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -n 400; exec \"$0\" \"$@\""]).arg(blackbox::binary());
    let serving = Serving::start(site.around(shell, &site.admin, &["serve", "--listen", "127.0.0.1:0"]));
    let early: Vec<Raw> = (0..2).map(|_| serving.connect()).collect();
    let strangers = connections(&serving, 500);
    let calls = [
        ("desktop-commander__read_file", json!({ "file_path": site.path("note.txt") })),
        ("desktop-commander__execute_command", json!({ "command": "ls", "working_directory": site.root() })),
    ];
    for (raw, (tool, arguments)) in early.into_iter().zip(calls) {
        let call = message("tools/call", json!({ "name": tool, "arguments": arguments }));
        let head = post("/mcp", &serving.address, &site.admin, "tools/call", tool);
        let answer = raw.exchange(&head, call.to_string().as_bytes()).message();
        assert_eq!(answer["result"]["isError"], Value::Null, "{answer}");
    }
    drop(strangers);
}

fn connections(serving: &Serving, count: usize) -> Vec<Raw> {
    (0..count).map_while(|_| Raw::try_connect(&serving.address).ok()).collect()
}

#[test]
fn a_flood_of_bad_tokens_is_slowed_and_does_not_slow_those_who_are_known() {
    let site = Site::new();
    let serving = site.serve();
    still_answers(&serving, &site.admin);
    let statuses: Vec<u16> =
        (0..300).map(|_| serving.request("cmcp_wrong", "tools/list", json!({})).status).collect();
    assert!(statuses.iter().all(|it| matches!(it, 401 | 429)), "{statuses:?}");
    assert!(statuses.contains(&429), "300 bad tokens in a row were all looked at");
    still_answers(&serving, &site.admin);
}

#[test]
fn cancelling_by_hanging_up_frees_the_place() {
    let site = Site::new();
    let serving = site.serve();
    let name = "desktop-commander__execute_command";
    let call = message(
        "tools/call",
        json!({ "name": name, "arguments": {
            "command": "sleep 59", "working_directory": site.root(),
        }}),
    );
    let head = post("/mcp", &serving.address, &site.admin, "tools/call", name);
    for _ in 0..8 {
        let mut raw = serving.connect();
        let body = call.to_string();
        assert!(raw.send(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes()));
    }
    // Eight hang-ups later there is still a place for a good call.
    let read = serving.call(
        &site.admin,
        "desktop-commander__read_file",
        json!({ "file_path": site.path("note.txt") }),
    );
    assert_eq!(read["isError"], Value::Null, "{read}");
}

/// Lets this process, and servers it starts, open as many files as the system allows it.
fn raise_open_files() -> usize {
    let me = std::process::id().to_string();
    let said =
        Command::new("prlimit").args(["--pid", &me, "--nofile", "--output=HARD", "--noheadings"]).output();
    let hard = String::from_utf8_lossy(&said.expect("prlimit is part of Debian").stdout).trim().to_owned();
    let wanted = hard.parse::<usize>().unwrap_or(1 << 20).min(1 << 20);
    let raised = Command::new("prlimit").args(["--pid", &me, &format!("--nofile={wanted}:{hard}")]).status();
    assert!(raised.expect("prlimit runs").success());
    wanted
}

fn memory_mib(serving: &Serving) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", serving.pid())).expect("it runs");
    let line = status.lines().find_map(|it| it.strip_prefix("VmRSS:")).expect("it has memory");
    let kib: f64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kib / 1024.0
}
