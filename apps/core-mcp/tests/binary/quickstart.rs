//! The first run, the second run, and what each leaves behind.

use std::{fs, os::unix::fs::PermissionsExt};

use serde_json::Value;

use crate::installation::Installation;

#[test]
fn the_first_run_makes_everything_and_prints_one_object() {
    let made = Installation::empty();
    // Put together here, so that scanners of this very file stay quiet.
    let planted = format!("AKIA{}", "5XQ7GZ2TNW4LKRUB");
    fs::write(made.work().join("settings.py"), format!("aws_key = \"{planted}\"\n")).unwrap();
    let ended = made.quickstart().done();
    let all = ended.json();
    assert!(all["token"].as_str().is_some_and(|it| it.len() > 30));
    assert_eq!(all["url"], "http://127.0.0.1:7332/mcp");
    assert_eq!(all["data_dir"], made.data().canonicalize().unwrap().display().to_string());
    assert!(all["report"]["coverage"]["files"].as_u64() >= Some(2), "{}", all["report"]);
    assert_eq!(all["report"]["findings"][0]["location"]["path"], "settings.py", "{}", all["report"]);
    assert!(!ended.stdout.contains(&planted), "a finding shows a masked secret only");
    assert_eq!(fs::metadata(made.data()).unwrap().permissions().mode() & 0o777, 0o700);
    let token = all["token"].as_str().unwrap();
    assert!(!ended.stderr.contains(token), "a token is printed once, on stdout");
}

#[test]
fn the_second_run_keeps_what_is_there_and_makes_a_fresh_token() {
    let made = Installation::new();
    let path = made.data().join("core.toml");
    let edited = fs::read_to_string(&path).unwrap().replace("rate_per_minute = 60", "rate_per_minute = 33");
    fs::write(&path, &edited).unwrap();
    fs::remove_file(made.data().join("policies/viewer.cedar")).unwrap();
    let second = made.quickstart().done().json();
    assert_ne!(second["token"], made.token);
    assert_eq!(fs::read_to_string(&path).unwrap(), edited);
    assert!(!made.data().join("policies/viewer.cedar").exists(), "a deleted policy stays deleted");
    let words = ["servers", "--output", "json"];
    made.run(&words).done();
    made.run_as(second["token"].as_str().unwrap(), &words).done();
}

#[test]
fn people_get_a_report_and_snippets_for_their_clients() {
    let made = Installation::empty();
    let ended = made.run(&["quickstart", "--no-serve", "--yes"]).done();
    for expected in
        ["scanned ", "CORE_MCP_TOKEN", "Claude Code", "Claude Desktop", "VS Code", "Cursor", "/mcp"]
    {
        assert!(ended.stdout.contains(expected), "{expected} is not in\n{}", ended.stdout);
    }
    assert!(!ended.stdout.contains('\u{1b}'), "no colour without a terminal");
}

#[test]
fn it_goes_on_serving_and_a_second_one_finds_it() {
    let made = Installation::empty();
    let words = ["quickstart", "--port", "0", "--yes", "--output", "json"];
    let mut server = made.start(&words);
    let all: Value = serde_json::from_str(&server.first).unwrap();
    let (token, url) = (all["token"].as_str().unwrap(), all["url"].as_str().unwrap());
    let path = format!("file_path={}", made.work().join("hello.txt").display());
    made.run_as(token, &["call", "desktop-commander.read_file", &path, "--url", url]).done();
    let kept = fs::read_to_string(made.data().join("core.toml")).unwrap();
    assert!(kept.contains("listen = \"127.0.0.1:7332\""), "a port for once is not kept");
    let second = made.run(&words).done().json();
    assert_eq!(second["url"], url, "whoever serves already goes on");
    server.signal(rustix::process::Signal::TERM);
    assert_eq!(server.wait(std::time::Duration::from_secs(15)), Some(0));
}

#[test]
fn without_a_scanner_there_is_still_a_token_and_the_exit_code_says_what_failed() {
    let made = Installation::empty();
    let ended = crate::installation::ended(
        made.command("", &["quickstart", "--no-serve", "--yes", "--output", "json"])
            .env("CORE_MCP__SERVERS__SECURITY_SCANNER__ENABLED", "false"),
    );
    assert_eq!(ended.code, 1, "{ended:?}");
    let all = ended.json();
    assert_eq!(all["report"]["error"]["code"], "unavailable", "{all}");
    made.run_as(all["token"].as_str().unwrap(), &["servers"]).done();
}

#[test]
fn the_data_goes_where_the_system_keeps_data() {
    let made = Installation::empty();
    let mut command = made.command("", &["quickstart", "--no-serve", "--yes", "--output", "json"]);
    command.env_remove("CORE_MCP_DATA_DIR").env("XDG_DATA_HOME", made.folder().join("xdg"));
    crate::installation::ended(&mut command).done();
    assert!(made.folder().join("xdg/core-mcp/core.toml").exists());
}

#[test]
fn a_folder_that_is_not_there_is_a_usage_error() {
    let made = Installation::empty();
    let ended = made.run(&["quickstart", "--target", "/nowhere/at/all", "--no-serve"]);
    assert_eq!(ended.code, 2, "{ended:?}");
    assert!(!made.data().exists());
}

#[test]
fn the_data_directory_cannot_be_read_or_changed_by_tools_even_under_a_root() {
    let made = Installation::empty();
    let data = made.work().join("inside");
    let words = ["quickstart", "--target", ".", "--no-serve", "--yes", "--output", "json", "--data-dir"];
    let token = made.run(&[&words[..], &[data.to_str().unwrap()]].concat()).done().json()["token"].take();
    for file in ["core.toml", "keys", "audit.db"] {
        let path = format!("file_path={}", data.join(file).display());
        let ended = made.run_as(
            token.as_str().unwrap(),
            &[
                "call",
                "desktop-commander.read_file",
                &path,
                "--data-dir",
                data.to_str().unwrap(),
                "--output",
                "json",
            ],
        );
        assert_ne!(ended.code, 0, "{file} could be read: {ended:?}");
    }
}
