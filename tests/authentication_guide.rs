//! The commands of docs/authentication.md, run as they are written.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use blackbox::{Issuer, Site, binary};
use serde_json::json;

#[test]
fn the_commands_of_the_guide_work_in_their_order() {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/authentication.md");
    let text = fs::read_to_string(guide).expect("the guide is there");
    let blocks: Vec<&str> =
        text.split("```sh\n").skip(1).map(|it| it.split("```").next().unwrap_or_default()).collect();
    assert!(blocks.len() >= 4, "the guide has its commands");
    let mut issuer = Issuer::start();
    let wanted = json!({ "client": "robot", "resource": "https://mcp.test/mcp", "scope": "mcp:read" });
    let token = issuer.token("client_credentials", wanted);
    let site = Site::empty();
    let folder = binary().parent().expect("the program stands in a folder").to_owned();
    let script = format!("set -euo pipefail\n{}", blocks.join("\n"));
    let mut shell = Command::new("bash");
    shell.args(["-x", "-c", &script]).current_dir(site.root()).stdin(Stdio::null());
    shell.env("PATH", format!("{}:/usr/bin:/bin", folder.display())).env("HOME", site.outside());
    shell.env("CORE_MCP_DATA_DIR", site.data_dir()).env("ISSUER", &issuer.url).env("TOKEN", token);
    shell.env_remove("CORE_MCP_CONFIG").env_remove("CORE_MCP_TOKEN");
    let output = shell.output().expect("bash starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stdout));
}
