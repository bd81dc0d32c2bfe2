//! Characters to tokens: quoting, operators, and the refusal of everything a shell would expand.

use super::{
    refuse::{syntax, too_large},
    syntax::{Part, Word},
};
use crate::Refusal;

/// Longest command line in bytes.
const TEXT_BYTES_MAX: usize = 64 * 1024;
/// Most tokens in one line.
const TOKENS_MAX: usize = 4096;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Word(Word),
    /// `|`, `&&`, `||`, `;`, `<`, `>`, `>>`, `2>`, `2>>`, `&>`, `&>>`, `2>&1`, `>&2`.
    Operator(&'static str),
}

/// Operators, longest first. What else begins with these characters is refused below.
const OPERATORS: &[&str] = &["&>>", "&>", "&&", "||", ">>", "|", ";", "<", ">"];

/// Shell syntax that has no meaning here, with the reason; longest first, before `OPERATORS`.
const FOREIGN: &[(&str, &str)] = &[
    ("<<<", "here-strings are not supported"),
    ("<<", "heredocs are not supported"),
    ("<(", "process substitution is not supported"),
    (">(", "process substitution is not supported"),
    ("<>", "opening a file for both reading and writing is not supported"),
    (">|", "`>|` is not supported"),
    ("<&", "only `2>&1` and `>&2` can join streams"),
    ("|&", "`|&` is not supported"),
    (";;", "`;;` is not supported"),
    (";&", "`;&` is not supported"),
    ("(", "subshells and function definitions are not supported"),
    (")", "subshells and function definitions are not supported"),
];

pub(super) fn scan(text: &str) -> Result<Vec<Token>, Refusal> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(too_large(format!("the command line is longer than {TEXT_BYTES_MAX} bytes")));
    }
    let mut scanner = Scanner { rest: text.trim_matches([' ', '\t', '\n', '\r']) };
    let mut tokens = Vec::new();
    while let Some(token) = scanner.token()? {
        if tokens.len() == TOKENS_MAX {
            return Err(too_large(format!("the command line has more than {TOKENS_MAX} words")));
        }
        tokens.push(token);
    }
    Ok(tokens)
}

struct Scanner<'a> {
    rest: &'a str,
}

impl<'a> Scanner<'a> {
    fn token(&mut self) -> Result<Option<Token>, Refusal> {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
        if self.rest.is_empty() {
            return Ok(None);
        }
        if let Some(operator) = self.joined_streams()? {
            return Ok(Some(Token::Operator(operator)));
        }
        if let Some((_, why)) = FOREIGN.iter().find(|(text, _)| self.rest.starts_with(text)) {
            return Err(syntax(*why));
        }
        if let Some(operator) = OPERATORS.iter().find(|text| self.rest.starts_with(**text)) {
            self.rest = &self.rest[operator.len()..];
            return Ok(Some(Token::Operator(operator)));
        }
        if self.rest.starts_with('&') {
            return Err(syntax("a command cannot be put in the background with `&`"));
        }
        Ok(Some(Token::Word(self.word()?)))
    }

    /// Redirections that begin with a stream number, and those that end with one.
    fn joined_streams(&mut self) -> Result<Option<&'static str>, Refusal> {
        const JOINED: &[(&str, &str)] = &[
            ("2>&1", "2>&1"),
            ("1>&2", ">&2"),
            (">&2", ">&2"),
            ("2>>", "2>>"),
            ("2>", "2>"),
            ("1>>", ">>"),
            ("1>", ">"),
            ("0<", "<"),
        ];
        for (text, meaning) in JOINED {
            let Some(rest) = self.rest.strip_prefix(text) else { continue };
            let ends_in_number = text.ends_with(['1', '2']);
            if ends_in_number && rest.starts_with(|c: char| !" \t|;&<>".contains(c)) {
                return Err(syntax("only `2>&1` and `>&2` can join streams"));
            }
            // `2>&…` and `2>(…)` other than the above, and heredocs on a numbered stream.
            if !ends_in_number && rest.starts_with(['&', '(', '|', '<', '>']) {
                return Err(syntax("only `2>&1` and `>&2` can join streams"));
            }
            self.rest = rest;
            return Ok(Some(meaning));
        }
        let digits = self.rest.len() - self.rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        if digits > 0 && self.rest[digits..].starts_with(['<', '>']) {
            return Err(syntax("only the streams 0, 1 and 2 can be redirected"));
        }
        if self.rest.starts_with(">&") {
            return Err(syntax("only `2>&1` and `>&2` can join streams"));
        }
        Ok(None)
    }

    fn word(&mut self) -> Result<Word, Refusal> {
        let mut word = WordBuilder::default();
        while let Some(c) = self.rest.chars().next() {
            if " \t|&;<>".contains(c) {
                break;
            }
            let at = &self.rest[c.len_utf8()..];
            match c {
                '\'' => self.rest = word.single_quoted(at)?,
                '"' => self.rest = word.double_quoted(at)?,
                '\\' => self.rest = word.escaped(at)?,
                '[' => self.rest = word.bracket(at)?,
                _ => {
                    word.bare(c)?;
                    self.rest = at;
                }
            }
        }
        word.finish()
    }
}

#[derive(Default)]
struct WordBuilder {
    parts: Vec<Part>,
}

impl WordBuilder {
    fn bare(&mut self, c: char) -> Result<(), Refusal> {
        visible(c, Quoting::Bare)?;
        match c {
            '$' => Err(syntax("`$` would be expanded by a shell; nothing is expanded here")),
            '`' => Err(syntax("backticks would run a command; nothing is expanded here")),
            '(' | ')' => Err(syntax("subshells and function definitions are not supported")),
            '#' if self.parts.is_empty() => Err(syntax("comments are not supported")),
            '~' if self.may_begin_path() => Err(syntax("`~` is not expanded; write the path out")),
            '*' => {
                self.parts.push(Part::AnyRun);
                Ok(())
            }
            '?' => {
                self.parts.push(Part::AnyOne);
                Ok(())
            }
            _ => {
                match self.parts.last_mut() {
                    Some(Part::Bare(text)) => text.push(c),
                    _ => self.parts.push(Part::Bare(c.to_string())),
                }
                Ok(())
            }
        }
    }

    /// A shell expands `~` at the start of a word and, in assignments, after `=` and `:`.
    fn may_begin_path(&self) -> bool {
        match self.parts.last() {
            None => true,
            Some(Part::Bare(text)) => text.ends_with(['=', ':']),
            Some(_) => false,
        }
    }

    fn quoted(&mut self, text: &str) {
        match self.parts.last_mut() {
            Some(Part::Quoted(before)) => before.push_str(text),
            _ => self.parts.push(Part::Quoted(text.to_owned())),
        }
    }

    fn single_quoted<'a>(&mut self, rest: &'a str) -> Result<&'a str, Refusal> {
        let (text, rest) = rest.split_once('\'').ok_or_else(|| syntax("a single quote is not closed"))?;
        text.chars().try_for_each(|c| visible(c, Quoting::Quoted))?;
        self.quoted(text);
        Ok(rest)
    }

    fn double_quoted<'a>(&mut self, rest: &'a str) -> Result<&'a str, Refusal> {
        let mut text = String::new();
        let mut chars = rest.chars();
        while let Some(c) = chars.next() {
            match c {
                '"' => {
                    self.quoted(&text);
                    return Ok(chars.as_str());
                }
                '$' | '`' => {
                    return Err(syntax(format!("`{c}` in double quotes would be expanded by a shell")));
                }
                '\\' => match chars.next() {
                    Some(next @ ('"' | '\\' | '$' | '`')) => text.push(next),
                    Some('\n') => return Err(syntax("a line cannot be continued with a backslash")),
                    Some(next) => {
                        visible(next, Quoting::Quoted)?;
                        text.push('\\');
                        text.push(next);
                    }
                    None => break,
                },
                _ => {
                    visible(c, Quoting::Quoted)?;
                    text.push(c);
                }
            }
        }
        Err(syntax("a double quote is not closed"))
    }

    fn escaped<'a>(&mut self, rest: &'a str) -> Result<&'a str, Refusal> {
        let c = rest.chars().next().ok_or_else(|| syntax("a backslash ends the line"))?;
        visible(c, Quoting::Bare)?;
        self.quoted(c.encode_utf8(&mut [0; 4]));
        Ok(&rest[c.len_utf8()..])
    }

    /// `[…]` up to the closing bracket; a bracket that never closes stands for itself.
    fn bracket<'a>(&mut self, rest: &'a str) -> Result<&'a str, Refusal> {
        let (negated, body) = match rest.strip_prefix(['!', '^']) {
            Some(body) => (true, body),
            None => (false, rest),
        };
        // A bracket right after the opening one belongs to the set.
        let first = body.chars().next().map_or(0, char::len_utf8);
        let plain = |c: char| c.is_alphanumeric() || "-_.,:@%+=]".contains(c);
        let end = body.get(first..).and_then(|tail| tail.find(']')).map(|at| at + first);
        let Some(set) = end.map(|end| &body[..end]).filter(|set| set.chars().all(plain)) else {
            self.bare('\u{5b}')?;
            return Ok(rest);
        };
        let text = &rest[..rest.len() - body.len() + set.len() + 1];
        self.parts.push(Part::OneOf { negated, ranges: ranges(set), text: format!("[{text}") });
        Ok(&rest[text.len()..])
    }

    fn finish(self) -> Result<Word, Refusal> {
        for part in &self.parts {
            let Part::Bare(text) = part else { continue };
            if matches!(text.as_str(), "{" | "}") && self.parts.len() == 1 {
                return Err(syntax("command groups are not supported"));
            }
            let braced = text.split_once('{').and_then(|(_, rest)| rest.rsplit_once('}'));
            if braced.is_some_and(|(inner, _)| inner.contains(',') || inner.contains("..")) {
                return Err(syntax("braces are not expanded; write each word out"));
            }
        }
        Ok(Word { parts: self.parts })
    }
}

fn ranges(set: &str) -> Vec<(char, char)> {
    let chars: Vec<char> = set.chars().collect();
    let mut ranges = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let (first, last, step) = match chars.get(at + 1..at + 3) {
            Some(['-', last]) => (chars[at], *last, 3),
            _ => (chars[at], chars[at], 1),
        };
        ranges.push((first, last));
        at += step;
    }
    ranges
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Quoting {
    Bare,
    Quoted,
}

/// Refuses characters that a reader of the line cannot see, or that end lines somewhere.
fn visible(c: char, quoting: Quoting) -> Result<(), Refusal> {
    let text_layout = matches!(c, '\n' | '\t' | '\u{200d}');
    if text_layout && quoting == Quoting::Quoted {
        return Ok(());
    }
    let hidden = matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{e0000}'..='\u{e007f}');
    if c == '\n' || c == '\r' {
        return Err(syntax("a command is one line; a line break outside quotes is refused"));
    }
    if c.is_control() || hidden {
        return Err(syntax(format!("the invisible character U+{:04X} is refused", u32::from(c))));
    }
    Ok(())
}
