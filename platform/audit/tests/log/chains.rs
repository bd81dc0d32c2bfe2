//! Any sequence of records, restarts and removals leaves a log that verifies, and any single change to
//! it is noticed.

use audit::{Durability, Keep, retain};
use proptest::prelude::*;
use serde_json::json;
use store::Clock;

use crate::room::{Room, intent, options, outcome, write};

#[derive(Clone, Debug)]
enum Step {
    Intent(u8),
    Outcome(u8, String),
    Event(String),
    Restart,
    Retain(u32),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => any::<u8>().prop_map(Step::Intent),
        4 => (any::<u8>(), "\\PC{0,20}").prop_map(|(call, code)| Step::Outcome(call, code)),
        2 => "\\PC{0,40}".prop_map(Step::Event),
        1 => Just(Step::Restart),
        1 => (0_u32..20).prop_map(Step::Retain),
    ]
}

fn play(steps: &[Step], durability: Durability) -> Room {
    let room = Room::new();
    let options = || audit::AuditOptions { durability, checkpoint_records: 4, ..options() };
    let mut log = room.open(options());
    for step in steps {
        match step {
            Step::Intent(call) => write(&log, intent(&format!("c{call}"))),
            Step::Outcome(call, code) => write(&log, outcome(&format!("c{call}"), code)),
            Step::Event(text) => write(
                &log,
                pipeline::seams::AuditEntry { detail: json!({ "text": text }), ..outcome("e", "x") },
            ),
            Step::Restart => {
                log.shutdown().unwrap();
                log = room.open(options());
            }
            Step::Retain(keep) => {
                retain(&room.data, Keep::Records(*keep), &Clock::system(), |_, _| {}).unwrap();
            }
        }
    }
    log.shutdown().unwrap();
    room
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn every_history_verifies(steps in prop::collection::vec(step(), 0..40)) {
        let report = play(&steps, Durability::Group).verify();
        prop_assert!(report.ok, "{:?}", report.first_bad);
    }

    #[test]
    fn every_flipped_byte_of_a_record_is_noticed(
        steps in prop::collection::vec(step(), 1..20),
        pick in any::<prop::sample::Index>(),
        byte in any::<prop::sample::Index>(),
    ) {
        let room = play(&steps, Durability::Group);
        let connection = room.attack();
        let end = |which: &str| -> i64 {
            connection.query_row(&format!("SELECT {which}(seq) FROM records"), [], |row| row.get(0)).unwrap()
        };
        let (low, high) = (end("min"), end("max"));
        let seq = low + pick.index((high - low + 1) as usize) as i64;
        let body: String =
            connection.query_row("SELECT body FROM records WHERE seq = ?1", [seq], |row| row.get(0)).unwrap();
        let mut letters: Vec<char> = body.chars().collect();
        let at = byte.index(letters.len());
        letters[at] = if letters[at] == 'x' { 'y' } else { 'x' };
        let edited: String = letters.into_iter().collect();
        connection.execute("UPDATE records SET body = ?2 WHERE seq = ?1", (seq, edited)).unwrap();
        let bad = room.verify().first_bad;
        prop_assert_eq!(bad.map(|it| it.seq), Some(seq));
    }
}
