//! Records in the words of the Open Cybersecurity Schema Framework. The table below is the one place
//! that knows its numbers; `docs/audit.md` shows the mapping.

use serde_json::{Map, Value, json};

use crate::{StoredRecord, read::phase_word};

/// The schema's version. Its field names move between versions, so changing this means reading them all.
pub(crate) const VERSION: &str = "1.6.0";
/// Application Activity.
const CATEGORY: u32 = 6;
/// API Activity.
const CLASS: u32 = 6003;

/// Activity by effect: (effect, id, name).
const ACTIVITIES: [(&str, u32, &str); 3] =
    [("read", 2, "Read"), ("write", 3, "Update"), ("destroy", 4, "Delete")];
/// Activity of what has no effect, such as an event.
const OTHER: (u32, &str) = (99, "Other");

/// Codes that a security team wants to see first.
const REFUSALS: [&str; 2] = ["permission_denied", "authentication_failed"];

/// One record as an API Activity event.
pub(crate) fn event(record: &StoredRecord) -> Value {
    let entry = &record.entry;
    let (activity_id, activity_name) = activity(entry.effect.as_deref());
    let (status_id, status) = status(entry.code.as_deref());
    let (severity_id, severity) = severity(entry.code.as_deref());
    let principal = if entry.principal.is_empty() { "unknown" } else { &entry.principal };
    let mut user = json!({ "uid": principal, "name": principal });
    if let Some(token) = &entry.token_id {
        user["credential_uid"] = json!(token);
    }
    let mut event = json!({
        "activity_id": activity_id,
        "activity_name": activity_name,
        "category_uid": CATEGORY,
        "category_name": "Application Activity",
        "class_uid": CLASS,
        "class_name": "API Activity",
        "type_uid": CLASS * 100 + activity_id,
        "type_name": format!("API Activity: {activity_name}"),
        "severity_id": severity_id,
        "severity": severity,
        "status_id": status_id,
        "status": status,
        "time": entry.at.div_euclid(1000),
        "metadata": {
            "version": VERSION,
            "product": { "name": "core-mcp", "vendor_name": "core-mcp" },
            "uid": record.hash,
            "sequence": record.seq,
            "correlation_uid": entry.call_id,
            "event_code": phase_word(entry.phase),
        },
        "actor": { "user": user },
        "api": {
            "operation": entry.tool,
            "service": { "name": entry.server },
            "request": { "uid": entry.call_id },
        },
        "src_endpoint": { "name": entry.door },
        "unmapped": unmapped(record),
    });
    if let Some(code) = &entry.code {
        event["status_code"] = json!(code);
    }
    if let Some(message) = &entry.message {
        event["status_detail"] = json!(message);
    }
    if let Some(duration) = entry.duration_us {
        event["duration"] = json!(duration / 1000);
    }
    if !entry.resources.is_empty() {
        let resources = entry.resources.iter().map(|it| json!({ "type": it.kind, "uid": it.id }));
        event["resources"] = resources.collect();
    }
    event
}

fn activity(effect: Option<&str>) -> (u32, &'static str) {
    ACTIVITIES.iter().find(|(word, ..)| effect == Some(word)).map_or(OTHER, |(_, id, name)| (*id, *name))
}

fn status(code: Option<&str>) -> (u32, &'static str) {
    match code {
        None => (0, "Unknown"),
        Some("ok") => (1, "Success"),
        Some(_) => (2, "Failure"),
    }
}

fn severity(code: Option<&str>) -> (u32, &'static str) {
    match code {
        Some(code) if REFUSALS.contains(&code) => (3, "Medium"),
        Some(code) if code != "ok" => (2, "Low"),
        _ => (1, "Informational"),
    }
}

/// What the schema has no place for.
fn unmapped(record: &StoredRecord) -> Value {
    let entry = &record.entry;
    let mut rest = Map::new();
    let mut put = |key: &str, value: Value| {
        if !value.is_null() {
            rest.insert(key.to_owned(), value);
        }
    };
    put("context", json!(entry.context));
    put("args", entry.args.clone());
    put("args_digest", json!(entry.args_digest));
    put("trace_id", json!(entry.trace_id));
    put("duration_us", json!(entry.duration_us));
    put("detail", entry.detail.clone());
    if !entry.policies.is_empty() {
        put("policies", json!(entry.policies));
    }
    Value::Object(rest)
}
