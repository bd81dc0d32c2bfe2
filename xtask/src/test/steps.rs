//! The steps, in the order they run.

use std::path::{Path, PathBuf};

use anyhow::Context;

use super::{Step, Verdict, install};
use crate::{conformance, docs, shell::Command, tidy, workspace::Places};

/// Every step, fastest first.
pub(super) fn all(places: &Places) -> Vec<Step> {
    let cargo = |args: &[&str]| places.command("cargo").args(args);
    let (for_install, for_tidy, for_docs) = (places.clone(), places.clone(), places.clone());
    let for_conformance = places.clone();
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
        Step::new("conformance", move || {
            conformance::run(&for_conformance, &conformance::Options::all()).map(|()| Verdict::Done)
        })
        .slow(),
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

/// Ten seconds for each fuzz target of every room, where a nightly toolchain and cargo-fuzz are there. The seed is
/// fixed: here a known way is walked again, longer walks are started by hand.
fn fuzz(places: &Places) -> Step {
    let cargo = places.command("cargo");
    let root = places.root.clone();
    Step::new("fuzz", move || {
        if !cargo.clone().args(["+nightly", "fuzz", "--version"]).works() {
            return Ok(Verdict::NotHere("needs a nightly toolchain and cargo-fuzz"));
        }
        for room in fuzzed_rooms(&root)? {
            let cargo = cargo.clone().folder(&room);
            for target in cargo.clone().args(["+nightly", "fuzz", "list"]).output()?.lines() {
                let run = cargo.clone().args(["+nightly", "fuzz", "run", target]);
                println!("$ {}", run.shown());
                run.args(["--", "-seed=1", "-max_total_time=10"]).run()?;
            }
        }
        Ok(Verdict::Done)
    })
}

/// Every crate with fuzz targets, in order.
fn fuzzed_rooms(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut rooms = Vec::new();
    for group in ["kernel", "platform", "servers"] {
        for room in root.join(group).read_dir().with_context(|| group.to_owned())? {
            let room = room?.path();
            if room.join("fuzz/Cargo.toml").exists() {
                rooms.push(room);
            }
        }
    }
    rooms.sort();
    Ok(rooms)
}
