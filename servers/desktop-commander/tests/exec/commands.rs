//! How commands run.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use kernel::{CallContext, Progress};
use serde_json::{Value, json};

use crate::desk::Desk;

#[tokio::test]
async fn pipes_operators_quotes_and_redirects_mean_what_they_mean_in_a_shell() {
    let desk = Desk::new().await;
    desk.write("a.txt", "b\na\nb\n");
    for (command, expected) in [
        ("sort a.txt | uniq -c | sort -rn | head -n 1", "      2 b\n"),
        ("echo one && echo two", "one\ntwo\n"),
        ("false && echo no; echo yes", "yes\n"),
        ("false || echo rescued", "rescued\n"),
        ("true || echo no", ""),
        ("echo 'a  b' \"c\" d\\ e", "a  b c d e\n"),
        ("cat < a.txt | wc -l", "3\n"),
        ("ls missing 2>&1 | grep -c missing", "1\n"),
        ("ls missing 2>/dev/null", ""),
        ("echo *.txt '*.txt'", "a.txt *.txt\n"),
        ("seq 100000 | head -n 1", "1\n"),
        ("LANG=C sort -u a.txt", "a\nb\n"),
        ("env LC_ALL=C sort -u a.txt", "a\nb\n"),
        ("find . -name '*.txt' | xargs grep -c b", "2\n"),
        ("timeout 5 echo in time", "in time\n"),
    ] {
        let result = desk.run(command).await;
        assert_eq!(result["stdout"], expected, "{command}: {result}");
    }
    desk.sh("echo first > log; echo second >> log; ls missing 2>> log || true; echo both &> both").await;
    let log = desk.read("log");
    assert!(log.starts_with("first\nsecond\n") && log.contains("missing"), "{log}");
    assert_eq!(desk.read("both"), "both\n");
    desk.sh("cat < a.txt > copy 2>&1").await;
    assert_eq!(desk.read("copy"), "b\na\nb\n");
}

#[tokio::test]
async fn a_code_other_than_zero_is_a_result() {
    let desk = Desk::new().await;
    let result = desk.run("ls missing").await;
    assert_eq!(result["exit_code"], 2);
    assert!(result["stderr"].as_str().unwrap().contains("missing"));
    assert_eq!(result["sandbox"], json!({"filesystem": true, "syscalls": true, "network": false}));
    assert_eq!(result["programs"], json!(["ls missing"]));
}

#[tokio::test]
async fn input_reaches_the_first_program_and_output_is_bounded() {
    let desk = Desk::new().await;
    let result = desk.ok("execute_command", json!({"command": "tr a-z A-Z", "stdin": "hello"})).await;
    assert_eq!(result["stdout"], "HELLO");
    let big = "x".repeat(1 << 20);
    let result = desk.ok("execute_command", json!({"command": "cat | wc -c", "stdin": big})).await;
    assert_eq!(result["stdout"], "1048576\n");
    let result = desk.ok("execute_command", json!({"command": "true", "stdin": big})).await;
    assert_eq!(result["exit_code"], 0, "a program need not read its input");
    let result = desk.ok("execute_command", json!({"command": "seq 100000", "max_output_bytes": 1000})).await;
    let text = result["stdout"].as_str().unwrap();
    assert!(
        text.starts_with("1\n2\n") && text.ends_with("99999\n100000\n") && text.contains("bytes left out")
    );
    assert_eq!((result["truncated"].clone(), result["total_bytes"].clone()), (json!(true), json!(588_895)));
}

#[tokio::test]
async fn time_runs_out_for_every_program_of_a_pipeline() {
    let desk = Desk::new().await;
    desk.write("stubborn.pl", "$SIG{TERM} = 'IGNORE'; fork; print STDERR 'up'; sleep 60 while 1;");
    let started = Instant::now();
    let args = json!({"command": "perl stubborn.pl | cat", "timeout": 1});
    let error = desk.call("execute_command", args).await.unwrap_err();
    assert_eq!((error.kind.code(), error.reason), ("timeout", Some("COMMAND_TIMED_OUT")));
    assert!(error.hints.iter().any(|hint| hint.contains("up")), "what it wrote is told: {:?}", error.hints);
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    assert_eq!(running(&desk, "stubborn.pl"), 0);
}

/// Processes whose command line names a file of this desk, the launcher that stays with them included.
fn running(desk: &Desk, name: &str) -> usize {
    let cwd = desk.root();
    let entries = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    entries
        .filter(|entry| std::fs::read_link(entry.path().join("cwd")).is_ok_and(|it| it == cwd))
        .filter(|entry| {
            std::fs::read_to_string(entry.path().join("cmdline")).is_ok_and(|line| line.contains(name))
        })
        .count()
}

#[tokio::test]
async fn a_cancelled_or_dropped_call_leaves_no_process_behind() {
    let desk = Desk::new().await;
    desk.write("wait.pl", "fork; sleep 60 while 1;");
    let cx = CallContext::for_tests();
    let cancel = cx.cancel.clone();
    let call = desk.call_with(cx, "execute_command", json!({"command": "perl wait.pl"}));
    let stop = async {
        eventually(|| running(&desk, "wait.pl") == 3).await;
        cancel.cancel();
    };
    let (outcome, ()) = tokio::join!(call, stop);
    assert_eq!(outcome.unwrap_err().kind.code(), "cancelled");
    eventually(|| running(&desk, "wait.pl") == 0).await;

    let call = desk.call("execute_command", json!({"command": "perl wait.pl"}));
    tokio::select! {
        _ = call => panic!("it ended"),
        () = eventually(|| running(&desk, "wait.pl") == 3) => {}
    }
    eventually(|| running(&desk, "wait.pl") == 0).await;
}

pub(crate) async fn eventually(mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < end, "it did not come true within 20 s");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn long_commands_report_progress() {
    let desk = Desk::new().await;
    let reports = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&reports);
    let progress = Progress::to(move |_| {
        counter.fetch_add(1, Ordering::Relaxed);
    });
    let cx = CallContext { progress, ..CallContext::for_tests() };
    desk.call_with(cx, "execute_command", json!({"command": "sleep 2.5"})).await.unwrap();
    assert!(reports.load(Ordering::Relaxed) >= 1);
}

#[tokio::test]
async fn judging_alone_runs_nothing() {
    let desk = Desk::new().await;
    let result = desk.ok("execute_command", json!({"command": "touch made", "dry_run": true})).await;
    assert_eq!(result["programs"], json!(["touch made"]));
    let allowed = desk.ok("explain_command", json!({"command": "cat a.txt > b.txt | sort"})).await;
    assert_eq!((allowed["allowed"].clone(), allowed["network"].clone()), (json!(true), json!(false)));
    assert_eq!(allowed["reads"], json!([desk.root().join("a.txt")]));
    assert_eq!(allowed["writes"], json!([desk.root().join("b.txt")]));
    assert_eq!(allowed["rule_ids"], json!(["text.read", "text.sort"]));
    let refused = desk.ok("explain_command", json!({"command": "curl http://x"})).await;
    assert_eq!(
        (refused["allowed"].clone(), refused["code"].clone()),
        (json!(false), json!("PROGRAM_NOT_ALLOWED"))
    );
    assert!(!desk.root().join("made").exists() && !desk.root().join("b.txt").exists());
}

#[tokio::test]
async fn without_a_launcher_nothing_runs_and_the_policy_says_so() {
    let desk = Desk::with_launcher(json!({}), None).await;
    assert_eq!(desk.code("execute_command", json!({"command": "ls"})).await, "SANDBOX_UNAVAILABLE");
    let policy = desk.ok("get_policy", json!({})).await;
    assert_eq!(policy["sandbox"]["filesystem"], false);
    assert_eq!(policy["sandbox"]["reasons"], json!(["there is no launcher"]));
    let desk = Desk::with_launcher(json!({"allow_unconfined": true}), None).await;
    assert_eq!(desk.code("execute_command", json!({"command": "ls"})).await, "SANDBOX_UNAVAILABLE");
    let desk = Desk::with_launcher(json!({}), Some("/bin/true".into())).await;
    assert_eq!(desk.code("execute_command", json!({"command": "ls"})).await, "SANDBOX_UNAVAILABLE");
}

#[tokio::test]
async fn the_operator_decides_about_programs_and_network() {
    let desk =
        Desk::with(json!({"denied_programs": ["cat"], "programs": ["cksum2", "sh"], "network": "never"}))
            .await;
    assert_eq!(desk.code("execute_command", json!({"command": "cat x"})).await, "PROGRAM_NOT_ALLOWED");
    assert_eq!(desk.code("execute_command", json!({"command": "sh x"})).await, "PROGRAM_NOT_ALLOWED");
    assert_eq!(desk.code("execute_command", json!({"command": "ls", "network": true})).await, "ARG_REFUSED");
    let policy = desk.ok("get_policy", json!({})).await;
    let has = |list: &str, name: &str| policy[list].as_array().unwrap().contains(&Value::from(name));
    assert!(
        has("programs", "ls") && !has("programs", "cat") && has("missing", "cksum2") && !has("missing", "sh")
    );
    assert_eq!(
        (policy["network"].clone(), policy["sandbox"]["filesystem"].clone()),
        (json!("never"), json!(true))
    );
    let asked = desk
        .ok("execute_command", json!({"command": "git clone https://example.org/x.git", "dry_run": true}))
        .await;
    assert_eq!(asked["sandbox"]["network"], false);
}
