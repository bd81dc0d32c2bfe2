//! Every way to change the log that somebody without the key has, and what `verify` calls it.

use audit::{
    AuditError, AuditLog,
    FaultKind::{self, *},
};
use rusqlite::Connection;
use store::DataDir;

use crate::room::{Room, intent, options, write};

/// Applies `sql` to a log of 1 + 40 records with checkpoints at 10, 20, 30, 40 and 41.
fn after(sql: &str) -> (i64, FaultKind) {
    let room = Room::with_calls(20);
    room.attack().execute_batch(sql).unwrap();
    found(&room, sql)
}

fn found(room: &Room, what: &str) -> (i64, FaultKind) {
    let report = room.verify();
    let bad = report.first_bad.unwrap_or_else(|| panic!("not noticed: {what}"));
    assert!(!report.ok);
    (bad.seq, bad.kind)
}

#[test]
fn an_untouched_log_verifies() {
    let report = Room::with_calls(20).verify();
    assert_eq!((report.ok, report.records, report.first_bad), (true, 41, None));
}

#[test]
fn every_edit_of_the_database_is_noticed_and_named() {
    let table: [(&str, i64, FaultKind); 26] = [
        ("UPDATE records SET body = replace(body, 'alice', 'mallory') WHERE seq = 7", 7, Edited),
        ("UPDATE records SET body = body || ' ' WHERE seq = 1", 1, Edited),
        ("UPDATE records SET body = replace(hex(zeroblob(9000000)), '0', 'x') WHERE seq = 8", 8, Edited),
        ("UPDATE records SET body = CAST(x'ff00ff' AS TEXT) WHERE seq = 8", 8, Edited),
        ("UPDATE records SET hash = zeroblob(32) WHERE seq = 12", 12, Edited),
        ("UPDATE records SET hash = x'00' WHERE seq = 12", 12, Edited),
        ("UPDATE records SET seq = 99 WHERE seq = 41", 41, Removed),
        ("UPDATE records SET seq = 0 WHERE seq = 1", 1, Removed),
        ("DELETE FROM records WHERE seq = 20", 20, Removed),
        ("DELETE FROM records WHERE seq BETWEEN 5 AND 9", 5, Removed),
        ("DELETE FROM records WHERE seq = 1", 1, Removed),
        (
            "UPDATE records SET seq = -1 WHERE seq = 15; UPDATE records SET seq = 15 WHERE seq = 16;
             UPDATE records SET seq = 16 WHERE seq = -1",
            15,
            Reordered,
        ),
        ("DELETE FROM records WHERE seq = 41", 41, Truncated),
        ("DELETE FROM records WHERE seq > 30; DELETE FROM checkpoints WHERE seq > 30", 31, Truncated),
        (
            "DELETE FROM records WHERE seq > 30; DELETE FROM head; DELETE FROM checkpoints WHERE seq > 30",
            31,
            Truncated,
        ),
        ("DELETE FROM records; DELETE FROM head; DELETE FROM checkpoints", 1, Truncated),
        ("DELETE FROM head", 41, BadSignature),
        ("UPDATE head SET signature = zeroblob(64)", 41, BadSignature),
        ("UPDATE head SET hash = zeroblob(32)", 41, BadSignature),
        ("UPDATE head SET seq = 42", 41, BadSignature),
        ("UPDATE head SET seq = 30, hash = (SELECT hash FROM records WHERE seq = 30)", 41, BadSignature),
        ("UPDATE checkpoints SET signature = zeroblob(64) WHERE seq = 20", 20, BadSignature),
        ("UPDATE checkpoints SET at = at + 1 WHERE seq = 20", 20, BadSignature),
        ("UPDATE checkpoints SET hash = zeroblob(32) WHERE seq = 20", 20, BadSignature),
        ("UPDATE checkpoints SET seq = 21 WHERE seq = 20", 20, CheckpointMismatch),
        ("DELETE FROM checkpoints WHERE seq = 20", 20, CheckpointMismatch),
    ];
    for (sql, seq, kind) in table {
        assert_eq!(after(sql), (seq, kind), "{sql}");
    }
}

#[test]
fn a_signature_cannot_be_used_for_something_else() {
    let forged_head = "DELETE FROM records WHERE seq > 30;
        INSERT OR REPLACE INTO head SELECT 1, seq, hash, signature FROM checkpoints WHERE seq = 30;
        DELETE FROM checkpoints WHERE seq > 30";
    assert_eq!(after(forged_head), (30, BadSignature));
    let forged_anchor =
        "INSERT INTO anchor SELECT 1, seq, hash, at, signature FROM checkpoints WHERE seq = 20;
        DELETE FROM records WHERE seq <= 20; DELETE FROM checkpoints WHERE seq <= 20";
    assert_eq!(after(forged_anchor), (20, BadSignature));
}

#[test]
fn a_chain_that_was_computed_anew_lacks_the_signatures() {
    let room = Room::with_calls(20);
    let (other, attack) = (Room::with_calls(20), room.attack());
    // A whole valid log, but of another key.
    attack.execute("ATTACH ?1 AS other", [other.data.audit_db().to_str().unwrap()]).unwrap();
    for table in ["records", "head", "checkpoints"] {
        attack
            .execute_batch(&format!(
                "DELETE FROM main.{table}; INSERT INTO main.{table} SELECT * FROM other.{table}"
            ))
            .unwrap();
    }
    drop(attack);
    assert_eq!(found(&room, "another log"), (10, BadSignature));
}

#[test]
fn records_added_without_the_key_are_noticed() {
    let sql = "INSERT INTO records SELECT 42, body, hash FROM records WHERE seq = 41";
    assert_eq!(after(sql), (42, Edited));
}

#[test]
fn every_edit_of_the_checkpoint_file_is_noticed() {
    type Edit = fn(&mut Vec<String>);
    let table: [(&str, Edit, i64, FaultKind); 8] = [
        ("a digit of a hash", |lines| lines[1] = flip(&lines[1], "\"hash\":\""), 20, BadSignature),
        ("a digit of a signature", |lines| lines[1] = flip(&lines[1], "\"signature\":\""), 20, BadSignature),
        ("two lines swapped", |lines| lines.swap(1, 2), 30, CheckpointMismatch),
        ("a line of something else", |lines| lines[2] = "{}".into(), 20, CheckpointMismatch),
        ("a line twice", |lines| lines.insert(1, lines[0].clone()), 10, CheckpointMismatch),
        ("a line in the middle removed", |lines| drop(lines.remove(2)), 40, CheckpointMismatch),
        ("the first line removed", |lines| drop(lines.remove(0)), 20, CheckpointMismatch),
        ("the file emptied", |lines| lines.clear(), 41, CheckpointMismatch),
    ];
    for (what, edit, seq, kind) in table {
        let room = Room::with_calls(20);
        let mut lines = room.checkpoint_lines();
        assert_eq!(lines.len(), 5);
        edit(&mut lines);
        room.write_checkpoint_lines(&lines);
        assert_eq!(found(&room, what), (seq, kind), "{what}");
    }
}

fn flip(line: &str, after: &str) -> String {
    let at = line.find(after).unwrap() + after.len();
    let digit = if &line[at..=at] == "0" { "1" } else { "0" };
    format!("{}{digit}{}", &line[..at], &line[at + 1..])
}

#[test]
fn half_a_line_left_by_a_crash_is_no_tampering_and_is_mended() {
    let room = Room::with_calls(20);
    let lines = room.checkpoint_lines();
    let torn = format!("{}\n{}", lines[..4].join("\n"), &lines[4][..50]);
    std::fs::write(room.data.audit().join("checkpoints.jsonl"), torn).unwrap();
    assert!(room.verify().ok);
    room.open(options()).shutdown().unwrap();
    assert!(room.verify().ok);
    assert_eq!(room.checkpoint_lines()[..5], lines);
}

#[test]
fn an_older_copy_of_the_database_is_noticed_and_not_continued() {
    let room = Room::with_calls(20);
    let copy = room.path().join("copy.db");
    std::fs::copy(room.data.audit_db(), &copy).unwrap();
    let log = room.open(options());
    (0..20).for_each(|call| write(&log, intent(&format!("later{call}"))));
    log.shutdown().unwrap();
    for rest in ["audit.db-wal", "audit.db-shm"] {
        std::fs::remove_file(room.path().join(rest)).ok();
    }
    std::fs::rename(&copy, room.data.audit_db()).unwrap();
    assert_eq!(found(&room, "an older copy"), (42, Truncated));
    assert!(matches!(AuditLog::open(&room.data, options()), Err(AuditError::RolledBack { found: 41, .. })));
}

#[test]
fn a_log_that_was_removed_whole_does_not_pass_for_a_new_one() {
    let room = Room::with_calls(20);
    room.attack().execute_batch("DELETE FROM records; DELETE FROM head; DELETE FROM checkpoints").unwrap();
    std::fs::remove_file(room.data.audit().join("checkpoints.jsonl")).unwrap();
    assert_eq!(found(&room, "an emptied log"), (1, Truncated));
    assert!(matches!(AuditLog::open(&room.data, options()), Err(AuditError::Emptied)));
    for file in ["audit.db", "audit.db-wal", "audit.db-shm"] {
        std::fs::remove_file(room.path().join(file)).ok();
    }
    assert!(matches!(AuditLog::open(&room.data, options()), Err(AuditError::Emptied)));
    assert_eq!(found(&room, "a removed log"), (1, Truncated));
    std::fs::remove_file(room.data.keys().join("audit.begun")).unwrap();
    room.open(options()).shutdown().unwrap();
    assert!(room.verify().ok, "the operator may begin anew");
}

#[test]
fn a_tampered_end_is_not_made_whole_by_going_on() {
    let table = [
        "DELETE FROM records WHERE seq > 40",
        "DELETE FROM head",
        "UPDATE head SET signature = zeroblob(64)",
        "UPDATE records SET hash = zeroblob(32) WHERE seq = 41",
    ];
    for sql in table {
        let room = Room::with_calls(20);
        room.attack().execute_batch(sql).unwrap();
        assert!(matches!(AuditLog::open(&room.data, options()), Err(AuditError::Broken { .. })), "{sql}");
    }
}

#[test]
fn tampering_under_a_running_log_stops_it() {
    let room = Room::with_calls(1);
    let log = room.open(options());
    write(&log, intent("before"));
    room.attack().execute_batch("DELETE FROM records WHERE seq > 2").unwrap();
    let refusal = crate::room::try_write(&log, intent("after")).unwrap_err();
    assert!(refusal.contains("the chain is broken"), "{refusal}");
}

#[test]
fn a_log_without_its_key_is_not_continued_with_another() {
    let room = Room::with_calls(1);
    std::fs::remove_file(room.data.keys().join("audit.key")).unwrap();
    assert!(matches!(AuditLog::open(&room.data, options()), Err(AuditError::Key(_))));
    let other = Room::with_calls(1);
    std::fs::copy(other.data.keys().join("audit.key"), room.data.keys().join("audit.key")).unwrap();
    assert!(matches!(AuditLog::open(&room.data, options()), Err(AuditError::Broken { .. })));
}

#[test]
fn a_damaged_file_is_a_finding_and_not_a_crash() {
    let room = Room::with_calls(200);
    let mut bytes = std::fs::read(room.data.audit_db()).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 4096].fill(0xAA);
    std::fs::write(room.data.audit_db(), bytes).unwrap();
    let report = room.verify();
    assert!(!report.ok && report.first_bad.is_some());
}

#[test]
fn files_are_closed_to_others() {
    use std::os::unix::fs::PermissionsExt;
    let room = Room::with_calls(1);
    let data: &DataDir = &room.data;
    for path in [data.audit_db(), data.keys().join("audit.key"), data.audit().join("checkpoints.jsonl")] {
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", path.display());
    }
    std::fs::set_permissions(data.keys().join("audit.key"), std::fs::Permissions::from_mode(0o644)).unwrap();
    let refusal = AuditLog::open(data, options()).err().unwrap().to_string();
    assert!(refusal.contains("chmod 600"), "{refusal}");
    let _still_open: Connection = room.attack();
}
