//! Results in the protocol's own form: what the road looks at, and the few bytes it may change.

use std::borrow::Cow;

use kernel::{Raw, ToolError};
use serde_json::{Value, json};

use crate::{
    Answer,
    redact::{MASK, mask_secrets},
};

/// Longest text of a failed result that goes into the record.
const REASON_BYTES_MAX: usize = 512;

impl Answer {
    /// A result that a server answered in the protocol's own form.
    pub fn relayed(raw: Raw) -> Self {
        Self { raw: Some(raw), ..Self::new(Value::Null) }
    }

    /// What programs want of a relayed result: its structured content, or all of it.
    pub(crate) fn look_into(&mut self) {
        if let Some(raw) = &self.raw {
            let whole = raw.to_value();
            self.structured = match whole.get("structuredContent") {
                Some(Value::Object(content)) => Value::Object(content.clone()),
                _ => whole,
            };
        }
    }
}

/// Whether a result says of itself that the call failed.
pub(crate) fn has_failed(raw: &Raw) -> bool {
    raw.member("isError").is_some_and(|it| it.get() == "true")
}

/// A failed result as an error: recorded as such, and passed on as it is.
pub(crate) fn failure(raw: Raw) -> ToolError {
    let whole = raw.to_value();
    let text = whole["content"][0]["text"].as_str().unwrap_or("the tool reported an error");
    let mut reason = text.to_owned();
    if reason.len() > REASON_BYTES_MAX {
        let at = (0..=REASON_BYTES_MAX).rev().find(|at| reason.is_char_boundary(*at)).unwrap_or(0);
        reason.truncate(at);
    }
    ToolError::failed_result(reason, raw)
}

/// Masks tokens of known formats in the string values of `raw`; every other byte stays. How many there were.
pub fn mask_raw(raw: &Raw) -> (Raw, usize) {
    // Mostly there is nothing, which one look at the whole text tells.
    if mask_secrets(raw.get()).1 == 0 {
        return (raw.clone(), 0);
    }
    let mut masked = 0;
    let (raw, _) = rewrite(raw, &[], |text| {
        let (clean, count) = mask_secrets(text);
        let clean = clean.into_owned();
        masked += count;
        *text = clean;
        count > 0
    });
    (raw, masked)
}

/// Changes the string values of `raw` that `wash` changes and hides the members named in `hidden`.
///
/// Everything else keeps its bytes: numbers, unknown members, escapes, white space, order. Base64 bodies
/// and tokens that only their maker reads are not looked into.
pub(crate) fn rewrite(
    raw: &Raw,
    hidden: &[String],
    mut wash: impl FnMut(&mut String) -> bool,
) -> (Raw, usize) {
    let mut scan =
        Scan { text: raw.get(), at: 0, open: Vec::new(), out: String::new(), copied: 0, hidden: 0 };
    scan.run(hidden, &mut wash);
    let hidden = scan.hidden;
    let text = scan.finish();
    (text.and_then(Raw::parse).unwrap_or_else(|| raw.clone()), hidden)
}

/// An open object with the key whose value is being read, or an open array.
enum Level<'a> {
    Object { key: Cow<'a, str>, wants_key: bool },
    Array,
}

struct Scan<'a> {
    text: &'a str,
    at: usize,
    open: Vec<Level<'a>>,
    out: String,
    /// Up to here the text is in `out`.
    copied: usize,
    hidden: usize,
}

impl<'a> Scan<'a> {
    fn run(&mut self, hidden: &[String], wash: &mut impl FnMut(&mut String) -> bool) {
        while let Some(byte) = self.text.as_bytes().get(self.at).copied() {
            match byte {
                b'{' => self.open.push(Level::Object { key: "".into(), wants_key: true }),
                b'[' => self.open.push(Level::Array),
                b'}' | b']' => {
                    self.open.pop();
                }
                b',' => {
                    if let Some(Level::Object { wants_key, .. }) = self.open.last_mut() {
                        *wants_key = true;
                    }
                }
                b':' if self.is_hidden(hidden) => {
                    self.hide();
                    continue;
                }
                b'"' => {
                    self.string(wash);
                    continue;
                }
                _ => {}
            }
            self.at += 1;
        }
    }

    fn string(&mut self, wash: &mut impl FnMut(&mut String) -> bool) {
        let start = self.at;
        self.skip_string();
        let token = &self.text[start..self.at];
        if let Some(Level::Object { key, wants_key }) = self.open.last_mut()
            && *wants_key
        {
            *wants_key = false;
            *key = plain(token);
            return;
        }
        if self.is_opaque() {
            return;
        }
        let mut value = plain(token).into_owned();
        if wash(&mut value) {
            self.replace(start, &value);
        }
    }

    /// Steps over the string that starts here.
    fn skip_string(&mut self) {
        self.at += 1;
        while let Some(byte) = self.text.as_bytes().get(self.at) {
            match byte {
                b'"' => break,
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        self.at = (self.at + 1).min(self.text.len());
    }

    fn replace(&mut self, start: usize, value: &str) {
        self.out.push_str(&self.text[self.copied..start]);
        self.out.push_str(&json!(value).to_string());
        self.copied = self.at;
    }

    fn is_hidden(&self, hidden: &[String]) -> bool {
        matches!(self.open.last(), Some(Level::Object { key, .. }) if hidden.iter().any(|it| it == key))
    }

    /// Puts the mask in place of the value after this colon, whatever it is.
    fn hide(&mut self) {
        self.at += 1;
        let bytes = self.text.as_bytes();
        while bytes.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
        let (start, mut depth) = (self.at, 0_usize);
        while let Some(byte) = bytes.get(self.at).copied() {
            match byte {
                b'"' => {
                    self.skip_string();
                    if depth == 0 {
                        break;
                    }
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' if depth == 0 => break,
                b'}' | b']' => {
                    depth -= 1;
                    if depth == 0 {
                        self.at += 1;
                        break;
                    }
                }
                b',' if depth == 0 => break,
                _ => {}
            }
            self.at += 1;
        }
        self.replace(start, MASK);
        self.hidden += 1;
    }

    /// Whether the string here is base64 that the protocol defines as such, or a token of its maker.
    fn is_opaque(&self) -> bool {
        let keys: Vec<&str> = self
            .open
            .iter()
            .filter_map(|level| match level {
                Level::Object { key, .. } => Some(&**key),
                Level::Array => None,
            })
            .collect();
        match keys.as_slice() {
            ["requestState" | "nextCursor" | "taskId"] => true,
            ["structuredContent", ..] => false,
            [.., "content", "data"] | [.., "resource" | "contents", "blob"] => true,
            _ => false,
        }
    }

    /// The changed text; `None` when nothing was changed.
    fn finish(mut self) -> Option<String> {
        if self.copied == 0 {
            return None;
        }
        self.out.push_str(&self.text[self.copied..]);
        Some(self.out)
    }
}

/// The text of a string token.
fn plain(token: &str) -> Cow<'_, str> {
    let inner = token.get(1..token.len().saturating_sub(1)).unwrap_or_default();
    if inner.contains('\\') {
        // Half a surrogate pair is legal JSON and no text; such a string stays as it is.
        serde_json::from_str::<String>(token).map_or(Cow::Borrowed(inner), Cow::Owned)
    } else {
        Cow::Borrowed(inner)
    }
}

/// A tool result that fits in `bytes_max`: whole blocks while they fit, the first text that does not is cut.
pub(crate) fn cut_blocks(raw: &Raw, bytes_max: usize, uri: &str) -> Option<Raw> {
    let blocks: Vec<Raw> = serde_json::from_str(raw.member("content")?.get()).ok()?;
    let mut left = bytes_max.saturating_sub(1024);
    let mut kept = Vec::new();
    for block in blocks {
        let size = block.get().len() + 1;
        if size <= left {
            left -= size;
            kept.push(block);
            continue;
        }
        let value = block.to_value();
        if let (Some("text"), Some(text)) = (value["type"].as_str(), value["text"].as_str()) {
            // An escaped character takes up to six bytes; a third is a cautious guess for ordinary text.
            let at =
                (0..=(left / 3).min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            kept.push(Raw::of(&json!({ "type": "text", "text": &text[..at] })));
        }
        break;
    }
    let note = format!("The result was cut to fit. Read the whole with resources/read: {uri}");
    kept.push(Raw::of(&json!({ "type": "text", "text": note })));
    let mut cut = Raw::of(&json!({ "content": kept }));
    for name in ["isError", "_meta"] {
        if let Some(value) = raw.member(name).filter(|it| it.get().len() < left) {
            cut = cut.with(name, Some(&value.into()));
        }
    }
    Some(cut)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn raw(text: &str) -> Raw {
        Raw::parse(text.into()).unwrap()
    }

    fn shout(text: &mut String) -> bool {
        let loud = text.replace("secret", "•");
        std::mem::replace(text, loud.clone()) != loud
    }

    #[test]
    fn only_the_strings_that_change_are_written_anew() {
        let result = raw(
            r#"{ "content" : [{"type":"text","text":"a secret\n\u00e9"},{"type":"video","n":1.0e+400,"x":"\u00e9"}],
                "secret":"kept key", "big": 123456789012345678901234567890 }"#,
        );
        let (washed, hidden) = rewrite(&result, &[], shout);
        assert_eq!(
            washed.get(),
            "{ \"content\" : [{\"type\":\"text\",\"text\":\"a •\\né\"},{\"type\":\"video\",\"n\":1.0e+400,\"x\":\"\\u00e9\"}],
                \"secret\":\"kept key\", \"big\": 123456789012345678901234567890 }"
        );
        assert_eq!(hidden, 0);
    }

    #[test]
    fn base64_and_tokens_are_not_looked_into_but_structured_content_is() {
        for (text, changed) in [
            (r#"{"content":[{"type":"image","data":"secret"}]}"#, false),
            (r#"{"content":[{"type":"resource","resource":{"blob":"secret"}}]}"#, false),
            (r#"{"contents":[{"blob":"secret"}]}"#, false),
            (r#"{"messages":[{"content":{"data":"secret"}}]}"#, false),
            (r#"{"requestState":"secret"}"#, false),
            (r#"{"structuredContent":{"content":[{"data":"secret"}]}}"#, true),
            (r#"{"structuredContent":{"requestState":"secret"}}"#, true),
            (r#"{"contents":[{"text":"secret"}]}"#, true),
            (r#"["secret"]"#, true),
            (r#""secret""#, true),
        ] {
            assert_eq!(rewrite(&raw(text), &[], shout).0.get() != text, changed, "{text}");
        }
    }

    #[test]
    fn named_members_are_hidden_whatever_they_hold() {
        let hidden = ["pin".to_owned()];
        let masked = json!(MASK).to_string();
        for (text, becomes) in [
            (r#"{"pin": 1 }"#, format!(r#"{{"pin": {masked}}}"#)),
            (r#"{"pin":{"a":["]}"]},"b":2}"#, format!(r#"{{"pin":{masked},"b":2}}"#)),
            (r#"{"x":[{"pin":"1","y":"pin"}]}"#, format!(r#"{{"x":[{{"pin":{masked},"y":"pin"}}]}}"#)),
            (r#"{"\u0070in":true}"#, format!(r#"{{"\u0070in":{masked}}}"#)),
        ] {
            assert_eq!(rewrite(&raw(text), &hidden, |_| false), (raw(&becomes), 1), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_wash_that_changes_nothing_leaves_every_byte(text in any_json_text()) {
            let original = raw(&text);
            let (same, hidden) = rewrite(&original, &["nothing-is-called-so".into()], |_| false);
            prop_assert_eq!((same.get(), hidden), (original.get(), 0));
        }

        #[test]
        fn whatever_is_washed_stays_json(text in any_json_text()) {
            let (washed, _) = rewrite(&raw(&text), &["a".into()], |it| { it.push('"'); true });
            prop_assert!(serde_json::from_str::<serde::de::IgnoredAny>(washed.get()).is_ok());
        }
    }

    /// JSON as strangers write it: odd numbers, escapes, white space, repeated keys.
    fn any_json_text() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("null".to_owned()),
            Just("true".to_owned()),
            "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,4})?",
            ".*".prop_map(|it| json!(it).to_string()),
            Just(r#""\u00e9\/\ud83d\ude00\\\"""#.to_owned()),
            Just(r#""\ud800""#.to_owned()),
        ];
        leaf.prop_recursive(5, 48, 6, |inner| {
            let key = prop_oneof!["[ab]", Just("content".to_owned()), Just("data".to_owned()), ".*"];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(|it| format!("[ {} ]", it.join(" ,\n"))),
                prop::collection::vec((key, inner), 0..6).prop_map(|members| {
                    let members: Vec<_> =
                        members.iter().map(|(key, value)| format!("{} : {value}", json!(key))).collect();
                    format!("{{{}}}", members.join(", "))
                }),
            ]
        })
    }
}
