//! What the file tools must refuse, through the same door as every call.

use std::{fs, os::unix::fs::symlink};

use serde_json::{Value, json};

use crate::desk::Desk;

/// Every tool that takes a path, with the path in its place.
fn calls(path: &str) -> Vec<(&'static str, Value)> {
    vec![
        ("read_file", json!({"file_path": path})),
        ("write_file", json!({"file_path": path, "content": "evil"})),
        ("write_file", json!({"file_path": path, "content": "evil", "dry_run": true})),
        ("edit_file", json!({"file_path": path, "edits": [{"old": "a", "new": "evil"}]})),
        ("list_directory", json!({"directory_path": path})),
        ("search_files", json!({"directory_path": path, "pattern": "a"})),
        ("get_path_info", json!({"path": path})),
        ("create_directory", json!({"directory_path": path})),
        ("move_path", json!({"from_path": path, "to_path": "mine"})),
        ("move_path", json!({"from_path": "f", "to_path": path})),
        ("delete_path", json!({"path": path, "recursive": true})),
    ]
}

#[tokio::test]
async fn no_tool_leaves_the_roots() {
    let desk = Desk::new().await;
    desk.put("f", "a");
    let outside = desk.path("../out").canonicalize().unwrap();
    fs::write(outside.join("f"), "a").unwrap();
    symlink("../out", desk.path("away")).unwrap();
    let absolute = outside.join("f").to_str().unwrap().to_owned();
    let sibling = desk.path("").to_str().unwrap().trim_end_matches('/').to_owned() + "-old/f";
    for path in
        ["../out/f", "x/../../out/f", "away/f", "/etc/passwd", "/proc/self/environ", &absolute, &sibling]
    {
        for (tool, args) in calls(path) {
            assert_eq!(desk.code(tool, args.clone()).await, "PATH_OUTSIDE_ROOT", "{tool} {args}");
        }
    }
    assert_eq!(fs::read_to_string(outside.join("f")).unwrap(), "a");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    assert_eq!(desk.ok("list_changes", json!({})).await["changes"], json!([]), "refusals leave no change");
}

#[tokio::test]
async fn no_tool_touches_our_own_files() {
    let desk = Desk::new().await;
    desk.put("f", "a");
    desk.put("protected/key", "a");
    for path in ["protected/key", "protected"] {
        for (tool, args) in calls(path) {
            assert_eq!(desk.code(tool, args.clone()).await, "CRITICAL_PATH", "{tool} {args}");
        }
    }
    assert_eq!(desk.get("protected/key"), "a");
}

#[tokio::test]
async fn no_tool_changes_what_decides_what_runs() {
    let desk = Desk::new().await;
    desk.put("f", "a");
    for path in [
        ".git/hooks/pre-commit",
        ".GIT/config",
        ".ssh/authorized_keys",
        ".bashrc",
        ".mcp.json",
        ".github/workflows/ci.yml",
    ] {
        desk.put(path, "a");
        let changes = ["write_file", "edit_file", "move_path", "delete_path"];
        for (tool, args) in calls(path).into_iter().filter(|(tool, _)| changes.contains(tool)) {
            assert_eq!(desk.code(tool, args.clone()).await, "CRITICAL_PATH", "{tool} {args}");
        }
        assert_eq!(desk.ok("read_file", json!({"file_path": path})).await["content"], "a");
    }
}

#[tokio::test]
async fn names_that_deceive_are_refused_and_never_repeated() {
    let desk = Desk::new().await;
    for path in ["nul\0", "line\nbreak", "\u{1b}[31m", "~/f", "", &"x".repeat(5000)] {
        for (tool, args) in calls(path).into_iter().take(2) {
            let error = desk.call(tool, args.clone()).await.unwrap_err();
            assert_eq!(error.reason, Some("NAME_INVALID"), "{tool} {args}");
            assert!(path.is_empty() || path == "~/f" || !error.message.contains(path));
        }
    }
}

#[tokio::test]
async fn dangling_links_and_hard_links_are_not_written_through() {
    let desk = Desk::new().await;
    let outside = desk.path("../out").canonicalize().unwrap();
    fs::write(outside.join("f"), "theirs").unwrap();
    symlink(outside.join("new"), desk.path("dangling")).unwrap();
    fs::hard_link(outside.join("f"), desk.path("hard")).unwrap();
    for path in ["dangling", "hard"] {
        let write = json!({"file_path": path, "content": "evil"});
        assert_eq!(desk.code("write_file", write).await, "LINK_REFUSED", "{path}");
    }
    assert!(!outside.join("new").exists());
    assert_eq!(fs::read_to_string(outside.join("f")).unwrap(), "theirs");
}

#[tokio::test]
async fn a_root_can_be_neither_moved_nor_deleted() {
    let desk = Desk::new().await;
    let root = desk.path("").to_str().unwrap().to_owned();
    for path in [".", "x/..", root.as_str()] {
        assert_eq!(desk.code("delete_path", json!({"path": path, "recursive": true})).await, "CRITICAL_PATH");
        let moved = json!({"from_path": path, "to_path": "inside"});
        assert_eq!(desk.code("move_path", moved).await, "CRITICAL_PATH");
    }
}

#[tokio::test]
async fn undoing_obeys_the_rules_of_today() {
    let desk = Desk::new().await;
    let change = desk.ok("write_file", json!({"file_path": "d/f", "content": "mine"})).await;
    fs::remove_dir_all(desk.path("d")).unwrap();
    symlink("../out", desk.path("d")).unwrap();
    fs::write(desk.path("../out/f"), "mine").unwrap();
    assert_eq!(
        desk.code("undo_change", json!({"change_id": change["change_id"]})).await,
        "PATH_OUTSIDE_ROOT"
    );
    assert_eq!(fs::read_to_string(desk.path("../out/f")).unwrap(), "mine");
}

#[tokio::test]
async fn policy_and_audit_see_the_path_that_is_opened() {
    let (file, other) =
        (json!({"file_path": "a/../secret/./f"}), json!({"from_path": "x//y", "to_path": "/z/"}));
    let dir = tempfile::tempdir().unwrap();
    let start = kernel::StartContext { state_dir: dir.path().into(), ..Default::default() };
    let server = (server_desktop_commander::entry().mount)(json!({}), start).await.unwrap();
    let named = |tool: &str, args: &Value| {
        let resources = server.prepare(tool, args.clone()).unwrap().resources();
        resources.into_iter().map(|it| format!("{}:{}", it.kind, it.id)).collect::<Vec<_>>()
    };
    assert_eq!(named("read_file", &file), ["file:secret/f"]);
    assert_eq!(named("move_path", &other), ["file:x/y", "file:/z"]);
    assert_eq!(named("undo_change", &json!({"change_id": 7})), ["file.change:7"]);
    let refused = server.prepare("read_file", file).unwrap().run(kernel::CallContext::for_tests()).await;
    assert_eq!(refused.unwrap_err().reason, Some("PATH_OUTSIDE_ROOT"), "no roots, nothing allowed");
    assert!(matches!(server.health().await, kernel::Health::Unavailable(_)), "and the operator hears of it");
}

#[tokio::test]
async fn the_operators_roots_can_only_be_narrowed() {
    let dir = tempfile::tempdir().unwrap();
    for folder in ["root/sub", "state"] {
        fs::create_dir_all(dir.path().join(folder)).unwrap();
    }
    let mount = |roots: Value| {
        let start = kernel::StartContext {
            state_dir: dir.path().join("state"),
            roots: vec![dir.path().join("root")],
            ..Default::default()
        };
        (server_desktop_commander::entry().mount)(json!({"roots": roots}), start)
    };
    assert!(mount(json!([dir.path().join("root/sub")])).await.is_ok());
    for wider in [json!([dir.path()]), json!(["/"]), json!(["relative"]), json!([dir.path().join("state")])] {
        let refused = mount(wider.clone()).await.err().unwrap();
        assert!(refused.reason.contains("root"), "{wider}: {refused}");
    }
}
