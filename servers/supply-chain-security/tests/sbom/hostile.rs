//! Files that mean harm: bounded, reported with their path, and the scan goes on.

use std::os::unix::fs::symlink;

use serde_json::{Value, json};

use crate::site::Site;

const FINE: (&str, &str) = ("fine/go.mod", "module m\ngo 1.21\nrequire a.b/c v1.0.0\n");

/// Scans a folder with one bad file beside a good one; gives the problems and skips as `path: what`.
async fn troubles(path: &str, bytes: impl AsRef<[u8]>) -> Vec<String> {
    let site = Site::with(json!({"file_bytes_max": 4_000_000}), &[FINE]).await;
    site.file(path, bytes);
    let sbom = site.sbom(".").await;
    assert!(sbom.components().contains(&"golang/a.b/c@v1.0.0 required".to_owned()), "the scan did not go on");
    assert_eq!(
        sbom.0["document"]["compositions"][0]["aggregate"],
        if sbom.summary()["is_complete"] == true { "complete" } else { "incomplete" }
    );
    let coverage = &sbom.summary()["coverage"];
    let line =
        |it: &Value, key: &str| format!("{}: {}", it["path"].as_str().unwrap(), it[key].as_str().unwrap());
    let problems = coverage["problems"].as_array().unwrap().iter().map(|it| line(it, "what"));
    problems.chain(coverage["skipped"].as_array().unwrap().iter().map(|it| line(it, "reason"))).collect()
}

#[tokio::test]
async fn every_broken_file_is_named_and_costs_nothing_but_itself() {
    let mut laughs = "lockfileVersion: '9.0'\na0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
    for at in 1..12 {
        laughs += &format!("a{at}: &a{at} [{}]\n", vec![format!("*a{}", at - 1); 10].join(","));
    }
    let entities = "<!DOCTYPE p [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;\">]><project>&b;</project>";
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let nested = format!("{{\"dependencies\":{}", "{\"a\":{\"version\":\"1\",\"dependencies\":".repeat(100));
    for (path, text, expected) in [
        ("pnpm-lock.yaml", laughs.as_str(), "too many values"),
        ("pom.xml", entities, "declarations of its own"),
        ("package-lock.json", deep.as_str(), "no JSON"),
        ("npm-shrinkwrap.json", nested.as_str(), "no JSON"),
        ("package-lock.json", "[]", "no JSON object"),
        ("package-lock.json", "{}", "neither"),
        ("Cargo.lock", "[[package]]\nname = ", "no TOML"),
        ("Cargo.lock", "x = 1", "no packages"),
        ("uv.lock", "\u{0}", "no TOML"),
        ("yarn.lock", "a\n  b\n      c", "no lock file of yarn"),
        ("go.mod", "require x", "no module"),
        ("gradle.lockfile", "what is this", "no lock file of Gradle"),
        ("packages.lock.json", "{\"dependencies\": []}", "no `dependencies`"),
        ("composer.lock", "{}", "no `packages`"),
        ("Gemfile.lock", "hello", "no lock file of Bundler"),
        ("Pipfile.lock", "{}", "neither"),
        ("a.csproj", "<Project>", "not closed"),
        ("requirements.txt", "-r ../../../etc/passwd", "outside of the target"),
        ("requirements.txt", "-r gone.txt", "missing"),
        ("bun.lockb", "x", "unsupported"),
    ] {
        let found = troubles(path, text).await;
        assert!(found.len() == 1 && found[0].contains(expected), "{path} {expected}: {found:?}");
    }
}

#[tokio::test]
async fn a_file_beyond_the_bound_is_skipped_and_a_large_one_within_it_is_read() {
    let large =
        format!("{{\"lockfileVersion\": 3, \"packages\": {{}}, \"pad\": \"{}\"}}", "x".repeat(4_000_000));
    assert_eq!(troubles("package-lock.json", &large).await, ["package-lock.json: too_large"]);
    assert_eq!(troubles("package-lock.json", &large[..0]).await.len(), 1);
    let packages: String =
        (0..20_000).map(|at| format!("\"node_modules/p{at}\":{{\"version\":\"1.0.0\"}},")).collect();
    let lock = format!("{{\"lockfileVersion\":3,\"packages\":{{{}}}}}", packages.trim_end_matches(','));
    assert_eq!(troubles("package-lock.json", lock).await, Vec::<String>::new());
}

#[tokio::test]
async fn bytes_that_are_no_text_are_reported_and_read_as_far_as_possible() {
    let found = troubles("requirements.txt", b"good==1.0\nb\xff\xfe==2.0\n").await;
    assert_eq!(found, ["requirements.txt: it is no UTF-8 text; what is not was replaced"]);
    let wide: Vec<u8> = "\u{feff}flask==1.0\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(troubles("requirements.txt", wide).await, Vec::<String>::new());
}

#[tokio::test]
async fn hostile_names_are_shown_harmless_and_named() {
    let lock = r#"{"lockfileVersion": 3, "packages": {
        "node_modules/a\u001b[31m\u202eb": {"version": "1.0.0\n"},
        "node_modules/../../../etc/passwd": {"version": "1.0.0"},
        "node_modules/x?y=1#z@9": {"version": "1/../../2"}}}"#;
    let site = Site::new(&[("package-lock.json", lock)]).await;
    let sbom = site.sbom(".").await;
    let text = sbom.0.to_string();
    assert!(!text.contains('\u{1b}') && !text.contains("\\u001b") && !text.contains('\u{202e}'));
    let lines = sbom.components();
    assert!(lines.contains(&"npm/x%3Fy%3D1%23z%409@1%2F..%2F..%2F2 required".to_owned()), "{lines:?}");
    assert!(
        sbom.summary()["coverage"]["problems"][0]["what"].as_str().unwrap().contains("control characters")
    );
    assert_eq!(sbom.summary()["is_complete"], false);
}

#[tokio::test]
async fn cycles_end_and_are_told() {
    let lock = r#"{"lockfileVersion": 3, "packages": {"": {"dependencies": {"a": "1"}},
        "node_modules/a": {"version": "1.0.0", "dependencies": {"b": "1", "a": "1"}},
        "node_modules/b": {"version": "1.0.0", "dependencies": {"a": "1"}}}}"#;
    let requirements = "-r other.txt\na==1\n";
    let site = Site::new(&[
        ("package-lock.json", lock),
        ("requirements.txt", requirements),
        ("other.txt", "-r requirements.txt\n"),
    ])
    .await;
    let tree = site.ok("dependency_tree", json!({"target": ".", "depth": 64})).await;
    assert_eq!(tree["has_cycle"], true);
    let why = site.ok("why_dependency", json!({"target": ".", "package": "b"})).await;
    assert_eq!(why["matches"][0]["paths"][0].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn links_are_never_followed() {
    let site = Site::new(&[FINE]).await;
    let outside = tempfile::TempDir::new().unwrap();
    crate::site::write(
        outside.path(),
        "package-lock.json",
        br#"{"lockfileVersion": 3, "packages": {"node_modules/secret": {"version": "1.0.0"}}}"#,
    );
    symlink(outside.path(), site.root.path().join("way")).unwrap();
    symlink(outside.path().join("package-lock.json"), site.root.path().join("package-lock.json")).unwrap();
    symlink("..", site.root.path().join("fine/loop")).unwrap();
    let sbom = site.sbom(".").await;
    assert_eq!(sbom.components(), ["golang/a.b/c@v1.0.0 required"]);
    assert_eq!(
        sbom.summary()["coverage"]["skipped"],
        json!([{"path": "package-lock.json", "reason": "not_regular"}])
    );
}

#[tokio::test]
async fn paths_outside_of_the_root_and_bad_arguments_are_refused() {
    let site = Site::new(&[FINE]).await;
    for (tool, args, field) in [
        ("generate_sbom", json!({"target": "../.."}), "target"),
        ("generate_sbom", json!({"target": "/etc"}), "target"),
        ("generate_sbom", json!({"target": "gone"}), "target"),
        ("write_sbom", json!({"target": ".", "output_path": "/etc/x.json"}), "output_path"),
        ("diff_sbom", json!({"before": ".", "after": "/etc"}), "after"),
        ("check_licenses", json!({"target": ".", "allow": ["MITT"]}), "allow/0"),
        (
            "detect_dependency_confusion",
            json!({"target": ".", "private_patterns": ["*"]}),
            "private_patterns/0",
        ),
        ("detect_typosquat", json!({}), "target"),
        (
            "create_vex",
            json!({"vulnerabilities": ["a b"], "products": ["pkg:npm/a"], "status": "fixed", "author": "x"}),
            "vulnerabilities/0",
        ),
        (
            "create_vex",
            json!({"vulnerabilities": ["CVE-1"], "products": ["npm/a"], "status": "fixed", "author": "x"}),
            "products",
        ),
        (
            "create_vex",
            json!({"vulnerabilities": ["CVE-1"], "products": ["pkg:npm/a"], "status": "not_affected", "author": "x"}),
            "justification",
        ),
        ("validate_sbom", json!({"path": "fine/go.mod"}), "path"),
        (
            "verify_provenance",
            json!({"artifact": "fine/go.mod", "attestation": "fine/go.mod"}),
            "attestation",
        ),
    ] {
        let (_, at) = site.refusal(tool, args.clone()).await;
        assert_eq!(at.as_deref(), Some(field), "{tool} {args}");
    }
}
