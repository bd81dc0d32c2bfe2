//! Why an answer is what it is.

use std::fmt;

use pipeline::seams::{Obligations, PolicyQuestion};
use serde::Serialize;

use crate::{PolicyRef, compiled::Compiled, rule::Rule, scope};

/// Near misses shown.
const NEAR_MAX: usize = 10;

/// Why a question is answered the way it is.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// The answer.
    pub allowed: bool,
    /// One sentence.
    pub summary: String,
    /// The set that answered.
    pub generation: u64,
    /// The permits that allowed it, or the forbids that stopped it. Empty: nothing matched (default deny).
    pub deciding: Vec<PolicyRef>,
    /// A human must say yes first; why.
    pub approval: Option<String>,
    /// Result fields that will be masked.
    pub redact: Vec<String>,
    /// The class the call counts against.
    pub rate_class: Option<String>,
    /// For a denial without a forbid: permits for this principal that came close.
    pub near: Vec<NearMiss>,
    /// Policies that failed to evaluate.
    pub errors: Vec<String>,
}

/// A permit that would have allowed it, but for one part.
#[derive(Clone, Debug, Serialize)]
pub struct NearMiss {
    /// The permit.
    pub policy: PolicyRef,
    /// The part that did not hold.
    pub missing: Missing,
}

/// The first part of a permit that did not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// Scope and action fit; the `when` or `unless` did not.
    Condition,
    /// It is about another tool or server.
    Resource,
    /// It is about another action.
    Action,
}

impl Missing {
    fn phrase(self) -> &'static str {
        match self {
            Self::Condition => "its condition does not hold",
            Self::Resource => "it is about another resource",
            Self::Action => "it is about another action",
        }
    }
}

pub(crate) fn explain(compiled: &Compiled, question: &PolicyQuestion<'_>) -> Explanation {
    let verdicts = compiled.evaluate(question);
    let Obligations { approval, redact, rate_class } = verdicts.decision.obligations;
    let allowed = verdicts.decision.allowed;
    let near = if allowed || !verdicts.decision.policies.is_empty() {
        Vec::new()
    } else {
        near_misses(&compiled.rules, question)
    };
    let summary = match (allowed, verdicts.decision.policies.as_slice()) {
        (true, _) if approval.is_some() => "allowed once a human approves it".to_owned(),
        (true, _) => "allowed".to_owned(),
        (false, []) => "denied: no policy permits it".to_owned(),
        (false, [core]) if core.starts_with("core:") && verdicts.deciding.is_empty() => {
            format!("denied: the question was refused before any policy was asked ({core})")
        }
        (false, _) => "denied: a policy forbids it".to_owned(),
    };
    Explanation {
        allowed,
        summary,
        generation: compiled.generation,
        deciding: verdicts.deciding.iter().map(|info| PolicyRef::clone(info)).collect(),
        approval,
        redact,
        rate_class,
        near,
        errors: verdicts.errors,
    }
}

fn near_misses(rules: &[Rule], question: &PolicyQuestion<'_>) -> Vec<NearMiss> {
    let mut near: Vec<NearMiss> = rules
        .iter()
        .filter(|rule| !rule.is_forbid())
        .filter(|rule| scope::names_principal(&rule.policy.principal_constraint(), question.principal))
        .map(|rule| NearMiss { policy: PolicyRef::clone(&rule.info), missing: missing(rule, question) })
        .collect();
    near.sort_by(|left, right| (left.missing, &left.policy.id).cmp(&(right.missing, &right.policy.id)));
    near.truncate(NEAR_MAX);
    near
}

fn missing(rule: &Rule, question: &PolicyQuestion<'_>) -> Missing {
    let PolicyQuestion { server, category, tool, .. } = *question;
    if !scope::names_action(&rule.policy.action_constraint(), question.action) {
        Missing::Action
    } else if !scope::names_resource(&rule.policy.resource_constraint(), server, category, tool) {
        Missing::Resource
    } else {
        Missing::Condition
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.summary)?;
        for policy in &self.deciding {
            writeln!(f, "  {} {}", policy.effect, Place(policy))?;
        }
        if let Some(reason) = &self.approval {
            writeln!(f, "  needs approval: {reason}")?;
        }
        if !self.redact.is_empty() {
            writeln!(f, "  masks: {}", self.redact.join(", "))?;
        }
        if let Some(class) = &self.rate_class {
            writeln!(f, "  counts against rate class {class}")?;
        }
        for miss in &self.near {
            writeln!(f, "  close: {}: {}", Place(&miss.policy), miss.missing.phrase())?;
        }
        for error in &self.errors {
            writeln!(f, "  error: {error}")?;
        }
        Ok(())
    }
}

struct Place<'a>(&'a PolicyRef);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PolicyRef { id, file, line, description, .. } = self.0;
        write!(f, "{id} ({file}:{line})")?;
        description.as_ref().map_or(Ok(()), |text| write!(f, ": {text}"))
    }
}
