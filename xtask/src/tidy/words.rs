//! Words that stand for unfinished or hidden things.

use super::{Findings, SourceFile};

/// In Rust code: what, and what to do instead. Split, so that this file does not find itself.
const BANNED: &[(&[&str], &str)] = &[
    (&["todo", "!("], "finish it or leave it out"),
    (&["unimplemented", "!("], "finish it or leave it out"),
    (&["dbg", "!("], "use tracing"),
    (&["#[", "ignore"], "a test runs or does not exist"),
    (&["#[", "allow("], "use #[expect(…, reason = \"…\")]"),
    (&["#![", "allow("], "use #[expect(…, reason = \"…\")]"),
];

/// In any text: folders of one person's machine.
const MACHINE_PATHS: &[&[&str]] =
    &[&["/wo", "rk/wt/"], &["/ro", "ot/."], &["/Us", "ers/"], &["/home/", "runner/"]];

const BANNED_STEMS: &[&str] = &["utils", "util", "common", "helpers", "helper", "manager", "misc", "mod"];

pub(super) fn check(files: &[SourceFile], findings: &mut Findings) {
    for file in files {
        if file.path.ends_with(".rs") {
            code(file, findings);
        }
        for path in MACHINE_PATHS.iter().map(|parts| parts.concat()) {
            if let Some(line) = line_of(&file.text, &path).filter(|_| !is_attack_table(file)) {
                findings.push(format!("{}:{line}: a path of one machine: {path}", file.path));
            }
        }
        if file.path.ends_with("package-lock.json") && file.text.contains("\"resolved\": \"http") {
            findings.push(format!("{}: names a registry host; see the .npmrc beside it", file.path));
        }
    }
}

/// Guards and their tests name the places that attacks aim at.
fn is_attack_table(file: &SourceFile) -> bool {
    ["guard", "desktop-commander", "security-scanner", "sandbox"].iter().any(|it| file.path.contains(it))
}

fn code(file: &SourceFile, findings: &mut Findings) {
    for (parts, instead) in BANNED {
        let word = parts.concat();
        if let Some(line) = line_of(&file.text, &word) {
            findings.push(format!("{}:{line}: `{word}`: {instead}", file.path));
        }
    }
    let stem = file.path.rsplit('/').next().unwrap_or_default().trim_end_matches(".rs");
    if BANNED_STEMS.contains(&stem) {
        findings.push(format!("{}: `{stem}` says nothing about what is in it", file.path));
    }
}

/// The first line with `word` in it that is not a comment.
fn line_of(text: &str, word: &str) -> Option<usize> {
    let lines = text.lines().enumerate();
    let mut hits = lines.filter(|(_, line)| line.contains(word) && !line.trim_start().starts_with("//"));
    hits.next().map(|(index, _)| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> usize {
        let mut findings = Findings::new();
        check(&[SourceFile { path: path.into(), text: text.into() }], &mut findings);
        findings.len()
    }

    #[test]
    fn banned_words_are_found_in_code_only() {
        for (parts, _) in BANNED {
            let word = parts.concat();
            assert_eq!(found("a.rs", &format!("fn a() {{ {word} }}")), 1, "{word}");
            assert_eq!(found("a.rs", &format!("    // No {word} here.")), 0, "{word}");
            assert_eq!(found("a.md", &word), 0, "{word}");
        }
    }

    #[test]
    fn names_that_say_nothing_are_found() {
        for stem in BANNED_STEMS {
            assert_eq!(found(&format!("a/src/{stem}.rs"), ""), 1, "{stem}");
        }
        assert_eq!(found("a/src/session_manager_view.rs", ""), 0);
    }

    #[test]
    fn places_of_one_machine_are_found() {
        for parts in MACHINE_PATHS {
            assert_eq!(found("docs/a.md", &format!("see {}x", parts.concat())), 1);
        }
    }

    #[test]
    fn a_registry_host_in_a_lock_file_is_found() {
        assert_eq!(found("a/package-lock.json", "\"resolved\": \"https://example.org/x.tgz\""), 1);
        assert_eq!(found("a/package-lock.json", "\"resolved\": \"node_modules/x\""), 0);
    }
}
