//! Wall time, processor time and memory of other programs, from /proc.

use std::{fs, time::Instant};

use anyhow::Context;

use super::{Better, Figure, Side};
use crate::shell::Command;

/// Linux counts processor time for programs in hundredths of a second.
const TICKS_PER_SECOND: f64 = 100.0;

/// A program that does the work and ends.
pub(super) struct Timed {
    label: String,
    command: Command,
    /// Exit codes that mean it did the work; some scanners say with theirs that they found something.
    good: &'static [i32],
}

impl Timed {
    pub(super) fn new(label: &str, command: Command) -> Self {
        Self { label: label.to_owned(), command, good: &[0] }
    }

    pub(super) fn ending_with(mut self, good: &'static [i32]) -> Self {
        self.good = good;
        self
    }
}

impl Side for Timed {
    fn label(&self) -> &str {
        &self.label
    }

    fn round(&mut self) -> anyhow::Result<Vec<Figure>> {
        let (begun, before) = (Instant::now(), children_seconds()?);
        let output =
            self.command.prepared().output().with_context(|| format!("{} does not start", self.label))?;
        let (wall, cpu) = (begun.elapsed().as_secs_f64(), children_seconds()? - before);
        let code = output.status.code().unwrap_or(-1);
        let said = String::from_utf8_lossy(&output.stderr);
        anyhow::ensure!(self.good.contains(&code), "{} ended with {code}: {said}", self.command.shown());
        Ok(vec![lower("wall_s", wall), lower("cpu_s", cpu)])
    }
}

/// A figure of which less is better.
pub(super) fn lower(name: &str, value: f64) -> Figure {
    Figure { name: name.to_owned(), value, better: Better::Lower }
}

/// A figure of which more is better.
pub(super) fn higher(name: &str, value: f64) -> Figure {
    Figure { name: name.to_owned(), value, better: Better::Higher }
}

/// Processor seconds of all children that ended.
fn children_seconds() -> anyhow::Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat").context("/proc is there")?;
    Ok(ticks(&stat, &[15, 16])? / TICKS_PER_SECOND)
}

/// Processor seconds of a running process.
pub(super) fn seconds_of(pid: u32) -> anyhow::Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).context("the process is gone")?;
    Ok(ticks(&stat, &[13, 14])? / TICKS_PER_SECOND)
}

/// Resident memory of a running process in MiB.
pub(super) fn resident_mib(pid: u32) -> anyhow::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).context("the process is gone")?;
    let line =
        status.lines().find_map(|it| it.strip_prefix("VmRSS:")).context("the process has no memory")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").trim().parse().context("VmRSS is a number")?;
    Ok(kib / 1024.0)
}

/// Adds up fields of a stat line, counted from 0. The program's name, in brackets, may hold spaces.
fn ticks(stat: &str, fields: &[usize]) -> anyhow::Result<f64> {
    let (_, rest) = stat.rsplit_once(") ").context("a stat line")?;
    let words: Vec<&str> = rest.split(' ').collect();
    let mut sum = 0.0;
    for field in fields {
        let word = words.get(field - 2).context("a stat line is long enough")?;
        sum += word.trim().parse::<f64>().context("ticks are a number")?;
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_line_is_read_behind_the_name() {
        let stat = "7 (a b) c) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16";
        assert_eq!(ticks(stat, &[13, 14]).expect("fields"), 11.0 + 12.0);
        assert!(ticks("7 (a)", &[13]).is_err());
        assert!(ticks(stat, &[90]).is_err());
    }

    #[test]
    fn work_is_measured() {
        let mut side = Timed::new("sh", Command::new("sh").args(["-c", "exit 3"])).ending_with(&[3]);
        let figures = side.round().expect("exit 3 is fine");
        assert!(figures[0].value > 0.0);
        let mut side = Timed::new("sh", Command::new("sh").args(["-c", "exit 3"]));
        assert!(side.round().is_err());
        assert!(resident_mib(std::process::id()).expect("our own memory") > 1.0);
        assert!(seconds_of(std::process::id()).is_ok());
    }
}
