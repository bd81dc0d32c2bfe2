//! A data directory for one test, and the few words the tests are written in.

use std::fs;

use audit::{AuditLog, AuditOptions, VerifyReport, VerifySources, verify};
use kernel::Resource;
use pipeline::seams::{AuditEntry, Journal, Phase};
use rusqlite::Connection;
use serde_json::{Value, json};
use store::DataDir;
use tempfile::TempDir;

pub(crate) struct Room {
    pub(crate) data: DataDir,
    folder: TempDir,
}

impl Room {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { data: DataDir::open(folder.path()).unwrap(), folder }
    }

    /// A room whose closed log holds the genesis record and `calls` calls, with a checkpoint every ten records.
    pub(crate) fn with_calls(calls: usize) -> Self {
        let room = Self::new();
        let log = room.open(options());
        for call in 0..calls {
            write(&log, intent(&format!("c{call}")));
            write(&log, outcome(&format!("c{call}"), "ok"));
        }
        log.shutdown().unwrap();
        room
    }

    pub(crate) fn open(&self, options: AuditOptions) -> AuditLog {
        AuditLog::open(&self.data, options).unwrap()
    }

    pub(crate) fn verify(&self) -> VerifyReport {
        verify(&VerifySources::of(&self.data).unwrap(), |_, _| {}).unwrap()
    }

    /// The database as an attacker opens it.
    pub(crate) fn attack(&self) -> Connection {
        Connection::open(self.data.audit_db()).unwrap()
    }

    pub(crate) fn checkpoint_lines(&self) -> Vec<String> {
        let text = fs::read_to_string(self.data.audit().join("checkpoints.jsonl")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    pub(crate) fn write_checkpoint_lines(&self, lines: &[String]) {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        fs::write(self.data.audit().join("checkpoints.jsonl"), text).unwrap();
    }

    pub(crate) fn path(&self) -> &std::path::Path {
        self.folder.path()
    }
}

/// Small steps, so that short logs have checkpoints too.
pub(crate) fn options() -> AuditOptions {
    AuditOptions { checkpoint_records: 10, ..AuditOptions::default() }
}

pub(crate) fn intent(call: &str) -> AuditEntry {
    AuditEntry {
        phase: Phase::Intent,
        call_id: call.into(),
        at: 1_700_000_000_000_000,
        principal: "alice".into(),
        token_id: Some("tok_1".into()),
        door: "cli".into(),
        server: "docker-manager".into(),
        tool: "docker_stop".into(),
        effect: Some("destroy".into()),
        context: None,
        args: json!({ "container": "web-1" }),
        args_digest: Some("ab".repeat(32)),
        resources: vec![Resource::new("docker.container", "web-1")],
        policies: vec!["operators".into()],
        code: None,
        message: None,
        duration_us: None,
        trace_id: None,
        detail: Value::Null,
    }
}

pub(crate) fn outcome(call: &str, code: &str) -> AuditEntry {
    AuditEntry {
        phase: Phase::Outcome,
        code: Some(code.into()),
        duration_us: Some(1500),
        args: Value::Null,
        args_digest: None,
        resources: Vec::new(),
        ..intent(call)
    }
}

/// Appends and waits until it is kept.
pub(crate) fn try_write(log: &AuditLog, entry: AuditEntry) -> Result<(), String> {
    let durable = log.append(entry).map_err(|error| error.to_string())?;
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(durable).map_err(|error| error.to_string())
}

pub(crate) fn write(log: &AuditLog, entry: AuditEntry) {
    try_write(log, entry).unwrap();
}
