//! What is started, with which arguments, environment and rights.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use sandbox::{Launch, Launcher, ProcessLimits, SandboxPolicy, StreamFiles};

use crate::{ConfinementMode, UpstreamConfig, config::expand};

/// Where programs are looked for unless the section sets `PATH`.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Everything about a child but its process.
pub(crate) struct LaunchPlan {
    launcher: Launcher,
    pub(super) is_confined: bool,
    policy: SandboxPolicy,
    program: PathBuf,
    args: Vec<String>,
    cwd: PathBuf,
    env: Vec<(String, String)>,
}

/// What a plan is made with, besides the section.
pub(crate) struct Surroundings<'a> {
    /// The program whose `main` can become a guardian.
    pub(crate) launcher: &'a Path,
    /// The upstream's private folder; it exists.
    pub(crate) home: &'a Path,
    /// Never within reach: configuration, policies, data.
    pub(crate) protected: &'a [PathBuf],
    /// Our own environment, for `${env:NAME}`.
    pub(crate) lookup: &'a dyn Fn(&str) -> Option<String>,
}

impl LaunchPlan {
    /// Reads the section. The reason of a failure names the key.
    pub(crate) fn new(config: &UpstreamConfig, around: &Surroundings<'_>) -> Result<Self, String> {
        let command = config.command.as_deref().ok_or("command: it is missing")?;
        let env = environment(config, around)?;
        let path = env.iter().find(|(name, _)| name == "PATH").map_or(PATH, |(_, value)| value);
        let program = find_program(command, path)?;
        let cwd = config.cwd.clone().unwrap_or_else(|| around.home.to_owned());
        let confinement = &config.confinement;
        for folder in confinement.readable.iter().chain(&confinement.writable) {
            if around.protected.iter().any(|it| it.starts_with(folder)) {
                let folder = folder.display();
                return Err(format!(
                    "confinement: {folder} holds core-mcp's own files; list folders within it"
                ));
            }
        }
        let mut readable = confinement.readable.clone();
        // The program itself, wherever it lies, and the packages beside it.
        readable.extend(program.parent().map(Path::to_owned));
        readable.extend(fs::canonicalize(&program).ok().and_then(|it| it.parent().map(Path::to_owned)));
        readable.extend(config.cwd.clone());
        let mut writable = confinement.writable.clone();
        writable.push(around.home.to_owned());
        // A virtual environment of Python has its packages beside its programs.
        readable.extend(
            program
                .parent()
                .and_then(Path::parent)
                .filter(|it| it.join("pyvenv.cfg").exists())
                .map(Path::to_owned),
        );
        let protected: Vec<PathBuf> =
            around.protected.iter().filter(|it| !around.home.starts_with(it)).cloned().collect();
        let policy = SandboxPolicy {
            writable,
            readable,
            protected,
            network: confinement.network,
            // A server runs for months: its processor time is not counted.
            limits: ProcessLimits { cpu_seconds: u64::MAX, ..ProcessLimits::default() },
            allow_unconfined: confinement.allow_unconfined,
        };
        let launcher = Launcher::new(around.launcher.to_owned());
        let is_confined = confinement.mode == ConfinementMode::Confined;
        Ok(Self { launcher, is_confined, policy, program, args: config.args.clone(), cwd, env })
    }

    /// A command that starts it, with pipes for its streams.
    pub(crate) fn command(&self) -> Command {
        let launch = Launch {
            policy: &self.policy,
            program: &self.program,
            args: &self.args,
            cwd: &self.cwd,
            env: &self.env,
            files: StreamFiles::default(),
        };
        let mut command =
            if self.is_confined { self.launcher.command(&launch) } else { self.launcher.unconfined(&launch) };
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

/// What the section lists, and the three variables no program does well without.
fn environment(config: &UpstreamConfig, around: &Surroundings<'_>) -> Result<Vec<(String, String)>, String> {
    let mut env = Vec::with_capacity(config.env.len() + 3);
    for (name, value) in &config.env {
        let value = expand(value.expose(), around.lookup).map_err(|why| format!("env.{name}: {why}"))?;
        if value.contains('\0') {
            return Err(format!("env.{name}: it holds a zero byte"));
        }
        env.push((name.clone(), value));
    }
    let temp = around.home.join("tmp");
    if !config.env.contains_key("TMPDIR") {
        fs::create_dir_all(&temp).map_err(|error| format!("its folder for temporary files: {error}"))?;
    }
    let home = around.home.to_string_lossy().into_owned();
    for (name, value) in
        [("PATH", PATH.into()), ("HOME", home), ("TMPDIR", temp.to_string_lossy().into_owned())]
    {
        if !config.env.contains_key(name) {
            env.push((name.to_owned(), value));
        }
    }
    Ok(env)
}

fn find_program(command: &str, path: &str) -> Result<PathBuf, String> {
    let is_program = |it: &Path| {
        fs::metadata(it).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    if command.contains('/') {
        let program = PathBuf::from(command);
        return if program.is_absolute() && is_program(&program) {
            Ok(program)
        } else {
            Err(format!("command: {command} is not an absolute path of a program"))
        };
    }
    let folders = path.split(':').filter(|it| it.starts_with('/'));
    folders
        .map(|folder| Path::new(folder).join(command))
        .find(|it| is_program(it))
        .ok_or_else(|| format!("command: no program `{command}` in {path}; install it, or set env.PATH"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(text: &str) -> Result<LaunchPlan, String> {
        let folder = tempfile::tempdir().unwrap();
        let around = Surroundings {
            launcher: Path::new("/proc/self/exe"),
            home: folder.path(),
            protected: &[PathBuf::from("/srv/core-mcp/data")],
            lookup: &|name| (name == "KNOWN").then(|| "yes".into()),
        };
        LaunchPlan::new(&serde_json::from_str(text).unwrap(), &around)
    }

    #[test]
    fn a_child_gets_what_is_listed_and_nothing_of_ours() {
        let plan = plan(r#"{"command": "sh", "env": {"A": "x${env:KNOWN}", "HOME": "/srv"}}"#).unwrap();
        let names: Vec<&str> = plan.env.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["A", "HOME", "PATH", "TMPDIR"]);
        assert_eq!((plan.env[0].1.as_str(), plan.env[1].1.as_str()), ("xyes", "/srv"));
        assert!(plan.is_confined);
    }

    #[test]
    fn what_cannot_be_started_is_refused_by_key() {
        for (text, key) in [
            (r#"{"command": "no-such-program-here"}"#, "command"),
            (r#"{"command": "./sh"}"#, "command"),
            (r#"{"command": "/etc/passwd"}"#, "command"),
            (r#"{"command": "sh", "env": {"A": "${env:UNKNOWN}"}}"#, "env.A"),
            (r#"{"command": "sh", "env": {"A": "a\u0000b"}}"#, "env.A"),
            (r#"{"command": "sh", "env": {"PATH": "relative"}}"#, "command"),
            (r#"{"command": "sh", "confinement": {"writable": ["/srv"]}}"#, "confinement"),
            (r#"{"command": "sh", "confinement": {"readable": ["/"]}}"#, "confinement"),
        ] {
            assert!(plan(text).err().is_some_and(|it| it.starts_with(key)), "{text}");
        }
    }
}
