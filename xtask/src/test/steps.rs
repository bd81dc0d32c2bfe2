//! The steps, in the order they run.

use super::{Step, Verdict, install};
use crate::{docs, shell::Command, tidy, workspace::Places};

/// Every step, fastest first.
pub(super) fn all(places: &Places) -> Vec<Step> {
    let cargo = |args: &[&str]| places.command("cargo").args(args);
    let (for_install, for_tidy, for_docs) = (places.clone(), places.clone(), places.clone());
    vec![
        Step::new("install", move || install::all(&for_install).map(|()| Verdict::Done)).slow(),
        Step::of("format", cargo(&["fmt", "--all", "--check"])),
        Step::new("tidy", move || tidy::run(&for_tidy).map(|()| Verdict::Done)),
        Step::of(
            "clippy",
            cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]),
        ),
        Step::new("docs", move || docs::run(&for_docs, true).map(|()| Verdict::Done)),
        Step::of("test", cargo(&["nextest", "run", "--workspace", "--locked"])),
        Step::of("doctest", cargo(&["test", "--workspace", "--doc", "--locked", "--quiet"])),
        deny(places),
        Step::of("build", cargo(&["build", "--release", "--locked", "-p", "core-mcp"])).slow(),
        Step::of("blackbox", blackbox(places)).slow(),
        fuzz(places).slow(),
    ]
}

/// The tests that drive the release build with real clients.
fn blackbox(places: &Places) -> Command {
    places
        .command("cargo")
        .args(["nextest", "run", "--locked", "-p", "blackbox", "--profile", "blackbox"])
        .env("CORE_MCP_BIN", places.release_binary())
        .env("CORE_MCP_VENV", places.venv())
}

/// `tidy` has checked the same lists already; this adds what only cargo-deny knows.
fn deny(places: &Places) -> Step {
    let version = places.command("cargo").args(["deny", "--version"]);
    let check = places.command("cargo").args(["deny", "--offline", "check", "bans", "licenses", "sources"]);
    Step::new("deny", move || {
        if !version.works() {
            return Ok(Verdict::NotHere("cargo-deny is not installed; tidy checked the lists of deny.toml"));
        }
        check.run().map(|()| Verdict::Done)
    })
}

/// Ten seconds for each fuzz target, where a nightly toolchain and cargo-fuzz are there.
fn fuzz(places: &Places) -> Step {
    let cargo = places.command("cargo").folder(&places.root.join("kernel/guard/fuzz"));
    Step::new("fuzz", move || {
        if !cargo.clone().args(["+nightly", "fuzz", "--version"]).works() {
            return Ok(Verdict::NotHere("needs a nightly toolchain and cargo-fuzz"));
        }
        let targets = cargo.clone().args(["+nightly", "fuzz", "list"]).output()?;
        for target in targets.lines() {
            let run = cargo.clone().args(["+nightly", "fuzz", "run", target]);
            run.args(["--", "-max_total_time=10"]).run()?;
        }
        Ok(Verdict::Done)
    })
}
