//! `config` as people and scripts use it.

use std::fs;

use crate::installation::Installation;

#[test]
fn what_is_wrong_is_said_with_place_key_and_fix() {
    let made = Installation::new();
    made.append_config("[tuning.server.desktop-comander]\nqueue = 1\n[logg]\nlevel = \"info\"");
    let ended = made.run_as("", &["config", "check", "--output", "json"]);
    assert_eq!(ended.code, 2, "{ended:?}");
    let problems = ended.json()["problems"].to_string();
    for expected in ["core.toml:", "did you mean `log`?"] {
        assert!(problems.contains(expected), "{expected} is not in {problems}");
    }
    // The same problems stop every command that needs the configuration.
    let servers = made.run(&["servers", "--output", "json"]);
    assert_eq!(servers.code, 2);
    assert!(servers.error()["hints"].to_string().contains("did you mean `log`?"), "{servers:?}");
}

#[test]
fn explain_says_where_a_value_came_from() {
    let made = Installation::new();
    let mut command = made.command("", &["config", "explain", "tuning.rate_per_minute", "--output", "json"]);
    let from_file = crate::installation::ended(&mut command).done().json();
    assert_eq!(from_file[0]["value"], 60);
    assert!(from_file[0]["origin"].as_str().is_some_and(|it| it.contains("core.toml:")), "{from_file}");
    command.env("CORE_MCP__TUNING__RATE_PER_MINUTE", "30");
    let from_variable = crate::installation::ended(&mut command).done().json();
    assert_eq!(from_variable[0]["value"], 30);
    assert_eq!(from_variable[0]["origin"], "CORE_MCP__TUNING__RATE_PER_MINUTE");
}

#[test]
fn init_writes_a_file_that_passes_its_own_check_and_replaces_none() {
    let made = Installation::empty();
    made.run(&["config", "init"]).done();
    made.run(&["config", "check"]).done();
    let text = fs::read_to_string(made.data().join("core.toml")).unwrap();
    assert!(text.contains(&made.work().display().to_string()), "the current folder is the workspace");
    assert_eq!(made.run(&["config", "init"]).code, 2);
    made.run(&["config", "init", "--force"]).done();
}

#[test]
fn the_schema_is_json_schema_with_every_server() {
    let made = Installation::empty();
    let schema = made.run(&["config", "schema"]).done().json();
    assert!(schema["properties"]["servers"]["properties"]["desktop-commander"].is_object(), "{schema}");
    assert!(schema["properties"]["tuning"].is_object());
}

#[test]
fn completions_are_there_for_every_shell() {
    let made = Installation::empty();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ended = made.run(&["completions", shell]).done();
        assert!(ended.stdout.contains("core-mcp"), "{shell}");
    }
}
