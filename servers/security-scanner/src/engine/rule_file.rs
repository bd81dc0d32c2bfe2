//! Reads rule files: TOML in, checked rules out, or a refusal that names file, line and reason.

use std::{collections::HashSet, ops::Range};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use serde::Deserialize;
use toml::Spanned;

use super::{
    checksum::Checksum,
    rule::{Class, Detector, Example, Family, LazyRegex, Matcher, Rule, Severity},
};

/// Rules one file may hold.
const RULES_MAX: usize = 2_000;

/// Why a rule file was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}, line {line}: {reason}")]
pub struct RuleError {
    /// As the configuration names it.
    pub file: String,
    /// Counted from 1.
    pub line: usize,
    /// In one sentence.
    pub reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleFile {
    #[serde(default)]
    rule: Vec<Spanned<Entry>>,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Token,
    Assigned,
    File,
    Line,
    Generic,
    Built,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    id: String,
    title: String,
    description: String,
    #[serde(default)]
    fix: String,
    kind: Kind,
    severity: Severity,
    confidence: f32,
    cwe: u16,
    #[serde(default)]
    keywords: Vec<String>,
    #[serde(default)]
    regex: Option<String>,
    #[serde(default)]
    before: usize,
    #[serde(default)]
    after: Option<usize>,
    #[serde(default)]
    qualifiers: Option<Vec<String>>,
    #[serde(default)]
    class: Option<Class>,
    #[serde(default)]
    detector: Option<Detector>,
    #[serde(default)]
    in_code: bool,
    #[serde(default)]
    entropy: f32,
    #[serde(default)]
    checksum: Option<Checksum>,
    #[serde(default)]
    paths: Vec<String>,
    #[serde(default)]
    files: Vec<String>,
    #[serde(default)]
    allow: Vec<String>,
    #[serde(default)]
    example_path: Option<String>,
    positive: Vec<String>,
    #[serde(default)]
    negative: Vec<String>,
}

/// Words one of which the name must hold besides the provider's, unless a rule says otherwise.
const QUALIFIERS: &[&str] =
    &["key", "token", "secret", "pass", "pwd", "auth", "cred", "pat", "api", "access"];

/// Parses and checks one file. `eager` also compiles every expression.
pub(crate) fn parse(file: &str, text: &str, eager: bool) -> Result<Vec<Rule>, RuleError> {
    let at = |span: Option<Range<usize>>, reason: String| RuleError {
        file: file.to_owned(),
        line: span.map_or(1, |it| line_of(text, it.start)),
        reason,
    };
    let parsed: RuleFile =
        toml::from_str(text).map_err(|error| at(error.span(), error.message().to_owned()))?;
    if parsed.rule.len() > RULES_MAX {
        return Err(at(None, format!("a file holds at most {RULES_MAX} rules")));
    }
    let mut seen = HashSet::new();
    let mut rules = Vec::with_capacity(parsed.rule.len());
    for entry in parsed.rule {
        let span = Some(entry.span());
        let entry = entry.into_inner();
        let id = entry.id.clone();
        if !seen.insert(id.clone()) {
            return Err(at(span, format!("rule `{id}` is there twice")));
        }
        rules.push(build(entry, eager).map_err(|reason| at(span, format!("rule `{id}`: {reason}")))?);
    }
    Ok(rules)
}

fn line_of(text: &str, offset: usize) -> usize {
    memchr::memchr_iter(b'\n', &text.as_bytes()[..offset.min(text.len())]).count() + 1
}

fn build(entry: Entry, eager: bool) -> Result<Rule, String> {
    check_facts(&entry)?;
    let matcher = matcher(&entry)?;
    let allow: Vec<_> = entry.allow.iter().map(LazyRegex::new).collect();
    if eager {
        let main = match &matcher {
            Matcher::Token { regex, .. } | Matcher::File { regex } | Matcher::Line { regex, .. } => {
                Some(regex)
            }
            Matcher::Assigned { value, .. } => Some(value),
            Matcher::Generic(_) | Matcher::Built(_) => None,
        };
        for regex in main.into_iter().chain(&allow) {
            regex
                .check()
                .map_err(|error| format!("the expression `{}` is wrong: {error}", regex.pattern()))?;
        }
    }
    let path = entry.example_path.unwrap_or_else(|| "example.txt".into());
    let example = |template: &String| Example { template: template.clone(), path: path.clone() };
    Ok(Rule {
        family: if entry.kind == Kind::Line { Family::Patterns } else { Family::Secrets },
        positive: entry.positive.iter().map(example).collect(),
        negative: entry.negative.iter().map(example).collect(),
        keywords: entry.keywords.iter().map(|it| it.to_ascii_lowercase()).collect(),
        paths: globs(&entry.paths)?,
        id: entry.id,
        title: entry.title,
        description: entry.description,
        fix: entry.fix,
        severity: entry.severity,
        confidence: entry.confidence,
        cwe: entry.cwe,
        matcher,
        entropy: entry.entropy,
        checksum: entry.checksum,
        files: entry.files,
        allow,
    })
}

fn check_facts(entry: &Entry) -> Result<(), String> {
    let is_id = |it: &str| {
        (3..=64).contains(&it.len())
            && it.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-')
    };
    if !is_id(&entry.id) {
        return Err("an id is 3 to 64 small letters, digits and hyphens".into());
    }
    if !(0.0..=1.0).contains(&entry.confidence) {
        return Err("`confidence` is between 0 and 1".into());
    }
    if entry.positive.is_empty() {
        return Err("at least one `positive` example is needed: it is the rule's own test".into());
    }
    if entry.kind != Kind::File && entry.keywords.is_empty() {
        return Err("at least one keyword is needed: it is what makes a scan fast".into());
    }
    if let Some(short) = entry.keywords.iter().find(|it| it.len() < 2 || !it.is_ascii()) {
        return Err(format!("keyword `{short}` is shorter than 2 characters or not ASCII"));
    }
    if entry.kind == Kind::File && entry.paths.is_empty() {
        return Err("a rule of kind `file` names its `paths`".into());
    }
    if entry.before > 256 || entry.after.is_some_and(|it| it > 8_192) {
        return Err("`before` is at most 256 and `after` at most 8192 bytes".into());
    }
    Ok(())
}

fn matcher(entry: &Entry) -> Result<Matcher, String> {
    let regex = || entry.regex.as_ref().map(LazyRegex::new).ok_or("`regex` is missing");
    Ok(match entry.kind {
        Kind::Token => {
            Matcher::Token { regex: regex()?, before: entry.before, after: entry.after.unwrap_or(512) }
        }
        Kind::Assigned => {
            let whole = entry.regex.as_ref().ok_or("`regex` is missing")?;
            let qualifiers = entry.qualifiers.clone();
            Matcher::Assigned {
                value: LazyRegex::new(format!("^(?:{whole})$")),
                qualifiers: qualifiers
                    .unwrap_or_else(|| QUALIFIERS.iter().map(|it| (*it).to_owned()).collect()),
            }
        }
        Kind::File => Matcher::File { regex: regex()? },
        Kind::Line => Matcher::Line { regex: regex()?, in_code: entry.in_code },
        Kind::Generic => Matcher::Generic(entry.class.ok_or("`class` is missing")?),
        Kind::Built => Matcher::Built(entry.detector.ok_or("`detector` is missing")?),
    })
}

fn globs(patterns: &[String]) -> Result<Option<GlobSet>, String> {
    if patterns.is_empty() {
        return Ok(None);
    }
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        let glob = GlobBuilder::new(pattern).literal_separator(true).case_insensitive(true).build();
        set.add(glob.map_err(|error| format!("the path pattern `{pattern}` is wrong: {error}"))?);
    }
    set.build().map(Some).map_err(|error| format!("the path patterns are wrong: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "[[rule]]\nid = \"acme-key\"\ntitle = \"t\"\ndescription = \"d\"\nkind = \"token\"\n\
        severity = \"high\"\nconfidence = 0.9\ncwe = 798\nkeywords = [\"acme_\"]\nregex = 'acme_[a-z]{8}'\n\
        positive = [\"acme_<lower:8>\"]\n";

    fn refusal(text: &str) -> (usize, String) {
        let error = parse("mine.toml", text, true).map(|_| ()).unwrap_err();
        assert_eq!(error.file, "mine.toml");
        (error.line, error.reason)
    }

    #[test]
    fn a_good_file_is_read() {
        assert_eq!(parse("mine.toml", GOOD, true).map(|it| it.len()), Ok(1));
    }

    #[test]
    fn a_bad_rule_is_refused_with_its_line_and_the_reason() {
        for (broken, line, words) in [
            (GOOD.replace("[a-z]{8}", "[a-z"), 1, "expression"),
            (GOOD.replace("'acme_[a-z]{8}'", "'(?:[a-z]{1000}){1000}'"), 1, "expression"),
            (GOOD.replace("0.9", "9.0"), 1, "confidence"),
            (GOOD.replace("acme-key", "Acme Key"), 1, "id"),
            (GOOD.replace("[\"acme_\"]", "[]"), 1, "keyword"),
            (GOOD.replace("\"high\"", "\"huge\""), 6, "huge"),
            (GOOD.replace("cwe = 798", "cwes = 798"), 8, "cwes"),
            (GOOD.replace("positive", "positives"), 11, "positives"),
            (format!("{GOOD}{GOOD}"), 12, "twice"),
            ("rule = 3".to_owned(), 1, "invalid type"),
            ("[[rule".to_owned(), 1, ""),
        ] {
            let (at, reason) = refusal(&broken);
            assert!(reason.contains(words), "{reason}");
            assert_eq!(at, line, "{reason}");
        }
    }
}
