//! Spans of time as files write them: `90s`, `10m`, `1h30m`.

use std::{fmt, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use crate::bounds::SPAN_MS_MAX;

/// A span of time in milliseconds, at most a year.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(u64);

impl Span {
    /// A span of whole seconds.
    pub(crate) const fn seconds(seconds: u64) -> Self {
        Self(seconds * 1000)
    }

    /// Milliseconds.
    pub fn ms(self) -> u64 {
        self.0
    }

    /// Reads `1h30m`; units are `ms`, `s`, `m`, `h`, `d`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut rest = text.trim();
        let mut total = 0_u64;
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let number: u64 = rest[..digits].parse().ok()?;
            rest = &rest[digits..];
            let letters = rest.bytes().take_while(u8::is_ascii_lowercase).count();
            let unit = match &rest[..letters] {
                "ms" => 1,
                "s" => 1000,
                "m" => 60_000,
                "h" => 3_600_000,
                "d" => 86_400_000,
                _ => return None,
            };
            rest = &rest[letters..];
            total = total.checked_add(number.checked_mul(unit)?)?;
        }
        (!text.trim().is_empty() && total <= SPAN_MS_MAX).then_some(Self(total))
    }
}

impl From<Span> for Duration {
    fn from(span: Span) -> Self {
        Self::from_millis(span.0)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = self.0;
        for (unit, size) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)] {
            if left >= size {
                write!(f, "{}{unit}", left / size)?;
                left %= size;
            }
        }
        if left > 0 || self.0 == 0 { write!(f, "{left}ms") } else { Ok(()) }
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text)
            .ok_or_else(|| Error::custom("a span of time is written like `90s`, `10m` or `1h30m`"))
    }
}

impl JsonSchema for Span {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^([0-9]{1,9}(ms|s|m|h|d))+$",
            "description": "A span of time such as `90s`, `10m` or `1h30m`; at most 366d.",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_and_written() {
        let check = |text: &str, ms: Option<u64>| assert_eq!(Span::parse(text).map(Span::ms), ms, "{text}");
        check("250ms", Some(250));
        check("90s", Some(90_000));
        check("1h30m", Some(5_400_000));
        check("366d", Some(SPAN_MS_MAX));
        check("0s", Some(0));
        for bad in ["", "10", "m", "-1s", "1.5s", "1w", "367d", "99999999999999999999d", "1 s"] {
            check(bad, None);
        }
        assert_eq!(Span(5_400_250).to_string(), "1h30m250ms");
        assert_eq!(Span(0).to_string(), "0ms");
    }
}
