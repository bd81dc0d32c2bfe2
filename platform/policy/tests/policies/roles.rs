//! The shipped roles, against every kind of tool.

use crate::world::{World, ask};
use pipeline::seams::Action::{self, Execute, List, Read};

/// Answers in one letter per role: `y`es, `a`pproval, `n`o.
fn row(world: &World, action: Action, tool: &str) -> String {
    let role = |role: &str| {
        let decision = world.decide(&ask("user:somebody", &[role], action, tool));
        match (decision.allowed, decision.obligations.approval) {
            (false, _) => 'n',
            (true, None) => 'y',
            (true, Some(_)) => 'a',
        }
    };
    ["viewer", "operator", "security", "admin", "nobody"].map(role).into_iter().collect()
}

#[test]
fn the_shipped_roles_times_tools() {
    let world = World::with_defaults();
    //               viewer, operator, security, admin, nobody
    for (tool, expected) in [
        ("desktop-commander.read_file", "yyyyn"),
        ("desktop-commander.execute_command", "nynyn"),
        ("desktop-commander.write_file", "nynyn"),
        ("desktop-commander.delete_path", "nanyn"),
        ("docker-manager.docker_ps", "yyyyn"),
        ("docker-manager.docker_build", "nynyn"),
        ("docker-manager.docker_remove", "nanyn"),
        ("security-scanner.file_security_scan", "yyyyn"),
        ("security-scanner.suppress_finding", "nnyyn"),
        ("security-scanner.purge_results", "nnyyn"),
        ("slack-notifier.send_message", "nynyn"),
        ("unheard-of.read_things", "nnnyn"),
    ] {
        assert_eq!(row(&world, Execute, tool), expected, "execute {tool}");
        assert_eq!(row(&world, List, tool), "yyyyn", "list {tool}");
    }
    assert_eq!(row(&world, Read, "docker-manager"), "yyyyn");
    assert_eq!(row(&world, Execute, "docker-manager"), "nnnnn", "a server is not executable");
}

#[test]
fn two_roles_never_add_up_to_a_duty() {
    let world = World::with_defaults();
    let decide =
        |roles: &[&str]| world.decide(&ask("user:x", roles, Execute, "docker-manager.docker_remove"));
    assert!(decide(&["operator"]).obligations.approval.is_some());
    let both = decide(&["admin", "operator"]);
    assert_eq!(both.obligations.approval, None, "admin's permit carries no duty");
    assert_eq!(both.policies, ["admin-everything", "operator-other-destroy"]);
}

#[test]
fn the_shipped_files_load_without_a_warning_and_pass_their_own_table() {
    let world = World::with_defaults();
    assert_eq!(world.report.warnings, []);
    let report = policy::run_cases(world.dir(), &world.manifest()).expect("it runs");
    assert!(report.cases >= 11);
    assert!(report.failures.is_empty(), "{:#?}", report.failures);
}

#[test]
fn every_commented_example_loads_when_the_slashes_are_taken_away() {
    let world = World::with_defaults();
    let custom = world.read("custom.cedar");
    let (mut open, mut text) = (false, String::new());
    for line in custom.lines() {
        open |= line.starts_with("//@id");
        if open {
            text += line.trim_start_matches("//");
            text += "\n";
            open = !line.ends_with(';');
        }
    }
    world.write("custom.cedar", &text);
    let report = world.engine.reload().expect("the examples are valid");
    assert_eq!(report.policies, 11 + 6);
    let outside = ask("agent:a", &["admin"], Execute, "desktop-commander.execute_command");
    assert!(!world.decide(&outside).allowed, "an agent outside a context");
}

#[test]
fn defaults_never_overwrite_what_the_operator_edited() {
    let world = World::with_defaults();
    world.write("viewer.cedar", "// mine\n");
    std::fs::remove_file(world.dir().join("admin.cedar")).expect("removed");
    assert_eq!(policy::write_defaults(world.dir()).expect("written"), ["admin.cedar"]);
    assert_eq!(world.read("viewer.cedar"), "// mine\n");
}
