//! What people will really connect with: each client lists, runs a command, writes and reads a file, scans, and is
//! refused where it should be; over both doors and in both eras of the protocol where the client has them.

use blackbox::{Client, Door, Plan, Serving, Site, inspector};
use serde_json::{Value, json};

const CLIENTS: &[Client] = &[
    Client::Python("legacy"),
    Client::Python("auto"),
    Client::Python("2026-07-28"),
    Client::TypeScript("legacy"),
    Client::TypeScript("auto"),
    Client::TypeScript("2026-07-28"),
    Client::FastMcp,
];

fn tour(site: &Site) -> Plan {
    let root = site.root();
    Plan::new()
        .list()
        .call(
            "desktop-commander__execute_command",
            json!({ "command": "git log --oneline -3", "working_directory": root }),
        )
        .call(
            "desktop-commander__write_file",
            json!({ "file_path": site.path("made/by client.txt"), "content": "grüße, 世界\n" }),
        )
        .call("desktop-commander__read_file", json!({ "file_path": site.path("made/by client.txt") }))
        .call("security-scanner__file_security_scan", json!({ "file_path": root, "scan_type": "secrets" }))
        .call("desktop-commander__read_file", json!({ "file_path": "/etc/hostname" }))
}

#[track_caller]
fn check_tour(client: Client, report: &Value) {
    assert_eq!(report["connect_error"], Value::Null, "{client:?}: {report}");
    let [listed, command, written, read, scan, outside] =
        report["steps"].as_array().expect("steps").as_slice()
    else {
        panic!("{client:?}: not six steps: {report}");
    };
    check_listing(client, listed);
    for step in [command, written, read, scan] {
        assert_eq!(step["is_error"], false, "{client:?}: {step}");
        let text: Value = serde_json::from_str(step["text"].as_str().expect("text")).unwrap_or_default();
        assert_eq!(text, step["structured"], "{client:?}: the text is the structured result: {step}");
    }
    let output = command["structured"].to_string();
    assert!(output.contains("think again") && output.contains("plant a note"), "{client:?}: {command}");
    let notes = read["notes"].to_string();
    assert!(notes.contains("It is data"), "{client:?}: text from outside is not marked: {read}");
    assert!(read["structured"].to_string().contains("grüße, 世界"), "{client:?}: {read}");

    let findings = scan["structured"]["findings"].as_array().expect("findings");
    assert!(findings.iter().any(|it| it.to_string().contains("settings.py")), "{client:?}: {scan}");
    assert!(!scan.to_string().contains("Z7QK2MB4VN3XWJ5H"), "{client:?}: the secret itself is shown: {scan}");
    let progress = scan["progress"].as_array().expect("progress");
    assert!(!progress.is_empty(), "{client:?}: no progress was heard: {scan}");
    let done: Vec<f64> = progress.iter().filter_map(|it| it[0].as_f64()).collect();
    assert!(done.is_sorted() && done.len() == progress.len(), "{client:?}: progress goes back: {progress:?}");

    assert_eq!(outside["is_error"], true, "{client:?}: {outside}");
    let said = outside["text"].as_str().expect("text");
    assert!(said.starts_with("validation_failed: "), "{client:?}: {said}");
    assert!(said.contains("\nhint: "), "{client:?}: a refusal says what would help: {said}");
}

#[track_caller]
fn check_listing(client: Client, listed: &Value) {
    let tools = listed["tools"].as_array().unwrap_or_else(|| panic!("{client:?}: {listed}"));
    for tool in tools {
        let name = tool["name"].as_str().expect("a name");
        let is_wire_name = |it: char| it.is_ascii_alphanumeric() || it == '_' || it == '-';
        assert!(name.len() <= 64 && name.chars().all(is_wire_name), "{client:?}: {name}");
        assert!(tool["output_schema"]["type"] == "object", "{client:?}: {tool}");
        assert!(tool["annotations"].is_object(), "{client:?}: {tool}");
    }
    for name in [
        "desktop-commander__execute_command",
        "desktop-commander__read_file",
        "desktop-commander__write_file",
        "security-scanner__file_security_scan",
    ] {
        assert!(tools.iter().any(|it| it["name"] == name), "{client:?}: {name} is not listed");
    }
}

#[track_caller]
fn over_http(client: Client) {
    let site = Site::new();
    let serving = site.serve();
    let report = tour(&site).run(client, Door::Http(&serving), &site.admin);
    check_tour(client, &report);
    check_era(client, &report);
    let wrong = Plan::new().list().run(client, Door::Http(&serving), "cmcp_wrong");
    let is_refused = wrong["connect_error"].is_string() || wrong["steps"][0]["error"].is_string();
    assert!(is_refused, "{client:?}: a wrong token is let in: {wrong}");
}

#[track_caller]
fn over_stdio(client: Client) {
    let site = Site::new();
    let report = tour(&site).run(client, Door::Stdio(&site), &site.admin);
    check_tour(client, &report);
    check_era(client, &report);
    let wrong = Plan::new().list().run(client, Door::Stdio(&site), "cmcp_wrong");
    let is_refused = wrong["connect_error"].is_string() || wrong["steps"][0]["error"].is_string();
    assert!(is_refused, "{client:?}: a wrong token is let in: {wrong}");
}

/// `legacy` means a revision with a handshake; the others end with the newest.
#[track_caller]
fn check_era(client: Client, report: &Value) {
    let expected = match client {
        Client::Python("legacy") | Client::TypeScript("legacy") => "2025-11-25",
        Client::Python(_) | Client::TypeScript(_) => "2026-07-28",
        Client::FastMcp => return,
    };
    assert_eq!(report["protocol"], expected, "{client:?}");
}

/// One test per client and door, so that a failure names both.
macro_rules! every_client {
    ($($name:ident: $index:literal),* $(,)?) => {
        mod http {
            $(#[test] fn $name() { super::over_http(super::CLIENTS[$index]); })*
        }
        mod stdio {
            $(#[test] fn $name() { super::over_stdio(super::CLIENTS[$index]); })*
        }
        #[test]
        fn no_client_is_left_out() {
            assert_eq!([$($index),*].len(), CLIENTS.len());
        }
    };
}

every_client! {
    python_legacy: 0,
    python_auto: 1,
    python_modern: 2,
    typescript_legacy: 3,
    typescript_auto: 4,
    typescript_modern: 5,
    fastmcp: 6,
}

#[test]
fn the_inspector_lists_calls_and_is_refused() {
    let site = Site::new();
    let serving = site.serve();
    for era in ["legacy", "modern"] {
        check_inspector(&site, &serving, era);
    }
    let wrong = inspector(&site, &serving, "cmcp_wrong", &["--method", "tools/list"]);
    assert_eq!(wrong.code, 3, "the Inspector's code for a missing login: {wrong:?}");
}

#[track_caller]
fn check_inspector(site: &Site, serving: &Serving, era: &str) {
    let run =
        |args: &[&str]| inspector(site, serving, &site.admin, &[&["--protocol-era", era], args].concat());
    // Strict: exit code 6 when a schema is not portable between model providers.
    let listed = run(&["--method", "tools/list", "--strict"]).ok();
    assert!(listed.stdout.contains("desktop-commander__execute_command"), "{era}: {listed:?}");
    assert!(!listed.stderr.contains("portability"), "{era}: {listed:?}");

    let path = format!("file_path={}", site.path("note.txt"));
    let read =
        run(&["--method", "tools/call", "--tool-name", "desktop-commander__read_file", "--tool-arg", &path]);
    assert!(read.ok().stdout.contains("a note"), "{era}");
}

#[test]
fn one_servers_route_has_bare_names() {
    let site = Site::new();
    let serving = site.serve();
    let door = Door::Route(&serving, "/mcp/desktop-commander");
    let report = Plan::new().list().run(Client::Python("auto"), door, &site.admin);
    let tools = report["steps"][0]["tools"].as_array().unwrap_or_else(|| panic!("{report}")).clone();
    let names: Vec<&str> = tools.iter().filter_map(|it| it["name"].as_str()).collect();
    assert!(names.contains(&"execute_command"), "{names:?}");
    assert!(names.iter().all(|it| !it.contains("__")), "{names:?}");
}
