//! Starting a program confined: our own binary goes first and becomes it.

use std::{
    borrow::Cow,
    ffi::{OsStr, OsString},
    fs::File,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
};

use serde::{Deserialize, Serialize};

use crate::{
    Enforcement, SandboxPolicy,
    confine::confine,
    guardian::{GUARD, stand_guard},
    inherited,
    keeper::Keeper,
};

const RUN: &str = "__sandbox";
const PROBE: &str = "__sandbox_probe";

/// As shells have it: the program was found but could not be run.
pub(crate) const CANNOT_RUN: u8 = 126;

/// The binary whose `main` begins with [`become_launcher_if_asked`].
#[derive(Clone, Debug)]
pub struct Launcher {
    pub(crate) program: PathBuf,
}

impl Launcher {
    /// Names the binary; nothing is checked before [`Launcher::probe`].
    pub fn new(program: PathBuf) -> Self {
        Self { program }
    }

    /// A command that runs one program confined.
    ///
    /// The environment is exactly what the launch names, nothing is inherited. Streams that the launch does
    /// not open as files are closed until the caller sets them. The launcher leads a process group, so
    /// [`crate::kill_group`] ends the program with all its children; it cannot leave the group. All of them
    /// also end when this process dies, however it does, unless the program has stopped its launcher (`SIGSTOP`),
    /// which then sees nothing until it is continued.
    pub fn command(&self, launch: &Launch<'_>) -> Command {
        let order = Order {
            policy: Cow::Borrowed(launch.policy),
            files: Cow::Borrowed(&launch.files),
            parent: std::process::id(),
        };
        let order = serde_json::to_string(&order).expect("an order is plain data");
        let mut command = Command::new(&self.program);
        command
            .arg(RUN)
            .arg(order)
            .arg(launch.program)
            .args(launch.args)
            .current_dir(launch.cwd)
            .env_clear()
            .envs(launch.env.iter().map(|(name, value)| (name, value)))
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

/// One program about to start.
#[derive(Clone, Debug)]
pub struct Launch<'a> {
    /// What it may touch.
    pub policy: &'a SandboxPolicy,
    /// The absolute program file.
    pub program: &'a Path,
    /// Its arguments.
    pub args: &'a [String],
    /// Where it starts.
    pub cwd: &'a Path,
    /// Its whole environment.
    pub env: &'a [(String, String)],
    /// Streams that are files.
    pub files: StreamFiles,
}

/// Streams that are files. The confined process opens them itself, so a path that was swapped for a link
/// after it was judged still leads nowhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamFiles {
    /// Read as standard input.
    pub stdin: Option<PathBuf>,
    /// Gets standard output.
    pub stdout: Option<OutputFile>,
    /// Gets standard error. When it equals `stdout` both share one file position.
    pub stderr: Option<OutputFile>,
}

/// A file that an output stream goes to. It is created when it does not exist; a link is not followed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputFile {
    /// Its path.
    pub path: PathBuf,
    /// Whether what is there is kept.
    pub append: bool,
}

impl OutputFile {
    fn open(&self) -> Result<File, String> {
        let mut options = File::options();
        // Links were resolved when the path was judged; one that stands here now was put here since.
        options.create(true).append(self.append).custom_flags(libc::O_NOFOLLOW);
        if !self.append {
            options.write(true).truncate(true);
        }
        options.open(&self.path).map_err(|error| format!("{}: {error}", self.path.display()))
    }
}

#[derive(Serialize, Deserialize)]
struct Order<'a> {
    policy: Cow<'a, SandboxPolicy>,
    files: Cow<'a, StreamFiles>,
    /// The process that gives it; the program ends with it.
    parent: u32,
}

/// The first line of `main`, before any thread exists: when this process was started by [`Launcher`],
/// confines it, runs the program, and comes back with its exit code.
pub fn become_launcher_if_asked() -> Option<ExitCode> {
    let mut args = std::env::args_os().skip(1);
    let mode = args.next()?;
    if mode == RUN {
        Some(run(args).unwrap_or_else(|error| {
            eprintln!("sandbox: {error}");
            ExitCode::from(CANNOT_RUN)
        }))
    } else if mode == PROBE {
        Some(answer_probe(args.next()))
    } else if mode == GUARD {
        Some(stand_guard(args))
    } else {
        None
    }
}

/// Fails with the reason why the program did not start.
fn run(mut args: impl Iterator<Item = OsString>) -> Result<ExitCode, String> {
    let order = args.next().and_then(|text| text.into_string().ok()).unwrap_or_default();
    let order: Order<'_> = serde_json::from_str(&order).map_err(|_| "the order cannot be read".to_owned())?;
    let program = args.next().ok_or("no program was named")?;
    inherited::close().map_err(|error| format!("inherited files cannot be closed: {error}"))?;
    let keeper = Keeper::of(order.parent)?;
    confine(&order.policy).map_err(|error| error.to_string())?;
    let mut command = Command::new(program);
    command.args(args);
    connect(&mut command, &order.files)?;
    keeper.run(&mut command).map_err(|error| format!("{}: {error}", command.get_program().to_string_lossy()))
}

/// Opens the streams that are files, with no more rights than the program will have.
fn connect(command: &mut Command, files: &StreamFiles) -> Result<(), String> {
    if let Some(path) = &files.stdin {
        command.stdin(File::open(path).map_err(|error| format!("{}: {error}", path.display()))?);
    }
    let stdout = files.stdout.as_ref().map(OutputFile::open).transpose()?;
    let stderr = match (&stdout, &files.stderr) {
        (Some(file), Some(_)) if files.stdout == files.stderr => {
            Some(file.try_clone().map_err(|error| error.to_string())?)
        }
        (_, Some(file)) => Some(file.open()?),
        (_, None) => None,
    };
    stdout.map(|file| command.stdout(file));
    stderr.map(|file| command.stderr(file));
    Ok(())
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
