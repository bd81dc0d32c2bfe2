//! A data directory, a folder that is open to tools, and the program that uses both.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{Serving, binary};

/// A fresh installation, gone when dropped.
pub struct Site {
    folder: TempDir,
    /// The token `quickstart` printed.
    pub admin: String,
    /// Variables every command gets, on top of the usual ones.
    variables: Vec<(String, String)>,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; -1 when a signal ended it.
    pub code: i32,
    /// What it printed for programs.
    pub stdout: String,
    /// What it printed for people.
    pub stderr: String,
}

impl Ended {
    /// What it printed, as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("not JSON ({error}): {self:?}"))
    }

    /// The code of the error it printed.
    #[track_caller]
    pub fn error_code(&self) -> String {
        let line = self.stderr.lines().rev().find(|it| it.trim_start().starts_with('{'));
        let error: Value = line.and_then(|it| serde_json::from_str(it).ok()).unwrap_or_default();
        error["error"]["code"].as_str().unwrap_or_else(|| panic!("no error code: {self:?}")).to_owned()
    }

    /// Fails the test unless the exit code was 0.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }
}

impl Site {
    /// Runs `quickstart` over a folder with a git history, a note, and a planted secret.
    #[track_caller]
    pub fn new() -> Self {
        let mut site = Self::empty();
        let root = site.root().to_string_lossy().into_owned();
        let ended =
            site.cli(&["quickstart", "--target", &root, "--no-serve", "--yes", "--output", "json"]).ok();
        let report = ended.json();
        site.admin = report["token"].as_str().expect("quickstart prints a token").to_owned();
        site
    }

    /// The folder alone; nothing was run.
    pub fn empty() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let site = Self { folder, admin: String::new(), variables: Vec::new() };
        fs::create_dir(site.root()).expect("the open folder");
        site.plant();
        site
    }

    fn plant(&self) {
        let root = self.root();
        fs::write(root.join("note.txt"), "a note\n").expect("a file");
        // Put together here, so that no scanner finds them in this repository.
        let id = ["AKIA", "Z7QK2MB4VN3XWJ5H"].concat();
        let key = ["k8Jd+2fPq/Xr5TgYh7Wz", "Lm3Nc9Vb1Aa0Ss4Dd6Ff"].concat();
        let settings = format!("aws_access_key_id = \"{id}\"\naws_secret_access_key = \"{key}\"\n");
        fs::write(root.join("settings.py"), settings).expect("a file");
        for args in [
            &["init", "--quiet", "--initial-branch=main"][..],
            &["add", "note.txt"],
            &["commit", "--quiet", "-m", "plant a note"],
            &["commit", "--quiet", "--allow-empty", "-m", "think again"],
        ] {
            let git = Command::new("git")
                .current_dir(&root)
                .args(["-c", "user.name=Tester", "-c", "user.email=tester@example.org"])
                .args(args)
                .status()
                .expect("git is installed: cargo xtask test --only install");
            assert!(git.success(), "git {args:?}");
        }
    }

    /// The folder that is open to tools.
    pub fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    /// A path in the open folder, as text.
    pub fn path(&self, name: &str) -> String {
        self.root().join(name).to_string_lossy().into_owned()
    }

    /// The data directory.
    pub fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A folder beside both that no tool may reach.
    pub fn outside(&self) -> &Path {
        self.folder.path()
    }

    /// Sets a variable for every later command.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A command of the program as admin, not started yet.
    pub fn command(&self, args: &[&str]) -> Command {
        self.command_as(&self.admin, args)
    }

    /// The same as the holder of `token`.
    pub fn command_as(&self, token: &str, args: &[&str]) -> Command {
        self.around(Command::new(binary()), token, args)
    }

    /// The same, started by another program that ends its arguments with ours (`prlimit`, `sh -c`).
    pub fn around(&self, mut command: Command, token: &str, args: &[&str]) -> Command {
        command
            .args(args)
            .current_dir(self.folder.path())
            .env_remove("CORE_MCP_CONFIG")
            .env("HOME", self.folder.path())
            .env("CORE_MCP_DATA_DIR", self.data_dir())
            .env("CORE_MCP_TOKEN", token)
            .envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs a command to its end, as admin.
    #[track_caller]
    pub fn cli(&self, args: &[&str]) -> Ended {
        self.cli_as(&self.admin, args)
    }

    /// Runs a command to its end, as the holder of `token`.
    #[track_caller]
    pub fn cli_as(&self, token: &str, args: &[&str]) -> Ended {
        ended(self.command_as(token, args).stdin(Stdio::null()).output().expect("the program starts"))
    }

    /// Runs a command with something to read, as admin.
    #[track_caller]
    pub fn cli_reading(&self, args: &[&str], input: &[u8]) -> Ended {
        let mut command = self.command(args);
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().expect("the program starts");
        child.stdin.take().expect("stdin is piped").write_all(input).expect("it reads");
        ended(child.wait_with_output().expect("it ends"))
    }

    /// Serves HTTP on a free port.
    #[track_caller]
    pub fn serve(&self) -> Serving {
        Serving::start(self.command(&["serve", "--listen", "127.0.0.1:0"]))
    }

    /// Makes a user with one role and a token for it; returns the token.
    #[track_caller]
    pub fn token_for(&self, user: &str, role: &str) -> String {
        self.cli(&["user", "create", user, "--role", role]).ok();
        let made = self.cli(&["token", "create", user, "--output", "json"]).ok().json();
        made["token"].as_str().expect("a token is printed").to_owned()
    }
}

impl Default for Site {
    fn default() -> Self {
        Self::new()
    }
}

fn ended(output: Output) -> Ended {
    Ended {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
