//! Vulnerabilities, VEX, upgrades, confusion, lookalikes and provenance, on local data.

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::site::{Site, write};

const LOCK: &str = r#"{"name": "app", "version": "1.0.0", "lockfileVersion": 3, "packages": {
    "": {"name": "app", "version": "1.0.0", "dependencies": {"mid": "1"}},
    "node_modules/mid": {"version": "1.0.0", "integrity": "sha512-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==", "dependencies": {"weak": "1"}},
    "node_modules/weak": {"version": "1.1.0"}}}"#;

fn osv(id: &str, name: &str, fixed: &str) -> String {
    json!({"id": id, "modified": "2026-01-01T00:00:00Z", "aliases": ["CVE-2026-1"], "summary": "It breaks",
        "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
        "affected": [{"package": {"ecosystem": "npm", "name": name}, "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": fixed}]}]}]})
    .to_string()
}

async fn site(records: &[(&str, String)], files: &[(&str, &str)]) -> (Site, TempDir) {
    let data = TempDir::new().unwrap();
    records.iter().for_each(|(path, text)| write(data.path(), path, text.as_bytes()));
    let config = json!({"advisories": [data.path()], "private_packages": ["@acme/*"]});
    (Site::with(config, files).await, data)
}

#[tokio::test]
async fn without_data_nothing_is_called_clean() {
    let site = Site::new(&[("package-lock.json", LOCK)]).await;
    let result = site.ok("check_vulnerabilities", json!({"target": "."})).await;
    assert_eq!(result["verdict"], "unknown");
    assert!(result["reasons"][0].as_str().unwrap().contains("no local data for npm"));
}

#[tokio::test]
async fn vulnerable_components_are_found_with_the_way_to_them_and_the_fix() {
    let (site, _data) =
        site(&[("npm/X-1.json", osv("X-1", "weak", "1.2.0"))], &[("package-lock.json", LOCK)]).await;
    let result = site.ok("check_vulnerabilities", json!({"target": "."})).await;
    assert_eq!((&result["verdict"], &result["counts"]), (&json!("vulnerable"), &json!({"critical": 1})));
    let finding = &result["findings"][0];
    assert_eq!((&finding["fixed_in"], &finding["score"]), (&json!("1.2.0"), &json!(9.8)));
    assert_eq!(finding["paths"], json!([["app@1.0.0", "mid@1.0.0", "weak@1.1.0"]]));
    let plan = site.ok("propose_upgrades", json!({"target": "."})).await;
    assert_eq!(
        plan["upgrades"][0],
        json!({"package": "weak@1.1.0", "to": "1.2.0", "mends": ["X-1"], "is_major": false, "through": ["mid@1.0.0"]})
    );
}

#[tokio::test]
async fn with_data_and_everything_seen_none_is_known_and_with_a_gap_it_is_unknown() {
    let records = [("npm/X-1.json", osv("X-1", "weak", "1.1.0"))];
    let (fine, _data) = site(&records, &[("package-lock.json", LOCK)]).await;
    assert_eq!(fine.ok("check_vulnerabilities", json!({"target": "."})).await["verdict"], "none_known");
    for (path, text) in [
        ("bun.lockb", "x"),
        ("x/package.json", r#"{"dependencies": {"weak": "^1"}}"#),
        ("requirements.txt", "a==1\n"),
    ] {
        let (gap, _data) = site(&records, &[("p/package-lock.json", LOCK), (path, text)]).await;
        let result = gap.ok("check_vulnerabilities", json!({"target": "."})).await;
        assert_eq!(result["verdict"], "unknown", "{path}: {}", result["reasons"]);
    }
    let broken = [("npm/X-1.json", osv("X-1", "weak", "1.1.0")), ("npm/X-2.json", "{".to_owned())];
    let (gap, _data) = site(&broken, &[("package-lock.json", LOCK)]).await;
    assert_eq!(gap.ok("check_vulnerabilities", json!({"target": "."})).await["verdict"], "unknown");
}

#[tokio::test]
async fn a_vex_statement_settles_a_finding_by_any_of_its_names() {
    let (site, _data) =
        site(&[("npm/X-1.json", osv("X-1", "weak", "1.2.0"))], &[("package-lock.json", LOCK)]).await;
    for format in ["openvex", "cyclonedx"] {
        let args = json!({"vulnerabilities": ["CVE-2026-1"], "products": ["pkg:npm/weak@1.1.0"], "status": "not_affected",
            "justification": "vulnerable_code_not_in_execute_path", "author": "team", "format": format});
        let vex = site.ok("create_vex", args).await;
        site.file("vex.json", vex["document"].to_string());
        let result = site.ok("check_vulnerabilities", json!({"target": ".", "vex": ["vex.json"]})).await;
        assert_eq!(
            (&result["verdict"], &result["findings"][0]["vex"]),
            (&json!("none_known"), &json!("not_affected")),
            "{format}"
        );
        std::fs::remove_file(site.root.path().join("vex.json")).unwrap();
    }
}

#[tokio::test]
async fn private_names_on_the_public_registry_are_found() {
    let manifest = r#"{"name": "app", "dependencies": {"@acme/core": "^1", "left": "1.0.0"}}"#;
    let files = [("package.json", manifest)];
    let (risky, _data) = site(&[], &files).await;
    let result = risky.ok("detect_dependency_confusion", json!({"target": "."})).await;
    assert_eq!(
        (&result["verdict"], &result["findings"][0]["severity"]),
        (&json!("at_risk"), &json!("critical"))
    );
    assert_eq!(result["findings"].as_array().unwrap().len(), 1);
    let (bound, _data) = site(&[], &[files[0], (".npmrc", "@acme:registry=https://n.example/\n")]).await;
    assert_eq!(
        bound.ok("detect_dependency_confusion", json!({"target": "."})).await["verdict"],
        "nothing_found"
    );
    let nobody_said = Site::new(&files).await;
    assert_eq!(
        nobody_said.ok("detect_dependency_confusion", json!({"target": "."})).await["verdict"],
        "unknown"
    );
}

#[tokio::test]
async fn lookalikes_are_found_in_projects_and_in_lists_of_names() {
    let site = Site::new(&[("requirements.txt", "reqeusts==1.0\nrequests==2.0\nmy-own-thing==1.0\n")]).await;
    let result = site.ok("detect_typosquat", json!({"target": "."})).await;
    assert_eq!((&result["judged"], result["findings"].as_array().unwrap().len()), (&json!(3), 1));
    assert_eq!(
        (&result["findings"][0]["looks_like"], &result["findings"][0]["distance"]),
        (&json!("requests"), &json!(1))
    );
    assert!(result["sources"]["pypi"].as_str().unwrap().contains("Date: 2026"));
    let names = site.ok("detect_typosquat", json!({"names": ["loadsh", "lodash"], "ecosystem": "npm"})).await;
    assert_eq!(names["findings"][0]["looks_like"], "lodash");
}

#[tokio::test]
async fn provenance_without_a_key_is_unsigned_and_of_another_file_fails() {
    let site = Site::new(&[("app.bin", "hello")]).await;
    let statement = |sha256: &str| json!({"_type": "https://in-toto.io/Statement/v1", "subject": [{"digest": {"sha256": sha256}}], "predicateType": "https://slsa.dev/provenance/v1"});
    for (sha256, verdict) in
        [("2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824", "unsigned"), ("00", "failed")]
    {
        site.file("p.json", statement(sha256).to_string());
        let result =
            site.ok("verify_provenance", json!({"artifact": "app.bin", "attestation": "p.json"})).await;
        assert_eq!((&result["verdict"], &result["signature"]), (&Value::from(verdict), &json!("missing")));
    }
}
