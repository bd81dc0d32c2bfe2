//! Programs that pack and unpack.

use super::{Program, Verdict};
use crate::{
    Refusal,
    command::{
        call::Call,
        cli::{Cli, Operands, stands_for},
    },
};

const COMPRESS: Cli = Cli { text: &["-S", "--suffix"], ..Cli::plain(Operands::Write) };
const ZIP: Cli = Cli {
    text: &["-x", "-i", "-n", "--exclude", "--include", "--suffixes"],
    write: &["-b", "-O", "--temp-path", "--output-file"],
    ..Cli::plain(Operands::WriteThenRead)
};
/// Options of zip that take no value, start nothing, remove nothing and write nothing of their own.
const ZIP_LETTERS: &str = "0123456789DXfjqruvy";
const ZIP_WORDS: &[&str] = &[
    "--recurse-paths",
    "--junk-paths",
    "--no-extra",
    "--no-dir-entries",
    "--symlinks",
    "--update",
    "--freshen",
    "--quiet",
    "--verbose",
    "--version",
];
const ZSTD: Cli = Cli {
    text: &["-M", "-T"],
    read: &["-D", "--patch-from", "--filelist"],
    write: &["-o", "--output-dir-flat", "--output-dir-mirror", "--trace"],
    ..Cli::plain(Operands::Write)
};
const UNZIP: Cli = Cli {
    refuse: &[("-:", "it lets an archive climb out of the folder")],
    text: &["-P", "-x"],
    write: &["-d"],
    ..Cli::plain(Operands::ReadThenText)
};

/// The family.
pub(super) const PROGRAMS: &[Program] = &[
    Program::table("bzip2", "archive.compress", &COMPRESS),
    Program::table("gunzip", "archive.compress", &COMPRESS),
    Program::table("gzip", "archive.compress", &COMPRESS),
    Program::own("tar", "archive.tar", tar),
    Program::table("unzip", "archive.unzip", &UNZIP),
    Program::table("xz", "archive.compress", &COMPRESS),
    Program::harmless("zcat", "archive.read", &Cli::plain(Operands::Read)),
    Program::own("zip", "archive.zip", zip),
    Program::table("zstd", "archive.compress", &ZSTD),
];

/// zip has options of two letters (`-tt DATE`, `-lf FILE`), so a cluster cannot be cut up by letters: what is
/// not known is refused.
fn zip(call: &mut Call<'_>) -> Result<Verdict, Refusal> {
    for item in call.args.iter().take_while(|arg| *arg != "--").filter(|arg| arg.len() > 1) {
        let is_known = match item.strip_prefix("--") {
            Some(_) => {
                let name = item.split('=').next().unwrap_or_default();
                ZIP_WORDS.iter().chain(ZIP.text).chain(ZIP.write).any(|word| *word == name)
            }
            None => item.strip_prefix('-').is_none_or(|letters| {
                letters.chars().all(|letter| ZIP_LETTERS.contains(letter))
                    || ZIP.text.iter().chain(ZIP.write).any(|flag| flag == item)
            }),
        };
        if !is_known {
            return Err(call.refuse(
                item,
                "the option is not understood",
                "use -r, -j, -q, -u, -x and the levels 0 to 9",
            ));
        }
    }
    ZIP.judge(call).map(|()| Verdict::Fine)
}

const TAR_REFUSED: &[(&str, &str)] = &[
    ("-I", "it starts another program"),
    ("-F", "it starts another program"),
    ("-P", "it lets an archive climb out of the folder"),
    ("-M", "volumes may start another program"),
    ("--absolute-names", "it lets an archive climb out of the folder"),
    ("--checkpoint", "its actions start other programs"),
    ("--checkpoint-action", "it starts another program"),
    ("--to-command", "it starts another program"),
    ("--use-compress-program", "it starts another program"),
    ("--info-script", "it starts another program"),
    ("--new-volume-script", "it starts another program"),
    ("--multi-volume", "volumes may start another program"),
    ("--rsh-command", "it starts another program"),
    ("--rmt-command", "it starts another program"),
    ("--remove-files", "it removes the files it packs"),
    ("--index-file", "it writes a file of its own"),
    ("--volno-file", "it writes a file of its own"),
];

/// Short options with a value.
const TAR_VALUED: &str = "bfgCHKLNTVX";

/// Long options that can stand for something refused only by a longer name of their own.
const TAR_WORDS: &[&str] = &[
    "--to-stdout",
    "--no-recursion",
    "--exclude",
    "--file",
    "--directory",
    "--files-from",
    "--exclude-from",
];

fn tar(call: &mut Call<'_>) -> Result<Verdict, Refusal> {
    let mut tar = Tar { writes_archive: false, unpacks: false, folder: None };
    let args = call.args.clone();
    let mut rest = args.iter();
    let mut operands = Vec::new();
    let mut first = true;
    while let Some(arg) = rest.next() {
        if arg.starts_with("--") && arg.len() > 2 {
            tar.long(call, arg, &mut rest)?;
        } else if let Some(letters) =
            arg.strip_prefix('-').filter(|it| !it.is_empty() && !it.starts_with('-'))
        {
            tar.cluster(call, letters, &mut rest)?;
        } else if first {
            // `tar czf out.tgz dir`: the letters come first, then their values in the same order.
            for letter in arg.chars() {
                tar.cluster(call, &letter.to_string(), &mut rest)?;
            }
        } else {
            operands.push(arg);
        }
        first = false;
    }
    if tar.unpacks {
        let folder = tar.folder.take();
        if folder.is_none() {
            call.write(".")?;
        }
    } else {
        for operand in operands {
            call.loose(operand)?;
            if tar.writes_archive {
                call.read(operand)?;
            }
        }
    }
    if !args.is_empty() && !args[0].starts_with("--version") && tar.unpacks {
        // As root tar would give files away; elsewhere it is the default.
        call.args.push("--no-same-owner".into());
    }
    Ok(Verdict::Fine)
}

struct Tar {
    writes_archive: bool,
    unpacks: bool,
    folder: Option<String>,
}

impl Tar {
    fn cluster<'a>(
        &mut self,
        call: &mut Call<'_>,
        letters: &str,
        rest: &mut impl Iterator<Item = &'a String>,
    ) -> Result<(), Refusal> {
        for (at, letter) in letters.char_indices() {
            let name = format!("-{letter}");
            if let Some((_, why)) = TAR_REFUSED.iter().find(|(flag, _)| *flag == name) {
                return Err(call.refuse(&name, why, "leave the option out"));
            }
            if !TAR_VALUED.contains(letter) {
                self.mode(letter);
                continue;
            }
            let attached = &letters[at + letter.len_utf8()..];
            let value = if attached.is_empty() { rest.next().cloned() } else { Some(attached.to_owned()) };
            return self.value(call, &name, value);
        }
        Ok(())
    }

    fn long<'a>(
        &mut self,
        call: &mut Call<'_>,
        arg: &str,
        rest: &mut impl Iterator<Item = &'a String>,
    ) -> Result<(), Refusal> {
        let (name, attached) = match arg.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (arg, None),
        };
        if !TAR_WORDS.contains(&name)
            && let Some((_, why)) = TAR_REFUSED.iter().find(|(flag, _)| stands_for(name, flag))
        {
            return Err(call.refuse(name, why, "leave the option out"));
        }
        match name {
            "--create" | "--append" | "--update" => self.mode('c'),
            "--extract" | "--get" => self.mode('x'),
            _ => {}
        }
        const VALUED: &[(&str, &str)] = &[
            ("--file", "-f"),
            ("--directory", "-C"),
            ("--files-from", "-T"),
            ("--exclude-from", "-X"),
            ("--listed-incremental", "-g"),
            ("--one-top-level", "-C"),
        ];
        for (long, short) in VALUED {
            // The last one takes its value only with a sign.
            if stands_for(name, long) && (attached.is_some() || *long != "--one-top-level") {
                let value = attached.or_else(|| rest.next().cloned());
                return self.value(call, short, value);
            }
        }
        attached.map_or(Ok(()), |value| call.loose(&value))
    }

    fn mode(&mut self, letter: char) {
        self.writes_archive |= matches!(letter, 'c' | 'r' | 'u' | 'A');
        self.unpacks |= letter == 'x';
    }

    fn value(&mut self, call: &mut Call<'_>, name: &str, value: Option<String>) -> Result<(), Refusal> {
        let Some(value) = value else { return Ok(()) };
        match name {
            "-f" if value.contains(':') => {
                Err(call.refuse(&value, "a colon names another machine", "name a local file"))
            }
            // The mode may come later, so the stricter check is made.
            "-f" if self.unpacks => call.read(&value),
            "-f" => call.write(&value),
            "-C" => {
                self.folder = Some(value.clone());
                call.write(&value)
            }
            // The state of an incremental archive is read and written.
            "-g" => call.write(&value),
            "-T" | "-X" => call.read(&value),
            _ => Ok(()),
        }
    }
}
