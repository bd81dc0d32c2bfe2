//! What clients of this server rely on.

use kernel::{Effect, ServerEntry};
use serde_json::json;
use server_security_scanner::SecurityScanner;

fn specs() -> Vec<kernel::ToolSpec> {
    (ServerEntry::of::<SecurityScanner>().specs)()
}

#[test]
fn it_keeps_the_rules_of_every_server() {
    testkit::conformance::<SecurityScanner>();
}

#[test]
fn the_tool_list_is_as_published() {
    insta::assert_json_snapshot!(specs());
}

#[test]
fn the_documented_tool_keeps_its_name_and_its_parameters() {
    let specs = specs();
    let scan = specs.iter().find(|it| it.name == "file_security_scan").unwrap();
    assert_eq!(scan.input_schema["required"], json!(["file_path", "scan_type"]));
    assert_eq!(scan.input_schema["properties"]["scan_type"]["enum"], json!(["all", "secrets", "patterns"]));
    assert_eq!(scan.input_schema["properties"]["file_path"]["type"], "string");
    assert_eq!((scan.effect, scan.open_world), (Effect::Read, false));
}

#[test]
fn the_facts_are_the_documented_ones() {
    let facts = ServerEntry::of::<SecurityScanner>().facts;
    assert_eq!((facts.name, facts.version, facts.category), ("security-scanner", "2.0.0", "Security"));
    assert!(facts.aliases.is_empty() && facts.concurrency == 3 && !facts.open_world);
}

#[test]
fn only_the_baseline_writes() {
    let writers: Vec<String> =
        specs().into_iter().filter(|it| !it.effect.is_read()).map(|it| it.name).collect();
    assert_eq!(writers, ["baseline_update"]);
}
