//! git as tools.

use serde_json::{Value, json};

use crate::desk::Desk;

async fn repository() -> Desk {
    let desk = Desk::with(json!({"git_name": "Op Erator", "git_email": "op@example.org"})).await;
    desk.sh("git init -b main repo").await;
    desk.write("repo/a file", "one\n");
    change(&desk, json!({"op": "add"})).await;
    change(&desk, json!({"op": "commit", "message": "first | \"commit\"\n\nbody"})).await;
    desk
}

async fn change(desk: &Desk, mut args: Value) -> Value {
    args["repo"] = json!("repo");
    desk.ok("git_change", args).await
}

async fn query(desk: &Desk, mut args: Value) -> Value {
    args["repo"] = json!("repo");
    desk.ok("git_query", args).await
}

#[tokio::test]
async fn history_status_and_differences_come_as_rows() {
    let desk = repository().await;
    let log = query(&desk, json!({"op": "log"})).await;
    assert_eq!(
        (
            log["rows"][0]["subject"].clone(),
            log["rows"][0]["author"].clone(),
            log["rows"][0]["email"].clone()
        ),
        (json!("first | \"commit\""), json!("Op Erator"), json!("op@example.org"))
    );
    desk.write("repo/a file", "one\ntwo\n");
    desk.write("repo/new", "x");
    let status = query(&desk, json!({"op": "status"})).await;
    assert_eq!(status["rows"][0]["head"], "main");
    assert_eq!(status["rows"][1], json!({"state": ".M", "path": "a file"}));
    assert_eq!(status["rows"][2], json!({"state": "??", "path": "new"}));
    assert!(query(&desk, json!({"op": "diff"})).await["text"].as_str().unwrap().contains("+two"));
    assert_eq!(query(&desk, json!({"op": "diff", "staged": true})).await.get("text"), None);
    change(&desk, json!({"op": "add", "paths": ["a file"]})).await;
    let moved = change(&desk, json!({"op": "commit", "message": "second"})).await;
    assert_ne!(moved["before"], moved["after"]);
    let blame = query(&desk, json!({"op": "blame", "path": "a file"})).await;
    assert_eq!(
        (blame["rows"][1]["text"].clone(), blame["rows"][1]["summary"].clone()),
        (json!("two"), json!("second"))
    );
    let log = query(&desk, json!({"op": "log", "limit": 1, "path": "a file", "rev": "HEAD"})).await;
    assert_eq!((log["rows"].as_array().unwrap().len(), log["truncated"].clone()), (1, json!(true)));
    assert!(
        query(&desk, json!({"op": "show", "rev": "HEAD"})).await["text"].as_str().unwrap().contains("+two")
    );
}

#[tokio::test]
async fn branches_stashes_and_remotes_change() {
    let desk = repository().await;
    change(&desk, json!({"op": "branch", "name": "topic"})).await;
    change(&desk, json!({"op": "switch", "name": "topic"})).await;
    change(&desk, json!({"op": "switch", "name": "other", "create": true, "rev": "main"})).await;
    let branches = query(&desk, json!({"op": "branches"})).await;
    let current: Vec<_> =
        branches["rows"].as_array().unwrap().iter().filter(|row| row["current"] == "*").collect();
    assert_eq!((branches["rows"].as_array().unwrap().len(), current[0]["name"].clone()), (3, json!("other")));
    desk.write("repo/new", "x");
    change(&desk, json!({"op": "stash", "message": "later"})).await;
    assert!(!desk.root().join("repo/new").exists());
    desk.sh("git init --bare -b main far.git").await;
    desk.sh("git -C repo remote add origin ../far.git").await;
    change(&desk, json!({"op": "push", "name": "main"})).await;
    change(&desk, json!({"op": "fetch"})).await;
    assert!(desk.sh("git -C far.git branch").await.contains("main"));
}

#[tokio::test]
async fn git_tools_take_no_options_and_leave_no_root() {
    let desk = repository().await;
    for (tool, args, code) in [
        ("git_query", json!({"repo": "repo", "op": "log", "rev": "--output=/tmp/x"}), "NAME_INVALID"),
        ("git_query", json!({"repo": "repo", "op": "diff", "rev": "-O x"}), "NAME_INVALID"),
        ("git_query", json!({"repo": "../out", "op": "log"}), "PATH_OUTSIDE_ROOT"),
        ("git_query", json!({"repo": "/etc", "op": "log"}), "PATH_OUTSIDE_ROOT"),
        ("git_query", json!({"repo": "repo", "op": "blame"}), "validation_failed"),
        (
            "git_query",
            json!({"repo": "repo", "op": "blame", "path": "../../out/secret"}),
            "PATH_OUTSIDE_ROOT",
        ),
        ("git_change", json!({"repo": "repo", "op": "branch", "name": "-D"}), "NAME_INVALID"),
        ("git_change", json!({"repo": "repo", "op": "branch", "name": "a..b"}), "NAME_INVALID"),
        ("git_change", json!({"repo": "repo", "op": "fetch", "remote": "ext::id"}), "NAME_INVALID"),
        ("git_change", json!({"repo": "repo", "op": "push", "remote": "--exec=id"}), "NAME_INVALID"),
        ("git_change", json!({"repo": "repo", "op": "commit"}), "validation_failed"),
        (
            "git_change",
            json!({"repo": "repo", "op": "add", "paths": ["../../out/secret"]}),
            "PATH_OUTSIDE_ROOT",
        ),
        ("git_change", json!({"repo": "repo", "op": "switch", "name": "absent"}), "tool_execution_failed"),
    ] {
        assert_eq!(desk.code(tool, args.clone()).await, code, "{tool} {args}");
    }
}
