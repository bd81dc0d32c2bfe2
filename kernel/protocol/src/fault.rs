//! Refusals of the protocol itself. A tool that fails is not one of these: see `failure`.

use std::borrow::Cow;

use kernel::RelayedFault;
use serde_json::{Value, json};

use crate::{Revision, ShapeError};

/// A JSON-RPC error.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// As the specification numbers it.
    pub code: i32,
    /// One sentence, without secrets.
    pub message: Cow<'static, str>,
    /// What a program needs to go on.
    pub data: Option<Value>,
    /// True when the request itself is malformed, not what it asks for: HTTP says 400 then.
    malformed: bool,
}

impl Fault {
    /// The body is not JSON.
    pub const PARSE: i32 = -32700;
    /// It is JSON but no message we accept.
    pub const INVALID_REQUEST: i32 = -32600;
    /// No such method.
    pub const METHOD_NOT_FOUND: i32 = -32601;
    /// The parameters do not make sense.
    pub const INVALID_PARAMS: i32 = -32602;
    /// Our bug.
    pub const INTERNAL: i32 = -32603;
    /// We have too much to do; a code of our own, from the range left to implementations.
    pub const BUSY: i32 = -32000;
    /// Headers and body disagree, or a required header is missing.
    pub const HEADER_MISMATCH: i32 = -32020;
    /// The client did not declare a capability the request needs.
    pub const MISSING_CAPABILITY: i32 = -32021;
    /// We do not speak this revision.
    pub const UNSUPPORTED_REVISION: i32 = -32022;

    fn new(code: i32, message: impl Into<Cow<'static, str>>, malformed: bool) -> Self {
        Self { code, message: message.into(), data: None, malformed }
    }

    /// The body is not JSON.
    pub fn parse(why: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Self::PARSE, why, true)
    }

    /// It is JSON but no message we accept.
    pub fn invalid_request(why: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Self::INVALID_REQUEST, why, true)
    }

    /// No such method in this revision.
    pub fn method_not_found(method: &str) -> Self {
        Self::new(Self::METHOD_NOT_FOUND, format!("no method `{}`", printable(method)), false)
    }

    /// The parameters do not make sense.
    pub fn invalid_params(why: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Self::INVALID_PARAMS, why, false)
    }

    /// The metadata that every modern request carries is missing or wrong.
    pub fn invalid_meta(why: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Self::INVALID_PARAMS, why, true)
    }

    /// Our bug.
    pub fn internal(why: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Self::INTERNAL, why, false)
    }

    /// We have too much to do; the same request may work later.
    pub fn busy(why: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Self::BUSY, why, false)
    }

    /// Headers and body disagree.
    pub fn header_mismatch(why: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Self::HEADER_MISMATCH, why, true)
    }

    /// The client would have to declare `capabilities` on this request.
    pub fn missing_capability(capabilities: Value) -> Self {
        let mut fault = Self::new(
            Self::MISSING_CAPABILITY,
            "the request needs a capability the client did not declare",
            true,
        );
        fault.data = Some(json!({ "requiredCapabilities": capabilities }));
        fault
    }

    /// We do not speak `asked`; the client finds the ones we do in the data.
    pub fn unsupported_revision(asked: &str) -> Self {
        let supported = Revision::ALL.map(Revision::as_str);
        let mut fault = Self::new(Self::UNSUPPORTED_REVISION, "unsupported protocol version", true);
        fault.data = Some(json!({ "supported": supported, "requested": printable(asked) }));
        fault
    }

    /// The error of a relayed server, as it answered it. Codes that HTTP has a status for keep it.
    pub fn relayed(fault: &RelayedFault) -> Self {
        let code = i32::try_from(fault.code).unwrap_or(Self::INTERNAL);
        let malformed =
            matches!(code, Self::HEADER_MISMATCH | Self::MISSING_CAPABILITY | Self::UNSUPPORTED_REVISION);
        let mut relayed = Self::new(code, fault.message.clone(), malformed);
        relayed.data = fault.data.as_ref().map(kernel::Raw::to_value);
        relayed
    }

    /// Adds what a program needs.
    #[must_use]
    pub fn with_data(mut self, data: Value) -> Self {
        self.data = Some(data);
        self
    }

    /// The HTTP status that goes with it. Legacy clients get 200 for everything that is a well-formed request.
    pub fn http_status(&self, revision: Revision) -> u16 {
        match self.code {
            Self::METHOD_NOT_FOUND if revision.is_modern() => 404,
            _ if self.malformed => 400,
            _ => 200,
        }
    }
}

impl From<ShapeError> for Fault {
    fn from(error: ShapeError) -> Self {
        match error {
            ShapeError::NotText | ShapeError::Broken => Self::parse(error.to_string()),
            _ => Self::invalid_request(error.to_string()),
        }
    }
}

/// Text from the client, short and without control characters, fit for a message.
pub(crate) fn printable(text: &str) -> String {
    text.chars().filter(|it| !it.is_control()).take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_follows_code_and_era() {
        let (old, new) = (Revision::V2025_11_25, Revision::V2026_07_28);
        for (fault, in_old, in_new) in [
            (Fault::parse("x"), 400, 400),
            (Fault::invalid_request("x"), 400, 400),
            (Fault::method_not_found("x"), 200, 404),
            (Fault::invalid_params("x"), 200, 200),
            (Fault::invalid_meta("x"), 400, 400),
            (Fault::header_mismatch("x"), 400, 400),
            (Fault::missing_capability(json!({})), 400, 400),
            (Fault::unsupported_revision("x"), 400, 400),
            (Fault::internal("x"), 200, 200),
        ] {
            assert_eq!((fault.http_status(old), fault.http_status(new)), (in_old, in_new), "{fault:?}");
        }
    }

    #[test]
    fn what_a_client_sent_cannot_forge_lines_in_a_message() {
        let fault = Fault::method_not_found(&format!("a\r\nb\u{1b}[31m{}", "x".repeat(500)));
        assert!(
            !fault.message.contains(['\r', '\n', '\u{1b}']) && fault.message.len() < 120,
            "{}",
            fault.message
        );
    }
}
