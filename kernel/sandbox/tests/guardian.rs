//! Programs that live long must not outlive us, whatever happens to us and whatever they try.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use sandbox::{Launch, Launcher, SandboxPolicy, Signal, StreamFiles, end_guarded};

/// Set in the process that plays us and is killed.
const VICTIM: &str = "GUARDIAN_TEST_VICTIM";

/// Says who it is, starts a child that leaves the group, and stays.
const STUBBORN: &str = "trap '' TERM HUP; setsid sleep 1000 & echo $$ $!; exec sleep 1000";

fn guarded(args: &[String]) -> Command {
    let env = [("PATH".to_owned(), "/usr/bin:/bin".to_owned())];
    let policy = SandboxPolicy::system_only();
    let launch = Launch {
        policy: &policy,
        program: Path::new("/bin/sh"),
        args,
        cwd: Path::new("/"),
        env: &env,
        files: StreamFiles::default(),
    };
    Launcher::new(PathBuf::from(env!("CARGO_BIN_EXE_sandbox-launcher"))).unconfined(&launch)
}

fn shell(script: &str) -> Vec<String> {
    vec!["-c".into(), script.into()]
}

fn lives(pid: &str) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    !stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with(['Z', 'X']))
}

fn all_end(pids: &[&str]) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(20) {
        if !pids.iter().any(|pid| lives(pid)) {
            return true;
        }
        std::thread::yield_now();
    }
    false
}

/// Not a test by itself: the process that is killed without a chance to clean up.
#[test]
fn victim() {
    if std::env::var_os(VICTIM).is_none() {
        return;
    }
    let mut child = guarded(&shell(STUBBORN)).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    println!("\nward {} {line}", child.id());
    std::io::stdout().flush().unwrap();
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    child.wait().unwrap();
}

#[test]
fn a_kill_that_cannot_be_caught_takes_the_program_and_its_runaways_along() {
    let mut us = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "victim", "--nocapture"])
        .env(VICTIM, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(us.stdout.take().unwrap()).lines();
    let line = lines.map(Result::unwrap).find(|it| it.starts_with("ward ")).unwrap();
    let pids: Vec<&str> = line.split_whitespace().skip(1).collect();
    assert_eq!(pids.len(), 3, "{line}");
    assert!(pids.iter().all(|pid| lives(pid)), "{line}");
    us.kill().unwrap();
    us.wait().unwrap();
    assert!(all_end(&pids), "something outlived us: {line}");
}

#[test]
fn a_program_that_ends_leaves_nothing_behind_and_its_code_arrives() {
    let script = "trap '' HUP; setsid sleep 1000 & echo $!; exit 7";
    let output = guarded(&shell(script)).stdout(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(7));
    let pid = String::from_utf8(output.stdout).unwrap();
    assert!(!lives(pid.trim()));
}

#[test]
fn a_guarded_program_is_ended_through_its_guardian() {
    let mut child = guarded(&shell(STUBBORN)).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let pids: Vec<&str> = line.split_whitespace().collect();
    assert!(pids.iter().all(|pid| lives(pid)), "{line}");
    end_guarded(child.id(), Signal::Kill).unwrap();
    child.wait().unwrap();
    assert!(!pids.iter().any(|pid| lives(pid)), "{line}");
}
