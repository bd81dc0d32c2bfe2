//! What a request says: every parameter a known method reads, taken from the body in one pass.

use std::borrow::Cow;

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error},
};
use serde_json::value::RawValue;

use crate::{Fault, Revision};

/// The parameters of any method we know. Unknown ones are ignored, as the specification asks.
///
/// What only some methods read stays raw, so that a method never fails on a field it does not know.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Params<'a> {
    /// `_meta`.
    #[serde(borrow, rename = "_meta", deserialize_with = "object")]
    pub meta: Option<Meta<'a>>,
    /// Tool or prompt.
    #[serde(borrow)]
    pub name: Option<&'a RawValue>,
    /// Arguments of a tool.
    #[serde(borrow)]
    pub arguments: Option<&'a RawValue>,
    /// A resource.
    #[serde(borrow)]
    pub uri: Option<&'a RawValue>,
    /// Where a listing goes on.
    #[serde(borrow)]
    pub cursor: Option<&'a RawValue>,
    /// What a completion is for.
    #[serde(borrow, rename = "ref")]
    pub reference: Option<&'a RawValue>,
    /// The argument a completion is for.
    #[serde(borrow)]
    pub argument: Option<&'a RawValue>,
    /// `initialize`: the revision asked for.
    #[serde(borrow, rename = "protocolVersion")]
    pub protocol_version: Option<&'a RawValue>,
    /// `initialize`: what the client can do.
    #[serde(borrow)]
    pub capabilities: Option<&'a RawValue>,
    /// `notifications/cancelled`: which request.
    #[serde(borrow, rename = "requestId")]
    pub request_id: Option<&'a RawValue>,
    /// `logging/setLevel`.
    #[serde(borrow)]
    pub level: Option<&'a RawValue>,
    /// `subscriptions/listen`: the filter.
    #[serde(borrow)]
    pub notifications: Option<&'a RawValue>,
    /// Answers to what we asked in an earlier round.
    #[serde(borrow, rename = "inputResponses")]
    pub input_responses: Option<&'a RawValue>,
    /// What we gave the client to carry.
    #[serde(borrow, rename = "requestState")]
    pub request_state: Option<&'a RawValue>,
    /// `tasks/…`: which task.
    #[serde(borrow, rename = "taskId")]
    pub task_id: Option<&'a RawValue>,
    /// `initialize`: who the client is.
    #[serde(borrow, rename = "clientInfo")]
    pub client_info: Option<&'a RawValue>,
    /// All of it as it was written.
    #[serde(skip)]
    pub whole: Option<&'a RawValue>,
}

/// The metadata of one request.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Meta<'a> {
    /// Where progress goes: a string or a number, echoed as sent.
    #[serde(borrow, rename = "progressToken")]
    pub progress_token: Option<&'a RawValue>,
    /// W3C trace context.
    #[serde(borrow)]
    pub traceparent: Option<&'a RawValue>,
    /// Same key, same call: lets a backend recognise a repetition. Our own extension.
    #[serde(borrow, rename = "core-mcp/idempotency_key")]
    pub idempotency_key: Option<&'a RawValue>,
    /// The revision this request is written in. Present means modern.
    #[serde(borrow, rename = "io.modelcontextprotocol/protocolVersion")]
    pub revision: Option<&'a RawValue>,
    /// What the client can do, on this request.
    #[serde(borrow, rename = "io.modelcontextprotocol/clientCapabilities")]
    pub capabilities: Option<&'a RawValue>,
    /// Who the client is.
    #[serde(borrow, rename = "io.modelcontextprotocol/clientInfo")]
    pub client_info: Option<&'a RawValue>,
    /// The least severe log messages the client wants for this request.
    #[serde(borrow, rename = "io.modelcontextprotocol/logLevel")]
    pub log_level: Option<&'a RawValue>,
}

impl<'a> Params<'a> {
    /// Reads the parameters; absent ones are all unset.
    pub fn read(params: Option<&'a RawValue>) -> Result<Self, Fault> {
        let Some(whole) = params else { return Ok(Self::default()) };
        let read: Self = serde_json::from_str(whole.get())
            .map_err(|_| Fault::invalid_params("`_meta` must be an object"))?;
        Ok(Self { whole: params, ..read })
    }

    /// The revision named in `_meta`, whether we speak it or not.
    pub fn stated_revision(&self) -> Result<Option<Cow<'a, str>>, Fault> {
        let raw = self.meta.as_ref().and_then(|meta| meta.revision);
        raw.map(|raw| {
            text(raw, "protocolVersion").map_err(|_| meta_fault("protocolVersion must be a string"))
        })
        .transpose()
    }

    /// Checks what every modern request must carry.
    pub fn check_modern(&self) -> Result<(), Fault> {
        let Some(stated) = self.stated_revision()? else {
            return Err(meta_fault("protocolVersion is missing"));
        };
        if !Revision::parse(&stated).is_some_and(Revision::is_modern) {
            return Err(Fault::unsupported_revision(&stated));
        }
        match self.meta.as_ref().and_then(|meta| meta.capabilities) {
            Some(capabilities) if capabilities.get().starts_with('{') => Ok(()),
            Some(_) => Err(meta_fault("clientCapabilities must be an object")),
            None => Err(meta_fault("clientCapabilities is missing")),
        }
    }

    /// The progress token, if the client wants progress.
    pub fn progress_token(&self) -> Result<Option<&'a RawValue>, Fault> {
        let Some(token) = self.meta.as_ref().and_then(|meta| meta.progress_token) else { return Ok(None) };
        let is_scalar = token.get().starts_with(|it: char| it == '"' || it == '-' || it.is_ascii_digit());
        if is_scalar && token.get().len() <= 256 {
            return Ok(Some(token));
        }
        Err(Fault::invalid_params("`_meta.progressToken` must be a short string or a number"))
    }

    /// A required string parameter.
    pub fn text(&self, name: &'static str, raw: Option<&'a RawValue>) -> Result<Cow<'a, str>, Fault> {
        text(raw.ok_or_else(|| Fault::invalid_params(format!("`{name}` is missing")))?, name)
    }

    /// An optional string parameter.
    pub fn optional_text(
        &self,
        name: &'static str,
        raw: Option<&'a RawValue>,
    ) -> Result<Option<Cow<'a, str>>, Fault> {
        raw.map(|raw| text(raw, name)).transpose()
    }

    /// The body's member that the `Mcp-Name` header repeats for `method`.
    pub fn named(&self, method: &str) -> Option<&'a RawValue> {
        match method {
            "resources/read" => self.uri,
            "tasks/get" | "tasks/update" | "tasks/cancel" => self.task_id,
            _ => self.name,
        }
    }

    /// A required parameter that is an object of its own.
    pub fn typed<T: DeserializeOwned>(name: &'static str, raw: Option<&'a RawValue>) -> Result<T, Fault> {
        let raw = raw.ok_or_else(|| Fault::invalid_params(format!("`{name}` is missing")))?;
        // An array could be read field by field.
        if !raw.get().starts_with('{') {
            return Err(Fault::invalid_params(format!("`{name}` must be an object")));
        }
        serde_json::from_str(raw.get())
            .map_err(|_| Fault::invalid_params(format!("`{name}` has the wrong form")))
    }
}

/// The `traceparent` of a request when it is a well-formed W3C one: version, trace id, span id, flags.
pub fn trace_parent(meta: Option<&Meta<'_>>) -> Option<String> {
    let raw = meta?.traceparent?;
    let text = text(raw, "traceparent").ok()?;
    let sizes = [2, 32, 16, 2];
    let mut parts = text.split('-');
    let is_hex = |part: &str, size| {
        part.len() == size && part.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'))
    };
    let well_formed = sizes.iter().all(|size| parts.next().is_some_and(|part| is_hex(part, *size)));
    let empty_trace = text.get(3..35).is_none_or(|id| id.bytes().all(|it| it == b'0'));
    (well_formed && parts.next().is_none() && !empty_trace && !text.starts_with("ff"))
        .then(|| text.into_owned())
}

/// A derived reader also takes an array, field by field; metadata is an object.
fn object<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Meta<'de>>, D::Error> {
    let raw = <&RawValue>::deserialize(deserializer)?;
    if !raw.get().starts_with('{') {
        return Err(D::Error::custom("not an object"));
    }
    serde_json::from_str(raw.get()).map(Some).map_err(D::Error::custom)
}

fn text<'a>(raw: &'a RawValue, name: &str) -> Result<Cow<'a, str>, Fault> {
    #[derive(Deserialize)]
    struct Borrowed<'a>(#[serde(borrow)] Cow<'a, str>);
    serde_json::from_str::<Borrowed<'a>>(raw.get())
        .map(|it| it.0)
        .map_err(|_| Fault::invalid_params(format!("`{name}` must be a string")))
}

fn meta_fault(why: &str) -> Fault {
    Fault::invalid_meta(format!("`_meta`: io.modelcontextprotocol/{why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn modern(meta: &str) -> Result<(), i32> {
        let raw = RawValue::from_string(format!(r#"{{"_meta":{meta}}}"#)).unwrap();
        Params::read(Some(&raw)).and_then(|params| params.check_modern()).map_err(|fault| fault.code)
    }

    #[test]
    fn a_modern_request_describes_itself() {
        let version = r#""io.modelcontextprotocol/protocolVersion""#;
        let can = r#""io.modelcontextprotocol/clientCapabilities""#;
        for (meta, result) in [
            (format!(r#"{{{version}:"2026-07-28",{can}:{{}}}}"#), Ok(())),
            (format!(r#"{{{version}:"2026-07-28",{can}:{{"x":1}},"y":2}}"#), Ok(())),
            (format!(r#"{{{version}:"2026-07-28"}}"#), Err(-32602)),
            (format!(r#"{{{version}:"2026-07-28",{can}:[]}}"#), Err(-32602)),
            (format!(r#"{{{version}:7,{can}:{{}}}}"#), Err(-32602)),
            (format!(r#"{{{version}:"1900-01-01",{can}:{{}}}}"#), Err(-32022)),
            (format!(r#"{{{version}:"2025-11-25",{can}:{{}}}}"#), Err(-32022)),
            (format!(r#"{{{can}:{{}}}}"#), Err(-32602)),
            ("[]".into(), Err(-32602)),
        ] {
            assert_eq!(modern(&meta), result, "{meta}");
        }
    }

    #[test]
    fn only_a_well_formed_trace_parent_is_passed_on() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        for (text, kept) in [
            (good, true),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7", false),
            ("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", false),
            ("00-00000000000000000000000000000000-00f067aa0ba902b7-01", false),
            ("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", false),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-extra", false),
            ("ééééé", false),
            ("", false),
        ] {
            let raw = RawValue::from_string(serde_json::to_string(text).unwrap()).unwrap();
            let meta = Meta { traceparent: Some(&raw), ..Meta::default() };
            assert_eq!(trace_parent(Some(&meta)).is_some(), kept, "{text}");
        }
    }
}
