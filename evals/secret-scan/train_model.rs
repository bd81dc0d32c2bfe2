//! Learns the weights of the model from labelled trees and prints its table.
//!
//! `train_model CORPUS… > model.txt`; each `CORPUS` holds `tree/` and `labels.json` as `plant_corpus` writes them. The first
//! folder of a path is its group, for example a repository. Groups weigh alike whatever their size, and a
//! clue counts only when several groups have it, so that no repository's habits become the rule. What
//! five-fold validation by group says of the same clues goes to standard error.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs, io,
    path::Path,
};

use serde::Deserialize;
use server_security_scanner::{BUCKETS, Dice, Questions};

/// Groups that must share a clue.
const GROUPS_MIN: usize = 3;
const EPOCHS: usize = 60;
const RATE: f32 = 0.3;
/// How much data outweighs a weight's pull towards zero.
const TRUST: f32 = 0.2;
const FOLDS: usize = 5;

#[derive(Deserialize)]
struct Label {
    path: String,
    line: u64,
    secret: bool,
    #[serde(default)]
    ignore: bool,
}

struct Example {
    group: usize,
    buckets: Vec<u16>,
    is_secret: bool,
    weight: f32,
}

fn main() -> io::Result<()> {
    let mut examples = Vec::new();
    let mut groups = BTreeMap::new();
    for dir in env::args().skip(1) {
        read(Path::new(&dir), &mut groups, &mut examples)?;
    }
    weigh(&mut examples, groups.len());
    eprintln!("{} groups, {} examples", groups.len(), examples.len());
    validate(&examples);
    let all: Vec<&Example> = examples.iter().collect();
    print(&train(&all));
    Ok(())
}

fn read(dir: &Path, groups: &mut BTreeMap<String, usize>, examples: &mut Vec<Example>) -> io::Result<()> {
    let labels: Vec<Label> = serde_json::from_slice(&fs::read(dir.join("labels.json"))?)?;
    let mut truth: BTreeMap<(String, u64), (bool, bool)> = BTreeMap::new();
    for label in labels {
        truth.insert((label.path, label.line), (label.secret, label.ignore));
    }
    let questions = Questions::new()?;
    let tree = dir.join("tree");
    let mut waiting = vec![tree.clone()];
    while let Some(folder) = waiting.pop() {
        let mut entries: Vec<_> = fs::read_dir(&folder)?.collect::<Result<_, _>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            if entry.file_type()?.is_dir() {
                waiting.push(entry.path());
                continue;
            }
            let path =
                entry.path().strip_prefix(&tree).map_err(io::Error::other)?.to_string_lossy().into_owned();
            let name = path.split('/').next().unwrap_or_default();
            let next = groups.len();
            let group = *groups.entry(name.to_owned()).or_insert(next);
            // The folder of the repository is no clue.
            let known_as = path.split_once('/').map_or(path.as_str(), |it| it.1);
            for asked in questions.of(known_as, &fs::read(entry.path())?) {
                let (is_secret, ignore) = truth.get(&(path.clone(), asked.line)).copied().unwrap_or_default();
                if !ignore {
                    examples.push(Example { group, buckets: asked.buckets, is_secret, weight: 1.0 });
                }
            }
        }
    }
    Ok(())
}

/// A group of a thousand examples weighs as much as one of a hundred, nearly.
fn weigh(examples: &mut [Example], groups: usize) {
    let mut sizes = vec![0_usize; groups];
    examples.iter().for_each(|it| sizes[it.group] += 1);
    for example in examples.iter_mut() {
        example.weight = (60.0 / sizes[example.group] as f32).sqrt().min(1.5);
    }
}

/// Logistic regression by gradient steps that shorten as a weight has moved.
fn train(examples: &[&Example]) -> Vec<f32> {
    let pull = pulls(examples);
    let mut weights = vec![0.0_f32; BUCKETS];
    let mut moved = vec![1e-3_f32; BUCKETS];
    let mut order: Vec<usize> = (0..examples.len()).collect();
    let mut dice = Dice::new(42);
    for _ in 0..EPOCHS {
        for at in (1..order.len()).rev() {
            order.swap(at, dice.below(at + 1));
        }
        for at in &order {
            let example = examples[*at];
            let error = f32::from(u8::from(example.is_secret)) - likelihood(&weights, &example.buckets);
            for bucket in example.buckets.iter().map(|it| usize::from(*it)) {
                let Some(pull) = pull[bucket] else { continue };
                let step = example.weight * error - pull * weights[bucket];
                moved[bucket] += step * step;
                weights[bucket] += RATE * step / moved[bucket].sqrt().max(1.0);
            }
        }
    }
    weights
}

/// What each clue's weight is drawn to zero with when its clue is met; `None` for clues of too few groups.
fn pulls(examples: &[&Example]) -> Vec<Option<f32>> {
    let mut seen: BTreeMap<u16, (usize, BTreeSet<usize>)> = BTreeMap::new();
    for example in examples {
        for bucket in &example.buckets {
            let (count, groups) = seen.entry(*bucket).or_default();
            *count += 1;
            groups.insert(example.group);
        }
    }
    let mut pulls = vec![None; BUCKETS];
    for (bucket, (count, groups)) in seen {
        if groups.len() >= GROUPS_MIN {
            // The whole penalty is shared out over the meetings, so that rare clues are held as short as common ones.
            pulls[usize::from(bucket)] = Some(1.0 / (TRUST * count as f32));
        }
    }
    pulls
}

fn likelihood(weights: &[f32], buckets: &[u16]) -> f32 {
    let sum: f32 = buckets.iter().map(|it| weights[usize::from(*it)]).sum();
    1.0 / (1.0 + (-sum).exp())
}

fn validate(examples: &[Example]) {
    let mut judged: Vec<(f32, bool)> = Vec::new();
    for fold in 0..FOLDS {
        let (known, new): (Vec<&Example>, Vec<&Example>) =
            examples.iter().partition(|it| it.group % FOLDS != fold);
        let weights = train(&known);
        judged.extend(new.iter().map(|it| (likelihood(&weights, &it.buckets), it.is_secret)));
    }
    let all = judged.iter().filter(|it| it.1).count();
    for threshold in [0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9] {
        let kept: Vec<_> = judged.iter().filter(|it| it.0 >= threshold).collect();
        let right = kept.iter().filter(|it| it.1).count();
        let (precision, recall) = (right as f64 / kept.len().max(1) as f64, right as f64 / all.max(1) as f64);
        eprintln!("at {threshold:.1}: precision {precision:.3}, recall {recall:.3} of {all}");
    }
}

fn print(weights: &[f32]) {
    for row in weights.chunks(64) {
        let line: String =
            row.iter().map(|it| format!("{:02x}", (it * 16.0).round().clamp(-127.0, 127.0) as i8)).collect();
        println!("{line}");
    }
}
