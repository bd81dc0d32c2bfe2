//! Workflows through the built program: checked, run, killed, steered, published.

use std::{fs, time::Duration};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::installation::{Ended, Installation};

/// Far more than any of these needs.
const LIMIT: Duration = Duration::from_secs(60);

fn write(made: &Installation, name: &str, text: &str) -> String {
    let path = made.work().join(name);
    fs::write(&path, text.replace("WORK", &made.work().display().to_string())).unwrap();
    path.display().to_string()
}

fn run(made: &Installation, file: &str, more: &[&str]) -> Ended {
    made.run(&[&["workflow", "run", file, "--output", "json"], more].concat())
}

fn show(made: &Installation, run: &str) -> Value {
    made.run(&["workflow", "show", run, "--output", "json"]).done().json()
}

/// Looks at a run until it stands as wanted.
fn until(made: &Installation, run: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let end = std::time::Instant::now() + LIMIT;
    loop {
        let view = show(made, run);
        if wanted(&view) {
            return view;
        }
        assert!(std::time::Instant::now() < end, "it never came so far: {view}");
    }
}

fn outcomes(made: &Installation, tool: &str) -> usize {
    let words = ["audit", "search", "--tool", tool, "--phase", "outcome", "--code", "ok", "--output", "json"];
    made.run(&words).done().json().as_array().map_or(0, Vec::len)
}

const COPY: &str = "workflow: copy\ninputs: { from: { type: string }, fail: { type: boolean, default: false } }\n\
    outputs: { text: { value: '${{ steps.read.out.content }}', type: string } }\nsteps:\n\
    - { id: read, call: desktop-commander.read_file, with: { file_path: '${{ inputs.from }}' } }\n\
    - id: write\n  call: desktop-commander.write_file\n  with: { file_path: WORK/copy.txt, content: '${{ steps.read.out.content }}' }\n\
    \x20 undo: { call: desktop-commander.delete_path, with: { path: WORK/copy.txt } }\n\
    - { id: stop, if: inputs.fail, fail: on purpose }\n";

#[test]
fn a_run_is_printed_with_its_steps_and_attempts_and_its_calls_are_in_the_audit_log() {
    let made = Installation::new();
    let file = write(&made, "copy.yaml", COPY);
    let from = format!("from={}", made.work().join("hello.txt").display());
    let done = run(&made, &file, &["--input", &from]).done().json();
    assert_eq!(
        (&done["status"], &done["outputs"]["text"]),
        (&json!("succeeded"), &json!("hello\n")),
        "{done}"
    );
    assert_eq!(done["steps"][1]["attempts"][0]["code"], "ok", "{done}");
    assert_eq!(fs::read_to_string(made.work().join("copy.txt")).unwrap(), "hello\n");
    let id = done["run"].as_str().unwrap();
    let history = made.run(&["workflow", "history", id, "--output", "json"]).done().json();
    for attempt in history["attempts"].as_array().unwrap() {
        let words =
            ["audit", "search", "--call-id", attempt["call_id"].as_str().unwrap(), "--output", "json"];
        let records = made.run(&words).done().json();
        assert_eq!(records.as_array().map(Vec::len), Some(2), "intent and outcome: {records}");
        assert_eq!(
            (&records[0]["door"], &records[0]["trace_id"]),
            (&json!("workflow"), &json!(id)),
            "{records}"
        );
        assert_eq!(records[0]["principal"], "admin", "{records}");
    }
    let listed = made.run(&["workflow", "list", "--output", "json"]).done().json();
    assert!(listed.as_array().unwrap().iter().any(|it| it["run"] == id), "{listed}");
}

#[test]
fn a_failure_is_undone_and_can_be_repeated_from_a_step() {
    let made = Installation::new();
    let file = write(&made, "copy.yaml", COPY);
    let from = format!("from={}", made.work().join("hello.txt").display());
    let failed = run(&made, &file, &["--input", &from, "--input", "fail=true"]);
    assert_eq!(failed.code, 1, "{failed:?}");
    let view = failed.json();
    assert_eq!(
        (&view["status"], &view["error"]["message"]),
        (&json!("failed"), &json!("on purpose")),
        "{view}"
    );
    assert!(!made.work().join("copy.txt").exists(), "the write was undone");
    let id = view["run"].as_str().unwrap();
    let late = made.run(&["workflow", "retry", id, "--from", "stop", "--output", "json"]);
    assert_eq!(late.code, 2, "what came before was undone: {late:?}");
    let again = made.run(&["workflow", "retry", id, "--from", "write", "--output", "json"]);
    assert_eq!((again.code, again.json()["status"].as_str()), (1, Some("failed")), "{again:?}");
}

#[test]
fn steps_have_the_rights_of_whoever_started_the_run() {
    let made = Installation::new();
    let viewer = made.user("vera", "viewer");
    let file = write(&made, "copy.yaml", COPY);
    let from = format!("from={}", made.work().join("hello.txt").display());
    let words = ["workflow", "run", &file, "--input", &from, "--output", "json"];
    let ended = made.run_as(&viewer, &words);
    assert_eq!(
        (ended.code, ended.json()["error"]["code"].as_str()),
        (1, Some("permission_denied")),
        "{ended:?}"
    );
    assert!(!made.work().join("copy.txt").exists());
    let id = ended.json()["run"].as_str().unwrap().to_owned();
    let other = made.user("otto", "operator");
    assert_ne!(made.run_as(&other, &["workflow", "show", &id]).code, 0, "somebody else's run");
    assert_eq!(
        made.run_as("", &["workflow", "show", &id]).code,
        0,
        "the owner of the data directory sees it"
    );
    assert_eq!(made.run_as("wrong", &words).code, 3);
}

#[test]
fn kill_nine_at_any_moment_loses_nothing_and_repeats_nothing_that_ended() {
    let made = Installation::new();
    let mut text = "workflow: long\nsteps:\n".to_owned();
    for step in 0..8 {
        text.push_str(&format!(
            "- {{ id: w{step}, call: desktop-commander.write_file, with: {{ file_path: WORK/w{step}.txt, content: x }} }}\n\
             - {{ id: nap{step}, wait: {{ for: 400ms }} }}\n"
        ));
    }
    let file = write(&made, "long.yaml", &text);
    let started = made.run(&["workflow", "run", &file, "--detach", "--output", "json"]).done().json();
    let id = started["run"].as_str().unwrap();
    let made_calls = |view: &Value| {
        view["steps"].as_array().map_or(0, |it| it.iter().filter(|it| it["status"] == "succeeded").count())
    };
    // A write that was cut off may or may not have happened; writing the same once more does no harm.
    let go_on = |view: &Value| {
        if let Some(step) = view["stuck"][0]["step"].as_str() {
            made.run(&["workflow", "resume", id, "--step", step, "--as", "retry"]);
        }
    };
    for kill in 0..4 {
        let mut server = made.serve(&[]);
        until(&made, id, |view| {
            go_on(view);
            made_calls(view) > kill * 3
        });
        server.signal(Signal::KILL);
        server.wait(LIMIT);
    }
    let _server = made.serve(&[]);
    let view = until(&made, id, |view| {
        go_on(view);
        view["status"] == "succeeded"
    });
    let mut oks = Vec::new();
    for step in view["steps"].as_array().unwrap() {
        let attempts = step["attempts"].as_array().unwrap();
        oks.push(attempts.iter().filter(|it| it["code"] == "ok").count());
    }
    assert_eq!(oks.iter().sum::<usize>(), 8, "every write ended once: {view}");
    // Each cut-off write was repeated once at most, because somebody said so.
    let happened = outcomes(&made, "write_file");
    assert!((8..=12).contains(&happened), "{happened}");
    assert_eq!(made.run(&["audit", "verify", "--output", "json"]).done().json()["ok"], true);
}

#[test]
fn an_interrupted_call_that_cannot_be_repeated_asks() {
    let made = Installation::new();
    let text = "workflow: once\nsteps:\n- { id: cmd, call: desktop-commander.execute_command, with: { command: sleep 20 } }\n\
        - { id: after, call: desktop-commander.write_file, with: { file_path: WORK/after.txt, content: x } }\n";
    let file = write(&made, "once.yaml", text);
    let started = made.run(&["workflow", "run", &file, "--detach", "--output", "json"]).done().json();
    let id = started["run"].as_str().unwrap();
    let mut server = made.serve(&[]);
    let begun = || {
        let words = ["audit", "search", "--tool", "execute_command", "--phase", "intent", "--output", "json"];
        made.run(&words).done().json().as_array().map_or(0, Vec::len) > 0
    };
    let end = std::time::Instant::now() + LIMIT;
    while !begun() {
        assert!(std::time::Instant::now() < end, "the command never began");
    }
    server.signal(Signal::KILL);
    server.wait(LIMIT);
    let _server = made.serve(&[]);
    let view = until(&made, id, |view| view["status"] == "waiting");
    assert_eq!(view["stuck"][0]["step"], "cmd", "{view}");
    assert_eq!(
        made.run(&["workflow", "resume", id, "--output", "json"]).code,
        2,
        "somebody has to say what happened"
    );
    let words = ["workflow", "resume", id, "--step", "cmd", "--as", "done", "--result", "{\"exit_code\": 0}"];
    made.run(&[&words[..], &["--output", "json"]].concat()).done();
    assert!(made.work().join("after.txt").exists());
}

#[test]
fn people_decide_and_never_about_their_own_run() {
    let made = Installation::new();
    made.run(&["role", "create", "lead"]).done();
    let (olga, lars) = (made.user("olga", "operator"), made.user("lars", "lead"));
    made.run(&["role", "grant", "olga", "lead"]).done();
    let text = "workflow: ask\nsteps:\n- id: go\n  approval: { question: 'ship it?', by: ['role:lead'], within: 1h, form: { why: { type: string } } }\n\
        - { id: write, call: desktop-commander.write_file, with: { file_path: WORK/go.txt, content: '${{ steps.go.out.form.why }}' } }\n";
    let file = write(&made, "ask.yaml", text);
    let asked = made.run_as(&olga, &["workflow", "run", &file, "--output", "json"]);
    assert_eq!(
        (asked.code, asked.json()["questions"][0]["question"].as_str()),
        (8, Some("ship it?")),
        "{asked:?}"
    );
    let id = asked.json()["run"].as_str().unwrap().to_owned();
    let approve = |token: &str, more: &[&str]| {
        made.run_as(token, &[&["workflow", "approve", &id, "go", "--output", "json"], more].concat())
    };
    assert_eq!(approve(&olga, &["--form", "why=me"]).code, 4, "her own run");
    assert_eq!(approve(&lars, &[]).code, 2, "the form is empty");
    assert_ne!(approve(&made.user("vera", "viewer"), &["--form", "why=x"]).code, 0, "not asked");
    approve(&lars, &["--form", "why=looks good"]).done();
    assert_eq!(fs::read_to_string(made.work().join("go.txt")).unwrap(), "looks good");
    assert_ne!(approve(&lars, &["--form", "why=again"]).code, 0, "decided already");
}

#[test]
fn a_file_with_mistakes_is_refused_with_every_one_of_them() {
    let made = Installation::new();
    let text = "workflow: bad\nsteps:\n- { id: one, call: desktop-comander.read_file }\n- { id: two, call: desktop-commander.read_file, with: { path: x } }\n";
    let file = write(&made, "bad.yaml", text);
    let checked = made.run_as("", &["workflow", "validate", &file, "--output", "json"]);
    assert_eq!(checked.code, 2, "{checked:?}");
    let problems = checked.json()[0]["problems"].clone();
    assert_eq!(problems.as_array().map(Vec::len), Some(3), "{problems}");
    assert!(problems.to_string().contains("did you mean `desktop-commander`?"), "{problems}");
    assert!(problems.as_array().unwrap().iter().all(|it| it["line"].as_u64() >= Some(3)), "{problems}");
    assert_eq!(run(&made, &file, &[]).code, 2);
    assert_eq!(run(&made, "no-such-workflow", &[]).code, 1);
    assert_eq!(run(&made, "security-audit", &["--input", "nothing=1"]).code, 2);
}

#[test]
fn what_is_shipped_is_in_order_and_the_audits_run() {
    let made = Installation::new();
    let listed = made.run(&["workflow", "list", "--published", "--output", "json"]).done().json();
    let names: Vec<&str> = listed.as_array().unwrap().iter().filter_map(|it| it["name"].as_str()).collect();
    assert!(names.len() >= 12, "{names:?}");
    let words = [&["workflow", "validate", "--output", "json"], &names[..]].concat();
    let checked = made.run_as("", &words).done().json();
    for it in checked.as_array().unwrap() {
        let classes: Vec<&str> =
            it["problems"].as_array().unwrap().iter().filter_map(|it| it["class"].as_str()).collect();
        assert!(classes.iter().all(|it| *it == "server_not_installed"), "{it}");
    }
    let target = format!("target={}", made.work().display());
    let audit = run(&made, "security-audit", &["--input", &target]).done().json();
    assert!(audit["outputs"]["report"]["coverage"]["files"].as_u64() >= Some(1), "{audit}");
    let folder = format!("folder={}", made.work().display());
    let batch = run(&made, "batch-security-scan", &["--input", &folder]).done().json();
    assert_eq!(batch["outputs"]["files"]["status"], "succeeded", "{batch}");
    let folders = format!("targets={}", json!([made.work()]));
    let watch = run(&made, "continuous-security-monitoring", &["--input", &folders]).done().json();
    assert_eq!(watch["outputs"]["verdicts"].as_array().map(Vec::len), Some(1), "{watch}");
    let checks = run(&made, "cascading-security-checks", &["--input", &target]);
    assert!(matches!(checks.code, 0 | 8), "{checks:?}");
}

#[test]
fn a_published_workflow_is_a_tool_and_versions_come_back() {
    let made = Installation::new();
    let first = write(
        &made,
        "say.yaml",
        "workflow: say\ndescription: Says it.\noutputs: { it: { value: one } }\nsteps: [{ id: a, set: 1 }]\n",
    );
    let made_one = made.run(&["workflow", "publish", &first, "--output", "json"]).done().json();
    let called = made.run(&["call", "workflows.say", "--output", "json"]).done().json();
    assert_eq!((&called["outputs"]["it"], &called["hash"]), (&json!("one"), &made_one["hash"]), "{called}");
    let second = write(
        &made,
        "say.yaml",
        "workflow: say\ndescription: Says it.\noutputs: { it: { value: two } }\nsteps: [{ id: a, set: 1 }]\n",
    );
    made.run(&["workflow", "publish", &second, "--alias", "canary", "--weight", "100"]).done();
    assert_eq!(run(&made, "say", &[]).done().json()["outputs"]["it"], "two");
    assert_eq!(run(&made, "say@stable", &[]).done().json()["outputs"]["it"], "one");
    made.run(&["workflow", "unpublish", "say", "--alias", "canary"]).done();
    made.run(&["workflow", "publish", &second]).done();
    assert_eq!(run(&made, "say", &[]).done().json()["outputs"]["it"], "two");
    made.run(&["workflow", "rollback", "say"]).done();
    assert_eq!(run(&made, "say", &[]).done().json()["outputs"]["it"], "one");
    let tools = made.run(&["tools", "workflows", "--output", "json"]).done().json();
    let names: Vec<&str> = tools.as_array().unwrap().iter().filter_map(|it| it["name"].as_str()).collect();
    assert!(
        names.contains(&"say") && names.contains(&"batch") && names.contains(&"security-audit"),
        "{names:?}"
    );
    assert!(!names.contains(&"automated-deployment"), "its servers are not installed: {names:?}");
}

#[test]
fn while_a_server_runs_it_does_the_work_and_commands_follow() {
    let made = Installation::new();
    let server = made.serve(&[]);
    let text = "workflow: pushed\nsteps:\n- { id: ready, set: 1 }\n- { id: wait, wait: { event: 'registry.*', if: event.data.tag == 'v2', within: 1m } }\n\
        - { id: out, set: '${{ steps.wait.out.data.tag }}' }\n";
    let file = write(&made, "pushed.yaml", text);
    let id = made.run(&["workflow", "run", &file, "--detach", "--output", "json"]).done().json()["run"]
        .as_str()
        .unwrap()
        .to_owned();
    until(&made, &id, |view| view["status"] == "waiting");
    made.run(&["workflow", "emit", "registry.pushed", "--data", "{\"tag\": \"v1\"}"]).done();
    made.run(&["workflow", "emit", "registry.pushed", "--data", "{\"tag\": \"v2\"}"]).done();
    let view = until(&made, &id, |view| view["status"] == "succeeded");
    assert_eq!(view["steps"][2]["out"], "v2", "{view}");
    let list = format!(
        "[{{\"tool\": \"desktop-commander.list_directory\", \"args\": {{\"directory_path\": \"{}\"}}}}, {{\"tool\": \"nowhere.x\"}}]",
        made.work().display()
    );
    let words = [
        "call",
        "workflows.batch",
        "--json",
        &format!("{{\"calls\": {list}}}"),
        "--url",
        &server.url(),
        "--output",
        "json",
    ];
    let batch = made.run(&words).done().json();
    assert_eq!((&batch["succeeded"], &batch["failed"]), (&json!(1), &json!(1)), "{batch}");
}

#[test]
fn a_batch_reports_each_call_and_leaves_out_what_has_no_file() {
    let made = Installation::new();
    let text = "max_parallel: 2\ncalls:\n- { id: files, tool: security-scanner.file_security_scan, args: { file_path: WORK, scan_type: all } }\n\
        - { tool: security-scanner.npm_audit, args: { package_json_path: package.json }, when_file: package.json }\n\
        - { tool: desktop-commander.read_file, args: { file_path: /etc/shadow } }\n";
    let file = write(&made, "batch.yaml", text);
    let ended = made.run(&["batch", &file, "--output", "json"]);
    assert_eq!(ended.code, 1, "{ended:?}");
    let report = ended.json();
    assert_eq!((&report["succeeded"], &report["failed"]), (&json!(1), &json!(1)), "{report}");
    assert_eq!(
        (&report["items"][0]["id"], &report["items"][0]["code"]),
        (&json!("files"), &json!("ok")),
        "{report}"
    );
    assert_eq!(report["items"][1]["code"], "validation_failed", "{report}");
    for bad in
        ["calls: []\n", "calls: [{ tol: x }]\n", "calls: [\n", "calls: [{ tool: x }]\nmax_parallel: 900\n"]
    {
        let file = write(&made, "bad.yaml", bad);
        assert_eq!(made.run(&["batch", &file]).code, 2, "{bad}");
    }
}
