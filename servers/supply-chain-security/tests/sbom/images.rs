//! Container images, as `docker save` and the OCI layout write them.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use serde_json::json;

use crate::site::Site;

/// A tar archive of files.
fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (path, data) in files {
        out.extend(header(path, data.len() as u64, b'0'));
        out.extend_from_slice(data);
        out.resize(out.len().next_multiple_of(512), 0);
    }
    out.resize(out.len() + 1024, 0);
    out
}

fn header(path: &str, size: u64, kind: u8) -> [u8; 512] {
    let mut header = [0; 512];
    header[..path.len()].copy_from_slice(path.as_bytes());
    header[124..135].copy_from_slice(format!("{size:011o}").as_bytes());
    header[156] = kind;
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|it| u32::from(*it)).sum();
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    header
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

const STATUS: &[u8] = b"Package: curl\nStatus: install ok installed\nVersion: 7.88.1-10\nDepends: libc6 (>= 2.34), gone | zlib1g\n\nPackage: libc6\nStatus: install ok installed\nVersion: 2.36-9\n\nPackage: zlib1g\nStatus: install ok installed\nVersion: 1:1.2.13\n\nPackage: removed\nStatus: deinstall ok config-files\nVersion: 1\n";
const OS: &[u8] = b"ID=debian\nVERSION_ID=\"12\"\n";

fn saved(layers: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let names: Vec<&str> = layers.iter().map(|it| it.0).collect();
    let manifest = json!([{"Config": "c.json", "RepoTags": ["app:1"], "Layers": names}]).to_string();
    let mut files: Vec<(&str, &[u8])> = vec![("manifest.json", manifest.as_bytes())];
    files.extend(layers.iter().map(|it| (it.0, it.1.as_slice())));
    tar(&files)
}

#[tokio::test]
async fn packages_of_the_system_and_of_the_application_are_found_and_deleted_ones_are_not() {
    let lower = tar(&[
        ("etc/os-release", OS),
        ("var/lib/dpkg/status", STATUS),
        ("app/node_modules/old/package.json", br#"{"name": "old", "version": "1.0.0"}"#),
        ("app/node_modules/kept/package.json", br#"{"name": "kept", "version": "1.0.0", "license": "MIT"}"#),
    ]);
    let upper = gzip(&tar(&[
        ("./app/node_modules/.wh.old", b""),
        ("srv/.wh..wh..opq", b""),
        ("srv/go.mod", b"module m\ngo 1.21\nrequire a.b/c v1.0.0\n"),
    ]));
    let site = Site::new(&[]).await;
    site.file("image.tar", saved(&[("a/layer.tar", lower), ("b/layer.tar", upper)]));
    let sbom = site.sbom("image.tar").await;
    assert_eq!(
        sbom.components(),
        [
            "deb/debian/curl@7.88.1-10?distro=debian-12 required",
            "deb/debian/libc6@2.36-9?distro=debian-12 required",
            "deb/debian/zlib1g@1:1.2.13?distro=debian-12 required",
            "golang/a.b/c@v1.0.0 required",
            "npm/kept@1.0.0 required",
        ]
    );
    assert!(sbom.edges().contains(&"curl > libc6 zlib1g".to_owned()));
    assert_eq!(sbom.0["document"]["metadata"]["component"]["name"], "app:1");
    assert_eq!(sbom.summary()["is_complete"], true);
}

#[tokio::test]
async fn the_oci_layout_and_alpine_are_read() {
    let database = b"C:Q1x=\nP:musl\nV:1.2.4-r2\nL:MIT\np:so:libc.musl-x86_64.so.1=1\n\nP:busybox\nV:1.36.1-r5\nL:GPL-2.0-only\nD:so:libc.musl-x86_64.so.1\n";
    let layer = gzip(&tar(&[
        ("lib/apk/db/installed", database),
        ("etc/os-release", b"ID=alpine\nVERSION_ID=3.19.1\n"),
    ]));
    let manifest =
        json!({"config": {"digest": "sha256:cc"}, "layers": [{"digest": "sha256:aa"}]}).to_string();
    let index = json!({"manifests": [{"digest": "sha256:bb"}]}).to_string();
    let site = Site::new(&[]).await;
    site.file(
        "image.tar",
        tar(&[
            ("oci-layout", b"{}"),
            ("index.json", index.as_bytes()),
            ("blobs/sha256/bb", manifest.as_bytes()),
            ("blobs/sha256/aa", &layer),
        ]),
    );
    let sbom = site.sbom("image.tar").await;
    assert_eq!(
        sbom.components(),
        [
            "apk/alpine/busybox@1.36.1-r5?distro=alpine-3.19.1 required",
            "apk/alpine/musl@1.2.4-r2?distro=alpine-3.19.1 required"
        ]
    );
    assert!(sbom.edges().contains(&"busybox > musl".to_owned()));
    assert_eq!(sbom.find("musl")["licenses"][0]["license"]["id"], "MIT");
}

#[tokio::test]
async fn traversal_lies_and_bombs_are_bounded_and_named() {
    let fine = tar(&[("srv/go.mod", b"module m\ngo 1.21\nrequire a.b/c v1.0.0\n")]);
    let climbing =
        tar(&[("../../etc/requirements.txt", b"evil==1.0\n"), ("/abs/requirements.txt", b"fine==1.0\n")]);
    let mut long_name = header("x", (8 << 30) - 1, b'L').to_vec();
    long_name.extend(vec![b'a'; 4096]);
    let mut early = header("srv/requirements.txt", 1 << 20, b'0').to_vec();
    early.extend(b"cut==1.0");
    let bomb = gzip(&tar(&[("srv/requirements.txt", &vec![b'\n'; 64 << 20])]));
    let zstd = vec![0x28, 0xb5, 0x2f, 0xfd, 0, 0, 0, 0];
    let broken_gzip = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];
    for (layer, expected) in [
        (climbing, "outside"),
        (long_name, "extension header is too long"),
        (early, "ends early"),
        (bomb, "too_large"),
        (zstd, "zstd"),
        (broken_gzip, "layer cannot be read"),
        (b"no archive at all, only words, many of them".repeat(20), "checksum is wrong"),
    ] {
        let site = Site::new(&[]).await;
        site.file("image.tar", saved(&[("a.tar", fine.clone()), ("b.tar", layer)]));
        let sbom = site.sbom("image.tar").await;
        let coverage = sbom.summary()["coverage"].to_string();
        assert!(coverage.contains(expected), "{expected}: {coverage}");
        assert!(sbom.components().contains(&"golang/a.b/c@v1.0.0 required".to_owned()), "{expected}");
        assert!(!sbom.components().iter().any(|it| it.contains("evil")));
        assert_eq!(sbom.summary()["is_complete"], false, "{expected}");
    }
}

#[tokio::test]
async fn an_archive_that_is_no_image_is_refused() {
    let site = Site::new(&[]).await;
    site.file("x.tar", tar(&[("a.txt", b"x")]));
    site.file("y.tar", b"words");
    for target in ["x.tar", "y.tar"] {
        assert_eq!(
            site.refusal("generate_sbom", json!({"target": target})).await.1.as_deref(),
            Some("target")
        );
    }
}
