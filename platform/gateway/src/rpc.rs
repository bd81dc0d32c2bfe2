//! JSON-RPC as we speak it with upstreams: what we write, and what we take apart without reading it.

use std::borrow::Cow;

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};
use serde_json::value::RawValue;

/// Longest text of an error that is passed on.
const ERROR_TEXT_MAX: usize = 2000;

/// One message of an upstream, borrowed from what it sent.
#[derive(Debug)]
pub(crate) enum Said<'a> {
    /// Answers a request of ours.
    Reply {
        /// Ours, if it is ours at all.
        id: Option<u64>,
        /// The result, or the error.
        outcome: Result<&'a RawValue, RpcError>,
    },
    /// Wants an answer from the client.
    Question {
        /// To be repeated as it is.
        id: &'a RawValue,
        /// What it wants.
        method: Cow<'a, str>,
        /// With what.
        params: Option<&'a RawValue>,
    },
    /// Wants none.
    Notice {
        /// What happened.
        method: Cow<'a, str>,
        /// The details.
        params: Option<&'a RawValue>,
    },
}

/// A JSON-RPC error.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct RpcError {
    /// The code; one that is no integer counts as an internal error.
    #[serde(default, deserialize_with = "code")]
    pub(crate) code: i64,
    /// Its words.
    #[serde(default)]
    pub(crate) message: String,
    /// The details, untouched.
    #[serde(default)]
    pub(crate) data: Option<Box<RawValue>>,
}

fn code<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let raw = <&RawValue>::deserialize(deserializer)?;
    Ok(raw.get().parse().unwrap_or(-32603))
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    method: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    params: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    result: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

/// `null` is there too: an error for a request nobody could read carries `"id": null`.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// Takes one message apart. The reason of a refusal repeats nothing of what was sent.
pub(crate) fn read(text: &[u8]) -> Result<Said<'_>, &'static str> {
    if text.iter().find(|it| !it.is_ascii_whitespace()) != Some(&b'{') {
        return Err("it is no JSON object");
    }
    let Envelope { id, method, params, result, error } =
        serde_json::from_slice(text).map_err(|_| "it is no JSON-RPC message")?;
    match (method, id, result, error) {
        (Some(method), Some(id), None, None) => Ok(Said::Question { id, method, params }),
        (Some(method), None, None, None) => Ok(Said::Notice { method, params }),
        (None, id, Some(result), None) => Ok(Said::Reply { id: own_id(id), outcome: Ok(result) }),
        (None, id, None, Some(error)) => Ok(Said::Reply { id: own_id(id), outcome: Err(rpc_error(error)) }),
        _ => Err("it is neither a request nor an answer"),
    }
}

/// Our ids are plain numbers. What a server made of them otherwise is not ours.
fn own_id(id: Option<&RawValue>) -> Option<u64> {
    id.and_then(|id| id.get().parse().ok())
}

fn rpc_error(raw: &RawValue) -> RpcError {
    let mut error = serde_json::from_str(raw.get()).unwrap_or_else(|_| RpcError {
        code: -32603,
        message: "the upstream's error could not be read".into(),
        data: None,
    });
    if error.message.len() > ERROR_TEXT_MAX {
        let cut = error.message.floor_char_boundary(ERROR_TEXT_MAX);
        error.message.truncate(cut);
    }
    error
}

/// An object, key by key, with values nobody has looked into. The order and every byte are kept.
#[derive(Debug, Default)]
pub(crate) struct Fields<'a>(pub(crate) Vec<(Cow<'a, str>, &'a RawValue)>);

/// Most keys of an object that is taken apart.
const FIELDS_MAX: usize = 4096;

impl<'a> Fields<'a> {
    /// Takes an object apart.
    pub(crate) fn read(text: &'a str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// The value of the first such key.
    pub(crate) fn get(&self, key: &str) -> Option<&'a RawValue> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| *value)
    }

    /// The value, if it is a string.
    pub(crate) fn text(&self, key: &str) -> Option<Cow<'a, str>> {
        self.get(key).and_then(|raw| serde_json::from_str(raw.get()).ok())
    }
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = Fields<'de>;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::with_capacity(8);
                while let Some(Key(key)) = map.next_key()? {
                    if fields.len() == FIELDS_MAX {
                        return Err(A::Error::custom("too many keys"));
                    }
                    fields.push((key, map.next_value()?));
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Keys)
    }
}

/// A key that is borrowed where it holds no escapes.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// Appends a JSON string.
pub(crate) fn push_string(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(&mut *out, text).expect("a Vec takes every write");
}

/// A request, ready to be sent.
pub(crate) fn write_request(id: u64, method: &str, params: Option<&str>) -> Vec<u8> {
    let mut out = Vec::with_capacity(params.map_or(0, str::len) + method.len() + 64);
    out.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
    out.extend_from_slice(id.to_string().as_bytes());
    push_method(&mut out, method, params);
    out
}

/// A notification, ready to be sent.
pub(crate) fn write_notice(method: &str, params: Option<&str>) -> Vec<u8> {
    let mut out = br#"{"jsonrpc":"2.0""#.to_vec();
    push_method(&mut out, method, params);
    out
}

fn push_method(out: &mut Vec<u8>, method: &str, params: Option<&str>) {
    out.extend_from_slice(br#","method":"#);
    push_string(out, method);
    if let Some(params) = params {
        out.extend_from_slice(br#","params":"#);
        out.extend_from_slice(params.as_bytes());
    }
    out.push(b'}');
}

/// An answer to an upstream's question.
pub(crate) fn write_reply(id: &RawValue, outcome: &Result<Box<RawValue>, RpcError>) -> Vec<u8> {
    let mut out = br#"{"jsonrpc":"2.0","id":"#.to_vec();
    out.extend_from_slice(id.get().as_bytes());
    match outcome {
        Ok(result) => {
            out.extend_from_slice(br#","result":"#);
            out.extend_from_slice(result.get().as_bytes());
        }
        Err(error) => {
            out.extend_from_slice(br#","error":{"code":"#);
            out.extend_from_slice(error.code.to_string().as_bytes());
            out.extend_from_slice(br#","message":"#);
            push_string(&mut out, &error.message);
            if let Some(data) = &error.data {
                out.extend_from_slice(br#","data":"#);
                out.extend_from_slice(data.get().as_bytes());
            }
            out.push(b'}');
        }
    }
    out.push(b'}');
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn said(text: &str) -> String {
        match read(text.as_bytes()) {
            Ok(Said::Reply { id, outcome: Ok(result) }) => format!("reply {id:?} {}", result.get()),
            Ok(Said::Reply { id, outcome: Err(error) }) => {
                format!("error {id:?} {} {}", error.code, error.message)
            }
            Ok(Said::Question { id, method, .. }) => format!("question {} {method}", id.get()),
            Ok(Said::Notice { method, .. }) => format!("notice {method}"),
            Err(why) => why.to_owned(),
        }
    }

    #[test]
    fn a_message_is_what_its_keys_say() {
        for (text, expected) in [
            (r#"{"jsonrpc":"2.0","id":7,"result":{"a" : 1.50}}"#, r#"reply Some(7) {"a" : 1.50}"#),
            (r#"{"id":"7","result":{}}"#, "reply None {}"),
            (r#"{"id":7,"error":{"code":-32602,"message":"m"}}"#, "error Some(7) -32602 m"),
            (r#"{"id":null,"error":{"code":1.5,"message":"m"}}"#, "error None -32603 m"),
            (r#"{"id":7,"error":"no"}"#, "error Some(7) -32603 the upstream's error could not be read"),
            (r#"{"id":"x","method":"elicitation/create"}"#, r#"question "x" elicitation/create"#),
            (r#"{"method":"notifications/message","params":{}}"#, "notice notifications/message"),
            (r#"{"id":7,"method":"m","result":{}}"#, "it is neither a request nor an answer"),
            (r#"{"id":7,"result":{},"error":{}}"#, "it is neither a request nor an answer"),
            ("[]", "it is no JSON object"),
            ("{", "it is no JSON-RPC message"),
            ("Server started", "it is no JSON object"),
            ("", "it is no JSON object"),
        ] {
            assert_eq!(said(text), expected, "{text}");
        }
    }

    #[test]
    fn an_object_taken_apart_keeps_every_byte() {
        let text = r#"{ "a" : 1e400 , "b\u0061":{"x":[ ]}, "a":0.10 }"#;
        let fields = Fields::read(text).unwrap();
        let parts: Vec<String> = fields.0.iter().map(|(key, raw)| format!("{key}={}", raw.get())).collect();
        assert_eq!(parts, ["a=1e400", r#"ba={"x":[ ]}"#, "a=0.10"]);
        assert!(Fields::read("[1]").is_err());
    }

    #[test]
    fn an_answer_repeats_the_id_as_it_was() {
        let id = RawValue::from_string(r#""q-1""#.into()).unwrap();
        let refused = RpcError { code: -32601, message: "no \"x\"".into(), data: None };
        let text = write_reply(&id, &Err(refused));
        assert_eq!(
            String::from_utf8(text).unwrap(),
            r#"{"jsonrpc":"2.0","id":"q-1","error":{"code":-32601,"message":"no \"x\""}}"#
        );
    }

    proptest! {
        #[test]
        fn no_bytes_whatever_upset_the_reader(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            read(&bytes).ok();
        }

        #[test]
        fn what_looks_like_a_message_is_read_or_refused_and_keeps_its_bytes(
            id in r#"(-?[0-9]{1,22}|"[a-z"\\]{0,5}"|null|\{\})"#,
            result in r#"(\{"a":-?[0-9]{1,30}(\.[0-9]{1,5})?\}|\[1 ,2\]|"x"|null|1e999)"#,
            extra in r#"(,"future":[0-9]|,"method":"m"|,"error":1)?"#,
        ) {
            let text = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}{extra}}}"#);
            if let Ok(Said::Reply { outcome: Ok(read), .. }) = read(text.as_bytes()) {
                prop_assert_eq!(read.get(), result);
            }
        }
    }
}
