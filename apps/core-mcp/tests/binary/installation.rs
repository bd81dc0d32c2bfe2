//! One installation of core-mcp in a folder of its own, and commands run in it.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

/// A data directory with an admin token, and a workspace opened to tools.
pub(crate) struct Installation {
    folder: tempfile::TempDir,
    pub(crate) token: String,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// Stdout as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("stdout is not JSON: {error}\n{self:?}"))
    }

    /// The `error` object on the last line of stderr.
    pub(crate) fn error(&self) -> Value {
        let last = self.stderr.lines().last().unwrap_or_default();
        let mut error: Value = serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}\n{self:?}"));
        error["error"].take()
    }

    /// Fails the test unless the command succeeded.
    pub(crate) fn done(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }
}

impl Installation {
    /// An empty folder: nothing is set up yet.
    pub(crate) fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("work")).unwrap();
        fs::write(folder.path().join("work/hello.txt"), "hello\n").unwrap();
        Self { folder, token: String::new() }
    }

    /// Set up by `quickstart --no-serve`.
    pub(crate) fn new() -> Self {
        let mut made = Self::empty();
        let ended = made.quickstart().done();
        made.token = ended.json()["token"].as_str().expect("a token").to_owned();
        made
    }

    /// Runs `quickstart --no-serve --output json` on the workspace.
    pub(crate) fn quickstart(&self) -> Ended {
        let target = self.work().display().to_string();
        self.run(&["quickstart", "--target", &target, "--no-serve", "--yes", "--output", "json"])
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn work(&self) -> PathBuf {
        // As the program sees it: without links.
        fs::canonicalize(self.folder.path().join("work")).unwrap()
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A command in the workspace, with nothing of our environment but the token.
    pub(crate) fn command(&self, token: &str, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_core-mcp"));
        command.env_clear().env("HOME", self.folder.path()).env("PATH", "/usr/bin:/bin");
        command.env("CORE_MCP_DATA_DIR", self.data()).current_dir(self.work()).args(words);
        command.stdin(Stdio::null());
        if !token.is_empty() {
            command.env("CORE_MCP_TOKEN", token);
        }
        command
    }

    /// Runs a command to its end with our admin token.
    pub(crate) fn run(&self, words: &[&str]) -> Ended {
        self.run_as(&self.token, words)
    }

    /// Runs a command to its end with a token.
    pub(crate) fn run_as(&self, token: &str, words: &[&str]) -> Ended {
        ended(&mut self.command(token, words))
    }

    /// Makes a user with one role and returns a token for it.
    pub(crate) fn user(&self, name: &str, role: &str) -> String {
        self.run(&["user", "create", name, "--role", role]).done();
        let made = self.run(&["token", "create", name, "--output", "json"]).done();
        made.json()["token"].as_str().expect("a token").to_owned()
    }

    /// Lays more config over what quickstart wrote, through the environment of each command.
    pub(crate) fn append_config(&self, text: &str) {
        let path = self.data().join("core.toml");
        let old = fs::read_to_string(&path).unwrap();
        fs::write(path, format!("{old}\n{text}\n")).unwrap();
    }

    /// Starts `serve` on a free port and waits for its first line.
    pub(crate) fn serve(&self, words: &[&str]) -> Server {
        self.start(&[&["serve", "--listen", "127.0.0.1:0"], words].concat())
    }

    /// Starts a command that keeps running, and waits for its first line.
    pub(crate) fn start(&self, words: &[&str]) -> Server {
        let mut child = self.command("", words).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut first = String::new();
        stdout.read_line(&mut first).unwrap();
        Server { child, first: first.trim().to_owned() }
    }
}

/// Runs a command to its end.
pub(crate) fn ended(command: &mut Command) -> Ended {
    let output = command.output().unwrap();
    Ended {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A serving process; killed when the test ends early.
pub(crate) struct Server {
    child: Child,
    pub(crate) first: String,
}

impl Server {
    /// `http://ADDRESS`, from the first line.
    pub(crate) fn url(&self) -> String {
        let address = self.first.rsplit("://").next().and_then(|it| it.split(['/', '"', ' ']).next());
        format!("http://{}", address.unwrap_or_else(|| panic!("no address in {:?}", self.first)))
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(self.child.id().try_into().unwrap()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Waits for the end, at most `limit`.
    pub(crate) fn wait(&mut self, limit: Duration) -> Option<i32> {
        let began = Instant::now();
        while began.elapsed() < limit {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            std::thread::yield_now();
        }
        None
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
