//! Files and functions that fit in a head.

use anyhow::Context;
use serde::Deserialize;

use super::{Findings, SourceFile};

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;
const EXCEPTIONS: &str = "xtask/tidy-exceptions.toml";

/// What may be longer, and why. An exception that is not needed is untidy too.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Exceptions {
    #[serde(default)]
    file: Vec<Exception>,
    #[serde(default)]
    function: Vec<Exception>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Exception {
    path: String,
    /// Of the function; absent for files.
    name: Option<String>,
    lines_max: usize,
    reason: String,
}

pub(super) fn check(files: &[SourceFile], findings: &mut Findings) -> anyhow::Result<()> {
    let listed = files.iter().find(|it| it.path == EXCEPTIONS).map_or("", |it| it.text.as_str());
    let exceptions: Exceptions =
        toml::from_str(listed).with_context(|| format!("{EXCEPTIONS} is not valid"))?;
    let mut used = Vec::new();
    for file in files.iter().filter(|it| it.path.ends_with(".rs")) {
        let lines = file.text.lines().count();
        let exception = exceptions.file.iter().find(|it| it.path == file.path);
        used.extend(exception.filter(|_| lines > FILE_LINES_MAX).map(|it| (&it.path, None)));
        let max = exception.map_or(FILE_LINES_MAX, |it| it.lines_max);
        // Tests in a folder of their own may run long: stories, and tables of attacks.
        if lines > max && !is_story(&file.path) {
            findings.push(format!("{}: {lines} lines, {max} at most", file.path));
        }
        for (name, lines) in functions(&file.text) {
            let exception = exceptions
                .function
                .iter()
                .find(|it| it.path == file.path && it.name.as_deref() == Some(name));
            used.extend(exception.filter(|_| lines > FUNCTION_LINES_MAX).map(|it| (&it.path, Some(name))));
            let max = exception.map_or(FUNCTION_LINES_MAX, |it| it.lines_max);
            if lines > max && !is_story(&file.path) {
                findings.push(format!("{}: function `{name}` has {lines} lines, {max} at most", file.path));
            }
        }
    }
    for exception in exceptions.file.iter().chain(&exceptions.function) {
        if exception.reason.trim().len() < 10 {
            findings.push(format!("{EXCEPTIONS}: the exception for {} has no reason", exception.path));
        }
        if !used.contains(&(&exception.path, exception.name.as_deref())) {
            findings.push(format!("{EXCEPTIONS}: the exception for {} is not needed", exception.path));
        }
    }
    Ok(())
}

fn is_story(path: &str) -> bool {
    path.starts_with("tests/") || path.contains("/tests/")
}

/// Name and length of each function. Relies on rustfmt: a body ends with a brace under its `fn`.
fn functions(text: &str) -> Vec<(&str, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        let indent = line.len() - line.trim_start().len();
        let is_end =
            |it: &&str| it.len() == indent + 1 && it.trim_start() == "}" || is_bodiless_end(it, indent);
        if line.trim_end().ends_with(['}', ';']) {
            continue;
        }
        if let Some(length) = lines[start..].iter().position(is_end) {
            found.push((name, length + 1));
        }
    }
    found
}

/// A declaration in a trait ends with `;` at the indent of its `fn`, or at its closing parenthesis.
fn is_bodiless_end(line: &str, indent: usize) -> bool {
    line.len() > indent
        && line[..indent].trim().is_empty()
        && line[indent..].starts_with(')')
        && line.ends_with(';')
}

fn function_name(line: &str) -> Option<&str> {
    let mut words = line.trim_start();
    loop {
        if let Some(rest) = words.strip_prefix("fn ") {
            let end = rest.find(|it: char| !it.is_alphanumeric() && it != '_')?;
            return Some(&rest[..end]);
        }
        let (word, rest) = words.split_once(' ')?;
        let is_qualifier = word.starts_with("pub") || matches!(word, "const" | "async" | "unsafe" | "extern");
        if !is_qualifier {
            return None;
        }
        words = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: String, exceptions: &str) -> Vec<String> {
        let files = [
            SourceFile { path: path.into(), text },
            SourceFile { path: EXCEPTIONS.into(), text: exceptions.into() },
        ];
        let mut findings = Findings::new();
        check(&files, &mut findings).expect("the exceptions parse");
        findings
    }

    fn function_of(lines: usize) -> String {
        format!(
            "    pub(crate) async fn long(\n        a: u8,\n    ) {{\n{}    }}\n",
            "        work();\n".repeat(lines - 4)
        )
    }

    #[test]
    fn long_files_are_found_unless_they_are_stories() {
        let lines = |count| "// line\n".repeat(count);
        assert_eq!(found("a/src/x.rs", lines(500), ""), Findings::new());
        assert_eq!(found("a/src/x.rs", lines(501), ""), ["a/src/x.rs: 501 lines, 500 at most"]);
        assert_eq!(found("a/tests/x.rs", lines(900), ""), Findings::new());
        assert_eq!(found("a/x.svg", lines(900), ""), Findings::new());
    }

    #[test]
    fn long_functions_are_found() {
        assert_eq!(found("x.rs", function_of(70), ""), Findings::new());
        assert_eq!(found("x.rs", function_of(71), ""), ["x.rs: function `long` has 71 lines, 70 at most"]);
        assert_eq!(found("a/tests/x.rs", function_of(71), ""), Findings::new());
    }

    #[test]
    fn an_exception_needs_a_reason_and_a_need() {
        let exception = |lines: usize, reason: &str| {
            format!("[[function]]\npath = 'x.rs'\nname = 'long'\nlines_max = {lines}\nreason = '{reason}'\n")
        };
        assert_eq!(found("x.rs", function_of(80), &exception(80, "one table of stages")), Findings::new());
        assert_eq!(found("x.rs", function_of(81), &exception(80, "one table of stages")).len(), 1);
        assert_eq!(found("x.rs", function_of(80), &exception(80, "")).len(), 1);
        assert_eq!(found("x.rs", function_of(60), &exception(80, "one table of stages")).len(), 1);
    }

    #[test]
    fn declarations_and_one_liners_are_not_measured() {
        let text = "fn a() -> u8 { 1 }\nfn b();\nfn c(\n    x: u8,\n) -> u8;\nfn d() {\n    1\n}\n";
        assert_eq!(functions(text), [("c", 3), ("d", 3)]);
    }
}
