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
    Ok(Verdict::Fine)
}

/// Refuses `system`, `getline`, pipes, redirections, indirect calls and `@include`.
fn check_program(program: &str) -> Result<(), &'static str> {
    let mut scan = Scan { rest: program, printing: false, depth: 0, after_value: false };
    while scan.step()? {}
    Ok(())
}

struct Scan<'a> {
    rest: &'a str,
    /// Inside a `print` statement, where `>` opens a file.
    printing: bool,
    depth: usize,
    /// The last token was a value, so that `/` divides.
    after_value: bool,
}

impl Scan<'_> {
    fn step(&mut self) -> Result<bool, &'static str> {
        let Some(c) = self.rest.chars().next() else { return Ok(false) };
        let next = &self.rest[c.len_utf8()..];
        let mut value = false;
        self.rest = match c {
            '"' => {
                value = true;
                skip_past(next, '"').ok_or("a string is not closed")?
            }
            '/' if !self.after_value => {
                value = true;
                skip_past(next, '/').ok_or("a regular expression is not closed")?
            }
            '#' => next.trim_start_matches(|c| c != '\n'),
            _ if c.is_alphabetic() || c == '_' => {
                let end =
                    self.rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(self.rest.len());
                value = self.word(&self.rest[..end])?;
                &self.rest[end..]
            }
            '|' if next.starts_with('|') => &next[1..],
            '|' => return Err("`|` starts a program"),
            '@' => return Err("`@` loads code or calls by name"),
            '>' if self.printing && self.depth == 0 => return Err("`>` after print opens a file"),
            _ => {
                value = self.punctuation(c);
                next
            }
        };
        if !c.is_whitespace() || c == '\n' {
            self.after_value = value;
        }
        Ok(true)
    }

    fn word(&mut self, word: &str) -> Result<bool, &'static str> {
        match word {
            "system" => return Err("`system` starts a program"),
            "getline" => return Err("`getline` opens files and programs"),
            "print" | "printf" => self.printing = true,
            _ => {}
        }
        Ok(!matches!(word, "print" | "printf" | "return" | "in" | "case" | "do" | "else" | "delete"))
    }

    /// Whether the character ends a value.
    fn punctuation(&mut self, c: char) -> bool {
        match c {
            '(' | '[' => self.depth += 1,
            ')' | ']' => self.depth = self.depth.saturating_sub(1),
            // A statement ends; a stray bracket must not hide the next one.
            ';' | '{' | '}' | '\n' => {
                (self.printing, self.depth) = (false, if c == ';' { self.depth } else { 0 })
            }
            _ => {}
        }
        c.is_ascii_digit() || matches!(c, ')' | ']' | '$' | '.')
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
        ] {
            assert!(check_program(bad).is_err(), "{bad}");
        }
    }
}
