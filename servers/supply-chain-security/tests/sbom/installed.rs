//! Installed trees, caches of package managers, and what they say about licences.

use serde_json::json;
use tempfile::TempDir;

use crate::site::{Site, components, write};

#[tokio::test]
async fn installed_packages_give_licences_and_disagree_with_the_lock_file() {
    let lock = r#"{"lockfileVersion": 3, "packages": {"": {"dependencies": {"a": "1"}}, "node_modules/a": {"version": "1.0.0"}}}"#;
    let site = Site::new(&[
        ("package-lock.json", lock),
        (
            "node_modules/a/package.json",
            r#"{"name": "a", "version": "1.0.0", "license": "ISC", "scripts": {"postinstall": "node x"}}"#,
        ),
        ("node_modules/a/test/package.json", r#"{"name": "fixture", "version": "9.9.9"}"#),
        ("node_modules/stray/package.json", r#"{"name": "stray", "version": "6.6.6", "license": "MIT"}"#),
    ])
    .await;
    let sbom = site.sbom(".").await;
    assert_eq!(sbom.components(), ["npm/a@1.0.0 required", "npm/stray@6.6.6 required"]);
    assert_eq!(sbom.find("a")["licenses"][0]["license"]["id"], "ISC");
    assert_eq!(
        sbom.summary()["disagreements"],
        json!(["stray@6.6.6 is installed at node_modules/stray/package.json and not in the lock file"])
    );
    let signals = site.ok("scan_package_behavior", json!({"target": "."})).await;
    assert_eq!(signals["counts"]["install_script"], 1);
}

#[tokio::test]
async fn site_packages_vendored_crates_modules_and_gems_are_inventories() {
    let metadata =
        "Metadata-Version: 2.1\nName: Foo\nVersion: 1.0\nLicense-Expression: MIT\nRequires-Dist: bar\n\nText";
    assert_eq!(
        components(&[
            ("venv/lib/python3.11/site-packages/foo-1.0.dist-info/METADATA", metadata),
            ("venv/lib/python3.11/site-packages/bar-2.0.dist-info/METADATA", "Name: bar\nVersion: 2.0\n"),
            ("vendor/x/.cargo-checksum.json", r#"{"files": {}, "package": null}"#),
            ("vendor/x/Cargo.toml", "[package]\nname = \"x\"\nversion = \"0.1.0\"\nlicense = \"MIT/Apache-2.0\"\n"),
            ("vendor/modules.txt", "# github.com/a/b v1.0.0\n## explicit\ngithub.com/a/b\n# c.d/e => f.g/h v2.0.0\n"),
            ("vendor/composer/installed.json", r#"{"packages": [{"name": "v/a", "version": "1.0.0"}]}"#),
            ("gems/specifications/z-1.2.gemspec", "Gem::Specification.new do |s|\n  s.name = \"z\".freeze\n  s.version = \"1.2\"\n  s.licenses = [\"MIT\".freeze]\nend\n"),
        ])
        .await,
        [
            "cargo/x@0.1.0 required",
            "composer/v/a@1.0.0 required",
            "gem/z@1.2 required",
            "golang/f.g/h@v2.0.0 required",
            "golang/github.com/a/b@v1.0.0 required",
            "pypi/bar@2.0 required",
            "pypi/foo@1.0 required",
        ]
    );
}

#[tokio::test]
async fn licences_come_from_the_caches_of_package_managers() {
    let caches = TempDir::new().unwrap();
    let mit =
        "Permission is hereby granted, free of charge, to any person … THE SOFTWARE IS PROVIDED \"AS IS\"";
    for (path, text) in [
        (
            "cargo/index-1/a-1.0.0/Cargo.toml",
            "[package]\nname = \"a\"\nversion = \"1.0.0\"\nlicense = \"MIT OR Apache-2.0\"\n",
        ),
        ("python/b_x-2.0.dist-info/METADATA", "Name: b.x\nVersion: 2.0\nLicense: BSD-3-Clause\n"),
        (
            "m2/g/h/k/3.0/k-3.0.pom",
            "<project><licenses><license><name>Apache-2.0</name></license></licenses></project>",
        ),
        ("go/github.com/!big/mod@v1.0.0/LICENSE", mit),
    ] {
        write(caches.path(), path, text.as_bytes());
    }
    let folders: Vec<_> = ["cargo", "python", "m2", "go"].iter().map(|it| caches.path().join(it)).collect();
    let site = Site::with(json!({"package_caches": folders}), &[
        ("Cargo.lock", "version = 4\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\n"),
        ("requirements.txt", "B.x==2.0\nunknown==1.0\n"),
        ("gradle.lockfile", "g.h:k:3.0=runtimeClasspath\n"),
        ("go.mod", "module m\ngo 1.21\nrequire github.com/Big/mod v1.0.0\n"),
    ])
    .await;
    let result = site
        .ok("check_licenses", json!({"target": ".", "allow": ["MIT", "Apache-2.0"], "deny": ["copyleft"]}))
        .await;
    assert_eq!(
        result["counts"],
        json!({"Apache-2.0": 1, "BSD-3-Clause": 1, "MIT": 1, "MIT OR Apache-2.0": 1, "unknown": 1})
    );
    assert_eq!(
        (&result["verdict"], &result["violations"][0]["package"]),
        (&json!("violations"), &json!("b-x@2.0"))
    );
    assert_eq!(
        (&result["unknown_count"], &result["unknown"][0]["package"]),
        (&json!(1), &json!("unknown@1.0"))
    );
}
