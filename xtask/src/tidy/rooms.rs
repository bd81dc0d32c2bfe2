//! Every server has the same rooms, and the files every project needs exist.

use std::collections::BTreeSet;

use super::{Findings, SourceFile};

const SERVER_ROOMS: &[&str] =
    &["Cargo.toml", "src/lib.rs", "src/config.rs", "src/error.rs", "tests/contract.rs"];
const PROJECT_FILES: &[&str] =
    &["README.md", "CHANGELOG.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "LICENSE"];

pub(super) fn check(files: &[SourceFile], findings: &mut Findings) {
    let has = |path: &str| files.iter().any(|it| it.path == path);
    for file in PROJECT_FILES {
        if !has(file) {
            findings.push(format!("{file}: is missing"));
        }
    }
    let manifest = files.iter().find(|it| it.path == "catalog/Cargo.toml").map_or("", |it| it.text.as_str());
    for server in servers(files) {
        for room in SERVER_ROOMS {
            let path = format!("servers/{server}/{room}");
            if !has(&path) {
                findings.push(format!("{path}: is missing"));
            }
        }
        let tools = format!("servers/{server}/src/tools/");
        if !files.iter().any(|it| it.path.starts_with(&tools)) {
            findings.push(format!("{tools}: is missing"));
        }
        if !manifest.lines().any(|line| line == catalogue_line(server)) {
            findings.push(format!("catalog/Cargo.toml: lacks `{}`", catalogue_line(server)));
        }
        let page = format!("docs/servers/{server}.md");
        if !has(&page) {
            findings.push(format!("{page}: is missing; run `cargo xtask docs`"));
        }
    }
    versions(files, findings);
}

/// The one line a server takes in the catalogue's manifest.
pub(crate) fn catalogue_line(server: &str) -> String {
    format!("server-{server} = {{ path = \"../servers/{server}\" }}")
}

fn servers(files: &[SourceFile]) -> BTreeSet<&str> {
    files
        .iter()
        .filter_map(|it| it.path.strip_prefix("servers/")?.split_once('/'))
        .map(|(name, _)| name)
        .collect()
}

/// Versions of foreign crates are chosen in the root manifest and nowhere else.
fn versions(files: &[SourceFile], findings: &mut Findings) {
    let is_member = |path: &str| {
        path.ends_with("/Cargo.toml")
            && !path.contains("/peers/")
            && !path.contains("/fuzz/")
            && !path.contains("/templates/")
    };
    for file in files.iter().filter(|it| is_member(&it.path)) {
        let Ok(manifest) = file.text.parse::<toml::Table>() else {
            findings.push(format!("{}: is not TOML", file.path));
            continue;
        };
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            for (name, wanted) in manifest.get(section).and_then(toml::Value::as_table).into_iter().flatten()
            {
                if wanted.get("workspace").is_none() && wanted.get("path").is_none() {
                    findings
                        .push(format!("{}: choose the version of `{name}` in the root manifest", file.path));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tidy_repository() -> Vec<SourceFile> {
        let file = |path: &str, text: &str| SourceFile { path: path.into(), text: text.into() };
        let mut files: Vec<_> = PROJECT_FILES.iter().map(|it| file(it, "")).collect();
        files.extend(SERVER_ROOMS.iter().map(|it| file(&format!("servers/clock/{it}"), "")));
        files.push(file("servers/clock/src/tools/clock_now.rs", ""));
        files.push(file("docs/servers/clock.md", ""));
        files.push(file("catalog/Cargo.toml", &format!("[dependencies]\n{}\n", catalogue_line("clock"))));
        files
    }

    fn found(files: &[SourceFile]) -> Findings {
        let mut findings = Findings::new();
        check(files, &mut findings);
        findings
    }

    #[test]
    fn every_missing_room_is_found() {
        assert_eq!(found(&tidy_repository()), Findings::new());
        for index in 0..tidy_repository().len() {
            let mut files = tidy_repository();
            let removed = files.remove(index).path;
            assert_eq!(found(&files).len(), 1, "{removed} was removed");
        }
    }

    #[test]
    fn a_version_outside_the_root_manifest_is_found() {
        let mut files = tidy_repository();
        files[SERVER_ROOMS.len()].text.clear();
        let manifest = files.iter_mut().find(|it| it.path == "servers/clock/Cargo.toml").expect("a manifest");
        manifest.text = "[dependencies]\nserde = \"1\"\nkernel.workspace = true\n".into();
        assert_eq!(
            found(&files),
            ["servers/clock/Cargo.toml: choose the version of `serde` in the root manifest"]
        );
    }
}
