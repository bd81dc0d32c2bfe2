//! Secrets: speed on source code, and precision and recall on planted secrets, ours and two others in one run.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;
use serde_json::Value;

use super::{
    Figure, Side,
    process::{Timed, higher},
    programs::example,
    tree,
};
use crate::{shell::Command, test, workspace::Places};

/// What the fast scanners read, and what the slow one does: it needs a minute for this much.
const TREE_BYTES: u64 = 320 << 20;
const SAMPLE_BYTES: u64 = 8 << 20;
/// Exit codes of kingfisher: 200 and above say that something was found.
const KINGFISHER_DONE: &[i32] = &[0, 200, 205];

/// Ours, and the peers of the locked Python packages; without those, ours alone and a note.
pub(super) fn sides(places: &Places) -> anyhow::Result<Vec<Box<dyn Side>>> {
    let ours = example(places, "server-security-scanner", "scan_tree")?;
    let tree = tree::sources(places, "tree", TREE_BYTES)?;
    let peers = peers(places);
    let scores = scores(places, &peers)?;
    let scan = Command::new(ours).args([&tree.folder]).args(["--type", "secrets", "--include-ignored"]);
    let mut sides: Vec<Box<dyn Side>> =
        vec![Box::new(Scanner::new(Timed::new("core-mcp", scan), tree.bytes, quality(&scores["core_mcp"])))];
    if let Some(peer) = &peers.kingfisher {
        let timed = Timed::new("kingfisher", kingfisher(peer, &tree.folder)).ending_with(KINGFISHER_DONE);
        sides.push(Box::new(Scanner::new(timed, tree.bytes, quality(&scores["kingfisher"]))));
    }
    if let Some(peer) = &peers.detect_secrets {
        let sample = tree::sources(places, "sample", SAMPLE_BYTES)?;
        let timed = Timed::new("detect-secrets", detect_secrets(peer, &sample.folder));
        let slow = Scanner::new(timed, sample.bytes, quality(&scores["detect_secrets"])).once();
        sides.push(Box::new(slow));
    }
    Ok(sides)
}

/// The peers that work here.
#[derive(Default)]
struct Peers {
    kingfisher: Option<PathBuf>,
    detect_secrets: Option<PathBuf>,
}

fn peers(places: &Places) -> Peers {
    if let Err(error) = test::python(places) {
        eprintln!("  the peers cannot be installed, so only ours is measured: {error:#}");
        return Peers::default();
    }
    let working = |name: &str| {
        let program = places.venv().join("bin").join(name);
        let works = Command::new(program.to_string_lossy()).args(["--version"]).works();
        if !works {
            eprintln!("  {name} does not work here and is left out");
        }
        works.then_some(program)
    };
    Peers { kingfisher: working("kingfisher"), detect_secrets: working("detect-secrets") }
}

/// Told not to validate: a scanner that tries the secrets it finds talks to their providers.
fn kingfisher(program: &Path, tree: &Path) -> Command {
    let quiet = ["scan", "--no-validate", "--no-update-check", "--format", "json"];
    Command::new(program.to_string_lossy()).args(quiet).args([tree])
}

fn detect_secrets(program: &Path, tree: &Path) -> Command {
    Command::new(program.to_string_lossy()).args(["scan", "--all-files", "--no-verify", "."]).folder(tree)
}

/// Plants the corpus whose carriers, forms and decoys nothing was tuned on, lets everybody scan it, and scores them.
fn scores(places: &Places, peers: &Peers) -> anyhow::Result<Value> {
    let corpus = places.cache.join("bench/planted");
    if corpus.exists() {
        fs::remove_dir_all(&corpus).context("the old corpus cannot be removed")?;
    }
    let plant = example(places, "server-security-scanner", "plant_corpus")?;
    Command::new(plant).args([&corpus]).args(["--half", "test", "--seed", "7"]).output()?;
    let tree = corpus.join("tree");
    let mut score = Command::new(example(places, "server-security-scanner", "score_corpus")?).args([&corpus]);
    let runs = [
        ("--kingfisher", peers.kingfisher.as_ref().map(|it| kingfisher(it, &tree))),
        ("--detect-secrets", peers.detect_secrets.as_ref().map(|it| detect_secrets(it, &tree))),
    ];
    for (option, scan) in runs {
        let Some(scan) = scan else { continue };
        let printed = scan.prepared().output().with_context(|| format!("`{}`", scan.shown()))?;
        let report = corpus.join(format!("report{option}.json"));
        fs::write(&report, printed.stdout).context("a report cannot be kept")?;
        score = score.args([option]).args([&report]);
    }
    serde_json::from_str(&score.output()?).context("the scores are JSON")
}

fn quality(score: &Value) -> Vec<Figure> {
    let named = |name: &str| Some(higher(name, score[name].as_f64()?));
    ["precision", "recall"].into_iter().filter_map(named).collect()
}

/// A scanner under measurement: how fast, and how good it was on the planted corpus.
struct Scanner {
    timed: Timed,
    bytes: u64,
    quality: Vec<Figure>,
    /// Measured in the first round and repeated.
    once: bool,
    kept: Option<Vec<Figure>>,
}

impl Scanner {
    fn new(timed: Timed, bytes: u64, quality: Vec<Figure>) -> Self {
        Self { timed, bytes, quality, once: false, kept: None }
    }

    fn once(mut self) -> Self {
        self.once = true;
        self
    }
}

impl Side for Scanner {
    fn label(&self) -> &str {
        self.timed.label()
    }

    fn round(&mut self) -> anyhow::Result<Vec<Figure>> {
        if let Some(kept) = self.kept.as_ref().filter(|_| self.once) {
            return Ok(kept.clone());
        }
        let cost = self.timed.round()?;
        let megabytes = self.bytes as f64 / 1e6;
        let cpu = cost.iter().find(|it| it.name == "cpu_s").map_or(f64::NAN, |it| it.value);
        let mut figures = vec![higher("mb_per_cpu_s", megabytes / cpu.max(0.01))];
        // Seconds compare only where everybody reads the same tree.
        if !self.once {
            figures.extend(cost);
        }
        figures.extend(self.quality.iter().cloned());
        self.kept = Some(figures.clone());
        Ok(figures)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_slow_side_works_once_and_repeats_its_figures() {
        let timed = Timed::new("sh", Command::new("sh").args(["-c", "exit 0"]));
        let quality = quality(&json!({ "precision": 1.0, "recall": 0.5, "misses": 3 }));
        let mut side = Scanner::new(timed, 1_000_000, quality).once();
        let first = side.round().expect("a round");
        assert_eq!(first, side.round().expect("a round"));
        let names: Vec<&str> = first.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["mb_per_cpu_s", "precision", "recall"]);
    }
}
