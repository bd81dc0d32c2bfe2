//! Lines of bounded length.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt};

/// One line without its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// As it was sent.
    Whole(&'a [u8]),
    /// Longer than allowed; it was skipped to its end.
    TooLong,
    /// There are no more.
    End,
}

/// Reads lines, never holding more than one of the longest.
pub(super) struct Lines<R> {
    reader: R,
    max: usize,
    line: Vec<u8>,
    /// How far the last line given out must be forgotten; also survives a cancelled read.
    given: bool,
    too_long: bool,
}

impl<R: AsyncBufRead + Unpin> Lines<R> {
    pub(super) fn new(reader: R, max: usize) -> Self {
        Self { reader, max, line: Vec::new(), given: false, too_long: false }
    }

    /// The next line. Safe to cancel: what was read stays for the next call.
    pub(super) async fn next(&mut self) -> io::Result<Line<'_>> {
        if self.given {
            // One huge line must not keep its buffer for the rest of a long session.
            self.line.clear();
            self.line.shrink_to(64 * 1024);
            self.given = false;
        }
        loop {
            let chunk = self.reader.fill_buf().await?;
            if chunk.is_empty() {
                return Ok(self.rest());
            }
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let text = &chunk[..end.unwrap_or(chunk.len())];
            if self.line.len() + text.len() > self.max {
                self.too_long = true;
                self.line.clear();
            }
            if !self.too_long {
                self.line.extend_from_slice(text);
            }
            let used = end.map_or(chunk.len(), |end| end + 1);
            self.reader.consume(used);
            if end.is_some() {
                return Ok(self.give());
            }
        }
    }

    fn give(&mut self) -> Line<'_> {
        self.given = true;
        if std::mem::take(&mut self.too_long) { Line::TooLong } else { Line::Whole(&self.line) }
    }

    /// A last line may lack its end.
    fn rest(&mut self) -> Line<'_> {
        if self.line.is_empty() && !self.too_long { Line::End } else { self.give() }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::BufReader;

    use super::*;

    #[tokio::test]
    async fn lines_are_cut_at_their_ends_and_long_ones_are_skipped() {
        let input: &[u8] = b"one\n\n12345678\n123456789\nnext\r\n123456789";
        for capacity in [1, 3, 64] {
            let mut lines = Lines::new(BufReader::with_capacity(capacity, input), 8);
            for expected in [
                Line::Whole(b"one"),
                Line::Whole(b""),
                Line::Whole(b"12345678"),
                Line::TooLong,
                Line::Whole(b"next\r"),
                Line::TooLong,
                Line::End,
                Line::End,
            ] {
                assert_eq!(lines.next().await.unwrap(), expected, "capacity {capacity}");
            }
        }
        let mut lines = Lines::new(&b"no end"[..], 8);
        assert_eq!(lines.next().await.unwrap(), Line::Whole(b"no end"));
        assert_eq!(lines.next().await.unwrap(), Line::End);
    }
}
