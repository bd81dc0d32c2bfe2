//! Reads rule files: TOML in, checked rules out, or a refusal that names file, line and reason.

use std::collections::HashSet;

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
#[error("{file}, line {line}, column {column}: {reason}")]
pub struct RuleError {
    /// As the configuration names it.
    pub file: String,
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1, in characters.
    pub column: usize,
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
    in_comments: bool,
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

/// What is wrong with one rule, and which key of it says so.
struct Wrong {
    key: &'static str,
    reason: String,
}

fn wrong(key: &'static str, reason: impl Into<String>) -> Wrong {
    Wrong { key, reason: reason.into() }
}

impl RuleError {
    /// A refusal at `offset` of `text`.
    pub(crate) fn at(file: &str, text: &str, offset: usize, reason: String) -> Self {
        let before = &text.as_bytes()[..offset.min(text.len())];
        let line = memchr::memchr_iter(b'\n', before).count() + 1;
        let column = before.rsplit(|it| *it == b'\n').next().unwrap_or_default();
        let column = String::from_utf8_lossy(column).chars().count() + 1;
        Self { file: file.to_owned(), line, column, reason }
    }
}

/// Where `key` stands in the rule that starts at `start`; the rule's own place when it is not there.
pub(crate) fn place_of(text: &str, start: usize, key: &str) -> usize {
    let rule = &text[start.min(text.len())..];
    let end = rule.get(1..).and_then(|rest| rest.find("[[rule")).map_or(rule.len(), |at| at + 1);
    let mut offset = start;
    for line in rule[..end].split_inclusive('\n') {
        let named =
            line.trim_start().strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with('='));
        if named {
            return offset + (line.len() - line.trim_start().len());
        }
        offset += line.len();
    }
    start
}

/// Parses and checks one file. `eager` also compiles every expression.
pub(crate) fn parse(file: &str, text: &str, eager: bool) -> Result<Vec<Rule>, RuleError> {
    let at = |offset: usize, reason: String| RuleError::at(file, text, offset, reason);
    let parsed: RuleFile = toml::from_str(text)
        .map_err(|error| at(error.span().map_or(0, |it| it.start), error.message().to_owned()))?;
    if parsed.rule.len() > RULES_MAX {
        return Err(at(0, format!("a file holds at most {RULES_MAX} rules")));
    }
    let mut seen = HashSet::new();
    let mut rules = Vec::with_capacity(parsed.rule.len());
    for entry in parsed.rule {
        let start = entry.span().start;
        let entry = entry.into_inner();
        let id = entry.id.clone();
        if !seen.insert(id.clone()) {
            return Err(at(place_of(text, start, "id"), format!("rule `{id}` is there twice")));
        }
        let rule = build(entry, eager).map_err(|error| {
            at(place_of(text, start, error.key), format!("rule `{id}`: {}", error.reason))
        })?;
        rules.push(rule);
    }
    Ok(rules)
}

fn build(entry: Entry, eager: bool) -> Result<Rule, Wrong> {
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
        let main = main.into_iter().map(|it| ("regex", it));
        for (key, regex) in main.chain(allow.iter().map(|it| ("allow", it))) {
            regex.check().map_err(|error| {
                wrong(key, format!("the expression `{}` is wrong: {error}", regex.pattern()))
            })?;
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

fn check_facts(entry: &Entry) -> Result<(), Wrong> {
    let is_id = |it: &str| {
        (3..=64).contains(&it.len())
            && it.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-')
    };
    if !is_id(&entry.id) {
        return Err(wrong("id", "an id is 3 to 64 small letters, digits and hyphens"));
    }
    if !(0.0..=1.0).contains(&entry.confidence) {
        return Err(wrong("confidence", "`confidence` is between 0 and 1"));
    }
    if entry.positive.is_empty() {
        return Err(wrong(
            "positive",
            "at least one `positive` example is needed: it is the rule's own test",
        ));
    }
    if entry.kind != Kind::File && entry.keywords.is_empty() {
        return Err(wrong("keywords", "at least one keyword is needed: it is what makes a scan fast"));
    }
    if let Some(short) = entry.keywords.iter().find(|it| it.len() < 2) {
        return Err(wrong("keywords", format!("keyword `{short}` is shorter than 2 bytes")));
    }
    if entry.kind == Kind::File && entry.paths.is_empty() {
        return Err(wrong("paths", "a rule of kind `file` names its `paths`"));
    }
    if entry.before > 256 || entry.after.is_some_and(|it| it > 8_192) {
        let key = if entry.before > 256 { "before" } else { "after" };
        return Err(wrong(key, "`before` is at most 256 and `after` at most 8192 bytes"));
    }
    Ok(())
}

fn matcher(entry: &Entry) -> Result<Matcher, Wrong> {
    let regex =
        || entry.regex.as_ref().map(LazyRegex::new).ok_or_else(|| wrong("kind", "`regex` is missing"));
    Ok(match entry.kind {
        Kind::Token => {
            Matcher::Token { regex: regex()?, before: entry.before, after: entry.after.unwrap_or(512) }
        }
        Kind::Assigned => {
            let whole = entry.regex.as_ref().ok_or_else(|| wrong("kind", "`regex` is missing"))?;
            let qualifiers = entry.qualifiers.clone();
            Matcher::Assigned {
                value: LazyRegex::new(format!("^(?:{whole})$")),
                qualifiers: qualifiers
                    .unwrap_or_else(|| QUALIFIERS.iter().map(|it| (*it).to_owned()).collect()),
            }
        }
        Kind::File => Matcher::File { regex: regex()? },
        Kind::Line => {
            Matcher::Line { regex: regex()?, in_code: entry.in_code, in_comments: entry.in_comments }
        }
        Kind::Generic => Matcher::Generic(entry.class.ok_or_else(|| wrong("kind", "`class` is missing"))?),
        Kind::Built => Matcher::Built(entry.detector.ok_or_else(|| wrong("kind", "`detector` is missing"))?),
    })
}

fn globs(patterns: &[String]) -> Result<Option<GlobSet>, Wrong> {
    if patterns.is_empty() {
        return Ok(None);
    }
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        let glob = GlobBuilder::new(pattern).literal_separator(true).case_insensitive(true).build();
        set.add(
            glob.map_err(|error| wrong("paths", format!("the path pattern `{pattern}` is wrong: {error}")))?,
        );
    }
    set.build().map(Some).map_err(|error| wrong("paths", format!("the path patterns are wrong: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "[[rule]]\nid = \"acme-key\"\ntitle = \"t\"\ndescription = \"d\"\nkind = \"token\"\n\
        severity = \"high\"\nconfidence = 0.9\ncwe = 798\nkeywords = [\"acme_\"]\nregex = 'acme_[a-z]{8}'\n\
        positive = [\"acme_<lower:8>\"]\n";

    fn refusal(text: &str) -> (usize, usize, String) {
        let error = parse("mine.toml", text, true).map(|_| ()).unwrap_err();
        assert_eq!(error.file, "mine.toml");
        (error.line, error.column, error.reason)
    }

    #[test]
    fn a_good_file_is_read() {
        assert_eq!(parse("mine.toml", GOOD, true).map(|it| it.len()), Ok(1));
    }

    #[test]
    fn a_bad_rule_is_refused_with_its_place_and_the_reason() {
        for (broken, line, column, words) in [
            (GOOD.replace("[a-z]{8}", "[a-z"), 10, 1, "expression"),
            (GOOD.replace("'acme_[a-z]{8}'", "'(?:[a-z]{1000}){1000}'"), 10, 1, "expression"),
            (GOOD.replace("0.9", "9.0"), 7, 1, "confidence"),
            (GOOD.replace("acme-key", "Acme Key"), 2, 1, "id"),
            (GOOD.replace("[\"acme_\"]", "[]"), 9, 1, "keyword"),
            (GOOD.replace("keywords", "  keywords").replace("[\"acme_\"]", "[]"), 9, 3, "keyword"),
            (GOOD.replace("\"high\"", "\"huge\""), 6, 12, "huge"),
            (GOOD.replace("cwe = 798", "cwes = 798"), 8, 1, "cwes"),
            (GOOD.replace("positive", "positives"), 11, 1, "positives"),
            (format!("{GOOD}{GOOD}"), 13, 1, "twice"),
            ("rule = 3".to_owned(), 1, 8, "invalid type"),
            ("[[rule".to_owned(), 1, 7, ""),
            (format!("{GOOD}\u{e9} = 1"), 12, 1, ""),
        ] {
            let (at, across, reason) = refusal(&broken);
            assert!(reason.contains(words), "{reason}");
            assert_eq!((at, across), (line, column), "{reason}");
        }
    }
}
