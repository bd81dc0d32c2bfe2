//! YAML as a JSON value, within bounds.
//!
//! Every scalar stays text: lock files write versions that look like numbers.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser};
use serde_json::{Map, Value};

/// Levels of nesting.
const DEPTH_MAX: usize = 64;
/// Values in one document, repeated ones counted each time.
const NODES_MAX: usize = 2_000_000;

/// Reads the first document that is no empty one.
pub(crate) fn parse(text: &str) -> Result<Value, String> {
    let mut reader = Reader { stack: Vec::new(), anchors: HashMap::new(), nodes: 0, done: None };
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| format!("it is no YAML: {error}"))?;
        let at = span.start.line();
        reader.event(event).map_err(|rule| format!("{rule} (line {at})"))?;
        if reader.done.as_ref().is_some_and(|it| !it.is_null()) {
            break;
        }
    }
    Ok(reader.done.unwrap_or(Value::Null))
}

enum Open {
    List(Vec<Value>),
    Map(Map<String, Value>, Option<String>),
}

struct Reader {
    stack: Vec<(Open, usize)>,
    /// Anchored values with the number of values in them.
    anchors: HashMap<usize, (Value, usize)>,
    nodes: usize,
    done: Option<Value>,
}

impl Reader {
    fn event(&mut self, event: Event<'_>) -> Result<(), &'static str> {
        match event {
            Event::Scalar(text, _, anchor, _) => self.value(Value::String(text.into_owned()), anchor, 1),
            Event::SequenceStart(anchor, _) => self.open(Open::List(Vec::new()), anchor),
            Event::MappingStart(anchor, _) => self.open(Open::Map(Map::new(), None), anchor),
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(anchor) => {
                let (value, size) =
                    self.anchors.get(&anchor).cloned().ok_or("it repeats a value inside itself")?;
                self.value(value, 0, size)
            }
            _ => Ok(()),
        }
    }

    fn open(&mut self, open: Open, anchor: usize) -> Result<(), &'static str> {
        if self.stack.len() == DEPTH_MAX {
            return Err("it nests too deep");
        }
        self.stack.push((open, anchor));
        Ok(())
    }

    fn close(&mut self) -> Result<(), &'static str> {
        let Some((open, anchor)) = self.stack.pop() else { return Ok(()) };
        let value = match open {
            Open::List(items) => Value::Array(items),
            Open::Map(map, _) => Value::Object(map),
        };
        let size = if anchor > 0 { size_of(&value) } else { 1 };
        self.value(value, anchor, size)
    }

    fn value(&mut self, value: Value, anchor: usize, size: usize) -> Result<(), &'static str> {
        // Counted before anything is copied: a document of repeated repetitions ends here.
        self.nodes = self.nodes.saturating_add(size);
        if self.nodes > NODES_MAX {
            return Err("it holds too many values");
        }
        if anchor > 0 {
            self.anchors.insert(anchor, (value.clone(), size));
        }
        match self.stack.last_mut() {
            None => self.done = Some(value),
            Some((Open::List(items), _)) => items.push(value),
            Some((Open::Map(map, key), _)) => match key.take() {
                Some(key) => {
                    map.insert(key, value);
                }
                None => *key = Some(text_of(value)),
            },
        }
        Ok(())
    }
}

fn text_of(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

fn size_of(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(size_of).sum::<usize>(),
        Value::Object(map) => 1 + map.values().map(size_of).sum::<usize>(),
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn versions_stay_text_and_repetitions_are_resolved() {
        let value = parse("a: &x {v: 1.10, on: yes}\nb: [*x, '2', ~]\n").unwrap();
        let x = json!({"v": "1.10", "on": "yes"});
        assert_eq!(value, json!({"a": x, "b": [x, "2", "~"]}));
    }

    #[test]
    fn a_billion_laughs_end_early() {
        let mut text = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
        for at in 1..12 {
            let last = format!("*a{}", at - 1);
            text += &format!("a{at}: &a{at} [{}]\n", [last.as_str(); 10].join(","));
        }
        assert!(parse(&text).unwrap_err().contains("too many values"));
    }

    #[test]
    fn what_is_broken_or_deep_is_refused() {
        assert!(parse("a: [").is_err());
        assert!(parse("\"\\").is_err());
        assert!(parse(&"[".repeat(10_000)).is_err());
        assert!(
            parse(&(0..80).map(|at| format!("{}a:\n", " ".repeat(at))).collect::<String>())
                .unwrap_err()
                .contains("deep")
        );
        assert!(parse("a: *gone").is_err());
        assert_eq!(parse(""), Ok(Value::Null));
    }
}
