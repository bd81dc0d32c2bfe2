//! What one rule is, once its file has been read and checked.

use std::sync::OnceLock;

use globset::GlobSet;
use regex_automata::{
    meta::{BuildError, Regex},
    util::syntax,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::checksum::Checksum;

/// How bad it is when a finding is real.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Low,
    /// To be fixed in the normal course of work.
    Medium,
    /// To be fixed now.
    High,
    /// Treat as an incident.
    Critical,
}

/// Which half of the engine a rule belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// Credentials.
    Secrets,
    /// Dangerous code and configuration.
    Patterns,
}

/// What kind of name a generic credential is assigned to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Class {
    Password,
    Secret,
    Token,
    Key,
    Auth,
}

impl Class {
    /// As the model knows it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Secret => "secret",
            Self::Token => "token",
            Self::Key => "key",
            Self::Auth => "auth",
        }
    }
}

/// Credential shapes that code recognises better than one expression can.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Detector {
    UrlCredentials,
    PrivateKey,
    Jwt,
    AuthHeader,
    BasicAuth,
}

/// How a rule finds its matches.
#[derive(Debug)]
pub(crate) enum Matcher {
    /// The keyword starts the token (or `before` bytes ahead of it do); the expression must match there.
    Token { regex: LazyRegex, before: usize, after: usize },
    /// The keyword is part of a name that is assigned a value; the whole value must match.
    Assigned { value: LazyRegex, qualifiers: Vec<String> },
    /// Every match in a file whose path the rule names.
    File { regex: LazyRegex },
    /// A match on the line of the keyword.
    Line { regex: LazyRegex, in_code: bool, in_comments: bool },
    /// A credential assigned to a name of this class.
    Generic(Class),
    /// A shape with its own code.
    Built(Detector),
}

/// One rule.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) fix: String,
    pub(crate) family: Family,
    pub(crate) severity: Severity,
    pub(crate) confidence: f32,
    pub(crate) cwe: u16,
    pub(crate) keywords: Vec<String>,
    pub(crate) matcher: Matcher,
    /// Bits per character that the secret must reach; 0 asks for nothing.
    pub(crate) entropy: f32,
    pub(crate) checksum: Option<Checksum>,
    /// Only files whose path matches.
    pub(crate) paths: Option<GlobSet>,
    /// Only files with one of these extensions (or whole names); empty means every file.
    pub(crate) files: Vec<String>,
    /// A value that matches one of these is not a finding.
    pub(crate) allow: Vec<LazyRegex>,
    pub(crate) positive: Vec<Example>,
    pub(crate) negative: Vec<Example>,
}

/// A line a rule must, or must not, find.
#[derive(Clone, Debug)]
pub(crate) struct Example {
    /// Text with placeholders such as `<alnum:36>`, so that no rule file holds a token.
    pub(crate) template: String,
    /// The file name it is tried under.
    pub(crate) path: String,
}

/// An expression that is compiled when it is first needed: most scans touch few of the rules.
#[derive(Debug)]
pub(crate) struct LazyRegex {
    pattern: String,
    compiled: OnceLock<Regex>,
}

impl LazyRegex {
    pub(crate) fn new(pattern: impl Into<String>) -> Self {
        Self { pattern: pattern.into(), compiled: OnceLock::new() }
    }

    /// Compiles now, so that a bad expression is refused when its file is loaded.
    pub(crate) fn check(&self) -> Result<(), Box<BuildError>> {
        let regex = compile(&self.pattern)?;
        // A second caller can only have stored the same expression.
        self.compiled.get_or_init(|| regex);
        Ok(())
    }

    pub(crate) fn pattern(&self) -> &str {
        &self.pattern
    }

    pub(crate) fn get(&self) -> &Regex {
        self.compiled.get_or_init(|| {
            compile(&self.pattern).expect("user rules are compiled at load, embedded ones by the tests")
        })
    }
}

/// Byte-oriented, bounded in memory, and linear in the text by construction of the engine.
fn compile(pattern: &str) -> Result<Regex, Box<BuildError>> {
    let config = Regex::config()
        .nfa_size_limit(Some(4 << 20))
        .hybrid_cache_capacity(1 << 20)
        .onepass_size_limit(Some(256 << 10))
        .utf8_empty(false);
    let syntax = syntax::Config::new().unicode(false).utf8(false).multi_line(true);
    Regex::builder().configure(config).syntax(syntax).build(pattern).map_err(Box::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn severities_order_from_harmless_to_incident() {
        assert!(Severity::Low < Severity::Medium && Severity::High < Severity::Critical);
    }

    #[test]
    fn an_expression_that_would_fill_memory_is_refused() {
        assert!(LazyRegex::new(r"(?:[a-z]{1000}){1000}").check().is_err());
        assert!(LazyRegex::new(r"(unclosed").check().is_err());
        assert!(LazyRegex::new(r"^a+$").check().is_ok());
    }
}
