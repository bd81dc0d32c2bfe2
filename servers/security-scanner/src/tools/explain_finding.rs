use kernel::{Caching, CallContext, Effect, Meta, Resource, Tool, ToolError, Trust};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    SecurityScanner, Severity,
    engine::rule::{Family, Matcher},
    error::ScanError,
};

/// Says what a rule looks for, why it matters, how to mend it and how to allow one place.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExplainFinding {
    /// `rule` of a finding.
    #[schemars(length(min = 1, max = 64))]
    rule: String,
}

/// One rule in full.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Explanation {
    id: String,
    title: String,
    family: Family,
    severity: Severity,
    /// Before the value itself was looked at.
    base_confidence: f64,
    cwe: String,
    meaning: String,
    fix: String,
    /// How it decides.
    method: String,
    keywords: Vec<String>,
    /// The comment that lets one place pass.
    allow_comment: String,
}

impl Tool for ExplainFinding {
    type Server = SecurityScanner;
    type Output = Explanation;

    const META: Meta = Meta {
        name: "explain_finding",
        title: "Explain a finding's rule",
        effect: Effect::Read,
        caching: Caching::Never,
        trust: Trust::Own,
    };

    fn resources(&self) -> Vec<Resource> {
        Vec::new()
    }

    async fn call(self, server: &SecurityScanner, _cx: &CallContext) -> Result<Explanation, ToolError> {
        let rule = (server.rules.rules.iter())
            .find(|it| it.id == self.rule)
            .ok_or_else(|| ScanError::UnknownRule(self.rule.chars().take(64).collect()))?;
        let method = match &rule.matcher {
            Matcher::Token { regex, .. } => format!("text of this form at a keyword: {}", regex.pattern()),
            Matcher::Assigned { value, .. } => {
                format!("a name that holds a keyword is given a value of this form: {}", value.pattern())
            }
            Matcher::File { regex } => {
                format!("in files of certain names, text of this form: {}", regex.pattern())
            }
            Matcher::Line { regex, .. } => {
                format!("a line of this form outside comments: {}", regex.pattern())
            }
            Matcher::Generic(_) => {
                "a name that promises a credential is given a value that looks like one".into()
            }
            Matcher::Built(_) => "the structure is parsed and checked".into(),
        };
        Ok(Explanation {
            id: rule.id.clone(),
            title: rule.title.clone(),
            family: rule.family,
            severity: rule.severity,
            base_confidence: (f64::from(rule.confidence) * 100.0).round() / 100.0,
            cwe: format!("CWE-{}", rule.cwe),
            meaning: rule.description.clone(),
            fix: rule.fix.clone(),
            method,
            keywords: rule.keywords.clone(),
            allow_comment: format!("core-mcp:allow {} <reason>", rule.id),
        })
    }
}
