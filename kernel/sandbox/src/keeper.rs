//! Stays with a confined program and ends it when the process that wanted it dies.
//!
//! A server that is killed cannot clean up. The launcher therefore does not become the program: it starts it,
//! waits for whichever ends first, its own parent or the program, and ends as the program did.

use std::{
    fs::File,
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::process::ExitStatusExt,
    },
    process::{Child, Command, ExitCode, ExitStatus},
    sync::{Arc, atomic::AtomicBool},
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    process::{Pid, PidfdFlags, getpid, getppid, pidfd_open},
    stdio::{dup2_stderr, dup2_stdin, dup2_stdout},
};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2},
    flag, low_level,
};

use crate::{Signal, kill_group};

/// Signals that are meant for the program. It gets them too, as a member of the group, and decides.
const FOR_THE_PROGRAM: &[i32] = &[SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2];

/// What shells add to the number of a signal.
const BY_SIGNAL: u8 = 128;

/// A hold on the process that wanted the program.
pub(crate) struct Keeper {
    parent: OwnedFd,
}

impl Keeper {
    /// Takes hold of the parent. Fails when it is not, or no more, the process that gave the order.
    pub(crate) fn of(expected: u32) -> Result<Self, String> {
        let gone = || "whoever wanted the program is gone".to_owned();
        let pid = i32::try_from(expected).ok().and_then(Pid::from_raw).ok_or_else(gone)?;
        let parent = pidfd_open(pid, PidfdFlags::empty()).map_err(|error| format!("pidfd_open: {error}"))?;
        // A number can be used again, but not while its first owner still is our parent.
        if getppid() == Some(pid) { Ok(Self { parent }) } else { Err(gone()) }
    }

    /// Runs the program to its end. The error says why it did not start.
    pub(crate) fn run(self, command: &mut Command) -> io::Result<ExitCode> {
        let ignored = Arc::new(AtomicBool::new(false));
        for signal in FOR_THE_PROGRAM {
            flag::register(*signal, Arc::clone(&ignored))?;
        }
        let child = command.spawn()?;
        leave_the_streams()?;
        Ok(end_like(self.wait(child)?))
    }

    fn wait(&self, mut child: Child) -> io::Result<ExitStatus> {
        let pid = Pid::from_child(&child);
        let program = pidfd_open(pid, PidfdFlags::empty())?;
        let mut ends = [
            PollFd::new(&self.parent, PollFlags::IN),
            PollFd::from_borrowed_fd(program.as_fd(), PollFlags::IN),
        ];
        loop {
            match poll(&mut ends, None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            if !ends[0].revents().is_empty() {
                // Ends this process too: it leads the group.
                kill_group(getpid().as_raw_nonzero().get().unsigned_abs(), Signal::Kill)?;
            }
        }
    }
}

/// The program alone holds its pipes, so that they close when it closes them.
fn leave_the_streams() -> io::Result<()> {
    let nothing = File::options().read(true).write(true).open("/dev/null")?;
    dup2_stdin(&nothing)?;
    dup2_stdout(&nothing)?;
    dup2_stderr(&nothing)?;
    Ok(())
}

fn end_like(status: ExitStatus) -> ExitCode {
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    let Some(signal) = status.signal() else { return code.map_or(ExitCode::FAILURE, ExitCode::from) };
    // Comes back only for a signal that does not end a process by default; the number still tells then.
    low_level::emulate_default_handler(signal).ok();
    ExitCode::from(u8::try_from(signal).map_or(u8::MAX, |signal| BY_SIGNAL.saturating_add(signal)))
}
