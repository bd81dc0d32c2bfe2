//! Golden histories: what happens, and what is commanded then.

use serde_json::{Value, json};
use workflow::{Decider, EventKind, Resolution, RunStatus};

use crate::world::{Run, program, program_with};

#[test]
fn steps_run_in_order_and_pass_on_what_they_found() {
    let program = program(
        "workflow: a\ninputs: { who: { type: string, default: web } }\n\
         outputs: { n: { value: '${{ steps.two.out.n + 1 }}', type: integer } }\n\
         steps:\n- { id: one, call: t.do, with: { who: '${{ inputs.who }}' } }\n\
         - { id: skipped, if: steps.one.out.n > 5, call: t.do }\n\
         - { id: two, call: t.do, with: { x: 'n=${{ steps.one.out.n }} ${{ steps.skipped.status }}' } }\n",
    );
    let mut run = Run::start(&program, json!({}));
    assert_eq!(run.look(), [r#"one#1 t.do {"who":"web"}"#]);
    run.done(json!({"n": 1}));
    assert_eq!(run.look(), [r#"two#1 t.do {"x":"n=1 skipped"}"#]);
    run.done(json!({"n": 2}));
    assert_eq!(run.look(), ["end succeeded"]);
    assert_eq!((run.ended(), run.state.outputs()), (RunStatus::Succeeded, &json!({"n": 3})));
}

const UNDO: &str = "workflow: a\nsteps:\n\
    - { id: one, call: t.do, undo: { call: t.undo, with: { what: 'one ${{ steps.one.out.id }}' } } }\n\
    - id: both\n  parallel:\n\
    \x20 - { id: left, call: t.do, undo: { call: t.undo, with: { what: left } } }\n\
    \x20 - { id: right, call: t.do, undo: { call: t.undo, with: { what: right } } }\n\
    - { id: last, call: t.do, retry: { attempts: 2, jitter: 0 } }\n";

#[test]
fn a_failure_undoes_what_was_done_in_reverse_order_of_completion() {
    let mut run = Run::start(&program(UNDO), json!({}));
    run.done(json!({"id": 7}));
    assert_eq!(run.look()[1..], ["left#1 t.do {}", "right#1 t.do {}"]);
    run.executions.swap(0, 1);
    run.done(json!({}));
    run.done(json!({}));
    run.failed("unavailable");
    run.look();
    run.tick();
    run.failed("unavailable");
    assert_eq!(run.look(), ["last#2 t.do {}", r#"undo left:undo#1 t.undo {"what":"left"}"#]);
    run.done(json!({}));
    run.failed("tool_execution_failed");
    run.tick();
    assert_eq!(
        run.look(),
        [
            r#"undo right:undo#1 t.undo {"what":"right"}"#,
            "timer +500",
            r#"undo right:undo#2 t.undo {"what":"right"}"#
        ]
    );
    run.done(json!({}));
    run.done(json!({}));
    assert_eq!(run.look(), [r#"undo one:undo#1 t.undo {"what":"one 7"}"#, "end failed"]);
    assert_eq!(run.ended(), RunStatus::Failed);
    assert_eq!(
        run.state.failure().map(|it| (it.step.as_str(), it.code.as_str())),
        Some(("last", "unavailable"))
    );
}

#[test]
fn an_undo_that_fails_leaves_the_rest_of_the_list_to_people_and_resume_goes_on() {
    let mut run = Run::start(&program(UNDO), json!({}));
    run.done(json!({"id": 7}));
    run.done(json!({}));
    run.failed("tool_execution_failed");
    for _ in 0..4 {
        run.failed("unavailable");
        run.tick();
    }
    run.failed("unavailable");
    assert_eq!(run.ended(), RunStatus::NeedsAttention);
    assert_eq!(run.state.left_to_undo(), ["left", "one"]);
    run.look();
    run.feed(EventKind::Resume);
    run.done(json!({}));
    run.done(json!({}));
    assert_eq!(run.look().last().map(String::as_str), Some("end failed"));
    assert_eq!(run.ended(), RunStatus::Failed);
}

#[test]
fn cancelling_stops_waits_waits_for_calls_and_undoes_them() {
    let text = "workflow: a\nsteps:\n- id: both\n  parallel:\n\
        \x20 - { id: slow, call: t.do, undo: { call: t.undo, with: { what: slow } } }\n\
        \x20 - { id: rest, wait: { for: 1h } }\n- { id: never, call: t.do }\n";
    let mut run = Run::start(&program(text), json!({}));
    run.look();
    run.feed(EventKind::Cancel { by: "ann".into() });
    assert_eq!(run.look(), ["interrupt"]);
    run.feed(EventKind::Cancel { by: "ann".into() });
    assert_eq!(run.look(), Vec::<String>::new(), "once is enough");
    run.done(json!({}));
    assert_eq!(run.look(), [r#"undo slow:undo#1 t.undo {"what":"slow"}"#]);
    run.done(json!({}));
    assert_eq!(run.ended(), RunStatus::Cancelled);
}

#[test]
fn a_loop_keeps_its_bound_its_order_and_its_own_names() {
    let text = "workflow: a\ninputs: { list: { type: array } }\nsteps:\n- id: each\n  for_each:\n    items: '${{ inputs.list }}'\n\
        \x20   as: it\n    max_parallel: 2\n    collect: '${{ string(index) + steps.one.out.v }}'\n    steps:\n\
        \x20   - { id: one, call: t.do, with: { who: '${{ it }}' } }\n- { id: after, set: '${{ steps.each.out }}' }\n";
    let mut run = Run::start(&program(text), json!({"list": ["a", "b", "c"]}));
    assert_eq!(run.look(), [r#"each[0].one#1 t.do {"who":"a"}"#, r#"each[1].one#1 t.do {"who":"b"}"#]);
    run.executions.swap(0, 1);
    run.done(json!({"v": "B"}));
    assert_eq!(run.look(), [r#"each[2].one#1 t.do {"who":"c"}"#]);
    run.done(json!({"v": "A"}));
    run.done(json!({"v": "C"}));
    assert_eq!(run.ended(), RunStatus::Succeeded);
    assert_eq!(run.state.results()["after"]["out"], json!({"count": 3, "items": ["0A", "1B", "2C"]}));
}

#[test]
fn a_loop_stops_beginning_after_a_failure_and_is_bounded() {
    let text = "workflow: a\ninputs: { list: { type: array, items: integer } }\nsteps:\n- id: each\n  for_each:\n    items: '${{ inputs.list }}'\n\
        \x20   max_parallel: 2\n    steps: [{ id: one, call: t.do }]\n";
    let program = program(text);
    let mut run = Run::start(&program, json!({"list": [1, 2, 3, 4]}));
    run.failed("not_found");
    assert_eq!(run.look().len(), 2, "no third one begins");
    run.done(json!({}));
    assert_eq!(run.ended(), RunStatus::Failed);
    let run = Run::start(&program, json!({"list": vec![1; 10_001]}));
    assert_eq!(run.state.failure().map(|it| it.code.as_str()), Some("too_large"));
}

#[test]
fn a_switch_takes_the_first_case_that_holds() {
    let text = "workflow: a\ninputs: { n: { type: integer } }\nsteps:\n- id: risk\n  switch:\n\
        \x20 - { when: inputs.n > 9, steps: [{ id: high, fail: 'too risky: ${{ inputs.n }}' }] }\n\
        \x20 - { when: inputs.n > 5, steps: [] }\n  - { steps: [{ id: low, call: t.do }] }\n";
    let program = program(text);
    let run = Run::start(&program, json!({"n": 10}));
    assert_eq!(run.state.failure().map(|it| it.message.as_str()), Some("too risky: 10"));
    assert_eq!(Run::start(&program, json!({"n": 6})).ended(), RunStatus::Succeeded);
    assert_eq!(Run::start(&program, json!({"n": 1})).look(), ["low#1 t.do {}"]);
}

#[test]
fn a_failure_may_be_no_failure_of_the_run() {
    let text = "workflow: a\nsteps:\n- { id: one, call: t.do, on_error: continue }\n\
        - { id: two, set: '${{ steps.one.status + \":\" + steps.one.error.code }}' }\n";
    let mut run = Run::start(&program(text), json!({}));
    run.failed("not_found");
    assert_eq!(run.ended(), RunStatus::Succeeded);
    assert_eq!(run.state.results()["two"]["out"], "failed:not_found");
}

fn someone(id: &str, role: &str) -> Decider {
    Decider { id: id.into(), roles: vec![role.into()] }
}

fn decide(run: &mut Run, who: Decider, grant: bool) {
    let form = json!({"why": "ok"});
    run.feed(EventKind::Decision { step: "go".into(), by: who, grant, form });
}

const APPROVAL: &str = "workflow: a\nsteps:\n- id: go\n  approval:\n    question: ship ${{ run.id }}?\n    by: ['role:lead']\n\
    \x20   quorum: 2\n    within: 8h\n    escalate: [{ after: 4h, to: ['role:head'] }]\n    on_timeout: TIMEOUT\n- { id: after, call: t.do }\n";

#[test]
fn an_approval_needs_its_quorum_of_different_people_who_may() {
    let mut run = Run::start(&program(&APPROVAL.replace("TIMEOUT", "fail")), json!({}));
    assert_eq!(run.look(), ["timer +28800000", "timer +14400000", "ask go role:lead"]);
    assert_eq!(run.state.status(), RunStatus::Waiting);
    assert_eq!(run.state.questions()[0].question, "ship r1?");
    decide(&mut run, someone("eve", "viewer"), true);
    decide(&mut run, someone("hal", "head"), true);
    decide(&mut run, someone("ann", "lead"), true);
    decide(&mut run, someone("ann", "lead"), true);
    assert_eq!(run.look(), Vec::<String>::new());
    run.tick();
    assert_eq!(run.look(), ["ask go role:head"]);
    decide(&mut run, someone("hal", "head"), true);
    assert_eq!(run.look(), ["after#1 t.do {}"]);
    assert_eq!(
        run.state.results()["go"]["out"],
        json!({"granted": true, "by": ["ann", "hal"], "form": {"why": "ok"}})
    );
    run.done(json!({}));
    assert_eq!(run.ended(), RunStatus::Succeeded);
}

#[test]
fn a_no_ends_an_approval_and_silence_means_what_the_file_says() {
    let mut run = Run::start(&program(&APPROVAL.replace("TIMEOUT", "fail")), json!({}));
    decide(&mut run, someone("ann", "lead"), false);
    assert_eq!(run.ended(), RunStatus::Failed);
    assert_eq!(run.state.failure().map(|it| it.code.as_str()), Some("approval_denied"));
    for (word, code) in [("fail", Some("timeout")), ("deny", Some("approval_denied")), ("approve", None)] {
        let mut run = Run::start(&program(&APPROVAL.replace("TIMEOUT", word)), json!({}));
        run.tick();
        run.tick();
        assert_eq!(run.state.failure().map(|it| it.code.as_str()), code, "{word}");
    }
}

#[test]
fn waits_are_for_times_and_events() {
    let text = "workflow: a\nsteps:\n- { id: nap, wait: { for: 90s } }\n- { id: moment, wait: { until: 2000 } }\n\
        - { id: pushed, wait: { event: 'registry.*', if: event.data.tag == 'v2', within: 1m, on_timeout: continue } }\n\
        - { id: again, wait: { event: x } }\n";
    let mut run = Run::start(&program(text), json!({}));
    run.tick();
    assert_eq!(run.look(), ["timer +90000", "timer +910000"]);
    run.tick();
    assert_eq!(run.look(), ["listen registry.*", "timer +60000"]);
    let signal = |ticket, tag: &str| EventKind::Signal { ticket, body: json!({"data": {"tag": tag}}) };
    let listener = run.listeners[0];
    run.feed(signal(listener, "v1"));
    run.feed(signal(listener + 100, "v2"));
    assert_eq!(run.look(), Vec::<String>::new());
    run.feed(signal(listener, "v2"));
    assert_eq!(run.look(), ["listen x"]);
    let listener = run.listeners[0];
    run.feed(signal(listener, "any"));
    assert_eq!(run.ended(), RunStatus::Succeeded);
    assert_eq!(run.state.results()["pushed"]["out"]["data"]["tag"], "v2");
}

#[test]
fn an_unknown_outcome_asks_and_is_never_repeated_by_itself() {
    let text = "workflow: a\nsteps:\n- { id: one, call: t.do, retry: { attempts: 5 }, undo: { call: t.undo, with: { what: one } } }\n- { id: two, fail: over }\n";
    let program = program(text);
    let resolve = |resolution| EventKind::Resolve { step: "one".into(), resolution };
    let unknown = || {
        let mut run = Run::start(&program, json!({}));
        run.failed("outcome_unknown");
        assert_eq!(run.state.status(), RunStatus::Waiting);
        assert_eq!(run.state.stuck().len(), 1);
        run.look();
        run
    };
    let mut run = unknown();
    run.feed(EventKind::Resume);
    assert_eq!(run.look(), Vec::<String>::new(), "resume does not repeat what may have happened");
    run.feed(resolve(Resolution::Retry));
    assert_eq!(run.look(), ["one#2 t.do {}"]);
    let mut run = unknown();
    run.feed(resolve(Resolution::Failed));
    assert_eq!(run.ended(), RunStatus::Failed);
    let mut run = unknown();
    run.feed(resolve(Resolution::Done { out: json!({"n": 1}) }));
    assert_eq!(run.look(), [r#"undo one:undo#1 t.undo {"what":"one"}"#]);
    let mut run = unknown();
    run.feed(EventKind::Cancel { by: "ann".into() });
    assert!(!run.state.status().is_over(), "nobody knows whether there is something to undo");
    run.feed(resolve(Resolution::Done { out: Value::Null }));
    assert_eq!(run.look(), [r#"undo one:undo#1 t.undo {"what":"one"}"#]);
}

#[test]
fn a_refusal_for_a_moment_is_no_attempt_and_a_policy_that_wants_a_yes_waits() {
    let mut run = Run::start(&program("workflow: a\nsteps: [{ id: one, call: t.do }]\n"), json!({}));
    for _ in 0..3 {
        run.failed("rate_limited");
        run.tick();
    }
    assert_eq!(run.look().last().map(String::as_str), Some("one#1 t.do {}"));
    run.failed("needs_approval");
    assert_eq!((run.state.status(), run.state.stuck()[0].is_unknown), (RunStatus::Waiting, false));
    run.feed(EventKind::Resume);
    run.done(json!({}));
    assert_eq!(run.ended(), RunStatus::Succeeded);
}

#[test]
fn a_run_has_a_deadline_and_a_clock_that_jumps_back_does_not_turn_it_back() {
    let text = "workflow: a\ndeadline: 1m\nsteps:\n- { id: one, call: t.do, undo: { call: t.undo, with: { what: one } } }\n- { id: two, wait: { for: 1h } }\n";
    let mut run = Run::start(&program(text), json!({}));
    run.now_ms = 5;
    run.done(json!({}));
    assert_eq!(run.timers.iter().map(|(_, at)| *at).max(), Some(1_000_000 + 3_600_000));
    run.tick();
    assert_eq!(run.look().last().map(String::as_str), Some(r#"undo one:undo#1 t.undo {"what":"one"}"#));
    run.done(json!({}));
    assert_eq!(run.state.failure().map(|it| it.code.as_str()), Some("timeout"));
    assert_eq!(run.ended(), RunStatus::Failed);
}

#[test]
fn a_workflow_inside_has_names_of_its_own_and_its_steps_are_undone_too() {
    let inner = "workflow: inner\ninputs: { n: { type: integer } }\noutputs: { twice: { value: '${{ steps.one.out.n * 2 }}' } }\n\
        steps: [{ id: one, call: t.do, with: { n: '${{ inputs.n }}' }, undo: { call: t.undo, with: { what: inner } } }]\n";
    let text = "workflow: a\nsteps:\n- { id: one, workflow: inner, with: { n: 4 } }\n- { id: two, fail: '${{ steps.one.out.twice }}' }\n";
    let mut run = Run::start(&program_with(text, &[("inner", inner)]), json!({}));
    assert_eq!(run.look(), [r#"one.one#1 t.do {"n":4}"#]);
    run.done(json!({"n": 5}));
    assert_eq!(run.look(), [r#"undo one.one:undo#1 t.undo {"what":"inner"}"#]);
    run.done(json!({}));
    assert_eq!(run.state.failure().map(|it| it.message.as_str()), Some("10"));
}

#[test]
fn a_failed_run_is_repeated_from_a_step_unless_what_came_before_was_undone() {
    let text = "workflow: a\nsteps:\n- { id: one, call: t.do }\n- { id: two, call: t.do, with: { x: '${{ steps.one.out.n }}' } }\n";
    let mut run = Run::start(&program(text), json!({}));
    run.done(json!({"n": 3}));
    run.failed("not_found");
    assert_eq!(run.ended(), RunStatus::Failed);
    run.look();
    run.feed(EventKind::Retry { from: "nowhere".into() });
    assert_eq!(run.look(), Vec::<String>::new());
    run.feed(EventKind::Retry { from: "two".into() });
    assert_eq!(run.look(), [r#"two#1 t.do {"x":3}"#]);
    run.done(json!({}));
    assert_eq!(run.ended(), RunStatus::Succeeded);

    let mut run = Run::start(&program(UNDO), json!({}));
    run.done(json!({"id": 1}));
    run.done(json!({}));
    run.failed("not_found");
    run.done(json!({}));
    run.done(json!({}));
    assert_eq!(run.ended(), RunStatus::Failed);
    let refusal = workflow::retry_refusal(&run.program, &run.state, "both");
    assert!(refusal.is_some_and(|it| it.contains("`one` was undone")));
    assert_eq!(workflow::retry_refusal(&run.program, &run.state, "one"), None);
}

#[test]
fn late_and_repeated_events_change_nothing() {
    let mut run = Run::start(&program(UNDO), json!({}));
    let (ticket, ..) = run.executions[0].clone();
    run.done(json!({"id": 7}));
    let (state, lines) = (run.state.clone(), run.look());
    assert!(!lines.is_empty());
    for kind in [
        EventKind::Done { ticket, outcome: workflow::StepOutcome::Ok { out: json!({"id": 8}) } },
        EventKind::Timer { ticket: 99 },
        EventKind::Start { inputs: json!({}), run: Value::Null },
        EventKind::Resolve { step: "left".into(), resolution: Resolution::Failed },
        EventKind::Retry { from: "one".into() },
    ] {
        run.feed(kind);
        assert_eq!(run.look(), Vec::<String>::new());
        assert_eq!(run.state, state);
    }
}

#[test]
fn large_results_are_a_failure_and_not_a_larger_run() {
    let mut run = Run::start(&program("workflow: a\nsteps: [{ id: one, call: t.do }]\n"), json!({}));
    run.done(json!({"x": "x".repeat(600_000)}));
    assert_eq!(run.state.failure().map(|it| it.code.as_str()), Some("too_large"));
    let text = "workflow: a\nsteps:\n- { id: each, for_each: { items: [1,2,3,4,5,6,7,8,9,10], max_parallel: 10, steps: [{ id: one, call: t.do }, { id: nap, wait: { for: 1h } }] } }\n";
    let mut run = Run::start(&program(text), json!({}));
    for _ in 0..10 {
        run.done(json!({"x": "x".repeat(500_000)}));
    }
    while !run.timers.is_empty() {
        run.tick();
    }
    assert_eq!(run.state.failure().map(|it| it.code.as_str()), Some("too_large"));
}
