//! Scores scanners on a planted corpus and prints one JSON object.
//!
//! `score_corpus DIR [--kingfisher FILE] [--detect-secrets FILE]`: `DIR` is what `plant_corpus` wrote; the
//! files are what the peers reported on `DIR/tree`. A planted secret counts as found when a finding covers its
//! line. Every other line with a finding is a false alarm, labelled as a decoy or not.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    env, fs, io,
    path::Path,
    process::ExitCode,
};

use serde::Deserialize;
use serde_json::{Value, json};
use server_security_scanner::{ScanType, scan_path};

/// Findings by file: the first line, and the last.
type Lines = BTreeMap<String, BTreeMap<u64, u64>>;

#[derive(Deserialize)]
struct Label {
    path: String,
    line: u64,
    secret: bool,
    kind: String,
    /// Neither right nor wrong: an identifier, or a further line of a secret.
    #[serde(default)]
    ignore: bool,
}

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let Some(dir) = args.first() else {
        eprintln!("usage: score_corpus DIR [--kingfisher FILE] [--detect-secrets FILE]");
        return ExitCode::from(2);
    };
    match score_all(Path::new(dir), &args[1..]) {
        Ok(scores) => {
            println!("{scores:#}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn score_all(dir: &Path, peers: &[String]) -> io::Result<Value> {
    let labels: Vec<Label> = serde_json::from_slice(&fs::read(dir.join("labels.json"))?)?;
    let tree = dir.join("tree").canonicalize()?;
    let mut scores = json!({ "core_mcp": score(&labels, &ours(&tree)?) });
    for pair in peers.chunks_exact(2) {
        let text = fs::read_to_string(&pair[1])?;
        let (name, lines) = match pair[0].as_str() {
            "--kingfisher" => ("kingfisher", kingfisher(&text, &tree)?),
            "--detect-secrets" => ("detect_secrets", detect_secrets(&text, &tree)?),
            other => return Err(io::Error::other(format!("unknown option {other}"))),
        };
        scores[name] = score(&labels, &lines);
    }
    Ok(scores)
}

fn ours(tree: &Path) -> io::Result<Lines> {
    let mut lines = Lines::new();
    for finding in scan_path(tree, ScanType::Secrets, 2, true)?.findings {
        let place = finding.location;
        let until = if finding.rule == "private-key" { place.end_line } else { place.line };
        lines.entry(place.path).or_default().insert(place.line.into(), until.into());
    }
    Ok(lines)
}

/// Kingfisher prints several JSON documents; the findings are in the first.
fn kingfisher(text: &str, tree: &Path) -> io::Result<Lines> {
    let first = serde_json::Deserializer::from_str(text).into_iter::<Value>().next();
    let document = first.ok_or_else(|| io::Error::other("the report is empty"))??;
    let mut lines = Lines::new();
    for finding in document["findings"].as_array().into_iter().flatten() {
        let place = &finding["finding"];
        if let (Some(path), Some(line)) = (place["path"].as_str(), place["line"].as_u64()) {
            lines.entry(relative(path, tree)).or_default().insert(line, line);
        }
    }
    Ok(lines)
}

fn detect_secrets(text: &str, tree: &Path) -> io::Result<Lines> {
    let document: Value = serde_json::from_str(text)?;
    let mut lines = Lines::new();
    for (path, findings) in document["results"].as_object().into_iter().flatten() {
        let found = findings.as_array().into_iter().flatten().filter_map(|it| it["line_number"].as_u64());
        lines.entry(relative(path, tree)).or_default().extend(found.map(|it| (it, it)));
    }
    Ok(lines)
}

/// Peers print paths as they were given: absolute, or starting with the folder's own name.
fn relative(path: &str, tree: &Path) -> String {
    let path = Path::new(path);
    let own = tree.file_name().map_or(path, Path::new);
    path.strip_prefix(tree).or_else(|_| path.strip_prefix(own)).unwrap_or(path).to_string_lossy().into_owned()
}

fn score(labels: &[Label], found: &Lines) -> Value {
    let is_found = |label: &Label| {
        found
            .get(&label.path)
            .is_some_and(|it| it.range(..=label.line).any(|(_, until)| *until >= label.line))
    };
    let secrets: BTreeSet<(&str, u64)> =
        labels.iter().filter(|it| it.secret).map(|it| (it.path.as_str(), it.line)).collect();
    let ignored: BTreeSet<(&str, u64)> =
        labels.iter().filter(|it| it.ignore).map(|it| (it.path.as_str(), it.line)).collect();
    let hits = labels.iter().filter(|it| it.secret && is_found(it)).count();
    let misses = secrets.len() - hits;
    let alarms = found
        .iter()
        .flat_map(|(path, lines)| lines.iter().map(move |(from, until)| (path.as_str(), *from, *until)))
        .filter(|(path, from, until)| {
            let places = [&secrets, &ignored];
            !places.iter().any(|it| it.range((*path, *from)..=(*path, *until)).next().is_some())
        })
        .count();
    let mut missed: HashMap<&str, usize> = HashMap::new();
    let mut alarmed: HashMap<&str, usize> = HashMap::new();
    for label in labels.iter().filter(|it| !it.ignore) {
        match (label.secret, is_found(label)) {
            (true, false) => *missed.entry(&label.kind).or_default() += 1,
            (false, true) => *alarmed.entry(&label.kind).or_default() += 1,
            _ => {}
        }
    }
    let share = |part: usize, rest: usize| if part == 0 { 0.0 } else { part as f64 / (part + rest) as f64 };
    let (precision, recall) = (share(hits, alarms), share(hits, misses));
    let f1 = if precision + recall == 0.0 { 0.0 } else { 2.0 * precision * recall / (precision + recall) };
    json!({
        "true_positives": hits, "false_negatives": misses, "false_positives": alarms,
        "precision": precision, "recall": recall, "f1": f1,
        "missed_by_kind": missed, "alarms_by_kind": alarmed,
    })
}
