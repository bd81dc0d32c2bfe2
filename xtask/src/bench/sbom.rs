//! A bill of materials of a thousand packages: ours next to cdxgen and cyclonedx-py.

use std::{fmt::Write as _, fs, path::PathBuf};

use anyhow::Context;

use super::{
    Figure, Side,
    process::{Timed, lower},
    programs::example,
};
use crate::{shell::Command, workspace::Places};

const PACKAGES: usize = 1_000;
/// Ours ends before the clock of the kernel ticks once; so it runs this often.
const RUNS: u32 = 20;

/// A lock file of npm: ours, and cdxgen where it is installed.
pub(super) fn npm_lock(places: &Places) -> anyhow::Result<Vec<Box<dyn Side>>> {
    let folder = input(places)?;
    let mut sides = vec![ours(places, &folder.join("package-lock.json"))?];
    let cdxgen = places.cache.join("cdxgen/node_modules/.bin/cdxgen");
    if cdxgen.exists() {
        let run = Command::new(cdxgen.to_string_lossy()).args([
            "-t",
            "js",
            "--no-install-deps",
            "-o",
            "bom.json",
            ".",
        ]);
        // It is a program of Node, which came with the Python packages.
        let path = format!("{}:/usr/bin:/bin", places.venv().join("bin").display());
        sides.push(Box::new(Timed::new("cdxgen", run.folder(&folder).env("PATH", path))));
    } else {
        eprintln!(
            "cdxgen is left out: npm install --prefix {}/cdxgen @cyclonedx/cdxgen",
            places.cache.display()
        );
    }
    Ok(sides)
}

/// Pinned requirements: ours, and cyclonedx-py where it is installed.
pub(super) fn requirements(places: &Places) -> anyhow::Result<Vec<Box<dyn Side>>> {
    let file = input(places)?.join("requirements.txt");
    let mut sides = vec![ours(places, &file)?];
    let peer = places.venv().join("bin/cyclonedx-py");
    if peer.exists() {
        let run = Command::new(peer.to_string_lossy()).args(["requirements"]).args([&file]);
        sides.push(Box::new(Timed::new("cyclonedx-py", run.args(["--of", "JSON", "-o", "/dev/null"]))));
    } else {
        eprintln!("cyclonedx-py is left out; install it: cargo xtask test --only install");
    }
    Ok(sides)
}

fn ours(places: &Places, target: &std::path::Path) -> anyhow::Result<Box<dyn Side>> {
    let program = example(places, "server-supply-chain-security", "sbom")?;
    let script = format!("for run in $(seq {RUNS}); do \"$0\" \"$1\" > /dev/null || exit 1; done");
    let run = Command::new("sh").args(["-c", &script, &program]).args([target]);
    Ok(Box::new(Repeated(Timed::new("core-mcp", run))))
}

/// A program that runs several times in one round.
struct Repeated(Timed);

impl Side for Repeated {
    fn label(&self) -> &str {
        self.0.label()
    }

    fn round(&mut self) -> anyhow::Result<Vec<Figure>> {
        let figures = self.0.round()?;
        Ok(figures.into_iter().map(|it| lower(&it.name, it.value / f64::from(RUNS))).collect())
    }
}

/// A folder with a lock file and a requirements file of the same shape: a thousand packages, three needs each.
fn input(places: &Places) -> anyhow::Result<PathBuf> {
    let folder = places.cache.join("bench/sbom");
    fs::create_dir_all(&folder).context("the input's folder cannot be made")?;
    let (mut lock, mut requirements) = (String::new(), String::new());
    for at in 0..PACKAGES {
        let needs: Vec<String> = (1..=3)
            .map(|step| at * 2 + step)
            .filter(|it| *it < PACKAGES)
            .map(|it| format!("\"package-{it}\": \"^1.0.0\""))
            .collect();
        let digest = format!("{at:0>86}");
        writeln!(
            lock,
            "    \"node_modules/package-{at}\": {{\"version\": \"1.0.{at}\", \"resolved\": \"https://registry.npmjs.org/package-{at}/-/package-{at}-1.0.{at}.tgz\", \"integrity\": \"sha512-{digest}==\", \"license\": \"MIT\", \"dependencies\": {{{}}}}}{}",
            needs.join(", "),
            if at + 1 < PACKAGES { "," } else { "" }
        )?;
        writeln!(requirements, "package-{at}==1.0.{at} --hash=sha256:{at:0>64}")?;
    }
    let head = "{\n  \"name\": \"bench\", \"version\": \"1.0.0\", \"lockfileVersion\": 3, \"requires\": true,\n  \"packages\": {\n    \"\": {\"name\": \"bench\", \"version\": \"1.0.0\", \"dependencies\": {\"package-0\": \"^1.0.0\"}},\n";
    fs::write(folder.join("package-lock.json"), format!("{head}{lock}  }}\n}}\n"))?;
    fs::write(
        folder.join("package.json"),
        "{\"name\": \"bench\", \"version\": \"1.0.0\", \"dependencies\": {\"package-0\": \"^1.0.0\"}}\n",
    )?;
    fs::write(folder.join("requirements.txt"), requirements)?;
    Ok(folder)
}
