//! `core-mcp secret`: values in, never out.

use std::{
    fs,
    io::Write,
    process::{Command, Stdio},
};

use crate::installation::{Ended, Installation};

/// Runs a command that reads `input`.
fn reading(site: &Installation, words: &[&str], input: &[u8]) -> Ended {
    let mut command: Command = site.command(&site.token, words);
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    // A command that refuses early does not read to the end.
    child.stdin.take().unwrap().write_all(input).ok();
    let output = child.wait_with_output().unwrap();
    Ended {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn a_value_goes_in_by_stdin_or_file_and_never_comes_out() {
    let site = Installation::new();
    let file = site.folder().join("value");
    fs::write(&file, "hunter2-from-file\r\n").unwrap();
    let said = [
        reading(&site, &["secret", "set", "one"], b"hunter2-one\n").done(),
        site.run(&["secret", "set", "two", "--file", file.to_str().unwrap(), "--output", "json"]).done(),
        reading(&site, &["secret", "rotate", "one", "--overlap", "60"], b"hunter2-newer").done(),
        site.run(&["secret", "list", "--output", "json"]).done(),
        site.run(&["audit", "search", "--output", "json"]).done(),
        site.run(&["doctor", "--output", "json"]),
    ];
    for it in &said {
        assert!(!it.stdout.contains("hunter2") && !it.stderr.contains("hunter2"), "{it:?}");
    }
    let listed = said[3].json();
    assert_eq!((&listed[0]["name"], &listed[0]["version"]), (&"one".into(), &2.into()));
    assert!(listed[0]["previous_until"].is_i64() && listed[1]["previous_until"].is_null());
    for event in ["secret.set", "secret.rotated"] {
        assert!(said[4].stdout.contains(event), "{event} is not recorded");
    }
    for entry in fs::read_dir(site.data()).unwrap().flatten().filter(|it| it.path().is_file()) {
        let bytes = fs::read(entry.path()).unwrap();
        assert!(!bytes.windows(7).any(|it| it == b"hunter2"), "{:?}", entry.path());
    }
    site.run(&["secret", "remove", "one"]).done();
    assert!(site.run(&["audit", "search", "--output", "json"]).done().stdout.contains("secret.removed"));
}

#[test]
fn what_does_not_fit_is_refused_and_nothing_is_kept() {
    let site = Installation::new();
    let check = |words: &[&str], input: &[u8], code: i32, part: &str| {
        let ended = reading(&site, &[words, &["--output", "json"]].concat(), input);
        assert_eq!(ended.code, code, "{words:?}: {ended:?}");
        let error = ended.error().to_string();
        assert!(error.contains(part) && !error.contains("hunter2"), "{words:?}: {error}");
    };
    check(&["secret", "set", "a", "b"], b"hunter2", 2, "unexpected argument");
    check(&["secret", "set", "a"], b"", 2, "not empty");
    check(&["secret", "set", "a"], b"\n", 2, "not empty");
    check(&["secret", "set", "a"], &[b'x'; 70_000], 2, "64 KiB");
    check(&["secret", "set", "a"], b"hunter2\xff", 2, "UTF-8");
    check(&["secret", "set", "a", "--file", "/nowhere"], b"", 2, "cannot be read");
    check(&["secret", "set", "../a"], b"hunter2", 2, "a secret's name is");
    check(&["secret", "rotate", "a"], b"hunter2", 1, "no secret is called");
    check(&["secret", "rotate", "a", "--overlap", "9999999"], b"hunter2", 2, "30 days");
    check(&["secret", "remove", "a"], b"", 1, "no secret is called");
    assert_eq!(site.run(&["secret", "list", "--output", "json"]).done().json(), serde_json::json!([]));
    reading(&site, &["secret", "set", "a"], b"hunter2").done();
    check(&["secret", "set", "a"], b"hunter3", 2, "secret rotate");
}

#[test]
fn the_key_of_tokens_is_replaced_from_the_command_line() {
    let site = Installation::new();
    site.run(&["token", "rekey", "--overlap", "3600"]).done();
    site.run(&["servers"]).done();
    assert!(site.run(&["audit", "search", "--output", "json"]).done().stdout.contains("token.rekeyed"));
    assert_eq!(site.run(&["token", "rekey", "--overlap", "999999999"]).code, 2);
}
