//! Bytes as text, cut into pages.

use encoding_rs::Encoding;

use crate::error::FileError;

/// Text of a file.
#[derive(Debug, PartialEq)]
pub(super) struct Text {
    pub(super) content: String,
    /// The encoding found: a byte order mark wins over the one asked for.
    pub(super) encoding: &'static str,
    /// Whether bytes had to be replaced.
    pub(super) lossy: bool,
}

/// The encoding of a WHATWG label, or of a name that Python has for one: `latin-1`, `utf_8`, `utf-8-sig`.
fn labelled(label: &str) -> Option<&'static Encoding> {
    let plain = label.replace('_', "-").to_ascii_lowercase();
    let plain = match plain.as_str() {
        "latin-1" | "l1" => "latin1",
        "utf-8-sig" => "utf-8",
        "utf-16" => "utf-16le",
        other => other,
    };
    Encoding::for_label(label.as_bytes()).or_else(|| Encoding::for_label(plain.as_bytes()))
}

/// Decodes a file. Bytes with zeros that no wide encoding explains are no text.
pub(super) fn decode(bytes: &[u8], label: &str) -> Result<Text, FileError> {
    let asked = labelled(label).ok_or(FileError::UnknownEncoding)?;
    let marked = Encoding::for_bom(bytes).map(|(encoding, _)| encoding);
    let is_wide = [encoding_rs::UTF_16LE, encoding_rs::UTF_16BE].contains(&marked.unwrap_or(asked));
    if !is_wide && bytes.iter().take(8192).any(|byte| *byte == 0) {
        return Err(FileError::NotText);
    }
    let (content, used, lossy) = asked.decode(bytes);
    Ok(Text { content: content.into_owned(), encoding: used.name(), lossy })
}

/// Some lines of a text.
#[derive(Debug, PartialEq)]
pub(super) struct Lines<'a> {
    pub(super) content: &'a str,
    pub(super) total: usize,
    /// The line after the last one given, when there is one.
    pub(super) next: Option<usize>,
    /// Whether the last line given was cut, because it alone is larger than a page.
    pub(super) cut: bool,
}

/// Lines from `offset` (negative: counted from the end), at most `count` lines and `bytes` bytes.
pub(super) fn page(text: &str, offset: i64, count: usize, bytes: usize) -> Lines<'_> {
    let starts: Vec<usize> = line_starts(text);
    let total = starts.len();
    let back = usize::try_from(offset.unsigned_abs()).unwrap_or(usize::MAX);
    let first = if offset < 0 { total.saturating_sub(back) } else { back.min(total) };
    let begin = starts.get(first).copied().unwrap_or(text.len());
    let end_of = |line: usize| starts.get(line + 1).copied().unwrap_or(text.len());
    let mut last = first;
    while last < total && last - first < count && end_of(last) - begin <= bytes {
        last += 1;
    }
    if last == first && first < total {
        let end = text.floor_char_boundary(end_of(first).min(begin.saturating_add(bytes)));
        let cut = end < end_of(first);
        let next = (first + 1 < total).then_some(first + 1);
        return Lines { content: &text[begin..end], total, next, cut };
    }
    let end = starts.get(last).copied().unwrap_or(text.len());
    Lines { content: &text[begin..end], total, next: (last < total).then_some(last), cut: false }
}

fn line_starts(text: &str) -> Vec<usize> {
    let mut starts = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        starts.push(at);
        at += line.len();
    }
    starts
}

/// Bytes from `offset` (negative: counted from the end), at most `count`, and where the rest starts.
pub(super) fn slice(bytes: &[u8], offset: i64, count: usize) -> (&[u8], Option<usize>) {
    let back = usize::try_from(offset.unsigned_abs()).unwrap_or(usize::MAX);
    let begin = if offset < 0 { bytes.len().saturating_sub(back) } else { back.min(bytes.len()) };
    let end = begin.saturating_add(count).min(bytes.len());
    (&bytes[begin..end], (end < bytes.len()).then_some(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_by_lines_from_both_ends() {
        let text = "a\nb\nc\nd";
        let get = |offset, count| {
            let page = page(text, offset, count, 100);
            (page.content.to_owned(), page.next)
        };
        assert_eq!(get(0, 2), ("a\nb\n".into(), Some(2)));
        assert_eq!(get(2, 2), ("c\nd".into(), None));
        assert_eq!(get(-1, 9), ("d".into(), None));
        assert_eq!(get(-9, 1), ("a\n".into(), Some(1)));
        assert_eq!(get(9, 1), (String::new(), None));
        assert_eq!(get(i64::MIN, 9), (text.into(), None));
        assert_eq!(get(i64::MAX, 9), (String::new(), None));
    }

    #[test]
    fn a_line_larger_than_a_page_is_cut_between_characters() {
        let page = page("ééé\nx\n", 0, 10, 3);
        assert_eq!((page.content, page.next, page.cut), ("é", Some(1), true));
    }

    #[test]
    fn encodings_are_named_sniffed_and_refused() {
        let get = |bytes: &[u8], label| decode(bytes, label).map(|it| (it.content, it.encoding, it.lossy));
        for label in ["latin-1", "latin_1", "latin1", "iso8859-1", "cp1252"] {
            assert!(matches!(get(b"caf\xe9", label), Ok((text, _, false)) if text == "café"), "{label}");
        }
        assert!(matches!(get(b"\xef\xbb\xbfx", "utf_8_sig"), Ok((text, "UTF-8", false)) if text == "x"));
        assert!(
            matches!(get(b"caf\xe9", "windows-1252"), Ok((text, "windows-1252", false)) if text == "café")
        );
        assert!(matches!(get(b"caf\xe9", "utf-8"), Ok((_, "UTF-8", true))));
        assert!(matches!(get(b"\xff\xfeh\0i\0", "utf-8"), Ok((text, "UTF-16LE", false)) if text == "hi"));
        assert!(matches!(get(b"h\0i\0", "utf-16le"), Ok((text, "UTF-16LE", false)) if text == "hi"));
        assert!(matches!(get(b"\x82\xb1", "shift_jis"), Ok((text, "Shift_JIS", false)) if text == "こ"));
        assert!(matches!(get(b"h\0i", "utf-8"), Err(FileError::NotText)));
        assert!(matches!(get(b"hi", "klingon"), Err(FileError::UnknownEncoding)));
    }
}
