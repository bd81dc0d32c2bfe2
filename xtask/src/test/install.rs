//! Installs what the tests need and this machine lacks. Doing it twice costs nothing.

use std::{fs, path::Path};

use anyhow::Context;

use crate::{shell::Command, workspace::Places};

/// A program, what shows that it works, and the Debian package that brings it.
type Wanted = (&'static str, &'static [&'static str], &'static str);

const DEBIAN: &[Wanted] = &[
    ("cc", &["--version"], "gcc"),
    ("curl", &["--version"], "curl"),
    ("git", &["--version"], "git"),
    ("make", &["--version"], "make"),
    ("openssl", &["version"], "openssl"),
    ("python3", &["-c", "import venv, ensurepip"], "python3-venv"),
    ("sqlite3", &["--version"], "sqlite3"),
];

/// Everything, each part tried twice: registries stumble.
pub(super) fn all(places: &Places) -> anyhow::Result<()> {
    fs::create_dir_all(&places.cache).context("the cache cannot be made")?;
    twice("Debian packages", || debian(DEBIAN))?;
    twice("cargo-nextest", || nextest(places))?;
    twice("cargo-fuzz", || fuzz(places))?;
    twice("Python packages", || python(places))?;
    twice("npm packages", || node(places))?;
    twice("projects with lock files", || projects(places))
}

/// What drives our servers from outside: the locked Python and npm packages.
pub(crate) fn clients(places: &Places) -> anyhow::Result<()> {
    fs::create_dir_all(&places.cache).context("the cache cannot be made")?;
    twice("Python packages", || python(places))?;
    twice("npm packages", || node(places))
}

fn twice(what: &str, install: impl Fn() -> anyhow::Result<()>) -> anyhow::Result<()> {
    install().or_else(|error| {
        eprintln!("{what}: {error:#}; trying once more");
        install().with_context(|| format!("{what} cannot be installed"))
    })
}

/// Installs the packages whose programs do not work yet.
pub(crate) fn debian(wanted: &[Wanted]) -> anyhow::Result<()> {
    let is_missing = |it: &&Wanted| !Command::new(it.0).args(it.1).works();
    let missing: Vec<&str> = wanted.iter().filter(is_missing).map(|it| it.2).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let by_hand = format!("install them: apt-get install {}", missing.join(" "));
    let is_root = Command::new("id").args(["-u"]).output()?.trim() == "0";
    let apt = if is_root {
        Command::new("apt-get")
    } else {
        anyhow::ensure!(Command::new("sudo").args(["-n", "true"]).works(), "programs are missing; {by_hand}");
        Command::new("sudo").args(["-n", "apt-get"])
    };
    let apt =
        apt.args(["-o", "DPkg::Lock::Timeout=300", "-q", "-y"]).env("DEBIAN_FRONTEND", "noninteractive");
    apt.clone().args(["update"]).run().context("apt-get update")?;
    apt.args(["install", "--no-install-recommends"]).args(&missing).run().context(by_hand)
}

fn nextest(places: &Places) -> anyhow::Result<()> {
    if places.command("cargo").args(["nextest", "--version"]).works() {
        return Ok(());
    }
    places.command("cargo").args(["install", "cargo-nextest", "--locked", "--version", "0.9.143"]).run()
}

/// Only where there is the nightly toolchain that it needs.
fn fuzz(places: &Places) -> anyhow::Result<()> {
    let nightly = |args: &[&str]| places.command("cargo").args(["+nightly"]).args(args).works();
    if !nightly(&["--version"]) || nightly(&["fuzz", "--version"]) {
        return Ok(());
    }
    places.command("cargo").args(["install", "cargo-fuzz", "--locked", "--version", "0.13.2"]).run()
}

/// A virtual environment with exactly the locked packages.
pub(crate) fn python(places: &Places) -> anyhow::Result<()> {
    let lock = places.root.join("tests/clients/python/requirements.txt");
    let venv = places.venv();
    unless_done(&venv.join("installed.txt"), &lock, || {
        if venv.exists() {
            fs::remove_dir_all(&venv).context("the old environment cannot be removed")?;
        }
        Command::new("python3").args(["-m", "venv"]).args([&venv]).run()?;
        let pip =
            Command::new(venv.join("bin/pip").to_string_lossy()).args(["install", "--quiet", "--no-deps"]);
        pip.args(["--disable-pip-version-check", "--require-hashes", "--requirement"]).args([&lock]).run()
    })
}

/// The Node packages, by the npm that came with the Python packages: Debian's Node is too old for them.
fn node(places: &Places) -> anyhow::Result<()> {
    packages(places, "tests/clients/node")?;
    packages(places, "tests/clients/oidc")
}

fn packages(places: &Places, folder: &str) -> anyhow::Result<()> {
    let folder = places.root.join(folder);
    unless_done(&folder.join("node_modules/installed.txt"), &folder.join("package-lock.json"), || {
        let npm = Command::new(places.venv().join("bin/npm").to_string_lossy()).folder(&folder);
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]).run()
    })
}

/// Unpacked packages that bring lock files along, for the tests of SBOMs. Nothing in them is run.
fn projects(places: &Places) -> anyhow::Result<()> {
    let list = places.root.join("tests/clients/node/projects.txt");
    let folder = places.cache.join("projects");
    unless_done(&folder.join("installed.txt"), &list, || {
        if folder.exists() {
            fs::remove_dir_all(&folder).context("the old projects cannot be removed")?;
        }
        fs::create_dir_all(&folder)?;
        let lines = fs::read_to_string(&list)?;
        for line in lines.lines().filter(|it| !it.starts_with('#')) {
            let (package, digest) = line.split_once(' ').context("a line is a package and its digest")?;
            project(places, &folder, package, digest)?;
        }
        Ok(())
    })
}

fn project(places: &Places, folder: &Path, package: &str, digest: &str) -> anyhow::Result<()> {
    let npm = Command::new(places.venv().join("bin/npm").to_string_lossy()).folder(folder);
    let archive = npm.args(["pack", "--silent", "--ignore-scripts", package]).output()?.trim().to_owned();
    let got = Command::new("sha512sum").folder(folder).args([archive.as_str()]).output()?;
    anyhow::ensure!(
        got.starts_with(&format!("{digest} ")),
        "the archive of {package} is not the one that is expected"
    );
    let target = folder.join(package.replace('/', "+"));
    fs::create_dir_all(&target)?;
    let tar =
        Command::new("tar").folder(folder).args(["--extract", "--no-same-owner", "--file", archive.as_str()]);
    tar.args(["--directory"]).args([&target]).run()
}

/// Runs `install` unless `stamp` says that it ran for this very `lock`.
fn unless_done(stamp: &Path, lock: &Path, install: impl Fn() -> anyhow::Result<()>) -> anyhow::Result<()> {
    let wanted = fs::read_to_string(lock).with_context(|| format!("{} is missing", lock.display()))?;
    if fs::read_to_string(stamp).is_ok_and(|done| done == wanted) {
        return Ok(());
    }
    println!("installing what {} lists", lock.display());
    install()?;
    fs::write(stamp, wanted).with_context(|| format!("{} cannot be written", stamp.display()))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn what_is_installed_is_not_installed_again() {
        let folder = std::env::temp_dir().join(format!("xtask-stamp-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let (lock, stamp) = (folder.join("lock"), folder.join("stamp"));
        let runs = Cell::new(0);
        let install = || {
            unless_done(&stamp, &lock, || {
                runs.set(runs.get() + 1);
                Ok(())
            })
        };
        assert!(install().is_err(), "there is no lock");
        fs::write(&lock, "a==1").expect("a lock");
        install().expect("the first time");
        install().expect("nothing to do");
        assert_eq!(runs.get(), 1);
        fs::write(&lock, "a==2").expect("another lock");
        install().expect("the lock changed");
        assert_eq!(runs.get(), 2);
        fs::remove_dir_all(&folder).expect("the folder goes");
    }

    #[test]
    fn a_failed_install_is_tried_twice() {
        let runs = Cell::new(0);
        let result = twice("things", || {
            runs.set(runs.get() + 1);
            anyhow::ensure!(runs.get() > 1, "the registry stumbled");
            Ok(())
        });
        assert!(result.is_ok());
        assert_eq!(runs.get(), 2);
    }
}
