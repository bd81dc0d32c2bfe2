//! Slices and memory make answers fast; they must never make them different.

use kernel::{Principal, PrincipalKind};
use pipeline::seams::Action::{self, Execute, List, Read};
use policy::{Manifest, PolicyEngine};
use proptest::prelude::*;

use crate::world::{Ask, World, ask, tool_names};

/// Policies of every scope shape, so that each way of slicing is tried.
const SHAPES: &[&str] = &[
    r#"permit (principal, action, resource in Server::"docker-manager");"#,
    r#"permit (principal == User::"alice", action, resource);"#,
    r#"permit (principal in Role::"ops", action == Action::"execute", resource in Category::"Infrastructure");"#,
    r#"permit (principal is Agent, action == Action::"list", resource);"#,
    r#"permit (principal is User in Role::"ops", action in [Action::"list", Action::"read"], resource is Tool);"#,
    r#"permit (principal, action, resource == Tool::"desktop-commander.read_file");"#,
    r#"permit (principal, action, resource is Tool in Category::"Security");"#,
    r#"permit (principal, action, resource) when { context.door == "cli" };"#,
    r#"permit (principal, action, resource) when { principal.name like "b*" };"#,
    r#"forbid (principal in Role::"ops", action, resource == Tool::"docker-manager.docker_remove");"#,
    r#"forbid (principal, action, resource is Server) when { principal.kind == "agent" };"#,
    r#"forbid (principal, action, resource) when { context has context_id && context.context_id == "locked" };"#,
    r#"forbid (principal, action, resource) when { context.resources.contains({ kind: "file", id: "/x" }) };"#,
    r#"@approval("ask") permit (principal, action, resource) when { resource.effect == "destroy" };"#,
];

fn questions() -> impl Strategy<Value = Ask> {
    let mut targets = tool_names();
    targets.extend(["docker-manager", "security-scanner", "elsewhere", "elsewhere.tool"].map(str::to_owned));
    (
        prop::sample::select(vec!["user:alice", "user:bob", "agent:bot", "service:cron"]),
        prop::sample::select(vec![&[][..], &["ops"][..], &["dev", "ops"][..]]),
        prop::sample::select(vec![Execute, List, Read]),
        prop::sample::select(targets),
        prop::sample::select(vec!["http", "cli"]),
        prop::sample::select(vec![None, Some("locked"), Some("open")]),
        prop::sample::select(vec![None, Some("/x"), Some("/y")]),
    )
        .prop_map(|(who, roles, action, what, door, context, file)| {
            let mut question = ask(who, roles, action, &what).through(door);
            question.context = context.map(str::to_owned);
            file.map_or(question.clone(), |id| question.on("file", id))
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn sliced_and_remembered_answers_equal_the_plain_ones(
        shapes in prop::sample::subsequence(SHAPES.to_vec(), 0..=SHAPES.len()),
        asked in prop::collection::vec(questions(), 1..60),
    ) {
        let world = World::with(&shapes.join("\n"));
        // An engine that knows no server slices nothing, and a fresh one remembers nothing.
        for question in &asked {
            let (plain, _) = PolicyEngine::open(world.dir(), Manifest::new()).expect("the same files");
            let expected = pipeline::seams::Policy::decide(plain.as_ref(), &question.question());
            prop_assert_eq!(&world.decide(question), &expected, "first {:?}", question);
            prop_assert_eq!(&world.decide(question), &expected, "again {:?}", question);
        }
    }
}

#[test]
fn the_memory_tells_apart_whatever_a_policy_can_see() {
    let world = World::with(
        r#"permit (principal == User::"alice", action, resource) when {
             context.door == "cli" && context has context_id && context.context_id == "a" &&
             context has resource_id && context.resource_id == "/x" &&
             context has resource_kind && context.resource_kind == "file" };"#,
    );
    let right = || ask("user:alice", &[], Execute, "desktop-commander.read_file").through("cli").inside("a");
    assert!(world.allows(&right().on("file", "/x")));
    let wrong: [(&str, Ask); 8] = [
        (
            "principal",
            ask("user:bob", &[], Execute, "desktop-commander.read_file")
                .through("cli")
                .inside("a")
                .on("file", "/x"),
        ),
        (
            "kind",
            ask("agent:alice", &[], Execute, "desktop-commander.read_file")
                .through("cli")
                .inside("a")
                .on("file", "/x"),
        ),
        ("door", right().through("http").on("file", "/x")),
        ("context", right().inside("b").on("file", "/x")),
        ("id", right().on("file", "/y")),
        ("kind of thing", right().on("dir", "/x")),
        ("count", right().on("file", "/x").on("file", "/x")),
        ("shifted bytes", right().on("fil", "e/x")),
    ];
    for (what, question) in wrong {
        assert!(!world.allows(&question), "{what}");
    }
    assert!(world.allows(&right().on("file", "/x")), "and the right one is still right");
}

#[test]
fn a_reload_forgets() {
    let world = World::with("permit (principal, action, resource);");
    let question = ask("user:x", &[], Execute, "docker-manager.docker_ps");
    for round in 0..20 {
        assert_eq!(world.allows(&question), round % 2 == 0);
        let effect = if round % 2 == 0 { "forbid" } else { "permit" };
        world.write("test.cedar", &format!("{effect} (principal, action, resource);"));
        world.engine.reload().expect("valid");
    }
}

#[test]
fn roles_of_the_same_letters_are_not_the_same_roles() {
    let world = World::with(r#"permit (principal in Role::"ab", action, resource);"#);
    let with = |roles: &[&str]| {
        let mut question = ask("user:x", &[], Action::List, "docker-manager.docker_ps");
        question.principal = Principal {
            id: "x".into(),
            kind: PrincipalKind::User,
            roles: roles.iter().map(|it| (*it).to_owned()).collect(),
            token_id: None,
        };
        world.allows(&question)
    };
    assert!(with(&["ab"]));
    assert!(!with(&["a", "b"]));
    assert!(with(&["a", "ab", "b"]));
    assert!(!with(&["a", "abb"]));
}
