//! Output of unknown size in bounded memory.

use std::collections::VecDeque;

/// Which stream bytes came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    Out,
    Err,
}

/// The beginning and the end of a stream; what lies between is counted and dropped.
#[derive(Clone, Debug)]
pub(crate) struct Captured {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    half: usize,
    total: u64,
}

impl Captured {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { head: Vec::new(), tail: VecDeque::new(), half: (bytes_max / 2).max(1), total: 0 }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.total += bytes.len() as u64;
        let (head, rest) = bytes.split_at(bytes.len().min(self.half - self.head.len()));
        self.head.extend_from_slice(head);
        self.tail.extend(rest);
        let surplus = self.tail.len().saturating_sub(self.half);
        self.tail.drain(..surplus);
    }

    /// All bytes that came, kept or not.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.dropped() > 0
    }

    fn dropped(&self) -> u64 {
        self.total - (self.head.len() + self.tail.len()) as u64
    }

    /// What was kept, with a line that says how much is missing. Bytes that are no UTF-8 are replaced.
    pub(crate) fn text(&self) -> String {
        let dropped = self.dropped();
        let (front, back) = self.tail.as_slices();
        if dropped == 0 {
            return String::from_utf8_lossy(&[&self.head, front, back].concat()).into_owned();
        }
        let head = String::from_utf8_lossy(&self.head);
        let tail = [front, back].concat();
        format!("{head}\n[… {dropped} bytes left out …]\n{}", String::from_utf8_lossy(&tail))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(max: usize, pieces: &[&str]) -> (String, u64, bool) {
        let mut captured = Captured::new(max);
        pieces.iter().for_each(|piece| captured.push(piece.as_bytes()));
        (captured.text(), captured.total(), captured.is_cut())
    }

    #[test]
    fn the_beginning_and_the_end_are_kept() {
        assert_eq!(kept(8, &["abc", "def"]), ("abcdef".into(), 6, false));
        assert_eq!(kept(8, &["abcdefgh"]), ("abcdefgh".into(), 8, false));
        let (text, total, cut) = kept(8, &["abcdefghij", "kl"]);
        assert_eq!((text.as_str(), total, cut), ("abcd\n[… 4 bytes left out …]\nijkl", 12, true));
        assert_eq!(kept(8, &[]), (String::new(), 0, false));
    }
}
