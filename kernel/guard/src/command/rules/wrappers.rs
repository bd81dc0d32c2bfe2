//! Programs that start another one: the inner program is judged as if it stood alone.

use super::{Program, Verdict};
use crate::{
    Refusal,
    command::call::{Call, check_variable},
};

/// The family.
pub(super) const PROGRAMS: &[Program] = &[
    Program::own("env", "wrapper.env", env),
    Program::own("nice", "wrapper.nice", nice),
    Program::own("timeout", "wrapper.timeout", timeout),
    Program::own("xargs", "wrapper.xargs", xargs),
];

fn env(call: &mut Call<'_>) -> Result<Verdict, Refusal> {
    for at in 0..call.args.len() {
        let arg = &call.args[at];
        let Some((name, value)) = arg.split_once('=').filter(|_| !arg.starts_with('-')) else {
            return inner(call, at);
        };
        check_variable(name, value)?;
    }
    inner(call, call.args.len())
}

fn nice(call: &mut Call<'_>) -> Result<Verdict, Refusal> {
    let at = match call.args.first().map(String::as_str) {
        Some("-n") => 2,
        Some(arg) if arg.starts_with("-n") || arg.starts_with("--adjustment=") => 1,
        Some(arg)
            if arg.len() > 1 && arg.starts_with('-') && arg[1..].bytes().all(|b| b.is_ascii_digit()) =>
        {
            1
        }
        _ => 0,
    };
    inner(call, at)
}

fn timeout(call: &mut Call<'_>) -> Result<Verdict, Refusal> {
    let mut at = 0;
    while let Some(arg) = call.args.get(at).filter(|arg| arg.starts_with('-')) {
        at += match arg.as_str() {
            "-s" | "-k" | "--signal" | "--kill-after" => 2,
            _ => 1,
        };
    }
    inner(call, at + 1)
}

fn xargs(call: &mut Call<'_>) -> Result<Verdict, Refusal> {
    let mut at = 0;
    while let Some(arg) = call.args.get(at).filter(|arg| arg.starts_with('-')) {
        at += match arg.as_str() {
            "-n" | "-I" | "-L" | "-P" | "-d" | "-s" | "-E" => 2,
            "-0" | "-r" | "-t" | "-x" | "--null" | "--no-run-if-empty" => 1,
            other
                if other.starts_with("-n")
                    || other.starts_with("-P")
                    || other.starts_with("-I")
                    || other.starts_with("-d") =>
            {
                1
            }
            other => {
                let other = other.to_owned();
                return Err(call.refuse(&other, "it is not understood", "leave the option out"));
            }
        };
    }
    // Without a program xargs runs echo.
    if at >= call.args.len() {
        call.args.push("echo".into());
        at = call.args.len() - 1;
    }
    inner(call, at)
}

fn inner(call: &Call<'_>, at: usize) -> Result<Verdict, Refusal> {
    match call.args.get(at) {
        Some(arg) if !arg.starts_with('-') => Ok(Verdict::Wraps(at)),
        Some(arg) => Err(call.refuse(arg, "it is not understood", "call the program itself")),
        None => Err(call.refuse("", "it names no program", "call the program itself")),
    }
}
