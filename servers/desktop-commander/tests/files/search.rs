//! Listing and searching folders.

use std::{
    fs,
    os::unix::fs::symlink,
    time::{Duration, Instant},
};

use kernel::CallContext;
use serde_json::{Value, json};

use crate::desk::Desk;

async fn paths(desk: &Desk, tool: &str, args: Value) -> Vec<String> {
    let result = desk.ok(tool, args).await;
    let items = result["entries"].as_array().or(result["matches"].as_array()).unwrap();
    items.iter().map(|it| it["path"].as_str().unwrap().to_owned()).collect()
}

async fn list(desk: &Desk, args: Value) -> Vec<String> {
    paths(desk, "list_directory", args).await
}

async fn search(desk: &Desk, args: Value) -> Vec<String> {
    paths(desk, "search_files", args).await
}

#[tokio::test]
async fn lists_by_depth_glob_and_order() {
    let desk = Desk::new().await;
    desk.put("b.txt", "22");
    desk.put("a.rs", "1");
    desk.put("sub/c.rs", "333");
    desk.put("sub/deep/d.rs", "");
    desk.put(".hidden", "");
    symlink("/etc", desk.path("link")).unwrap();
    let at = |extra: Value| {
        let mut args = json!({"directory_path": "."});
        args.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        args
    };
    assert_eq!(list(&desk, at(json!({}))).await, ["a.rs", "b.txt", "link", "sub"]);
    assert_eq!(list(&desk, at(json!({"show_hidden": true}))).await[0], ".hidden");
    let two = list(&desk, at(json!({"depth": 2}))).await;
    assert_eq!(two, ["a.rs", "b.txt", "link", "sub", "sub/c.rs", "sub/deep"]);
    assert_eq!(
        list(&desk, at(json!({"depth": 5, "glob": "*.rs"}))).await,
        ["a.rs", "sub/c.rs", "sub/deep/d.rs"]
    );
    assert_eq!(list(&desk, at(json!({"depth": 5, "glob": "sub/*.rs"}))).await, ["sub/c.rs"]);
    assert_eq!(
        list(&desk, at(json!({"depth": 5, "glob": "*.{rs,txt}", "sort": "size"}))).await[..2],
        ["sub/c.rs", "b.txt"]
    );
    let link = desk.ok("list_directory", at(json!({"glob": "link"}))).await["entries"][0].clone();
    assert_eq!((link["type"].clone(), link["link_target"].clone()), (json!("link"), json!("/etc")));
    assert_eq!(desk.code("list_directory", at(json!({"glob": "[", }))).await, "validation_failed");
    assert_eq!(desk.code("list_directory", at(json!({"cursor": "x"}))).await, "validation_failed");
    assert_eq!(desk.code("list_directory", at(json!({"depth": 6}))).await, "validation_failed");
    assert_eq!(desk.code("list_directory", json!({"directory_path": "a.rs"})).await, "NOT_A_FILE");
}

#[tokio::test]
async fn pages_of_a_listing_make_the_whole() {
    let desk = Desk::new().await;
    for index in 0..25 {
        desk.put(&format!("f{index:02}"), "");
    }
    let (mut all, mut cursor) = (Vec::new(), Value::Null);
    loop {
        let page =
            desk.ok("list_directory", json!({"directory_path": ".", "limit": 10, "cursor": cursor})).await;
        assert_eq!(page["total"], 25);
        all.extend(
            page["entries"].as_array().unwrap().iter().map(|it| it["path"].as_str().unwrap().to_owned()),
        );
        cursor = page["next_cursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    let expected: Vec<String> = (0..25).map(|it| format!("f{it:02}")).collect();
    assert_eq!(all, expected);
}

#[tokio::test]
async fn finds_text_with_lines_and_context() {
    let desk = Desk::new().await;
    desk.put("a.txt", "one\ntwo needle\nthree\n");
    desk.put("sub/b.txt", "needle needle\nneedle");
    desk.put_bytes("binary", b"needle\0");
    let found =
        desk.ok("search_files", json!({"directory_path": ".", "pattern": "needle", "context": 1})).await;
    let lines: Vec<_> =
        found["matches"].as_array().unwrap().iter().map(|it| it["line"].as_i64().unwrap()).collect();
    assert_eq!(lines, [2, 1, 2], "one match per line");
    assert_eq!(found["matches"][0]["text"], "1-one\n2:two needle\n3-three");
    assert_eq!((found["partial"].clone(), found.get("next_cursor")), (json!(false), None));
    assert_eq!(
        search(&desk, json!({"directory_path": ".", "pattern": "^t\\w+$", "regex": true})).await,
        ["a.txt"]
    );
    assert_eq!(search(&desk, json!({"directory_path": ".", "pattern": "^t\\w+$"})).await, [""; 0]);
    assert_eq!(
        search(&desk, json!({"directory_path": ".", "pattern": "needle", "glob": "*.md"})).await,
        [""; 0]
    );
    let bad = desk.call("search_files", json!({"directory_path": ".", "pattern": "(", "regex": true})).await;
    assert_eq!(bad.unwrap_err().field.as_deref(), Some("pattern"));
}

#[tokio::test]
async fn files_over_the_limit_are_counted_and_not_searched() {
    let desk = Desk::with(json!({"files": {"read_bytes_max": 1024}})).await;
    desk.put("big", &"needle ".repeat(200));
    desk.put("small", "needle");
    let found = desk.ok("search_files", json!({"directory_path": ".", "pattern": "needle"})).await;
    assert_eq!((found["files_searched"].clone(), found["files_skipped"].clone()), (json!(1), json!(1)));
    assert_eq!(found["matches"][0]["path"], "small");
}

#[tokio::test]
async fn finds_names_and_respects_ignore_files() {
    let desk = Desk::new().await;
    desk.put(".gitignore", "target/\n*.log\n!keep.log\n");
    desk.put("src/.gitignore", "secret*\n!/.gitignore\n");
    for file in
        ["target/Hit", "hit.log", "keep.log", "src/hit.rs", "src/secret_hit", "deep/hit.log", ".git/hit"]
    {
        desk.put(file, "needle");
    }
    let names = |extra: Value| {
        let mut args = json!({"directory_path": ".", "pattern": "HIT", "kind": "name"});
        args.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        args
    };
    assert_eq!(search(&desk, names(json!({}))).await, ["src/hit.rs"]);
    let all = search(&desk, names(json!({"include_ignored": true}))).await;
    assert_eq!(all, ["deep/hit.log", "hit.log", "src/hit.rs", "src/secret_hit", "target/Hit"]);
    for (glob, expected) in [
        ("*.rs", ["src/hit.rs"].as_slice()),
        ("h?t.rs", &["src/hit.rs"]),
        ("src/h*", &["src/hit.rs"]),
        ("*.toml", &[]),
    ] {
        let found = search(&desk, names(json!({"pattern": glob}))).await;
        assert_eq!(found, expected, "{glob}");
    }
    let text = search(&desk, json!({"directory_path": ".", "pattern": "needle"})).await;
    assert_eq!(text, ["keep.log", "src/hit.rs"]);
    let deep = search(&desk, json!({"directory_path": "deep", "pattern": "needle"})).await;
    assert_eq!(deep, [""; 0], "rules of the folders above hold as well");
}

#[tokio::test]
async fn pages_of_a_search_make_the_whole_without_repeating() {
    let desk = Desk::new().await;
    for file in ["a/1", "a/2", "a.txt", "b", "c/d/e"] {
        desk.put(file, "hit\nmiss\nhit\nhit\n");
    }
    let once =
        desk.ok("search_files", json!({"directory_path": ".", "pattern": "hit"})).await["matches"].clone();
    assert_eq!(once.as_array().unwrap().len(), 15);
    for limit in [1, 2, 4, 15] {
        let (mut all, mut cursor) = (Vec::new(), Value::Null);
        loop {
            let args = json!({"directory_path": ".", "pattern": "hit", "limit": limit, "cursor": cursor});
            let page = desk.ok("search_files", args).await;
            all.extend(page["matches"].as_array().unwrap().clone());
            cursor = page["next_cursor"].clone();
            if cursor.is_null() {
                break;
            }
        }
        assert_eq!(Value::from(all), once, "pages of {limit}");
    }
}

#[tokio::test]
async fn a_search_never_follows_links_out_or_shows_what_is_protected() {
    let desk = Desk::new().await;
    symlink("../../out", desk.path("away")).unwrap();
    symlink("/etc", desk.path("etc")).unwrap();
    desk.put("protected/key", "needle root");
    desk.put("f", "needle");
    assert_eq!(search(&desk, json!({"directory_path": ".", "pattern": "needle"})).await, ["f"]);
    assert_eq!(search(&desk, json!({"directory_path": ".", "pattern": "root"})).await, [""; 0]);
    assert_eq!(
        desk.code("search_files", json!({"directory_path": "away", "pattern": "x"})).await,
        "PATH_OUTSIDE_ROOT"
    );
    assert_eq!(
        list(&desk, json!({"directory_path": ".", "depth": 5})).await,
        ["away", "etc", "f", "protected"]
    );
}

#[tokio::test]
async fn a_pattern_made_to_explode_is_linear() {
    let desk = Desk::new().await;
    desk.put("f", &format!("{}!", "a".repeat(200_000)));
    let started = Instant::now();
    let args = json!({"directory_path": ".", "pattern": "^(a+)+$", "regex": true});
    assert_eq!(search(&desk, args).await, [""; 0]);
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    let huge = json!({"directory_path": ".", "pattern": "(a{1000}){1000}", "regex": true});
    assert_eq!(desk.code("search_files", huge).await, "validation_failed");
}

/// 100 folders of 1000 empty files.
fn plant(desk: &Desk) {
    for folder in 0..100 {
        let path = desk.path(&format!("d{folder:02}"));
        fs::create_dir(&path).unwrap();
        for file in 0..1000 {
            fs::File::create(path.join(format!("f{file:03}"))).unwrap();
        }
    }
}

#[tokio::test]
async fn a_tree_of_a_hundred_thousand_entries_is_searched_whole_or_in_parts() {
    let desk = Desk::in_memory().await;
    plant(&desk);
    desk.put("d99/needle", "");
    let name = json!({"directory_path": ".", "pattern": "needle", "kind": "name"});
    assert_eq!(search(&desk, name.clone()).await, ["d99/needle"]);

    // No time at all: partial, and the cursor leads on instead of starting over.
    let cx = CallContext { deadline: Some(Instant::now()), ..CallContext::for_tests() };
    let part = desk.call_with(cx, "search_files", name.clone()).await.unwrap();
    assert_eq!((part["partial"].clone(), part["matches"].clone()), (json!(true), json!([])));
    let mut rest = name;
    rest["cursor"] = part["next_cursor"].clone();
    assert!(rest["cursor"].as_str().unwrap().contains(":d00/f0"), "{rest}");
    assert_eq!(search(&desk, rest).await, ["d99/needle"]);
}

#[tokio::test]
async fn the_bound_on_entries_ends_a_walk() {
    let desk = Desk::with(json!({"files": {"visit_entries_max": 100}})).await;
    for index in 0..150 {
        desk.put(&format!("f{index:03}"), "needle");
    }
    let found =
        desk.ok("search_files", json!({"directory_path": ".", "pattern": "needle", "limit": 1000})).await;
    assert_eq!((found["partial"].clone(), found["matches"].as_array().unwrap().len()), (json!(true), 100));
    let listed = desk.ok("list_directory", json!({"directory_path": "."})).await;
    assert_eq!((listed["partial"].clone(), listed["total"].clone()), (json!(true), json!(100)));
}

#[tokio::test]
async fn a_cancelled_search_stops() {
    let desk = Desk::new().await;
    desk.put("f", "needle");
    let cx = CallContext::for_tests();
    cx.cancel.cancel();
    let args = json!({"directory_path": ".", "pattern": "needle"});
    let error = desk.call_with(cx, "search_files", args).await.unwrap_err();
    assert_eq!(error.kind, kernel::ErrorKind::Cancelled);
}

#[tokio::test]
async fn suggests_paths_beneath_the_roots_only() {
    let desk = Desk::new().await;
    for file in ["src/main.rs", "src/map.rs", "setup", ".secret", "protected/key"] {
        desk.put(file, "");
    }
    let absolute = desk.path("src/ma").to_str().unwrap().to_owned();
    assert_eq!(desk.suggest("file_path", "s").await, ["setup", "src/"]);
    assert_eq!(desk.suggest("file_path", "src/ma").await, ["src/main.rs", "src/map.rs"]);
    assert_eq!(desk.suggest("file_path", &absolute).await[0], format!("{absolute}in.rs"));
    assert_eq!(desk.suggest("file_path", ".s").await, [".secret"]);
    for typed in ["../", "/etc/", "protected/", "missing/", "\0", "src/main.rs/"] {
        assert_eq!(desk.suggest("file_path", typed).await, [""; 0], "{typed:?}");
    }
    assert_eq!(desk.suggest("encoding", "s").await, [""; 0]);
}
