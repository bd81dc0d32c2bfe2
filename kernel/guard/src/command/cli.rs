//! Options in the usual way (`-a`, `-ab`, `-o VALUE`, `--long`, `--long=VALUE`, `--`), as data.

use super::call::Call;
use crate::Refusal;

/// How a program reads its arguments and which of them matter.
pub(super) struct Cli {
    /// Options that are refused, with the reason. Abbreviations of long ones are refused too.
    pub(super) refuse: &'static [(&'static str, &'static str)],
    /// Options with a value that is no path.
    pub(super) text: &'static [&'static str],
    /// Options whose value is a path that is read.
    pub(super) read: &'static [&'static str],
    /// Options whose value is a path that is written.
    pub(super) write: &'static [&'static str],
    /// What the other arguments are.
    pub(super) operands: Operands,
}

/// What the arguments are that are no options.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Operands {
    /// Text.
    Text,
    /// Paths that are read.
    Read,
    /// Paths that are created or changed.
    Write,
    /// Paths that are removed or moved away.
    Destroy,
    /// Sources, then one target (unless an option names it).
    ReadThenWrite,
    /// Things that go away, then one target (unless an option names it).
    DestroyThenWrite,
    /// One text (unless one of these options gave it), then paths that are read.
    TextThenRead(&'static [&'static str]),
    /// One path that is read, then one that is written.
    ReadWrite,
    /// One archive that is written, then paths that are read.
    WriteThenRead,
    /// One archive that is read, then names inside it.
    ReadThenText,
    /// Not known: each that could leave the roots is checked.
    Loose,
    /// None are allowed.
    None,
}

impl Cli {
    /// Options nobody has to care about, and operands of one kind.
    pub(super) const fn plain(operands: Operands) -> Self {
        Self { refuse: &[], text: &[], read: &[], write: &[], operands }
    }
}

/// An argument, classified.
pub(super) enum Item {
    Flag { name: String, value: Option<String> },
    Operand(String),
}

impl Cli {
    /// Checks every argument of the call.
    pub(super) fn judge(&self, call: &mut Call<'_>) -> Result<(), Refusal> {
        let items = self.items(&call.args);
        let mut operands = Vec::new();
        let mut seen = Vec::new();
        for item in items {
            match item {
                Item::Operand(text) => operands.push(text),
                Item::Flag { name, value } => {
                    self.judge_flag(call, &name, value.as_deref())?;
                    seen.push(name);
                }
            }
        }
        self.judge_operands(call, &operands, &seen)
    }

    fn judge_flag(&self, call: &mut Call<'_>, name: &str, value: Option<&str>) -> Result<(), Refusal> {
        if let Some((_, why)) = self.refuse.iter().find(|(flag, _)| stands_for(name, flag)) {
            return Err(call.refuse(name, why, "leave the option out"));
        }
        let Some(value) = value else { return Ok(()) };
        if self.read.iter().any(|flag| stands_for(name, flag)) {
            call.read(value)
        } else if self.write.iter().any(|flag| stands_for(name, flag)) {
            call.write(value)
        } else if self.operands == Operands::Loose && !self.text.contains(&name) {
            call.loose(value)
        } else {
            Ok(())
        }
    }

    fn judge_operands(
        &self,
        call: &mut Call<'_>,
        operands: &[String],
        seen: &[String],
    ) -> Result<(), Refusal> {
        let given = |flags: &[&str]| seen.iter().any(|name| flags.iter().any(|flag| stands_for(name, flag)));
        let last = operands.len().saturating_sub(1);
        for (index, operand) in operands.iter().enumerate() {
            match self.operands {
                Operands::Text => Ok(()),
                Operands::Read => call.read(operand),
                Operands::Write => call.write(operand),
                Operands::Destroy => call.destroy(operand),
                Operands::ReadThenWrite if index < last || given(self.write) => call.read(operand),
                Operands::DestroyThenWrite if index < last || given(self.write) => call.destroy(operand),
                Operands::ReadThenWrite | Operands::DestroyThenWrite => call.write(operand),
                Operands::TextThenRead(instead) if index == 0 && !given(instead) => Ok(()),
                Operands::TextThenRead(_) => call.read(operand),
                Operands::ReadThenText if index == 0 => call.read(operand),
                Operands::ReadThenText => Ok(()),
                Operands::ReadWrite | Operands::WriteThenRead => {
                    if (index == 0) == (self.operands == Operands::ReadWrite) {
                        call.read(operand)
                    } else {
                        call.write(operand)
                    }
                }
                Operands::Loose => call.loose(operand),
                Operands::None => Err(call.refuse(operand, "it takes no such argument here", "leave it out")),
            }?;
        }
        Ok(())
    }

    /// Splits arguments as `getopt_long` does, options and operands mixed.
    pub(super) fn items(&self, args: &[String]) -> Vec<Item> {
        let mut items = Vec::new();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            if arg == "--" {
                items.extend(args.by_ref().cloned().map(Item::Operand));
            } else if arg.starts_with("--") {
                let (name, value) = match arg.split_once('=') {
                    Some((name, value)) => (name, Some(value.to_owned())),
                    None => (arg.as_str(), None),
                };
                let value = value.or_else(|| self.takes_value(name).then(|| args.next().cloned()).flatten());
                items.push(Item::Flag { name: name.to_owned(), value });
            } else if arg.len() > 1 && arg.starts_with('-') {
                self.cluster(&arg[1..], &mut args, &mut items);
            } else {
                items.push(Item::Operand(arg.clone()));
            }
        }
        items
    }

    fn cluster<'a>(&self, letters: &str, args: &mut impl Iterator<Item = &'a String>, items: &mut Vec<Item>) {
        for (at, letter) in letters.char_indices() {
            let name = format!("-{letter}");
            if !self.takes_value(&name) {
                items.push(Item::Flag { name, value: None });
                continue;
            }
            let attached = &letters[at + letter.len_utf8()..];
            let value = if attached.is_empty() { args.next().cloned() } else { Some(attached.to_owned()) };
            items.push(Item::Flag { name, value });
            return;
        }
    }

    fn takes_value(&self, name: &str) -> bool {
        [self.text, self.read, self.write].into_iter().flatten().any(|flag| *flag == name)
            || (name.len() > 2
                && name.starts_with("--")
                && [self.read, self.write].into_iter().flatten().any(|flag| flag.starts_with(name)))
    }
}

/// Whether an option as written is `flag`, or an abbreviation that GNU programs take for it.
pub(super) fn stands_for(written: &str, flag: &str) -> bool {
    written == flag || (written.starts_with("--") && written.len() > 2 && flag.starts_with(written))
}
