//! The file tools on real folders.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
};

use serde_json::{Value, json};

use crate::desk::Desk;

#[tokio::test]
async fn reads_pages_of_lines_from_both_ends() {
    let desk = Desk::new().await;
    let lines: String = (0..5000).map(|it| format!("line {it}\n")).collect();
    desk.put("long.txt", &lines);
    let first = desk.ok("read_file", json!({"file_path": "long.txt"})).await;
    assert_eq!(first["lines_total"], 5000);
    assert_eq!((first["truncated"].clone(), first["next_offset"].clone()), (json!(true), json!(2000)));
    assert_eq!(first["sha256"], kernel::digest_hex(lines.as_bytes()));
    let mut whole = String::new();
    let mut offset = json!(0);
    while offset != Value::Null {
        let page =
            desk.ok("read_file", json!({"file_path": "long.txt", "offset": offset, "length": 999})).await;
        whole.push_str(page["content"].as_str().unwrap());
        offset = page["next_offset"].clone();
    }
    assert_eq!(whole, lines);
    let tail = desk.ok("read_file", json!({"file_path": "long.txt", "offset": -2})).await;
    assert_eq!(tail["content"], "line 4998\nline 4999\n");
}

#[tokio::test]
async fn pages_stay_small_enough_to_be_sent_whole() {
    let desk = Desk::new().await;
    desk.put("wide.txt", &"x".repeat(300_000));
    desk.put("tall.txt", &"0123456789012345678901234567890123456789\n".repeat(20_000));
    for file in ["wide.txt", "tall.txt"] {
        let page = desk.ok("read_file", json!({"file_path": file, "length": 1_000_000})).await;
        assert!(page["content"].as_str().unwrap().len() <= 128 * 1024, "{file}");
        assert_eq!(page["truncated"], true);
    }
}

/// A refusal is read by a model: it says which parameter, tool or key helps.
#[tokio::test]
async fn refusals_say_what_helps() {
    let desk = Desk::with(json!({"files": {"read_bytes_max": 2048}})).await;
    desk.put("big", &"x\n".repeat(4096));
    desk.put("twice", "a\na\n");
    let change = desk.ok("write_file", json!({"file_path": "once", "content": "1"})).await;
    desk.undo(&change).await;
    for (tool, args, help) in [
        ("read_file", json!({"file_path": "big"}), "files.read_bytes_max"),
        ("read_file", json!({"file_path": "/etc/passwd"}), "get_policy"),
        ("execute_command", json!({"command": "cat /etc/shadow"}), "get_policy"),
        (
            "edit_file",
            json!({"file_path": "twice", "edits": [{"old": "a", "new": "b"}]}),
            "`expected_count` to 2",
        ),
        ("search_files", json!({"directory_path": ".", "pattern": "(", "regex": true}), "`regex`"),
        ("search_files", json!({"directory_path": ".", "pattern": "x", "glob": "["}), "`*.rs`"),
        ("undo_change", json!({"change_id": change["change_id"]}), "list_changes"),
    ] {
        let error = desk.call(tool, args.clone()).await.unwrap_err();
        assert!(error.hints.iter().any(|hint| hint.contains(help)), "{tool} {args}: {error:?}");
    }
}

#[tokio::test]
async fn reads_bytes_and_encodings() {
    let desk = Desk::new().await;
    desk.put_bytes("data", b"\x00\x01\xfe\xff");
    desk.put_bytes("latin", b"caf\xe9\n");
    desk.put_bytes("wide", b"\xff\xfeh\0i\0");
    let read = |file: &str, extra: Value| {
        let mut args = json!({"file_path": file});
        args.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        args
    };
    assert_eq!(desk.ok("read_file", read("data", json!({"as": "base64"}))).await["content"], "AAH+/w==");
    let hex = desk.ok("read_file", read("data", json!({"as": "hex", "offset": -3, "length": 2}))).await;
    assert_eq!((hex["content"].clone(), hex["next_offset"].clone()), (json!("01fe"), json!(3)));
    assert_eq!(desk.code("read_file", read("data", json!({}))).await, "NOT_TEXT");
    let latin = desk.ok("read_file", read("latin", json!({"encoding": "latin1"}))).await;
    assert_eq!(
        (latin["content"].clone(), latin["encoding"].clone()),
        (json!("café\n"), json!("windows-1252"))
    );
    assert_eq!(desk.ok("read_file", read("latin", json!({}))).await["lossy"], true);
    assert_eq!(desk.ok("read_file", read("wide", json!({}))).await["content"], "hi");
    let error = desk.call("read_file", read("latin", json!({"encoding": "klingon"}))).await.unwrap_err();
    assert_eq!(error.field.as_deref(), Some("encoding"));
}

#[tokio::test]
async fn one_unreadable_file_does_not_fail_the_others() {
    let desk = Desk::new().await;
    desk.put("a", "A");
    let paths = json!({"file_paths": ["a", "missing", "../../etc/passwd", "a"]});
    let files = desk.ok("read_multiple_files", paths).await["files"].clone();
    assert_eq!(files[0]["content"], "A");
    assert!(files[1]["error"].as_str().unwrap().starts_with("NOT_FOUND"));
    assert!(files[2]["error"].as_str().unwrap().starts_with("PATH_OUTSIDE_ROOT"));
    assert_eq!(files[3]["content"], "A");
    let many = vec!["a"; 51];
    assert_eq!(desk.code("read_multiple_files", json!({"file_paths": many})).await, "validation_failed");
}

#[tokio::test]
async fn refuses_what_is_too_large_to_read_or_write() {
    let desk = Desk::with(json!({"files": {"read_bytes_max": 1024, "write_bytes_max": 1024}})).await;
    desk.put("big", &"x".repeat(1025));
    assert_eq!(desk.code("read_file", json!({"file_path": "big"})).await, "TOO_LARGE");
    let content = "x".repeat(1025);
    assert_eq!(desk.code("write_file", json!({"file_path": "new", "content": content})).await, "TOO_LARGE");
    desk.put("near", &"x".repeat(1000));
    let append = json!({"file_path": "near", "content": "x".repeat(100), "mode": "append"});
    assert_eq!(desk.code("write_file", append).await, "TOO_LARGE");
    assert!(!desk.exists("new"));
}

#[tokio::test]
async fn writes_in_every_mode_and_takes_it_back() {
    let desk = Desk::new().await;
    let made = desk.ok("write_file", json!({"file_path": "a/b/f", "content": "one\n"})).await;
    assert_eq!(desk.get("a/b/f"), "one\n");
    let create = json!({"file_path": "a/b/f", "content": "x", "mode": "create"});
    assert_eq!(desk.code("write_file", create).await, "ALREADY_EXISTS");
    fs::set_permissions(desk.path("a/b/f"), fs::Permissions::from_mode(0o640)).unwrap();
    let added =
        desk.ok("write_file", json!({"file_path": "a/b/f", "content": "two\n", "mode": "append"})).await;
    assert_eq!(desk.get("a/b/f"), "one\ntwo\n");
    let replaced = desk.ok("write_file", json!({"file_path": "a/b/f", "content": "three\n"})).await;
    assert_eq!(desk.get("a/b/f"), "three\n");
    assert_eq!(fs::metadata(desk.path("a/b/f")).unwrap().permissions().mode() & 0o777, 0o640);

    desk.undo(&replaced).await;
    assert_eq!(desk.get("a/b/f"), "one\ntwo\n");
    desk.undo(&added).await;
    assert_eq!(desk.get("a/b/f"), "one\n");
    let gone = desk.undo(&made).await;
    assert!(!desk.exists("a"), "the folders that were made for the file go with it");
    desk.undo(&gone).await;
    assert_eq!(desk.get("a/b/f"), "one\n", "undoing can be undone");
}

#[tokio::test]
async fn a_write_that_changes_nothing_leaves_no_change() {
    let desk = Desk::new().await;
    desk.put("f", "same");
    let same = desk.ok("write_file", json!({"file_path": "f", "content": "same"})).await;
    assert_eq!(same.get("change_id"), None);
    assert_eq!(desk.ok("list_changes", json!({})).await["changes"], json!([]));
}

#[tokio::test]
async fn a_dry_run_shows_the_diff_and_touches_nothing() {
    let desk = Desk::new().await;
    desk.put("f", "a\nb\nc\n");
    let shown =
        desk.ok("write_file", json!({"file_path": "f", "content": "a\nB\nc\n", "dry_run": true})).await;
    let diff = shown["diff"].as_str().unwrap();
    assert!(diff.contains("-b\n+B\n"), "{diff}");
    let new = json!({"file_path": "x/y/new", "content": "n\n", "dry_run": true});
    assert!(desk.ok("write_file", new).await["diff"].as_str().unwrap().contains("+n\n"));
    let edit = json!({"file_path": "f", "edits": [{"old": "b", "new": "B"}], "dry_run": true});
    assert!(desk.ok("edit_file", edit).await["diff"].as_str().unwrap().contains("-b\n+B\n"));
    assert_eq!(desk.get("f"), "a\nb\nc\n");
    assert!(!desk.exists("x"));
}

#[tokio::test]
async fn if_match_protects_what_the_caller_did_not_see() {
    let desk = Desk::new().await;
    desk.put("f", "theirs");
    let write = |digest: String| json!({"file_path": "f", "content": "ours", "if_match": digest});
    assert_eq!(desk.code("write_file", write(kernel::digest_hex(b"old"))).await, "CHANGED");
    assert_eq!(desk.get("f"), "theirs");
    desk.ok("write_file", write(kernel::digest_hex(b"theirs"))).await;
    assert_eq!(desk.get("f"), "ours");
}

#[tokio::test]
async fn missing_folders_are_made_only_when_asked() {
    let desk = Desk::new().await;
    let write = json!({"file_path": "a/f", "content": "x", "create_dirs": false});
    assert_eq!(desk.code("write_file", write).await, "NOT_FOUND");
    assert!(!desk.exists("a"));
}

#[tokio::test]
async fn edits_all_or_nothing() {
    let desk = Desk::new().await;
    desk.put("f", "alpha beta beta\r\n");
    let edit = |edits: Value| json!({"file_path": "f", "edits": edits});
    let both = json!([{"old": "alpha", "new": "ALPHA"}, {"old": "beta", "new": "x"}]);
    let error = desk.call("edit_file", edit(both)).await.unwrap_err();
    assert_eq!((error.reason, error.field.as_deref()), (Some("EDIT_MISSED"), Some("edits")));
    assert_eq!(desk.get("f"), "alpha beta beta\r\n");
    let done = desk
        .ok(
            "edit_file",
            edit(json!([{"old": "alpha", "new": "A"}, {"old": "beta", "new": "b", "expected_count": 2}])),
        )
        .await;
    assert_eq!(desk.get("f"), "A b b\r\n");
    desk.undo(&done).await;
    assert_eq!(desk.get("f"), "alpha beta beta\r\n");
    let near =
        desk.call("edit_file", edit(json!([{"old": "  alpha  beta beta", "new": ""}]))).await.unwrap_err();
    assert!(near.hints[0].contains("line 1: alpha beta beta"), "{:?}", near.hints);
    desk.put_bytes("binary", b"\xff\xfe\xfd");
    let edit = json!({"file_path": "binary", "edits": [{"old": "a", "new": "b"}]});
    assert_eq!(desk.code("edit_file", edit).await, "NOT_TEXT");
}

#[tokio::test]
async fn undo_refuses_when_the_file_was_changed_since() {
    let desk = Desk::new().await;
    desk.put("f", "one");
    let change = desk.ok("write_file", json!({"file_path": "f", "content": "two"})).await;
    desk.put("f", "three");
    let undo = json!({"change_id": change["change_id"]});
    assert_eq!(desk.code("undo_change", undo).await, "CHANGED");
    assert_eq!(desk.get("f"), "three");
    let forced = desk.ok("undo_change", json!({"change_id": change["change_id"], "force": true})).await;
    assert_eq!(desk.get("f"), "one");
    let again = json!({"change_id": change["change_id"]});
    assert_eq!(desk.code("undo_change", again).await, "validation_failed");
    desk.undo(&forced).await;
    assert_eq!(desk.get("f"), "three", "what was overridden is not lost");
}

#[tokio::test]
async fn deletes_to_the_trash_and_brings_back() {
    let desk = Desk::new().await;
    desk.put("d/e/f", "kept");
    symlink("/etc/passwd", desk.path("d/link")).unwrap();
    fs::set_permissions(desk.path("d/e/f"), fs::Permissions::from_mode(0o751)).unwrap();
    assert_eq!(desk.code("delete_path", json!({"path": "d"})).await, "validation_failed");
    let deleted = desk.ok("delete_path", json!({"path": "d", "recursive": true})).await;
    assert!(!desk.exists("d"));
    assert!(fs::metadata("/etc/passwd").is_ok());
    desk.undo(&deleted).await;
    assert_eq!(desk.get("d/e/f"), "kept");
    assert_eq!(fs::metadata(desk.path("d/e/f")).unwrap().permissions().mode() & 0o777, 0o751);
    assert!(fs::symlink_metadata(desk.path("d/link")).unwrap().is_symlink());

    let link = desk.ok("delete_path", json!({"path": "d/link"})).await;
    assert!(fs::symlink_metadata(desk.path("d/link")).is_err());
    desk.undo(&link).await;
    let again = desk.ok("delete_path", json!({"path": "d/e/f"})).await;
    desk.put("d/e/f", "newer");
    let undo = json!({"change_id": again["change_id"], "force": true});
    assert_eq!(desk.code("undo_change", undo).await, "ALREADY_EXISTS");
    assert_eq!(desk.get("d/e/f"), "newer");
}

#[tokio::test]
async fn moves_and_moves_back() {
    let desk = Desk::new().await;
    desk.put("a", "A");
    desk.put("b", "B");
    let blocked = json!({"from_path": "a", "to_path": "b"});
    assert_eq!(desk.code("move_path", blocked).await, "ALREADY_EXISTS");
    let moved = desk.ok("move_path", json!({"from_path": "a", "to_path": "b", "overwrite": true})).await;
    assert_eq!((desk.get("b"), desk.exists("a")), ("A".into(), false));
    desk.undo(&moved).await;
    assert_eq!((desk.get("a"), desk.get("b")), ("A".into(), "B".into()));
    let folder = desk.ok("move_path", json!({"from_path": "a", "to_path": "new/deep/a"})).await;
    assert_eq!(desk.get("new/deep/a"), "A");
    desk.undo(&folder).await;
    assert_eq!(desk.get("a"), "A");
    assert_eq!(desk.code("move_path", json!({"from_path": "gone", "to_path": "x"})).await, "NOT_FOUND");
}

#[tokio::test]
async fn makes_folders_and_takes_back_the_empty_ones() {
    let desk = Desk::new().await;
    let made = desk.ok("create_directory", json!({"directory_path": "x/y/z"})).await;
    assert!(desk.path("x/y/z").is_dir());
    let again = desk.ok("create_directory", json!({"directory_path": "x/y/z"})).await;
    assert_eq!(again.get("change_id"), None);
    desk.put("x/y/z/f", "");
    let undo = json!({"change_id": made["change_id"]});
    assert_eq!(desk.code("undo_change", undo).await, "CHANGED");
    fs::remove_file(desk.path("x/y/z/f")).unwrap();
    let gone = desk.undo(&made).await;
    assert!(!desk.exists("x"));
    desk.undo(&gone).await;
    assert!(desk.path("x/y/z").is_dir());
}

#[tokio::test]
async fn the_journal_forgets_the_oldest_and_keeps_within_its_bounds() {
    let desk = Desk::with(json!({"files": {"journal_changes_max": 3}})).await;
    desk.put("f", "0");
    let mut first = Value::Null;
    for round in 1..=5 {
        let change = desk.ok("write_file", json!({"file_path": "f", "content": round.to_string()})).await;
        if round == 1 {
            first = change;
        }
    }
    desk.ok("delete_path", json!({"path": "f"})).await;
    let changes = desk.ok("list_changes", json!({})).await["changes"].clone();
    let tools: Vec<_> = changes.as_array().unwrap().iter().map(|it| it["tool"].clone()).collect();
    assert_eq!(tools, ["delete_path", "write_file", "write_file"]);
    assert_eq!(desk.code("undo_change", json!({"change_id": first["change_id"]})).await, "not_found");
    assert_eq!(desk.trash_entries(), 1);
    for round in 0..3 {
        desk.ok("write_file", json!({"file_path": "g", "content": round.to_string()})).await;
    }
    assert_eq!(desk.trash_entries(), 0, "what is forgotten leaves the trash");
}

#[tokio::test]
async fn a_change_too_large_to_keep_is_refused_before_it_happens() {
    let desk = Desk::with(json!({"files": {"journal_bytes_max": 1_048_576}})).await;
    desk.put("d/big", &"x".repeat(1_100_000));
    assert_eq!(desk.code("delete_path", json!({"path": "d", "recursive": true})).await, "TOO_LARGE");
    assert_eq!(desk.code("write_file", json!({"file_path": "d/big", "content": ""})).await, "TOO_LARGE");
    assert_eq!(desk.get("d/big").len(), 1_100_000);
}

#[tokio::test]
async fn changes_belong_to_who_made_them() {
    let desk = Desk::new().await;
    let change = desk.ok_as("alice", "write_file", json!({"file_path": "f", "content": "a"})).await;
    let undo = json!({"change_id": change["change_id"]});
    assert_eq!(desk.code_as("mallory", "undo_change", undo.clone()).await, "not_found");
    assert_eq!(desk.ok_as("mallory", "list_changes", json!({})).await["changes"], json!([]));
    assert_eq!(desk.ok_as("alice", "list_changes", json!({})).await["changes"][0]["by"], "alice");
    assert!(desk.exists("f"));
    desk.ok("undo_change", undo).await;
    assert!(!desk.exists("f"), "an administrator may undo anybody's change");
}

#[tokio::test]
async fn describes_paths_and_says_what_is_read_only() {
    let desk = Desk::new().await;
    desk.put("f", "12345");
    desk.put(".git/config", "");
    symlink("nowhere", desk.path("link")).unwrap();
    let info = desk.ok("get_path_info", json!({"path": "f"})).await;
    assert_eq!((info["type"].clone(), info["size"].clone()), (json!("file"), json!(5)));
    assert_eq!(info.get("read_only"), None);
    let link = desk.ok("get_path_info", json!({"path": "link"})).await;
    assert_eq!((link["type"].clone(), link["link_target"].clone()), (json!("link"), json!("nowhere")));
    assert!(desk.ok("get_path_info", json!({"path": ".git/config"})).await["read_only"].is_string());
    assert_eq!(desk.ok("get_path_info", json!({"path": "."})).await["type"], "directory");
    assert_eq!(desk.code("get_path_info", json!({"path": "missing"})).await, "NOT_FOUND");
}
