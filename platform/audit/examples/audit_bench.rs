//! How many durable records per second, and what one costs: `audit_bench [ROUNDS] [SECONDS] [FOLDER]`.
//!
//! Measures, in interleaved rounds on the same disk and with the same records:
//! - `group`: 64 callers, each waiting until its record is durable (the default durability);
//! - `sync`: the same callers, one transaction and one sync per record;
//! - `file`: a bare file, one append and one `fdatasync` per record, no chain, no database.
//!
//! Medians go to stderr for people and to stdout as one JSON object.

use std::{
    error::Error,
    fs::OpenOptions,
    io::Write,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use audit::{AuditLog, AuditOptions, Durability};
use pipeline::seams::{AuditEntry, Journal};
use serde_json::json;
use store::DataDir;

const CALLERS: u64 = 64;

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |index: usize, default: u64| args.get(index).map_or(Ok(default), |it| it.parse());
    let (rounds, seconds) = (number(0, 5)?, number(1, 2)?);
    let base = args.get(2).map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = tempfile::tempdir_in(base)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let length = Duration::from_secs(seconds);
    let (mut group, mut sync, mut file) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        let room = |name: &str| folder.path().join(format!("{name}-{round}"));
        group.push(runtime.block_on(log(&room("group"), Durability::Group, length))?);
        sync.push(runtime.block_on(log(&room("sync"), Durability::Sync, length))?);
        file.push(append(&room("file"), length)?);
        eprintln!(
            "round {}: group {:.0}/s, sync {:.0}/s, file {:.0}/s",
            round + 1,
            group[group.len() - 1].per_second,
            sync[sync.len() - 1].per_second,
            file[file.len() - 1].per_second
        );
    }
    report(&group, &sync, &file, rounds, seconds)
}

/// What one round came to.
struct Round {
    per_second: f64,
    /// CPU time of the writing thread per record; 0 where it has no thread of its own.
    writer_us: f64,
    /// CPU time of the whole process per record.
    process_us: f64,
    /// Median and 99th percentile of one caller's wait, in microseconds.
    wait_us: (f64, f64),
}

async fn log(path: &Path, durability: Durability, length: Duration) -> Result<Round, Failure> {
    let log = Arc::new(AuditLog::open(
        &DataDir::open(path)?,
        AuditOptions { durability, ..AuditOptions::default() },
    )?);
    let (start, process, done) = (Instant::now(), process_cpu_us()?, Arc::new(AtomicU64::new(0)));
    let writer = thread_cpu_us("audit-writer")?;
    let mut callers = tokio::task::JoinSet::new();
    for caller in 0..CALLERS {
        let (log, done) = (Arc::clone(&log), Arc::clone(&done));
        callers.spawn(async move {
            let mut waits = Vec::new();
            for call in 0_u64.. {
                if start.elapsed() >= length {
                    break;
                }
                let asked = Instant::now();
                // Half of the records are intents and half are outcomes, as in life.
                log.append(record(caller, call / 2, call % 2 == 0)?)?.await?;
                waits.push(asked.elapsed().as_secs_f64() * 1e6);
                done.fetch_add(1, Ordering::Relaxed);
            }
            Ok::<_, Failure>(waits)
        });
    }
    let mut waits = Vec::new();
    while let Some(caller) = callers.join_next().await {
        waits.extend(caller??);
    }
    let (elapsed, records) = (start.elapsed(), done.load(Ordering::Relaxed).max(1) as f64);
    let (writer, process) = (thread_cpu_us("audit-writer")? - writer, process_cpu_us()? - process);
    log.shutdown()?;
    waits.sort_by(f64::total_cmp);
    Ok(Round {
        per_second: records / elapsed.as_secs_f64(),
        writer_us: writer / records,
        process_us: process / records,
        wait_us: (waits[waits.len() / 2], waits[waits.len() * 99 / 100]),
    })
}

fn append(path: &Path, length: Duration) -> Result<Round, Failure> {
    let mut file = OpenOptions::new().append(true).create(true).open(path)?;
    let (start, process, mut records) = (Instant::now(), process_cpu_us()?, 0_u64);
    let mut waits = Vec::new();
    while start.elapsed() < length {
        let asked = Instant::now();
        let mut line = serde_json::to_vec(&record(0, records / 2, records % 2 == 0)?)?;
        line.push(b'\n');
        file.write_all(&line)?;
        file.sync_data()?;
        waits.push(asked.elapsed().as_secs_f64() * 1e6);
        records += 1;
    }
    let elapsed = start.elapsed().as_secs_f64();
    let process_us = (process_cpu_us()? - process) / records as f64;
    waits.sort_by(f64::total_cmp);
    let wait_us = (waits[waits.len() / 2], waits[waits.len() * 99 / 100]);
    Ok(Round { per_second: records as f64 / elapsed, writer_us: 0.0, process_us, wait_us })
}

/// A record of ordinary size: about 450 bytes.
fn record(caller: u64, call: u64, is_intent: bool) -> Result<AuditEntry, serde_json::Error> {
    let mut entry = json!({
        "phase": "outcome", "call_id": format!("{caller:016x}{call:016x}"),
        "at": 1_700_000_000_000_000_u64 + call,
        "principal": "ci-bot", "token_id": "tok_7f3a9c", "door": "http", "server": "docker-manager",
        "tool": "docker_logs", "effect": "read", "policies": ["operators-may-read"],
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
    });
    let more = match is_intent {
        true => json!({ "phase": "intent", "args": { "container": "web-1", "tail": 200, "since": "10m" },
            "args_digest": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" }),
        false => json!({ "code": "ok", "duration_us": 41_250,
            "resources": [{ "kind": "docker.container", "id": "web-1" }] }),
    };
    if let (Some(entry), serde_json::Value::Object(more)) = (entry.as_object_mut(), more) {
        entry.extend(more);
    }
    serde_json::from_value(entry)
}

fn process_cpu_us() -> Result<f64, Failure> {
    cpu_us(Path::new("/proc/self"))
}

/// CPU time of this process's thread `name`, 0 when there is none.
fn thread_cpu_us(name: &str) -> Result<f64, Failure> {
    for task in std::fs::read_dir("/proc/self/task")? {
        let task = task?.path();
        if std::fs::read_to_string(task.join("comm"))?.trim() == name {
            // Nanoseconds on the CPU, then two more numbers.
            let times = std::fs::read_to_string(task.join("schedstat"))?;
            return Ok(times.split_whitespace().next().unwrap_or("0").parse::<f64>()? / 1000.0);
        }
    }
    Ok(0.0)
}

/// User and system time from `stat`, whose unit is a hundredth of a second.
fn cpu_us(folder: &Path) -> Result<f64, Failure> {
    let stat = std::fs::read_to_string(folder.join("stat"))?;
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks = fields[11].parse::<f64>()? + fields[12].parse::<f64>()?;
    Ok(ticks * 10_000.0)
}

fn report(group: &[Round], sync: &[Round], file: &[Round], rounds: u64, seconds: u64) -> Result<(), Failure> {
    let median = |rounds: &[Round], of: fn(&Round) -> f64| {
        let mut values: Vec<f64> = rounds.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let row = |rounds: &[Round]| {
        json!({
            "records_per_second": median(rounds, |it| it.per_second).round(),
            "writer_cpu_us_per_record": median(rounds, |it| (it.writer_us * 100.0).round() / 100.0),
            "process_cpu_us_per_record": median(rounds, |it| (it.process_us * 100.0).round() / 100.0),
            "wait_us_median": median(rounds, |it| it.wait_us.0.round()),
            "wait_us_p99": median(rounds, |it| it.wait_us.1.round()),
        })
    };
    let ratio = |other: &[Round]| {
        let mut values: Vec<f64> =
            group.iter().zip(other).map(|(group, other)| group.per_second / other.per_second).collect();
        values.sort_by(f64::total_cmp);
        (values[values.len() / 2] * 10.0).round() / 10.0
    };
    let all = json!({
        "bench": "audit", "callers": CALLERS, "rounds": rounds, "seconds_per_round": seconds,
        "group": row(group), "sync": row(sync), "file": row(file),
        "ratio_group_to_sync": ratio(sync), "ratio_group_to_file": ratio(file),
    });
    for name in ["group", "sync", "file"] {
        eprintln!(
            "{name:5} {:>8} records/s   {:>6} us writer CPU   {:>6} us process CPU   wait {} us, p99 {} us",
            all[name]["records_per_second"],
            all[name]["writer_cpu_us_per_record"],
            all[name]["process_cpu_us_per_record"],
            all[name]["wait_us_median"],
            all[name]["wait_us_p99"],
        );
    }
    eprintln!(
        "group is {} times sync and {} times a bare file",
        all["ratio_group_to_sync"], all["ratio_group_to_file"]
    );
    println!("{all}");
    Ok(())
}
