//! A record as bytes: canonical, masked and bounded.

use kernel::Resource;
use pipeline::seams::{AuditEntry, JournalError, Phase};
use serde::Serialize;
use serde_json::{Value, json};

use crate::mask::Masked;

/// The longest record kept whole; a longer one loses its arguments and details.
pub(crate) const BODY_BYTES_MAX: usize = 64 * 1024;

/// An [`AuditEntry`] with its keys in byte order, so that serialising it is canonical.
#[derive(Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "is_null")]
    args: Masked<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    args_digest: Option<&'a str>,
    at: i64,
    call_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<&'a str>,
    #[serde(skip_serializing_if = "is_null")]
    detail: Masked<'a>,
    door: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_us: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    effect: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    phase: Phase,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    policies: &'a [String],
    #[serde(skip_serializing_if = "str::is_empty")]
    principal: &'a str,
    #[serde(skip_serializing_if = "Named::is_empty")]
    resources: Named<'a>,
    server: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_id: Option<&'a str>,
    tool: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<&'a str>,
}

/// Resources with their keys in byte order.
struct Named<'a>(&'a [Resource]);

impl Named<'_> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Named<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct One<'a> {
            id: &'a str,
            kind: &'a str,
        }
        serializer.collect_seq(self.0.iter().map(|it| One { id: &it.id, kind: &it.kind }))
    }
}

fn is_null(value: &Masked<'_>) -> bool {
    value.0.is_null()
}

/// The bytes of `entry`, at most [`BODY_BYTES_MAX`].
///
/// # Errors
/// When it stays too long without its arguments and details.
pub(crate) fn render(entry: &AuditEntry) -> Result<String, JournalError> {
    let body = write(entry)?;
    if body.len() <= BODY_BYTES_MAX {
        return Ok(body);
    }
    let body = write(&shortened(entry, body.len()))?;
    match body.len() <= BODY_BYTES_MAX {
        true => Ok(body),
        false => Err(JournalError { reason: "the record is too long".into() }),
    }
}

fn write(entry: &AuditEntry) -> Result<String, JournalError> {
    let body = Body {
        args: Masked(&entry.args),
        args_digest: entry.args_digest.as_deref(),
        at: entry.at,
        call_id: &entry.call_id,
        code: entry.code.as_deref(),
        context: entry.context.as_deref(),
        detail: Masked(&entry.detail),
        door: &entry.door,
        duration_us: entry.duration_us,
        effect: entry.effect.as_deref(),
        message: entry.message.as_deref(),
        phase: entry.phase,
        policies: &entry.policies,
        principal: &entry.principal,
        resources: Named(&entry.resources),
        server: &entry.server,
        token_id: entry.token_id.as_deref(),
        tool: &entry.tool,
        trace_id: entry.trace_id.as_deref(),
    };
    serde_json::to_string(&body)
        .map_err(|error| JournalError { reason: format!("the record is no JSON: {error}") })
}

/// What is left of a record that is too long: who, what and how it ended, and how much is missing.
fn shortened(entry: &AuditEntry, bytes: usize) -> AuditEntry {
    let omitted = json!({ "omitted": "the record was too long", "bytes": bytes });
    let cut = |text: &str, limit: usize| -> String { text.chars().take(limit).collect() };
    let mut short = AuditEntry {
        args: if entry.args.is_null() { Value::Null } else { omitted.clone() },
        detail: if entry.detail.is_null() { Value::Null } else { omitted },
        server: cut(&entry.server, 256),
        tool: cut(&entry.tool, 256),
        message: entry.message.as_deref().map(|it| cut(it, 1024)),
        ..entry.clone()
    };
    short.resources.truncate(16);
    for resource in &mut short.resources {
        resource.id = cut(&resource.id, 512);
    }
    short.policies.truncate(64);
    short
}

/// Reads a record back.
pub(crate) fn parse(body: &str) -> Result<AuditEntry, serde_json::Error> {
    serde_json::from_str(body)
}

/// An event of the log itself.
pub(crate) fn system_event(name: &str, at: i64, detail: Value) -> AuditEntry {
    AuditEntry { at, ..AuditEntry::event(name, detail) }
}

/// How `key: "value"` stands in a record, for searching in the bytes.
pub(crate) fn needle(key: &str, value: &str) -> String {
    format!("\"{key}\":\"{}\"", escaped(value))
}

/// How `text` stands inside a string of a record.
pub(crate) fn escaped(text: &str) -> String {
    let quoted = serde_json::to_string(text).expect("a string is JSON");
    quoted[1..quoted.len() - 1].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> AuditEntry {
        AuditEntry {
            phase: Phase::Intent,
            principal: "alice".into(),
            effect: Some("write".into()),
            args: json!({"z": 1, "a": {"y": 2, "b": "ü\n"}}),
            args_digest: Some("00".into()),
            resources: vec![Resource::new("file", "/srv/x")],
            policies: vec!["p1".into()],
            code: Some("ok".into()),
            message: Some("m".into()),
            duration_us: Some(7),
            trace_id: Some("t".into()),
            token_id: Some("tok".into()),
            context: Some("c".into()),
            ..system_event("write_file", 5, json!({"k": [1, 2]}))
        }
    }

    #[test]
    fn a_record_is_canonical_json_and_reads_back_the_same() {
        let body = render(&entry()).unwrap();
        let canonical = kernel::canonical_json(
            &serde_json::to_value(entry())
                .map(|mut it| {
                    it["call_id"] = serde_json::from_str::<Value>(&body).unwrap()["call_id"].clone();
                    it
                })
                .unwrap(),
        );
        assert_eq!(body.as_bytes(), canonical);
        assert_eq!(render(&parse(&body).unwrap()).unwrap(), body);
    }

    #[test]
    fn a_record_that_is_too_long_keeps_who_and_what() {
        let long = AuditEntry { args: json!({ "text": "x".repeat(BODY_BYTES_MAX) }), ..entry() };
        let short = parse(&render(&long).unwrap()).unwrap();
        assert_eq!((short.principal.as_str(), short.tool.as_str()), ("alice", "write_file"));
        assert_eq!(short.args["omitted"], "the record was too long");
        let hopeless = AuditEntry { principal: "x".repeat(BODY_BYTES_MAX), ..entry() };
        assert!(render(&hopeless).is_err());
        let many = AuditEntry {
            resources: vec![Resource::new("file", "x".repeat(4000)); 100],
            tool: "t".repeat(BODY_BYTES_MAX),
            ..entry()
        };
        assert!(render(&many).is_ok());
    }
}
