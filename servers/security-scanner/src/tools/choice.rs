//! What several tools let the caller choose.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::engine::{
    rule::Severity,
    ruleset::{CONFIDENCE_DEFAULT, Wanted},
};

/// What to look for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScanType {
    /// Secrets and patterns.
    All,
    /// Credentials.
    Secrets,
    /// Dangerous code and configuration.
    Patterns,
}

/// The form of the findings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScanFormat {
    /// A list.
    #[default]
    Json,
    /// A SARIF 2.1.0 document.
    Sarif,
}

/// The choices in the engine's words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Choice {
    pub(crate) wanted: Wanted,
    pub(crate) include_ignored: bool,
    pub(crate) min_severity: Severity,
    pub(crate) min_confidence: f32,
}

impl From<ScanType> for Wanted {
    fn from(scan: ScanType) -> Self {
        match scan {
            ScanType::All => Self::All,
            ScanType::Secrets => Self::Secrets,
            ScanType::Patterns => Self::Patterns,
        }
    }
}

impl Choice {
    pub(crate) fn new(scan: ScanType) -> Self {
        Self {
            wanted: scan.into(),
            include_ignored: false,
            min_severity: Severity::Low,
            min_confidence: CONFIDENCE_DEFAULT,
        }
    }
}
