//! SBOMs of real projects: nothing is missed against their lock files, and every official validator accepts them.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use blackbox::{Site, project, python_script};
use serde_json::Value;

/// Crates with a lock file of their own that are taken; smaller locks say little.
const CRATES: usize = 10;
const PACKAGES_MIN: usize = 10;
const FORMATS: [&str; 4] = ["cyclonedx-1.6", "cyclonedx-1.7", "spdx-2.3", "spdx-3.0"];

/// Lock files of published packages and of this repository: at least twenty.
fn lock_files() -> Vec<PathBuf> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a repository").to_owned();
    let (bower, netlify) =
        (project("bower@1.8.14"), project("netlify-cli@27.10.2").join("functions-templates/typescript"));
    let template = |name: &str| netlify.join(name).join("package-lock.json");
    let mut all = vec![
        repository.join("Cargo.lock"),
        repository.join("tests/clients/node/package-lock.json"),
        repository.join("tests/clients/python/requirements.txt"),
        project("@salesforce/cli@2.150.6").join("npm-shrinkwrap.json"),
        bower.join("packages/bower-config/package-lock.json"),
        bower.join("packages/bower-json/package-lock.json"),
        bower.join("lib/node_modules/requireg/package-lock.json"),
        template("database"),
        template("database-drizzle"),
        template("hello-world"),
    ];
    all.extend(crates_with_lock_files(&repository));
    assert!(all.len() >= 20, "only {} projects", all.len());
    all
}

/// Published crates this repository depends on, as cargo unpacked them.
fn crates_with_lock_files(repository: &Path) -> Vec<PathBuf> {
    let args = ["metadata", "--format-version=1", "--locked", "--offline"];
    let output = Command::new("cargo").current_dir(repository).args(args).output().expect("cargo runs");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    let foreign =
        metadata["packages"].as_array().expect("packages").iter().filter(|it| it["source"].is_string());
    let lock =
        |it: &Value| Path::new(it["manifest_path"].as_str().expect("a path")).with_file_name("Cargo.lock");
    let is_telling = |it: &PathBuf| {
        fs::read_to_string(it).is_ok_and(|text| text.matches("\n[[package]]").count() >= PACKAGES_MIN)
    };
    foreign.map(lock).filter(is_telling).take(CRATES).collect()
}

/// `name version` of every component but the project's own.
fn components(document: &Value) -> BTreeSet<String> {
    let is_own = |it: &&Value| {
        let properties = it["properties"].as_array();
        !properties.into_iter().flatten().any(|it| it["name"] == "core-mcp:project")
    };
    let line = |it: &Value| {
        let group = it["group"].as_str().map(|it| format!("{it}/")).unwrap_or_default();
        format!(
            "{group}{} {}",
            it["name"].as_str().expect("a name"),
            it["version"].as_str().unwrap_or_default()
        )
    };
    document["components"].as_array().expect("components").iter().filter(is_own).map(line).collect()
}

#[test]
fn real_projects_are_listed_whole_and_every_validator_accepts_every_format() {
    let site = Site::new();
    let lock_files = lock_files();
    let truth = python_script("lock_components.py").args(&lock_files).output().expect("the reader runs");
    let truth: Value = serde_json::from_slice(&truth.stdout).expect("the reader prints JSON");
    let mut validator = python_script("validate_sbom.py");
    for (index, lock) in lock_files.iter().enumerate() {
        let name = lock.file_name().expect("a name").to_string_lossy().into_owned();
        let folder = format!("project-{index}");
        fs::create_dir(site.root().join(&folder)).expect("a folder");
        fs::copy(lock, site.root().join(&folder).join(&name)).expect("a lock file");
        for format in FORMATS {
            let document = format!("{index}-{format}.json");
            let args =
                [format!("target={folder}"), format!("output_path={document}"), format!("format={format}")];
            let args: Vec<&str> = std::iter::once("call")
                .chain(["supply-chain-security.write_sbom"])
                .chain(args.iter().map(String::as_str))
                .chain(["--output", "json"])
                .collect();
            let written = site.cli(&args).ok().json();
            assert_eq!(written["summary"]["is_complete"], true, "{}: {written}", lock.display());
            validator.arg(format).arg(site.root().join(&document));
            if format == FORMATS[0] {
                let text = fs::read_to_string(site.root().join(&document)).expect("a document");
                let listed = components(&serde_json::from_str(&text).expect("JSON"));
                let expected = truth[lock.to_string_lossy().as_ref()].as_array().expect("the reader's list");
                let expected = expected.iter().map(|it| it.as_str().expect("a line").to_owned()).collect();
                assert!(!listed.is_empty(), "{}", lock.display());
                assert_eq!(listed, expected, "{}", lock.display());
            }
        }
    }
    let verdict = validator.output().expect("the validators run");
    let said = String::from_utf8_lossy(&verdict.stdout);
    assert!(verdict.status.success(), "{said}{}", String::from_utf8_lossy(&verdict.stderr));
}

#[test]
fn the_validators_refuse_what_is_broken() {
    let site = Site::new();
    fs::write(site.root().join("go.mod"), "module m\ngo 1.21\nrequire a.b/c v1.0.0\n").expect("a file");
    for (format, from, to) in [
        ("cyclonedx-1.6", "\"library\"", "\"toy\""),
        ("cyclonedx-1.7", "urn:uuid:", "urn:oops:"),
        ("spdx-2.3", "CC0-1.0", "CC9-9.9"),
        ("spdx-3.0", "dependsOn", "dreamsOf"),
    ] {
        let path = format!("{format}.json");
        let args = [format!("output_path={path}"), format!("format={format}")];
        site.cli(&["call", "supply-chain-security.write_sbom", "target=go.mod", &args[0], &args[1]]).ok();
        let place = site.root().join(&path);
        let text = fs::read_to_string(&place).expect("a document");
        assert!(text.contains(from), "{format}");
        fs::write(&place, text.replace(from, to)).expect("a broken document");
        let verdict = python_script("validate_sbom.py").arg(format).arg(&place).output().expect("it runs");
        assert_eq!(verdict.status.code(), Some(1), "{format}: {}", String::from_utf8_lossy(&verdict.stderr));
    }
}
