//! For the tests of this crate: the launcher of children, and a stdio server that misbehaves on demand.

use std::{
    io::{BufRead, Write},
    process::ExitCode,
};

use serde_json::{Value, json};

type Lines = std::io::Lines<std::io::StdinLock<'static>>;

fn main() -> ExitCode {
    if let Some(code) = sandbox::become_launcher_if_asked() {
        return code;
    }
    let mode = std::env::args().nth(1).unwrap_or_default();
    println!("a greeting that is no message");
    let mut lines = std::io::stdin().lock().lines();
    while let Some(Ok(line)) = lines.next() {
        let message: Value = serde_json::from_str(&line).unwrap_or_default();
        if message["method"] == "notifications/cancelled" && mode == "cancellable" {
            return ExitCode::from(9);
        }
        if message["id"].is_null() {
            continue;
        }
        if let Some(code) = answer(&mode, &message, &mut lines) {
            return code;
        }
    }
    ExitCode::SUCCESS
}

/// Answers one request. A code: the server ends.
fn answer(mode: &str, message: &Value, lines: &mut Lines) -> Option<ExitCode> {
    let id = &message["id"];
    let is_modern = mode == "modern";
    match message["method"].as_str().unwrap_or_default() {
        "server/discover" if is_modern => result(
            id,
            &json!({"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}, "resultType": "complete"}),
        ),
        "server/discover" if mode == "leaves" => return Some(ExitCode::FAILURE),
        "server/discover" if mode == "silent" => {}
        "initialize" if !is_modern => result(
            id,
            &json!({
                "protocolVersion": "2025-11-25", "capabilities": {"tools": {"listChanged": true}},
                "serverInfo": {"name": "fixture", "version": "1.2.3"},
            }),
        ),
        "ping" => result(id, &json!({})),
        "tools/list" => {
            let tool = |name: &str| json!({"name": name, "inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": true}});
            let write = json!({"name": "write", "inputSchema": {"type": "object"}});
            let names = ["echo", "die", "hang", "flood", "big", "noise", "environment", "ask"];
            let tools: Vec<Value> = names.into_iter().map(tool).chain([write]).collect();
            result(id, &json!({ "tools": tools }));
        }
        "tools/call" => return call(id, &message["params"], lines),
        _ => say(&json!({"jsonrpc": "2.0", "id": id, "error": {"code": -32601, "message": "unknown"}})),
    }
    None
}

fn call(id: &Value, params: &Value, lines: &mut Lines) -> Option<ExitCode> {
    let text = |text: String| result(id, &json!({"content": [{"type": "text", "text": text}]}));
    match params["name"].as_str().unwrap_or_default() {
        "echo" => text(params["arguments"].to_string()),
        "die" | "write" => return Some(ExitCode::from(3)),
        "hang" => {}
        "flood" => loop {
            if writeln!(std::io::stdout(), "{}", "nonsense ".repeat(1000)).is_err() {
                return Some(ExitCode::FAILURE);
            }
        },
        "big" => text("x".repeat(8 << 20)),
        "noise" => {
            for _ in 0..50 {
                say(&json!({"jsonrpc": "2.0", "id": 999_999, "result": {}}));
                println!("debug: not a message");
            }
            text("done".into());
        }
        "environment" => {
            let mut names: Vec<String> = std::env::vars().map(|(name, _)| name).collect();
            names.sort();
            text(names.join(","));
        }
        "ask" => {
            say(
                &json!({"jsonrpc": "2.0", "id": "q-1", "method": "elicitation/create", "params": {"message": "?"}}),
            );
            let heard = lines.next().and_then(Result::ok);
            text(heard.unwrap_or_else(|| "nothing".into()));
        }
        _ => say(&json!({"jsonrpc": "2.0", "id": id, "error": {"code": -32602, "message": "unknown tool"}})),
    }
    None
}

fn result(id: &Value, result: &Value) {
    say(&json!({ "jsonrpc": "2.0", "id": id, "result": result }));
}

fn say(message: &Value) {
    // Nobody listening ends the server with its next line.
    if writeln!(std::io::stdout(), "{message}").and_then(|()| std::io::stdout().flush()).is_err() {
        eprintln!("nobody listens");
    }
}
