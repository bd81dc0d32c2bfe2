//! JSON that is passed on as it was written.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, value::RawValue};

/// A JSON value as its sender wrote it: cheap to clone, never serialised anew.
///
/// What others wrote may hold fields we do not know and numbers we cannot hold; they survive in here.
#[derive(Clone)]
pub struct Raw(Arc<RawValue>);

impl Raw {
    /// Serialises a value of our own.
    pub fn of(value: &impl Serialize) -> Self {
        serde_json::value::to_raw_value(value).expect("a tree of plain values is JSON").into()
    }

    /// Takes text that is one JSON value; `None` when it is not.
    pub fn parse(text: String) -> Option<Self> {
        RawValue::from_string(text).ok().map(Into::into)
    }

    /// The text.
    pub fn get(&self) -> &str {
        self.0.get()
    }

    /// The value as `serde_json` reads it, for looking into it.
    pub fn to_value(&self) -> Value {
        serde_json::from_str(self.get()).unwrap_or_default()
    }

    /// The members of an object in the order they were written; `None` when it is none.
    pub fn members(&self) -> Option<Vec<(String, &RawValue)>> {
        serde_json::from_str::<Members<'_>>(self.get()).ok().map(|it| it.0)
    }

    /// One member of an object.
    pub fn member(&self, name: &str) -> Option<&RawValue> {
        self.members()?.into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// The same object with one member put in place of its old value, or at the end. Other bytes of
    /// values and their order stay. `None` as a value takes the member out.
    #[must_use]
    pub fn with(&self, name: &str, value: Option<&Self>) -> Self {
        let Some(members) = self.members() else { return self.clone() };
        let mut out = String::with_capacity(self.get().len() + 64);
        let mut placed = false;
        for (key, old) in members {
            let text = match (key == name, value) {
                (false, _) => old.get(),
                (true, None) => continue,
                (true, Some(value)) => {
                    placed = true;
                    value.get()
                }
            };
            push_member(&mut out, &key, text);
        }
        if let Some(value) = value.filter(|_| !placed) {
            push_member(&mut out, name, value.get());
        }
        out.push_str(if out.is_empty() { "{}" } else { "}" });
        Self::parse(out).unwrap_or_else(|| self.clone())
    }
}

fn push_member(out: &mut String, key: &str, value: &str) {
    out.push(if out.is_empty() { '{' } else { ',' });
    out.push_str(&serde_json::to_string(key).expect("a string is JSON"));
    out.push(':');
    out.push_str(value);
}

/// Members in order; a repeated key keeps its first place and last value, as most readers do.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members: Vec<(String, &RawValue)> = Vec::new();
                let mut places = std::collections::HashMap::new();
                while let Some((key, value)) = map.next_entry::<String, &RawValue>()? {
                    match places.get(&key) {
                        Some(place) => {
                            let place: &usize = place;
                            members[*place].1 = value;
                        }
                        None => {
                            places.insert(key.clone(), members.len());
                            members.push((key, value));
                        }
                    }
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

impl From<Box<RawValue>> for Raw {
    fn from(value: Box<RawValue>) -> Self {
        Self(value.into())
    }
}

impl From<&RawValue> for Raw {
    fn from(value: &RawValue) -> Self {
        value.to_owned().into()
    }
}

impl PartialEq for Raw {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Raw({} bytes)", self.get().len())
    }
}

impl Serialize for Raw {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Raw {
        Raw::parse(text.into()).unwrap()
    }

    #[test]
    fn one_member_changes_and_every_other_byte_of_a_value_stays() {
        let tool = raw(r#"{"name":"a","n":1.000e400,"x":[ 1 ,{"y":"\u00e9"}],"z":99999999999999999999}"#);
        let name = Raw::of(&"b");
        assert_eq!(
            tool.with("name", Some(&name)).get(),
            r#"{"name":"b","n":1.000e400,"x":[ 1 ,{"y":"\u00e9"}],"z":99999999999999999999}"#
        );
        assert_eq!(raw(r#"{"a":1}"#).with("b", Some(&name)).get(), r#"{"a":1,"b":"b"}"#);
        assert_eq!(raw(r#"{"a":1}"#).with("a", None).get(), "{}");
        assert_eq!(raw("{}").with("a", None).get(), "{}");
        assert_eq!(raw("[1]").with("a", Some(&name)).get(), "[1]");
    }

    #[test]
    fn what_is_not_json_is_not_taken() {
        assert_eq!(Raw::parse("{".into()), None);
        assert_eq!(Raw::parse("1 2".into()), None);
        assert_eq!(raw(r#"{"a":1,"a":2}"#).member("a").unwrap().get(), "2");
    }
}
