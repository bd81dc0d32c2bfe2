//! Limits on the form of JSON, checked before anything is built from it.
//!
//! One pass without recursion: a body of brackets cannot exhaust the stack, a body of zeros cannot
//! grow thirty-fold in memory, and no key can be read one way here and another way behind us.

use std::{borrow::Cow, collections::HashSet};

/// Deepest nesting of arrays and objects.
pub const DEPTH_MAX: usize = 128;

/// Most values (of any kind) in one message: bounds what a small body can become in memory.
pub const VALUES_MAX: usize = 262_144;

/// Up to here keys are compared pairwise; beyond, a set is built.
const PAIRWISE_MAX: usize = 16;

/// What is wrong with the form of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// Nested deeper than [`DEPTH_MAX`].
    #[error("nested deeper than {DEPTH_MAX} levels")]
    TooDeep,
    /// More values than [`VALUES_MAX`].
    #[error("more than {VALUES_MAX} values in one message")]
    TooMany,
    /// One object says the same key twice.
    #[error("an object has the same key twice")]
    DuplicateKey,
    /// Not UTF-8.
    #[error("not UTF-8")]
    NotText,
    /// Strings or brackets do not end. Finer syntax is the parser's business.
    #[error("not JSON")]
    Broken,
}

/// Checks depth, number of values and repeated keys.
///
/// It accepts some text that is not JSON: the parser that follows refuses that.
pub fn check_shape(body: &[u8]) -> Result<(), ShapeError> {
    if std::str::from_utf8(body).is_err() {
        return Err(ShapeError::NotText);
    }
    Scan { body, at: 0, values: 0, keys: Vec::with_capacity(32), open: Vec::with_capacity(8) }.run()
}

/// Where an object's keys begin in the shared list; `None` for an array.
type Level = Option<usize>;

struct Scan<'a> {
    body: &'a [u8],
    at: usize,
    values: usize,
    keys: Vec<Cow<'a, [u8]>>,
    open: Vec<Level>,
}

impl<'a> Scan<'a> {
    fn run(mut self) -> Result<(), ShapeError> {
        while let Some(byte) = self.body.get(self.at) {
            self.at += 1;
            match byte {
                b'{' => self.enter(Some(self.keys.len()))?,
                b'[' => self.enter(None)?,
                b'}' | b']' => self.leave()?,
                b'"' => self.string()?,
                // Each value but the first of its container follows a comma.
                b',' => self.count()?,
                _ => {}
            }
        }
        if self.open.is_empty() { Ok(()) } else { Err(ShapeError::Broken) }
    }

    fn enter(&mut self, level: Level) -> Result<(), ShapeError> {
        if self.open.len() == DEPTH_MAX {
            return Err(ShapeError::TooDeep);
        }
        self.open.push(level);
        self.count()
    }

    fn leave(&mut self) -> Result<(), ShapeError> {
        let Some(level) = self.open.pop() else { return Err(ShapeError::Broken) };
        if let Some(first) = level {
            if repeats(&self.keys[first..]) {
                return Err(ShapeError::DuplicateKey);
            }
            self.keys.truncate(first);
        }
        Ok(())
    }

    fn count(&mut self) -> Result<(), ShapeError> {
        self.values += 1;
        if self.values > VALUES_MAX { Err(ShapeError::TooMany) } else { Ok(()) }
    }

    fn string(&mut self) -> Result<(), ShapeError> {
        let start = self.at;
        let mut escaped = false;
        loop {
            match self.body.get(self.at) {
                None => return Err(ShapeError::Broken),
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.at += 2;
                }
                Some(_) => self.at += 1,
            }
        }
        let end = self.at;
        self.at += 1;
        if matches!(self.open.last(), Some(Some(_))) && self.colon_follows() {
            self.keys.push(plain_key(self.body, start, end, escaped)?);
        }
        Ok(())
    }

    fn colon_follows(&self) -> bool {
        let rest = self.body[self.at.min(self.body.len())..].iter();
        rest.copied().find(|byte| !byte.is_ascii_whitespace()) == Some(b':')
    }
}

/// The key as the parser will see it: `"\u0061"` and `"a"` are the same key.
fn plain_key(body: &[u8], start: usize, end: usize, escaped: bool) -> Result<Cow<'_, [u8]>, ShapeError> {
    if !escaped {
        return Ok(Cow::Borrowed(&body[start..end]));
    }
    serde_json::from_slice::<String>(&body[start - 1..=end])
        .map(|key| Cow::Owned(key.into_bytes()))
        .map_err(|_| ShapeError::Broken)
}

fn repeats(keys: &[Cow<'_, [u8]>]) -> bool {
    if keys.len() <= PAIRWISE_MAX {
        return keys.iter().enumerate().any(|(index, key)| keys[..index].contains(key));
    }
    let mut seen = HashSet::with_capacity(keys.len());
    keys.iter().any(|key| !seen.insert(key))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_limits_are_exact() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(check_shape(nested(DEPTH_MAX).as_bytes()), Ok(()));
        assert_eq!(check_shape(nested(DEPTH_MAX + 1).as_bytes()), Err(ShapeError::TooDeep));
        assert_eq!(check_shape(nested(100_000).as_bytes()), Err(ShapeError::TooDeep));
        let zeros = |count: usize| format!("[{}]", vec!["0"; count].join(","));
        assert_eq!(check_shape(zeros(VALUES_MAX).as_bytes()), Ok(()));
        assert_eq!(check_shape(zeros(VALUES_MAX + 1).as_bytes()), Err(ShapeError::TooMany));
    }

    #[test]
    fn a_key_may_stand_once_however_it_is_spelled() {
        for (body, result) in [
            (r#"{"a":1,"b":{"a":2}}"#, Ok(())),
            (r#"{"a":"a","b":"a"}"#, Ok(())),
            (r#"[{"a":1},{"a":1}]"#, Ok(())),
            (r#"{"a":1,"a":2}"#, Err(ShapeError::DuplicateKey)),
            (r#"{"a":1,"\u0061":2}"#, Err(ShapeError::DuplicateKey)),
            (r#"{"a" : 1, "b":[{"x":0,"x" :1}]}"#, Err(ShapeError::DuplicateKey)),
            (r#"{"k":{"a":1},"k":{"a":1}}"#, Err(ShapeError::DuplicateKey)),
            (r#"{"a\"":1,"a":2}"#, Ok(())),
            (r#"{"a":1"#, Err(ShapeError::Broken)),
            (r#"{"a"#, Err(ShapeError::Broken)),
            (r#"{"a\"#, Err(ShapeError::Broken)),
            ("]", Err(ShapeError::Broken)),
            (r#"{"\ud800":1}"#, Err(ShapeError::Broken)),
        ] {
            assert_eq!(check_shape(body.as_bytes()), result, "{body}");
        }
        assert_eq!(check_shape(b"\"\xff\""), Err(ShapeError::NotText));
    }

    #[test]
    fn many_keys_are_compared_too() {
        let keys = |last: &str| {
            let body: Vec<_> = (0..1000).map(|index| format!("\"k{index}\":0")).collect();
            format!("{{{},\"{last}\":0}}", body.join(","))
        };
        assert_eq!(check_shape(keys("other").as_bytes()), Ok(()));
        assert_eq!(check_shape(keys("k0").as_bytes()), Err(ShapeError::DuplicateKey));
    }

    /// Any JSON tree, not too deep to generate.
    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            ".*".prop_map(serde_json::Value::from),
        ];
        leaf.prop_recursive(6, 64, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Into::into),
                prop::collection::hash_map(".*", inner, 0..8).prop_map(|map| map.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn whatever_serde_writes_is_accepted(value in any_json()) {
            prop_assert_eq!(check_shape(value.to_string().as_bytes()), Ok(()));
            prop_assert_eq!(check_shape(format!("{value:#}").as_bytes()), Ok(()));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), cut in 0_usize..200) {
            let checked = check_shape(&bytes);
            prop_assert!(checked.is_ok() || serde_json::from_slice::<serde_json::Value>(&bytes).is_err()
                || checked == Err(ShapeError::DuplicateKey));
            let message = br#"{"jsonrpc":"2.0","id":"a\"\u0062","method":"tools/call","params":{"x":[{"y":"\\"}]}}"#;
            // Half a message is never taken for a whole one.
            let cut = cut.min(message.len() - 1);
            prop_assert!(crate::read_frame(&message[..cut]).is_err());
            prop_assert!(crate::read_frame(message).is_ok());
        }
    }
}
