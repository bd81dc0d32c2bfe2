//! Programs that tell about the machine, and small words of the command line.

use super::{Program, Verdict};
use crate::{
    Refusal,
    command::{
        call::Call,
        cli::{Cli, Operands},
    },
};

const TEXT: Cli = Cli::plain(Operands::Text);
const NOTHING: Cli = Cli::plain(Operands::None);
const PS: Cli = Cli {
    text: &[
        "-C", "-G", "-U", "-O", "-o", "-p", "-q", "-s", "-t", "-u", "-g", "--pid", "--ppid", "--sort",
        "--format", "--user", "--cols", "--width",
    ],
    ..Cli::plain(Operands::Text)
};
const NETSTAT: Cli = Cli { refuse: &[("-c", "it never ends"), ("--continuous", "it never ends")], ..NOTHING };
const SS: Cli = Cli {
    refuse: &[
        ("-K", "it closes connections"),
        ("--kill", "it closes connections"),
        ("-E", "it never ends"),
        ("--events", "it never ends"),
        ("-N", "it enters another namespace"),
        ("--net", "it enters another namespace"),
    ],
    text: &["-f", "-A", "--family", "--query"],
    read: &["-F", "--filter"],
    write: &["-D", "--diag"],
    operands: Operands::Text,
};
const DATE: Cli = Cli {
    refuse: &[("-s", "it sets the clock"), ("--set", "it sets the clock")],
    text: &["-d", "--date", "-I", "--iso-8601", "--rfc-3339"],
    read: &["-f", "--file", "-r", "--reference"],
    write: &[],
    operands: Operands::Text,
};
const HOSTNAME: Cli = Cli {
    refuse: &[
        ("-F", "it sets the name"),
        ("--file", "it sets the name"),
        ("-b", "it sets the name"),
        ("--boot", "it sets the name"),
    ],
    ..NOTHING
};
const REPEATS: Cli = Cli {
    refuse: &[("-s", "it never ends"), ("--seconds", "it never ends")],
    text: &["-c", "--count"],
    ..NOTHING
};

const FACTS: &str = "system.facts";
const WORDS: &str = "words";

/// The family.
pub(super) const PROGRAMS: &[Program] = &[
    Program::harmless("arch", FACTS, &NOTHING),
    Program::own("date", FACTS, date),
    Program::harmless("echo", WORDS, &TEXT),
    Program::harmless("false", WORDS, &TEXT),
    Program::table("free", FACTS, &REPEATS),
    Program::table("getconf", FACTS, &TEXT),
    Program::table("hostname", FACTS, &HOSTNAME),
    Program::harmless("id", FACTS, &TEXT),
    Program::harmless("lscpu", FACTS, &NOTHING),
    Program::table("netstat", "system.sockets", &NETSTAT),
    Program::harmless("nproc", FACTS, &NOTHING),
    Program::harmless("printf", WORDS, &TEXT),
    Program::table("ps", "system.processes", &PS),
    Program::harmless("seq", WORDS, &TEXT),
    Program::own("sleep", WORDS, sleep),
    Program::table("ss", "system.sockets", &SS),
    Program::harmless("test", WORDS, &Cli::plain(Operands::Loose)),
    Program::own("top", "system.processes", top),
    Program::harmless("true", WORDS, &TEXT),
    Program::harmless("tty", FACTS, &NOTHING),
    Program::harmless("uname", FACTS, &NOTHING),
    Program::table("uptime", FACTS, &NOTHING),
    Program::harmless("which", FACTS, &TEXT),
    Program::harmless("whoami", FACTS, &NOTHING),
];

/// An operand without `+` sets the clock.
fn date(call: &mut Call<'_>) -> Result<Verdict, Refusal> {
    DATE.judge(call)?;
    let sets = DATE.items(&call.args).into_iter().find_map(|item| match item {
        crate::command::cli::Item::Operand(text) if !text.starts_with('+') => Some(text),
        _ => None,
    });
    match sets {
        Some(text) => Err(call.refuse(&text, "it sets the clock", "begin a format with `+`")),
        None => Ok(Verdict::Fine),
    }
}

fn sleep(call: &mut Call<'_>) -> Result<Verdict, Refusal> {
    let fits = |arg: &String| arg.parse::<f64>().is_ok_and(|seconds| (0.0..=60.0).contains(&seconds));
    if call.args.len() == 1 && call.args.iter().all(fits) {
        return Ok(Verdict::Fine);
    }
    Err(call.refuse("", "it takes one number of seconds, at most 60", "wait with `read_process` instead"))
}

/// A screenful: without a terminal top would fail, and without a count it would never end.
fn top(call: &mut Call<'_>) -> Result<Verdict, Refusal> {
    const CLI: Cli =
        Cli { text: &["-n", "-p", "-o", "-w", "-u", "-U", "-d", "-e", "-E"], ..Cli::plain(Operands::None) };
    let mut counted = false;
    for item in CLI.items(&call.args) {
        let crate::command::cli::Item::Flag { name, value } = item else {
            return Err(call.refuse("", "it takes no such argument here", "use `top -b -n 1`"));
        };
        if name == "-n" {
            let fits = value
                .as_deref()
                .and_then(|value| value.parse::<u8>().ok())
                .is_some_and(|n| (1..=10).contains(&n));
            if !fits {
                return Err(call.refuse("-n", "at most 10 rounds", "use `top -b -n 1`"));
            }
            counted = true;
        }
    }
    if !counted {
        call.args.splice(0..0, ["-n".into(), "1".into()]);
    }
    call.args.insert(0, "-b".into());
    Ok(Verdict::Fine)
}
