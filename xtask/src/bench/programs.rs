//! Benches whose work is a program of ours next to programs of others.

use std::{cell::RefCell, path::Path, rc::Rc, time::Instant};

use anyhow::Context;
use serde_json::{Value, json};

use super::{
    Figure, Side,
    http::{OURS, OurServer},
    process::{higher, lower, seconds_of},
    session::{self, Session},
};
use crate::{shell::Command, workspace::Places};

/// The road alone, in one process with 32 callers; then one call at a time over stdio: ours with the whole road behind
/// it, a fastmcp server with nothing.
pub(super) fn pipeline(places: &Places) -> anyhow::Result<Vec<Box<dyn Side>>> {
    let ours = OurServer::prepare(places)?;
    let folder = ours.target.to_string_lossy().into_owned();
    let road = Command::new(example(places, "core-mcp", "pipeline_bench")?);
    Ok(vec![
        Box::new(Part {
            label: "road in process".into(),
            part: "road",
            command: Some(road),
            run: Rc::default(),
        }),
        Box::new(Calls {
            label: "core-mcp stdio".into(),
            command: ours.command(&["stdio"]),
            call: json!({ "name": OURS.0, "arguments": { OURS.1: folder } }),
        }),
        Box::new(Calls {
            label: "fastmcp stdio".into(),
            command: session::fastmcp(places)?,
            call: json!({ "name": "echo", "arguments": { "message": "hi" } }),
        }),
    ])
}

/// How many calls make one round.
const CALLS: u32 = 2000;

struct Calls {
    label: String,
    command: Command,
    call: Value,
}

impl Side for Calls {
    fn label(&self) -> &str {
        &self.label
    }

    fn round(&mut self) -> anyhow::Result<Vec<Figure>> {
        let mut session = Session::open(&self.command).with_context(|| self.label.clone())?;
        let before = seconds_of(session.pid())?;
        let begun = Instant::now();
        for _ in 0..CALLS {
            let answer = session.request("tools/call", self.call.clone())?;
            let result = &answer["result"];
            anyhow::ensure!(
                result["content"].is_array() && result["isError"] != true,
                "{}: {answer}",
                self.label
            );
        }
        let calls = f64::from(CALLS);
        let (wall, cpu) = (begun.elapsed().as_secs_f64(), seconds_of(session.pid())? - before);
        Ok(vec![higher("calls_per_second", calls / wall), lower("cpu_us_per_call", cpu * 1e6 / calls)])
    }
}

/// Our log in its default durability, next to one sync per record and to a bare file with a sync per record. One
/// program measures all three in turn; each side shows its part.
pub(super) fn audit(places: &Places) -> anyhow::Result<Vec<Box<dyn Side>>> {
    let program = example(places, "audit", "audit_bench")?;
    let run = Rc::new(RefCell::new(Value::Null));
    let part = |label: &str, part: &'static str, command: Option<Command>| -> Box<dyn Side> {
        Box::new(Part { label: label.to_owned(), part, command, run: Rc::clone(&run) })
    };
    let command = Command::new(program).args(["1", "2"]);
    Ok(vec![
        part("audit log", "group", Some(command)),
        part("sync per record", "sync", None),
        part("bare file", "file", None),
    ])
}

/// Our driver with calls that cost nothing, next to a bare file with a sync per step.
pub(super) fn workflow(places: &Places) -> anyhow::Result<Vec<Box<dyn Side>>> {
    let program = example(places, "workflow", "workflow_bench")?;
    let run = Rc::new(RefCell::new(Value::Null));
    let part = |label: &str, part: &'static str, command: Option<Command>| -> Box<dyn Side> {
        Box::new(Part { label: label.to_owned(), part, command, run: Rc::clone(&run) })
    };
    Ok(vec![part("workflow driver", "driver", Some(Command::new(program))), part("bare file", "file", None)])
}

/// One part of what a program measured.
struct Part {
    label: String,
    part: &'static str,
    /// Set for the first part, which runs the program for all.
    command: Option<Command>,
    run: Rc<RefCell<Value>>,
}

impl Side for Part {
    fn label(&self) -> &str {
        &self.label
    }

    fn round(&mut self) -> anyhow::Result<Vec<Figure>> {
        if let Some(command) = &self.command {
            let printed = command.output()?;
            *self.run.borrow_mut() = serde_json::from_str(&printed).context("the program prints JSON")?;
        }
        figures(&self.run.borrow()[self.part])
    }
}

/// Every number but those that mean nothing for a side (a bare file has no writer of its own).
fn figures(part: &Value) -> anyhow::Result<Vec<Figure>> {
    let numbers = part.as_object().context("the part is missing")?;
    let wanted =
        numbers.iter().filter_map(|(name, value)| Some((name, value.as_f64()?))).filter(|(_, it)| *it > 0.0);
    Ok(wanted
        .map(
            |(name, value)| {
                if name.contains("per_second") { higher(name, value) } else { lower(name, value) }
            },
        )
        .collect())
}

/// Builds an example with optimisation; returns the program.
pub(super) fn example(places: &Places, package: &str, name: &str) -> anyhow::Result<String> {
    let build = ["build", "--release", "--quiet", "--locked", "-p", package, "--example", name];
    places.command("cargo").args(build).run()?;
    let program = places.target.join("release/examples").join(name);
    Ok(Path::new(&program).to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::Better;

    #[test]
    fn the_numbers_of_a_part_are_its_figures() {
        let part = json!({ "records_per_second": 5, "wait_us_p99": 7.5, "writer_cpu_us": 0.0, "note": "x" });
        let figures = figures(&part).expect("figures");
        assert_eq!(figures.len(), 2);
        assert_eq!((figures[0].value, figures[0].better), (5.0, Better::Higher));
        assert_eq!((figures[1].value, figures[1].better), (7.5, Better::Lower));
        assert!(super::figures(&Value::Null).is_err());
    }
}
