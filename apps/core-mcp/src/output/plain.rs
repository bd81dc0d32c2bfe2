//! Text from outside, made fit for a terminal.

/// Replaces what a terminal would obey or misplace: control characters, escape sequences, bidirectional
/// overrides and invisible characters. File names and tool results may hold any of them.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|it| if is_hostile(it) { '\u{fffd}' } else { it }).collect()
}

fn is_hostile(it: char) -> bool {
    it.is_control() && it != '\t'
        || matches!(it, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_replaced() {
        let check = |hostile: &str| assert!(!plain(hostile).chars().any(is_hostile), "{hostile:?}");
        check("\u{1b}[2Jgone");
        check("\u{9b}31m");
        check("two\nlines\r");
        check("abc\u{202e}gpj.exe");
        check("zero\u{200b}width");
        assert_eq!(plain("Käse\t1"), "Käse\t1");
    }
}
