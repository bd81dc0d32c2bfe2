//! One policy, ready to be asked.

use std::sync::Arc;

use cedar_policy::{Effect, EntityUid, Policy, PrincipalConstraint};
use pipeline::seams::Obligations;
use serde::Serialize;

/// A policy as people refer to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PolicyRef {
    /// From `@id`, else `file#n`.
    pub id: String,
    /// File name within the policy folder.
    pub file: String,
    /// Where it begins, from 1.
    pub line: usize,
    /// `permit` or `forbid`.
    pub effect: &'static str,
    /// From `@description`.
    pub description: Option<String>,
}

/// A parsed and validated policy.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) policy: Policy,
    pub(crate) info: Arc<PolicyRef>,
    /// Duties of a permit; empty on a forbid.
    pub(crate) duties: Obligations,
    pub(crate) facets: Facets,
}

impl Rule {
    pub(crate) fn is_forbid(&self) -> bool {
        self.policy.effect() == Effect::Forbid
    }
}

/// Which parts of a question an answer can depend on. What cannot matter is left out of the memo's key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facets {
    /// More of the principal than its kind and roles.
    pub(crate) principal: bool,
    /// Anything of `context`: door, context id, resources.
    pub(crate) context: bool,
}

impl Facets {
    /// Judged by words, so it may say yes too often, never too seldom: Cedar has no other way to spell
    /// its variables, and each policy has the word `principal` once in its scope.
    pub(crate) fn of(policy: &Policy, text: &str) -> Self {
        let individual = |uid: &EntityUid| uid.type_name().basename() != "Role";
        let scoped = match policy.principal_constraint() {
            PrincipalConstraint::Any | PrincipalConstraint::Is(_) => false,
            PrincipalConstraint::Eq(_) => true,
            PrincipalConstraint::In(uid) | PrincipalConstraint::IsIn(_, uid) => individual(&uid),
        };
        Self { principal: scoped || text.matches("principal").count() > 1, context: text.contains("context") }
    }

    pub(crate) fn or(self, other: Self) -> Self {
        Self { principal: self.principal || other.principal, context: self.context || other.context }
    }
}

/// What the matching permits oblige to: only what every one of them asks for.
///
/// Where two permits word the same duty differently, the one with the smaller id is quoted.
pub(crate) fn common_duties<'a>(permits: impl Iterator<Item = &'a Obligations>) -> Obligations {
    permits
        .cloned()
        .reduce(|kept, next| Obligations {
            approval: next.approval.and(kept.approval),
            redact: kept.redact.into_iter().filter(|field| next.redact.contains(field)).collect(),
            rate_class: next.rate_class.and(kept.rate_class),
        })
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn duties(approval: &str, redact: &[&str], rate_class: &str) -> Obligations {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Obligations {
            approval: some(approval),
            redact: redact.iter().map(|it| (*it).to_owned()).collect(),
            rate_class: some(rate_class),
        }
    }

    #[test]
    fn a_duty_holds_only_when_every_permit_carries_it() {
        let strict = duties("ask", &["token", "password"], "slow");
        let other = duties("ask too", &["password"], "");
        assert_eq!(common_duties([&strict].into_iter()), strict);
        assert_eq!(common_duties([&strict, &other].into_iter()), duties("ask", &["password"], ""));
        assert_eq!(common_duties([&other, &strict].into_iter()), duties("ask too", &["password"], ""));
        assert_eq!(common_duties([&strict, &Obligations::default()].into_iter()), Obligations::default());
        assert_eq!(common_duties([].into_iter()), Obligations::default());
    }

    #[test]
    fn facets_say_what_an_answer_depends_on() {
        let facets = |text: &str| Facets::of(&text.parse().expect("a policy"), text);
        let none = Facets::default();
        assert_eq!(facets(r#"permit(principal in Role::"x", action, resource);"#), none);
        assert_eq!(
            facets("permit(principal is Agent, action, resource) when { resource.effect == \"read\" };"),
            none
        );
        let principal = Facets { principal: true, context: false };
        assert_eq!(facets(r#"permit(principal == User::"x", action, resource);"#), principal);
        assert_eq!(facets(r#"permit(principal is User in User::"x", action, resource);"#), principal);
        assert_eq!(
            facets("permit(principal, action, resource) when { principal.name == \"x\" };"),
            principal
        );
        let context = Facets { principal: false, context: true };
        assert_eq!(facets("permit(principal, action, resource) when { context.door == \"cli\" };"), context);
    }
}
