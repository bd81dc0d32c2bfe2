//! Scans one tree and prints what it cost and what was found, as one JSON object.
//!
//! `scan_tree DIR [--type secrets|patterns|all] [--workers N] [--runs N] [--include-ignored] [--findings]`.
//! CPU seconds are user and system time of this process. With several runs the median is reported.

use std::{env, path::PathBuf, process::ExitCode, time::Instant};

use serde_json::json;
use server_security_scanner::{Direct, ScanType, scan_path};

struct Options {
    dir: PathBuf,
    scan: ScanType,
    workers: usize,
    runs: usize,
    ignored: bool,
    findings: bool,
}

fn main() -> ExitCode {
    let Some(options) = options() else {
        eprintln!(
            "usage: scan_tree DIR [--type secrets|patterns|all] [--workers N] [--runs N] [--include-ignored] [--findings]"
        );
        return ExitCode::from(2);
    };
    let mut times = Vec::new();
    let mut last: Option<Direct> = None;
    for _ in 0..options.runs {
        let (cpu, wall) = (cpu_seconds(), Instant::now());
        match scan_path(&options.dir, options.scan, options.workers, options.ignored) {
            Ok(found) => last = Some(found),
            Err(error) => {
                eprintln!("{}: {error}", options.dir.display());
                return ExitCode::FAILURE;
            }
        }
        times.push((cpu_seconds() - cpu, wall.elapsed().as_secs_f64()));
    }
    times.sort_by(|left, right| left.0.total_cmp(&right.0));
    if let Some(found) = last {
        print(&options, &found, times[times.len() / 2]);
    }
    ExitCode::SUCCESS
}

fn print(options: &Options, found: &Direct, (cpu, wall): (f64, f64)) {
    let megabytes = found.coverage.bytes as f64 / 1e6;
    let mut out = json!({
        "files": found.coverage.files,
        "scanned": found.coverage.scanned,
        "megabytes": megabytes,
        "rules": found.rules,
        "findings": found.findings.len(),
        "cpu_seconds": cpu,
        "wall_seconds": wall,
        "megabytes_per_cpu_second": megabytes / cpu,
        "skipped": found.coverage.skipped_by_reason,
    });
    if options.findings {
        let place = |it: &server_security_scanner::Finding| {
            json!({"path": it.location.path, "line": it.location.line, "end_line": it.location.end_line,
                "rule": it.rule, "confidence": it.confidence, "evidence": it.evidence})
        };
        out["list"] = found.findings.iter().map(place).collect();
    }
    println!("{out:#}");
}

fn options() -> Option<Options> {
    let mut args = env::args().skip(1);
    let dir = args.next().filter(|it| !it.starts_with("--"))?.into();
    let mut options =
        Options { dir, scan: ScanType::Secrets, workers: 2, runs: 1, ignored: false, findings: false };
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--type" => {
                options.scan = match args.next()?.as_str() {
                    "secrets" => ScanType::Secrets,
                    "patterns" => ScanType::Patterns,
                    "all" => ScanType::All,
                    _ => return None,
                }
            }
            "--workers" => options.workers = args.next()?.parse().ok()?,
            "--runs" => options.runs = args.next()?.parse().ok().filter(|it| *it > 0)?,
            "--include-ignored" => options.ignored = true,
            "--findings" => options.findings = true,
            _ => return None,
        }
    }
    Some(options)
}

/// User and system time of this process, from the kernel's own accounts.
fn cpu_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
