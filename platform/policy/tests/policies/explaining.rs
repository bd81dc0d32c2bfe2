//! Why an answer is what it is.

use pipeline::seams::Action::Execute;
use policy::Missing;

use crate::world::{World, ask};

fn explain(world: &World, roles: &[&str], tool: &str) -> policy::Explanation {
    world.engine.explain(&ask("user:x", roles, Execute, tool).question())
}

#[test]
fn a_permit_is_named_with_its_place_and_duties() {
    let world = World::with_defaults();
    let told = explain(&world, &["operator"], "docker-manager.docker_remove");
    assert_eq!(told.summary, "allowed once a human approves it");
    assert_eq!(told.deciding.len(), 1);
    let policy = &told.deciding[0];
    assert_eq!(
        (policy.id.as_str(), policy.file.as_str(), policy.effect),
        ("operator-other-destroy", "operator.cedar", "permit")
    );
    let line = world.read("operator.cedar").lines().position(|it| it.contains("operator-other-destroy"));
    assert_eq!(Some(policy.line - 1), line);
    assert!(told.to_string().contains("needs approval: this may lose something"), "{told}");
    assert_eq!(serde_json::to_value(&told).expect("JSON")["deciding"][0]["id"], "operator-other-destroy");
}

#[test]
fn a_denial_shows_what_came_close() {
    let world = World::with_defaults();
    let told = explain(&world, &["viewer"], "docker-manager.docker_build");
    assert_eq!(told.summary, "denied: no policy permits it");
    let near: Vec<_> = told.near.iter().map(|it| (it.policy.id.as_str(), it.missing)).collect();
    assert_eq!(near, [("viewer-run-reads", Missing::Condition), ("viewer-look", Missing::Action)]);
    assert!(explain(&world, &["stranger"], "docker-manager.docker_build").near.is_empty());
}

#[test]
fn a_forbid_is_named_instead_of_near_misses() {
    let world = World::with(
        r#"permit (principal, action, resource) when { resource.effect == "read" };
           @id("no") @description("not this one") forbid (principal, action, resource in Server::"docker-manager");"#,
    );
    let told = explain(&world, &[], "docker-manager.docker_build");
    assert_eq!(told.summary, "denied: a policy forbids it");
    assert!(told.near.is_empty());
    assert_eq!(told.to_string(), "denied: a policy forbids it\n  forbid no (test.cedar:2): not this one\n");
}

#[test]
fn a_refused_question_says_so() {
    let world = World::with("permit (principal, action, resource);");
    let told = explain(&world, &["admin"], "docker-manager");
    assert_eq!(
        told.summary,
        "denied: the question was refused before any policy was asked (core:nothing-to-execute)"
    );
}
