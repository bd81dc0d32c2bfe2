//! A failed tool call on the wire: a result with `isError`, so that the model reads it and can go on.

use std::fmt::Write;

use kernel::ToolError;
use serde_json::{Map, Value, json};

use crate::{
    Id, Implementation, Revision,
    answer::{finish, push_text},
    reply::open_result,
};

/// Writes a failed call as the answer to `id`.
///
/// It has no `structuredContent`: clients check that against the tool's output schema even for errors.
pub fn write_failure(id: &Id, error: &ToolError, revision: Revision, server: &Implementation) -> Vec<u8> {
    let mut out = open_result(id);
    out.extend_from_slice(br#"{"content":["#);
    push_text(&mut out, &prose(error));
    out.extend_from_slice(br#"],"isError":true"#);
    let meta = Map::from_iter([("core-mcp/error".to_owned(), failure_detail(error))]);
    finish(&mut out, meta, revision, server);
    out.extend_from_slice(b"}}");
    out
}

/// `code: message`, then one line per hint.
fn prose(error: &ToolError) -> String {
    let mut text = format!("{}: {}", error.kind.code(), error.message);
    for hint in &error.hints {
        write!(text, "\nhint: {hint}").expect("a String takes every write");
    }
    if let Some(wait) = error.retry_after {
        write!(text, "\nretry after {} s", whole_seconds(wait)).expect("a String takes every write");
    }
    text
}

/// What programs read of a failure, under `core-mcp/error`: in a result's `_meta` or in an error's `data`.
pub fn failure_detail(error: &ToolError) -> Value {
    let mut detail = json!({ "code": error.kind.code(), "message": error.message });
    let optional = [
        ("reason", error.reason.map(Value::from)),
        ("field", error.field.as_deref().map(Value::from)),
        ("hints", (!error.hints.is_empty()).then(|| json!(error.hints))),
        ("retry_after_seconds", error.retry_after.map(|wait| whole_seconds(wait).into())),
        ("approval", error.approval.as_deref().map(|ticket| json!(ticket))),
    ];
    for (key, value) in optional {
        if let Some(value) = value {
            detail[key] = value;
        }
    }
    detail
}

/// Rounded up: a client that waits exactly this long is not too early.
fn whole_seconds(wait: std::time::Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use kernel::{ApprovalTicket, ErrorKind};

    use super::*;

    fn written(error: &ToolError, revision: Revision) -> Value {
        let server =
            Implementation { name: "core-mcp".into(), title: "Core".into(), version: "1.0.0".into() };
        let bytes = write_failure(&Id::own("1"), error, revision, &server);
        serde_json::from_slice::<Value>(&bytes).unwrap()["result"].take()
    }

    #[test]
    fn a_failure_is_prose_for_the_model_and_facts_for_programs() {
        let error = ToolError::new(ErrorKind::RateLimited, "too many calls")
            .hint("wait")
            .hint("call less")
            .after(Duration::from_millis(2500));
        let result = written(&error, Revision::V2025_11_25);
        assert_eq!(result["isError"], true);
        assert_eq!(
            result["content"][0]["text"],
            "rate_limited: too many calls\nhint: wait\nhint: call less\nretry after 3 s"
        );
        assert_eq!(result.get("structuredContent"), None);
        assert_eq!(
            result["_meta"]["core-mcp/error"],
            json!({
                "code": "rate_limited", "message": "too many calls", "hints": ["wait", "call less"],
                "retry_after_seconds": 3,
            })
        );
    }

    #[test]
    fn field_reason_and_ticket_reach_programs_but_the_cause_does_not() {
        let ticket =
            ApprovalTicket { id: "ap-1".into(), digest: "d".into(), question: "q?".into(), expires_at: 7 };
        let mut error = ToolError::invalid("path", "outside the root").reason("PATH_OUTSIDE_ROOT");
        error.approval = Some(Box::new(ticket));
        let error = error.caused_by(std::io::Error::other("10.0.0.1 said no"));
        let result = written(&error, Revision::V2026_07_28);
        let detail = &result["_meta"]["core-mcp/error"];
        assert_eq!((&detail["field"], &detail["reason"]), (&json!("path"), &json!("PATH_OUTSIDE_ROOT")));
        assert_eq!(detail["approval"]["id"], "ap-1");
        assert_eq!(result["resultType"], "complete");
        assert!(!result.to_string().contains("10.0.0.1"));
    }
}
