//! Documents: written, read again, compared, merged, checked, and kept.

use serde_json::{Value, json};

use crate::site::Site;

const FILES: &[(&str, &str)] = &[
    ("a/go.mod", "module example.com/a\ngo 1.21\nrequire x.y/z v1.0.0\n"),
    (
        "b/package.json",
        r#"{"name": "b", "version": "1.0.0", "dependencies": {"open": "^1", "exact": "2.0.0"}}"#,
    ),
];

#[tokio::test]
async fn every_format_can_be_read_again_without_loss() {
    let site = Site::new(FILES).await;
    let source = site.sbom(".").await;
    for format in ["cyclonedx-1.6", "cyclonedx-1.7", "spdx-2.3", "spdx-3.0"] {
        let path = format!("{format}.json");
        let written =
            site.ok("write_sbom", json!({"target": ".", "output_path": path, "format": format})).await;
        assert_eq!(written["sha256"].as_str().unwrap().len(), 64);
        let verdict = site.ok("validate_sbom", json!({"path": path})).await;
        assert_eq!((&verdict["is_valid"], &verdict["problems"]), (&json!(true), &json!([])), "{format}");
        let again = site.ok("generate_sbom", json!({"target": path})).await;
        assert_eq!(again["summary"]["components"], source.summary()["components"], "{format}");
        assert_eq!(again["summary"]["unresolved"], source.summary()["unresolved"], "{format}");
        let diff = site.ok("diff_sbom", json!({"before": ".", "after": path})).await;
        assert_eq!(diff["is_equal"], true, "{format}: {diff}");
        let back = site.ok("convert_sbom", json!({"path": path, "format": "cyclonedx-1.6"})).await;
        assert_eq!(
            back["losses"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|it| *it != "`compositions` is not kept")
                .count(),
            0
        );
        std::fs::remove_file(site.root.path().join(path)).unwrap();
    }
}

#[tokio::test]
async fn a_file_is_kept_unless_it_may_be_replaced() {
    let site = Site::new(FILES).await;
    let args = json!({"target": "a", "output_path": "out.json"});
    site.ok("write_sbom", args.clone()).await;
    assert_eq!(site.refusal("write_sbom", args).await.1.as_deref(), Some("output_path"));
    site.ok("write_sbom", json!({"target": "a", "output_path": "out.json", "overwrite": true})).await;
}

#[tokio::test]
async fn merged_documents_hold_each_component_once() {
    let site = Site::new(FILES).await;
    for (target, path, format) in [("a", "a.json", "cyclonedx-1.6"), (".", "all.json", "spdx-2.3")] {
        site.ok("write_sbom", json!({"target": target, "output_path": path, "format": format})).await;
    }
    let merged = site.ok("merge_sbom", json!({"paths": ["a.json", "all.json"], "name": "whole"})).await;
    let names: Vec<&Value> =
        merged["document"]["components"].as_array().unwrap().iter().map(|it| &it["purl"]).collect();
    assert_eq!(names.iter().filter(|it| **it == "pkg:golang/x.y/z@v1.0.0").count(), 1);
    assert_eq!(merged["document"]["metadata"]["component"]["name"], "whole");
}

#[tokio::test]
async fn broken_documents_are_told_where() {
    let site = Site::new(&[]).await;
    for (document, place) in [
        (json!({"bomFormat": "CycloneDX", "specVersion": "9.9"}), "specVersion"),
        (
            json!({"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [{"type": "library"}]}),
            "components[]",
        ),
        (
            json!({"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [{"type": "toy", "name": "a", "bom-ref": "a"}]}),
            "components[a]",
        ),
        (
            json!({"bomFormat": "CycloneDX", "specVersion": "1.6", "dependencies": [{"ref": "gone"}]}),
            "dependencies[gone]",
        ),
        (
            json!({"bomFormat": "CycloneDX", "specVersion": "1.6", "serialNumber": "urn:uuid:x"}),
            "serialNumber",
        ),
        (
            json!({"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [{"type": "library", "name": "a", "bom-ref": "a", "hashes": [{"alg": "SHA-1", "content": "00"}]}]}),
            "components[a]",
        ),
        (json!({"a": 1}), ""),
    ] {
        site.file("x.json", document.to_string());
        let verdict = site.ok("validate_sbom", json!({"path": "x.json"})).await;
        assert_eq!(
            (&verdict["is_valid"], verdict["problems"][0]["place"].as_str()),
            (&json!(false), Some(place))
        );
    }
}

#[tokio::test]
async fn a_kept_scan_answers_until_any_file_changes() {
    let site = Site::new(FILES).await;
    assert_eq!(site.sbom(".").await.summary()["cached_seconds"], Value::Null);
    assert_eq!(site.sbom(".").await.summary()["cached_seconds"], 0);
    site.file("a/go.mod", "module example.com/a\ngo 1.21\nrequire x.y/z v2.0.0\n");
    let changed = site.sbom(".").await;
    assert_eq!(changed.summary()["cached_seconds"], Value::Null);
    assert!(changed.components().contains(&"golang/x.y/z@v2.0.0 required".to_owned()));
    site.file("c/requirements.txt", "new==1.0\n");
    assert!(site.sbom(".").await.components().contains(&"pypi/new@1.0 required".to_owned()));
    let kept = site.ok("sbom_cache_list", json!({})).await;
    assert_eq!(kept["entries"].as_array().unwrap().len(), 1);
    assert_eq!(site.ok("sbom_cache_clear", json!({})).await["cleared"], 1);
    assert_eq!(site.sbom(".").await.summary()["cached_seconds"], Value::Null);
}

#[tokio::test]
async fn the_same_files_give_the_same_document_whatever_the_time() {
    let (one, two) = (Site::new(FILES).await, Site::new(FILES).await);
    let (one, two) = (one.sbom("a").await, two.sbom("a").await);
    assert_eq!(one.0["document"]["serialNumber"], two.0["document"]["serialNumber"]);
    assert_eq!(one.0["document"]["components"], two.0["document"]["components"]);
    assert_eq!(one.summary()["digest"], two.summary()["digest"]);
}
