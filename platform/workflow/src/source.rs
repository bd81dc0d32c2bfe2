//! YAML as a tree in which every value knows its line and column.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value};
use serde_saphyr::{Spanned, budget, options};

use crate::bounds::{SOURCE_BYTES_MAX, YAML_ALIASES_MAX, YAML_DEPTH_MAX, YAML_EVENTS_MAX, YAML_NODES_MAX};

/// Line and column, counted from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) content: Content,
}

/// What a value is.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    Scalar(Value),
    List(Vec<Node>),
    /// In the order of the file; the place of the key beside the value.
    Map(Vec<(String, Place, Node)>),
}

/// Why a text is no usable YAML.
#[derive(Clone, Debug)]
pub(crate) struct Unreadable {
    pub(crate) place: Place,
    pub(crate) message: String,
}

/// Reads one document within the bounds.
pub(crate) fn read(text: &str) -> Result<Node, Unreadable> {
    if text.len() > SOURCE_BYTES_MAX {
        let message = format!("the file is larger than {} KiB", SOURCE_BYTES_MAX >> 10);
        return Err(Unreadable { place: Place { line: 1, column: 1 }, message });
    }
    let options = options! {
        budget: budget! {
            max_events: YAML_EVENTS_MAX,
            max_aliases: YAML_ALIASES_MAX,
            max_anchors: YAML_ALIASES_MAX,
            max_depth: YAML_DEPTH_MAX,
            max_nodes: YAML_NODES_MAX,
            max_recorded_anchor_events: YAML_EVENTS_MAX,
        },
        with_snippet: false,
        // `y`, `no` and `on` are words, as YAML 1.2 has it.
        strict_booleans: true,
    };
    let raw: Spanned<Raw> = serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let place = error.location().map_or(Place { line: 1, column: 1 }, |it| place_of(&it));
        Unreadable { place, message: without_place(&error.to_string()) }
    })?;
    let mut left = YAML_NODES_MAX;
    node(raw, &mut left).ok_or(Unreadable {
        place: Place { line: 1, column: 1 },
        message: format!("the file holds more than {YAML_NODES_MAX} values once its aliases are written out"),
    })
}

impl Node {
    /// The value without its places.
    pub(crate) fn to_value(&self) -> Value {
        match &self.content {
            Content::Scalar(value) => value.clone(),
            Content::List(items) => items.iter().map(Self::to_value).collect(),
            Content::Map(entries) => {
                let pairs = entries.iter().map(|(key, _, it)| (key.clone(), it.to_value()));
                Value::Object(pairs.collect::<Map<_, _>>())
            }
        }
    }

    /// The place of the nearest value on the way to `path` (parts of a JSON pointer).
    pub(crate) fn place_at<'a>(&self, path: impl IntoIterator<Item = &'a str>) -> Place {
        let (mut node, mut place) = (self, self.place);
        for part in path {
            let next = match &node.content {
                Content::Map(entries) => {
                    entries.iter().find(|(it, ..)| it == part).map(|(_, at, it)| (*at, it))
                }
                Content::List(items) => {
                    part.parse::<usize>().ok().and_then(|it| items.get(it)).map(|it| (it.place, it))
                }
                Content::Scalar(_) => None,
            };
            let Some((at, next)) = next else { break };
            (node, place) = (next, at);
        }
        place
    }
}

fn place_of(location: &serde_saphyr::Location) -> Place {
    let whole = |it: u64| usize::try_from(it).unwrap_or(usize::MAX).max(1);
    Place { line: whole(location.line()), column: whole(location.column()) }
}

/// The place is told apart from the message; the parser says it again at the end.
fn without_place(message: &str) -> String {
    let first = message.lines().next().unwrap_or_default();
    let end = first.rfind(" at line ").or_else(|| first.rfind(" (line ")).unwrap_or(first.len());
    first[..end].trim_start_matches("error: ").to_owned()
}

/// `None`: more values than allowed.
fn node(raw: Spanned<Raw>, left: &mut usize) -> Option<Node> {
    *left = left.checked_sub(1)?;
    let place = place_of(&raw.referenced);
    let content = match raw.value {
        Raw::Scalar(value) => Content::Scalar(value),
        Raw::List(items) => Content::List(items.into_iter().map(|it| node(it, left)).collect::<Option<_>>()?),
        Raw::Map(entries) => {
            let entries = entries.into_iter().map(|(key, value)| {
                let at = place_of(&key.referenced);
                Some((key.value, at, node(value, left)?))
            });
            Content::Map(entries.collect::<Option<_>>()?)
        }
    };
    Some(Node { place, content })
}

enum Raw {
    Scalar(Value),
    List(Vec<Spanned<Self>>),
    Map(Vec<(Spanned<String>, Spanned<Self>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Scalar(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Scalar(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Scalar(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Scalar(Number::from_f64(value).map_or(Value::Null, Value::Number)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Scalar(value.into()))
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Scalar(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Scalar(Value::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        Raw::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Raw::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Raw::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_know_where_they_stand() {
        let node = read("workflow: a\nsteps:\n  - id: one\n    with: { x: 1, y: \"2\", z: null }\n").unwrap();
        let expected =
            json!({"workflow": "a", "steps": [{"id": "one", "with": {"x": 1, "y": "2", "z": null}}]});
        assert_eq!(node.to_value(), expected);
        assert_eq!(node.place_at(["steps", "0", "with", "y"]), Place { line: 4, column: 19 });
        assert_eq!(node.place_at(["steps", "0", "nothing"]).line, 3);
        assert_eq!(read("[y, no, on, true]").unwrap().to_value(), json!(["y", "no", "on", true]));
    }

    #[test]
    fn what_is_no_yaml_or_a_bomb_is_refused_with_its_place() {
        assert_eq!(read("a: 1\nb: [1\n").err().map(|it| it.place.line >= 2), Some(true));
        assert!(read("a: 1\na: 2\n").is_err(), "a key twice");
        let bomb = (1..9).fold("a0: &a0 [x]\n".to_owned(), |text, n| {
            let many = vec![format!("*a{}", n - 1); 9].join(", ");
            format!("{text}a{n}: &a{n} [{many}]\n")
        });
        assert!(read(&bomb).is_err());
        assert!(read(&format!("a: {}1{}", "[".repeat(200), "]".repeat(200))).is_err());
        assert!(read(&"#".repeat(SOURCE_BYTES_MAX + 1)).is_err());
    }
}
