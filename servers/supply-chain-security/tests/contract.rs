//! What clients of this server rely on.

use server_supply_chain_security::{SupplyChainSecurity, entry};

#[test]
fn keeps_the_contract() {
    testkit::conformance::<SupplyChainSecurity>();
}

#[test]
fn the_tools_are_the_ones_we_mean_to_offer() {
    let names: Vec<String> = (entry().specs)().into_iter().map(|it| it.name).collect();
    assert_eq!(
        names,
        [
            "generate_sbom",
            "write_sbom",
            "dependency_tree",
            "why_dependency",
            "check_vulnerabilities",
            "propose_upgrades",
            "check_licenses",
            "scan_package_behavior",
            "detect_dependency_confusion",
            "detect_typosquat",
            "diff_sbom",
            "validate_sbom",
            "convert_sbom",
            "merge_sbom",
            "create_vex",
            "verify_provenance",
            "sbom_cache_list",
            "sbom_cache_clear"
        ]
    );
}
