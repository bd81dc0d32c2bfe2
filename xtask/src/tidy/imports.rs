//! Imports point inwards, and versions are chosen in one place.

use std::path::Path;

use serde_json::Value;

use super::Findings;

/// Who may depend on whom, by top folder. What is not listed is forbidden. Tests are not counted.
const ROOMS: &[(&str, &[&str])] = &[
    ("kernel", &["kernel"]),
    ("servers", &["kernel"]),
    ("catalog", &["kernel", "servers"]),
    ("platform", &["kernel", "platform"]),
    ("apps", &["kernel", "catalog", "platform"]),
    ("xtask", &[]),
    ("tests", &["kernel", "platform"]),
];

/// The finer order inside a room. A crate that is not listed may use no crate of its own room.
const INSIDE: &[(&str, &[&str])] = &[
    ("guard", &["kernel"]),
    ("protocol", &["kernel"]),
    ("pipeline", &["kernel"]),
    ("testkit", &["kernel", "pipeline", "protocol"]),
    ("credentials", &["fetch", "vault"]),
    ("identity", &["fetch", "store"]),
    ("policy", &["store"]),
    ("audit", &["store"]),
    ("transport", &["store"]),
    ("vault", &["store"]),
    ("workflow", &["store"]),
];

/// Crates of the tests that are programs on our own stack. The others drive the built binary from outside.
const FIXTURES: &[&str] = &["everything"];

/// What a server author sees. Everything else of the kernel is for doors and the road.
const FOR_SERVERS: &[&str] = &["kernel", "guard", "sandbox"];

pub(super) fn check(metadata: &Value, findings: &mut Findings) {
    let root = metadata["workspace_root"].as_str().unwrap_or_default();
    for package in array(&metadata["packages"]) {
        let name = text(&package["name"]);
        let from = room(root, text(&package["manifest_path"]));
        for dependency in array(&package["dependencies"]) {
            let to_name = text(&dependency["name"]);
            match dependency["path"].as_str() {
                Some(path) if dependency["kind"] != "dev" => {
                    let to = room(root, path);
                    if !may_use(from, name, to, to_name) {
                        findings.push(format!("{from}: `{name}` may not depend on `{to_name}` ({to})"));
                    }
                }
                _ => {}
            }
        }
    }
}

fn may_use(from: &str, from_name: &str, to: &str, to_name: &str) -> bool {
    let rooms = ROOMS.iter().find(|(it, _)| *it == from).map_or(&[] as &[&str], |(_, rooms)| rooms);
    if !rooms.contains(&to) || (from == "tests" && !FIXTURES.contains(&from_name)) {
        return false;
    }
    if from == to {
        let inside =
            INSIDE.iter().find(|(it, _)| *it == from_name).map_or(&[] as &[&str], |(_, names)| names);
        return inside.contains(&to_name);
    }
    from != "servers" || FOR_SERVERS.contains(&to_name)
}

fn room<'a>(root: &str, path: &'a str) -> &'a str {
    let inside = Path::new(path).strip_prefix(root).ok();
    inside.and_then(|it| it.iter().next()).and_then(|it| it.to_str()).unwrap_or("outside")
}

fn array(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Whether the crate at the first path may depend on the crate at the second.
    fn allowed(from: &str, to: &str) -> bool {
        let name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
        let metadata = json!({ "workspace_root": "/w", "packages": [{
            "name": name(from), "manifest_path": format!("/w/{from}/Cargo.toml"),
            "dependencies": [{ "name": name(to), "path": format!("/w/{to}"), "kind": null }],
        }]});
        let mut findings = Findings::new();
        check(&metadata, &mut findings);
        findings.is_empty()
    }

    #[test]
    fn imports_point_inwards() {
        assert!(allowed("servers/docker-manager", "kernel/kernel"));
        assert!(allowed("servers/docker-manager", "kernel/guard"));
        assert!(allowed("kernel/testkit", "kernel/pipeline"));
        assert!(allowed("platform/identity", "platform/store"));
        assert!(allowed("platform/transport", "kernel/protocol"));
        assert!(allowed("catalog", "servers/docker-manager"));
        assert!(allowed("apps/core-mcp", "platform/store"));
        assert!(allowed("tests/everything", "platform/transport"));

        assert!(!allowed("servers/docker-manager", "servers/slack"));
        assert!(!allowed("servers/docker-manager", "platform/store"));
        assert!(!allowed("servers/docker-manager", "kernel/pipeline"));
        assert!(!allowed("kernel/kernel", "kernel/guard"));
        assert!(!allowed("kernel/pipeline", "kernel/testkit"));
        assert!(!allowed("kernel/pipeline", "platform/policy"));
        assert!(!allowed("platform/store", "platform/identity"));
        assert!(!allowed("platform/policy", "platform/identity"));
        assert!(!allowed("platform/transport", "catalog"));
        assert!(!allowed("apps/core-mcp", "servers/slack"));
        assert!(!allowed("xtask", "catalog"));
        assert!(!allowed("tests", "kernel/kernel"));
        assert!(!allowed("tests/everything", "servers/slack"));
        assert!(!allowed("new-room/thing", "kernel/kernel"));
    }

    #[test]
    fn tests_may_use_what_they_like() {
        let metadata = json!({ "workspace_root": "/w", "packages": [{
            "name": "pipeline", "manifest_path": "/w/kernel/pipeline/Cargo.toml",
            "dependencies": [{ "name": "testkit", "path": "/w/kernel/testkit", "kind": "dev" }],
        }]});
        let mut findings = Findings::new();
        check(&metadata, &mut findings);
        assert_eq!(findings, Findings::new());
    }
}
