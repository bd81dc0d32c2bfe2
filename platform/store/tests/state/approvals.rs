//! Approvals.

use std::time::Duration;

use kernel::{ApprovalTicket, Principal, PrincipalKind};
use pipeline::seams::{ApprovalRequest, Approvals};
use store::{ApprovalOptions, ApprovalStore};

use crate::room::{Room, code, principal, user};

fn open(room: &Room) -> ApprovalStore {
    let options = ApprovalOptions { clock: room.clock(), ..ApprovalOptions::default() };
    ApprovalStore::open(&room.data.state_db(), options).unwrap()
}

fn ask(approvals: &ApprovalStore, who: &str, digest: &str) -> ApprovalTicket {
    approvals.open(request(who, digest)).unwrap()
}

fn request(who: &str, digest: &str) -> ApprovalRequest {
    ApprovalRequest {
        principal: who.into(),
        tool: "docker-manager.docker_rm".into(),
        digest: digest.into(),
        question: "container: web-1".into(),
        reason: "destroys".into(),
    }
}

fn alice() -> Principal {
    user("alice", &["admin"])
}

#[test]
fn a_grant_works_once_for_its_principal_and_its_call() {
    let room = Room::new();
    let approvals = open(&room);
    let ticket = ask(&approvals, "bot", "d1");
    assert!(!approvals.consume("bot", "d1").unwrap(), "asking is no grant");
    approvals.decide(&ticket.id, true, &alice(), "cli").unwrap();
    for (who, digest) in [("bot", "d2"), ("eve", "d1"), ("bot", ""), ("", "d1"), ("BOT", "d1")] {
        assert!(!approvals.consume(who, digest).unwrap(), "{who} {digest}");
    }
    assert!(approvals.consume("bot", "d1").unwrap());
    assert!(!approvals.consume("bot", "d1").unwrap(), "single use");
}

#[test]
fn a_refusal_is_final_for_its_ticket() {
    let room = Room::new();
    let approvals = open(&room);
    let ticket = ask(&approvals, "bot", "d1");
    approvals.decide(&ticket.id, false, &alice(), "cli").unwrap();
    assert!(!approvals.consume("bot", "d1").unwrap());
    assert_eq!(code(approvals.decide(&ticket.id, true, &alice(), "cli")), "validation_failed");
    assert_ne!(ask(&approvals, "bot", "d1").id, ticket.id, "asking again opens a new request");
}

#[test]
fn requests_and_grants_expire() {
    let room = Room::new();
    let approvals = open(&room);
    let (late, used) = (ask(&approvals, "bot", "late"), ask(&approvals, "bot", "used"));
    room.pass(Duration::from_secs(299));
    approvals.decide(&used.id, true, &alice(), "cli").unwrap();
    room.pass(Duration::from_secs(1));
    assert_eq!(code(approvals.decide(&late.id, true, &alice(), "cli")), "not_found");
    assert_ne!(ask(&approvals, "bot", "late").id, late.id);
    room.pass(Duration::from_secs(299));
    assert!(!approvals.consume("bot", "used").unwrap(), "the grant was good for five minutes");
    let states: Vec<String> =
        approvals.list(&user("root", &["admin"])).unwrap().into_iter().map(|it| it.state).collect();
    assert_eq!(states.iter().filter(|it| *it == "expired").count(), 2, "{states:?}");
    room.pass(Duration::from_secs(90_000));
    assert_eq!(approvals.sweep().unwrap(), 3);
}

#[test]
fn the_same_call_shares_one_ticket_and_others_do_not() {
    let room = Room::new();
    let (here, there) = (open(&room), open(&room));
    let first = ask(&here, "bot", "d1");
    assert_eq!(ask(&there, "bot", "d1"), first);
    assert_ne!(ask(&here, "bot", "d2").id, first.id);
    assert_ne!(ask(&here, "eve", "d1").id, first.id);
}

#[test]
fn of_many_who_use_a_grant_at_once_one_gets_it() {
    let room = Room::new();
    let stores: Vec<ApprovalStore> = (0..6).map(|_| open(&room)).collect();
    for round in 0..5 {
        let digest = format!("d{round}");
        let ticket = ask(&stores[0], "bot", &digest);
        stores[1].decide(&ticket.id, true, &alice(), "cli").unwrap();
        let digest = &digest;
        let granted = std::thread::scope(|scope| {
            let all: Vec<_> =
                stores.iter().map(|it| scope.spawn(move || it.consume("bot", digest).unwrap())).collect();
            all.into_iter().map(|it| it.join().unwrap()).filter(|it| *it).count()
        });
        assert_eq!(granted, 1);
    }
}

#[test]
fn who_may_decide() {
    let room = Room::new();
    let approvals = open(&room);
    let (root, olga, viewer) =
        (user("root", &["admin"]), user("olga", &["operator"]), user("vic", &["viewer"]));
    let agent = principal("agent", PrincipalKind::Agent, &["operator"]);
    let bot = principal("bot", PrincipalKind::Agent, &["operator"]);
    let table = [
        ("bot", &olga, "cli", "ok"),
        ("bot", &olga, "console", "ok"),
        ("bot", &root, "cli", "ok"),
        ("root", &root, "cli", "ok"),
        ("olga", &olga, "cli", "permission_denied"),
        ("bot", &bot, "cli", "permission_denied"),
        ("bot", &agent, "cli", "permission_denied"),
        ("bot", &viewer, "cli", "permission_denied"),
        ("bot", &bot, "elicitation", "ok"),
        ("bot", &bot, "input_required", "ok"),
        ("bot", &root, "elicitation", "permission_denied"),
        ("bot", &olga, "input_required", "permission_denied"),
        ("bot", &root, "telepathy", "validation_failed"),
    ];
    for (row, (owner, by, via, expected)) in table.into_iter().enumerate() {
        let ticket = ask(&approvals, owner, &format!("d{row}"));
        assert_eq!(code(approvals.decide(&ticket.id, true, by, via)), expected, "{} via {via}", by.id);
        assert_eq!(
            approvals.consume(owner, &ticket.digest).unwrap(),
            expected == "ok",
            "{} via {via}",
            by.id
        );
    }
    assert_eq!(code(approvals.decide("nothing", true, &root, "cli")), "not_found");
}

#[test]
fn a_loop_cannot_bury_the_humans() {
    let room = Room::new();
    let approvals = open(&room);
    (0..50).for_each(|n| drop(ask(&approvals, "bot", &format!("d{n}"))));
    assert_eq!(code(approvals.open(request("bot", "one more"))), "overloaded");
    assert_eq!(code(approvals.open(request("bot", "d7"))), "ok", "an open one is found again");
    assert_eq!(code(approvals.open(request("other", "d"))), "ok");
    room.pass(Duration::from_secs(301));
    assert_eq!(code(approvals.open(request("bot", "one more"))), "ok");
}

#[test]
fn a_client_that_always_says_no_fills_nothing_and_hides_nobody() {
    let room = Room::new();
    let approvals = open(&room);
    ask(&approvals, "alice", "waits");
    room.pass(Duration::from_secs(1));
    let bot = principal("bot", PrincipalKind::Agent, &["operator"]);
    for n in 0..250 {
        let ticket = ask(&approvals, "bot", &format!("d{n}"));
        approvals.decide(&ticket.id, false, &bot, "elicitation").unwrap();
    }
    assert!(approvals.list(&bot).unwrap().len() <= 201);
    let first = approvals.list(&user("olga", &["operator"])).unwrap().remove(0);
    assert_eq!((first.principal.as_str(), first.state.as_str()), ("alice", "open"));
}

#[test]
fn listings_show_ones_own_and_deciders_everything() {
    let room = Room::new();
    let approvals = open(&room);
    ask(&approvals, "bot", "d1");
    let ticket = ask(&approvals, "alice", "d1");
    approvals.decide(&ticket.id, true, &user("olga", &["operator"]), "cli").unwrap();
    let list = |who| approvals.list(&who).unwrap();
    assert_eq!(list(user("alice", &[])).len(), 1);
    assert_eq!(list(user("olga", &["operator"])).len(), 2);
    assert_eq!(list(user("nobody", &["viewer"])).len(), 0);
    assert_eq!(list(principal("bot", PrincipalKind::Agent, &["operator"])).len(), 1);
    let granted = list(user("alice", &[])).remove(0);
    assert_eq!((granted.state.as_str(), granted.decided_by.as_deref()), ("granted", Some("olga")));
}
