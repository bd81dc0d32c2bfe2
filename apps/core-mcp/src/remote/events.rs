//! Server-sent events, as far as MCP uses them: `data:` lines that hold one JSON message.

use serde_json::Value;

/// Collects bytes until an event is whole.
#[derive(Default)]
pub(super) struct Events {
    pending: Vec<u8>,
    data: String,
}

impl Events {
    /// Takes the next bytes and returns the messages they complete. The caller bounds the total.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Vec<Value> {
        self.pending.extend_from_slice(bytes);
        let mut messages = Vec::new();
        let mut start = 0;
        while let Some(length) = self.pending[start..].iter().position(|it| *it == b'\n') {
            let line = String::from_utf8_lossy(&self.pending[start..start + length]).into_owned();
            start += length + 1;
            messages.extend(self.line(line.trim_end_matches('\r')));
        }
        self.pending.drain(..start);
        messages
    }

    /// An empty line ends an event; comments, ids and names say nothing to us.
    fn line(&mut self, line: &str) -> Option<Value> {
        if let Some(data) = line.strip_prefix("data:") {
            if !self.data.is_empty() {
                self.data.push('\n');
            }
            self.data.push_str(data.strip_prefix(' ').unwrap_or(data));
            return None;
        }
        if !line.is_empty() || self.data.is_empty() {
            return None;
        }
        serde_json::from_str(&std::mem::take(&mut self.data)).ok()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn events_are_found_wherever_the_bytes_are_cut() {
        let stream =
            ": hello\r\n\r\nevent: message\r\ndata: {\"a\":\r\ndata: \"ä\"}\r\n\r\nid: 1\ndata:{\"b\":2}\n\n";
        for cut in 0..stream.len() {
            let mut events = Events::default();
            let mut found = events.push(&stream.as_bytes()[..cut]);
            found.extend(events.push(&stream.as_bytes()[cut..]));
            assert_eq!(found, [json!({"a": "ä"}), json!({"b": 2})], "cut at {cut}");
        }
    }

    #[test]
    fn what_is_not_json_is_passed_over() {
        assert!(Events::default().push(b"data: oops\n\n").is_empty());
    }
}
