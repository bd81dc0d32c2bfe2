//! Starting a program confined: our own binary goes first and becomes it.

use std::{
    ffi::{OsStr, OsString},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
};

use crate::{Enforcement, SandboxPolicy, confine::confine};

const RUN: &str = "__sandbox";
const PROBE: &str = "__sandbox_probe";

/// As shells have it: the program was found but could not be run.
const CANNOT_RUN: u8 = 126;

/// The binary whose `main` begins with [`become_launcher_if_asked`].
#[derive(Clone, Debug)]
pub struct Launcher {
    program: PathBuf,
}

impl Launcher {
    /// Names the binary; nothing is checked before [`Launcher::probe`].
    pub fn new(program: PathBuf) -> Self {
        Self { program }
    }

    /// A command that runs `program` with `args` in `cwd` under `policy`.
    ///
    /// The environment is exactly `env`, nothing is inherited. Standard streams are closed until the
    /// caller sets them. The program leads its own process group, so [`crate::kill_group`] ends it with
    /// all its children; it cannot leave the group.
    pub fn command<'a>(
        &self,
        policy: &SandboxPolicy,
        program: &Path,
        args: impl IntoIterator<Item = &'a OsStr>,
        cwd: &Path,
        env: impl IntoIterator<Item = (&'a str, &'a OsStr)>,
    ) -> Command {
        let policy = serde_json::to_string(policy).expect("a policy is plain data");
        let mut command = Command::new(&self.program);
        command
            .arg(RUN)
            .arg(policy)
            .arg(program)
            .args(args)
            .current_dir(cwd)
            .env_clear()
            .envs(env)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    /// Starts the launcher once, lets it confine itself, and says what held. Takes milliseconds; blocks.
    pub fn probe(&self) -> Enforcement {
        let mut policy = SandboxPolicy::system_only();
        policy.allow_unconfined = true;
        let text = serde_json::to_string(&policy).expect("a policy is plain data");
        let output = Command::new(&self.program)
            .args([PROBE, &text])
            .env_clear()
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output();
        match output {
            Ok(output) => serde_json::from_slice(&output.stdout)
                .unwrap_or_else(|_| Enforcement::none("the launcher did not answer")),
            Err(error) => Enforcement::none(format!("the launcher cannot be started: {error}")),
        }
    }
}

/// The first line of `main`, before any thread exists: when this process was started by [`Launcher`],
/// confines it, becomes the program, and only comes back with the exit code of a failure.
pub fn become_launcher_if_asked() -> Option<ExitCode> {
    let mut args = std::env::args_os().skip(1);
    let mode = args.next()?;
    if mode == RUN {
        let error = run(args);
        eprintln!("sandbox: {error}");
        Some(ExitCode::from(CANNOT_RUN))
    } else if mode == PROBE {
        Some(answer_probe(args.next()))
    } else {
        None
    }
}

/// Never returns when the program starts.
fn run(mut args: impl Iterator<Item = OsString>) -> String {
    let Some(policy) = args.next().and_then(|text| parse_policy(&text)) else {
        return "the policy cannot be read".into();
    };
    let Some(program) = args.next() else { return "no program was named".into() };
    if let Err(error) = confine(&policy) {
        return error.to_string();
    }
    let error = Command::new(&program).args(args).exec();
    format!("{}: {error}", program.to_string_lossy())
}

fn parse_policy(text: &OsStr) -> Option<SandboxPolicy> {
    serde_json::from_str(text.to_str()?).ok()
}

fn answer_probe(policy: Option<OsString>) -> ExitCode {
    let Some(policy) = policy.and_then(|text| parse_policy(&text)) else { return ExitCode::from(2) };
    let held = confine(&policy).unwrap_or_else(|error| Enforcement::none(error.to_string()));
    println!("{}", serde_json::to_string(&held).expect("an enforcement is plain data"));
    ExitCode::SUCCESS
}
