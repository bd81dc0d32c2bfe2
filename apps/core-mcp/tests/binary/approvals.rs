//! Calls that wait for a human, and the queue where the human answers.

use std::fs;

use crate::installation::Installation;

/// Writing a file asks first, for whoever has the role `careful`.
const ASK_FIRST: &str = r#"
@id("careful-writes")
@approval("files of the team change")
permit (principal in Role::"careful", action, resource);
"#;

fn careful() -> (Installation, String) {
    let made = Installation::new();
    made.run(&["role", "create", "careful"]).done();
    fs::write(made.data().join("policies/careful.cedar"), ASK_FIRST).unwrap();
    let token = made.user("carol", "careful");
    (made, token)
}

#[test]
fn a_call_waits_for_one_yes_that_works_once_and_only_for_it() {
    let (made, token) = careful();
    let write = |content: &str| {
        let path = format!("file_path={}", made.work().join("new.txt").display());
        let content = format!("content={content}");
        made.run_as(&token, &["call", "desktop-commander.write_file", &path, &content, "--output", "json"])
    };
    let refused = write("first");
    let error = refused.error();
    assert_eq!((refused.code, error["code"].as_str()), (8, Some("needs_approval")), "{refused:?}");
    let ticket = error["approval"]["id"].as_str().expect("a ticket").to_owned();
    assert!(error["hints"].to_string().contains("core-mcp approval approve"), "{error}");
    assert!(!made.work().join("new.txt").exists());

    let listed = made.run_as("", &["approval", "list", "--output", "json"]).done().json();
    assert_eq!(listed[0]["id"], ticket.as_str(), "{listed}");
    assert!(listed[0]["question"].as_str().is_some_and(|it| it.contains("first")), "{listed}");

    made.run_as("", &["approval", "approve", &ticket]).done();
    assert_eq!(write("other").code, 8, "the yes was for other arguments");
    assert_eq!(write("first").code, 0);
    assert_eq!(fs::read_to_string(made.work().join("new.txt")).unwrap(), "first");
    assert_eq!(write("first").code, 8, "a yes works once");
}

#[test]
fn a_no_stays_a_no_and_nobody_says_yes_to_themselves() {
    let (made, token) = careful();
    let path = format!("file_path={}", made.work().join("new.txt").display());
    let words = ["call", "desktop-commander.write_file", &path, "content=x", "--output", "json"];
    let ticket = made.run_as(&token, &words).error()["approval"]["id"].as_str().unwrap().to_owned();
    let own = made.run_as(&token, &["approval", "approve", &ticket, "--output", "json"]);
    assert_eq!(own.code, 4, "{own:?}");
    made.run_as("", &["approval", "deny", &ticket]).done();
    assert_ne!(made.run_as("", &["approval", "approve", &ticket]).code, 0, "decided twice");
    assert_ne!(made.run_as(&token, &words).code, 0);
    assert!(!made.work().join("new.txt").exists());
}

#[test]
fn decisions_are_in_the_audit_log() {
    let (made, token) = careful();
    let path = format!("file_path={}", made.work().join("new.txt").display());
    let words = ["call", "desktop-commander.write_file", &path, "content=x", "--output", "json"];
    let ticket = made.run_as(&token, &words).error()["approval"]["id"].as_str().unwrap().to_owned();
    made.run(&["approval", "approve", &ticket]).done();
    let search = ["audit", "search", "--tool", "approval.decided", "--code", "ok", "--output", "json"];
    let found = made.run(&search).done().json();
    assert_eq!(found.as_array().map(Vec::len), Some(1), "{found}");
    assert_eq!(found[0]["detail"]["by"], "admin", "{found}");
}
