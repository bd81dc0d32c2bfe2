//! Trees made to hurt a scanner.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
};

use kernel::ErrorKind;
use serde_json::json;

use crate::bench::{Bench, places};

const LEAK: &str = "API_KEY=<alnum:32>\n";

#[tokio::test]
async fn links_are_not_followed_and_loops_end() {
    let bench = Bench::new().await;
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("o.env"), "API_KEY=q8Zk2Lw9Xv4Tb7Rm1Ns6Hd3Jf5Gc0PyA\n").unwrap();
    bench.file("a.env", LEAK);
    symlink("..", bench.root.path().join("up")).unwrap();
    symlink(".", bench.root.path().join("self")).unwrap();
    symlink(outside.path(), bench.root.path().join("away")).unwrap();
    symlink(outside.path().join("o.env"), bench.root.path().join("o.env")).unwrap();
    let report = bench.scan(json!({})).await;
    assert_eq!(places(&report), ["generic-key@a.env:1"]);
    assert_eq!(report["coverage"]["skipped_by_reason"], json!({"link": 1, "link_outside": 3}));
}

#[tokio::test]
async fn a_gap_is_named_and_never_called_clean() {
    let bench = Bench::with(json!({"file_bytes_max": 1000})).await;
    bench.bytes("small.txt", b"hello");
    bench.bytes("large.txt", &vec![b'a'; 1001]);
    let report = bench.scan(json!({})).await;
    assert_eq!(report["coverage"]["skipped"], json!([{"path": "large.txt", "reason": "too_large"}]));
    assert_eq!(report["verdict"], "incomplete");
}

#[tokio::test]
async fn a_file_that_may_not_be_read_is_a_gap() {
    let bench = Bench::new().await;
    bench.bytes("small.txt", b"hello");
    bench.bytes("locked.txt", b"hello");
    let locked = bench.root.path().join("locked.txt");
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o000)).unwrap();
    // Root reads everything; then there is no gap to report.
    let expected = if fs::File::open(&locked).is_ok() { "clean" } else { "incomplete" };
    assert_eq!(bench.scan(json!({})).await["verdict"], expected);
}

#[tokio::test]
async fn links_that_lead_out_are_gaps_and_links_within_are_none() {
    let bench = Bench::new().await;
    bench.bytes("a.txt", b"hello");
    symlink("a.txt", bench.root.path().join("same")).unwrap();
    symlink("nowhere", bench.root.path().join("dangling")).unwrap();
    symlink("loop", bench.root.path().join("loop")).unwrap();
    assert_eq!(bench.scan(json!({})).await["verdict"], "clean");
    symlink("/etc/hostname", bench.root.path().join("out")).unwrap();
    assert_eq!(bench.scan(json!({})).await["verdict"], "incomplete");
}

#[tokio::test]
async fn a_sparse_giant_costs_nothing_and_a_pipe_does_not_block() {
    let bench = Bench::new().await;
    bench.bytes("a.txt", b"hello");
    let giant = fs::File::create(bench.root.path().join("sparse")).unwrap();
    giant.set_len(4 << 30).unwrap();
    let report = bench.scan(json!({})).await;
    assert_eq!((&report["coverage"]["bytes"], &report["verdict"]), (&json!(5), &json!("clean")));
    let pipe = bench.root.path().join("pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    let report = bench.scan(json!({})).await;
    assert_eq!(report["coverage"]["skipped_by_reason"], json!({"not_regular": 1}));
    assert_eq!(report["verdict"], "incomplete");
}

#[tokio::test]
async fn tokens_in_files_that_are_no_text_are_found_and_words_in_them_mean_nothing() {
    let bench = Bench::new().await;
    let token =
        server_security_scanner::fill("ghp_<alnum:30><crc62>", &mut server_security_scanner::Dice::new(4));
    let mut bytes = b"\x7fELF\0\0\0password=hunter22x!\0".to_vec();
    bytes.extend_from_slice(token.as_bytes());
    bytes.extend_from_slice(&[0, 1, 2, 3]);
    bench.bytes("app.bin", &bytes);
    let report = bench.scan(json!({})).await;
    assert_eq!(places(&report), ["github-pat@app.bin:1"]);
    assert!(!report.to_string().contains(&token[5..20]));
    let patterns = bench.scan(json!({"scan_type": "patterns"})).await;
    assert_eq!(patterns["coverage"]["skipped_by_reason"], json!({"binary": 1}));
}

#[tokio::test]
async fn a_keyword_a_million_times_on_one_line_does_not_cost_its_square() {
    let bench = Bench::new().await;
    // A comment: the keyword leads to a match that is dropped, so that no bound on hits ends it early.
    bench.bytes("a.py", &[b"# ".as_slice(), &b"eval(a) ".repeat(500_000)].concat());
    assert_eq!(bench.scan(json!({"scan_type": "patterns"})).await["coverage"]["scanned"], 1);
}

#[tokio::test]
async fn ten_megabytes_on_one_line_are_scanned_and_the_end_is_seen() {
    let bench = Bench::new().await;
    let mut line = "password=\"a\";x=[1,2,3];token:{};key:\"aaaaaaaaaaaaaaaa\",".repeat(200_000).into_bytes();
    line.extend_from_slice(b"secret_key=\"q8Zk2Lw9Xv4Tb7Rm1Ns6Hd3Jf5Gc0PyA\"");
    bench.bytes("min.js", &line);
    let report = bench.scan(json!({"scan_type": "secrets"})).await;
    assert!(report["coverage"]["bytes"].as_u64().unwrap() > 10_000_000);
    assert_eq!(places(&report), ["generic-key@min.js:1"]);
}

#[tokio::test]
async fn keywords_alone_never_make_a_scan_quadratic() {
    let bench = Bench::new().await;
    // Each of these is one long run of the start of some rule's match.
    for (name, piece) in [
        ("urls", "a://b:c"),
        ("pem", "-----BEGIN "),
        ("jwt", "eyJ"),
        ("names", "password_"),
        ("bearer", "bearer bearer "),
        ("sql", "identified by "),
        ("quotes", "password=\""),
        ("azure", "AZDO+ACRACDb"),
        ("curl", "curl -u "),
        ("actions", "${{ github."),
    ] {
        bench.bytes(&format!("{name}.txt"), piece.repeat(300_000 / piece.len()).as_bytes());
    }
    let report = bench.scan(json!({})).await;
    assert_eq!(report["coverage"]["scanned"], 10);
}

#[tokio::test]
async fn invalid_text_is_scanned_like_any_other() {
    let bench = Bench::new().await;
    bench.bytes("latin.txt", b"caf\xe9 \xff\xfe\nAPI_KEY=q8Zk2Lw9Xv4Tb7Rm1Ns6Hd3Jf5Gc0PyA\n");
    let wide: Vec<u8> = "\u{feff}API_KEY=q8Zk2Lw9Xv4Tb7Rm1Ns6Hd3Jf5Gc0PyA\r\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    bench.bytes("wide.ps1", &wide);
    let mut found = places(&bench.scan(json!({})).await);
    found.sort();
    assert_eq!(found, ["generic-key@latin.txt:2", "generic-key@wide.ps1:1"]);
}

#[tokio::test]
async fn a_deep_tree_is_entered_to_its_bound_and_the_rest_is_named() {
    let bench = Bench::new().await;
    bench.bytes("a.txt", b"hello");
    let mut path = bench.root.path().to_owned();
    for _ in 0..300 {
        path.push("d");
    }
    fs::create_dir_all(&path).unwrap();
    let report = bench.scan(json!({})).await;
    assert_eq!(
        (&report["verdict"], &report["coverage"]["skipped_by_reason"]),
        (&json!("incomplete"), &json!({"too_deep": 1}))
    );
}

#[tokio::test]
async fn names_cannot_forge_the_report() {
    let bench = Bench::new().await;
    bench.file("a\n\u{1b}[31m.env", LEAK);
    let report = bench.scan(json!({})).await;
    let path = report["findings"][0]["location"]["path"].as_str().unwrap();
    assert!(!path.chars().any(char::is_control), "{path:?}");
}

#[tokio::test]
async fn nothing_outside_the_roots_or_protected_is_read() {
    let bench = Bench::new().await;
    bench.file("a.txt", "hello\n");
    bench.file("own/vault.env", LEAK);
    for (path, reason) in
        [("../", "PATH_OUTSIDE_ROOT"), ("/etc", "PATH_OUTSIDE_ROOT"), ("nothing", "NOT_FOUND")]
    {
        let args = json!({"file_path": path, "scan_type": "all"});
        assert_eq!(bench.refusal("file_security_scan", args).await.1, Some(reason), "{path}");
    }
    assert_eq!(bench.scan(json!({})).await["verdict"], "findings");
    let own = bench.root.path().join("own");
    let bench = bench.again(json!({}), vec![own]).await;
    assert_eq!(bench.scan(json!({})).await["verdict"], "clean");
    let args = json!({"file_path": "own/vault.env", "scan_type": "all"});
    assert_eq!(bench.refusal("file_security_scan", args).await.1, Some("CRITICAL_PATH"));
}

#[tokio::test]
async fn bad_arguments_are_refused_before_anything_is_read() {
    let bench = Bench::new().await;
    for args in [
        json!({"file_path": "."}),
        json!({"scan_type": "all"}),
        json!({"file_path": ".", "scan_type": "everything"}),
        json!({"file_path": "", "scan_type": "all"}),
        json!({"file_path": ".", "scan_type": "all", "limit": 0}),
        json!({"file_path": ".", "scan_type": "all", "min_confidence": 2}),
        json!({"file_path": ".", "scan_type": "all", "surprise": 1}),
    ] {
        assert_eq!(
            bench.refusal("file_security_scan", args.clone()).await.0,
            ErrorKind::ValidationFailed,
            "{args}"
        );
    }
}

#[tokio::test]
async fn more_hits_than_are_kept_are_never_passed_over_in_silence() {
    let bench = Bench::new().await;
    // On one line every keyword leads to the same few places.
    bench.bytes("a.py", "eval(a) ".repeat(20_000).as_bytes());
    assert_eq!(bench.scan(json!({})).await["coverage"]["truncated"], true);
}
