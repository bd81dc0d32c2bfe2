//! The launcher on its own, for the tests of this crate.

use std::process::ExitCode;

fn main() -> ExitCode {
    sandbox::become_launcher_if_asked().unwrap_or_else(|| {
        eprintln!("usage: sandbox-launcher __sandbox ORDER PROGRAM [ARG…]");
        ExitCode::from(2)
    })
}
