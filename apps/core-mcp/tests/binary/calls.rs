//! `call`, `tools` and `servers`: shapes on stdout, failures on stderr, exit codes.

use std::fs;

use serde_json::{Value, json};

use crate::installation::Installation;

#[test]
fn a_call_prints_exactly_the_structured_content() {
    let made = Installation::new();
    let ended = made.run(&["call", "desktop-commander.read_file", "file_path=hello.txt", "--output", "json"]);
    let path = format!("file_path={}", made.work().join("hello.txt").display());
    let absolute = made.run(&["call", "desktop-commander.read_file", &path, "--output", "json"]).done();
    assert_eq!(absolute.json()["content"], "hello\n", "{absolute:?}");
    assert!(ended.code == 0 || ended.error()["field"] == "file_path", "{ended:?}");
}

#[test]
fn every_failure_has_its_exit_code_and_its_object() {
    let made = Installation::new();
    let viewer = made.user("vera", "viewer");
    let write = format!("file_path={}", made.work().join("new.txt").display());
    let check = |token: &str, words: &[&str], code: i32, name: &str| {
        let ended = made.run_as(token, &[&["call", "--output", "json"], words].concat());
        let error = ended.error();
        assert_eq!((ended.code, error["code"].as_str()), (code, Some(name)), "{words:?} {ended:?}");
        assert!(error["message"].is_string() && error["hints"].is_array(), "{ended:?}");
        assert_eq!(ended.stdout, "", "{words:?}");
        error
    };
    let read = "desktop-commander.read_file";
    check("", &[read, "file_path=hello.txt"], 3, "authentication_failed");
    check("wrong-token", &[read, "file_path=hello.txt"], 3, "authentication_failed");
    check(&viewer, &["desktop-commander.write_file", &write, "content=x"], 4, "permission_denied");
    assert!(!made.work().join("new.txt").exists());
    check(&made.token, &[read], 2, "validation_failed");
    check(&made.token, &[read, "file_path"], 2, "validation_failed");
    check(&made.token, &[read, "file_path=a", "no_such_argument=1"], 2, "validation_failed");
    let outside = check(&made.token, &[read, "file_path=/etc/passwd"], 2, "validation_failed");
    assert_eq!(outside["field"], "file_path", "{outside}");
    assert!(outside["reason"].is_string(), "{outside}");
    check(&made.token, &["desktop-commander.no_such_tool"], 1, "not_found");
    check(&made.token, &["no-such-server.read_file"], 1, "not_found");
    check(&made.token, &["read_file"], 2, "validation_failed");
}

#[test]
fn nobody_lists_anything_without_a_token() {
    let made = Installation::new();
    for words in [&["tools"][..], &["servers"], &["context", "list"]] {
        let ended = made.run_as("", &[words, &["--output", "json"]].concat());
        assert_eq!(ended.code, 3, "{ended:?}");
        assert!(ended.error()["hints"].to_string().contains("token create"), "{ended:?}");
    }
}

#[test]
fn the_lists_have_the_documented_shape() {
    let made = Installation::new();
    let tools = made.run(&["tools", "--output", "json"]).done().json();
    let first = &tools.as_array().expect("an array")[0];
    let keys: Vec<&String> = first.as_object().unwrap().keys().collect();
    let mut expected = [
        "server",
        "name",
        "qualified_name",
        "description",
        "input_schema",
        "output_schema",
        "annotations",
        "permission",
    ];
    expected.sort_unstable();
    let mut sorted = keys.clone();
    sorted.sort();
    assert_eq!(sorted, expected);
    assert_eq!(
        first["qualified_name"],
        format!("{}.{}", first["server"].as_str().unwrap(), first["name"].as_str().unwrap())
    );

    let servers = made.run(&["servers", "--output", "json"]).done().json();
    let first = servers.as_array().expect("an array")[0].as_object().unwrap();
    for key in ["name", "version", "category", "aliases", "status", "reason"] {
        assert!(first.contains_key(key), "{key} is not in {first:?}");
    }
    let lines = made.run(&["servers", "--output", "jsonl"]).done().stdout;
    assert_eq!(lines.lines().count(), servers.as_array().unwrap().len());
    assert!(lines.lines().all(|it| serde_json::from_str::<Value>(it).is_ok()));
}

#[test]
fn a_switched_off_server_says_why_it_is_not_there() {
    let made = Installation::new();
    made.append_config("[servers.security-scanner]\nenabled = false");
    let servers = made.run(&["servers", "--output", "json"]).done().json();
    let scanner =
        servers.as_array().unwrap().iter().find(|it| it["name"] == "security-scanner").unwrap().clone();
    assert_eq!(scanner["status"], "unavailable");
    assert!(scanner["reason"].as_str().is_some_and(|it| it.contains("enabled = false")), "{scanner}");
    let tools = made.run(&["tools", "--output", "json"]).done().json();
    assert!(tools.as_array().unwrap().iter().all(|it| it["server"] != "security-scanner"));
}

#[test]
fn arguments_are_typed_by_the_schema_and_read_from_files() {
    let made = Installation::new();
    fs::write(made.folder().join("content"), "from a file").unwrap();
    let path = format!("file_path={}", made.work().join("deep/new.txt").display());
    let content = format!("content=@{}", made.folder().join("content").display());
    made.run(&["call", "desktop-commander.write_file", &path, &content, "create_dirs=true"]).done();
    assert_eq!(fs::read_to_string(made.work().join("deep/new.txt")).unwrap(), "from a file");
    let wrong = made.run(&[
        "call",
        "desktop-commander.write_file",
        &path,
        &content,
        "create_dirs=perhaps",
        "--output",
        "json",
    ]);
    assert_eq!((wrong.code, &wrong.error()["field"]), (2, &json!("create_dirs")), "{wrong:?}");
}

#[test]
fn this_very_binary_confines_the_programs_it_starts() {
    let made = Installation::new();
    fs::write(made.folder().join("outside"), "secret of the host").unwrap();
    let run = |command: &str| {
        let word = format!("command={command}");
        made.run(&["call", "desktop-commander.execute_command", &word, "--output", "json"])
    };
    let listed = run("ls").done().json();
    assert_eq!(
        (&listed["exit_code"], &listed["sandbox"]["filesystem"]),
        (&json!(0), &json!(true)),
        "{listed}"
    );
    assert!(listed["stdout"].as_str().is_some_and(|it| it.contains("hello.txt")), "{listed}");
    let read = run(&format!("cat {}", made.folder().join("outside").display()));
    assert!(!read.stdout.contains("secret of the host"), "{read:?}");
}

#[test]
fn a_token_can_come_from_a_file_and_never_from_a_flag() {
    let made = Installation::new();
    let file = made.folder().join("token");
    fs::write(&file, format!("{}\n", made.token)).unwrap();
    made.run_as("", &["servers", "--token-file", file.to_str().unwrap()]).done();
    assert_eq!(made.run_as("", &["servers", "--token", &made.token]).code, 2);
}

#[test]
fn usage_errors_are_json_when_json_was_asked_for() {
    let made = Installation::empty();
    let ended = made.run(&["call", "--output", "json", "--no-such-flag"]);
    assert_eq!((ended.code, ended.error()["code"].as_str()), (2, Some("validation_failed")));
    assert_eq!(made.run(&["nonsense"]).code, 2);
    assert_eq!(made.run(&["--help"]).code, 0);
}
