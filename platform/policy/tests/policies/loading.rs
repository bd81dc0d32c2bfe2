//! What loads, what is refused, and what stays in force meanwhile.

use std::{sync::mpsc, time::Duration};

use pipeline::seams::{Action::Execute, Policy};
use policy::{PolicyEngine, Severity};

use crate::world::{World, ask, manifest};

const PERMIT: &str = "permit (principal, action, resource);";

fn read() -> crate::world::Ask {
    ask("user:x", &[], Execute, "desktop-commander.read_file")
}

/// `line:column message` of every error, in order.
fn errors(policies: &str) -> Vec<String> {
    let Err(errors) = World::try_with(policies) else { panic!("it loaded: {policies}") };
    let shown = |it: &policy::Finding| format!("{}:{} {}", it.line, it.column, it.message);
    errors.findings.iter().filter(|it| it.severity == Severity::Error).map(shown).collect()
}

fn warnings(policies: &str) -> Vec<String> {
    World::with(policies).report.warnings.iter().map(ToString::to_string).collect()
}

#[test]
fn an_empty_set_denies_and_says_so() {
    let world = World::with("// nothing\n");
    assert!(!world.allows(&read()));
    assert_eq!(world.report.policies, 0);
    assert_eq!(world.report.warnings.len(), 1);
}

#[test]
fn a_bad_file_keeps_the_old_set_in_force() {
    let world = World::with(PERMIT);
    assert_eq!(world.engine.generation(), 1);
    world.write("broken.cedar", "permit (principal, action resource);");
    let refused = world.engine.reload().expect_err("it is broken");
    assert_eq!(refused.findings[0].file, "broken.cedar");
    assert!(world.allows(&read()));
    assert_eq!(world.engine.generation(), 1);
    world.write("broken.cedar", "forbid (principal, action, resource);");
    assert_eq!(world.engine.reload().expect("mended").generation, 2);
    assert!(!world.allows(&read()), "and the memory of the old set is gone with it");
}

#[test]
fn every_mistake_is_reported_at_once_with_its_place() {
    let found = errors(
        "permit (principal, action, resource);\n\
         permit (principal, action resource);\n\
         \n  // a comment; with a semicolon\n  forbid (principal, action, resource) when { resource.efect == \"read\" };\n\
         permit (principal, action, resource) when { context.door == 3 };\n\
         permit (principal == ?principal, action, resource);\n",
    );
    let places: Vec<_> = found.iter().map(|it| it.split_once(' ').expect("a place").0).collect();
    assert_eq!(places, ["2:27", "5:47", "6:45", "7:22"], "{found:#?}");
}

#[test]
fn the_validator_names_the_place_and_the_cure() {
    let found = errors(
        "permit (principal, action, resource)\nwhen { resource.efect == \"read\" };\n\
         permit (principal, action, resource)\nwhen { context.door == 3 };",
    );
    let places: Vec<_> = found.iter().map(|it| it.split_once(' ').expect("a place").0).collect();
    assert_eq!(places, ["2:8", "4:8"], "{found:#?}");
    let Err(refused) =
        World::try_with("permit (principal, action, resource) when { resource.efect == \"read\" };")
    else {
        panic!("it loaded");
    };
    assert!(refused.findings[0].hint.as_deref().is_some_and(|hint| hint.contains("effect")), "{refused}");
}

#[test]
fn ids_are_unique_across_files_and_made_up_when_absent() {
    let world = World::with(&format!("{PERMIT}\n@id(\"mine\") {PERMIT}"));
    assert_eq!(world.decide(&read()).policies, ["mine", "test#1"]);
    world.write("other.cedar", &format!("\n\n@id(\"mine\") {PERMIT}"));
    let refused = world.engine.reload().expect_err("a duplicate");
    assert!(
        refused.to_string().contains(
            "test.cedar:2:1: error: the id `mine` is used twice (the other one is at other.cedar:3)"
        ),
        "{refused}"
    );
    world.write("other.cedar", &format!("@id(\"test#1\") {PERMIT}"));
    assert!(world.engine.reload().is_err(), "a made-up id is an id too");
    assert!(!errors(&format!("@id(\"{}\") {PERMIT}", "x".repeat(129))).is_empty());
    assert!(!errors(&format!("@id(\"a\\nb\") {PERMIT}")).is_empty());
}

#[test]
fn a_duty_that_would_silently_do_nothing_is_an_error() {
    for (policy, expected) in [
        ("@aproval(\"ask\") permit (principal, action, resource);", "there is no annotation @aproval"),
        ("@rate_clas(\"x\") permit (principal, action, resource);", "there is no annotation @rate_clas"),
        ("@approval(\"ask\") forbid (principal, action, resource);", "@approval on a forbid does nothing"),
        ("@redact permit (principal, action, resource);", "@redact needs a value"),
        ("@rate_class(\" \") permit (principal, action, resource);", "@rate_class needs a value"),
    ] {
        assert_eq!(errors(policy), [format!("1:1 {expected}")]);
    }
    World::with("@owner(\"platform team\") permit (principal, action, resource);");
}

#[test]
fn names_that_nothing_answers_to_are_warnings_with_suggestions() {
    for (scope, expected) in [
        (
            "principal, action, resource in Server::\"docker-manger\"",
            "no server is called `docker-manger` (did you mean `docker-manager`?)",
        ),
        (
            "principal, action, resource in Server::\"docker\"",
            "`docker` is an alias (policies name the server `docker-manager`)",
        ),
        (
            "principal, action, resource == Tool::\"docker.docker_ps\"",
            "`docker` is an alias (policies name the tool `docker-manager.docker_ps`)",
        ),
        (
            "principal, action, resource == Tool::\"docker-manager.docker_pss\"",
            "no tool is called `docker-manager.docker_pss` (did you mean `docker-manager.docker_ps`?)",
        ),
        (
            "principal in Role::\"viewr\", action, resource",
            "no role is called `viewr` (did you mean `viewer`?)",
        ),
        ("principal, action, resource in Category::\"Infra\"", "no category is called `Infra`"),
    ] {
        let found = warnings(&format!("permit ({scope});"));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].ends_with(expected), "{found:?}");
    }
    assert_eq!(warnings(PERMIT), [""; 0]);
}

#[test]
fn a_folder_is_read_within_bounds() {
    let world = World::with(PERMIT);
    world.write(".hidden.cedar", "nonsense");
    world.write("notes.txt", "nonsense");
    world.engine.reload().expect("neither is a policy file");

    world.write("large.cedar", &"// padding\n".repeat(30_000));
    assert!(world.engine.reload().expect_err("too large").to_string().contains("larger than 262144 bytes"));
    std::fs::remove_file(world.dir().join("large.cedar")).expect("removed");

    std::fs::create_dir(world.dir().join("folder.cedar")).expect("made");
    assert!(world.engine.reload().expect_err("a folder").to_string().contains("not a regular file"));
    std::fs::remove_dir(world.dir().join("folder.cedar")).expect("removed");

    for number in 0..257 {
        world.write(&format!("n{number}.cedar"), "");
    }
    assert!(world.engine.reload().expect_err("too many").to_string().contains("more than 256"));
    assert!(PolicyEngine::open(world.dir().join("absent"), manifest()).is_err());
}

#[test]
fn a_file_made_to_exhaust_the_parser_is_only_refused() {
    assert!(errors(&";".repeat(5001))[0].contains("more than 5000 policies"));
    assert_eq!(errors(&";".repeat(5000)).len(), 200, "what nobody would read is not told");
    let deep = |open: &str, close: &str| {
        format!(
            "permit (principal, action, resource) when {{ {}true{} }};",
            open.repeat(20_000),
            close.repeat(20_000)
        )
    };
    let chain = |link: &str, count: usize| {
        format!("permit (principal, action, resource) when {{ true{} }};", link.repeat(count))
    };
    for policy in [
        deep("(", ")"),
        deep("!", ""),
        deep("-", ""),
        deep("[", "]"),
        deep("if true then ", " else true"),
        chain("&&true", 20_000),
        chain(".a", 20_000),
        chain("[\"a\"]", 12_000),
        chain("+1", 20_000),
        format!("permit (principal, action, resource) when {{ \"{}\" == \"\" }};", "x".repeat(70_000)),
    ] {
        assert!(!errors(&policy).is_empty());
    }
    assert!(World::with(&chain(" && true", 400)).allows(&read()), "what a generator may write still works");
}

#[cfg(unix)]
#[test]
fn links_may_stay_inside_and_may_not_lead_out() {
    use std::os::unix::fs::symlink;
    let (world, outside) = (World::with(PERMIT), tempfile::tempdir().expect("a folder"));
    std::fs::create_dir(world.dir().join("..data")).expect("made");
    world.write("..data/mounted.cedar", "forbid (principal, action, resource);");
    symlink("..data/mounted.cedar", world.dir().join("mounted.cedar")).expect("linked");
    world.engine.reload().expect("a mounted configuration looks like this");
    assert!(!world.allows(&read()));

    std::fs::write(outside.path().join("evil.cedar"), PERMIT).expect("written");
    symlink(outside.path().join("evil.cedar"), world.dir().join("evil.cedar")).expect("linked");
    assert!(world.engine.reload().expect_err("leads out").to_string().contains("leads out"));
    std::fs::remove_file(world.dir().join("evil.cedar")).expect("removed");

    symlink("loop.cedar", world.dir().join("loop.cedar")).expect("linked");
    assert!(world.engine.reload().is_err(), "a link to itself");
    std::fs::remove_file(world.dir().join("loop.cedar")).expect("removed");

    rustix::fs::mkfifoat(rustix::fs::CWD, world.dir().join("pipe.cedar"), rustix::fs::Mode::RWXU)
        .expect("made");
    assert!(world.engine.reload().expect_err("a pipe").to_string().contains("not a regular file"));
}

#[test]
fn a_server_mounted_later_is_known_after_a_reload() {
    let world = World::with("permit (principal, action, resource in Server::\"docker-manager\");");
    let fewer = world.engine.reload_with(policy::Manifest::new()).expect("valid");
    assert_eq!(fewer.warnings, [], "without servers there are no names to check");
    world.write("test.cedar", "nonsense");
    assert!(world.engine.reload_with(manifest()).is_err());
    assert!(
        !format!("{:?}", world.engine.manifest()).contains("docker"),
        "a refused reload changes nothing at all"
    );
    world.write("test.cedar", "permit (principal, action, resource in Server::\"docker-manger\");");
    assert_eq!(world.engine.reload_with(manifest()).expect("valid").warnings.len(), 1);
}

#[test]
fn check_puts_nothing_in_force() {
    let world = World::with(PERMIT);
    world.write("test.cedar", "forbid (principal, action, resource);");
    assert_eq!(policy::check(world.dir(), &manifest()).expect("valid").policies, 1);
    assert!(world.allows(&read()));
    assert_eq!(world.engine.generation(), 1);
}

#[tokio::test]
async fn the_watcher_loads_a_settled_change_and_reports_a_bad_one_once() {
    let world = World::with(PERMIT);
    let (sender, reports) = mpsc::sync_channel(16);
    let watcher = world.engine.watch(Duration::from_millis(2), move |report| {
        sender.send(report.map_err(|errors| errors.findings.len())).expect("somebody listens");
    });
    let next = async || {
        for _ in 0..5000 {
            if let Ok(report) = reports.try_recv() {
                return report;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        panic!("the watcher never reported");
    };
    world.write("test.cedar", "forbid (principal, action, resource);");
    assert_eq!(next().await.expect("valid").generation, 2);
    assert!(!world.allows(&read()));
    world.write("test.cedar", "nonsense");
    assert_eq!(next().await, Err(1));
    world.write("test.cedar", PERMIT);
    assert_eq!(next().await.expect("valid").generation, 3, "and the bad one was not reported again");
    drop(watcher);
}

#[test]
fn a_test_table_says_what_came_out_instead() {
    let world = World::with(&format!("@id(\"all\") {PERMIT}"));
    world.write(
        "a.test.toml",
        "[[case]]\ntool = \"docker-manager.docker_ps\"\nexpect = \"allow\"\npolicy = \"all\"\n\
         [[case]]\nname = \"wrong\"\ntool = \"docker-manager.docker_ps\"\nexpect = \"deny\"\n\
         [[case]]\ntool = \"unheard.of\"\nexpect = \"deny\"\n",
    );
    let report = policy::run_cases(world.dir(), &manifest()).expect("it runs");
    let shown: Vec<_> = report.failures.iter().map(ToString::to_string).collect();
    assert_eq!(report.cases, 3);
    assert_eq!(shown[0], "a.test.toml: wrong: expected deny, got allow by `all`");
    assert!(shown[1].starts_with("a.test.toml: case 3: expected deny, got a broken case"), "{shown:?}");
    world.write("b.test.toml", "[[case]]\nexpct = \"deny\"\n");
    let broken = policy::run_cases(world.dir(), &manifest()).expect_err("a typing mistake");
    assert!(broken.to_string().contains("b.test.toml:"), "{broken}");
}
