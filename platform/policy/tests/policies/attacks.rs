//! What hostile values must not achieve.

use std::sync::LazyLock;

use pipeline::seams::Action::{Execute, List, Read};
use proptest::prelude::*;

use crate::world::{World, ask, tool_names};

/// Texts that would mean something if anything ever parsed them.
const HOSTILE: &[&str] = &[
    "x\" || true || \"",
    "admin\"), action, resource); permit(principal",
    "Role::\"admin\"",
    "User::\"root\"",
    "\\\"",
    "\\u{22}",
    "",
    " ",
    "*",
    "\0",
    "\n",
    "admin\u{200b}",
    "аdmin",
    "ADMIN",
    "admin ",
    "__entity",
    "?principal",
    "\u{202e}nimda",
    "日本語",
];

#[test]
fn a_hostile_name_is_only_a_name() {
    let world = World::with_defaults();
    let long = "x".repeat(10_000);
    for text in HOSTILE.iter().copied().chain([long.as_str()]) {
        let who = format!("user:{text}");
        let mut plain = ask(&who, &[text], Execute, "desktop-commander.execute_command");
        plain.resources.push(kernel::Resource { kind: text.to_owned(), id: text.to_owned() });
        plain.door = text.to_owned();
        plain.context = Some(text.to_owned());
        assert!(!world.allows(&plain), "{text:?} got in");
        let mut viewer = ask(&who, &["viewer"], Execute, "desktop-commander.execute_command");
        viewer.tool = Some(text.to_owned());
        assert!(!world.allows(&viewer), "{text:?} as a tool got in: its effect is unknown");
        viewer.server = text.to_owned();
        viewer.category = text.to_owned();
        assert!(!world.allows(&viewer));
        assert!(
            world.allows(&ask(&who, &["viewer"], List, "desktop-commander.read_file")),
            "{text:?} locked out"
        );
    }
}

#[test]
fn a_tool_name_with_a_dot_does_not_become_another_servers_tool() {
    let world = World::with(r#"permit (principal, action, resource == Tool::"a.b.c");"#);
    let mut question = ask("user:x", &[], Execute, "a.b");
    question.tool = Some("b.c".to_owned());
    assert!(world.allows(&question));
    let world = World::with(r#"permit (principal, action, resource in Server::"a");"#);
    question.server = "a.b".to_owned();
    question.tool = Some("c".to_owned());
    assert!(!world.allows(&question), "the server is a.b, whatever the joined name looks like");
}

#[test]
fn forbid_wins_over_every_permit() {
    let world = World::with(
        r#"@id("all") permit (principal, action, resource);
           @id("no") forbid (principal, action == Action::"execute", resource in Server::"docker-manager");"#,
    );
    let denied = world.decide(&ask("user:x", &["admin"], Execute, "docker-manager.docker_ps"));
    assert_eq!((denied.allowed, denied.policies), (false, vec!["no".to_owned()]));
    assert!(world.allows(&ask("user:x", &[], List, "docker-manager.docker_ps")));
    assert!(world.allows(&ask("user:x", &[], Read, "docker-manager")));
    assert!(world.allows(&ask("user:x", &[], Execute, "desktop-commander.read_file")));
}

#[test]
fn a_forbid_that_cannot_be_evaluated_still_forbids() {
    let world = World::with(
        r#"permit (principal, action, resource);
           @id("overflows") forbid (principal, action, resource)
           when { 9223372036854775807 + (if context.door == "cli" then 1 else 0) == 0 };"#,
    );
    assert!(world.allows(&ask("user:x", &[], List, "docker-manager.docker_ps")));
    let denied = world.decide(&ask("user:x", &[], List, "docker-manager.docker_ps").through("cli"));
    assert_eq!((denied.allowed, denied.policies), (false, vec!["overflows".to_owned()]));
}

#[test]
fn resources_can_be_named_one_by_one_by_folder_and_by_pattern() {
    let world = World::with(
        r#"permit (principal, action, resource);
           @id("exact") forbid (principal, action, resource)
           when { context.resources.contains({ kind: "file", id: "/srv/payroll.csv" }) };
           @id("folder") forbid (principal, action, resource) when { context.any_within.contains("/etc") };
           @id("pattern") forbid (principal, action, resource)
           when { context has resource_id && context.resource_id like "*.pem" };"#,
    );
    let reading = |ids: &[&str]| {
        let mut question = ask("user:x", &[], Execute, "desktop-commander.read_file");
        question.resources = ids.iter().map(|id| kernel::Resource::new("file", id)).collect();
        world.decide(&question).policies.join(",")
    };
    assert_eq!(reading(&["/srv/a"]), "test#1");
    assert_eq!(reading(&["/srv/payroll.csv"]), "exact");
    assert_eq!(reading(&["/srv/a", "/srv/payroll.csv"]), "exact");
    assert_eq!(reading(&["/etc/passwd"]), "folder");
    assert_eq!(reading(&["/srv/../etc/passwd"]), "folder");
    assert_eq!(reading(&["/srv/a", "/etc"]), "folder");
    assert_eq!(reading(&["/etcetera"]), "test#1");
    assert_eq!(reading(&["/srv/key.pem"]), "pattern");
}

#[test]
fn a_permit_for_a_folder_needs_every_path_to_lie_in_it() {
    let world = World::with(
        r#"permit (principal, action, resource) when { context.all_within.contains("/srv/work") };"#,
    );
    let allows = |ids: &[&str]| {
        let mut question = ask("user:x", &[], Execute, "desktop-commander.write_file");
        question.resources = ids.iter().map(|id| kernel::Resource::new("file", id)).collect();
        world.allows(&question)
    };
    assert!(allows(&["/srv/work/a", "/srv/work/b/c"]));
    assert!(!allows(&["/srv/work/a", "/srv/b"]));
    assert!(!allows(&["/srv/work/../b"]));
    assert!(!allows(&["/srv/workshop"]));
    assert!(!allows(&["work/a"]));
    assert!(!allows(&[]));
}

#[test]
fn a_question_that_is_too_large_is_denied_without_asking() {
    let world = World::with("permit (principal, action, resource);");
    let base = ask("user:x", &[], Execute, "desktop-commander.read_file");
    let many = (0..1001).fold(base.clone(), |question, number| question.on("file", &format!("/{number}")));
    for question in [many, base.clone().on("file", &"x".repeat(200_000)), base.on("file", &"/x".repeat(65))] {
        assert_eq!(world.decide(&question).policies, ["core:question-too-large"]);
        assert!(!world.allows(&question));
    }
}

proptest! {
    #[test]
    fn nothing_is_allowed_by_an_empty_set(
        id in ".{0,20}", role in "(admin|viewer|.{0,10})", tool in ".{1,20}", door in ".{0,8}",
        action in prop::sample::select(vec![Execute, List, Read]),
    ) {
        static WORLD: LazyLock<World> = LazyLock::new(|| World::with(""));
        let world = &*WORLD;
        let mut question = ask("user:x", &[&role], action, "desktop-commander.read_file").through(&door);
        question.principal.id = id;
        prop_assert!(!world.allows(&question));
        question.tool = Some(tool);
        prop_assert!(!world.allows(&question));
    }

    #[test]
    fn a_role_that_no_policy_names_gets_nothing(role in "[^\"]{0,16}", pick in 0_usize..100) {
        let known = ["viewer", "operator", "security", "admin"];
        prop_assume!(!known.contains(&role.as_str()));
        static WORLD: LazyLock<World> = LazyLock::new(World::with_defaults);
        let (world, tools) = (&*WORLD, tool_names());
        let question = ask("agent:x", &[&role], Execute, &tools[pick % tools.len()]);
        prop_assert!(!world.allows(&question));
    }
}
