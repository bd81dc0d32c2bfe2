//! Packages with known flaws are found, and nothing is called clean that was not checked.

use kernel::ErrorKind;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::bench::Bench;

/// A record about one package, fixed in `fixed`.
fn record(ecosystem: &str, name: &str, id: &str, fixed: &str, severity: &str) -> Value {
    json!({"id": id, "modified": "2026-10-01T00:00:00Z", "summary": "it breaks", "aliases": [format!("CVE-{id}")],
        "affected": [{"package": {"ecosystem": ecosystem, "name": name},
            "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": fixed}]}]}],
        "database_specific": {"severity": severity}})
}

/// A bench whose data are `records`; the folder must outlive it.
async fn bench(records: &[Value]) -> (Bench, TempDir) {
    let data = TempDir::new().unwrap();
    for (at, record) in records.iter().enumerate() {
        std::fs::write(data.path().join(format!("{at}.json")), record.to_string()).unwrap();
    }
    (Bench::with(json!({ "advisories": [data.path()] })).await, data)
}

fn lock(packages: &[(&str, &str)]) -> Vec<u8> {
    let root = json!({"dependencies": packages.iter().map(|(name, _)| ((*name).to_owned(), json!("*"))).collect::<serde_json::Map<_, _>>()});
    let mut all = serde_json::Map::from_iter([(String::new(), root)]);
    all.extend(
        packages.iter().map(|(name, version)| (format!("node_modules/{name}"), json!({"version": version}))),
    );
    json!({"lockfileVersion": 3, "packages": all}).to_string().into_bytes()
}

#[tokio::test]
async fn without_data_an_audit_is_unknown_and_never_clean() {
    let bench = Bench::new().await;
    bench.bytes("package.json", br#"{"dependencies": {"a": "1.0.0"}}"#);
    bench.bytes("requirements.txt", b"a==1.0.0\n");
    for (tool, args) in [
        ("npm_audit", json!({"package_json_path": "package.json"})),
        ("python_safety_check", json!({"requirements_path": "requirements.txt"})),
    ] {
        let audit = bench.call(tool, args).await.unwrap();
        assert_eq!((&audit["verdict"], &audit["data"]["records"]), (&json!("unknown"), &json!(0)), "{tool}");
        assert!(audit["unknown_because"][0].as_str().unwrap().contains("no vulnerability data"));
    }
}

#[tokio::test]
async fn a_flaw_is_found_by_version_and_left_out_below_the_level() {
    let records = [record("npm", "a", "X-1", "1.2.0", "HIGH"), record("npm", "b", "X-2", "9.0.0", "LOW")];
    let (bench, _data) = bench(&records).await;
    bench.bytes("package.json", br#"{"dependencies": {"a": "*", "b": "*"}}"#);
    bench.bytes("package-lock.json", &lock(&[("a", "1.1.9"), ("b", "1.0.0")]));
    let audit = |level: &str| {
        bench.call("npm_audit", json!({"package_json_path": "package.json", "audit_level": level}))
    };
    let found = audit("moderate").await.unwrap();
    assert_eq!(found["verdict"], "vulnerable");
    let flaws = found["vulnerabilities"].as_array().unwrap();
    assert_eq!(flaws.len(), 1);
    assert_eq!(
        (&flaws[0]["id"], &flaws[0]["fixed_in"], &flaws[0]["direct"], &flaws[0]["severity"]),
        (&json!("X-1"), &json!(["1.2.0"]), &json!(true), &json!("high"))
    );
    assert_eq!(found["counts"], json!({"high": 1, "low": 1}));
    assert_eq!(audit("critical").await.unwrap()["verdict"], "below_level");
    assert_eq!(audit("low").await.unwrap()["vulnerabilities"].as_array().unwrap().len(), 2);
    bench.bytes("package-lock.json", &lock(&[("a", "1.2.0"), ("b", "9.0.0")]));
    assert_eq!(audit("low").await.unwrap()["verdict"], "clean");
}

#[tokio::test]
async fn the_documented_default_level_is_moderate() {
    let (bench, _data) = bench(&[record("npm", "a", "X-1", "2.0.0", "LOW")]).await;
    bench.bytes("package.json", br#"{"dependencies": {"a": "1.0.0"}}"#);
    let audit = bench.call("npm_audit", json!({"package_json_path": "package.json"})).await.unwrap();
    assert_eq!((&audit["verdict"], &audit["vulnerabilities"]), (&json!("below_level"), &json!([])));
}

#[tokio::test]
async fn what_is_not_pinned_leaves_an_audit_unknown() {
    let (bench, _data) = bench(&[record("PyPI", "Other", "P-1", "2.0", "HIGH")]).await;
    bench.bytes("requirements.txt", b"a==1.0\nb>=2\n");
    let check = || bench.call("python_safety_check", json!({"requirements_path": "requirements.txt"}));
    let audit = check().await.unwrap();
    assert_eq!((&audit["verdict"], &audit["unresolved_total"]), (&json!("unknown"), &json!(1)));
    bench.bytes("requirements.txt", b"a==1.0\nb==2.0\n");
    assert_eq!(check().await.unwrap()["verdict"], "clean");
    bench.bytes("requirements.txt", b"a==1.0\nOTHER==1.9\n");
    let audit = check().await.unwrap();
    assert_eq!(
        (&audit["verdict"], &audit["vulnerabilities"][0]["id"]),
        (&json!("vulnerable"), &json!("P-1"))
    );
    bench.bytes("requirements.txt", b"# nothing\n");
    assert_eq!(check().await.unwrap()["verdict"], "unknown");
}

#[tokio::test]
async fn broken_and_hostile_manifests_are_refused_with_their_place() {
    let bench = Bench::new().await;
    bench.bytes("broken/package.json", b"{\"dependencies\": {\n  \"a\": }");
    bench.bytes("list/package.json", b"[]");
    bench.bytes("odd/package.json", b"{}");
    bench.bytes("odd/package-lock.json", b"{\"lockfileVersion\": 99}");
    bench.bytes("deep/package.json", "[".repeat(100_000).as_bytes());
    bench.bytes("bytes.txt", b"\xff\xfe\x00");
    for path in ["broken/package.json", "list/package.json", "odd/package.json", "deep/package.json"] {
        let args = json!({"package_json_path": path});
        let error = bench.call("npm_audit", args).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::ValidationFailed, "{path}");
    }
    let error =
        bench.call("npm_audit", json!({"package_json_path": "broken/package.json"})).await.unwrap_err();
    assert!(error.to_string().contains("line 2, column 8"), "{error}");
    let args = json!({"requirements_path": "bytes.txt"});
    assert_eq!(bench.refusal("python_safety_check", args).await.0, ErrorKind::ValidationFailed);
    for tool in ["npm_audit", "python_safety_check"] {
        let key = if tool == "npm_audit" { "package_json_path" } else { "requirements_path" };
        assert_eq!(
            bench.refusal(tool, json!({ key: "../../etc/passwd" })).await.1,
            Some("PATH_OUTSIDE_ROOT")
        );
        assert_eq!(bench.refusal(tool, json!({ key: "gone" })).await.1, Some("NOT_FOUND"));
    }
    // A requirement file that includes what lies outside names it and reads nothing.
    bench.bytes("requirements.txt", b"-r ../../../../etc/passwd\na==1\n");
    let args = json!({"requirements_path": "requirements.txt"});
    let audit = bench.call("python_safety_check", args).await.unwrap();
    assert_eq!((&audit["packages"], &audit["unresolved_total"]), (&json!(1), &json!(1)));
    assert!(!audit.to_string().contains("root:"));
}

#[tokio::test]
async fn a_deep_scan_joins_files_and_dependencies_and_the_worst_part_decides() {
    let (bench, _data) = bench(&[
        record("npm", "a", "X-1", "1.2.0", "HIGH"),
        record("crates.io", "c", "R-1", "2.0.0", "HIGH"),
    ])
    .await;
    bench.bytes("web/package.json", br#"{"dependencies": {"a": "*"}}"#);
    bench.bytes("web/package-lock.json", &lock(&[("a", "1.3.0")]));
    bench.bytes("web/node_modules/z/package.json", br#"{"dependencies": {"a": "1.0.0"}}"#);
    let deep = |scan: &str| bench.call("deep_security_scan", json!({"target": ".", "scan_type": scan}));
    let report = deep("full").await.unwrap();
    assert_eq!((&report["verdict"], report["audits"].as_array().unwrap().len()), (&json!("clean"), 1));
    bench.bytes("Cargo.lock", b"[[package]]\nname = \"c\"\nversion = \"1.0.0\"\nsource = \"registry+x\"\n");
    let report = deep("dependencies").await.unwrap();
    assert_eq!((&report["verdict"], &report["coverage"]), (&json!("findings"), &Value::Null));
    assert_eq!(report["audits"].as_array().unwrap().len(), 2);
    assert_eq!(deep("files").await.unwrap()["verdict"], "clean");
    bench.file("web/a.env", "API_KEY=<alnum:32>\n");
    let report = deep("secrets").await.unwrap();
    assert_eq!(
        (&report["verdict"], &report["findings"][0]["rule"]),
        (&json!("findings"), &json!("generic-key"))
    );
    bench.bytes("requirements.txt", b"\xff");
    assert!(deep("full").await.unwrap()["unread_manifests"].to_string().contains("UTF-8"));
    assert_eq!(
        bench.refusal("deep_security_scan", json!({"target": ".", "scan_type": "everything"})).await.0,
        ErrorKind::ValidationFailed
    );
    let by_default = bench.call("deep_security_scan", json!({"target": "."})).await.unwrap();
    assert_eq!(by_default["audits"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_project_whose_audit_is_unknown_is_not_clean() {
    let bench = Bench::new().await;
    bench.bytes("package.json", br#"{"dependencies": {"a": "1.0.0"}}"#);
    let report = bench.call("deep_security_scan", json!({"target": "."})).await.unwrap();
    assert_eq!(report["verdict"], "incomplete");
}
