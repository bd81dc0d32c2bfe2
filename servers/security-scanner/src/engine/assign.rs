//! Reads "this name is given that value" in the many ways languages write it.
//!
//! One hand-written, linear reader serves `x = "v"`, `"x": "v"`, `x => 'v'`, `X=v`, `<x>v</x>`,
//! `name="x" value="v"`, `define('X', 'v')`, `setX("v")`, `--x v`, `…;X=v;…`, `?x=v&…` and their kin. It never
//! looks further than a few hundred bytes from the name.

use std::ops::Range;

use super::language::Style;

const NAME_MAX: usize = 80;
const VALUE_MAX: usize = 4_096;
const GAP_MAX: usize = 64;

/// How surely the text says that the value belongs to the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    /// `=`, `:`, `=>` and the like, an element's text, a `value` sibling.
    Assigned,
    /// `==`: compared with, which gives the secret away just as well.
    Compared,
    /// Passed along: `("x", "v")`, `x("v")`, `--x v`, `x v`.
    Passed,
}

/// A name and its value, as byte ranges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Assignment {
    pub(crate) name: Range<usize>,
    pub(crate) value: Range<usize>,
    pub(crate) quoted: bool,
    pub(crate) link: Link,
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

/// The whole name around a keyword.
pub(crate) fn name_around(text: &[u8], hit: &Range<usize>) -> Range<usize> {
    let floor = hit.start.saturating_sub(NAME_MAX);
    let mut start = hit.start;
    while start > floor && is_name(text[start - 1]) {
        start -= 1;
    }
    let roof = (hit.end + NAME_MAX).min(text.len());
    let mut end = hit.end;
    while end < roof && is_name(text[end]) {
        end += 1;
    }
    while end > hit.end && matches!(text[end - 1], b'.' | b'-') {
        end -= 1;
    }
    start..end
}

/// The value that `name` is given, if the text after it gives it one.
pub(crate) fn read(text: &[u8], name: Range<usize>, style: Style) -> Option<Assignment> {
    let reader = Reader { text, style, embedded: is_embedded(text, &name) };
    let (at, link) = reader.link(&name)?;
    let (value, quoted) = reader.value(at, link)?;
    (!value.is_empty()).then_some(Assignment { name, value, quoted, link })
}

/// Inside a connection string, a query or a quoted `x=v`, bare values are values in every language.
fn is_embedded(text: &[u8], name: &Range<usize>) -> bool {
    let Some(before) = name.start.checked_sub(1).map(|at| text[at]) else { return false };
    matches!(before, b';' | b'?' | b'&')
        || matches!(before, b'"' | b'\'') && text.get(name.end) == Some(&b'=')
}

struct Reader<'a> {
    text: &'a [u8],
    style: Style,
    embedded: bool,
}

impl Reader<'_> {
    fn at(&self, index: usize) -> u8 {
        self.text.get(index).copied().unwrap_or(b'\n')
    }

    fn blanks(&self, from: usize) -> usize {
        let mut at = from;
        while at < from + GAP_MAX && matches!(self.at(at), b' ' | b'\t') && at < self.text.len() {
            at += 1;
        }
        at
    }

    fn blanks_and_lines(&self, from: usize) -> usize {
        let mut at = from;
        while at < from + GAP_MAX && at < self.text.len() && self.at(at).is_ascii_whitespace() {
            at += 1;
        }
        at
    }

    /// Where the value may begin, and how it is tied to the name.
    fn link(&self, name: &Range<usize>) -> Option<(usize, Link)> {
        let mut at = name.end;
        let mut quote = None;
        if self.at(at) == b'\\' && matches!(self.at(at + 1), b'"' | b'\'') {
            at += 1;
        }
        if matches!(self.at(at), b'"' | b'\'' | b'`') {
            quote = Some(self.at(at));
            at += 1;
        }
        if let Some(found) = self.sibling(name, at) {
            return Some((found, Link::Assigned));
        }
        let spaced = at;
        at = self.blanks(at);
        let closed = matches!(self.at(at), b']' | b')') && quote.is_some();
        if closed {
            at = self.blanks(at + 1);
        }
        match self.at(at) {
            // `get("x"), "next argument"`: the comma belongs to the call around it.
            b',' if closed => None,
            b'=' => Some(self.equals(at)),
            b':' => self.colon(at),
            b'!' if self.at(at + 1) == b'=' => Some((self.equals(at + 1).0, Link::Compared)),
            b'?' if self.at(at + 1) == b':' => self.colon(at + 1),
            b'?' | b'|' if self.at(at + 1) == b'=' || self.at(at + 2) == b'=' => {
                Some((at + 2 + usize::from(self.at(at + 1) != b'='), Link::Assigned))
            }
            b'-' if self.at(at + 1) == b'>' => Some((at + 2, Link::Assigned)),
            b',' if quote.is_some() && name.start > 0 && Some(self.at(name.start - 1)) == quote => {
                Some((at + 1, Link::Passed))
            }
            b',' if self.style == Style::Code && name.start > 0 && self.at(name.start - 1) == b'{' => {
                Some((at + 1, Link::Passed))
            }
            b'(' if quote.is_none() => Some((at + 1, Link::Passed)),
            b'>' if quote.is_none() && self.is_element(name.start) => Some((at + 1, Link::Assigned)),
            _ if at > spaced && quote.is_none() => self.spaced(name, at),
            _ if quote.is_none() && self.is_element(name.start) => self.attributes(at),
            _ => None,
        }
    }

    fn equals(&self, at: usize) -> (usize, Link) {
        let mut end = at + 1;
        while end < at + 3 && matches!(self.at(end), b'=' | b'>' | b'~') {
            end += 1;
        }
        (end, if end > at + 1 && self.at(at + 1) == b'=' { Link::Compared } else { Link::Assigned })
    }

    /// `:` is a separator, unless a type stands between it and an `=`.
    fn colon(&self, at: usize) -> Option<(usize, Link)> {
        if matches!(self.at(at + 1), b'=' | b':') {
            return (self.at(at + 1) == b'=').then_some((at + 2, Link::Assigned));
        }
        let mut end = self.blanks(at + 1);
        let floor = end;
        while end < floor + 48
            && (is_name(self.at(end))
                || matches!(
                    self.at(end),
                    b'&' | b'<' | b'>' | b'[' | b']' | b'?' | b'|' | b' ' | b':' | b'\''
                ))
        {
            if self.at(end) == b'\'' && !self.at(end + 1).is_ascii_alphabetic() {
                break;
            }
            end += 1;
        }
        if end > floor && self.at(end) == b'=' && self.at(end + 1) != b'=' && self.style == Style::Code {
            return Some((end + 1, Link::Assigned));
        }
        Some((at + 1, Link::Assigned))
    }

    /// `name="x" value="v"`, `"name": "x", "value": "v"`, `name: x⏎ value: v`, `<key>x</key><string>v`.
    fn sibling(&self, name: &Range<usize>, after_quote: usize) -> Option<usize> {
        let mut at = after_quote;
        if self.text[at.min(self.text.len())..].starts_with(b"</key>") {
            at = self.blanks_and_lines(at + 6);
            return self.text[at..].starts_with(b"<string>").then_some(at + 8);
        }
        if after_quote > name.end || matches!(self.at(at), b'\n' | b'\r') {
            at = self.blanks_and_lines(at);
            if self.at(at) == b',' {
                at = self.blanks_and_lines(at + 1);
            }
            if matches!(self.at(at), b'"' | b'\'') {
                at += 1;
            }
            let rest = &self.text[at.min(self.text.len())..];
            if rest.len() > 6 && rest[..5].eq_ignore_ascii_case(b"value") {
                at += 5;
                if matches!(self.at(at), b'"' | b'\'') {
                    at += 1;
                }
                at = self.blanks(at);
                return matches!(self.at(at), b'=' | b':').then_some(at + 1);
            }
        }
        None
    }

    fn is_element(&self, start: usize) -> bool {
        start > 0 && (self.at(start - 1) == b'<' || (self.at(start - 1) == b':' && start > 2))
    }

    /// `<pass encoding="base64">v`.
    fn attributes(&self, from: usize) -> Option<(usize, Link)> {
        let roof = (from + 128).min(self.text.len());
        let close = memchr::memchr2(b'>', b'\n', &self.text[from..roof])? + from;
        (self.at(close) == b'>' && self.at(close - 1) != b'/').then_some((close + 1, Link::Assigned))
    }

    /// `password v` in files that write it so, `--password v`, `ENV X v`, `#define X "v"`, `IDENTIFIED BY 'v'`.
    fn spaced(&self, name: &Range<usize>, at: usize) -> Option<(usize, Link)> {
        let flag = self.text[..name.start].ends_with(b"--") || self.text[name.clone()].starts_with(b"--");
        if self.is_element(name.start) && is_name(self.at(at)) {
            return self.attributes(at);
        }
        let quoted = matches!(self.at(at), b'"' | b'\'');
        let line = memchr::memrchr(b'\n', &self.text[name.start.saturating_sub(64)..name.start]);
        let line = line.map_or(name.start.saturating_sub(64), |it| name.start.saturating_sub(64) + it + 1);
        let head = self.text[line..name.start].trim_ascii_start();
        let declared =
            [&b"ENV "[..], b"ARG ", b"#define ", b"set ", b"setx "].iter().any(|it| head.starts_with(it));
        let sql = self.text[at..(at + 3).min(self.text.len())].eq_ignore_ascii_case(b"by ");
        if sql {
            return Some((at + 3, Link::Passed));
        }
        let leads = head.is_empty() || name.start > 0 && self.at(name.start - 1) == b':';
        (quoted && leads || flag || declared || self.style == Style::Spaced).then_some((at, Link::Passed))
    }

    fn value(&self, from: usize, link: Link) -> Option<(Range<usize>, bool)> {
        let mut at = self.blanks(from);
        if link == Link::Passed {
            at = self.blanks_and_lines(at);
        }
        if self.at(at) == b'>' && link == Link::Assigned {
            at = self.blanks(at + 1);
        }
        at = self.wrapper(at);
        // The first of a list: `tokens: ["v", …]`.
        if self.at(at) == b'[' && matches!(self.at(at + 1), b'"' | b'\'') {
            at += 1;
        }
        if let Some(entity) = ["&quot;", "&#34;", "&#39;"].iter().find(|it| self.starts(at, it)) {
            let from = at + entity.len();
            let roof = (from + VALUE_MAX).min(self.text.len());
            let end = memchr::memchr2(b'&', b'\n', &self.text[from..roof])? + from;
            return self.starts(end, entity).then_some((from..end, true));
        }
        if self.at(at) == b'\\' && matches!(self.at(at + 1), b'"' | b'\'') {
            return self.escaped(at + 2, self.at(at + 1));
        }
        // Prefixes of string literals: b"", r'', @"", L"", u8"".
        for skip in 0..3 {
            if matches!(self.at(at + skip), b'"' | b'\'' | b'`') {
                return self.quoted(at + skip + 1, self.at(at + skip));
            }
            if !matches!(self.at(at + skip), b'a'..=b'z' | b'A'..=b'Z' | b'@' | b'8' | b':') {
                break;
            }
        }
        if self.text[at.min(self.text.len())..].starts_with(b"[[") {
            let end = memchr::memmem::find(&self.text[at..(at + VALUE_MAX).min(self.text.len())], b"]]")?;
            return Some((at + 2..at + end, true));
        }
        let bare = self.embedded
            || matches!(self.style, Style::Config | Style::Spaced)
                && !(link == Link::Passed && self.at(from.saturating_sub(1)) == b',');
        (bare && link != Link::Compared).then(|| (self.bare(at), false))
    }

    fn starts(&self, at: usize, word: &str) -> bool {
        self.text.get(at..).is_some_and(|rest| rest.starts_with(word.as_bytes()))
    }

    /// `String::from("v")`, `Some("v")`, `SecureString("v")`: calls that only wrap their text.
    fn wrapper(&self, at: usize) -> usize {
        const WRAPPERS: &[&[u8]] = &[
            b"String::from(",
            b"Some(",
            b"new String(",
            b"SecretString::from(",
            b"Secret::new(",
            b"bytes(",
            b"str(",
            b"SecretStr(",
            b"Buffer.from(",
            b"[]byte(",
            b"to_string(",
            b"Just(",
            b"ConvertTo-SecureString ",
        ];
        let rest = &self.text[at.min(self.text.len())..];
        WRAPPERS.iter().find(|it| rest.starts_with(it)).map_or(at, |it| self.blanks(at + it.len()))
    }

    fn quoted(&self, start: usize, quote: u8) -> Option<(Range<usize>, bool)> {
        let roof = (start + VALUE_MAX).min(self.text.len());
        let mut at = start;
        while at < roof {
            match self.text[at] {
                b'\\' => at += 1,
                b'\n' => return None,
                byte if byte == quote => return Some((start..at, true)),
                _ => {}
            }
            at += 1;
        }
        None
    }

    /// `\"v\"` inside another string.
    fn escaped(&self, start: usize, quote: u8) -> Option<(Range<usize>, bool)> {
        let roof = (start + VALUE_MAX).min(self.text.len());
        let end = memchr::memchr2(b'\\', b'\n', &self.text[start..roof])? + start;
        (self.at(end) == b'\\' && self.at(end + 1) == quote).then_some((start..end, true))
    }

    fn bare(&self, start: usize) -> Range<usize> {
        let roof = (start + VALUE_MAX).min(self.text.len());
        let mut end = start.min(roof);
        while end < roof && !self.ends_bare(end) {
            end += 1;
        }
        while end > start && matches!(self.text[end - 1], b',' | b';' | b'\\') {
            end -= 1;
        }
        start..end
    }

    fn ends_bare(&self, at: usize) -> bool {
        match self.text[at] {
            b'"' | b'\'' | b'`' | b'<' | b'>' | b' ' | b'\t' | b'\r' | b'\n' => true,
            b'&' | b';' | b'#' => self.embedded,
            byte => byte.is_ascii_control(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str, path: &str) -> Option<String> {
        let lower = text.to_ascii_lowercase();
        let start = lower.find("pass").or_else(|| lower.find("identified"))?;
        let name = name_around(text.as_bytes(), &(start..start + 4));
        let found = read(text.as_bytes(), name, Style::of(path))?;
        Some(String::from_utf8_lossy(&text.as_bytes()[found.value]).into_owned())
    }

    #[test]
    fn every_usual_way_to_give_a_name_a_value_is_read() {
        for (path, text) in [
            ("a.py", "password = \"v1\""),
            ("a.py", "password: str = 'v1'"),
            ("a.py", "d[\"password\"] = 'v1'"),
            ("a.py", "connect(password='v1')"),
            ("a.rs", "let password: &'static str = \"v1\";"),
            ("a.rs", "password: String::from(\"v1\"),"),
            ("a.go", "password := \"v1\""),
            ("a.go", "const password = `v1`"),
            ("a.js", "password: 'v1',"),
            ("a.ts", "password?: string = 'v1'"),
            ("a.java", "props.put(\"password\", \"v1\");"),
            ("a.java", "setPassword(\"v1\");"),
            ("a.cs", "\"Server=x;Password=v1;Database=y\""),
            ("a.php", "define('DB_PASSWORD', 'v1');"),
            ("a.php", "'password' => 'v1',"),
            ("a.rb", ":password => 'v1'"),
            ("a.pl", "$password = 'v1';"),
            ("a.lua", "password = [[v1]]"),
            ("a.erl", "{password, \"v1\"}"),
            ("a.clj", ":password \"v1\""),
            ("a.c", "#define PASSWORD \"v1\""),
            ("a.c", "if (password == \"v1\")"),
            ("a.kt", "val password: String = \"v1\""),
            ("a.js", "fetch(\"https://x/?a=1&password=v1&b=2\")"),
            ("a.java", "String body = \"password=v1&x=2\";"),
            ("a.js", "\"{\\\"password\\\":\\\"v1\\\"}\""),
            (".env", "DB_PASSWORD=v1"),
            ("a.yml", "password: v1"),
            ("a.yml", "- name: DB_PASSWORD\n  value: v1"),
            ("a.ini", "password = v1"),
            ("a.json", "\"password\": \"v1\""),
            ("a.json", "{\"name\": \"DB_PASSWORD\", \"value\": \"v1\"}"),
            ("a.xml", "<password>v1</password>"),
            ("a.xml", "<Pass encoding=\"none\">v1</Pass>"),
            ("a.xml", "<property name=\"password\" value=\"v1\"/>"),
            ("a.plist", "<key>password</key>\n  <string>v1</string>"),
            ("a.sh", "mysql --password v1"),
            ("Dockerfile", "ENV DB_PASSWORD v1"),
            ("a.ps1", "$password = ConvertTo-SecureString \"v1\" -AsPlainText"),
            ("a.bat", "set PASSWORD=v1"),
            ("a.sql", "ALTER USER a IDENTIFIED BY 'v1'"),
            (".netrc", "machine a login b password v1"),
            ("a.tf", "password = \"v1\""),
            ("a.json", "\"passwords\": [\"v1\", \"v2\"]"),
            ("a.html", "password = &quot;v1&quot;;"),
        ] {
            assert_eq!(value(text, path).as_deref(), Some("v1"), "{path}: {text}");
        }
    }

    #[test]
    fn variables_calls_and_prose_have_no_value() {
        for (path, text) in [
            ("a.py", "password = get_password()"),
            ("a.py", "password = other"),
            ("a.js", "password,"),
            ("a.md", "the password is long"),
            ("a.rs", "fn password(&self) -> &str"),
        ] {
            assert_eq!(value(text, path), None, "{path}: {text}");
        }
    }

    #[test]
    fn a_name_at_the_end_of_the_text_is_harmless() {
        for text in
            ["password", "password=", "password:", "password(", "\"password\"", "password = '", "password \\"]
        {
            assert_eq!(value(text, "a.yml").filter(|it| !it.is_empty()), None, "{text}");
        }
    }
}
