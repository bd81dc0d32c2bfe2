//! Users, roles, tokens, policies, contexts and the audit log.

use std::fs;

use serde_json::Value;

use crate::installation::Installation;

#[test]
fn a_token_works_until_it_is_revoked_and_its_holder_until_disabled() {
    let made = Installation::new();
    let token = made.user("alice", "viewer");
    let works = |token: &str| made.run_as(token, &["servers"]).code;
    assert_eq!(works(&token), 0);
    made.run(&["user", "disable", "alice"]).done();
    assert_eq!(works(&token), 3);
    made.run(&["user", "enable", "alice"]).done();
    assert_eq!(works(&token), 0);
    let tokens = made.run(&["token", "list", "alice", "--output", "json"]).done();
    assert!(!tokens.stdout.contains(&token), "a list never shows a token");
    let id = tokens.json()[0]["id"].as_str().unwrap().to_owned();
    let rotated = made.run(&["token", "rotate", &id, "--overlap", "0", "--output", "json"]).done().json();
    assert_eq!(works(&token), 3, "no overlap was asked for");
    let successor = rotated["token"].as_str().unwrap();
    assert_eq!(works(successor), 0);
    made.run(&["token", "revoke", rotated["id"].as_str().unwrap()]).done();
    assert_eq!(works(successor), 3);
}

#[test]
fn a_token_is_alone_on_stdout() {
    let made = Installation::new();
    let ended = made.run(&["token", "create", "admin", "--label", "laptop"]).done();
    let token = ended.stdout.trim();
    assert!(!token.contains(char::is_whitespace) && !ended.stderr.contains(token), "{ended:?}");
    made.run_as(token, &["servers"]).done();
}

#[test]
fn mistakes_are_refused_with_a_way_out() {
    let made = Installation::new();
    let check = |words: &[&str], code: i32, hint: &str| {
        let ended = made.run(&[words, &["--output", "json"]].concat());
        assert_eq!(ended.code, code, "{words:?} {ended:?}");
        assert!(ended.error().to_string().contains(hint), "{words:?} {ended:?}");
    };
    check(&["user", "create", "bob", "--role", "viewr"], 2, "did you mean `viewer`?");
    check(&["user", "create", "Bob"], 2, "a-z");
    check(&["user", "create", "admin"], 2, "taken");
    check(&["user", "disable", "admin"], 2, "another admin");
    check(&["token", "create", "nobody-here"], 1, "user list");
    check(&["token", "create", "admin", "--days", "4000"], 2, "365");
    check(&["role", "delete", "viewer"], 2, "built");
    check(
        &["policy", "explain", "--role", "viewer", "--tool", "desktop-commander.read_fil"],
        2,
        "did you mean `read_file`?",
    );
    assert_eq!(made.run(&["user", "show", "bob"]).code, 1, "a refused user was not made");
}

#[test]
fn every_change_is_recorded_and_the_log_verifies() {
    let made = Installation::new();
    made.user("alice", "viewer");
    made.run(&["role", "grant", "alice", "operator"]).done();
    made.run(&["user", "delete", "alice"]).done();
    made.run(&["user", "disable", "admin"]);
    let found = made.run(&["audit", "search", "--phase", "event", "--output", "json"]).done().json();
    let events: Vec<&str> = found.as_array().unwrap().iter().filter_map(|it| it["tool"].as_str()).collect();
    for event in ["user.created", "token.created", "role.granted", "user.deleted", "user.disabled"] {
        assert!(events.contains(&event), "{event} is not in {events:?}");
    }
    let codes = |event: &str| {
        let of_event = found.as_array().unwrap().iter().filter(|it| it["tool"] == event);
        of_event.map(|it| it["code"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(codes("role.granted"), ["ok", "started"], "newest first: recorded before and after");
    let refused = found.as_array().unwrap().iter().find(|it| it["tool"] == "user.disabled").unwrap();
    assert_eq!(refused["code"], "validation_failed", "a refused change is recorded as such");
    assert!(refused["principal"].as_str().is_some_and(|it| it.starts_with("local:uid-")), "{refused}");
    let report = made.run(&["audit", "verify", "--output", "json"]).done().json();
    assert_eq!((&report["ok"], &report["first_bad"]), (&Value::Bool(true), &Value::Null), "{report}");
    assert!(report["records"].as_u64() > Some(5));
}

#[test]
fn a_changed_record_is_found_and_the_exit_code_says_so() {
    let made = Installation::new();
    made.user("alice", "viewer");
    let database = made.data().join("audit.db");
    let mut bytes = fs::read(&database).unwrap();
    let at = bytes.windows(5).rposition(|it| it == b"alice").expect("alice is in the log");
    bytes[at..at + 5].copy_from_slice(b"mallo");
    fs::write(&database, bytes).unwrap();
    let ended = made.run(&["audit", "verify", "--output", "json"]);
    assert_eq!(ended.code, 1, "{ended:?}");
    let report = ended.json();
    assert_eq!(report["ok"], false);
    assert!(report["first_bad"]["seq"].is_i64(), "{report}");
}

#[test]
fn denied_calls_can_be_found_and_exported() {
    let made = Installation::new();
    let viewer = made.user("vera", "viewer");
    let path = format!("file_path={}", made.work().join("x").display());
    made.run_as(&viewer, &["call", "desktop-commander.write_file", &path, "content=hunter2"]);
    made.run_as("not-a-token", &["servers"]);
    let search = [
        "audit",
        "search",
        "--principal",
        "vera",
        "--code",
        "permission_denied",
        "--since",
        "1h",
        "--output",
        "json",
    ];
    let found = made.run(&search).done().json();
    assert_eq!(found[0]["tool"], "write_file", "{found}");
    let refused = made.run(&["audit", "search", "--tool", "auth.refused", "--output", "json"]).done().json();
    assert_eq!(refused.as_array().map(Vec::len), Some(1), "{refused}");
    for format in ["jsonl", "ocsf"] {
        let to = made.folder().join(format);
        made.run(&["audit", "export", "--format", format, "--to", to.to_str().unwrap()]).done();
        let text = fs::read_to_string(&to).unwrap();
        assert!(text.lines().count() > 3 && text.lines().all(|it| serde_json::from_str::<Value>(it).is_ok()));
        let again = made.run(&["audit", "export", "--format", format, "--to", to.to_str().unwrap()]);
        assert_ne!(again.code, 0, "an export replaces no file");
    }
    let tail = made.run(&["audit", "tail", "-n", "2", "--output", "jsonl"]).done().stdout;
    assert_eq!(tail.lines().count(), 2);
    made.run(&["audit", "retain", "--records", "3"]).done();
    made.run(&["audit", "verify"]).done();
}

#[test]
fn policy_says_what_would_happen_and_why() {
    let made = Installation::new();
    made.user("vera", "viewer");
    made.run(&["policy", "check"]).done();
    made.run(&["policy", "test"]).done();
    let explain = |words: &[&str]| {
        made.run(&[&["policy", "explain", "--output", "json"], words].concat()).done().json()
    };
    assert_eq!(explain(&["--principal", "vera", "--tool", "desktop-commander.read_file"])["allowed"], true);
    assert_eq!(explain(&["--user", "vera", "--tool", "desktop-commander.write_file"])["allowed"], false);
    assert_eq!(explain(&["--role", "admin", "--tool", "desktop-commander.write_file"])["allowed"], true);
    fs::write(made.data().join("policies/broken.cedar"), "permit (principal").unwrap();
    let checked = made.run(&["policy", "check", "--output", "json"]);
    assert_eq!((checked.code, &checked.json()["ok"]), (2, &Value::Bool(false)), "{checked:?}");
    assert_eq!(made.run(&["servers"]).code, 2, "nothing runs on policies that do not load");
}

#[test]
fn a_context_limits_what_its_calls_may_use_and_remembers_them() {
    let made = Installation::new();
    made.run(&["context", "create", "deploy-42", "--server", "security-scanner"]).done();
    let path = format!("file_path={}", made.work().join("hello.txt").display());
    let call = ["call", "desktop-commander.read_file", &path, "--context", "deploy-42"];
    assert_ne!(made.run(&call).code, 0, "the server is not enabled");
    made.run(&["context", "enable", "deploy-42", "desktop-commander"]).done();
    made.run(&call).done();
    let shown = made.run(&["context", "show", "deploy-42", "--output", "json"]).done().json();
    assert_eq!(shown["servers"], serde_json::json!(["desktop-commander", "security-scanner"]));
    assert!(shown["history"].to_string().contains("desktop-commander.read_file"), "{shown}");
    let tools = made.run(&["tools", "--context", "deploy-42", "--output", "json"]).done().json();
    assert!(!tools.as_array().unwrap().is_empty());
    let stranger = made.user("vera", "viewer");
    assert_ne!(made.run_as(&stranger, &["context", "show", "deploy-42"]).code, 0);
    made.run(&["context", "disable", "deploy-42", "desktop-commander"]).done();
    assert_ne!(made.run(&call).code, 0);
    made.run(&["context", "delete", "deploy-42"]).done();
    assert_eq!(made.run(&["context", "list", "--output", "json"]).done().json(), serde_json::json!([]));
}

#[test]
fn somebody_elses_data_directory_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let made = Installation::new();
    fs::set_permissions(made.data(), fs::Permissions::from_mode(0o777)).unwrap();
    let ended = made.run(&["user", "list", "--output", "json"]);
    assert_eq!(ended.code, 1, "{ended:?}");
    let doctor = made.run(&["doctor", "--output", "json"]);
    assert_eq!((doctor.code, &doctor.json()["ok"]), (1, &Value::Bool(false)), "{doctor:?}");
}
