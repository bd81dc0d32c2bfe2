//! Contexts.

use std::time::Duration;

use pipeline::seams::{Contexts, HistoryEntry};
use store::{ContextOptions, ContextStore};

use crate::room::{Room, code, user};

fn open(room: &Room) -> ContextStore {
    let options = ContextOptions { history_max: 3, freshness: Duration::ZERO, clock: room.clock() };
    ContextStore::open(&room.data.state_db(), options).unwrap()
}

fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(|it| (*it).to_owned()).collect()
}

fn call(n: usize) -> HistoryEntry {
    HistoryEntry {
        call_id: format!("c{n}"),
        tool: "docker-manager.docker_ps".into(),
        code: "ok".into(),
        at: 5,
        duration_us: 7,
    }
}

#[test]
fn a_context_admits_its_owner_to_its_servers_and_nobody_else_to_anything() {
    let room = Room::new();
    let contexts = open(&room);
    let (alice, bob, root) =
        (user("alice", &["operator"]), user("bob", &["operator"]), user("root", &["admin"]));
    contexts.create("deployment_123", &alice, &names(&["docker-manager", "sast-scanner"]), None).unwrap();
    let table = [
        ("deployment_123", &alice, "docker-manager", "ok"),
        ("deployment_123", &root, "docker-manager", "ok"),
        ("deployment_123", &alice, "s3-storage", "permission_denied"),
        ("deployment_123", &bob, "docker-manager", "not_found"),
        ("nothing", &alice, "docker-manager", "not_found"),
        ("DEPLOYMENT_123", &alice, "docker-manager", "not_found"),
        ("", &alice, "docker-manager", "not_found"),
    ];
    for (id, who, server, expected) in table {
        assert_eq!(code(contexts.admit(id, who, server)), expected, "{id} {} {server}", who.id);
    }
    let foreign = contexts.admit("deployment_123", &bob, "docker-manager").unwrap_err();
    let unknown = contexts.admit("deployment_124", &bob, "docker-manager").unwrap_err();
    assert_eq!(foreign.message.replace("123", "124"), unknown.message, "a stranger cannot tell them apart");
    assert!(contexts.admit("deployment_123", &alice, "x").unwrap_err().hints[0].contains("context enable"));
}

#[test]
fn only_well_formed_ids_and_servers_are_taken() {
    let room = Room::new();
    let contexts = open(&room);
    let alice = user("alice", &[]);
    let long = "x".repeat(65);
    for id in ["", "-a", ".hidden", "_a", "a/b", "a b", "a\nb", "ä", "..", "a%2fb", long.as_str()] {
        assert_eq!(code(contexts.create(id, &alice, &[], None)), "validation_failed", "{id:?}");
    }
    for id in ["a", "deployment_123", "A.b-c_9", &long[..64]] {
        assert_eq!(code(contexts.create(id, &alice, &[], None)), "ok", "{id:?}");
    }
    for server in ["", "Docker", "a b", "a;b", "../x", long.as_str()] {
        assert_eq!(code(contexts.enable("a", &alice, server)), "validation_failed", "{server:?}");
    }
    for ttl in [Duration::ZERO, Duration::from_secs(400 * 86_400)] {
        assert_eq!(code(contexts.create("t", &alice, &[], Some(ttl))), "validation_failed", "{ttl:?}");
    }
    assert_eq!(
        code(contexts.create("a", &user("bob", &[]), &[], None)),
        "validation_failed",
        "the id is taken"
    );
}

#[test]
fn enabling_and_disabling_take_effect_at_once_and_only_for_the_owner() {
    let room = Room::new();
    let contexts = open(&room);
    let (alice, bob) = (user("alice", &[]), user("bob", &[]));
    contexts.create("c", &alice, &[], None).unwrap();
    assert_eq!(contexts.enable("c", &alice, "git-server").unwrap().servers, ["git-server"]);
    assert_eq!(contexts.enable("c", &alice, "git-server").unwrap().servers, ["git-server"]);
    assert_eq!(code(contexts.admit("c", &alice, "git-server")), "ok");
    for result in [
        contexts.enable("c", &bob, "x").map(drop),
        contexts.disable("c", &bob, "git-server").map(drop),
        contexts.delete("c", &bob),
    ] {
        assert_eq!(code(result), "not_found");
    }
    contexts.disable("c", &alice, "git-server").unwrap();
    assert_eq!(code(contexts.admit("c", &alice, "git-server")), "permission_denied");
    contexts.delete("c", &alice).unwrap();
    assert_eq!(code(contexts.admit("c", &alice, "git-server")), "not_found");
}

#[test]
fn a_context_ends_when_its_time_is_over_and_its_history_with_it() {
    let room = Room::new();
    let contexts = open(&room);
    let alice = user("alice", &[]);
    contexts.create("short", &alice, &names(&["a"]), Some(Duration::from_secs(60))).unwrap();
    contexts.remember("short", call(0));
    assert_eq!(contexts.show("short", &alice).unwrap().history.len(), 1);
    room.pass(Duration::from_secs(59));
    assert_eq!(code(contexts.admit("short", &alice, "a")), "ok");
    room.pass(Duration::from_secs(1));
    let over = contexts.admit("short", &alice, "a").unwrap_err();
    assert_eq!(over.reason, Some("CONTEXT_EXPIRED"));
    assert!(contexts.list(&alice).unwrap().is_empty());
    assert_eq!(code(contexts.show("short", &alice)), "not_found");
    assert_eq!(contexts.sweep().unwrap(), 1);
    // The same id begins anew, without the old history.
    contexts.create("short", &alice, &[], None).unwrap();
    assert!(contexts.show("short", &alice).unwrap().history.is_empty());
}

#[test]
fn an_expired_id_can_be_taken_before_it_is_swept_and_goes_when_the_store_opens() {
    let room = Room::new();
    let contexts = open(&room);
    let ttl = Some(Duration::from_secs(1));
    contexts.create("a", &user("alice", &[]), &[], ttl).unwrap();
    contexts.create("b", &user("alice", &[]), &[], ttl).unwrap();
    room.pass(Duration::from_secs(2));
    assert_eq!(contexts.create("a", &user("bob", &[]), &[], None).unwrap().owner, "bob");
    drop(contexts);
    assert_eq!(open(&room).sweep().unwrap(), 0, "opening removed the other one");
}

#[test]
fn history_is_a_ring_per_context_newest_first() {
    let room = Room::new();
    let contexts = open(&room);
    let alice = user("alice", &[]);
    for id in ["a", "b"] {
        contexts.create(id, &alice, &[], None).unwrap();
    }
    (0..10).for_each(|n| contexts.remember("a", call(n)));
    contexts.remember("b", call(100));
    contexts.remember("gone", call(200));
    let ids = |id: &str| -> Vec<String> {
        contexts.show(id, &alice).unwrap().history.into_iter().map(|it| it.call_id).collect()
    };
    assert_eq!(ids("a"), ["c9", "c8", "c7"]);
    assert_eq!(ids("b"), ["c100"]);
    assert_eq!(contexts.forgotten(), 0);
}

#[test]
fn remembering_never_blocks_and_counts_what_it_could_not_keep() {
    let room = Room::new();
    let contexts = open(&room);
    let alice = user("alice", &[]);
    contexts.create("a", &alice, &[], None).unwrap();
    let mut blocker = rusqlite::Connection::open(room.data.state_db()).unwrap();
    let held = blocker.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).unwrap();
    (0..10_000).for_each(|n| contexts.remember("a", call(n)));
    assert!(contexts.forgotten() > 0, "the queue is bounded");
    held.commit().unwrap();
    assert_eq!(contexts.show("a", &alice).unwrap().history.len(), 3);
}

#[test]
fn a_change_by_another_process_is_noticed_and_history_alone_reloads_nothing() {
    let room = Room::new();
    let (here, there) = (open(&room), open(&room));
    let alice = user("alice", &[]);
    here.create("c", &alice, &names(&["a"]), None).unwrap();
    assert_eq!(code(there.admit("c", &alice, "a")), "ok");
    here.remember("c", call(1));
    assert_eq!(here.show("c", &alice).unwrap().history.len(), 1);
    assert_eq!(code(there.admit("c", &alice, "a")), "ok");
    here.disable("c", &alice, "a").unwrap();
    assert_eq!(code(there.admit("c", &alice, "a")), "permission_denied");
    here.delete("c", &alice).unwrap();
    assert_eq!(code(there.admit("c", &alice, "a")), "not_found");
}

#[test]
fn a_database_that_cannot_be_read_admits_nobody() {
    let room = Room::new();
    let contexts = open(&room);
    let alice = user("alice", &[]);
    contexts.create("c", &alice, &names(&["a"]), None).unwrap();
    assert_eq!(code(contexts.admit("c", &alice, "a")), "ok");
    rusqlite::Connection::open(room.data.state_db())
        .unwrap()
        .execute_batch("DROP TABLE context_servers")
        .unwrap();
    let refusal = contexts.create("d", &alice, &names(&["a"]), None).unwrap_err();
    assert_eq!(refusal.kind.code(), "unavailable");
    assert!(!refusal.message.contains('/'), "no path leaves the machine");
    contexts.sweep().ok();
    assert_eq!(code(contexts.admit("c", &alice, "a")), "unavailable");
}

#[test]
fn one_owner_cannot_fill_the_store() {
    let room = Room::new();
    let contexts = open(&room);
    let insert = "WITH RECURSIVE n(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM n WHERE x < 1000)
        INSERT INTO contexts SELECT 'c' || x, 'alice', 0, NULL FROM n";
    rusqlite::Connection::open(room.data.state_db()).unwrap().execute_batch(insert).unwrap();
    assert_eq!(code(contexts.create("one-more", &user("alice", &[]), &[], None)), "validation_failed");
    assert_eq!(code(contexts.create("first", &user("bob", &[]), &[], None)), "ok");
    let many: Vec<String> = (0..257).map(|n| format!("s{n}")).collect();
    assert_eq!(code(contexts.create("wide", &user("bob", &[]), &many, None)), "validation_failed");
}

#[test]
fn listings_show_ones_own_and_admins_everything() {
    let room = Room::new();
    let contexts = open(&room);
    let (alice, bob, root) = (user("alice", &[]), user("bob", &[]), user("root", &["admin"]));
    contexts.create("z", &alice, &[], None).unwrap();
    contexts.create("a", &alice, &[], None).unwrap();
    contexts.create("m", &bob, &[], None).unwrap();
    let ids = |who| -> Vec<String> { contexts.list(who).unwrap().into_iter().map(|it| it.id).collect() };
    assert_eq!(
        (ids(&alice), ids(&bob), ids(&root)),
        (names(&["a", "z"]), names(&["m"]), names(&["a", "m", "z"]))
    );
}
