//! Server-sent events, taken apart as they arrive.

use bytes::{Bytes, BytesMut};

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Event {
    /// `event:`; empty means `message`.
    pub(crate) kind: String,
    /// The `data:` lines, joined by line breaks.
    pub(crate) data: Bytes,
    /// `id:` as of this event.
    pub(crate) id: Option<String>,
}

/// An event, or the stream, is larger than we take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLarge;

/// Longest `id:` and `event:` that is kept.
const WORD_BYTES_MAX: usize = 1024;

/// Takes a stream apart; holds at most one event.
pub(crate) struct Events {
    buffer: BytesMut,
    /// Up to here the buffer holds no line break.
    searched: usize,
    current: Event,
    data: BytesMut,
    has_data: bool,
    bytes_max: usize,
    /// The last `id:`, which outlives its event.
    pub(crate) last_id: Option<String>,
    /// The last `retry:` in milliseconds.
    pub(crate) retry_ms: Option<u64>,
}

impl Events {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self {
            buffer: BytesMut::new(),
            searched: 0,
            current: Event::default(),
            data: BytesMut::new(),
            has_data: false,
            bytes_max,
            last_id: None,
            retry_ms: None,
        }
    }

    /// Takes what arrived.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), TooLarge> {
        if self.buffer.len() + self.data.len() + bytes.len() > self.bytes_max {
            return Err(TooLarge);
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    /// The next whole event, if it has arrived.
    pub(crate) fn next(&mut self) -> Option<Event> {
        while let Some(line) = self.line() {
            if line.is_empty() {
                let event = std::mem::take(&mut self.current);
                let data = self.data.split().freeze();
                if std::mem::take(&mut self.has_data) {
                    return Some(Event { data, id: self.last_id.clone(), ..event });
                }
                continue;
            }
            self.field(&line);
        }
        None
    }

    /// A line without its end. A lone CR that stands last may be half of a CRLF: it waits.
    fn line(&mut self) -> Option<Bytes> {
        let found = self.buffer[self.searched..].iter().position(|it| matches!(it, b'\n' | b'\r'));
        let Some(at) = found.map(|it| it + self.searched) else {
            self.searched = self.buffer.len();
            return None;
        };
        let is_return = self.buffer[at] == b'\r';
        if is_return && at + 1 == self.buffer.len() {
            self.searched = at;
            return None;
        }
        let end = if is_return && self.buffer[at + 1] == b'\n' { at + 2 } else { at + 1 };
        let mut line = self.buffer.split_to(end).freeze();
        line.truncate(at);
        self.searched = 0;
        Some(line)
    }

    fn field(&mut self, line: &Bytes) {
        let colon = line.iter().position(|it| *it == b':').unwrap_or(line.len());
        let (name, rest) = (&line[..colon], line.slice((colon + 1).min(line.len())..));
        let value = if rest.first() == Some(&b' ') { rest.slice(1..) } else { rest };
        let word = || {
            std::str::from_utf8(&value).ok().filter(|it| it.len() <= WORD_BYTES_MAX).map(ToOwned::to_owned)
        };
        match name {
            b"data" => {
                if self.has_data {
                    self.data.extend_from_slice(b"\n");
                }
                self.data.extend_from_slice(&value);
                self.has_data = true;
            }
            b"event" => self.current.kind = word().unwrap_or_default(),
            b"id" if !value.contains(&0) => self.last_id = word().or(self.last_id.take()),
            b"retry" => self.retry_ms = word().and_then(|it| it.parse().ok()).or(self.retry_ms),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(pieces: &[&str]) -> Vec<(String, String, Option<String>)> {
        let mut events = Events::new(10_000);
        let mut found = Vec::new();
        for piece in pieces {
            events.push(piece.as_bytes()).unwrap();
            while let Some(event) = events.next() {
                found.push((event.kind, String::from_utf8_lossy(&event.data).into_owned(), event.id));
            }
        }
        found
    }

    fn event(kind: &str, data: &str, id: Option<&str>) -> (String, String, Option<String>) {
        (kind.into(), data.into(), id.map(ToOwned::to_owned))
    }

    #[test]
    fn events_are_what_the_standard_says() {
        assert_eq!(read(&["data: a\n\n"]), [event("", "a", None)]);
        assert_eq!(read(&["data:a\r\ndata:  b\r\n\r\n"]), [event("", "a\n b", None)]);
        assert_eq!(read(&["event: endpoint\rdata: /m\r\r", ""]), []);
        assert_eq!(read(&["event: endpoint\rdata: /m\r\r", "\n"]), [event("endpoint", "/m", None)]);
        assert_eq!(read(&[": comment\n\nid: 1\n\n"]), []);
        assert_eq!(
            read(&["id: 1\ndata: a\n\ndata: b\n\n"]),
            [event("", "a", Some("1")), event("", "b", Some("1"))]
        );
        assert_eq!(read(&["data\n\n"]), [event("", "", None)]);
        assert_eq!(read(&["dat", "a: x", "\n", "\n"]), [event("", "x", None)]);
        assert_eq!(read(&["data: no end"]), []);
    }

    #[test]
    fn an_endless_event_is_refused() {
        let mut events = Events::new(100);
        assert_eq!(events.push(&[b'x'; 101]), Err(TooLarge));
        for _ in 0..10 {
            if events.push(b"data: 0123456789\n").is_err() {
                return;
            }
            assert!(events.next().is_none());
        }
        panic!("an event grew beyond its bound");
    }

    proptest! {
        #[test]
        fn no_bytes_whatever_upset_it_or_make_it_grow(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..20),
        ) {
            let mut events = Events::new(300);
            for piece in pieces {
                if events.push(&piece).is_err() {
                    break;
                }
                while events.next().is_some() {}
                prop_assert!(events.buffer.len() + events.data.len() <= 300);
            }
        }

        #[test]
        fn where_the_pieces_break_changes_nothing(
            cuts in prop::collection::vec(0_usize..60, 0..6),
            end in prop::sample::select(vec!["\n", "\r\n"]),
        ) {
            let text = format!("id: 7{end}event: x{end}data: {{\"a\":1}}{end}{end}data: b{end}data: c{end}{end}");
            let mut cuts: Vec<usize> = cuts.into_iter().map(|it| it.min(text.len())).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&str> = cuts.windows(2).map(|it| &text[it[0]..it[1]]).collect();
            prop_assert_eq!(read(&pieces), read(&[&text]));
        }
    }
}
