//! Figures next to a peer's: both run interleaved, on the same input, and medians are compared.
//!
//! A figure alone says little on a busy machine; a ratio to something measured in the same minutes does.

mod http;
mod process;
mod programs;
mod report;
mod sbom;
mod secret_scan;
mod session;
mod start;
mod tree;

use clap::{Args, ValueEnum};

use crate::workspace::Places;

/// What `cargo xtask bench` takes.
#[derive(Args)]
pub(crate) struct Options {
    /// Which bench; all of them when left out.
    name: Option<String>,
    /// How often each side runs, after one round that does not count.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// What to print.
    #[arg(long, value_enum, default_value_t = Output::Human)]
    output: Output,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    Human,
    Json,
}

/// One bench: what it measures, and how its sides are made ready.
struct Bench {
    name: &'static str,
    about: &'static str,
    /// Builds and installs, then hands out the sides: ours first.
    prepare: fn(&Places) -> anyhow::Result<Vec<Box<dyn Side>>>,
}

/// One program under measurement.
trait Side {
    /// For example `core-mcp` or `kingfisher 2.14.0`.
    fn label(&self) -> &str;
    /// Does the work once.
    fn round(&mut self) -> anyhow::Result<Vec<Figure>>;
}

/// One number of one round.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) better: Better,
}

/// Which way is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Better {
    Lower,
    Higher,
}

const BENCHES: &[Bench] = &[
    Bench {
        name: "start",
        about: "from spawn to the first answered tools/list, and idle memory",
        prepare: start::sides,
    },
    Bench {
        name: "http",
        about: "tools/call over Streamable HTTP, 1 and 32 connections",
        prepare: http::sides,
    },
    Bench {
        name: "pipeline",
        about: "all fifteen stages: in process with 32 callers, and one call at a time over stdio",
        prepare: programs::pipeline,
    },
    Bench { name: "audit", about: "durable audit records", prepare: programs::audit },
    Bench {
        name: "secret-scan",
        about: "secrets: speed on source code, precision and recall on planted ones",
        prepare: secret_scan::sides,
    },
    Bench { name: "sbom", about: "an SBOM of a lock file with 1000 packages", prepare: sbom::npm_lock },
    Bench {
        name: "sbom-requirements",
        about: "an SBOM of 1000 pinned requirements",
        prepare: sbom::requirements,
    },
    Bench {
        name: "workflow",
        about: "durable workflow steps, timers, and 10 000 open runs",
        prepare: programs::workflow,
    },
];

/// Runs the chosen benches and prints medians and ratios.
pub(crate) fn run(places: &Places, options: &Options) -> anyhow::Result<()> {
    let wanted = |it: &&Bench| options.name.as_ref().is_none_or(|name| name == it.name);
    let chosen: Vec<&Bench> = BENCHES.iter().filter(wanted).collect();
    let names: Vec<&str> = BENCHES.iter().map(|it| it.name).collect();
    anyhow::ensure!(!chosen.is_empty(), "there is no such bench; the benches are {}", names.join(", "));
    let mut reports = Vec::new();
    for bench in chosen {
        eprintln!("{}: {}", bench.name, bench.about);
        let mut sides = (bench.prepare)(places)?;
        let report = measure(bench.name, &mut sides, options.rounds)?;
        if options.output == Output::Human {
            println!("{}", report.human());
        }
        reports.push(report);
    }
    if options.output == Output::Json {
        let all: Vec<_> = reports.iter().map(report::Report::json).collect();
        println!("{}", serde_json::to_string_pretty(&all)?);
    }
    Ok(())
}

fn measure(name: &str, sides: &mut [Box<dyn Side>], rounds: u32) -> anyhow::Result<report::Report> {
    let mut report = report::Report::new(name, sides.iter().map(|it| it.label().to_owned()).collect());
    for round in 0..=rounds {
        for (index, side) in sides.iter_mut().enumerate() {
            let figures = side.round()?;
            // The first round fills caches and does not count.
            if round > 0 {
                report.add(index, figures);
            }
        }
        eprint!("\r  round {round} of {rounds}");
    }
    eprintln!();
    Ok(report)
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, rc::Rc};

    use super::*;

    struct Pretend {
        label: &'static str,
        values: Vec<f64>,
        log: Rc<RefCell<Vec<&'static str>>>,
    }

    impl Side for Pretend {
        fn label(&self) -> &str {
            self.label
        }

        fn round(&mut self) -> anyhow::Result<Vec<Figure>> {
            self.log.borrow_mut().push(self.label);
            Ok(vec![Figure { name: "wall_s".into(), value: self.values.remove(0), better: Better::Lower }])
        }
    }

    #[test]
    fn sides_take_turns_and_the_first_round_does_not_count() {
        let log = Rc::new(RefCell::new(Vec::new()));
        let side = |label, values: &[f64]| -> Box<dyn Side> {
            Box::new(Pretend { label, values: values.to_vec(), log: Rc::clone(&log) })
        };
        let mut sides = [side("ours", &[99.0, 1.0, 2.0, 9.0]), side("peer", &[99.0, 4.0, 4.0, 4.0])];
        let report = measure("x", &mut sides, 3).expect("it runs");
        assert_eq!(*log.borrow(), ["ours", "peer", "ours", "peer", "ours", "peer", "ours", "peer"]);
        let json = report.json();
        assert_eq!(json["figures"]["wall_s"]["ours"], 2.0);
        assert_eq!(json["figures"]["wall_s"]["peer"], 4.0);
        assert_eq!(json["figures"]["wall_s"]["times_as_good"]["peer"], 2.0);
    }
}
