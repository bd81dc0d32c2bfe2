//! Removing old records.

use audit::{AuditError, AuditReader, Filter, Keep, retain};
use store::Clock;

use crate::room::{Room, intent, options, write};

const DAY_US: i64 = 86_400_000_000;
/// When the records of the tests were made.
const MADE_AT: i64 = 1_700_000_000_000_000;

fn clock(days_later: i64) -> Clock {
    Clock::from_fn(move || MADE_AT + days_later * DAY_US)
}

#[test]
fn what_stays_still_proves_itself_and_says_what_went() {
    let room = Room::with_calls(20);
    let gone = retain(&room.data, Keep::Records(15), &clock(0), |_, _| {}).unwrap();
    assert_eq!((gone.removed, gone.removed_to), (26, 26));
    let report = room.verify();
    // Fifteen, and the record of the removal.
    assert_eq!((report.ok, report.records), (true, 16), "{:?}", report.first_bad);
    let reader = AuditReader::open(&room.data).unwrap();
    let filter = Filter { tool: Some("audit.retention".into()), ..Filter::default() };
    let found = reader.search(&filter, None, 10).unwrap().records;
    assert_eq!(found[0].entry.detail["last"], 26);

    let log = room.open(options());
    (0..30).for_each(|call| write(&log, intent(&format!("later{call}"))));
    log.shutdown().unwrap();
    assert!(room.verify().ok);
    retain(&room.data, Keep::Records(5), &clock(0), |_, _| {}).unwrap();
    assert_eq!(room.verify().records, 6);
}

#[test]
fn days_are_counted_from_the_records_own_time() {
    let room = Room::with_calls(5);
    // The genesis record is of today, the calls are older; a newer record after an old one stays.
    let table = [(30, 40, 0), (30, 29, 0)];
    for (keep, later, removed) in table {
        let gone = retain(&room.data, Keep::Days(keep), &clock(later), |_, _| {}).unwrap();
        assert_eq!(gone.removed, removed, "{keep} days, {later} days later");
    }
    let far = Clock::from_fn(|| MADE_AT + 100_000 * DAY_US);
    let gone = retain(&room.data, Keep::Days(1), &far, |_, _| {}).unwrap();
    assert_eq!(gone.removed, 11);
    assert!(room.verify().ok);
}

#[test]
fn a_log_that_was_tampered_with_is_not_tidied() {
    let room = Room::with_calls(20);
    room.attack()
        .execute_batch("UPDATE records SET body = replace(body, 'alice', 'bob') WHERE seq = 4")
        .unwrap();
    let refusal = retain(&room.data, Keep::Records(1), &clock(0), |_, _| {});
    assert!(matches!(refusal, Err(AuditError::NotVerified(_))), "{refusal:?}");
    let left: i64 = room.attack().query_row("SELECT count(*) FROM records", [], |row| row.get(0)).unwrap();
    assert_eq!(left, 41);
}

#[test]
fn removing_more_than_retention_did_is_noticed() {
    let table = [
        "DELETE FROM records WHERE seq = 27",
        "UPDATE anchor SET seq = 27; DELETE FROM records WHERE seq = 27",
        "UPDATE anchor SET at = at + 1",
        "UPDATE anchor SET hash = zeroblob(32)",
        "UPDATE anchor SET signature = zeroblob(64)",
        "DELETE FROM anchor",
    ];
    for sql in table {
        let room = Room::with_calls(20);
        retain(&room.data, Keep::Records(15), &clock(0), |_, _| {}).unwrap();
        room.attack().execute_batch(sql).unwrap();
        assert!(!room.verify().ok, "{sql}");
    }
}

#[test]
fn a_running_log_goes_on_while_old_records_are_removed() {
    let room = Room::with_calls(20);
    let log = room.open(options());
    write(&log, intent("open"));
    retain(&room.data, Keep::Records(0), &clock(0), |_, _| {}).unwrap();
    write(&log, crate::room::outcome("open", "ok"));
    write(&log, intent("next"));
    log.shutdown().unwrap();
    assert!(room.verify().ok, "{:?}", room.verify());
}
