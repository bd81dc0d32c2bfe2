//! sqlite3: one database, then SQL or a few dot-commands, from the arguments or from a file that is judged.

use std::io::Read;

use super::{Program, Verdict};
use crate::{
    Refusal,
    command::{
        call::Call,
        refuse::{shown, too_large},
        sql::{Ends, check_sql, ends, rewrites},
    },
    path::Access,
};

/// The family.
pub(super) const PROGRAMS: &[Program] = &[Program::own("sqlite3", "sqlite", judge)];

/// Options without value that only decide how rows look, or how the database is opened.
const OPTIONS: &[&str] = &[
    "-ascii",
    "-bail",
    "-batch",
    "-box",
    "-column",
    "-csv",
    "-echo",
    "-header",
    "-noheader",
    "-html",
    "-json",
    "-line",
    "-list",
    "-markdown",
    "-quote",
    "-readonly",
    "-safe",
    "-stats",
    "-table",
    "-tabs",
    "-version",
    "-nofollow",
];

/// Options with one value that is text.
const VALUED: &[&str] = &["-separator", "-newline", "-nullvalue", "-maxsize"];

/// Dot-commands that read the database and print.
const DOT_COMMANDS: &[&str] = &[
    "bail",
    "changes",
    "databases",
    "dbinfo",
    "dump",
    "echo",
    "eqp",
    "exit",
    "explain",
    "fullschema",
    "header",
    "headers",
    "indexes",
    "indices",
    "lint",
    "mode",
    "nullvalue",
    "print",
    "quit",
    "schema",
    "separator",
    "show",
    "stats",
    "tables",
    "timer",
    "width",
];

/// Dot-commands whose last argument is a file that is written.
const WRITING: &[&str] = &["backup", "save"];

/// Largest script that is judged.
const SCRIPT_BYTES_MAX: u64 = 8 << 20;

fn judge(call: &mut Call<'_>) -> Result<Verdict, Refusal> {
    let args = call.args.clone();
    let mut operands = Vec::new();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        if !arg.starts_with('-') || arg == "-" {
            operands.push(arg);
            continue;
        }
        // `--header` is the same as `-header`.
        let name = arg.replacen("--", "-", 1);
        if VALUED.contains(&name.as_str()) {
            args.next();
        } else if !OPTIONS.contains(&name.as_str()) {
            return Err(call.refuse(
                arg,
                "this option is not allowed",
                "use options that shape the output, such as -json",
            ));
        }
    }
    let Some((database, statements)) = operands.split_first() else {
        let informs = call.args.iter().any(|arg| arg.trim_start_matches('-') == "version");
        return if informs {
            Ok(Verdict::Fine)
        } else {
            Err(call.refuse("", "it names no database", "name a database file beneath a root"))
        };
    };
    open(call, database)?;
    let mut leaves_safe_mode = false;
    for statement in statements {
        leaves_safe_mode |= script(call, statement)?;
    }
    if statements.is_empty() {
        leaves_safe_mode |= input(call)?;
    }
    if !leaves_safe_mode && !call.args.iter().any(|arg| arg.trim_start_matches('-') == "safe") {
        // sqlite3 then refuses what reaches outside by itself; only backups do not work in that mode.
        call.args.insert(0, "-safe".into());
    }
    Ok(Verdict::Fine)
}

fn open(call: &mut Call<'_>, database: &str) -> Result<(), Refusal> {
    if database == ":memory:" || database.is_empty() {
        return Ok(());
    }
    if database.to_ascii_lowercase().starts_with("file:") {
        return Err(call.refuse(
            database,
            "an address can carry options of its own",
            "name the database file",
        ));
    }
    call.write(database)
}

/// Standard input: a file is judged before it is run; what another program writes cannot be.
fn input(call: &mut Call<'_>) -> Result<bool, Refusal> {
    match call.stdin.clone() {
        Some(path) if path.as_os_str() == "/dev/null" => Ok(false),
        Some(path) => {
            let text = path.to_str().unwrap_or_default();
            let mut bytes = Vec::new();
            let file = call.roots.resolve_readable("command", text)?.open_file()?;
            let read = file.take(SCRIPT_BYTES_MAX + 1).read_to_end(&mut bytes);
            let script_text = String::from_utf8(bytes).ok().filter(|_| read.is_ok());
            let Some(script_text) = script_text else {
                return Err(call.refuse(text, "the script cannot be read as text", "use UTF-8"));
            };
            if script_text.len() as u64 > SCRIPT_BYTES_MAX {
                return Err(too_large("an sqlite script may have 8 MiB"));
            }
            script(call, &script_text)
        }
        None if call.piped => Err(call.refuse(
            "",
            "SQL from another program cannot be judged",
            "write it to a file and use `< file`",
        )),
        None => Ok(false),
    }
}

/// Judges dot-commands line by line and the rest as SQL. True when a command needs more than safe mode.
fn script(call: &mut Call<'_>, text: &str) -> Result<bool, Refusal> {
    let mut leaves_safe_mode = false;
    let (mut sql, mut since_command) = (String::new(), 0);
    for line in text.lines() {
        let command = line.trim_start().strip_prefix('.').filter(|rest| is_dot_command(rest));
        // As the shell does: inside an open statement the line is SQL, whatever it looks like.
        let command = match command.map(|command| (command, ends(&sql[since_command..]))) {
            Some((command, Ends::Statement)) => Some(command),
            Some((command, Ends::Unsure)) => {
                return Err(call.refuse(
                    &format!(".{}", shown(command)),
                    "dot-commands after a trigger cannot be told from its body",
                    "run them separately",
                ));
            }
            Some((_, Ends::Inside)) | None => None,
        };
        if let Some(command) = command {
            leaves_safe_mode |= dot_command(call, command)?;
            since_command = sql.len();
        } else {
            sql.push_str(line);
            sql.push('\n');
        }
    }
    let (roots, cwd) = (call.roots, call.cwd);
    let mut opened = Vec::new();
    let mut may_open = |path: &str| match roots.check("command", Some(cwd), path, Access::Write) {
        Ok(path) => {
            opened.push(path);
            true
        }
        Err(_) => false,
    };
    let verdict = check_sql(&sql, &mut may_open);
    leaves_safe_mode |= !opened.is_empty() || rewrites(&sql);
    call.writes.append(&mut opened);
    match verdict {
        Ok(()) => Ok(leaves_safe_mode),
        Err(why) => Err(call.refuse("", &why.0, "work inside the one database")),
    }
}

/// `.5 + 1` is a number, not a command.
fn is_dot_command(rest: &str) -> bool {
    !rest.starts_with(|c: char| c.is_ascii_digit())
}

fn dot_command(call: &mut Call<'_>, command: &str) -> Result<bool, Refusal> {
    let mut words = command.split_whitespace();
    let name = words.next().unwrap_or_default();
    if WRITING.contains(&name) {
        let file = words.next_back().unwrap_or_default().trim_matches(['\'', '"']);
        // The shell's own quoting is not read here, so quotes may only stand around one whole word.
        let is_torn = |word: &str| match word.chars().next() {
            Some(quote @ ('\'' | '"')) => {
                word.len() < 2 || !word.ends_with(quote) || word.matches(quote).count() != 2
            }
            _ => word.contains(['\'', '"']),
        };
        if file.is_empty()
            || command.split_whitespace().any(is_torn)
            || command.contains(['\\', '|'])
            || command.contains("-append") && file.starts_with('-')
        {
            return Err(call.refuse(
                &format!(".{name}"),
                "it names no plain file",
                "name a file beneath a root",
            ));
        }
        call.write(file)?;
        return Ok(true);
    }
    // The shell takes any unambiguous beginning for the whole name; only whole names are allowed here.
    if !DOT_COMMANDS.contains(&name) {
        return Err(call.refuse(
            &format!(".{}", shown(name)),
            "this dot-command is not allowed",
            "use .tables, .schema, .dump, .indexes, .headers, .mode or .backup FILE",
        ));
    }
    Ok(false)
}
