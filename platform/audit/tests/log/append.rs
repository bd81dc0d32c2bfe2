//! Taking records, refusing them, and going on afterwards.

use std::{
    fs,
    time::{Duration, Instant},
};

use audit::{AuditLog, AuditOptions, Durability, Keep, retain};
use pipeline::seams::{Durable, Journal};
use store::Clock;

use crate::room::{Room, intent, options, outcome, try_write, write};

#[test]
fn every_durability_keeps_every_record_in_order() {
    for durability in [Durability::Sync, Durability::Group, Durability::Async] {
        let room = Room::new();
        let log = room.open(AuditOptions { durability, ..options() });
        let pending: Vec<Durable> =
            (0..100).map(|call| log.append(intent(&format!("c{call}"))).unwrap()).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for durable in pending {
            runtime.block_on(durable).unwrap();
        }
        log.shutdown().unwrap();
        // Genesis, the intents, and an ending for each: they were open when the process left.
        let report = room.verify();
        assert_eq!((report.ok, report.records), (true, 201), "{durability:?}: {:?}", report.first_bad);
        let order: Vec<String> = bodies(&room).filter(|it| it.contains("intent")).collect();
        assert!(order.iter().enumerate().all(|(call, body)| body.contains(&format!("\"c{call}\""))));
    }
}

#[test]
fn async_answers_before_the_disk_and_still_keeps_the_record() {
    let room = Room::new();
    let log = room.open(AuditOptions { durability: Durability::Async, ..options() });
    // A reader's lock does not matter to a write-ahead log, a writer's does: nothing can be committed now.
    let mut blocker = room.attack();
    let held = blocker.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).unwrap();
    write(&log, intent("c0"));
    held.commit().unwrap();
    log.shutdown().unwrap();
    assert!(bodies(&room).any(|it| it.contains("\"c0\"")));
}

#[test]
fn a_full_queue_refuses_and_loses_nothing_it_took() {
    let room = Room::new();
    let log = room.open(AuditOptions { queue_max: 8, ..options() });
    let mut blocker = room.attack();
    let held = blocker.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).unwrap();
    let mut taken = Vec::new();
    let refusal = loop {
        assert!(taken.len() < 1000, "the queue has no bound");
        match log.append(intent(&format!("c{}", taken.len()))) {
            Ok(durable) => taken.push(durable),
            Err(error) => break error.reason,
        }
    };
    assert_eq!(refusal, "too many records wait");
    assert!(taken.len() >= 8);
    held.commit().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let count = taken.len();
    taken.into_iter().for_each(|it| runtime.block_on(it).unwrap());
    write(&log, intent("after"));
    log.shutdown().unwrap();
    assert_eq!(bodies(&room).filter(|it| it.contains("intent")).count(), count + 1);
}

#[test]
fn a_queue_of_long_records_is_bounded_in_bytes() {
    let room = Room::new();
    let log = room.open(AuditOptions { queue_bytes_max: 100, ..options() });
    assert!(log.append(intent("c0")).is_err());
    drop(log);
    assert!(room.verify().ok);
}

#[test]
fn a_full_disk_refuses_calls_until_there_is_room_again() {
    let room = Room::new();
    let log = room.open(AuditOptions { bytes_max: Some(200 * 1024), ..options() });
    let mut calls = 0;
    let refusal = loop {
        assert!(calls < 10_000, "the size has no bound");
        match try_write(&log, intent(&format!("c{calls}"))) {
            Ok(()) => calls += 1,
            Err(error) => break error,
        }
    };
    assert!(refusal.contains("the disk or its quota is full"), "{refusal}");
    assert!(!log.is_healthy());
    assert!(try_write(&log, intent("again")).is_err(), "it stays refused while the disk is full");
    // The refused outcome of a call that ran is not lost: it is written when there is room.
    assert!(try_write(&log, outcome("c0", "late")).is_err());
    retain(&room.data, Keep::Records(20), &Clock::system(), |_, _| {}).unwrap();
    write(&log, intent("afterwards"));
    assert!(log.is_healthy());
    assert_eq!(bodies(&room).filter(|it| it.contains("\"late\"")).count(), 1);
    assert!(!bodies(&room).any(|it| it.contains("\"again\"")), "a refused intent stays refused");
    log.shutdown().unwrap();
    assert!(room.verify().ok, "{:?}", room.verify());
}

#[test]
fn it_notices_by_itself_that_there_is_room_and_says_that_there_was_none() {
    let room = Room::new();
    let log = room.open(options());
    let (here, away) = (room.data.audit_db(), room.path().join("away.db"));
    fs::rename(&here, &away).unwrap();
    assert!(try_write(&log, intent("refused")).is_err());
    assert!(!log.is_healthy());
    fs::rename(&away, &here).unwrap();
    let start = Instant::now();
    while !log.is_healthy() {
        assert!(start.elapsed() < Duration::from_secs(20), "nobody looked again");
        std::thread::yield_now();
    }
    assert_eq!(bodies(&room).filter(|it| it.contains("audit.interrupted")).count(), 1);
    log.shutdown().unwrap();
    assert!(room.verify().ok, "{:?}", room.verify());
}

#[test]
fn async_keeps_its_promises_over_a_failure() {
    let room = Room::new();
    let log = room.open(AuditOptions { durability: Durability::Async, ..options() });
    let (here, away) = (room.data.audit_db(), room.path().join("away.db"));
    fs::rename(&here, &away).unwrap();
    write(&log, intent("promised"));
    let start = Instant::now();
    while log.is_healthy() {
        assert!(start.elapsed() < Duration::from_secs(20), "the failure was never noticed");
        std::thread::yield_now();
    }
    assert!(try_write(&log, intent("refused")).is_err(), "no early answer while commits fail");
    fs::rename(&away, &here).unwrap();
    log.shutdown().unwrap();
    assert!(bodies(&room).any(|it| it.contains("\"promised\"")));
    assert!(!bodies(&room).any(|it| it.contains("\"refused\"")));
}

#[test]
fn a_database_that_is_moved_away_refuses_and_recovers_when_it_is_back() {
    let room = Room::new();
    let log = room.open(options());
    write(&log, intent("c0"));
    let (here, away) = (room.data.audit_db(), room.path().join("away.db"));
    fs::rename(&here, &away).unwrap();
    assert!(try_write(&log, intent("c1")).unwrap_err().contains("moved or deleted"));
    fs::rename(&away, &here).unwrap();
    write(&log, intent("c2"));
    log.shutdown().unwrap();
    assert!(room.verify().ok);
}

#[test]
fn secrets_under_telling_names_never_reach_the_disk() {
    let room = Room::new();
    let log = room.open(options());
    let mut entry = intent("c0");
    entry.args = serde_json::json!({ "password": "hunter2", "env": [{ "api_key": "hunter2" }] });
    entry.detail = serde_json::json!({ "headers": { "Authorization": "Bearer hunter2" } });
    write(&log, entry);
    log.shutdown().unwrap();
    for file in fs::read_dir(room.path()).unwrap().filter_map(|it| fs::read(it.unwrap().path()).ok()) {
        assert!(!file.windows(7).any(|it| it == b"hunter2"));
    }
}

#[test]
fn nothing_is_taken_after_shutdown() {
    let room = Room::new();
    let log: AuditLog = room.open(options());
    log.shutdown().unwrap();
    assert_eq!(log.append(intent("c0")).err().unwrap().reason, "the journal stopped");
    log.shutdown().unwrap();
}

fn bodies(room: &Room) -> impl Iterator<Item = String> {
    let connection = room.attack();
    let mut rows = connection.prepare("SELECT body FROM records ORDER BY seq").unwrap();
    let bodies: Vec<String> = rows.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    bodies.into_iter()
}
