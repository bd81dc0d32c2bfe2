//! One byte string per JSON value, so that digests mean something.

use ring::digest::{SHA256, digest};
use serde_json::Value;

/// JSON with object keys in byte order and no white space: equal values give equal bytes.
///
/// Numbers keep the form serde_json prints, so this is RFC 8785 for everything but exotic floats.
pub fn canonical_json(value: &Value) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    write_canonical(value, &mut out);
    out
}

fn write_canonical(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<_> = map.iter().collect();
            keys.sort_unstable_by(|left, right| left.0.cmp(right.0));
            out.push(b'{');
            for (index, (key, item)) in keys.into_iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                serde_json::to_writer(&mut *out, key).expect("a string is JSON");
                out.push(b':');
                write_canonical(item, out);
            }
            out.push(b'}');
        }
        Value::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_canonical(item, out);
            }
            out.push(b']');
        }
        scalar => serde_json::to_writer(out, scalar).expect("a scalar is JSON"),
    }
}

/// SHA-256 as 64 hex digits.
pub fn digest_hex(bytes: &[u8]) -> String {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let hash = digest(&SHA256, bytes);
    let mut text = String::with_capacity(64);
    for byte in hash.as_ref() {
        text.push(HEX[usize::from(byte >> 4)] as char);
        text.push(HEX[usize::from(byte & 15)] as char);
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn key_order_does_not_matter_and_array_order_does() {
        let left = canonical_json(&json!({"b": [1, {"z": 1, "a": 2}], "a": "x"}));
        assert_eq!(left, canonical_json(&json!({"a": "x", "b": [1, {"a": 2, "z": 1}]})));
        assert_eq!(left, br#"{"a":"x","b":[1,{"a":2,"z":1}]}"#);
        assert_ne!(left, canonical_json(&json!({"a": "x", "b": [{"a": 2, "z": 1}, 1]})));
    }
}
