//! awk: only programs given as an argument, and only those that neither start nor open anything.

use super::Verdict;
use crate::{
    Refusal,
    command::{
        call::Call,
        cli::{Cli, Item, Operands},
    },
};

const OPTIONS: Cli = Cli { text: &["-F", "-v"], ..Cli::plain(Operands::Text) };

pub(super) fn judge(call: &mut Call<'_>) -> Result<Verdict, Refusal> {
    let mut operands = Vec::new();
    for item in OPTIONS.items(&call.args) {
        match item {
            Item::Operand(text) => operands.push(text),
            Item::Flag { name, .. } if name == "-F" || name == "-v" || name == "--version" => {}
            Item::Flag { name, .. } => {
                return Err(call.refuse(
                    &name,
                    "only `-F` and `-v` are understood",
                    "write the program as an argument",
                ));
            }
        }
    }
    let mut operands = operands.into_iter();
    if let Some(program) = operands.next()
        && let Err(why) = check_program(&program)
    {
        return Err(call.refuse("", why, "compute and print only; let the command line redirect and pipe"));
    }
    for operand in operands {
        // `name=value` sets a variable between files.
        if operand.split_once('=').is_none_or(|(name, _)| name.contains('/')) {
            call.read(&operand)?;
        }
    }
    if call.name == "gawk" {
        // It then refuses the same things itself.
        call.args.insert(0, "--sandbox".into());
    }
    Ok(Verdict::Fine)
}

/// Most slashes that are read both ways.
const READINGS_MAX: usize = 64;

/// Refuses `system`, `getline`, pipes, redirections, indirect calls and `@include`.
///
/// A slash divides or begins a regular expression, and after some words only awk's parser knows which: such a
/// program is read both ways, and has to be fine in both.
fn check_program(program: &str) -> Result<(), &'static str> {
    let begin = Scan { rest: program, printing: false, depth: 0, last: Last::Other };
    let mut waiting = vec![begin];
    let mut readings = 0;
    while let Some(mut scan) = waiting.pop() {
        while let Some(c) = scan.rest.chars().next() {
            if c == '/' && scan.last == Last::Either {
                readings += 1;
                if readings > READINGS_MAX {
                    return Err("there are too many slashes that could mean two things");
                }
                // That it cannot be a regular expression settles the question.
                if skip_past(&scan.rest[1..], '/').is_some() {
                    waiting.push(Scan { last: Last::Other, ..scan });
                }
                scan.last = Last::Value;
            }
            scan.step(c)?;
        }
    }
    Ok(())
}

/// What the last token was, as far as it decides what a slash is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    /// A slash divides.
    Value,
    /// A slash begins a regular expression.
    Other,
    /// `)` may end a value or a condition; `length` may have arguments or not.
    Either,
}

#[derive(Clone, Copy)]
struct Scan<'a> {
    rest: &'a str,
    /// Inside a `print` statement, where `>` opens a file.
    printing: bool,
    depth: usize,
    last: Last,
}

impl Scan<'_> {
    fn step(&mut self, c: char) -> Result<(), &'static str> {
        let next = &self.rest[c.len_utf8()..];
        let mut last = Last::Other;
        self.rest = match c {
            // A line that goes on is like a space.
            '\\' if next.starts_with('\n') => {
                self.rest = &next[1..];
                return Ok(());
            }
            '"' => {
                last = Last::Value;
                skip_past(next, '"').ok_or("a string is not closed")?
            }
            '/' if self.last == Last::Other => {
                last = Last::Value;
                skip_past(next, '/').ok_or("a regular expression is not closed")?
            }
            '#' => next.trim_start_matches(|c| c != '\n'),
            _ if c.is_alphabetic() || c == '_' => {
                let end =
                    self.rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(self.rest.len());
                last = self.word(&self.rest[..end])?;
                &self.rest[end..]
            }
            '|' if next.starts_with('|') => &next[1..],
            '|' => return Err("`|` starts a program"),
            '@' => return Err("`@` loads code or calls by name"),
            '>' if self.printing && self.depth == 0 => return Err("`>` after print opens a file"),
            '+' | '-' if next.starts_with(c) => {
                last = Last::Value;
                &next[1..]
            }
            _ => {
                last = self.punctuation(c);
                next
            }
        };
        if !c.is_whitespace() || c == '\n' {
            self.last = last;
        }
        Ok(())
    }

    fn word(&mut self, word: &str) -> Result<Last, &'static str> {
        match word {
            "system" => return Err("`system` starts a program"),
            "getline" => return Err("`getline` opens files and programs"),
            "print" | "printf" => self.printing = true,
            _ => {}
        }
        Ok(match word {
            "print" | "printf" | "return" | "in" | "case" | "do" | "else" | "delete" | "exit" => Last::Other,
            "length" => Last::Either,
            _ => Last::Value,
        })
    }

    fn punctuation(&mut self, c: char) -> Last {
        match c {
            '(' | '[' => self.depth += 1,
            ')' | ']' => self.depth = self.depth.saturating_sub(1),
            // A statement ends; a stray bracket must not hide the next one. A line break ends one too, but not
            // after a comma, so `print` reaches over it.
            ';' => self.printing = false,
            '{' | '}' => (self.printing, self.depth) = (false, 0),
            _ => {}
        }
        match c {
            ')' => Last::Either,
            ']' | '.' => Last::Value,
            c if c.is_ascii_digit() => Last::Value,
            _ => Last::Other,
        }
    }
}

fn skip_past(rest: &str, close: char) -> Option<&str> {
    let mut chars = rest.chars();
    loop {
        match chars.next()? {
            '\\' => drop(chars.next()?),
            c if c == close => return Some(chars.as_str()),
            '\n' => return None,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::check_program;

    #[test]
    fn programs_that_only_compute_pass_and_the_others_do_not() {
        for good in [
            "{print $1}",
            "$3 > 5 {print}",
            "BEGIN{x=1} /a|b/ {n++} END{print n/2, x}",
            "$1 ~ /x>y/ || $2 == \"|\"",
            "{print ($1 > 2)}",
            "{ if ($1 > 5) print $2 }",
            "NR==1{next} {s+=$2} END{printf \"%d\\n\", s}",
            "{a[$1]/=2}",
            "{print ($1+$2)/2, ($3)/4}",
            "{if ($1) /x/ ; print}",
            "{print length / 2, i++ / 2}",
            "BEGIN {\n  x = 1\n  if (x > 0) print x\n}",
        ] {
            assert_eq!(check_program(good), Ok(()), "{good}");
        }
        for bad in [
            "BEGIN{system(\"id\")}",
            "BEGIN{\"id\"|getline}",
            "{print|\"sh\"}",
            "{print > \"/etc/x\"}",
            "{printf \"x\" >> \"f\"}",
            "BEGIN{while((getline l < \"/etc/passwd\")>0)print l}",
            "@include \"x\"",
            "BEGIN{f=\"system\";@f(\"id\")}",
            "{print \"a\" > $1}",
            "{n=4/2;print|\"sh\"/1}",
            "BEGIN { printf(\"x\") > \"f\" }",
            "{print 1 |& \"sh\"}",
            "{print \"x",
            "BEGIN{system (\"id\")}",
            "{x = 1 / 2; system(\"id\") / 1}",
            // A regular expression after a condition, read as a division, hid what followed.
            "{ if (1) /(/; system(\"id\"); y = 1/2 }",
            "{ while (0) /(/; print > \"f\"; y = 1/2 }",
            "{ x = i++ /2; system(\"id\") /1 }",
            "{ x = 1 \\\n/2; system(\"id\") /1 }",
            "{ print $/(/; system(\"id\"); y = 1/2 }",
            "{ if (0) exit /(/; system(\"id\"); y = 1/2 }",
            "{ x = length /2; system(\"id\") /1 }",
            "{ print \"x\" \\\n > \"f\" }",
            "{ print \"x\",\n\"y\" > \"f\" }",
        ] {
            assert!(check_program(bad).is_err(), "{bad}");
        }
    }
}
