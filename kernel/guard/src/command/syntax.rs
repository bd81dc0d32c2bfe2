//! What a parsed command line is made of. Nothing here has been judged yet.

use std::fmt;

/// One or more pipelines, run one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandLine {
    /// Each pipeline with what decides whether it runs. The first one always does.
    pub pipelines: Vec<(Connector, Pipeline)>,
}

/// When a pipeline runs, seen from the exit code of what ran before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connector {
    /// First of the line, or after `;`.
    Always,
    /// After `&&`: only when it was zero.
    OnSuccess,
    /// After `||`: only when it was not zero.
    OnFailure,
}

/// Programs joined by `|`; they run at the same time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pipeline {
    /// At least one.
    pub commands: Vec<Command>,
}

/// `NAME=value… program argument… redirection…`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Command {
    /// Leading assignments, in order.
    pub assignments: Vec<(String, String)>,
    /// Program and arguments; at least one.
    pub words: Vec<Word>,
    /// In order.
    pub redirects: Vec<Redirect>,
}

/// One word, with what was quoted kept apart from what was not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Word {
    /// In order; never empty except for `''`.
    pub parts: Vec<Part>,
}

/// A piece of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Written without quotes. Holds no character that means something to a shell.
    Bare(String),
    /// Written in quotes or after a backslash: taken as it stands.
    Quoted(String),
    /// An unquoted `*`: any run of characters but `/`.
    AnyRun,
    /// An unquoted `?`: any character but `/`.
    AnyOne,
    /// An unquoted `[…]`: one of these characters, or none of them.
    OneOf {
        /// `[!…]`.
        negated: bool,
        /// First and last character of each range.
        ranges: Vec<(char, char)>,
        /// As written, for when no file matches.
        text: String,
    },
}

/// A redirection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redirect {
    /// `< file`.
    In(Word),
    /// `> file`, `>> file`, `2> file`, `&> file`.
    Out {
        /// Which streams go there.
        streams: Streams,
        /// Whether what is there is kept.
        append: bool,
        /// The file.
        file: Word,
    },
    /// `2>&1`.
    ErrToOut,
    /// `>&2`.
    OutToErr,
}

/// Which output streams a redirection takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Streams {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
    /// Both.
    Both,
}

impl Word {
    /// A word taken as it stands.
    pub fn literal(text: impl Into<String>) -> Self {
        Self { parts: vec![Part::Quoted(text.into())] }
    }

    /// The text the word stands for when nothing is expanded.
    pub fn text(&self) -> String {
        self.parts.iter().map(ToString::to_string).collect()
    }

    /// Whether an unquoted `*`, `?` or `[…]` is in it.
    pub fn is_pattern(&self) -> bool {
        self.parts.iter().any(|part| !matches!(part, Part::Bare(_) | Part::Quoted(_)))
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bare(text) | Self::Quoted(text) | Self::OneOf { text, .. } => f.write_str(text),
            Self::AnyRun => f.write_str("*"),
            Self::AnyOne => f.write_str("?"),
        }
    }
}

/// Quotes any text so that [`super::parse`] reads it back as one word.
pub fn quote(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}
