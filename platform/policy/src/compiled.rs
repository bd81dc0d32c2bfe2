//! One set of policies in force, and how it answers.

use std::{collections::HashMap, sync::Arc};

use cedar_policy::{Authorizer, Decision as Verdict, PolicyId};
use pipeline::seams::{Decision, Obligations, PolicyQuestion};

use crate::{
    Manifest, PolicyRef,
    ask::{self, Unaskable},
    load::Loaded,
    memo::{Key, Memo},
    rule::{Rule, common_duties},
    slice::Slices,
};

/// A set in force. Never changes; a reload replaces it whole.
pub(crate) struct Compiled {
    pub(crate) rules: Vec<Rule>,
    pub(crate) generation: u64,
    /// Of the files it was made from.
    pub(crate) digest: String,
    by_id: HashMap<String, usize>,
    slices: Slices,
    memo: Memo,
    authorizer: Authorizer,
}

/// An answer with everything there is to say about it.
#[derive(Debug)]
pub(crate) struct Verdicts {
    pub(crate) decision: Decision,
    /// The policies that decided, by id.
    pub(crate) deciding: Vec<Arc<PolicyRef>>,
    /// Policies that failed to evaluate.
    pub(crate) errors: Vec<String>,
}

impl Compiled {
    pub(crate) fn new(loaded: Loaded, manifest: &Manifest, generation: u64, digest: String) -> Self {
        let rules = loaded.rules;
        Self {
            by_id: rules.iter().enumerate().map(|(at, rule)| (rule.info.id.clone(), at)).collect(),
            slices: Slices::new(&rules, manifest),
            memo: Memo::new(),
            authorizer: Authorizer::new(),
            rules,
            generation,
            digest,
        }
    }

    /// Answers, from memory if the same was asked before.
    pub(crate) fn decide(&self, question: &PolicyQuestion<'_>) -> Arc<Decision> {
        if let Err(reason) = ask::vet(question) {
            return Arc::new(refused(reason).decision);
        }
        let slice = self.slices.find(question.server, question.category, question.action);
        let key = Key::of(question, slice.facets);
        self.memo.get(&key).unwrap_or_else(|| self.memo.put(key, self.evaluate(question).decision))
    }

    /// Answers by asking Cedar.
    pub(crate) fn evaluate(&self, question: &PolicyQuestion<'_>) -> Verdicts {
        let slice = self.slices.find(question.server, question.category, question.action);
        let built = ask::vet(question).and_then(|()| ask::build(question, slice.facets));
        let (request, entities) = match built {
            Ok(built) => built,
            Err(reason) => return refused(reason),
        };
        let response = self.authorizer.is_authorized(&request, &slice.set, &entities);
        let mut deciding: Vec<&Rule> =
            response.diagnostics().reason().filter_map(|id| self.rule(id)).collect();
        deciding.sort_by(|left, right| left.info.id.cmp(&right.info.id));
        let mut errors = Vec::new();
        let mut broken_forbids = Vec::new();
        for error in response.diagnostics().errors() {
            let cedar_policy::AuthorizationError::PolicyEvaluationError(inner) = error;
            errors.push(error.to_string());
            broken_forbids.extend(self.rule(inner.policy_id()).filter(|rule| rule.is_forbid()));
        }
        // Cedar skips a policy that fails to evaluate. A forbid that cannot be evaluated must still forbid.
        let allowed = response.decision() == Verdict::Allow && broken_forbids.is_empty();
        if !broken_forbids.is_empty() && response.decision() == Verdict::Allow {
            deciding = broken_forbids;
        }
        let obligations = if allowed {
            common_duties(deciding.iter().map(|rule| &rule.duties))
        } else {
            Obligations::default()
        };
        let policies = deciding.iter().map(|rule| rule.info.id.clone()).collect();
        Verdicts {
            decision: Decision { allowed, policies, obligations },
            deciding: deciding.iter().map(|rule| Arc::clone(&rule.info)).collect(),
            errors,
        }
    }

    fn rule(&self, id: &PolicyId) -> Option<&Rule> {
        self.by_id.get::<str>(id.as_ref()).map(|at| &self.rules[*at])
    }
}

fn refused(reason: Unaskable) -> Verdicts {
    let decision = Decision {
        allowed: false,
        policies: vec![reason.id().to_owned()],
        obligations: Obligations::default(),
    };
    Verdicts { decision, deciding: Vec::new(), errors: Vec::new() }
}
