//! The policies that can matter to one server and one action.
//!
//! Cedar looks at every policy it is given, about a microsecond each, so it is given few.

use std::collections::HashMap;

use cedar_policy::PolicySet;
use pipeline::seams::Action;

use crate::{
    Manifest,
    rule::{Facets, Rule},
    scope,
};

/// Some policies, and what an answer from them can depend on.
#[derive(Debug)]
pub(crate) struct Slice {
    pub(crate) set: PolicySet,
    pub(crate) facets: Facets,
}

impl Slice {
    fn of<'a>(rules: impl Iterator<Item = &'a Rule>) -> Self {
        let (mut set, mut facets) = (PolicySet::new(), Facets::default());
        for rule in rules {
            set.add(rule.policy.clone()).expect("ids were checked when the set was loaded");
            facets = facets.or(rule.facets);
        }
        Self { set, facets }
    }
}

/// One slice per action.
type ByAction = [Slice; 3];

/// Every slice of one set.
#[derive(Debug)]
pub(crate) struct Slices {
    by_server: HashMap<String, (String, ByAction)>,
    /// For servers that were not known when the set was loaded.
    everything: ByAction,
}

impl Slices {
    pub(crate) fn new(rules: &[Rule], manifest: &Manifest) -> Self {
        let by_server = manifest.servers.iter().map(|(server, names)| {
            let slices = by_action(rules, |rule| {
                scope::names_server(&rule.policy.resource_constraint(), server, &names.category)
            });
            (server.clone(), (names.category.clone(), slices))
        });
        Self { by_server: by_server.collect(), everything: by_action(rules, |_| true) }
    }

    /// The slice for a question. A server that is unknown, or known under another category, gets them all.
    pub(crate) fn find(&self, server: &str, category: &str, action: Action) -> &Slice {
        match self.by_server.get(server) {
            Some((known, slices)) if known == category => &slices[index(action)],
            _ => &self.everything[index(action)],
        }
    }
}

fn by_action(rules: &[Rule], concerns: impl Fn(&Rule) -> bool) -> ByAction {
    [Action::List, Action::Execute, Action::Read].map(|action| {
        let named = |rule: &&Rule| scope::names_action(&rule.policy.action_constraint(), action);
        Slice::of(rules.iter().filter(named).filter(|rule| concerns(rule)))
    })
}

fn index(action: Action) -> usize {
    match action {
        Action::List => 0,
        Action::Execute => 1,
        Action::Read => 2,
    }
}
