//! Writes calls to a log until it is done or killed: `audit_writer DATA_DIR NAME CALLS`.
//!
//! Prints `NAME-<n>.` once the intent of call n is durable. Every call stays open while the next three
//! begin, so that a kill finds open ones. Used by the tests of `platform/audit`.

use std::{collections::VecDeque, error::Error, io::Write, path::Path};

use audit::{AuditLog, AuditOptions};
use pipeline::seams::{AuditEntry, Journal};
use serde_json::json;
use store::DataDir;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().collect();
    let [_, dir, name, calls] = args.as_slice() else {
        return Err("usage: audit_writer DATA_DIR NAME CALLS".into());
    };
    let log = AuditLog::open(&DataDir::open(Path::new(dir))?, AuditOptions::default())?;
    let mut open = VecDeque::new();
    for call in 0..calls.parse::<usize>()? {
        let id = format!("{name}-{call}");
        log.append(record(&id, json!({ "phase": "intent" }))?)?.await?;
        let mut out = std::io::stdout();
        writeln!(out, "{id}.")?;
        out.flush()?;
        open.push_back(id);
        if open.len() > 3
            && let Some(oldest) = open.pop_front()
        {
            log.append(record(&oldest, json!({ "phase": "outcome", "code": "ok" }))?)?.await?;
        }
    }
    for id in open {
        log.append(record(&id, json!({ "phase": "outcome", "code": "ok" }))?)?.await?;
    }
    Ok(log.shutdown()?)
}

fn record(id: &str, mut fields: serde_json::Value) -> Result<AuditEntry, serde_json::Error> {
    let base = json!({
        "call_id": id, "at": 1, "principal": "writer", "door": "cli", "server": "demo", "tool": "run",
    });
    if let (Some(fields), Some(base)) = (fields.as_object_mut(), base.as_object()) {
        fields.extend(base.clone());
    }
    serde_json::from_value(fields)
}
