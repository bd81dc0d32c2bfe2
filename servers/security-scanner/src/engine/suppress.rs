//! `core-mcp:allow RULE reason` in a file lets one finding pass.

const MARK: &[u8] = b"core-mcp:allow";
/// A mark stands within this distance of the finding: lines may be megabytes long.
const LINE_MAX: usize = 4_096;

/// Whether the line that holds `start..end`, or the line above it, allows `rule` with a reason.
///
/// A mark without a reason allows nothing: an exception that nobody can explain is a finding.
pub(crate) fn is_allowed(text: &[u8], start: usize, rule: &str) -> bool {
    let floor = start.saturating_sub(LINE_MAX);
    let begin = memchr::memrchr(b'\n', &text[floor..start]).map_or(floor, |at| floor + at + 1);
    let roof = (start + LINE_MAX).min(text.len());
    let end = memchr::memchr(b'\n', &text[start..roof]).map_or(roof, |at| start + at);
    let above = begin.checked_sub(1).filter(|until| text[*until] == b'\n').map(|until| {
        let floor = until.saturating_sub(LINE_MAX);
        let from = memchr::memrchr(b'\n', &text[floor..until]).map_or(floor, |at| floor + at + 1);
        &text[from..until]
    });
    line_allows(&text[begin..end], rule)
        || above.is_some_and(|line| is_only_comment(line) && line_allows(line, rule))
}

fn line_allows(line: &[u8], rule: &str) -> bool {
    let Some(at) = memchr::memmem::find(line, MARK) else { return false };
    let rest = String::from_utf8_lossy(&line[at + MARK.len()..]);
    let mut words = rest.split_whitespace();
    let named = words.next().is_some_and(|it| it == rule);
    let has_reason = words.any(|it| it.chars().filter(|it| it.is_alphanumeric()).count() >= 2);
    rest.starts_with([' ', '\t']) && named && has_reason
}

fn is_only_comment(line: &[u8]) -> bool {
    let head = line.trim_ascii_start();
    [&b"#"[..], b"//", b"--", b";", b"<!--", b"/*", b"*", b"%", b"rem ", b"REM "]
        .iter()
        .any(|it| head.starts_with(it))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(text: &str) -> bool {
        is_allowed(text.as_bytes(), text.find("SECRET").unwrap(), "generic-password")
    }

    #[test]
    fn an_exception_names_its_rule_and_its_reason() {
        assert!(allows("p = SECRET # core-mcp:allow generic-password test fixture"));
        assert!(allows("# core-mcp:allow generic-password test fixture\np = SECRET"));
        assert!(!allows("p = SECRET # core-mcp:allow generic-password"));
        assert!(!allows("p = SECRET # core-mcp:allow other-rule test fixture"));
        assert!(!allows("p = SECRET # core-mcp:allowgeneric-password test fixture"));
        assert!(!allows("x # core-mcp:allow generic-password test fixture\np = SECRET"));
        assert!(!allows("# core-mcp:allow generic-password test fixture\n\np = SECRET"));
    }
}
