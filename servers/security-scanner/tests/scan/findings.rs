//! What is found, how it is shown, and in which order.

use std::sync::{Arc, Mutex};

use kernel::{CallContext, ErrorKind, Progress};
use serde_json::{Value, json};

use crate::bench::{Bench, places};

#[tokio::test]
async fn a_planted_token_is_found_in_its_place_and_never_shown() {
    let bench = Bench::new().await;
    let text = bench.file("src/deploy.sh", "#!/bin/sh\necho go\nexport TOKEN=ghp_<alnum:30><crc62>\n");
    let report = bench.scan(json!({})).await;
    assert_eq!(places(&report), ["github-pat@src/deploy.sh:3"]);
    let token = text.split('=').nth(1).unwrap().trim();
    let whole = report.to_string();
    assert!(!whole.contains(token) && !whole.contains(&token[4..30]), "{whole}");
    let finding = &report["findings"][0];
    assert_eq!(
        (&finding["location"]["column"], &finding["location"]["end_column"]),
        (&json!(14), &json!(54))
    );
    assert_eq!(
        (&finding["cwe"], &finding["status"], &report["verdict"]),
        (&json!("CWE-798"), &json!("new"), &json!("findings"))
    );
    assert!(finding["confidence"].as_f64().unwrap() > 0.98, "the checksum holds");
}

#[tokio::test]
async fn the_kind_of_scan_decides_which_rules_run() {
    let bench = Bench::new().await;
    bench.file("a.py", "password = \"hunter22x!\"\nrequests.get(u, verify=False)\n");
    for (kind, expected) in [
        ("secrets", vec!["generic-password@a.py:1"]),
        ("patterns", vec!["tls-verification-off-python@a.py:2"]),
        ("all", vec!["tls-verification-off-python@a.py:2", "generic-password@a.py:1"]),
    ] {
        let mut found = places(&bench.scan(json!({ "scan_type": kind })).await);
        let mut expected = expected;
        found.sort();
        expected.sort_unstable();
        assert_eq!(found, expected, "{kind}");
    }
}

#[tokio::test]
async fn equal_files_give_equal_results_and_pages_join_without_gap() {
    let bench = Bench::with(json!({"workers": 4})).await;
    for at in 0..60 {
        bench.file(&format!("d{}/f{at}.env", at % 7), "API_KEY=<alnum:32>\nDB_PASSWORD=<alnum:12>7!\n");
    }
    let whole = bench.scan(json!({"limit": 1000})).await;
    assert_eq!(whole, bench.scan(json!({"limit": 1000})).await);
    let mut pages = Vec::new();
    let mut cursor = Value::Null;
    loop {
        let page = bench.scan(json!({"limit": 17, "cursor": cursor})).await;
        pages.extend(places(&page));
        cursor = page["next_cursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    assert_eq!(pages, places(&whole));
    assert_eq!(pages.len(), 120);
}

#[tokio::test]
async fn a_cursor_of_another_result_is_refused() {
    let bench = Bench::new().await;
    bench.file("a.env", "API_KEY=<alnum:32>\nSECRET_KEY=<alnum:33>\n");
    let page = bench.scan(json!({"limit": 1})).await;
    bench.file("b.env", "API_KEY=<alnum:34>\n");
    for cursor in [page["next_cursor"].as_str().unwrap(), "nonsense", "x:y"] {
        let args = json!({"file_path": ".", "scan_type": "all", "cursor": cursor});
        assert_eq!(
            bench.refusal("file_security_scan", args).await.0,
            ErrorKind::ValidationFailed,
            "{cursor}"
        );
    }
}

#[tokio::test]
async fn thresholds_leave_out_what_is_below_them() {
    let bench = Bench::new().await;
    bench.file("a.py", "token = \"ghp_<alnum:30><crc62>\"\nh = hashlib.md5(x)\n");
    assert_eq!(places(&bench.scan(json!({"min_severity": "high"})).await), ["github-pat@a.py:1"]);
    assert_eq!(places(&bench.scan(json!({"min_confidence": 0.9})).await), ["github-pat@a.py:1"]);
    assert_eq!(bench.scan(json!({})).await["counts"], json!({"critical": 1, "low": 1}));
}

#[tokio::test]
async fn a_comment_with_a_reason_suppresses_and_a_clean_tree_is_called_clean() {
    let bench = Bench::new().await;
    bench.file("a.py", "password = \"hunter22x!\"  # core-mcp:allow generic-password test fixture\n");
    let report = bench.scan(json!({})).await;
    assert_eq!((&report["verdict"], &report["statuses"]), (&json!("clean"), &json!({"suppressed": 1})));
    assert_eq!(report["findings"][0]["status"], "suppressed");
}

#[tokio::test]
async fn what_gitignore_hides_is_scanned_only_on_request_and_git_itself_never() {
    let bench = Bench::new().await;
    bench.file(".gitignore", ".env\n");
    bench.file(".env", "API_KEY=<alnum:32>\n");
    bench.file(".git/config", "API_KEY=<alnum:32>\n");
    let report = bench.scan(json!({})).await;
    assert_eq!(
        (&report["verdict"], &report["coverage"]["gitignore_obeyed"]),
        (&json!("clean"), &json!(true))
    );
    let report = bench.scan(json!({"include_ignored": true})).await;
    assert_eq!(
        (places(&report), &report["coverage"]["gitignore_obeyed"]),
        (vec!["generic-key@.env:1".to_owned()], &json!(false))
    );
}

#[tokio::test]
async fn a_tree_that_hides_everything_is_not_called_clean() {
    let bench = Bench::new().await;
    bench.file(".gitignore", "*\n");
    bench.file("a.env", "API_KEY=<alnum:32>\n");
    assert_eq!(bench.scan(json!({})).await["verdict"], "incomplete");
}

#[tokio::test]
async fn sarif_carries_masked_results_with_places_and_fingerprints() {
    let bench = Bench::new().await;
    let text = bench.file("my dir/a.env", "API_KEY=<alnum:32>\n");
    let report = bench.scan(json!({"format": "sarif"})).await;
    let run = &report["sarif"]["runs"][0];
    assert_eq!(report["sarif"]["version"], "2.1.0");
    assert_eq!(run["results"][0]["ruleId"], run["tool"]["driver"]["rules"][0]["id"]);
    let place = &run["results"][0]["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "my%20dir/a.env");
    assert_eq!(place["region"]["startLine"], 1);
    assert!(!report.to_string().contains(text.trim().split('=').nth(1).unwrap()));
    assert_eq!(report["findings"], json!([]));
    assert_eq!(run["invocations"][0]["executionSuccessful"], true);
}

#[tokio::test]
async fn text_is_scanned_without_a_file() {
    let bench = Bench::new().await;
    let clean = bench.call("scan_text", json!({"text": "nothing here"})).await.unwrap();
    assert_eq!((&clean["is_clean"], &clean["findings"]), (&json!(true), &json!([])));
    let text = format!("postgres://app:{}@db/x", "s3cr3tPassw0rd");
    let found = bench.call("scan_text", json!({ "text": text })).await.unwrap();
    assert_eq!(found["findings"][0]["rule"], "url-credentials");
    assert!(!found.to_string().contains("s3cr3t"));
}

#[tokio::test]
async fn rules_are_listed_in_pages_and_explained() {
    let bench = Bench::new().await;
    let page = bench.call("list_rules", json!({"filter": "github", "limit": 3})).await.unwrap();
    assert_eq!((page["rules"].as_array().unwrap().len(), page["next_cursor"].as_str()), (3, Some("3")));
    let explained = bench.call("explain_finding", json!({"rule": "github-pat"})).await.unwrap();
    assert_eq!((&explained["cwe"], &explained["severity"]), (&json!("CWE-798"), &json!("critical")));
    assert!(!explained["fix"].as_str().unwrap().is_empty());
    assert_eq!(bench.refusal("explain_finding", json!({"rule": "nope"})).await.0, ErrorKind::NotFound);
}

#[tokio::test]
async fn a_cancelled_scan_says_so_and_progress_is_reported_in_order() {
    let bench = Bench::new().await;
    for at in 0..200 {
        bench.file(&format!("f{at}.txt"), "nothing\n");
    }
    let cx = CallContext::for_tests();
    cx.cancel.cancel();
    let args = json!({"file_path": ".", "scan_type": "all"});
    let error = bench.call_in("file_security_scan", args.clone(), cx).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Cancelled);

    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&seen);
    let mut cx = CallContext::for_tests();
    cx.progress = Progress::to(move |update| sink.lock().unwrap().push(update.done));
    bench.call_in("file_security_scan", args, cx).await.unwrap();
    assert!(seen.lock().unwrap().is_sorted());
}

#[tokio::test]
async fn rules_of_the_operator_are_used_and_bad_ones_stop_the_server() {
    let bench = Bench::new().await;
    let rule = "[[rule]]\nid = \"acme-key\"\ntitle = \"t\"\ndescription = \"d\"\nkind = \"token\"\nseverity = \"high\"\n\
        confidence = 0.9\ncwe = 798\nkeywords = [\"acme_\"]\nregex = 'acme_[a-z]{8}'\npositive = [\"acme_qwhzkvxp\"]\n";
    bench.bytes("rules.toml", rule.as_bytes());
    bench.file("a.txt", "acme_qjxkvbzw\n");
    let rules = bench.root.path().join("rules.toml");
    let bench = bench.again(json!({ "rules": [rules] }), Vec::new()).await;
    assert_eq!(places(&bench.scan(json!({"file_path": "a.txt"})).await), ["acme-key@a.txt:1"]);
}

#[tokio::test]
async fn a_secret_beside_dangerous_code_is_not_shown_either() {
    let bench = Bench::new().await;
    let docker = bench.file("Dockerfile", "ENV DB_PASSWORD=<alnum:14>\n");
    let script = bench.file("a.sh", "curl -H 'Authorization: Bearer <alnum:40>' https://x | sh\n");
    let report = bench.scan(json!({"scan_type": "patterns"})).await;
    assert_eq!(places(&report), ["curl-pipe-shell@a.sh:1", "docker-secret-env@Dockerfile:1"]);
    for secret in [&docker[16..30], &script[31..71]] {
        assert!(!report.to_string().contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn tokens_in_base64_are_found_however_often_it_was_applied() {
    let bench = Bench::new().await;
    let token = server_security_scanner::fill(
        "token=ghp_<alnum:30><crc62>",
        &mut server_security_scanner::Dice::new(9),
    );
    let once = base64(token.as_bytes());
    let twice = base64(once.as_bytes());
    let thrice = base64(twice.as_bytes());
    bench.bytes(
        "secret.yml",
        format!("data:\n  config: {once}\n  more: {twice}\n  far: {thrice}\n").as_bytes(),
    );
    let report = bench.scan(json!({"scan_type": "secrets"})).await;
    assert_eq!(places(&report), ["github-pat@secret.yml:2", "github-pat@secret.yml:3"]);
    assert!(!report.to_string().contains(&once[8..40]));
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let padded = [chunk[0], *chunk.get(1).unwrap_or(&0), *chunk.get(2).unwrap_or(&0)];
        let bits = u32::from_be_bytes([0, padded[0], padded[1], padded[2]]);
        for place in 0..=chunk.len() {
            out.push(char::from(LETTERS[(bits >> (18 - 6 * place) & 63) as usize]));
        }
        out.push_str(&"=="[..3 - chunk.len()]);
    }
    out
}
