//! The machine-checkable rules of `docs/specs/server.md`. Each check cites its rule's number.

mod budget;
mod config;
mod decode;
mod names;
mod schema;

use std::fmt;

use kernel::{Server, ServerEntry};
use serde_json::{Value, json};

/// One broken rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Number of the rule in `docs/specs/server.md`, for example `N2`.
    pub rule: &'static str,
    /// Where: a tool, a tool's field, or the server itself.
    pub place: String,
    /// What is wrong, in one sentence.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.rule, self.place, self.what)
    }
}

/// What the checks write into.
#[derive(Default)]
pub(crate) struct Findings(Vec<Violation>);

impl Findings {
    /// Records a broken rule unless `holds`.
    pub(crate) fn must(&mut self, holds: bool, rule: &'static str, place: &str, what: impl Into<String>) {
        if !holds {
            self.0.push(Violation { rule, place: place.to_owned(), what: what.into() });
        }
    }

    pub(crate) fn broken(self) -> Vec<Violation> {
        self.0
    }
}

/// Fails with every broken rule of `docs/specs/server.md` that a machine can see.
///
/// The server is connected with an empty config section. It works inside and outside of an async test.
#[track_caller]
pub fn conformance<S: Server>() {
    conformance_with::<S>(json!({}));
}

/// The same, for a server that keeps the rules only with some keys of its config section set.
#[track_caller]
pub fn conformance_with<S: Server>(config: Value) {
    let broken = violations(&ServerEntry::of::<S>(), config);
    let lines: Vec<String> = broken.iter().map(ToString::to_string).collect();
    assert!(
        broken.is_empty(),
        "`{}` breaks {} rules of docs/specs/server.md:\n  {}",
        S::FACTS.name,
        broken.len(),
        lines.join("\n  ")
    );
}

/// Every broken rule of one server, in the order of the rules.
pub fn violations(entry: &ServerEntry, config: Value) -> Vec<Violation> {
    let mut findings = Findings::default();
    let specs = (entry.specs)();
    names::check(&entry.facts, &specs, &mut findings);
    for spec in &specs {
        schema::check(spec, &mut findings);
    }
    budget::check(entry.facts.name, &specs, &mut findings);
    findings.must(
        same_listing(&specs, &(entry.specs)()),
        "T2",
        entry.facts.name,
        "two listings differ: tools() must not depend on anything",
    );
    config::check(entry, &config, &mut findings);
    decode::check(entry, config, &specs, &mut findings);
    findings.broken()
}

fn same_listing(left: &[kernel::ToolSpec], right: &[kernel::ToolSpec]) -> bool {
    serde_json::to_value(left).ok() == serde_json::to_value(right).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EchoServer;

    #[test]
    fn the_fixture_keeps_every_rule() {
        conformance::<EchoServer>();
    }

    #[tokio::test]
    async fn the_suite_runs_inside_an_async_test() {
        conformance::<EchoServer>();
    }

    #[test]
    fn every_rule_in_the_code_stands_in_the_spec() {
        let spec = include_str!("../../../docs/specs/server.md");
        let sources = [
            include_str!("conformance.rs"),
            include_str!("conformance/names.rs"),
            include_str!("conformance/schema.rs"),
            include_str!("conformance/budget.rs"),
            include_str!("conformance/config.rs"),
            include_str!("conformance/decode.rs"),
        ];
        let mut cited = 0;
        for source in sources {
            let code = source.split("#[cfg(test)]").next().expect("a split yields one part");
            for rule in code.split('"').filter(|it| is_rule_number(it)) {
                assert!(spec.contains(&format!("**{rule}**")), "rule {rule} is not in docs/specs/server.md");
                cited += 1;
            }
        }
        assert!(cited > 20, "only {cited} rules were found in the sources");
    }

    fn is_rule_number(text: &str) -> bool {
        let mut letters = text.chars();
        matches!(letters.next(), Some('A'..='Z'))
            && matches!(text.len(), 2 | 3)
            && letters.all(|it| it.is_ascii_digit())
    }
}
