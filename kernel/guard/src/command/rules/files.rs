//! Programs that look at, make, move and remove files.

use super::{Program, Verdict, find};
use crate::{
    Refusal,
    command::{
        call::Call,
        cli::{Cli, Operands},
    },
};

const LS: Cli = Cli {
    text: &[
        "-I",
        "-w",
        "-T",
        "--ignore",
        "--hide",
        "--width",
        "--block-size",
        "--time-style",
        "--sort",
        "--color",
    ],
    ..Cli::plain(Operands::Read)
};
const STAT: Cli = Cli { text: &["-c", "--format", "--printf"], ..Cli::plain(Operands::Read) };
const DU: Cli = Cli {
    refuse: &[("--files0-from", "it reads a list of files")],
    text: &[
        "-d",
        "-B",
        "-t",
        "-x",
        "-T",
        "-P",
        "-L",
        "-I",
        "--max-depth",
        "--block-size",
        "--threshold",
        "--exclude",
        "--time-style",
        "--type",
        "--exclude-type",
        "--output",
    ],
    read: &["-X", "--exclude-from"],
    ..Cli::plain(Operands::Read)
};
const FILE: Cli = Cli {
    refuse: &[("-C", "it writes a compiled database"), ("--compile", "it writes a compiled database")],
    text: &["-F", "-P", "-e", "--separator", "--parameter", "--exclude"],
    read: &["-m", "--magic-file", "-f", "--files-from"],
    ..Cli::plain(Operands::Read)
};
const TOUCH: Cli = Cli {
    text: &["-d", "-t", "--date", "--time"],
    read: &["-r", "--reference"],
    ..Cli::plain(Operands::Write)
};
const MKDIR: Cli = Cli { text: &["-m", "--mode"], ..Cli::plain(Operands::Write) };
const COPY: Cli = Cli {
    refuse: &[
        ("-s", "it makes links"),
        ("--symbolic-link", "it makes links"),
        ("-l", "it makes links"),
        ("--link", "it makes links"),
    ],
    text: &["-S", "--suffix"],
    write: &["-t", "--target-directory"],
    ..Cli::plain(Operands::ReadThenWrite)
};
const MOVE: Cli = Cli {
    text: &["-S", "--suffix"],
    write: &["-t", "--target-directory"],
    ..Cli::plain(Operands::DestroyThenWrite)
};
const REMOVE: Cli = Cli {
    refuse: &[("--no-preserve-root", "it is only there to remove everything")],
    ..Cli::plain(Operands::Destroy)
};
const NAMES: Cli = Cli { text: &["-s", "--suffix"], ..Cli::plain(Operands::Text) };
const REAL: Cli = Cli { read: &["--relative-to", "--relative-base"], ..Cli::plain(Operands::Read) };

const LOOK: &str = "files.look";

/// The family.
pub(super) const PROGRAMS: &[Program] = &[
    Program::harmless("basename", LOOK, &NAMES),
    Program::own("chmod", "files.chmod", chmod),
    Program::table("cp", "files.copy", &COPY),
    Program::harmless("df", LOOK, &DU),
    Program::harmless("dirname", LOOK, &Cli::plain(Operands::Text)),
    Program::harmless("du", LOOK, &DU),
    Program::table("file", LOOK, &FILE),
    Program::own("find", "files.find", find::judge),
    Program::harmless("ls", LOOK, &LS),
    Program::table("mkdir", "files.make", &MKDIR),
    Program::table("mv", "files.move", &MOVE),
    Program::harmless("pwd", LOOK, &Cli::plain(Operands::Text)),
    Program::harmless("readlink", LOOK, &Cli::plain(Operands::Read)),
    Program::harmless("realpath", LOOK, &REAL),
    Program::table("rm", "files.remove", &REMOVE),
    Program::table("rmdir", "files.remove", &REMOVE),
    Program::harmless("stat", LOOK, &STAT),
    Program::table("touch", "files.make", &TOUCH),
    Program::table(
        "tree",
        LOOK,
        &Cli {
            refuse: &[("-R", "it writes files")],
            text: &["-L", "-P", "-I", "--filelimit", "--timefmt", "--charset", "--sort"],
            read: &["--gitfile", "--infofile"],
            write: &["-o"],
            operands: Operands::Read,
        },
    ),
];

/// Modes that only say who may read, write and run.
fn chmod(call: &mut Call<'_>) -> Result<Verdict, Refusal> {
    let is_option = |arg: &str| {
        matches!(arg, "-R" | "-v" | "-c" | "-f" | "--recursive" | "--verbose" | "--changes" | "--silent")
    };
    let rest: Vec<String> = call.args.iter().filter(|arg| !is_option(arg)).cloned().collect();
    let Some((mode, paths)) = rest.split_first() else { return Ok(Verdict::Fine) };
    let octal =
        mode.len() <= 4 && mode.chars().all(|c| c.is_digit(8)) && (mode.len() < 4 || mode.starts_with('0'));
    let symbolic = mode.chars().all(|c| "ugoa+-=rwxX,".contains(c));
    if !octal && !symbolic {
        return Err(call.refuse(mode, "only plain permissions can be set", "use a mode such as 644 or u+x"));
    }
    for path in paths {
        call.write(path)?;
    }
    Ok(Verdict::Fine)
}
