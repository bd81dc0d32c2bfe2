//! Other MCP servers: another core-mcp as a child process and over HTTP, from `upstream add` to a killed server.

use std::{
    fs,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::json;

use crate::installation::{Ended, Installation};

/// Far longer than anything here takes.
const LIMIT: Duration = Duration::from_secs(60);

/// Runs `upstream …` with JSON output.
fn upstream(made: &Installation, words: &[&str]) -> Ended {
    made.run(&[&["upstream"], words, &["--output", "json"]].concat())
}

/// Adds another installation as a stdio server. It needs its own data directory, so it is not confined.
fn add_another(made: &Installation, other: &Installation, more: &[&str]) -> Ended {
    let (token, data) = (format!("CORE_MCP_TOKEN={}", other.token), other.data().display().to_string());
    let program = env!("CARGO_BIN_EXE_core-mcp");
    let words = [
        "add",
        "other",
        "--command",
        program,
        "--arg",
        "stdio",
        "--arg",
        "--server",
        "--arg",
        "desktop-commander",
        "--arg",
        "--data-dir",
        "--arg",
        &data,
        "--env",
        &token,
        "--unconfined",
    ];
    upstream(made, &[&words[..], more].concat())
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < LIMIT, "{what}");
        std::thread::yield_now();
    }
}

/// Processes that were started with this data directory.
fn processes_of(other: &Installation) -> usize {
    let data = other.data().display().to_string();
    let commands = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    commands
        .filter_map(|it| fs::read(it.path().join("cmdline")).ok())
        .filter(|it| String::from_utf8_lossy(it).contains(&data))
        .count()
}

#[test]
fn a_stdio_server_is_added_called_and_removed() {
    let (made, other) = (Installation::new(), Installation::new());
    let added = add_another(&made, &other, &[]).done().json();
    assert_eq!((&added["added"], &added["check"]["era"]), (&json!("other"), &json!("modern")));
    let path = format!("file_path={}", other.work().join("hello.txt").display());
    let called = made.run(&["call", "other.read_file", &path, "--output", "json"]).done();
    assert_eq!(called.json()["content"], "hello\n");
    let tools = made.run(&["tools", "other", "--output", "json"]).done().json();
    assert!(tools.as_array().unwrap().len() > 5, "{tools}");
    assert_eq!(add_another(&made, &other, &[]).code, 2, "the name is taken");
    let listed = upstream(&made, &["list"]).done().json();
    assert_eq!(
        (&listed[0]["name"], listed[0]["waiting"].as_array().map(Vec::len)),
        (&json!("other"), Some(0))
    );
    let explained = made.run(&["config", "explain", "upstreams", "--output", "json"]).done();
    assert!(!explained.stdout.contains(&other.token), "a secret is shown");
    upstream(&made, &["remove", "other"]).done();
    assert_eq!(upstream(&made, &["check", "other"]).error()["code"], "not_found");
    let events = made.run(&["audit", "search", "--output", "json"]).stdout;
    assert!(events.contains("upstream.added") && events.contains("upstream.removed"), "{events}");
    assert!(!events.contains(&other.token));
    until("a child is left", || processes_of(&other) == 0);
}

#[test]
fn what_makes_no_sense_is_refused_and_changes_nothing() {
    let made = Installation::new();
    let config = fs::read_to_string(made.data().join("core.toml")).unwrap();
    for (words, code) in [
        (&["add", "x"][..], 2),
        (&["add", "Bad_Name", "--url", "https://example.org/mcp", "--no-check"], 2),
        (&["add", "desktop-commander", "--url", "https://example.org/mcp", "--no-check"], 2),
        (&["add", "x", "--url", "https://a", "--command", "b"], 2),
        (&["add", "x", "--command", "sh -c ls", "--no-check"], 2),
        (&["add", "x", "--command", "no-such-program"], 1),
        (&["add", "x", "--url", "http://127.0.0.1:1/mcp"], 1),
        (&["add", "x", "--url", "https://127.0.0.1:1/mcp"], 1),
        (&["add", "x", "--command", "sh", "--env", "NOVALUE", "--no-check"], 2),
        (&["approve", "x"], 1),
        (&["remove", "x"], 1),
        (&["import", "/nowhere"], 2),
    ] {
        let ended = upstream(&made, words);
        assert_eq!(ended.code, code, "{words:?} {ended:?}");
        assert!(ended.error()["message"].is_string(), "{words:?}");
    }
    assert_eq!(fs::read_to_string(made.data().join("core.toml")).unwrap(), config);
    for (text, key) in [
        ("[upstreams.x]\nurl = \"https://a\"\ncomand = \"b\"", "upstreams.x.comand"),
        ("[upstreams.x]", "upstreams.x"),
        ("[upstreams.desktop-commander]\nurl = \"https://a\"", "upstreams.desktop-commander"),
        ("[upstreams.a_b]\nurl = \"https://a\"", "upstreams.a_b"),
        ("[upstreams.x]\nurl = \"https://a\"\ntrust = \"full\"", "upstreams.x.trust"),
    ] {
        let extra = made.folder().join("extra.toml");
        fs::write(&extra, text).unwrap();
        let ended = made.run(&["config", "check", "--config", extra.to_str().unwrap(), "--output", "json"]);
        assert!(ended.code == 2 && ended.stdout.contains(key), "{text} {ended:?}");
    }
}

#[test]
fn a_clients_configuration_is_imported() {
    let made = Installation::new();
    let file = made.folder().join("mcp.json");
    let text = json!({"mcpServers": {
        "Git Hub": {"command": "npx", "args": ["-y", "x"], "env": {"T": "${GH_TOKEN}"}},
        "docs": {"url": "https://docs.example.com/mcp", "headers": {"Authorization": "Bearer secret"}},
        "broken": {"args": []},
    }});
    fs::write(&file, text.to_string()).unwrap();
    let taken = upstream(&made, &["import", file.to_str().unwrap()]).done().json();
    let names: Vec<&str> = taken.as_array().unwrap().iter().filter_map(|it| it["name"].as_str()).collect();
    assert_eq!(names, ["git-hub", "docs"], "{taken}");
    assert_eq!(taken[0]["needs"], json!(["GH_TOKEN"]));
    assert!(taken[2]["skipped"].is_string());
    made.run(&["config", "check"]).done();
    let again = upstream(&made, &["import", file.to_str().unwrap()]).done().json();
    assert!(again.as_array().unwrap().iter().all(|it| it["skipped"].is_string()), "{again}");
}

#[test]
fn a_running_server_takes_upstreams_up_and_leaves_nothing_when_it_is_killed() {
    let (made, other) = (Installation::new(), Installation::new());
    let mut server = made.serve(&[]);
    let url = server.url();
    add_another(&made, &other, &["--no-check"]).done();
    let path = format!("file_path={}", other.work().join("hello.txt").display());
    let call = || made.run(&["call", "other.read_file", &path, "--url", &url, "--output", "json"]);
    until("the upstream is not taken up", || call().code == 0);
    assert!(processes_of(&other) >= 1);
    server.signal(Signal::KILL);
    server.wait(LIMIT);
    until("a child outlived us", || processes_of(&other) == 0);
}

#[test]
fn another_core_mcp_over_http_is_just_another_upstream() {
    let (made, other) = (Installation::new(), Installation::new());
    let server = other.serve(&[]);
    let (url, header) =
        (format!("{}/mcp/desktop-commander", server.url()), format!("Authorization=Bearer {}", other.token));
    let words = ["add", "far", "--url", &url, "--header", &header, "--allow-cidr", "127.0.0.0/8"];
    upstream(&made, &words).done();
    let path = format!("file_path={}", other.work().join("hello.txt").display());
    let called = made.run(&["call", "far.read_file", &path, "--output", "json"]).done();
    assert_eq!(called.json()["content"], "hello\n");
    drop(server);
    let ended = made.run(&["call", "far.read_file", &path, "--output", "json"]);
    assert_eq!((ended.code, ended.error()["code"].as_str()), (1, Some("unavailable")), "{ended:?}");
}
