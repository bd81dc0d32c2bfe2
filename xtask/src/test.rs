//! One command that checks everything: installs what is missing, then runs every check, fastest first.

mod install;
mod steps;

pub(crate) use install::{clients as install_clients, debian, python};

use std::time::Instant;

use clap::Args;

use crate::{shell::Command, workspace::Places};

/// What `cargo xtask test` takes.
#[derive(Args)]
pub(crate) struct Options {
    /// Installs nothing and leaves out the release build and the black-box tests.
    #[arg(long)]
    fast: bool,
    /// Runs only the steps with these names.
    #[arg(long, value_name = "STEP")]
    only: Vec<String>,
}

/// One thing that is done and can be done again alone.
pub(crate) struct Step {
    /// As `--only` takes it.
    name: &'static str,
    /// Left out with `--fast`.
    slow: bool,
    work: Box<dyn Fn() -> anyhow::Result<Verdict>>,
}

/// How a step that did not fail ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Done,
    /// It is an extra, and the tool for it is not there.
    NotHere(&'static str),
}

impl Step {
    fn new(name: &'static str, work: impl Fn() -> anyhow::Result<Verdict> + 'static) -> Self {
        Self { name, slow: false, work: Box::new(work) }
    }

    fn of(name: &'static str, command: Command) -> Self {
        Self::new(name, move || {
            println!("$ {}", command.shown());
            command.run().map(|()| Verdict::Done)
        })
    }

    fn slow(mut self) -> Self {
        self.slow = true;
        self
    }
}

/// Runs the steps; fails when one of them does, after running the others.
pub(crate) fn run(places: &Places, options: &Options) -> anyhow::Result<()> {
    let steps = chosen(steps::all(places), options)?;
    let started = Instant::now();
    let (mut lines, mut failed) = (Vec::new(), Vec::new());
    for step in &steps {
        println!("\n=== {} ===", step.name);
        let begun = Instant::now();
        let ending = match (step.work)() {
            Ok(Verdict::Done) => "ok".to_owned(),
            Ok(Verdict::NotHere(why)) => format!("left out: {why}"),
            Err(error) => {
                eprintln!("{error:#}\nrun it alone: cargo xtask test --only {}", step.name);
                failed.push(step.name);
                "FAILED".to_owned()
            }
        };
        lines.push(format!("{:<10} {:>7.1} s  {ending}", step.name, begun.elapsed().as_secs_f64()));
        if failed.contains(&"install") {
            break;
        }
    }
    println!("\n=== summary ===\n{}", lines.join("\n"));
    let took = started.elapsed().as_secs();
    anyhow::ensure!(
        failed.is_empty(),
        "{} of {} steps failed: {}; run them alone: cargo xtask test --only {}",
        failed.len(),
        steps.len(),
        failed.join(", "),
        failed.join(" --only ")
    );
    println!("all {} steps passed in {took} s", lines.len());
    Ok(())
}

fn chosen(steps: Vec<Step>, options: &Options) -> anyhow::Result<Vec<Step>> {
    let names: Vec<&str> = steps.iter().map(|it| it.name).collect();
    if let Some(unknown) = options.only.iter().find(|it| !names.contains(&it.as_str())) {
        anyhow::bail!("there is no step `{unknown}`; the steps are {}", names.join(", "));
    }
    let is_named = |it: &Step| options.only.is_empty() || options.only.iter().any(|name| name == it.name);
    let is_wanted = |it: &Step| is_named(it) && !(options.fast && it.slow);
    Ok(steps.into_iter().filter(is_wanted).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(fast: bool, only: &[&str]) -> Result<Vec<&'static str>, String> {
        let nothing = || Ok(Verdict::Done);
        let steps = vec![Step::new("format", nothing), Step::new("build", nothing).slow()];
        let options = Options { fast, only: only.iter().map(|it| (*it).to_owned()).collect() };
        let chosen = chosen(steps, &options).map_err(|error| error.to_string())?;
        Ok(chosen.iter().map(|it| it.name).collect())
    }

    #[test]
    fn steps_can_be_chosen() {
        assert_eq!(names(false, &[]), Ok(vec!["format", "build"]));
        assert_eq!(names(true, &[]), Ok(vec!["format"]));
        assert_eq!(names(false, &["build"]), Ok(vec!["build"]));
        assert_eq!(
            names(false, &["bild"]),
            Err("there is no step `bild`; the steps are format, build".into())
        );
    }
}
