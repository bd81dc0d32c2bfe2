//! Programs that read text and print text.

use super::{Program, awk, sed};
use crate::command::cli::{Cli, Operands};

const READS: Cli = Cli::plain(Operands::Read);
const LINES: Cli = Cli {
    text: &[
        "-n",
        "-c",
        "-s",
        "-w",
        "--lines",
        "--bytes",
        "--sleep-interval",
        "--max-unchanged-stats",
        "--pid",
        "--width",
        "--spaces",
    ],
    ..Cli::plain(Operands::Read)
};
const CUT: Cli = Cli {
    text: &[
        "-b",
        "-c",
        "-d",
        "-f",
        "-s",
        "-w",
        "-t",
        "-j",
        "-N",
        "-A",
        "-S",
        "-o",
        "--bytes",
        "--characters",
        "--delimiter",
        "--fields",
    ],
    ..Cli::plain(Operands::Read)
};
const SORT: Cli = Cli {
    refuse: &[
        ("--compress-program", "it starts another program"),
        ("--files0-from", "it reads a list of files"),
    ],
    text: &[
        "-k",
        "-t",
        "-S",
        "--key",
        "--field-separator",
        "--buffer-size",
        "--parallel",
        "--batch-size",
        "--sort",
    ],
    read: &["--random-source"],
    write: &["-o", "--output", "-T", "--temporary-directory"],
    operands: Operands::Read,
};
const UNIQ: Cli = Cli {
    text: &["-f", "-s", "-w", "--skip-fields", "--skip-chars", "--check-chars"],
    ..Cli::plain(Operands::ReadWrite)
};
const GREP: Cli = Cli {
    text: &[
        "-e",
        "-m",
        "-A",
        "-B",
        "-C",
        "-d",
        "-D",
        "--regexp",
        "--max-count",
        "--after-context",
        "--before-context",
        "--context",
        "--include",
        "--exclude",
        "--exclude-dir",
        "--label",
        "--directories",
        "--devices",
    ],
    read: &["-f", "--file", "--exclude-from"],
    ..Cli::plain(Operands::TextThenRead(&["-e", "--regexp", "-f", "--file"]))
};
const RIPGREP: Cli = Cli {
    refuse: &[
        ("--pre", "it starts another program for every file"),
        ("--hostname-bin", "it starts another program"),
        ("--search-zip", "it starts other programs"),
        ("-z", "it starts other programs"),
    ],
    text: &[
        "-e",
        "-g",
        "-t",
        "-T",
        "-m",
        "-A",
        "-B",
        "-C",
        "-r",
        "-j",
        "-M",
        "-d",
        "-E",
        "--regexp",
        "--glob",
        "--iglob",
        "--type",
        "--type-not",
        "--type-add",
        "--max-count",
        "--after-context",
        "--before-context",
        "--context",
        "--replace",
        "--threads",
        "--max-columns",
        "--max-depth",
        "--max-filesize",
        "--sort",
        "--sortr",
        "--color",
        "--colors",
        "--encoding",
        "--engine",
    ],
    read: &["-f", "--file", "--ignore-file"],
    ..Cli::plain(Operands::TextThenRead(&["-e", "--regexp", "-f", "--file", "--files", "--type-list"]))
};
const DIFF: Cli = Cli {
    text: &[
        "-C",
        "-U",
        "-F",
        "-I",
        "-W",
        "-x",
        "-L",
        "-i",
        "-n",
        "-s",
        "--label",
        "--exclude",
        "--width",
        "--context",
        "--unified",
        "--ignore-matching-lines",
        "--color",
        "--ignore-initial",
        "--bytes",
    ],
    read: &["-X", "--exclude-from", "--from-file", "--to-file", "-S", "--starting-file"],
    ..Cli::plain(Operands::Read)
};
const JQ: Cli = Cli {
    refuse: &[("-L", "it loads code from a folder"), ("--library-path", "it loads code from a folder")],
    text: &["--arg", "--argjson", "--indent"],
    read: &["-f", "--from-file", "--slurpfile", "--rawfile"],
    ..Cli::plain(Operands::TextThenRead(&["-f", "--from-file"]))
};
const WC: Cli =
    Cli { refuse: &[("--files0-from", "it reads a list of files")], ..Cli::plain(Operands::Read) };

const RULE: &str = "text.read";

/// The family.
pub(super) const PROGRAMS: &[Program] = &[
    Program::harmless("base64", RULE, &LINES),
    Program::harmless("cat", RULE, &READS),
    Program::harmless("cksum", RULE, &READS),
    Program::harmless("cmp", RULE, &DIFF),
    Program::harmless("column", RULE, &CUT),
    Program::harmless("comm", RULE, &READS),
    Program::harmless("cut", RULE, &CUT),
    Program::harmless("diff", RULE, &DIFF),
    Program::harmless("egrep", "text.search", &GREP),
    Program::harmless("expand", RULE, &LINES),
    Program::harmless("fgrep", "text.search", &GREP),
    Program::harmless("fmt", RULE, &LINES),
    Program::harmless("fold", RULE, &LINES),
    Program::harmless("grep", "text.search", &GREP),
    Program::harmless("head", RULE, &LINES),
    Program::harmless("hexdump", RULE, &LINES),
    Program::harmless("join", RULE, &CUT),
    Program::table("jq", "text.jq", &JQ),
    Program::harmless("md5sum", RULE, &READS),
    Program::harmless("nl", RULE, &CUT),
    Program::harmless("od", RULE, &CUT),
    Program::harmless("paste", RULE, &CUT),
    Program::harmless("rev", RULE, &READS),
    Program::table("rg", "text.search", &RIPGREP),
    Program::harmless("sha1sum", RULE, &READS),
    Program::harmless("sha256sum", RULE, &READS),
    Program::harmless("sha512sum", RULE, &READS),
    Program::table("sort", "text.sort", &SORT),
    Program::harmless("strings", RULE, &LINES),
    Program::harmless("tac", RULE, &CUT),
    Program::harmless("tail", RULE, &LINES),
    Program::table("tee", "text.tee", &Cli::plain(Operands::Write)),
    Program::harmless("tr", RULE, &Cli::plain(Operands::Text)),
    Program::table("uniq", "text.uniq", &UNIQ),
    Program::harmless("unexpand", RULE, &LINES),
    Program::harmless("wc", RULE, &WC),
    Program::own("awk", "text.awk", awk::judge),
    Program::own("gawk", "text.awk", awk::judge),
    Program::own("mawk", "text.awk", awk::judge),
    Program::own("sed", "text.sed", sed::judge),
];
