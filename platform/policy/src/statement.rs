//! Cuts a policy file into statements, so that each is parsed alone and every mistake has its own line.

/// One policy's text and where it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Statement<'a> {
    /// Byte offset of the first character that is neither space nor comment.
    pub(crate) start: usize,
    pub(crate) text: &'a str,
}

/// Deepest nesting of brackets. Nobody writes a tenth of it by hand.
const BRACKETS_MAX: usize = 64;
/// Operators, and conditionals, in one policy. A chain of them nests in the parser without any bracket.
const OPERATORS_MAX: usize = 1000;
const CONDITIONALS_MAX: usize = 100;
/// Bytes of one policy.
const BYTES_MAX: usize = 64 * 1024;

#[derive(Clone, Copy)]
enum State {
    Code,
    Comment,
    Text { escaped: bool },
}

/// The characters that are neither comment nor inside a text; of a text, only the opening quote.
fn code(source: &str) -> impl Iterator<Item = (usize, char)> {
    let mut state = State::Code;
    source.char_indices().filter(move |(at, char)| {
        let before = state;
        state = match (before, char) {
            (State::Comment, '\n' | '\r') => State::Code,
            (State::Text { escaped: true }, _) => State::Text { escaped: false },
            (State::Text { .. }, '\\') => State::Text { escaped: true },
            (State::Text { .. }, '"') => State::Code,
            (State::Code, '"') => State::Text { escaped: false },
            (State::Code, '/') if source[at + 1..].starts_with('/') => State::Comment,
            _ => before,
        };
        matches!(before, State::Code) && !matches!(state, State::Comment)
    })
}

/// Cuts after each `;` that stands in code. Cedar has no other use for a semicolon.
///
/// A wrong cut could only join or break statements, and the parser refuses both: nothing gets lost here.
pub(crate) fn statements(source: &str) -> Vec<Statement<'_>> {
    let (mut start, mut found) = (None, Vec::new());
    for (at, char) in code(source) {
        if char.is_whitespace() || char == '\u{feff}' {
            continue;
        }
        let from = *start.get_or_insert(at);
        if char == ';' {
            found.push(Statement { start: from, text: &source[from..=at] });
            start = None;
        }
    }
    found.extend(start.map(|from| Statement { start: from, text: source[from..].trim_end() }));
    found
}

/// Why a policy is too large or too nested to be parsed, and where. The parser recurses, and would end the
/// whole process where the stack ends.
pub(crate) fn excess(statement: Statement<'_>) -> Option<(usize, String)> {
    if statement.text.len() > BYTES_MAX {
        return Some((0, format!("the policy is larger than {BYTES_MAX} bytes")));
    }
    if statement.text.matches("if").count() > CONDITIONALS_MAX {
        return Some((0, format!("the policy has more than {CONDITIONALS_MAX} conditionals")));
    }
    let (mut depth, mut operators) = (0_usize, 0_usize);
    for (at, char) in code(statement.text) {
        // An index (`a["b"]["c"]`) closes its bracket and nests all the same.
        operators += usize::from(char == '[');
        match char {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            '&' | '|' | '!' | '+' | '-' | '*' | '.' => operators += 1,
            _ => {}
        }
        if depth > BRACKETS_MAX {
            return Some((at, format!("brackets are nested more than {BRACKETS_MAX} deep")));
        }
        if operators > OPERATORS_MAX {
            return Some((at, format!("the policy has more than {OPERATORS_MAX} operators")));
        }
    }
    None
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
