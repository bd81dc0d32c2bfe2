//! Searching, following and exporting.

use audit::{AuditReader, ExportFormat, Filter};
use pipeline::seams::{AuditEntry, Phase};
use serde_json::Value;

use crate::room::{Room, intent, options, outcome, write};

fn room() -> Room {
    let room = Room::new();
    let log = room.open(options());
    for (index, (who, code)) in
        [("alice", "ok"), ("bob", "timeout"), ("alice", "permission_denied")].into_iter().enumerate()
    {
        let at = 1_000_000 * (index as i64 + 1);
        let call = format!("c{index}");
        write(&log, AuditEntry { principal: who.into(), at, ..intent(&call) });
        write(&log, AuditEntry { principal: who.into(), at: at + 10, ..outcome(&call, code) });
    }
    let mut decoy = intent("decoy");
    decoy.args = serde_json::json!({ "principal": "bob", "note": "Grüße \"quoted\"" });
    decoy.at = 9_000_000;
    write(&log, decoy);
    write(&log, AuditEntry { at: 9_000_001, ..outcome("decoy", "ok") });
    log.shutdown().unwrap();
    room
}

fn seqs(reader: &AuditReader, filter: Filter) -> Vec<i64> {
    reader.search(&filter, None, 100).unwrap().records.into_iter().map(|it| it.seq).collect()
}

#[test]
fn each_filter_finds_its_records_newest_first_and_no_others() {
    let room = room();
    let reader = AuditReader::open(&room.data).unwrap();
    let text = |it: &str| Some(it.to_owned());
    let none = Filter::default;
    let table = [
        (Filter { principal: text("bob"), ..none() }, vec![5, 4]),
        (Filter { principal: text("bo"), ..none() }, vec![]),
        (Filter { code: text("permission_denied"), ..none() }, vec![7]),
        (Filter { call_id: text("c0"), ..none() }, vec![3, 2]),
        (Filter { phase: Some(Phase::Event), ..none() }, vec![1]),
        (Filter { tool: text("audit.created"), ..none() }, vec![1]),
        (Filter { server: text("docker-manager"), phase: Some(Phase::Intent), ..none() }, vec![8, 6, 4, 2]),
        (Filter { since_us: Some(2_000_000), until_us: Some(3_000_010), ..none() }, vec![6, 5, 4]),
        (Filter { text: text("grüße \"QUOTED\""), ..none() }, vec![8]),
        (Filter { text: text("%"), ..none() }, vec![]),
    ];
    for (filter, expected) in table {
        assert_eq!(seqs(&reader, filter.clone()), expected, "{filter:?}");
    }
}

#[test]
fn pages_join_without_gap_or_overlap() {
    let room = room();
    let reader = AuditReader::open(&room.data).unwrap();
    let (mut cursor, mut all) = (None, Vec::new());
    loop {
        let page = reader.search(&Filter::default(), cursor, 2).unwrap();
        assert!(page.records.len() <= 2);
        all.extend(page.records.into_iter().map(|it| it.seq));
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(all, [9, 8, 7, 6, 5, 4, 3, 2, 1]);
}

#[test]
fn following_sees_what_is_written_meanwhile() {
    let room = room();
    let reader = AuditReader::open(&room.data).unwrap();
    let end = reader.last_seq().unwrap();
    let (none, cursor) = reader.tail(&Filter::default(), end, 10).unwrap();
    assert!(none.is_empty());
    let log = room.open(options());
    write(&log, intent("new"));
    let (found, cursor) = reader.tail(&Filter::default(), cursor, 10).unwrap();
    assert_eq!(found[0].entry.call_id, "new");
    assert_eq!(cursor, end + 1);
}

#[test]
fn json_lines_repeat_what_was_recorded() {
    let lines = export(&room(), ExportFormat::Jsonl);
    assert_eq!(lines.len(), 9);
    assert_eq!(lines[3]["seq"], 4);
    assert_eq!(lines[3]["principal"], "bob");
    assert_eq!(lines[3]["hash"].as_str().unwrap().len(), 64);
}

#[test]
fn ocsf_events_have_what_the_class_requires() {
    let lines = export(&room(), ExportFormat::Ocsf);
    for line in &lines {
        assert_eq!(line["class_uid"], 6003);
        assert_eq!(line["metadata"]["version"], "1.6.0");
        let type_uid = 600_300 + line["activity_id"].as_i64().unwrap();
        assert_eq!(line["type_uid"], type_uid);
        for pointer in [
            "/actor/user/uid",
            "/api/operation",
            "/src_endpoint/name",
            "/metadata/product/name",
            "/time",
            "/severity_id",
        ] {
            assert!(line.pointer(pointer).is_some(), "{pointer} in {line}");
        }
    }
    let mut denied = lines[6].clone();
    denied["metadata"]["uid"] = "(hash)".into();
    insta::assert_json_snapshot!("ocsf_denied", denied);
    let mut intent = lines[1].clone();
    intent["metadata"]["uid"] = "(hash)".into();
    insta::assert_json_snapshot!("ocsf_intent", intent);
}

fn export(room: &Room, format: ExportFormat) -> Vec<Value> {
    let reader = AuditReader::open(&room.data).unwrap();
    let mut out = Vec::new();
    let count = reader.export(&Filter::default(), format, &mut out, |_| {}).unwrap();
    let lines: Vec<Value> =
        String::from_utf8(out).unwrap().lines().map(|it| serde_json::from_str(it).unwrap()).collect();
    assert_eq!(lines.len() as u64, count);
    lines
}
