//! sed: a script is read command by command; the ones that run programs or open files are refused.

use super::Verdict;
use crate::{
    Refusal,
    command::{
        call::Call,
        cli::{Cli, Item, stands_for},
    },
};

const OPTIONS: Cli = Cli {
    refuse: &[("-f", "its script cannot be judged"), ("--file", "its script cannot be judged")],
    text: &["-e", "--expression", "-l", "--line-length"],
    read: &[],
    write: &[],
    operands: crate::command::cli::Operands::Text,
};

pub(super) fn judge(call: &mut Call<'_>) -> Result<Verdict, Refusal> {
    let mut scripts = Vec::new();
    let mut operands = Vec::new();
    let mut in_place = false;
    for item in OPTIONS.items(&without_suffix(&call.args)) {
        match item {
            Item::Operand(text) => operands.push(text),
            Item::Flag { name, .. } if stands_for(&name, "--file") || name == "-f" => {
                return Err(call.refuse(
                    &name,
                    "a script in a file is not judged",
                    "write the script as an argument",
                ));
            }
            Item::Flag { name, value } if name == "-e" || stands_for(&name, "--expression") => {
                scripts.extend(value);
            }
            Item::Flag { name, .. } if name == "-i" || stands_for(&name, "--in-place") => in_place = true,
            Item::Flag { .. } => {}
        }
    }
    if scripts.is_empty() && !operands.is_empty() {
        scripts.push(operands.remove(0));
    }
    for script in &scripts {
        if let Err(why) = check_script(script) {
            return Err(call.refuse(
                "",
                why,
                "use the substitute, delete and print commands, and redirect the output",
            ));
        }
    }
    for file in &operands {
        if in_place { call.write(file)? } else { call.read(file)? }
    }
    // GNU sed then refuses the same commands itself.
    call.args.insert(0, "--sandbox".into());
    Ok(Verdict::Fine)
}

/// `-i.bak` as `-i`: what follows in the same argument is a suffix, and `-i` may come in a cluster.
fn without_suffix(args: &[String]) -> Vec<String> {
    let cut = |arg: &String| match arg.find('i') {
        Some(at) if arg[..at].starts_with('-') && arg[1..at].chars().all(|c| "nrEsuz".contains(c)) => {
            arg[..=at].to_owned()
        }
        _ => arg.clone(),
    };
    args.iter().map(cut).collect()
}

/// Refuses `e`, `r`, `R`, `w`, `W`, the `e` and `w` flags of `s`, and whatever cannot be read.
fn check_script(script: &str) -> Result<(), &'static str> {
    const UNREADABLE: &str = "the script cannot be judged";
    let mut rest = script;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || ";{}".contains(c));
        if rest.is_empty() {
            return Ok(());
        }
        if rest.starts_with('#') {
            rest = rest.split_once('\n').map_or("", |(_, next)| next);
            continue;
        }
        rest = skip_addresses(rest).ok_or(UNREADABLE)?;
        let Some(command) = rest.chars().next() else { return Err(UNREADABLE) };
        rest = &rest[command.len_utf8()..];
        rest = match command {
            '{' | '}' | '=' | 'd' | 'D' | 'g' | 'G' | 'h' | 'H' | 'n' | 'N' | 'p' | 'P' | 'x' | 'z' | 'F' => {
                rest
            }
            's' => skip_substitution(rest)?,
            'y' => {
                let delimiter = rest.chars().next().ok_or(UNREADABLE)?;
                let from = skip_plain(&rest[delimiter.len_utf8()..], delimiter).ok_or(UNREADABLE)?;
                skip_plain(from, delimiter).ok_or(UNREADABLE)?
            }
            'a' | 'i' | 'c' => skip_text(rest),
            'b' | 't' | 'T' | ':' => rest.trim_start_matches(|c: char| c != ';' && c != '\n' && c != '}'),
            'q' | 'Q' | 'l' | 'L' => rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' '),
            'e' => return Err("`e` runs a program"),
            'r' | 'R' => return Err("`r` reads a file named in the script"),
            'w' | 'W' => return Err("`w` writes a file named in the script"),
            _ => return Err(UNREADABLE),
        };
    }
}

/// `1,5!`, `/re/I,+3`, `$`, `0~4`.
fn skip_addresses(mut rest: &str) -> Option<&str> {
    loop {
        rest = match rest.chars().next()? {
            '/' => skip_pattern(rest)?.1.trim_start_matches(['I', 'M']),
            '\\' => skip_pattern(&rest[1..])?.1.trim_start_matches(['I', 'M']),
            c if c.is_ascii_digit() || "$,+~! \t".contains(c) => &rest[1..],
            _ => return Some(rest),
        };
    }
}

/// Skips a delimiter and the pattern it closes. A backslash takes the next character along, and the
/// delimiter does not close inside `[…]`.
fn skip_pattern(rest: &str) -> Option<(char, &str)> {
    let mut chars = rest.chars();
    let delimiter = chars.next().filter(|c| !c.is_whitespace() && *c != '\\')?;
    loop {
        match chars.next()? {
            '\\' => drop(chars.next()?),
            '[' => chars = skip_set(chars.as_str())?.chars(),
            c if c == delimiter => return Some((delimiter, chars.as_str())),
            _ => {}
        }
    }
}

/// `^]abc[:alpha:]]`: the closing bracket may stand first, and classes have brackets of their own.
fn skip_set(rest: &str) -> Option<&str> {
    let rest = rest.strip_prefix('^').unwrap_or(rest);
    let mut rest = rest.strip_prefix(']').unwrap_or(rest);
    loop {
        let at = rest.find(['[', ']'])?;
        let tail = &rest[at + 1..];
        if rest[at..].starts_with(']') {
            return Some(tail);
        }
        rest = match tail.chars().next().filter(|c| ":.=".contains(*c)) {
            Some(kind) => tail[1..].split_once(&format!("{kind}]"))?.1,
            None => tail,
        };
    }
}

/// Skips plain text up to a delimiter.
fn skip_plain(rest: &str, delimiter: char) -> Option<&str> {
    let mut chars = rest.chars();
    loop {
        match chars.next()? {
            '\\' => drop(chars.next()?),
            c if c == delimiter => return Some(chars.as_str()),
            _ => {}
        }
    }
}

fn skip_substitution(rest: &str) -> Result<&str, &'static str> {
    const UNREADABLE: &str = "the script cannot be judged";
    let (delimiter, rest) = skip_pattern(rest).ok_or(UNREADABLE)?;
    let rest = skip_plain(rest, delimiter).ok_or(UNREADABLE)?;
    let flags = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric()).len();
    let (flags, rest) = rest.split_at(flags);
    if flags.contains('e') {
        return Err("the `e` flag runs a program");
    }
    if flags.contains('w') {
        return Err("the `w` flag writes a file named in the script");
    }
    Ok(rest)
}

/// The text of `a`, `i` and `c` ends at a line break that no backslash precedes.
fn skip_text(rest: &str) -> &str {
    let mut escaped = false;
    for (at, c) in rest.char_indices() {
        if c == '\n' && !escaped {
            return &rest[at..];
        }
        escaped = c == '\\' && !escaped;
    }
    ""
}

#[cfg(test)]
mod tests {
    use super::check_script;

    #[test]
    fn scripts_that_only_edit_pass_and_the_others_do_not() {
        for good in [
            "s/a/b/g",
            "1,5p",
            "/x/d",
            "$!N;s/\\n/ /",
            "s|/usr|/opt|",
            "y/abc/xyz/",
            "/a/,/b/{s/e/w/;p}",
            "1~2d",
            "a\\\nhello e w r",
            "/^#/!p",
            "s/[/]x/y/2I",
            "s/[^]/]e/[/",
            "s/[[:alpha:]/e]/x/",
            "/start/,+3d",
            "\\,path,d",
            "5q",
            "$=",
        ] {
            assert_eq!(check_script(good), Ok(()), "{good}");
        }
        for bad in [
            "1e",
            "e ls",
            "s/x/id/e",
            "s/x/y/gew",
            "w out",
            "1w /etc/x",
            "r /etc/passwd",
            "s/a/b/w out",
            "p;e id",
            "/x/{e id\n}",
            "1!e",
            "$e",
            "R x",
            "W x",
            "s/a",
            "v;e",
            "\u{201c}",
            "s/a/b/ge",
            "2,3 e",
            "/a/Ie",
            "y/a/b/;e",
            "a\\\ntext\ne id",
            "}e id",
            "b x;e id",
            "s/[]]/y/e",
            "s/a/[/e",
            ":a;s/x/y/;ta;e id",
        ] {
            assert!(check_script(bad).is_err(), "{bad}");
        }
    }
}
