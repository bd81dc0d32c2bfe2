//! Resources: the caller's own artifacts, the results that were too large to send. Others are read by `relay`.

use std::sync::Arc;

use base64::{Engine, prelude::BASE64_STANDARD};
use kernel::{ErrorKind, ToolError};
use pipeline::seams::{Artifact, ArtifactInfo};
use protocol::{Fault, Id, Params, Revision};
use serde_json::{Value, json};

use super::{Exchange, Later, Reply, Wire, listing::refused};

/// What we serve. Large ones are read in pieces.
pub(super) const TEMPLATE: &str = "artifact://{id}{?offset}";

const SCHEME: &str = "artifact://";

/// Largest piece of one answer, in bytes.
const PIECE_BYTES_MAX: usize = 256 * 1024;

/// Longest URI we look at.
const URI_BYTES_MAX: usize = 1024;

/// The code older revisions use for a missing resource.
pub(super) const LEGACY_NOT_FOUND: i32 = -32002;

impl Wire {
    pub(super) fn read_resource(
        self: &Arc<Self>,
        id: &Id,
        params: &Params<'_>,
        exchange: Exchange,
    ) -> Result<Later, Fault> {
        let uri = params.text("uri", params.uri)?.into_owned();
        let revision = exchange.revision;
        if !uri.starts_with(SCHEME) {
            return self.read_elsewhere(id, params, exchange, uri);
        }
        let (base, offset) = split_offset(&uri).ok_or_else(|| missing(&uri, revision))?;
        let base = base.to_owned();
        let (wire, id) = (Arc::clone(self), id.clone());
        let reply = Box::pin(async move {
            match wire.gate.artifact(&exchange.caller, &base, offset, PIECE_BYTES_MAX).await {
                Ok(artifact) => {
                    let result = json!({ "contents": [piece(&uri, &artifact, offset)] });
                    wire.fine(&id, &cacheable(result, revision), revision)
                }
                Err(error) => Reply::fault(Some(&id), &read_fault(&error, &uri, revision), revision),
            }
        });
        Ok(Later { reply, ends_with_client: true })
    }
}

/// Our own template.
pub(super) fn template() -> Value {
    json!({
        "uriTemplate": TEMPLATE,
        "name": "artifact",
        "title": "Full result of a call",
        "description": "A result that was too large to send. `offset` is where to go on, in bytes.",
    })
}

/// Modern lists say how long they are good: these may change with every call.
pub(super) fn cacheable(mut result: Value, revision: Revision) -> Value {
    if revision.is_modern() {
        result["ttlMs"] = 0.into();
        result["cacheScope"] = "private".into();
    }
    result
}

pub(super) fn entry(info: &ArtifactInfo) -> Value {
    let name = info.uri.strip_prefix(SCHEME).unwrap_or(&info.uri);
    json!({ "uri": info.uri, "name": name, "mimeType": info.mime, "size": info.size })
}

/// `artifact://id?offset=5` is the artifact from byte 5 on. `None`: not one of ours.
fn split_offset(uri: &str) -> Option<(&str, u64)> {
    if uri.len() > URI_BYTES_MAX || !uri.starts_with(SCHEME) {
        return None;
    }
    match uri.split_once('?') {
        None => Some((uri, 0)),
        Some((base, query)) => Some((base, query.strip_prefix("offset=")?.parse().ok()?)),
    }
}

/// One piece. Text ends at a whole character; what is not text goes as base64.
fn piece(uri: &str, artifact: &Artifact, offset: u64) -> Value {
    let is_text = artifact.mime.starts_with("text/") || artifact.mime.contains("json");
    let text = is_text.then(|| whole_text(&artifact.bytes)).flatten();
    let sent = text.map_or(artifact.bytes.len(), str::len);
    let mut piece = json!({ "uri": uri, "mimeType": artifact.mime });
    match text {
        Some(text) => piece["text"] = text.into(),
        None => piece["blob"] = BASE64_STANDARD.encode(&artifact.bytes).into(),
    }
    let end = offset.saturating_add(sent as u64);
    if end < artifact.total && sent > 0 {
        piece["_meta"] = json!({ "core-mcp/next_offset": end, "core-mcp/total": artifact.total });
    }
    piece
}

fn whole_text(bytes: &[u8]) -> Option<&str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text),
        // `error_len` is empty when the piece was cut inside a character.
        Err(error) if error.error_len().is_none() && error.valid_up_to() > 0 => {
            std::str::from_utf8(&bytes[..error.valid_up_to()]).ok()
        }
        Err(_) => None,
    }
}

pub(super) fn missing(uri: &str, revision: Revision) -> Fault {
    let mut fault = Fault::invalid_params("no such resource").with_data(json!({ "uri": uri }));
    if !revision.is_modern() {
        fault.code = LEGACY_NOT_FOUND;
    }
    fault
}

fn read_fault(error: &ToolError, uri: &str, revision: Revision) -> Fault {
    match error.kind {
        ErrorKind::NotFound => missing(uri, revision),
        _ => refused(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_is_read_and_nothing_else_is() {
        for (uri, read) in [
            ("artifact://a", Some(("artifact://a", 0))),
            ("artifact://a?offset=12", Some(("artifact://a", 12))),
            ("artifact://a?offset=-1", None),
            ("artifact://a?offset=x", None),
            ("artifact://a?limit=1", None),
            ("file:///etc/passwd", None),
            ("ARTIFACT://a", None),
            ("", None),
        ] {
            assert_eq!(split_offset(uri), read, "{uri}");
        }
        assert_eq!(split_offset(&format!("artifact://{}", "a".repeat(URI_BYTES_MAX))), None);
    }

    #[test]
    fn a_piece_ends_at_a_whole_character_and_says_where_to_go_on() {
        let artifact =
            |mime: &str, bytes: &[u8], total| Artifact { mime: mime.into(), bytes: bytes.to_vec(), total };
        let cut = piece("u", &artifact("text/plain", "aé".as_bytes().split_at(2).0, 3), 0);
        assert_eq!((&cut["text"], &cut["_meta"]["core-mcp/next_offset"]), (&json!("a"), &json!(1)));
        let last = piece("u", &artifact("application/json", "é".as_bytes(), 3), 1);
        assert_eq!((&last["text"], last.get("_meta")), (&json!("é"), None));
        assert_eq!(piece("u", &artifact("text/plain", b"\xff\xfe", 2), 0)["blob"], "//4=");
        assert_eq!(piece("u", &artifact("image/png", b"ab", 2), 0)["blob"], "YWI=");
        assert_eq!(piece("u", &artifact("text/plain", b"", 9), 9).get("_meta"), None);
    }
}
