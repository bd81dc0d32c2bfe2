//! Where the program and the clients are. What is missing is a failure that says how to get it.

use std::path::{Path, PathBuf};

/// One variable, read here and nowhere else.
#[expect(clippy::disallowed_methods, reason = "the only reader of the environment in this crate")]
fn variable(name: &str) -> Option<PathBuf> {
    std::env::var(name).ok().filter(|it| !it.is_empty()).map(PathBuf::from)
}

/// The program under test: `CORE_MCP_BIN`, else what cargo built last beside these tests.
pub fn binary() -> PathBuf {
    let chosen = variable("CORE_MCP_BIN").unwrap_or_else(|| {
        let tests = std::env::current_exe().expect("this test is a program");
        tests.ancestors().nth(2).expect("a target folder").join("core-mcp")
    });
    found(chosen, "build it: cargo build -p core-mcp")
}

/// A program of the Python environment: `python`, `node`.
pub(crate) fn tool(name: &str) -> PathBuf {
    let venv =
        variable("CORE_MCP_VENV").or_else(|| variable("HOME").map(|home| home.join(".cache/core-mcp/venv")));
    let venv = venv.expect("CORE_MCP_VENV or HOME is set");
    found(venv.join("bin").join(name), "install it: cargo xtask test --only install")
}

/// The folder of an unpacked package that brings lock files along, as `tests/clients/node/projects.txt` names it.
pub fn project(package: &str) -> PathBuf {
    let venv = tool("python").ancestors().nth(2).expect("a program of the environment").to_owned();
    let folder = venv.with_file_name("projects").join(package.replace('/', "+")).join("package");
    found(folder, "install it: cargo xtask test --only install")
}

/// A script of the Python environment, ready to take arguments.
pub fn python_script(name: &str) -> std::process::Command {
    let mut command = std::process::Command::new(tool("python"));
    command.arg(client(&format!("python/{name}")));
    command
}

/// A file under `tests/clients`.
pub(crate) fn client(path: &str) -> PathBuf {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(path);
    found(file, "install it: cargo xtask test --only install")
}

fn found(path: PathBuf, remedy: &str) -> PathBuf {
    assert!(path.exists(), "{} is missing; {remedy}", path.display());
    path
}
