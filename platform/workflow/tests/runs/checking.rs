//! What `workflow validate` finds.

use workflow::ProblemClass;

use crate::world::{Shelf, checked};

/// `line class message` of everything that is found.
fn found(text: &str) -> Vec<String> {
    let checked = checked(text, &Shelf::default());
    checked
        .problems
        .iter()
        .map(|it| format!("{} {:?} {} ({})", it.line, it.class, it.message, it.suggestion))
        .collect()
}

#[test]
fn everything_is_reported_at_once_with_its_line_and_a_suggestion() {
    let text = "workflow: a\nsteps:\n\
        - id: one\n  call: scaner.scan\n\
        - id: two\n  call: scanner.scam\n\
        - id: three\n  call: scanner.scan\n  with: { paht: ., kind: al, depth: '${{ inputs.x }}m' }\n\
        - id: four\n  if: steps.tree.out == 1\n  call: t.do\n  with: { who: '${{ step.one }}' }\n\
        - id: four\n  set: '${{ sizes(1) }}'\n\
        - id: five\n  retry: { attempts: 3 }\n\
        - id: six\n  set: '${{ 1 + }}'\n";
    let expected = [
        "4 UnknownTool no server is called `scaner` (did you mean `scanner`?)",
        "6 UnknownTool `scanner` has no tool `scam` (did you mean `scan`?)",
        "there is no argument `paht` (did you mean `path`?)",
        "argument `path` is missing",
        "9 Arguments \"al\" is not one of",
        "9 Arguments the tool takes integer here, and this is text",
        "there is no input `x`",
        "11 Expression there is no step `tree` (did you mean `three`?)",
        "13 Expression there is no `step` here (did you mean `steps`?)",
        "14 Meaning a step is called `four` already",
        "there is no function `sizes` (did you mean `size`?)",
        "16 Structure step `five` does nothing",
        "`retry` belongs to a step with `call`",
        "19 Expression not a CEL expression",
    ];
    let found = found(text);
    for expected in expected {
        assert!(found.iter().any(|it| it.contains(expected)), "{expected} is not in\n{}", found.join("\n"));
    }
}

#[test]
fn unknown_keys_and_wrong_types_are_found_before_anything_else() {
    let found = found(
        "workflow: A b\nstps: []\nsteps:\n- id: 1\n  cal: t.do\n  timeout: soon\n- { id: x, on_error: never, set: 1 }\n",
    );
    for expected in [
        "1 Structure",
        "2 Structure this key is unknown (did you mean `steps`?)",
        "4 Structure",
        "5 Structure this key is unknown (did you mean `call`?)",
        "6 Structure",
        "7 Structure",
    ] {
        assert!(
            found.iter().any(|it| it.starts_with(expected)),
            "{expected} is not in\n{}",
            found.join("\n")
        );
    }
}

#[test]
fn a_server_that_is_not_installed_is_a_class_of_its_own() {
    let text = "workflow: a\nsteps:\n- { id: one, call: scanner.scan, with: { path: ., kind: all } }\n- { id: two, call: empty.anything }\n";
    let checked = checked(text, &Shelf::default());
    assert!(checked.is_sound() && !checked.is_runnable());
    assert!(checked.problems.iter().all(|it| it.class == ProblemClass::ServerNotInstalled));
    assert_eq!(checked.problems.len(), 2);
}

#[test]
fn what_is_read_must_have_ended() {
    let text = "workflow: a\nsteps:\n- { id: one, set: '${{ steps.two.out }}' }\n- { id: two, set: '${{ steps.two.out }}' }\n\
        - { id: both, parallel: [{ id: l, set: 1 }, { id: r, set: '${{ steps.l.out }}' }] }\n\
        - { id: each, for_each: { items: [1], steps: [{ id: in, set: '${{ item + index }}' }] } }\n\
        - { id: out, set: '${{ steps.in.out }}' }\n- { id: var, set: '${{ item }}' }\n- { id: fine, set: '${{ [steps.l.out, steps.each.out] }}' }\n";
    let found = found(text);
    assert_eq!(found.len(), 5, "{}", found.join("\n"));
}

#[test]
fn circles_are_found() {
    let a = "workflow: a\nsteps: [{ id: one, workflow: b }]\n";
    let b = "workflow: b\nsteps: [{ id: one, workflow: a }]\n";
    let shelf = Shelf([("a".into(), a.into()), ("b".into(), b.into())].into());
    let checked = checked(a, &shelf);
    assert!(checked.program.is_none());
    let text = checked.problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    assert!(text.contains("a → b → a"), "{text}");
    let itself = checked_alone("workflow: c\nsteps: [{ id: one, workflow: c }]\n");
    assert!(itself.contains("c → c"), "{itself}");
    assert!(
        checked_alone("workflow: c\nsteps: [{ id: one, workflow: d }]\n")
            .contains("no workflow is called `d`")
    );
}

fn checked_alone(text: &str) -> String {
    found(text).join("\n")
}

#[test]
fn the_inputs_of_a_workflow_inside_are_checked() {
    let inner = "workflow: inner\ninputs: { n: { type: integer } }\nsteps: [{ id: one, call: t.do }]\n";
    let shelf = Shelf([("inner".into(), inner.into())].into());
    let outer = "workflow: a\nsteps:\n- { id: one, workflow: inner }\n- { id: two, workflow: inner, with: { n: x, m: 1 } }\n";
    let checked = checked(outer, &shelf);
    let text = checked.problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    assert!(
        text.contains("argument `n` is missing")
            && text.contains("no argument `m`")
            && text.contains("integer"),
        "{text}"
    );
}

#[test]
fn hostile_files_are_refused_quickly() {
    let deep = format!("workflow: a\nsteps: {}[]{}\n", "[{id: a, steps: ".repeat(20), "}]".repeat(20));
    let many = format!(
        "workflow: a\nsteps:\n{}",
        (0..501).map(|it| format!("- {{ id: s{it}, set: 1 }}\n")).collect::<String>()
    );
    let bomb = "workflow: a\nx: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n\
        d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: [*d,*d,*d,*d,*d,*d,*d,*d,*d]\n";
    for (name, text) in [
        ("deep", deep.as_str()),
        ("many", many.as_str()),
        ("bomb", bomb),
        ("empty", ""),
        ("text", "hello"),
        ("binary", "\u{0}\u{1}"),
        ("two", "a: 1\n---\nb: 2\n"),
    ] {
        let checked = checked(text, &Shelf::default());
        assert!(checked.program.is_none() && !checked.problems.is_empty(), "{name}");
    }
}

#[test]
fn a_step_for_a_server_that_may_be_missing_is_skipped_where_it_is() {
    let text = "workflow: a\nsteps:\n- { id: one, call: scanner.scan, with: { path: ., kind: all }, when_installed: true }\n- { id: two, set: '${{ steps.one.status }}' }\n";
    let checked = checked(text, &Shelf::default());
    assert!(checked.is_runnable(), "{:?}", checked.problems);
    let run = crate::world::Run::start(&checked.program.unwrap(), serde_json::json!({}));
    assert_eq!(run.state.results()["two"]["out"], "skipped");
    // Its arguments are checked all the same.
    assert!(found(&text.replace("kind: all", "kind: none")).join("\n").contains("one of"));
}

#[test]
fn the_hash_is_of_what_the_file_means() {
    let hash = |text: &str| checked(text, &Shelf::default()).program.unwrap().hash.clone();
    let one = hash("workflow: a\nsteps: [{ id: one, call: t.do }]\n");
    assert_eq!(one, hash("# a comment\nsteps:\n  - call: \"t.do\"\n    id: one\nworkflow: a\n"));
    assert_ne!(one, hash("workflow: a\nsteps: [{ id: two, call: t.do }]\n"));
}
