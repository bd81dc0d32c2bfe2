//! npm, pnpm and yarn.

use serde_json::json;

use crate::site::{Site, components};

const LOCK_3: &str = r#"{
  "name": "app", "version": "1.0.0", "lockfileVersion": 3, "requires": true,
  "packages": {
    "": {"name": "app", "version": "1.0.0", "workspaces": ["packages/*"],
         "dependencies": {"a": "^1.0.0", "alias": "npm:real@2.0.0"}, "devDependencies": {"tool": "1.0.0"}, "optionalDependencies": {"fs": "1"}},
    "node_modules/a": {"version": "1.0.1", "resolved": "https://registry.npmjs.org/a/-/a-1.0.1.tgz",
         "integrity": "sha512-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==",
         "license": "MIT", "hasInstallScript": true, "dependencies": {"b": "^1.0.0"}},
    "node_modules/a/node_modules/b": {"version": "1.5.0", "license": "(MIT OR Apache-2.0)"},
    "node_modules/b": {"version": "2.0.0", "deprecated": "use c", "dependencies": {"a": "*"}},
    "node_modules/alias": {"name": "real", "version": "2.0.0"},
    "node_modules/tool": {"version": "1.0.0", "dev": true, "dependencies": {"b": "2"}},
    "node_modules/fs": {"version": "1.0.0", "optional": true},
    "node_modules/@s/local": {"resolved": "packages/local", "link": true},
    "packages/local": {"name": "@s/local", "version": "0.1.0", "dependencies": {"g": "git+ssh://git@h.example/g.git#abc"}},
    "node_modules/g": {"version": "3.0.0", "resolved": "git+ssh://git@h.example/g.git#0123456789012345678901234567890123456789"}
  }
}"#;

#[tokio::test]
async fn npm_3_gives_the_whole_graph_with_nested_versions_aliases_and_workspaces() {
    let site = Site::new(&[("package-lock.json", LOCK_3), ("package.json", "{}")]).await;
    let sbom = site.sbom(".").await;
    assert_eq!(
        sbom.components(),
        [
            "npm/a@1.0.1 required",
            "npm/b@1.5.0 required",
            "npm/b@2.0.0 required",
            "npm/fs@1.0.0 optional",
            "npm/g@3.0.0?vcs_url=git%2Bssh:%2F%2Fgit%40h.example%2Fg.git%230123456789012345678901234567890123456789 required",
            "npm/real@2.0.0 required",
            "npm/tool@1.0.0 excluded",
        ]
    );
    assert_eq!(
        sbom.edges(),
        ["a > b", "app > a fs local real tool", "b > a", "local > g", "tool > b"].map(str::to_owned).to_vec()
    );
    let a = sbom.find("a");
    assert_eq!(a["licenses"], json!([{"license": {"id": "MIT", "acknowledgement": "declared"}}]));
    assert_eq!(
        (&a["hashes"][0]["alg"], &a["hashes"][0]["content"]),
        (&json!("SHA-512"), &json!("0".repeat(128)))
    );
    assert_eq!(sbom.summary()["is_complete"], true);
}

#[tokio::test]
async fn why_names_the_ways_from_the_project() {
    let site = Site::new(&[("package-lock.json", LOCK_3)]).await;
    let why = site.ok("why_dependency", json!({"target": ".", "package": "b"})).await;
    let ways: Vec<_> =
        why["matches"].as_array().unwrap().iter().map(|it| (&it["package"], &it["paths"])).collect();
    assert_eq!(ways[0], (&json!("b@1.5.0"), &json!([["app@1.0.0", "a@1.0.1", "b@1.5.0"]])));
    assert_eq!(ways[1], (&json!("b@2.0.0"), &json!([["app@1.0.0", "tool@1.0.0", "b@2.0.0"]])));
    let tree = site.ok("dependency_tree", json!({"target": ".", "depth": 1})).await;
    assert_eq!(tree["nodes"][0]["package"], "app@1.0.0");
    assert_eq!(tree["has_cycle"], false);
}

#[tokio::test]
async fn npm_1_is_read_with_nested_dependencies() {
    let lock = r#"{"name": "app", "version": "1.0.0", "lockfileVersion": 1, "dependencies": {
        "a": {"version": "1.0.0", "requires": {"b": "^1"}, "dependencies": {"b": {"version": "1.0.0"}}},
        "b": {"version": "2.0.0", "dev": true},
        "g": {"version": "git+https://h.example/g.git#0123456789012345678901234567890123456789", "from": "g@x"}}}"#;
    let sbom = Site::new(&[("npm-shrinkwrap.json", lock)]).await.sbom(".").await;
    assert_eq!(
        sbom.components(),
        [
            "npm/a@1.0.0 required",
            "npm/b@1.0.0 required",
            "npm/b@2.0.0 excluded",
            "npm/g@0123456789012345678901234567890123456789?vcs_url=git%2Bhttps:%2F%2Fh.example%2Fg.git%230123456789012345678901234567890123456789 required",
        ]
    );
    assert_eq!(sbom.edges(), ["a > b", "app > a b g"]);
}

#[tokio::test]
async fn pnpm_is_read_in_all_its_versions() {
    let five = "lockfileVersion: 5.4\nspecifiers:\n  a: ^1.0.0\ndependencies:\n  a: 1.0.0_react@18.0.0\ndevDependencies:\n  '@s/t': 2.0.0\npackages:\n  /a/1.0.0_react@18.0.0:\n    resolution: {integrity: sha512-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==}\n    dependencies:\n      b: 1.10.0\n    dev: false\n  /b/1.10.0:\n    resolution: {integrity: x}\n    requiresBuild: true\n    dev: false\n  /@s/t/2.0.0:\n    resolution: {integrity: x}\n    dev: true\n";
    let six = "lockfileVersion: '6.0'\nimporters:\n  .:\n    dependencies:\n      a:\n        specifier: ^1.0.0\n        version: 1.0.0(react@18.0.0)\n    devDependencies:\n      '@s/t':\n        specifier: 2.0.0\n        version: 2.0.0\npackages:\n  /a@1.0.0(react@18.0.0):\n    resolution: {integrity: x}\n    dependencies:\n      b: 1.10.0\n  /b@1.10.0:\n    resolution: {integrity: x}\n  /@s/t@2.0.0:\n    resolution: {integrity: x}\n    dev: true\n";
    let nine = "lockfileVersion: '9.0'\nimporters:\n  .:\n    dependencies:\n      a:\n        specifier: ^1.0.0\n        version: 1.0.0(react@18.0.0)\n    devDependencies:\n      '@s/t':\n        specifier: 2.0.0\n        version: 2.0.0\n  packages/p: {}\npackages:\n  a@1.0.0:\n    resolution: {integrity: x}\n  b@1.10.0:\n    resolution: {integrity: x}\n  '@s/t@2.0.0':\n    resolution: {integrity: x}\nsnapshots:\n  a@1.0.0(react@18.0.0):\n    dependencies:\n      b: 1.10.0\n  b@1.10.0: {}\n  '@s/t@2.0.0': {}\n";
    for (name, lock) in [("5.4", five), ("6.0", six), ("9.0", nine)] {
        let sbom = Site::new(&[("pnpm-lock.yaml", lock)]).await.sbom(".").await;
        let expected = ["npm/%40s/t@2.0.0 excluded", "npm/a@1.0.0 required", "npm/b@1.10.0 required"];
        assert_eq!(sbom.components(), expected, "{name}");
        assert!(sbom.edges().contains(&"a > b".to_owned()), "{name}");
    }
}

#[tokio::test]
async fn yarn_is_read_in_both_its_formats() {
    let classic = "# yarn lockfile v1\n\n\n\"@s/t@^2.0.0\":\n  version \"2.0.0\"\n  resolved \"https://registry.yarnpkg.com/@s/t/-/t-2.0.0.tgz#0123456789012345678901234567890123456789\"\n\na@^1.0.0, a@~1.0.0:\n  version \"1.0.0\"\n  integrity sha512-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==\n  dependencies:\n    b \"^1.0.0\"\n\nb@^1.0.0:\n  version \"1.10.0\"\n";
    let berry = "__metadata:\n  version: 8\n\n\"@s/t@npm:^2.0.0\":\n  version: 2.0.0\n  resolution: \"@s/t@npm:2.0.0\"\n  checksum: 10c0/abc\n\n\"a@npm:^1.0.0, a@npm:~1.0.0\":\n  version: 1.0.0\n  resolution: \"a@npm:1.0.0\"\n  dependencies:\n    b: \"npm:^1.0.0\"\n\n\"b@npm:^1.0.0\":\n  version: 1.10.0\n  resolution: \"b@npm:1.10.0\"\n\n\"app@workspace:.\":\n  version: 0.0.0-use.local\n  resolution: \"app@workspace:.\"\n";
    let manifest = r#"{"name": "app", "version": "1.0.0", "dependencies": {"a": "^1.0.0"}, "devDependencies": {"@s/t": "^2.0.0"}}"#;
    for lock in [classic, berry] {
        let sbom = Site::new(&[("yarn.lock", lock), ("package.json", manifest)]).await.sbom(".").await;
        assert_eq!(
            sbom.components(),
            ["npm/%40s/t@2.0.0 excluded", "npm/a@1.0.0 required", "npm/b@1.10.0 required"]
        );
        assert!(sbom.edges().contains(&"a > b".to_owned()));
    }
}

#[tokio::test]
async fn a_manifest_alone_gives_unresolved_components_and_exact_ones() {
    let manifest = r#"{"name": "app", "dependencies": {"a": "^1.0.0", "b": "1.2.3", "c": "file:../c"}, "devDependencies": {"d": "*"}}"#;
    assert_eq!(
        components(&[("package.json", manifest)]).await,
        ["npm/a required !", "npm/b@1.2.3 required", "npm/c required !", "npm/d excluded !"]
    );
}
