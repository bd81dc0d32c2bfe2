//! What a command prints: results on stdout, everything else on stderr.

use std::io::{self, IsTerminal, Write};

use clap::ValueEnum;
use serde::Serialize;
use serde_json::Value;

use crate::failure::Failure;

mod plain;
mod table;

pub(crate) use plain::plain;
pub(crate) use table::Table;

/// `--output`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Tables and sentences.
    #[default]
    Human,
    /// One JSON document.
    Json,
    /// One JSON document per line.
    Jsonl,
}

/// Prints in the chosen format.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    format: Format,
}

impl Output {
    /// A printer. Colour is on only when stdout is a terminal and `NO_COLOR` is not set.
    pub(crate) fn new(format: Format, no_color: bool) -> Self {
        console::set_colors_enabled(!no_color && io::stdout().is_terminal());
        console::set_colors_enabled_stderr(!no_color && io::stderr().is_terminal());
        Self { format }
    }

    /// Whether a person reads this.
    pub(crate) fn is_human(self) -> bool {
        self.format == Format::Human
    }

    /// Whether both ends are a person at a terminal, so that a question can be asked.
    pub(crate) fn can_ask(self) -> bool {
        self.is_human() && io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    /// Prints one result: the JSON form, or what `human` makes of it.
    pub(crate) fn one(self, value: &impl Serialize, human: impl FnOnce() -> String) -> Result<(), Failure> {
        match self.format {
            Format::Human => write_out(&human()),
            Format::Json => write_out(&pretty(value)?),
            Format::Jsonl => write_out(&compact(value)?),
        }
    }

    /// Prints a list: a JSON array, one line per element, or what `human` makes of it.
    pub(crate) fn list<T: Serialize>(
        self,
        items: &[T],
        human: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        match self.format {
            Format::Human => write_out(&human()),
            Format::Json => write_out(&pretty(&items)?),
            Format::Jsonl => items.iter().try_for_each(|item| write_out(&compact(item)?)),
        }
    }

    /// Says something to a person; silent for scripts.
    pub(crate) fn note(self, text: &str) {
        if self.is_human() {
            say(text);
        }
    }

    /// Prints a failure on stderr.
    pub(crate) fn failure(self, failure: &Failure) {
        if self.is_human() {
            say(&human_failure(failure));
        } else {
            say(&serde_json::json!({ "error": failure }).to_string());
        }
    }
}

/// Writes one line to stderr. A closed stderr is nobody listening, not a failure.
pub(crate) fn say(text: &str) {
    drop(writeln!(io::stderr().lock(), "{text}"));
}

/// Writes text and a line feed to stdout, and flushes: scripts wait for it.
pub(crate) fn write_out(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    let written = writeln!(stdout, "{}", text.trim_end_matches('\n')).and_then(|()| stdout.flush());
    match written {
        // `core-mcp audit tail | head` is a normal way to use a shell.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(|error| Failure::local("stdout cannot be written", error)),
    }
}

fn pretty(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string_pretty(value).map_err(|error| Failure::local("the result is not JSON", error))
}

fn compact(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(|error| Failure::local("the result is not JSON", error))
}

fn human_failure(failure: &Failure) -> String {
    let mut text =
        format!("{} {}", console::style("error:").red().bold().for_stderr(), plain(&failure.message));
    let mut detail = |label: &str, value: &str| {
        text.push_str(&format!("\n  {} {}", console::style(label).dim().for_stderr(), plain(value)));
    };
    if let Some(reason) = &failure.reason {
        detail("reason:", reason);
    }
    if let Some(ticket) = &failure.approval {
        detail("ticket:", &ticket.id);
    }
    if let Some(seconds) = failure.retry_after_seconds {
        detail("retry after:", &format!("{seconds} s"));
    }
    for hint in &failure.hints {
        detail("hint:", hint);
    }
    text
}

/// A JSON value as indented `key: value` lines, the human form of a tool's result.
pub(crate) fn outline(value: &Value) -> String {
    let mut text = String::new();
    write_outline(&mut text, value, 0);
    text
}

fn write_outline(text: &mut String, value: &Value, depth: usize) {
    let pad = "  ".repeat(depth);
    match value {
        Value::Object(object) if !object.is_empty() => {
            for (key, item) in object {
                write_entry(text, &format!("{pad}{}:", plain(key)), item, depth);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                write_entry(text, &format!("{pad}-"), item, depth);
            }
        }
        other => text.push_str(&format!("{pad}{}\n", scalar(other))),
    }
}

fn write_entry(text: &mut String, label: &str, item: &Value, depth: usize) {
    text.push_str(label);
    match item {
        Value::String(long) if long.contains('\n') => {
            text.push('\n');
            let pad = "  ".repeat(depth + 1);
            for line in long.lines() {
                text.push_str(&format!("{pad}{}\n", plain(line)));
            }
        }
        Value::Object(it) if !it.is_empty() => {
            text.push('\n');
            write_outline(text, item, depth + 1);
        }
        Value::Array(it) if !it.is_empty() => {
            text.push('\n');
            write_outline(text, item, depth + 1);
        }
        other => text.push_str(&format!(" {}\n", scalar(other))),
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => plain(text),
        Value::Null => "-".into(),
        other => other.to_string(),
    }
}

/// Unix seconds as people read them, in UTC.
pub(crate) fn date(unix_seconds: i64) -> String {
    let date = chrono::DateTime::from_timestamp(unix_seconds, 0);
    date.map_or_else(|| unix_seconds.to_string(), |it| it.format("%Y-%m-%d %H:%M").to_string())
}
