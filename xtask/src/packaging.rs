//! What is shipped says the same everywhere, in the shapes that the registry and the bundle format document.

use serde_json::Value;

const SERVER: &str = include_str!("../../packaging/server.json");
const BUNDLE: &str = include_str!("../../packaging/mcpb/manifest.json");
const IMAGE: &str = include_str!("../../packaging/Containerfile");

fn read(text: &str) -> Value {
    serde_json::from_str(text).expect("it is JSON")
}

/// Whether an object has these members, all of them texts that say something.
fn has_texts(object: &Value, names: &[&str]) -> bool {
    names.iter().all(|name| object[*name].as_str().is_some_and(|text| !text.trim().is_empty()))
}

#[test]
fn the_registry_entry_has_the_documented_shape() {
    let server = read(SERVER);
    assert!(has_texts(&server, &["$schema", "name", "title", "description", "version"]));
    assert!(server["description"].as_str().is_some_and(|it| it.len() <= 100));
    let name = server["name"].as_str().expect("a name");
    let (owner, own) = name.split_once('/').expect("an owner and a name");
    assert!(owner.starts_with("io.github.") && !own.contains('/'));
    assert!(has_texts(&server["repository"], &["url", "source"]));
    for package in server["packages"].as_array().expect("packages") {
        assert!(
            ["npm", "pypi", "nuget", "oci", "mcpb"]
                .contains(&package["registryType"].as_str().expect("a type"))
        );
        assert!(has_texts(package, &["identifier"]) && has_texts(&package["transport"], &["type"]));
        if package["registryType"] == "mcpb" {
            assert!(package["fileSha256"].as_str().is_some_and(|it| it.len() == 64), "a bundle has a digest");
        }
        for variable in package["environmentVariables"].as_array().expect("variables") {
            assert!(has_texts(variable, &["name", "description"]));
            let secret = variable["name"].as_str().is_some_and(|it| it.ends_with("TOKEN"));
            assert_eq!(variable["isSecret"] == true, secret, "{variable}");
        }
    }
    for remote in server["remotes"].as_array().expect("remotes") {
        assert_eq!(remote["type"], "streamable-http");
        let url = remote["url"].as_str().expect("a url");
        assert!(url.starts_with("https://"));
        for name in remote["variables"].as_object().expect("variables").keys() {
            assert!(url.contains(&format!("{{{name}}}")), "{name} is not in {url}");
        }
        assert!(remote["headers"].as_array().expect("headers").iter().all(|it| it["isSecret"] == true));
    }
}

#[test]
fn the_bundle_has_the_documented_shape() {
    let bundle = read(BUNDLE);
    assert!(has_texts(&bundle, &["manifest_version", "name", "version", "description"]));
    assert!(has_texts(&bundle["author"], &["name"]));
    let server = &bundle["server"];
    assert_eq!(server["type"], "binary");
    let entry = server["entry_point"].as_str().expect("an entry point");
    let config = &server["mcp_config"];
    assert_eq!(config["command"], format!("${{__dirname}}/{entry}"));
    let settings = bundle["user_config"].as_object().expect("settings");
    for value in config["env"].as_object().expect("variables").values() {
        let text = value.as_str().expect("a text");
        let name = text.strip_prefix("${user_config.").and_then(|it| it.strip_suffix('}'));
        assert!(name.is_some_and(|it| settings.contains_key(it)), "{text} names no setting");
    }
    assert!(settings.values().all(|it| has_texts(it, &["type", "title", "description"])));
    assert_eq!(settings["token"]["sensitive"], true);
}

#[test]
fn everything_shipped_has_one_name_and_the_workspaces_version() {
    let (server, version) = (read(SERVER), env!("CARGO_PKG_VERSION"));
    assert_eq!((&server["version"], &read(BUNDLE)["version"]), (&version.into(), &version.into()));
    let identifier = server["packages"][0]["identifier"].as_str().expect("an identifier");
    assert!(identifier.ends_with(&format!(":{version}")));
    assert!(IMAGE.contains(&format!("ARG VERSION={version}\n")));
    let name = server["name"].as_str().expect("a name");
    assert!(IMAGE.contains(&format!("io.modelcontextprotocol.server.name=\"{name}\"")));
    assert!(IMAGE.contains("\nUSER core\n"), "nothing runs as root");
}
