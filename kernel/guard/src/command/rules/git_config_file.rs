//! Reading a git settings file the way git does, character by character: a reader that guesses could be shown
//! a file in which git sees something else.

/// One setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Lower case.
    pub(super) section: String,
    /// The name between quotes, or after the first dot.
    pub(super) subsection: Option<String>,
    /// Lower case.
    pub(super) key: String,
    /// Unquoted; empty for a key without a value.
    pub(super) value: String,
}

impl Entry {
    /// `section.subsection.key`.
    pub(super) fn name(&self) -> String {
        let middle = self.subsection.iter().map(|name| format!("{name}.")).collect::<String>();
        format!("{}.{middle}{}", self.section, self.key)
    }
}

/// Every setting in order; `None` where git would call the file bad.
pub(super) fn entries(text: &str) -> Option<Vec<Entry>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
    let mut reader = Reader { rest: text.chars().peekable() };
    let mut entries = Vec::new();
    let mut header = (String::new(), None);
    while let Some(c) = reader.rest.next() {
        match c {
            ' ' | '\t' | '\n' | '\r' => {}
            '#' | ';' => reader.skip_line(),
            '[' => header = reader.header()?,
            c if c.is_ascii_alphabetic() => {
                let (key, value) = reader.setting(c)?;
                let (section, subsection) = header.clone();
                entries.push(Entry { section, subsection, key, value });
            }
            _ => return None,
        }
    }
    Some(entries)
}

struct Reader<'a> {
    rest: std::iter::Peekable<std::str::Chars<'a>>,
}

impl Reader<'_> {
    fn skip_line(&mut self) {
        while self.rest.next().is_some_and(|c| c != '\n') {}
    }

    /// `section]`, `section.name]` or `section "name"]`.
    fn header(&mut self) -> Option<(String, Option<String>)> {
        let mut name = String::new();
        loop {
            match self.rest.next()? {
                ']' => {
                    let name = name.to_ascii_lowercase();
                    return Some(match name.split_once('.') {
                        Some((section, sub)) => (section.to_owned(), Some(sub.to_owned())),
                        None => (name, None),
                    });
                }
                ' ' | '\t' => break,
                c if is_key(c) || c == '.' => name.push(c),
                _ => return None,
            }
        }
        while self.rest.next_if(|c| matches!(c, ' ' | '\t')).is_some() {}
        self.rest.next_if_eq(&'"')?;
        let mut sub = String::new();
        loop {
            match self.rest.next()? {
                '\n' => return None,
                '"' => break,
                '\\' => sub.push(self.rest.next().filter(|c| *c != '\n')?),
                c => sub.push(c),
            }
        }
        self.rest.next_if_eq(&']')?;
        let name = name.to_ascii_lowercase();
        // `[a.b "c"]` is the section `a` with the name `b.c`.
        Some(match name.split_once('.') {
            Some((section, first)) => (section.to_owned(), Some(format!("{first}.{sub}"))),
            None => (name, Some(sub)),
        })
    }

    fn setting(&mut self, first: char) -> Option<(String, String)> {
        let mut key = String::from(first);
        while let Some(c) = self.rest.next_if(|c| is_key(*c)) {
            key.push(c);
        }
        while self.rest.next_if(|c| matches!(c, ' ' | '\t')).is_some() {}
        let value = match self.rest.next() {
            None | Some('\n') => String::new(),
            Some('=') => self.value()?,
            Some(_) => return None,
        };
        Some((key.to_ascii_lowercase(), value))
    }

    fn value(&mut self) -> Option<String> {
        let (mut value, mut quoted) = (String::new(), false);
        loop {
            match self.rest.next() {
                None | Some('\n') if quoted => return None,
                None | Some('\n') => return Some(value.trim().to_owned()),
                Some('#' | ';') if !quoted => {
                    self.skip_line();
                    return Some(value.trim().to_owned());
                }
                Some('"') => quoted = !quoted,
                Some('\\') => match self.rest.next()? {
                    '\n' => {}
                    'n' => value.push('\n'),
                    't' => value.push('\t'),
                    'b' => value.push('\u{8}'),
                    c @ ('\\' | '"') => value.push(c),
                    _ => return None,
                },
                Some(c) => value.push(c),
            }
        }
    }
}

fn is_key(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-'
}

#[cfg(test)]
mod tests {
    use super::entries;

    #[test]
    fn a_file_is_read_as_git_reads_it() {
        let names = |text: &str| {
            let found = entries(text)?;
            Some(
                found
                    .iter()
                    .map(|entry| format!("{}={}", entry.name(), entry.value))
                    .collect::<Vec<_>>()
                    .join(" "),
            )
        };
        for (text, expected) in [
            ("[core]\n\tbare = false\n", "core.bare=false"),
            ("[filter \"x\"]\nclean = a \\\n[core]\nsmudge = b", "filter.x.clean=a [core] filter.x.smudge=b"),
            ("[filter \"x\"] clean=a # \\\n[core] pager=b", "filter.x.clean=a core.pager=b"),
            ("# [core] \\\n[Diff]External=e", "diff.external=e"),
            ("[filter.X]\nclean=\"a;b\"", "filter.x.clean=a;b"),
            ("[filter \"a\\\"]b\"]clean=1", "filter.a\"]b.clean=1"),
            ("\u{feff}[a]\r\nb=c\r\n", "a.b=c"),
            ("[a]b", "a.b="),
            ("[a.b \"c\"]d=e", "a.b.c.d=e"),
            ("", ""),
        ] {
            assert_eq!(names(text).as_deref(), Some(expected), "{text}");
        }
        for bad in
            ["[a", "[a\n]b=c", "[a \"b\n\"]", "[a]1=2", "[a]b c", "[a]b=\"c\n\"", "[a]b=\\x", "[a \"b\" ]c=d"]
        {
            assert_eq!(names(bad), None, "{bad}");
        }
    }
}
