//! A path as a caller names it, in one spelling for policy, audit and the file system.

use std::fmt;

use kernel::Resource;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer};

/// A path without `.`, empty parts and, as far as possible, `..`.
///
/// What policy decides on and what is opened are the same text, so a rule about a folder cannot be passed
/// by a detour. What still climbs after that is refused by the guard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AskedPath(String);

impl AskedPath {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn into_string(self) -> String {
        self.0
    }

    pub(crate) fn resource(&self) -> Resource {
        Resource::new("file", &self.0)
    }

    fn plain(asked: &str) -> String {
        let mut parts: Vec<&str> = Vec::new();
        for part in asked.split('/') {
            match part {
                "" | "." => {}
                ".." if parts.last().is_some_and(|last| *last != "..") => {
                    parts.pop();
                }
                other => parts.push(other),
            }
        }
        match (asked.starts_with('/'), parts.join("/")) {
            (true, rest) => format!("/{rest}"),
            (false, rest) if rest.is_empty() && !asked.is_empty() => ".".to_owned(),
            (false, rest) => rest,
        }
    }
}

impl<'de> Deserialize<'de> for AskedPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|asked| Self(Self::plain(&asked)))
    }
}

impl JsonSchema for AskedPath {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Path".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        String::json_schema(generator)
    }
}

impl fmt::Display for AskedPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn detours_are_straightened_and_climbing_stays_visible() {
        let table = [
            ("a/b", "a/b"),
            ("./a//b/", "a/b"),
            ("a/../b", "b"),
            ("a/../../b", "../b"),
            ("../../b", "../../b"),
            ("/r/../o/f", "/o/f"),
            ("/..", "/.."),
            ("a/..", "."),
            (".", "."),
            ("", ""),
            ("/", "/"),
            ("%2e%2e/f", "%2e%2e/f"),
            ("..\\f", "..\\f"),
        ];
        for (asked, expected) in table {
            assert_eq!(AskedPath::plain(asked), expected, "{asked}");
        }
    }
}
