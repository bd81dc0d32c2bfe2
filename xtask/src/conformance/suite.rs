//! Running the suite and reading its summary.

use std::{fmt, fs, path::PathBuf};

use anyhow::Context;
use serde::Serialize;

use crate::{shell::Command, workspace::Places};

const PACKAGE: &str = "node_modules/@modelcontextprotocol/conformance";

/// What is run in one mode and revision.
#[derive(Clone)]
pub(super) enum Plan {
    /// The frozen requirement set, with what it runs besides.
    Requirements,
    /// These scenarios, all of which must pass.
    Required(Vec<&'static str>),
    /// These scenarios, which only inform.
    Informational(Vec<&'static str>),
}

/// What came of one mode and revision.
#[derive(Default, Serialize)]
pub(super) struct Figure {
    /// Required scenarios that passed.
    passed: usize,
    /// Required scenarios.
    required: usize,
    /// Scenarios that only inform, by how they ended.
    informational: Informational,
    /// Required scenarios that failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) failed: Vec<String>,
}

#[derive(Default, Serialize)]
struct Informational {
    passed: usize,
    run: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failed: Vec<String>,
}

impl Figure {
    /// Whether everything required passed, and something was required.
    pub(super) fn holds(&self) -> bool {
        self.required > 0 && self.passed == self.required
    }

    fn count(&mut self, scenario: &str, passed: bool, required: bool) {
        let (ran, good, failed) = if required {
            (&mut self.required, &mut self.passed, &mut self.failed)
        } else {
            let it = &mut self.informational;
            (&mut it.run, &mut it.passed, &mut it.failed)
        };
        *ran += 1;
        if passed {
            *good += 1;
        } else {
            failed.push(scenario.to_owned());
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let more = &self.informational;
        write!(f, "required {}/{}, informational {}/{}", self.passed, self.required, more.passed, more.run)?;
        for scenario in self.failed.iter().chain(&more.failed) {
            write!(f, "\n  failed: {scenario}")?;
        }
        Ok(())
    }
}

/// The installed suite.
pub(super) struct Suite {
    node: PathBuf,
    folder: PathBuf,
    records: PathBuf,
}

impl Suite {
    pub(super) fn new(places: &Places, records: PathBuf) -> Self {
        let (node, folder) = (places.venv().join("bin/node"), places.root.join("tests/clients/node"));
        Self { node, folder, records }
    }

    pub(super) fn measure(
        &self,
        mode: &str,
        url: &str,
        revision: &str,
        plans: &[Plan],
    ) -> anyhow::Result<Figure> {
        let mut figure = Figure::default();
        let records = self.records.join(mode).join(revision);
        if records.exists() {
            fs::remove_dir_all(&records).context("old records cannot be removed")?;
        }
        for plan in plans {
            match plan {
                Plan::Requirements => self.requirements(url, revision, &records, &mut figure)?,
                Plan::Required(names) => self.each(url, revision, names, &records, |name, passed| {
                    figure.count(name, passed, true);
                })?,
                Plan::Informational(names) => self.each(url, revision, names, &records, |name, passed| {
                    figure.count(name, passed, false);
                })?,
            }
        }
        Ok(figure)
    }

    fn requirements(
        &self,
        url: &str,
        revision: &str,
        records: &std::path::Path,
        figure: &mut Figure,
    ) -> anyhow::Result<()> {
        let set = self.folder.join(PACKAGE).join(format!("requirements/{revision}.yaml"));
        let set = fs::read_to_string(&set).with_context(|| format!("{} is missing", set.display()))?;
        let required = required_of_servers(&set);
        anyhow::ensure!(!required.is_empty(), "the requirement set of {revision} names no scenario");
        let said = self.run(url, &["--requirements", revision], records)?;
        let ended = summary(&said.text);
        for name in &required {
            let passed = ended.iter().any(|(scenario, passed)| scenario == name && *passed);
            figure.count(name, passed, true);
        }
        for (name, passed) in ended.iter().filter(|(name, _)| !required.contains(name)) {
            figure.count(name, *passed, false);
        }
        // The suite's own verdict counts as well: whatever it misses fails here too.
        if !said.succeeded && figure.failed.is_empty() {
            figure.failed.push(format!("the suite itself, see {}", records.display()));
            figure.required += 1;
        }
        Ok(())
    }

    fn each(
        &self,
        url: &str,
        revision: &str,
        names: &[&str],
        records: &std::path::Path,
        mut count: impl FnMut(&str, bool),
    ) -> anyhow::Result<()> {
        for name in names {
            let said = self.run(url, &["--scenario", name, "--spec-version", revision], records)?;
            count(name, said.succeeded);
        }
        Ok(())
    }

    fn run(&self, url: &str, what: &[&str], records: &std::path::Path) -> anyhow::Result<Said> {
        let command = Command::new(self.node.to_string_lossy())
            .folder(&self.folder)
            .args([format!("{PACKAGE}/dist/index.js").as_str(), "server", "--url", url])
            .args(what)
            .args(["-o".as_ref(), records.as_os_str()]);
        let output = command.prepared().output().context("the suite cannot be started")?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(Said { text, succeeded: output.status.success() })
    }
}

struct Said {
    text: String,
    succeeded: bool,
}

/// The scenarios under `server:` of a requirement set.
fn required_of_servers(set: &str) -> Vec<String> {
    let lines = set.lines().skip_while(|line| line.trim_end() != "server:").skip(1);
    let own = lines.take_while(|line| line.is_empty() || line.starts_with([' ', '#', '-']));
    own.filter_map(|line| line.trim().strip_prefix("- ")).map(|name| name.trim().to_owned()).collect()
}

/// Scenarios and whether they passed, from the lines under `=== SUMMARY ===`.
fn summary(text: &str) -> Vec<(String, bool)> {
    let lines = text.lines().skip_while(|line| !line.contains("=== SUMMARY ===")).skip(1);
    let ended = lines.take_while(|line| !line.starts_with("Total:"));
    ended
        .filter_map(|line| {
            let passed = line.starts_with('✓');
            let rest = line.strip_prefix(['✓', '✗'])?;
            Some((rest.split_once(':')?.0.trim().to_owned(), passed))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_requirement_set_is_read_up_to_its_next_part() {
        let set = "# words\nserver:\n  - one\n\n  # more\n  - two\n\nclient:\n  - three\n";
        assert_eq!(required_of_servers(set), ["one", "two"]);
        assert!(required_of_servers("client:\n  - x\n").is_empty());
    }

    #[test]
    fn a_summary_says_what_passed() {
        let text = "✓ before: 1\n=== SUMMARY ===\n✓ a-b: 2 passed, 0 failed\n✗ c: 0 passed, 1 failed\n\nTotal: 2\n✓ d: x\n";
        assert_eq!(summary(text), [("a-b".to_owned(), true), ("c".to_owned(), false)]);
    }

    #[test]
    fn nothing_required_is_no_success() {
        assert!(!Figure::default().holds());
        let mut figure = Figure::default();
        figure.count("a", true, true);
        figure.count("b", false, false);
        assert!(figure.holds());
        figure.count("c", false, true);
        assert!(!figure.holds());
        assert_eq!(figure.to_string(), "required 1/2, informational 0/1\n  failed: c\n  failed: b");
    }
}
