//! JSON-RPC 2.0 framing: what arrived, before anybody looks at its parameters.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::{Fault, check_shape};

/// Most messages in one batch, where a revision has batches at all.
pub const BATCH_MAX: usize = 32;

/// Longest id text we echo.
const ID_BYTES_MAX: usize = 256;

/// A request id: a string or an integer, kept exactly as it was sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Id(Box<str>);

impl Id {
    /// Reads an id. `null`, fractions, objects and oversized strings are refused.
    pub fn read(raw: &RawValue) -> Result<Self, Fault> {
        let text = raw.get();
        let is_string = text.starts_with('"');
        let is_integer = text.parse::<i64>().is_ok() || text.parse::<u64>().is_ok();
        if (is_string || is_integer) && text.len() <= ID_BYTES_MAX {
            return Ok(Self(text.into()));
        }
        Err(Fault::invalid_request("`id` must be a short string or an integer"))
    }

    /// An id of our own, for requests that we send.
    pub fn own(text: &str) -> Self {
        Self(serde_json::to_string(text).expect("a string is JSON").into())
    }

    /// The id as JSON.
    pub fn as_json(&self) -> &str {
        &self.0
    }
}

/// One message from a client.
#[derive(Debug)]
pub enum Message<'a> {
    /// Wants an answer.
    Request {
        /// Names it.
        id: Id,
        /// What to do.
        method: Cow<'a, str>,
        /// With what: an object, or absent.
        params: Option<&'a RawValue>,
    },
    /// Wants none.
    Notification {
        /// What happened.
        method: Cow<'a, str>,
        /// The details.
        params: Option<&'a RawValue>,
    },
    /// Answers a request of ours.
    Response {
        /// Which one.
        id: Id,
        /// The result; `None` when the client refused with an error.
        result: Option<&'a RawValue>,
        /// The error, when there is no result.
        error: Option<&'a RawValue>,
    },
}

/// One body: a message, or several where the revision allows.
#[derive(Debug)]
pub enum Frame<'a> {
    /// The normal case.
    One(Message<'a>),
    /// Raw messages, not yet read: each fails for itself.
    Batch(Vec<&'a RawValue>),
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    jsonrpc: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    method: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "present")]
    params: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    result: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    error: Option<&'a RawValue>,
}

/// Tells `null` from absent: `"id": null` must be refused, not read as a notification.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// A refused message, with the id to answer under, if it could still be read.
pub type Refused = (Option<Id>, Fault);

/// Reads a body after checking its form.
pub fn read_frame(body: &[u8]) -> Result<Frame<'_>, Refused> {
    check_shape(body).map_err(|error| (None, error.into()))?;
    if body.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'[') {
        return envelope(body).map(Frame::One);
    }
    let messages: Vec<&RawValue> =
        serde_json::from_slice(body).map_err(|_| (None, Fault::parse("the body is not JSON")))?;
    match messages.len() {
        0 => Err((None, Fault::invalid_request("an empty batch"))),
        count if count > BATCH_MAX => {
            Err((None, Fault::invalid_request(format!("more than {BATCH_MAX} messages in a batch"))))
        }
        _ => Ok(Frame::Batch(messages)),
    }
}

/// Reads one message of a batch; its form was checked with the batch.
pub fn read_message(raw: &RawValue) -> Result<Message<'_>, Refused> {
    envelope(raw.get().as_bytes())
}

fn envelope(body: &[u8]) -> Result<Message<'_>, Refused> {
    let envelope: Envelope<'_> = serde_json::from_slice(body).map_err(|error| {
        let fault = if error.is_data() {
            Fault::invalid_request("the body is not a JSON-RPC message")
        } else {
            Fault::parse("the body is not JSON")
        };
        (None, fault)
    })?;
    // An array can be read as a struct, field by field: that is no message.
    if body.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return Err((None, Fault::invalid_request("a message is an object")));
    }
    let id = envelope.id.map(Id::read).transpose().map_err(|fault| (None, fault))?;
    if envelope.jsonrpc.as_deref() != Some("2.0") {
        return Err((id, Fault::invalid_request("`jsonrpc` must be \"2.0\"")));
    }
    if envelope.params.is_some_and(|params| !params.get().starts_with('{')) {
        return Err((id, Fault::invalid_request("`params` must be an object")));
    }
    let answered = envelope.result.is_some() || envelope.error.is_some();
    match (envelope.method, id) {
        (Some(_), id) if answered => Err((id, Fault::invalid_request("a request cannot carry a result"))),
        (Some(method), Some(id)) => Ok(Message::Request { id, method, params: envelope.params }),
        (Some(method), None) => Ok(Message::Notification { method, params: envelope.params }),
        (None, Some(id)) if envelope.result.is_some() != envelope.error.is_some() => {
            Ok(Message::Response { id, result: envelope.result, error: envelope.error })
        }
        (None, id) => Err((id, Fault::invalid_request("neither a request nor a response"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> String {
        match read_frame(body.as_bytes()) {
            Ok(Frame::One(Message::Request { id, method, .. })) => {
                format!("request {} {method}", id.as_json())
            }
            Ok(Frame::One(Message::Notification { method, .. })) => format!("notification {method}"),
            Ok(Frame::One(Message::Response { id, result, .. })) => {
                format!("response {} {}", id.as_json(), result.is_some())
            }
            Ok(Frame::Batch(messages)) => format!("batch of {}", messages.len()),
            Err((id, fault)) => format!("{} {}", fault.code, id.map_or("-".into(), |id| id.0.into_string())),
        }
    }

    #[test]
    fn messages_are_told_apart() {
        for (body, meaning) in [
            (r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, "request 1 ping"),
            (r#"{"jsonrpc":"2.0","id":"a\u0062","method":"ping","params":{}}"#, r#"request "a\u0062" ping"#),
            (r#"{"jsonrpc":"2.0","id":-7,"method":"ping","extra":[1]}"#, "request -7 ping"),
            (r#"{"jsonrpc":"2.0","id":18446744073709551615,"method":"p"}"#, "request 18446744073709551615 p"),
            (
                r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
                "notification notifications/initialized",
            ),
            (r#"{"jsonrpc":"2.0","id":"s","result":{}}"#, r#"response "s" true"#),
            (r#"{"jsonrpc":"2.0","id":"s","error":{"code":1,"message":"x"}}"#, r#"response "s" false"#),
            (" [ {}, 1 ]", "batch of 2"),
        ] {
            assert_eq!(read(body), meaning, "{body}");
        }
    }

    #[test]
    fn an_array_in_a_batch_is_no_message() {
        let raw = RawValue::from_string(r#"["2.0",1,"ping",{}]"#.into()).unwrap();
        assert_eq!(read_message(&raw).unwrap_err().1.code, Fault::INVALID_REQUEST);
    }

    #[test]
    fn what_is_not_a_message_is_refused_with_the_right_code() {
        for (body, meaning) in [
            ("", "-32700 -"),
            ("{", "-32700 -"),
            ("nonsense", "-32700 -"),
            ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"p\"} x", "-32700 -"),
            ("1", "-32600 -"),
            ("[]", "-32600 -"),
            (r#"{"id":1,"method":"ping"}"#, "-32600 1"),
            (r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, "-32600 1"),
            (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, "-32600 -"),
            (r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, "-32600 -"),
            (r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, "-32600 -"),
            (r#"{"jsonrpc":"2.0","id":true,"method":"ping"}"#, "-32600 -"),
            (r#"{"jsonrpc":"2.0","id":1,"method":7}"#, "-32600 -"),
            (r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[1]}"#, "-32600 1"),
            (r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":null}"#, "-32600 1"),
            (r#"{"jsonrpc":"2.0","id":1,"method":"p","result":{}}"#, "-32600 1"),
            (r#"{"jsonrpc":"2.0","id":1}"#, "-32600 1"),
            (r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{}}"#, "-32600 1"),
            (r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#, "-32600 -"),
        ] {
            assert_eq!(read(body), meaning, "{body}");
        }
        assert_eq!(read(&format!("[{}]", vec!["1"; BATCH_MAX + 1].join(","))), "-32600 -");
        let long = format!(r#"{{"jsonrpc":"2.0","id":"{}","method":"p"}}"#, "x".repeat(ID_BYTES_MAX));
        assert_eq!(read(&long), "-32600 -");
    }
}
