//! Processes that die, and processes that share a log.

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use audit::{AuditReader, Filter};

use crate::room::{Room, intent, options, outcome, write};

/// Starts `examples/audit_writer.rs`, which `cargo test` and `cargo nextest run` build with the tests. It
/// prints the id of each call whose intent is durable.
fn start_writer(room: &Room, name: &str, calls: usize) -> Child {
    let mut path: PathBuf = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.push("examples/audit_writer");
    Command::new(&path)
        .args([room.path().to_str().unwrap(), name, &calls.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{} (run the tests without --tests): {error}", path.display()))
}

#[test]
fn a_process_killed_while_writing_leaves_a_whole_chain_and_no_call_without_an_ending() {
    let room = Room::new();
    let mut child = start_writer(&room, "victim", usize::MAX);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut durable: Vec<String> = lines.by_ref().take(300).map(Result::unwrap).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    durable.extend(lines.map_while(Result::ok).filter(|line| line.ends_with('.')));
    assert!(room.verify().ok, "{:?}", room.verify());

    let log = room.open(options());
    assert!(log.recovered() > 0, "calls were open when it died");
    let report = room.verify();
    assert!(report.ok, "{report:?}");
    let reader = AuditReader::open(&room.data).unwrap();
    for call in durable {
        let call_id = Some(call.trim_end_matches('.').to_owned());
        let found = reader.search(&Filter { call_id, ..Filter::default() }, None, 10).unwrap().records;
        let codes: Vec<_> = found.iter().map(|it| it.entry.code.as_deref()).collect();
        assert!(matches!(codes[..], [Some("ok" | "abandoned"), None]), "{call} {codes:?}");
    }
    log.shutdown().unwrap();
    let again = room.open(options());
    assert_eq!(again.recovered(), 0, "nothing is ended twice");
}

#[test]
fn calls_of_a_living_process_are_not_ended_by_another() {
    let room = Room::new();
    let first = room.open(options());
    write(&first, intent("long"));
    let second = room.open(options());
    assert_eq!(second.recovered(), 0);
    write(&first, outcome("long", "ok"));
    second.shutdown().unwrap();
    first.shutdown().unwrap();
    let reader = AuditReader::open(&room.data).unwrap();
    let filter = Filter { code: Some("abandoned".into()), ..Filter::default() };
    assert!(reader.search(&filter, None, 10).unwrap().records.is_empty());
}

#[test]
fn a_call_that_is_open_at_shutdown_is_ended() {
    let room = Room::new();
    let log = room.open(options());
    write(&log, intent("left"));
    log.shutdown().unwrap();
    let reader = AuditReader::open(&room.data).unwrap();
    let filter = Filter { call_id: Some("left".into()), ..Filter::default() };
    let found = reader.search(&filter, None, 10).unwrap().records;
    assert_eq!(found[0].entry.code.as_deref(), Some("abandoned"));
    assert_eq!(found[0].entry.principal, "alice");
}

#[test]
fn several_processes_write_one_chain() {
    let room = Room::new();
    let children: Vec<Child> = (0..3).map(|it| start_writer(&room, &format!("p{it}"), 100)).collect();
    let log = room.open(options());
    (0..100).for_each(|call| {
        write(&log, intent(&format!("here{call}")));
        write(&log, outcome(&format!("here{call}"), "ok"));
    });
    for mut child in children {
        let output = child.stdout.take().unwrap();
        assert_eq!(BufReader::new(output).lines().count(), 100);
        assert!(child.wait().unwrap().success());
    }
    log.shutdown().unwrap();
    let report = room.verify();
    assert_eq!((report.ok, report.records), (true, 1 + 2 * 400), "{:?}", report.first_bad);
}

#[test]
fn a_log_that_is_being_written_verifies_at_any_moment() {
    let room = Room::with_calls(1);
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // Checkpoints come faster here than in life.
            let log = room.open(audit::AuditOptions { checkpoint_records: 1, ..options() });
            (0..300).for_each(|call| write(&log, intent(&format!("c{call}"))));
            log.shutdown().unwrap();
            done.store(true, std::sync::atomic::Ordering::Relaxed);
        });
        while !done.load(std::sync::atomic::Ordering::Relaxed) {
            let report = room.verify();
            assert!(report.ok, "{report:?}");
        }
    });
    assert!(room.verify().ok);
}
