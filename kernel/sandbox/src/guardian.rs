//! Stays with a program that is not confined, and ends it with all it started when we are gone.
//!
//! A confined program cannot leave its group, so its keeper ends the group. One with all our rights can hide
//! from any group; the guardian therefore adopts what it leaves behind, and ends that too.

use std::{
    ffi::OsString,
    fs, io,
    os::{fd::OwnedFd, unix::process::CommandExt},
    path::Path,
    process::{Command, ExitCode, Stdio},
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    process::{
        Pid, PidfdFlags, WaitOptions, getpid, getppid, kill_process, pidfd_open, set_child_subreaper, wait,
    },
};

use crate::{Launch, Launcher, Signal, kill_group, launcher::CANNOT_RUN};

pub(crate) const GUARD: &str = "__sandbox_guard";

/// Rounds of ending what is left; each ends at least one process or finds none.
const ROUNDS_MAX: usize = 1000;

impl Launcher {
    /// A command for a program with all our rights, because the operator says so; the launch's policy is not
    /// looked at. It still dies with this process, however this process ends, and takes everything it started
    /// along, also what left its group. The child is the guardian; end it with [`end_guarded`].
    pub fn unconfined(&self, launch: &Launch<'_>) -> Command {
        let mut command = Command::new(&self.program);
        command
            .arg(GUARD)
            .arg(std::process::id().to_string())
            .arg(launch.program)
            .args(launch.args)
            .current_dir(launch.cwd)
            .env_clear()
            .envs(launch.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // A terminal's Ctrl-C is for us; what we started is ended by us.
            .process_group(0);
        command
    }
}

/// Ends what the guardian `pid` guards; the guardian then ends the rest and itself.
pub fn end_guarded(pid: u32, signal: Signal) -> io::Result<()> {
    for child in children_of(Path::new(&format!("/proc/{pid}/task/{pid}/children"))) {
        if let Ok(child) = u32::try_from(child.as_raw_nonzero().get()) {
            kill_group(child, signal)?;
        }
    }
    Ok(())
}

/// The guardian's whole life. Comes back with the exit code of the program.
pub(crate) fn stand_guard(mut args: impl Iterator<Item = OsString>) -> ExitCode {
    match begin(&mut args) {
        Ok((ward, parent, program)) => {
            wait_for_either(&parent, &program);
            end_all(ward)
        }
        Err(reason) => {
            eprintln!("guardian: {reason}");
            ExitCode::from(CANNOT_RUN)
        }
    }
}

fn begin(args: &mut impl Iterator<Item = OsString>) -> Result<(u32, OwnedFd, OwnedFd), String> {
    let words = |error: rustix::io::Errno| io::Error::from(error).to_string();
    let parent = args.next().and_then(|it| it.to_str()?.parse().ok()).and_then(Pid::from_raw);
    let parent = parent.ok_or("no process to watch was named")?;
    // What its children leave behind becomes ours, and can be ended.
    set_child_subreaper(Some(getpid())).map_err(words)?;
    let watched = pidfd_open(parent, PidfdFlags::empty()).map_err(words)?;
    // The number could be somebody else's by now.
    if getppid() != Some(parent) {
        return Err("whoever asked for this program is gone".into());
    }
    let mut command = Command::new(args.next().ok_or("no program was named")?);
    command.process_group(0);
    let child = command.args(args).spawn().map_err(|error| format!("the program did not start: {error}"))?;
    let ward = child.id();
    let pid = i32::try_from(ward).ok().and_then(Pid::from_raw).ok_or("the program has no process id")?;
    let program = pidfd_open(pid, PidfdFlags::empty()).map_err(words)?;
    Ok((ward, watched, program))
}

fn wait_for_either(parent: &OwnedFd, program: &OwnedFd) {
    loop {
        let mut both = [PollFd::new(parent, PollFlags::IN), PollFd::new(program, PollFlags::IN)];
        match poll(&mut both, None) {
            Err(rustix::io::Errno::INTR) => {}
            Ok(_) | Err(_) => return,
        }
    }
}

/// Kills the program's group and whatever left it, until no child is left.
fn end_all(ward: u32) -> ExitCode {
    let (mut code, mut is_reaped) = (ExitCode::FAILURE, false);
    for _ in 0..ROUNDS_MAX {
        // The group may hold processes whose parents are still alive. Once its leader is reaped, the number
        // may be somebody else's.
        if !is_reaped && kill_group(ward, Signal::Kill).is_err() {
            break;
        }
        for child in children_of(Path::new("/proc/thread-self/children")) {
            // One that has ended meanwhile is waited for below.
            kill_process(child, rustix::process::Signal::KILL).ok();
        }
        match wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) => {
                if pid.as_raw_nonzero().get().unsigned_abs() == ward {
                    is_reaped = true;
                    code = status
                        .exit_status()
                        .and_then(|it| u8::try_from(it).ok())
                        .map_or(code, ExitCode::from);
                }
            }
            Err(rustix::io::Errno::INTR) => {}
            Ok(None) | Err(_) => break,
        }
    }
    code
}

fn children_of(list: &Path) -> Vec<Pid> {
    let text = fs::read_to_string(list).unwrap_or_default();
    text.split_whitespace().filter_map(|it| it.parse().ok()).filter_map(Pid::from_raw).collect()
}
