//! What is wrong with a policy folder, and where.

use std::fmt;

use serde::Serialize;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The whole set is refused.
    Error,
    /// The set is loaded; the operator should look.
    Warning,
}

impl Severity {
    /// `error` or `warning`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One mistake, with its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// File name within the policy folder; the folder itself when no file is at fault.
    pub file: String,
    /// From 1; 0 when the file as a whole is meant.
    pub line: usize,
    /// From 1, in characters; 0 when the file as a whole is meant.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to do about it, when that is known.
    pub hint: Option<String>,
}

impl Finding {
    /// An error about a whole file.
    pub(crate) fn file(file: &str, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            file: file.to_owned(),
            line: 0,
            column: 0,
            message: message.into(),
            hint: None,
        }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { severity, file, line, column, message, hint } = self;
        f.write_str(file)?;
        if *line > 0 {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}: {message}", severity.as_str())?;
        if let Some(hint) = hint {
            write!(f, " ({hint})")?;
        }
        Ok(())
    }
}

/// Findings reported at once; whoever mends so many looks again anyway.
const FINDINGS_MAX: usize = 200;

/// Everything that is wrong with a set that was refused, 200 findings at most. Never empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PolicyErrors {
    /// Errors first, each group in the order of file and line.
    pub findings: Vec<Finding>,
}

impl PolicyErrors {
    pub(crate) fn new(mut findings: Vec<Finding>) -> Self {
        tidy(&mut findings);
        findings.truncate(FINDINGS_MAX);
        Self { findings }
    }

    pub(crate) fn one(finding: Finding) -> Self {
        Self { findings: vec![finding] }
    }
}

impl fmt::Display for PolicyErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the policies were refused")?;
        for finding in &self.findings {
            write!(f, "\n  {finding}")?;
        }
        Ok(())
    }
}

impl std::error::Error for PolicyErrors {}

/// What a successful load found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReloadReport {
    /// The generation now in force; 0 for a check that loaded nothing.
    pub generation: u64,
    /// Files read.
    pub files: usize,
    /// Policies in force.
    pub policies: usize,
    /// What the operator should look at.
    pub warnings: Vec<Finding>,
}

/// Sorts, and keeps one of several findings about one place with one cure: the validator tells a mistake
/// once per kind of principal, action and resource it could be asked about.
pub(crate) fn tidy(findings: &mut Vec<Finding>) {
    let place = |it: &Finding| (it.severity, it.file.clone(), it.line, it.column);
    findings.sort_by_cached_key(place);
    findings.dedup_by(|next, kept| {
        place(next) == place(kept)
            && (next.message == kept.message || (next.hint.is_some() && next.hint == kept.hint))
    });
}
