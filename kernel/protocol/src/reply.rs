//! Answers, written straight into the buffer that goes to the socket.

use serde::Serialize;
use serde_json::{Value, json};

use crate::{Fault, Id, Revision};

/// Who we say we are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Implementation {
    /// `core-mcp`.
    pub name: String,
    /// What a human sees.
    pub title: String,
    /// Semantic version.
    pub version: String,
}

/// Writes a successful answer. `result` is a JSON object; a modern answer also says that it is complete.
pub fn write_result(id: &Id, result: &Value, revision: Revision, server: &Implementation) -> Vec<u8> {
    let mut out = open_result(id);
    if revision.is_modern() {
        let mut result = result.clone();
        result["resultType"] = json!("complete");
        result["_meta"]["io.modelcontextprotocol/serverInfo"] =
            json!({ "name": server.name, "version": server.version });
        push_json(&mut out, &result);
    } else {
        push_json(&mut out, result);
    }
    out.push(b'}');
    out
}

/// Writes a refusal. Without an id the message could not be read far enough to find one.
pub fn write_error(id: Option<&Id>, fault: &Fault) -> Vec<u8> {
    let mut out = Vec::with_capacity(192);
    out.extend_from_slice(br#"{"jsonrpc":"2.0","#);
    if let Some(id) = id {
        out.extend_from_slice(br#""id":"#);
        out.extend_from_slice(id.as_json().as_bytes());
        out.push(b',');
    }
    let mut error = json!({ "code": fault.code, "message": fault.message });
    if let Some(data) = &fault.data {
        error["data"] = data.clone();
    }
    out.extend_from_slice(br#""error":"#);
    push_json(&mut out, &error);
    out.push(b'}');
    out
}

/// `{"jsonrpc":"2.0","id":…,"result":`
pub(crate) fn open_result(id: &Id) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    out.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
    out.extend_from_slice(id.as_json().as_bytes());
    out.extend_from_slice(br#","result":"#);
    out
}

/// Appends who we are, without building a tree for it: it goes out with every modern answer.
pub(crate) fn push_server_info(out: &mut Vec<u8>, server: &Implementation) {
    out.extend_from_slice(br#"{"name":"#);
    push_json(out, &server.name);
    out.extend_from_slice(br#","version":"#);
    push_json(out, &server.version);
    out.push(b'}');
}

/// Appends JSON that somebody else wrote, on one line: between tokens a line break means nothing.
pub(crate) fn push_line(out: &mut Vec<u8>, json: &str) {
    if json.contains(['\n', '\r']) {
        out.extend(json.bytes().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte }));
    } else {
        out.extend_from_slice(json.as_bytes());
    }
}

/// Appends any value as JSON.
pub(crate) fn push_json(out: &mut Vec<u8>, value: &impl Serialize) {
    serde_json::to_writer(out, value).expect("a tree of plain values is JSON");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_modern_answer_says_that_it_is_complete_and_who_we_are() {
        let server =
            Implementation { name: "core-mcp".into(), title: "Core".into(), version: "1.2.3".into() };
        let write = |revision| {
            let bytes = write_result(&Id::own("a"), &json!({"tools": []}), revision, &server);
            serde_json::from_slice::<Value>(&bytes).unwrap()
        };
        assert_eq!(
            write(Revision::V2025_11_25),
            json!({"jsonrpc": "2.0", "id": "a", "result": {"tools": []}})
        );
        let modern = write(Revision::V2026_07_28);
        assert_eq!(modern["result"]["resultType"], "complete");
        assert_eq!(modern["result"]["_meta"]["io.modelcontextprotocol/serverInfo"]["version"], "1.2.3");
    }

    #[test]
    fn a_refusal_without_an_id_has_no_id_member() {
        let bytes = write_error(None, &Fault::parse("the body is not JSON"));
        assert_eq!(bytes, br#"{"jsonrpc":"2.0","error":{"code":-32700,"message":"the body is not JSON"}}"#);
        let bytes = write_error(Some(&Id::own("q\"")), &Fault::unsupported_revision("x"));
        let value: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!((&value["id"], &value["error"]["data"]["requested"]), (&json!("q\""), &json!("x")));
    }
}
