//! What must not happen does not, and whoever is refused hears why.

use std::fs;

use blackbox::{Serving, Site};
use serde_json::{Value, json};

const READ: &str = "desktop-commander__read_file";
const WRITE: &str = "desktop-commander__write_file";
const RUN: &str = "desktop-commander__execute_command";

/// Calls a tool that must fail; returns what it says for programs.
#[track_caller]
fn failure(serving: &Serving, token: &str, tool: &str, arguments: Value) -> Value {
    serving.request(token, "tools/call", json!({ "name": tool, "arguments": arguments })).failure()
}

#[test]
fn without_a_good_token_nothing_is_answered() {
    let site = Site::new();
    let serving = site.serve();
    let cut = site.admin[..site.admin.len() - 1].to_owned();
    for token in ["", "cmcp_wrong", &cut, "../../etc/passwd", &"a".repeat(4096)] {
        for (method, params) in [
            ("tools/list", json!({})),
            ("server/discover", json!({})),
            ("tools/call", json!({ "name": READ, "arguments": { "file_path": site.path("note.txt") } })),
        ] {
            let reply = serving.request(token, method, params);
            assert_eq!(reply.status, 401, "{token:?} {method}: {reply:?}");
            assert!(reply.head.contains("www-authenticate: bearer"), "{reply:?}");
            assert!(reply.head.contains("resource_metadata="), "{reply:?}");
            assert!(!reply.body.contains("desktop-commander"), "{reply:?}");
        }
    }
    let refused = site.cli_as(
        "cmcp_wrong",
        &["call", "desktop-commander.read_file", "file_path=note.txt", "--output", "json"],
    );
    assert_eq!((refused.code, refused.error_code().as_str()), (3, "authentication_failed"));
}

#[test]
fn a_token_in_the_address_is_no_token() {
    let site = Site::new();
    let serving = site.serve();
    for path in [format!("/mcp?token={}", site.admin), format!("/mcp?access_token={}", site.admin)] {
        let head = blackbox::post(&path, &serving.address, "", "tools/list", "");
        let body = blackbox::message("tools/list", json!({})).to_string();
        let reply = serving.connect().exchange(&head, body.as_bytes());
        assert!(matches!(reply.status, 400 | 401), "{reply:?}");
    }
}

#[test]
fn a_viewer_looks_and_changes_nothing() {
    let site = Site::new();
    let viewer = site.token_for("vera", "viewer");
    let serving = site.serve();
    let refused =
        failure(&serving, &viewer, WRITE, json!({ "file_path": site.path("x.txt"), "content": "x" }));
    assert_eq!(refused["code"], "permission_denied", "{refused}");
    let refused = failure(&serving, &viewer, RUN, json!({ "command": "git log" }));
    assert_eq!(refused["code"], "permission_denied", "{refused}");
    assert!(!site.root().join("x.txt").exists());

    let asked = ["call", "desktop-commander.write_file", "file_path=x.txt", "content=x", "--output", "json"];
    let refused = site.cli_as(&viewer, &asked);
    assert_eq!((refused.code, refused.error_code().as_str()), (4, "permission_denied"));
}

#[test]
fn a_path_that_leaves_the_root_is_refused_whatever_it_looks_like() {
    let site = Site::new();
    let secret = site.outside().join("secret.txt");
    fs::write(&secret, "not for you").expect("a file outside");
    std::os::unix::fs::symlink(&secret, site.root().join("link")).expect("a link");
    std::os::unix::fs::symlink(site.outside(), site.root().join("folder")).expect("a link");
    let serving = site.serve();
    let outside = secret.to_string_lossy().into_owned();
    for path in [
        "/etc/passwd",
        "../secret.txt",
        "sub/../../secret.txt",
        "link",
        "folder/secret.txt",
        "/proc/self/environ",
        "/proc/self/root/etc/passwd",
        &outside,
        &site.path("../secret.txt"),
        &format!("{}/../data/core.toml", site.root().display()),
    ] {
        let reply = serving.request(
            &site.admin,
            "tools/call",
            json!({ "name": READ, "arguments": { "file_path": path } }),
        );
        assert!(!reply.body.contains("not for you") && !reply.body.contains("root:x:"), "{path}: {reply:?}");
        let refused = reply.failure();
        assert_eq!(refused["code"], "validation_failed", "{path}: {refused}");
        let reason = refused["reason"].as_str().unwrap_or_default();
        assert!(reason.starts_with("PATH_"), "{path}: {refused}");
        assert_eq!(refused["field"], "file_path", "{path}: {refused}");
    }
    let plain = failure(&serving, &site.admin, READ, json!({ "file_path": "/etc/passwd" }));
    assert_eq!(plain["reason"], "PATH_OUTSIDE_ROOT", "{plain}");
}

#[test]
fn too_many_calls_are_told_when_to_come_back() {
    let site = Site::new().with("CORE_MCP__TUNING__RATE_PER_MINUTE", "5");
    let serving = site.serve();
    let ask = || {
        serving.request(
            &site.admin,
            "tools/call",
            json!({ "name": READ, "arguments": { "file_path": site.path("note.txt") } }),
        )
    };
    let replies: Vec<Value> = (0..12).map(|_| ask().message()["result"].clone()).collect();
    let (refused, served): (Vec<_>, Vec<_>) = replies.iter().partition(|it| it["isError"] == true);
    assert!((5..12).contains(&served.len()), "{} of 12 were served", served.len());
    let error = &refused.last().expect("some were refused")["_meta"]["core-mcp/error"];
    assert_eq!(error["code"], "rate_limited");
    let wait = error["retry_after_seconds"].as_u64().expect("a wait");
    assert!((1..=60).contains(&wait), "{wait}");
    let found = site.cli(&["audit", "search", "--code", "rate_limited", "--output", "json"]).ok().json();
    assert!(found.to_string().contains("rate_limited"), "a refusal is recorded: {found}");
}

#[test]
fn arguments_that_do_not_fit_name_the_field() {
    let site = Site::new();
    let serving = site.serve();
    for (arguments, field) in [
        (json!({ "file_path": 7 }), "file_path"),
        (json!({ "file_path": "note.txt", "encoding": ["utf-8"] }), "encoding"),
    ] {
        let refused = failure(&serving, &site.admin, READ, arguments);
        assert_eq!(
            (&refused["code"], &refused["field"]),
            (&json!("validation_failed"), &json!(field)),
            "{refused}"
        );
    }
    for arguments in [json!({}), json!({ "file_path": "note.txt", "no_such": 1 })] {
        let refused = failure(&serving, &site.admin, READ, arguments);
        assert_eq!(refused["code"], "validation_failed", "{refused}");
    }
}

#[test]
fn a_command_is_not_a_shell() {
    let site = Site::new();
    let serving = site.serve();
    for command in [
        "git log $(touch stolen.txt)",
        "git log `touch stolen.txt`",
        "sh -c 'touch stolen.txt'",
        "bash -c 'touch stolen.txt'",
        "git -c core.pager='touch stolen.txt' log",
        "git -c alias.x='!touch stolen.txt' x",
        "find . -exec touch stolen.txt ;",
        "find . -fprint stolen.txt",
        "xargs touch stolen.txt",
        "git log; touch ../stolen.txt",
        "git log && touch ../stolen.txt",
        "git log | tee ../stolen.txt",
        "git log > ../stolen.txt",
        "cp note.txt ../stolen.txt",
    ] {
        let refused = failure(
            &serving,
            &site.admin,
            RUN,
            json!({ "command": command, "working_directory": site.root() }),
        );
        assert_eq!(refused["code"], "validation_failed", "{command}: {refused}");
        assert!(refused["reason"].is_string(), "{command}: a guard names its rule: {refused}");
        for folder in [site.root(), site.outside().to_owned()] {
            assert!(!folder.join("stolen.txt").exists(), "{command}");
        }
    }
}

#[test]
fn a_command_cannot_reach_what_no_tool_may() {
    let site = Site::new();
    fs::write(site.outside().join("secret.txt"), "not for you").expect("a file outside");
    let serving = site.serve();
    for command in [
        "cat ../secret.txt".to_owned(),
        format!("cat {}", site.outside().join("secret.txt").display()),
        "cat ../data/core.toml".to_owned(),
        "cat /proc/self/environ".to_owned(),
        "git diff --no-index /dev/null ../secret.txt".to_owned(),
        "env".to_owned(),
        "printenv CORE_MCP_TOKEN".to_owned(),
    ] {
        let arguments = json!({ "command": command, "working_directory": site.root() });
        let reply =
            serving.request(&site.admin, "tools/call", json!({ "name": RUN, "arguments": arguments }));
        let said = &reply.body;
        assert!(
            !said.contains("not for you") && !said.contains(&site.admin) && !said.contains("[server]"),
            "{command}: {said}"
        );
    }
}

#[test]
fn web_pages_and_other_names_are_turned_away() {
    let site = Site::new();
    let serving = site.serve();
    let body = blackbox::message("tools/list", json!({})).to_string();
    let evil = blackbox::post("/mcp", "evil.example.com", &site.admin, "tools/list", "");
    let reply = serving.connect().exchange(&evil, body.as_bytes());
    assert!(matches!(reply.status, 403 | 421), "{reply:?}");
    let page = blackbox::post("/mcp", &serving.address, &site.admin, "tools/list", "")
        + "Origin: https://evil.example.com\r\n";
    let reply = serving.connect().exchange(&page, body.as_bytes());
    assert_eq!(reply.status, 403, "{reply:?}");
}
