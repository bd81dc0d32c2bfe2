//! Power cuts, full disks, bad policies, lost tokens: what was promised still holds.

use std::{
    fs,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use blackbox::{Raw, Serving, Site, message, post};
use serde_json::{Value, json};

const READ: &str = "desktop-commander__read_file";
const WRITE: &str = "desktop-commander__write_file";
const RUN: &str = "desktop-commander__execute_command";
/// How long a change may take to be in force.
const PATIENCE: Duration = Duration::from_secs(20);

/// Sends a command and does not wait for the answer.
#[track_caller]
fn begin(serving: &Serving, site: &Site, command: &str) -> Raw {
    let arguments = json!({ "command": command, "working_directory": site.root() });
    let body = message("tools/call", json!({ "name": RUN, "arguments": arguments })).to_string();
    let head = post("/mcp", &serving.address, &site.admin, "tools/call", RUN);
    let mut raw = serving.connect();
    assert!(raw.send(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes()));
    raw
}

/// Waits until `holds`; fails with `what` when it never does.
#[track_caller]
fn soon(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        thread::yield_now();
    }
}

/// Whether a `sleep` of so many seconds runs.
fn sleeps(seconds: &str) -> bool {
    let processes = fs::read_dir("/proc").expect("/proc is there").flatten();
    let mut lines = processes.filter_map(|it| fs::read_to_string(it.path().join("cmdline")).ok());
    lines.any(|it| {
        let words: Vec<&str> = it.split('\0').collect();
        words[0].ends_with("sleep") && words.get(1) == Some(&seconds)
    })
}

#[track_caller]
fn records(site: &Site, args: &[&str]) -> Vec<Value> {
    let found = site.cli(&[&["audit", "search"], args, &["--output", "json"]].concat()).ok().json();
    let list = found.as_array().or_else(|| found["records"].as_array());
    list.unwrap_or_else(|| panic!("no records in {found}")).clone()
}

#[track_caller]
fn verified(site: &Site) -> u64 {
    let report = site.cli(&["audit", "verify", "--output", "json"]).ok().json();
    assert_eq!((&report["ok"], &report["first_bad"]), (&json!(true), &Value::Null), "{report}");
    report["records"].as_u64().expect("a count")
}

#[test]
fn a_power_cut_in_the_middle_of_a_command_leaves_a_complete_record() {
    let site = Site::new();
    let serving = site.serve();
    let _waiting = begin(&serving, &site, "sleep 57");
    soon("the command runs", || sleeps("57"));
    serving.kill();

    let serving = site.serve();
    verified(&site);
    let of_the_command = records(&site, &["--tool", "execute_command"]);
    let intent =
        of_the_command.iter().find(|it| it.to_string().contains("\"intent\"")).expect("the intent is there");
    let call_id = find(intent, "call_id");
    let outcome = of_the_command
        .iter()
        .find(|it| it.to_string().contains("\"outcome\"") && find(it, "call_id") == call_id)
        .expect("the outcome is there");
    assert_eq!(find(outcome, "code"), "abandoned", "{outcome}");
    let read = serving.call(&site.admin, READ, json!({ "file_path": site.path("note.txt") }));
    assert_ne!(read["isError"], true, "{read}");
}

#[test]
fn what_a_killed_server_had_started_ends_with_it() {
    let site = Site::new();
    let serving = site.serve();
    let _waiting = begin(&serving, &site, "sleep 56");
    soon("the command runs", || sleeps("56"));
    serving.kill();
    soon("it ends: nobody watches over it any more", || !sleeps("56"));
}

/// The value of `key`, wherever in the record it stands.
fn find(record: &Value, key: &str) -> String {
    match record {
        Value::Object(object) => match object.get(key) {
            Some(Value::String(text)) => text.clone(),
            _ => object.values().map(|it| find(it, key)).find(|it| !it.is_empty()).unwrap_or_default(),
        },
        _ => String::new(),
    }
}

#[test]
fn many_power_cuts_lose_no_answered_call() {
    let site = Site::new();
    let mut answered = 0;
    for round in 0..5 {
        let serving = site.serve();
        for call in 0..4 {
            let path = site.path(&format!("round-{round}-{call}.txt"));
            let written = serving.call(&site.admin, WRITE, json!({ "file_path": path, "content": "kept\n" }));
            assert_ne!(written["isError"], true, "{written}");
            answered += 1;
        }
        serving.kill();
    }
    verified(&site);
    let outcomes = records(&site, &["--tool", "write_file", "--code", "ok", "--limit", "1000"]);
    assert_eq!(outcomes.len(), answered, "every call whose answer was seen is in the record");
}

/// Serves in a way that lets the file size limit be changed: writes beyond it fail, as on a full disk. Without the
/// trap the system would end the program instead.
#[track_caller]
fn serve_on_a_small_disk(site: &Site) -> Serving {
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).arg(blackbox::binary());
    Serving::start(site.around(shell, &site.admin, &["serve", "--listen", "127.0.0.1:0"]))
}

#[test]
fn a_full_disk_means_refusal_not_silence() {
    let site = Site::new();
    let serving = serve_on_a_small_disk(&site);
    let write = |name: &str| {
        let arguments = json!({ "file_path": site.path(name), "content": "x".repeat(100) });
        serving.call(&site.admin, WRITE, arguments)
    };
    assert_ne!(write("before.txt")["isError"], true);

    limit_file_size(&serving, "4096:unlimited");
    let refused = write("during.txt");
    assert_eq!(refused["_meta"]["core-mcp/error"]["code"], "audit_unavailable", "{refused}");
    assert!(!site.root().join("during.txt").exists(), "what cannot be recorded does not happen");

    limit_file_size(&serving, "unlimited:unlimited");
    soon("calls work again once there is room", || write("after.txt")["isError"] != true);
    assert_eq!(serving.stop(), 0);
    verified(&site);
}

#[test]
fn a_server_that_can_record_nothing_is_not_ready() {
    let site = Site::new();
    let serving = serve_on_a_small_disk(&site);
    let ready = || {
        let head = format!("GET /readyz HTTP/1.1\r\nHost: {}\r\n", serving.address);
        serving.connect().exchange(&head, b"").status
    };
    assert_eq!(ready(), 200);
    limit_file_size(&serving, "4096:unlimited");
    let refused = serving.call(&site.admin, READ, json!({ "file_path": site.path("note.txt") }));
    assert_eq!(refused["_meta"]["core-mcp/error"]["code"], "audit_unavailable", "{refused}");
    soon("it says so", || ready() == 503);
    limit_file_size(&serving, "unlimited:unlimited");
    soon("it is ready again", || ready() == 200);
}

#[track_caller]
fn limit_file_size(serving: &Serving, limit: &str) {
    let pid = serving.pid().to_string();
    let set = Command::new("prlimit").args(["--pid", &pid, &format!("--fsize={limit}")]).status();
    assert!(set.expect("prlimit is part of Debian").success());
}

#[test]
fn a_revoked_token_is_refused_at_once_by_a_running_server() {
    let site = Site::new();
    site.cli(&["user", "create", "robin", "--role", "operator"]).ok();
    let made = site.cli(&["token", "create", "robin", "--output", "json"]).ok().json();
    let (token, id) = (made["token"].as_str().expect("a token"), made["id"].as_str().expect("an id"));
    let serving = site.serve();
    let status = || serving.request(token, "tools/list", json!({})).status;
    assert_eq!(status(), 200);
    site.cli(&["token", "revoke", id]).ok();
    let begun = Instant::now();
    while status() == 200 {
        assert!(
            begun.elapsed() < Duration::from_millis(500),
            "the token still works after {:?}",
            begun.elapsed()
        );
    }
    assert_eq!(status(), 401);
    assert_eq!(serving.request(&site.admin, "tools/list", json!({})).status, 200, "others are not touched");
}

#[test]
fn a_disabled_user_and_a_lost_role_count_at_once() {
    let site = Site::new();
    let token = site.token_for("robin", "admin");
    let serving = site.serve();
    let write = || {
        let path = site.path("robin.txt");
        let reply = serving.request(
            &token,
            "tools/call",
            json!({ "name": WRITE, "arguments": { "file_path": path, "content": "x" } }),
        );
        (reply.status, reply.body.contains("permission_denied"))
    };
    assert_eq!(write(), (200, false));
    site.cli(&["role", "revoke", "robin", "admin"]).ok();
    soon("the role is gone", || write() == (200, true));
    site.cli(&["user", "disable", "robin"]).ok();
    soon("the user is gone", || write().0 == 401);
}

#[test]
fn a_bad_policy_changes_nothing_and_a_good_one_does() {
    let site = Site::new();
    let viewer = site.token_for("vera", "viewer");
    let serving = site.serve();
    let can_write = || {
        let arguments = json!({ "file_path": site.path("vera.txt"), "content": "x" });
        serving.call(&viewer, WRITE, arguments)["isError"] != true
    };
    let can_read =
        || serving.call(&viewer, READ, json!({ "file_path": site.path("note.txt") }))["isError"] != true;
    assert!(can_read() && !can_write());

    let policies = site.data_dir().join("policies");
    let ours = policies.join("house.cedar");
    fs::write(&ours, "permit (principal, action, resource").expect("a policy file");
    soon("the bad policy was seen and refused", || {
        records(&site, &["--text", "policy"])
            .iter()
            .any(|it| it.to_string().contains("refused") || it.to_string().contains("rejected"))
    });
    assert!(can_read() && !can_write(), "the old set stays in force");
    assert_ne!(site.cli(&["policy", "check"]).code, 0);

    let forbid = "@id(\"house-closed\")\n@description(\"nobody calls anything\")\nforbid (principal, action == Action::\"execute\", resource);\n";
    fs::write(&ours, forbid).expect("a policy file");
    soon("the good policy is in force", || !can_read());
    fs::remove_file(&ours).expect("the file goes");
    soon("the rest is in force again", can_read);
}

#[test]
fn a_value_above_the_documented_maximum_is_refused_at_load() {
    for (key, above) in [
        ("SEMAPHORE", "11"),
        ("QUEUE", "10001"),
        ("CACHE_TTL_SECONDS", "3601"),
        ("BREAKER_THRESHOLD", "21"),
        ("RATE_PER_MINUTE", "121"),
    ] {
        let site = Site::new().with(&format!("CORE_MCP__TUNING__{key}"), above);
        let refused = site.cli(&["serve", "--listen", "127.0.0.1:0"]);
        assert_eq!(refused.code, 2, "{key}: {refused:?}");
        let said = refused.stderr.to_lowercase();
        assert!(said.contains(&key.to_lowercase()) && said.contains("maximum"), "{key}: {refused:?}");
        let site = site.with("CORE_MCP__TUNING__BEYOND_DOCUMENTED", "true");
        assert_eq!(site.cli(&["config", "check"]).code, 0, "{key}: the operator may say so");
    }
}

#[test]
fn two_processes_share_one_data_directory_without_harm() {
    let site = Site::new();
    let serving = site.serve();
    let second = site.cli(&["serve", "--listen", "127.0.0.1:0"]);
    assert_ne!(second.code, 0, "a second server on the same directory: {second:?}");

    let commands: Vec<_> = (0..6)
        .map(|index| {
            let path = format!("file_path={}", site.path(&format!("cli-{index}.txt")));
            let args = ["call", "desktop-commander.write_file", &path, "content=x", "--output", "json"];
            site.command(&args).output()
        })
        .collect();
    for output in commands {
        let output = output.expect("the program starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let write = |index: usize| {
        let path = site.path(&format!("http-{index}.txt"));
        serving.call(&site.admin, WRITE, json!({ "file_path": path, "content": "x" }))["isError"] != true
    };
    thread::scope(|scope| {
        let http = scope.spawn(|| (0..10).filter(|it| write(*it)).count());
        for index in 0..6 {
            let path = format!("file_path={}", site.path(&format!("both-{index}.txt")));
            site.cli(&["call", "desktop-commander.write_file", &path, "content=x"]).ok();
        }
        assert_eq!(http.join().expect("the calls end"), 10);
    });
    assert_eq!(records(&site, &["--tool", "write_file", "--code", "ok", "--limit", "1000"]).len(), 22);
    verified(&site);
}

#[test]
fn a_record_that_was_changed_is_found() {
    let site = Site::new();
    site.cli(&["call", "desktop-commander.read_file", "file_path=note.txt"]).ok();
    verified(&site);
    let journal = site.data_dir().join("audit.db");
    let changed = Command::new("sqlite3")
        .arg(&journal)
        .arg("select name from sqlite_master where type = 'table' order by name")
        .output()
        .expect("sqlite3 is installed: cargo xtask test --only install");
    let tables = String::from_utf8_lossy(&changed.stdout).into_owned();
    let dump = Command::new("sqlite3").arg(&journal).arg(".dump").output().expect("sqlite3 runs");
    assert!(
        !String::from_utf8_lossy(&dump.stdout).contains(&site.admin),
        "the token is in the journal; tables: {tables}"
    );

    // One byte of a name, wherever it stands in the file.
    let mut bytes = fs::read(&journal).expect("the journal can be read");
    let name = b"read_file";
    let places: Vec<usize> =
        (0..bytes.len() - name.len()).filter(|at| &bytes[*at..*at + name.len()] == name).collect();
    assert!(!places.is_empty(), "the journal names the tool");
    for at in places {
        bytes[at] = b'l';
    }
    fs::write(&journal, bytes).expect("the journal can be written");
    let report = site.cli(&["audit", "verify", "--output", "json"]);
    assert_eq!(report.code, 1, "{report:?}");
    assert_eq!(report.json()["ok"], false, "{report:?}");
}

#[test]
fn a_stop_lets_running_work_end_or_ends_it_and_says_so() {
    let site = Site::new();
    let serving = site.serve();
    let _waiting = begin(&serving, &site, "sleep 58");
    soon("the command runs", || sleeps("58"));
    assert_eq!(serving.stop(), 0);
    soon("what it had started is gone", || !sleeps("58"));
    verified(&site);
    let outcomes = records(&site, &["--tool", "execute_command", "--phase", "outcome"]);
    assert_eq!(outcomes.len(), 1, "the end is recorded: {outcomes:?}");
}
