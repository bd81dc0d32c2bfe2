//! The workflows that are shipped.

use workflow::{Bookcase, SHIPPED, ToolCatalog, check, schema};

const CONTRACT: &str = include_str!("../../../../catalog/tests/contract.json");

#[test]
fn every_shipped_workflow_is_in_order_against_the_documented_contract() {
    // The tools of desktop-commander and others that the documents do not name are checked with the real ones
    // by the tests of the built program.
    let catalog = ToolCatalog::default().with_documented(CONTRACT).unwrap();
    let library = Bookcase { folder: None, journal: None, sticky: "" };
    assert!(SHIPPED.len() >= 12);
    for (name, text) in SHIPPED {
        let checked = check(name, text, &catalog, &library);
        let beyond = |it: &&workflow::Problem| {
            it.class.is_fault()
                && !(it.class == workflow::ProblemClass::UnknownTool
                    && it.message.contains("`desktop-commander` has no tool"))
        };
        let faults: Vec<String> = checked.problems.iter().filter(beyond).map(ToString::to_string).collect();
        assert!(faults.is_empty(), "{}", faults.join("\n"));
        assert!(text.contains(&format!("\nworkflow: {name}\n")), "{name} is called otherwise in its file");
    }
}

#[test]
fn the_schema_for_editors_is_the_real_one() {
    let written = include_str!("../../../../docs/workflow.schema.json");
    let fresh = serde_json::to_string_pretty(schema()).unwrap() + "\n";
    if written != fresh {
        let place = std::env::temp_dir().join("core-mcp-workflow.schema.json");
        std::fs::write(&place, fresh).unwrap();
        panic!("docs/workflow.schema.json is not what the language says: copy {} there", place.display());
    }
}
