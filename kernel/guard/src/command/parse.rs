//! Tokens to a command line.

use super::{
    refuse::{syntax, too_large},
    scan::{Token, scan},
    syntax::{Command, CommandLine, Connector, Part, Pipeline, Redirect, Streams, Word},
};
use crate::Refusal;

/// Most programs in one line.
const PROGRAMS_MAX: usize = 32;

/// Reads a command line by our own grammar; no shell is ever asked.
///
/// Refused with `SHELL_SYNTAX`: everything a shell would expand or that is not in the grammar;
/// with `TOO_LARGE`: more than 64 KiB, 4096 words or 32 programs.
pub fn parse(text: &str) -> Result<CommandLine, Refusal> {
    let mut tokens = scan(text)?.into_iter().peekable();
    let mut pipelines = Vec::new();
    let mut connector = Connector::Always;
    let mut programs = 0;
    while tokens.peek().is_some() {
        let mut commands = vec![command(&mut tokens)?];
        while tokens.next_if(|token| *token == Token::Operator("|")).is_some() {
            commands.push(command(&mut tokens)?);
        }
        programs += commands.len();
        if programs > PROGRAMS_MAX {
            return Err(too_large(format!("the command line has more than {PROGRAMS_MAX} programs")));
        }
        pipelines.push((connector, Pipeline { commands }));
        connector = match tokens.next() {
            None => return Ok(CommandLine { pipelines }),
            Some(Token::Operator("&&")) => Connector::OnSuccess,
            Some(Token::Operator("||")) => Connector::OnFailure,
            // Only `;` is left, everything else was taken by the command.
            Some(_) => Connector::Always,
        };
    }
    match (pipelines.is_empty(), connector) {
        (true, _) => Err(syntax("there is no command")),
        (false, Connector::Always) => Ok(CommandLine { pipelines }),
        (false, _) => Err(syntax("a command is missing after the last operator")),
    }
}

type Tokens = std::iter::Peekable<std::vec::IntoIter<Token>>;

fn command(tokens: &mut Tokens) -> Result<Command, Refusal> {
    let mut command = Command::default();
    loop {
        match tokens.peek() {
            Some(Token::Word(_)) => {
                let Some(Token::Word(word)) = tokens.next() else { break };
                add_word(&mut command, word)?;
            }
            Some(Token::Operator(operator)) if !matches!(*operator, "|" | "&&" | "||" | ";") => {
                let operator = *operator;
                tokens.next();
                command.redirects.push(redirect(operator, tokens)?);
            }
            _ => break,
        }
    }
    if command.words.is_empty() {
        return Err(syntax(match command.assignments.is_empty() {
            true => "a command is missing before an operator",
            false => "a variable alone does nothing: there is no shell that would remember it",
        }));
    }
    Ok(command)
}

fn add_word(command: &mut Command, word: Word) -> Result<(), Refusal> {
    if command.words.is_empty() {
        if let Some(assignment) = assignment(&word) {
            command.assignments.push(assignment);
            return Ok(());
        }
        if word.parts == [Part::Bare("!".into())] {
            return Err(syntax("`!` is not supported in front of a command"));
        }
        if word.is_pattern() {
            return Err(syntax("the name of a program cannot be a pattern"));
        }
    }
    command.words.push(word);
    Ok(())
}

/// `NAME=value` with the name and the sign unquoted, as a shell has it.
fn assignment(word: &Word) -> Option<(String, String)> {
    let Some(Part::Bare(first)) = word.parts.first() else { return None };
    let (name, _) = first.split_once('=')?;
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    is_name.then(|| (name.to_owned(), word.text()[name.len() + 1..].to_owned()))
}

fn redirect(operator: &str, tokens: &mut Tokens) -> Result<Redirect, Refusal> {
    match operator {
        "2>&1" => return Ok(Redirect::ErrToOut),
        ">&2" => return Ok(Redirect::OutToErr),
        _ => {}
    }
    let Some(Token::Word(file)) = tokens.next() else {
        return Err(syntax(format!("a file name is missing after `{operator}`")));
    };
    if file.is_pattern() {
        return Err(syntax("a redirection names one file, not a pattern"));
    }
    let streams = match operator.as_bytes()[0] {
        b'<' => return Ok(Redirect::In(file)),
        b'2' => Streams::Err,
        b'&' => Streams::Both,
        _ => Streams::Out,
    };
    Ok(Redirect::Out { streams, append: operator.ends_with(">>"), file })
}
