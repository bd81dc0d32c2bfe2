//! Makes text from outside show what it is: no escape sequences, no characters that hide or reorder others.

use std::borrow::Cow;

/// Removes terminal escape sequences, control characters, bidirectional controls, and invisible characters.
///
/// Joiners stay where scripts and emoji need them: between two characters that are not ASCII.
/// Returns the text unchanged when there is nothing to remove.
pub(crate) fn clean_text(text: &str) -> (Cow<'_, str>, usize) {
    if text.bytes().all(|byte| (0x20..0x7f).contains(&byte) || matches!(byte, b'\t' | b'\n' | b'\r')) {
        return (Cow::Borrowed(text), 0);
    }
    let plain = if text.contains(['\u{1b}', '\u{9b}']) {
        Cow::Owned(strip_ansi_escapes::strip_str(text))
    } else {
        Cow::Borrowed(text)
    };
    let escaped = text.chars().count() - plain.chars().count();
    let mut removed = escaped;
    let mut kept = String::with_capacity(plain.len());
    let mut chars = plain.chars().peekable();
    while let Some(char) = chars.next() {
        let joins = matches!(char, '\u{200c}' | '\u{200d}')
            && kept.chars().next_back().is_some_and(|before| !before.is_ascii())
            && chars.peek().is_some_and(|after| !after.is_ascii());
        let control = char.is_control() && !matches!(char, '\t' | '\n' | '\r');
        if joins || !(control || is_invisible(char)) {
            kept.push(char);
        } else {
            removed += 1;
        }
    }
    if removed == 0 { (Cow::Borrowed(text), 0) } else { (Cow::Owned(kept), removed) }
}

/// Bidirectional controls, zero-width and tag characters, invisible operators and fillers.
pub(crate) fn is_invisible(char: char) -> bool {
    matches!(
        char,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}'
            | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleaned(text: &str) -> String {
        clean_text(text).0.into_owned()
    }

    #[test]
    fn what_hides_goes_and_what_reads_stays() {
        for (dirty, clean) in [
            ("plain\ttext\r\n", "plain\ttext\r\n"),
            ("naïve café 日本", "naïve café 日本"),
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("\u{1b}]0;title\u{7}text", "text"),
            ("a\u{202e}b\u{2066}c", "abc"),
            ("zero\u{200b}width\u{feff}", "zerowidth"),
            ("tag\u{e0041}ged", "tagged"),
            ("bell\u{7}null\u{0}", "bellnull"),
            ("a\u{200d}b", "ab"),
            ("👩\u{200d}👧", "👩\u{200d}👧"),
            ("می\u{200c}خواهم", "می\u{200c}خواهم"),
        ] {
            assert_eq!(cleaned(dirty), clean, "{dirty:?}");
        }
    }

    #[test]
    fn cleaning_twice_changes_nothing() {
        let dirty = "x\u{1b}[1m\u{200d}\u{200c}é\u{200d}ü\u{202e}";
        assert_eq!(cleaned(&cleaned(dirty)), cleaned(dirty));
    }
}
