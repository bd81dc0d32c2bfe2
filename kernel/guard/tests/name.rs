//! Attacks on the name guard.

use guard::name::{Alphabet, check, check_pattern};
use regex::Regex;

#[test]
fn takes_honest_names() {
    let table: &[(Alphabet, &[&str])] = &[
        (Alphabet::Dns, &["web-1", "a", "kube-system", "sub.example.com", "0"]),
        (Alphabet::Word, &["web_1", "Web.1", "_x", "a-b"]),
        (Alphabet::Reference, &["alpine:3.20", "ghcr.io/a/b@sha256:00", "feature/x+y"]),
        (Alphabet::Text, &["My project", "Größe 5", "名前"]),
    ];
    for (alphabet, names) in table {
        for name in *names {
            assert_eq!(check("name", name, *alphabet), Ok(*name));
        }
    }
}

#[test]
fn refuses_what_a_program_a_shell_or_a_reader_would_take_for_something_else() {
    let long = "a".repeat(254);
    let for_all = [
        "",
        "-rf",
        "--kubeconfig=/tmp/x",
        "\u{2013}rf",
        "\u{2212}rf",
        " lead",
        "trail ",
        "nul\0",
        "new\nline",
        "cr\r",
        "tab\tbed",
        "esc\u{1b}[2J",
        "zero\u{200b}width",
        "rtl\u{202e}x",
        "soft\u{ad}hyphen",
        "tag\u{e0041}",
        "line\u{2028}separator",
        "bom\u{feff}",
        long.as_str(),
    ];
    for alphabet in [Alphabet::Dns, Alphabet::Word, Alphabet::Reference, Alphabet::Text] {
        for name in for_all {
            let refusal = check("name", name, alphabet).unwrap_err();
            assert_eq!((refusal.code, refusal.field.as_str()), ("NAME_INVALID", "name"), "{name:?}");
            assert!(!refusal.rule.contains(name) || name.is_empty(), "the refusal repeats {name:?}");
        }
    }
}

#[test]
fn refuses_what_is_outside_its_alphabet() {
    let label = "a".repeat(64);
    let table: &[(Alphabet, &[&str])] = &[
        (Alphabet::Dns, &["Upper", "a_b", "a..b", ".a", "a.", "a-", "a.-b", "a/b", "bücher", &label]),
        (Alphabet::Word, &[".", "..", "a/b", "a b", "a;b", "a$(b)", "a:b", "\u{ff41}"]),
        (Alphabet::Reference, &["/abs", "a/../b", "..", "a b", "a?b", "a#b", "a%2e", "a\\b", "a'b"]),
    ];
    for (alphabet, names) in table {
        for name in *names {
            assert!(check("name", name, *alphabet).is_err(), "{name:?} passed as {alphabet:?}");
        }
    }
}

#[test]
fn a_pattern_must_match_the_whole_name_and_the_general_rules_still_hold() {
    let digits = Regex::new("[0-9]+|-x").unwrap();
    assert_eq!(check_pattern("id", "42", &digits, "digits"), Ok("42"));
    for name in ["42\n", "a42", "42;", "-x", ""] {
        assert!(check_pattern("id", name, &digits, "digits").is_err(), "{name:?}");
    }
}
