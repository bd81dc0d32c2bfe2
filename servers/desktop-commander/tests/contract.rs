//! What clients see of this server. Documented parameters are held by `catalog/tests/contract.rs`.

use server_desktop_commander::{DesktopCommander, entry};

#[test]
fn keeps_the_contract() {
    testkit::conformance::<DesktopCommander>();
}

#[test]
fn the_tools_are_the_ones_we_promise() {
    insta::assert_json_snapshot!((entry().specs)());
}
