//! Benches whose work is a program of ours next to programs of others.

use std::path::Path;

use anyhow::Context;
use serde_json::Value;

use super::{Better, Figure, Side, process::Timed, tree};
use crate::{shell::Command, workspace::Places};

/// A program that measures itself and prints `{"figures": {…}}` as its last line.
struct Reporting {
    label: String,
    command: Command,
}

impl Side for Reporting {
    fn label(&self) -> &str {
        &self.label
    }

    fn round(&mut self) -> anyhow::Result<Vec<Figure>> {
        figures(&self.command.output()?)
    }
}

fn figures(printed: &str) -> anyhow::Result<Vec<Figure>> {
    let last = printed.lines().last().context("nothing was printed")?;
    let report: Value = serde_json::from_str(last).context("the last line is JSON")?;
    let figures = report["figures"].as_object().context("the last line holds figures")?;
    let figure = |(name, value): (&String, &Value)| {
        let better = if name.contains("per_second") { Better::Higher } else { Better::Lower };
        let value = value.as_f64().with_context(|| format!("{name} is a number"))?;
        Ok(Figure { name: name.clone(), value, better })
    };
    figures.iter().map(figure).collect()
}

/// The whole road next to the tool called directly.
pub(super) fn pipeline(places: &Places) -> anyhow::Result<Vec<Box<dyn Side>>> {
    let program = example(places, "pipeline", "pipeline_bench")?;
    Ok(vec![reporting("road", &program, "road"), reporting("bare call", &program, "bare")])
}

/// Our log next to SQLite with one transaction per record.
pub(super) fn audit(places: &Places) -> anyhow::Result<Vec<Box<dyn Side>>> {
    let program = example(places, "audit", "audit_bench")?;
    Ok(vec![reporting("audit log", &program, "ours"), reporting("plain sqlite", &program, "peer")])
}

/// Our scanner next to two others on the same tree.
pub(super) fn secret_scan(places: &Places) -> anyhow::Result<Vec<Box<dyn Side>>> {
    let ours = example(places, "server-security-scanner", "scan_tree")?;
    let (tree, venv) = (tree::sources(places)?, places.venv());
    let peer = |name: &str| Command::new(venv.join("bin").join(name).to_string_lossy());
    anyhow::ensure!(venv.exists(), "the peers are missing; install them: cargo xtask test --only install");
    let kingfisher =
        peer("kingfisher").args(["scan", "--no-validate", "--no-update-check", "--format", "json"]);
    let detect = peer("detect-secrets").args(["scan", "--all-files", "--no-verify", "."]).folder(&tree);
    Ok(vec![
        Box::new(Timed::new("core-mcp", Command::new(ours).args([&tree]))),
        // 200 and above say that something was found.
        Box::new(Timed::new("kingfisher", kingfisher.args([&tree])).ending_with(&[0, 200, 205])),
        Box::new(Timed::new("detect-secrets", detect)),
    ])
}

fn reporting(label: &str, program: &str, side: &str) -> Box<dyn Side> {
    Box::new(Reporting { label: label.to_owned(), command: Command::new(program).args([side]) })
}

/// Builds an example with optimisation; returns the program.
fn example(places: &Places, package: &str, name: &str) -> anyhow::Result<String> {
    let build = ["build", "--release", "--quiet", "--locked", "-p", package, "--example", name];
    places.command("cargo").args(build).run()?;
    let program = places.target.join("release/examples").join(name);
    Ok(Path::new(&program).to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_holds_the_figures() {
        let printed = "warming up\n{\"figures\": {\"calls_per_second\": 5, \"p99_us\": 7.5}}\n";
        let figures = figures(printed).expect("figures");
        assert_eq!(figures[0].name, "calls_per_second");
        assert_eq!((figures[0].value, figures[0].better), (5.0, Better::Higher));
        assert_eq!((figures[1].value, figures[1].better), (7.5, Better::Lower));
    }

    #[test]
    fn a_program_that_reports_nothing_is_an_error() {
        for printed in ["", "done", "{}", "{\"figures\": {\"a\": \"b\"}}"] {
            assert!(figures(printed).is_err(), "{printed}");
        }
    }
}
