//! Cuts a policy file into statements, so that each is parsed alone and every mistake has its own line.

/// One policy's text and where it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Statement<'a> {
    /// Byte offset of the first character that is neither space nor comment.
    pub(crate) start: usize,
    pub(crate) text: &'a str,
}

enum State {
    Code,
    Comment,
    Text { escaped: bool },
}

/// Cuts after each `;` that stands in code. Cedar has no other use for a semicolon.
///
/// A wrong cut could only join or break statements, and the parser refuses both: nothing gets lost here.
pub(crate) fn statements(source: &str) -> Vec<Statement<'_>> {
    let bytes = source.as_bytes();
    let (mut state, mut start, mut found) = (State::Code, None, Vec::new());
    for (at, char) in source.char_indices() {
        match state {
            State::Comment if matches!(char, '\n' | '\r') => state = State::Code,
            State::Comment => {}
            State::Text { escaped: true } => state = State::Text { escaped: false },
            State::Text { .. } if char == '\\' => state = State::Text { escaped: true },
            State::Text { .. } if char == '"' => state = State::Code,
            State::Text { .. } => {}
            State::Code if char == '/' && bytes.get(at + 1) == Some(&b'/') => state = State::Comment,
            State::Code if char.is_whitespace() || char == '\u{feff}' => {}
            State::Code => {
                let from = *start.get_or_insert(at);
                match char {
                    '"' => state = State::Text { escaped: false },
                    ';' => {
                        found.push(Statement { start: from, text: &source[from..=at] });
                        start = None;
                    }
                    _ => {}
                }
            }
        }
    }
    found.extend(start.map(|from| Statement { start: from, text: source[from..].trim_end() }));
    found
}

/// Line and column, both from 1, of a byte offset. Columns count characters.
pub(crate) fn position(source: &str, offset: usize) -> (usize, usize) {
    let mut end = offset.min(source.len());
    while !source.is_char_boundary(end) {
        end -= 1;
    }
    let before = &source[..end];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(source: &str) -> Vec<&str> {
        statements(source).into_iter().map(|it| it.text).collect()
    }

    #[test]
    fn only_a_semicolon_in_code_ends_a_statement() {
        assert_eq!(cut("a;b;"), ["a;", "b;"]);
        assert_eq!(cut("// a; b\n a;\n// c;"), ["a;"]);
        assert_eq!(cut(r#"@id("x;\";y") a; b;"#), [r#"@id("x;\";y") a;"#, "b;"]);
        assert_eq!(cut("a \"// not a comment\" ; b"), ["a \"// not a comment\" ;", "b"]);
        assert_eq!(cut("// ends at a bare return\ra;"), ["a;"]);
        assert_eq!(cut("a // one\n b;"), ["a // one\n b;"]);
        assert_eq!(cut(" \n \u{a0}\u{feff}"), [""; 0]);
        assert_eq!(cut("a \"never closed ; b;"), ["a \"never closed ; b;"]);
        assert_eq!(cut(";"), [";"]);
    }

    #[test]
    fn columns_count_characters() {
        assert_eq!(position("ab\nüx", 0), (1, 1));
        assert_eq!(position("ab\nüx", 5), (2, 2));
        assert_eq!(position("ab\nüx", 4), (2, 1));
        assert_eq!(position("ab", 99), (1, 3));
    }
}
