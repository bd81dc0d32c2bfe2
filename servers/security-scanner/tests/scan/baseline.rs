//! Known findings stay known, and nothing else does.

use kernel::ErrorKind;
use serde_json::json;

use crate::bench::Bench;

#[tokio::test]
async fn what_the_baseline_holds_is_known_and_what_it_lacks_is_new() {
    let bench = Bench::new().await;
    bench.file("a.env", "API_KEY=<alnum:32>\n");
    let written =
        bench.call("baseline_update", json!({"file_path": ".", "baseline_path": "base.json"})).await.unwrap();
    assert_eq!(written["findings"], 1);
    let known = bench.scan(json!({"baseline": "base.json"})).await;
    assert_eq!((&known["statuses"], &known["verdict"]), (&json!({"known": 1}), &json!("findings")));
    // The line moves, the finding stays known; another secret is new.
    let old = std::fs::read_to_string(bench.root.path().join("a.env")).unwrap();
    bench.bytes("a.env", format!("# moved\n\n{old}").as_bytes());
    bench.file("bb.env", "API_KEY=<alnum:32>\n");
    assert_eq!(bench.scan(json!({"baseline": "base.json"})).await["statuses"], json!({"known": 1, "new": 1}));
}

#[tokio::test]
async fn a_baseline_holds_no_secret_and_the_same_scan_writes_the_same_bytes() {
    let bench = Bench::new().await;
    let text = bench.file("a.env", "API_KEY=<alnum:32>\n");
    let args = json!({"file_path": "a.env", "baseline_path": "base.json"});
    bench.call("baseline_update", args.clone()).await.unwrap();
    let first = std::fs::read_to_string(bench.root.path().join("base.json")).unwrap();
    bench.call("baseline_update", args).await.unwrap();
    assert_eq!(first, std::fs::read_to_string(bench.root.path().join("base.json")).unwrap());
    assert!(!first.contains(&text[12..30]));
}

#[tokio::test]
async fn nothing_but_a_baseline_of_ours_is_read_or_replaced() {
    let bench = Bench::new().await;
    bench.file("a.env", "API_KEY=<alnum:32>\n");
    bench.bytes("notes.txt", b"precious");
    bench.bytes("foreign.json", br#"{"version":1,"key_id":"0000000000000000","findings":[]}"#);
    for target in ["notes.txt", "foreign.json"] {
        let write = json!({"file_path": ".", "baseline_path": target});
        assert_eq!(bench.refusal("baseline_update", write).await.0, ErrorKind::ValidationFailed, "{target}");
        let read = json!({"file_path": ".", "scan_type": "all", "baseline": target});
        assert_eq!(
            bench.refusal("file_security_scan", read).await.0,
            ErrorKind::ValidationFailed,
            "{target}"
        );
    }
    bench.bytes("secret.json", br#"{"version": "hunter2-hunter2"}"#);
    let read = json!({"file_path": ".", "scan_type": "all", "baseline": "secret.json"});
    let error = bench.call("file_security_scan", read).await.unwrap_err();
    assert!(!error.to_string().contains("hunter2"), "{error}");
    assert_eq!(std::fs::read(bench.root.path().join("notes.txt")).unwrap(), b"precious");
    let outside = json!({"file_path": ".", "baseline_path": "../base.json"});
    assert_eq!(bench.refusal("baseline_update", outside).await.1, Some("PATH_OUTSIDE_ROOT"));
}

#[tokio::test]
async fn installations_with_one_key_share_a_baseline() {
    let config = json!({"fingerprint_key": "one key for every runner"});
    let (here, there) = (Bench::with(config.clone()).await, Bench::with(config).await);
    for bench in [&here, &there] {
        bench.file("a.env", "API_KEY=<alnum:32>\n");
    }
    here.call("baseline_update", json!({"file_path": ".", "baseline_path": "base.json"})).await.unwrap();
    let shared = std::fs::read(here.root.path().join("base.json")).unwrap();
    there.bytes("base.json", &shared);
    assert_eq!(there.scan(json!({"baseline": "base.json"})).await["statuses"], json!({"known": 1}));
}

#[tokio::test]
async fn a_renamed_file_stays_known_and_a_further_copy_is_new() {
    let bench = Bench::new().await;
    let text = bench.file("old/a.env", "API_KEY=<alnum:32>\n");
    bench.call("baseline_update", json!({"file_path": ".", "baseline_path": "base.json"})).await.unwrap();
    std::fs::create_dir(bench.root.path().join("new")).unwrap();
    std::fs::rename(bench.root.path().join("old/a.env"), bench.root.path().join("new/b.env")).unwrap();
    assert_eq!(bench.scan(json!({"baseline": "base.json"})).await["statuses"], json!({"known": 1}));
    bench.bytes("zz/copy.env", text.as_bytes());
    assert_eq!(bench.scan(json!({"baseline": "base.json"})).await["statuses"], json!({"known": 1, "new": 1}));
    bench.bytes("old/a.env", text.as_bytes());
    assert_eq!(bench.scan(json!({"baseline": "base.json"})).await["statuses"], json!({"known": 1, "new": 2}));
}
