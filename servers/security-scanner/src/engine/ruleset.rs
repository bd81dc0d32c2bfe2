//! All rules of one engine, and the automaton that finds where they might match.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use super::{
    file_scan::FileScan,
    rule::{Example, Family, Matcher, Rule},
    rule_file::{RuleError, parse},
    template::{Dice, fill},
};

/// Our own rules, compiled into the program.
const EMBEDDED: &[(&str, &str)] = &[
    ("rules/built.toml", include_str!("../../rules/built.toml")),
    ("rules/cloud.toml", include_str!("../../rules/cloud.toml")),
    ("rules/code-hosting.toml", include_str!("../../rules/code-hosting.toml")),
    ("rules/communication.toml", include_str!("../../rules/communication.toml")),
    ("rules/payments.toml", include_str!("../../rules/payments.toml")),
    ("rules/ai.toml", include_str!("../../rules/ai.toml")),
    ("rules/observability.toml", include_str!("../../rules/observability.toml")),
    ("rules/saas.toml", include_str!("../../rules/saas.toml")),
    ("rules/files.toml", include_str!("../../rules/files.toml")),
    ("rules/patterns-code.toml", include_str!("../../rules/patterns-code.toml")),
    ("rules/patterns-config.toml", include_str!("../../rules/patterns-config.toml")),
];

/// What a scan looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Wanted {
    Secrets,
    Patterns,
    All,
}

impl Wanted {
    fn takes(self, family: Family) -> bool {
        match self {
            Self::All => true,
            Self::Secrets => family == Family::Secrets,
            Self::Patterns => family == Family::Patterns,
        }
    }
}

/// The rules in a fixed order, with one automaton per kind of scan, built when first used.
#[derive(Debug)]
pub(crate) struct RuleSet {
    pub(crate) rules: Vec<Rule>,
    digest: String,
    filters: [OnceLock<Prefilter>; 3],
}

/// Finds every keyword in one pass.
#[derive(Debug)]
pub(crate) struct Prefilter {
    pub(crate) automaton: AhoCorasick,
    /// The rules behind each keyword.
    pub(crate) rules: Vec<Vec<u16>>,
    /// Rules that look at whole files by path.
    pub(crate) whole: Vec<u16>,
}

impl RuleSet {
    /// The embedded rules and the user's files, as (name, text).
    pub(crate) fn load(user: &[(String, String)]) -> Result<Self, RuleError> {
        let mut rules = Vec::with_capacity(400);
        let mut sources = Vec::new();
        for (file, text) in EMBEDDED {
            rules.extend(parse(file, text, false)?);
            sources.extend_from_slice(text.as_bytes());
        }
        for (file, text) in user {
            for rule in parse(file, text, true)? {
                if rules.iter().any(|it| it.id == rule.id) {
                    let reason = format!("rule `{}` exists already; choose another id", rule.id);
                    return Err(RuleError { file: file.clone(), line: 1, reason });
                }
                rules.push(rule);
            }
            sources.extend_from_slice(text.as_bytes());
        }
        let own = rules.len();
        let set = Self { rules, digest: kernel::digest_hex(&sources), filters: Default::default() };
        if !user.is_empty() {
            set.check_examples(user, own)?;
        }
        Ok(set)
    }

    /// SHA-256 over every rule file.
    pub(crate) fn digest(&self) -> &str {
        &self.digest
    }

    pub(crate) fn prefilter(&self, wanted: Wanted) -> &Prefilter {
        self.filters[wanted as usize].get_or_init(|| Prefilter::of(&self.rules, wanted))
    }

    /// A user's rule that fails its own examples is refused: it would only look like protection.
    fn check_examples(self: &Self, user: &[(String, String)], count: usize) -> Result<(), RuleError> {
        for rule in self.rules.iter().take(count) {
            let Some((file, text)) = user.iter().find(|(_, text)| text.contains(&format!("\"{}\"", rule.id))) else {
                continue;
            };
            if let Some(reason) = self.failed_example(rule) {
                let offset = text.find(&format!("\"{}\"", rule.id)).unwrap_or(0);
                let line = text[..offset].lines().count().max(1);
                return Err(RuleError { file: file.clone(), line, reason });
            }
        }
        Ok(())
    }

    /// The first example of `rule` that does not behave, in words.
    pub(crate) fn failed_example(&self, rule: &Rule) -> Option<String> {
        let finds = |example: &Example| {
            let text = fill(&example.template, &mut Dice::new(11));
            let mut scan = FileScan::new(self, Wanted::All);
            let found = scan.scan(&example.path, text.as_bytes());
            found.iter().any(|hit| self.rules[usize::from(hit.rule)].id == rule.id)
        };
        let missed = rule.positive.iter().find(|it| !finds(it));
        let excess = rule.negative.iter().find(|it| finds(it));
        missed
            .map(|it| format!("rule `{}` does not find its positive example `{}`", rule.id, it.template))
            .or_else(|| excess.map(|it| format!("rule `{}` finds its negative example `{}`", rule.id, it.template)))
    }
}

impl Prefilter {
    fn of(rules: &[Rule], wanted: Wanted) -> Self {
        let mut keywords: BTreeMap<&str, Vec<u16>> = BTreeMap::new();
        let mut whole = Vec::new();
        for (index, rule) in rules.iter().enumerate().filter(|(_, rule)| wanted.takes(rule.family)) {
            let index = u16::try_from(index).expect("rule files bound the number of rules");
            if matches!(rule.matcher, Matcher::File { .. }) {
                whole.push(index);
            }
            for keyword in &rule.keywords {
                keywords.entry(keyword).or_default().push(index);
            }
        }
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::DFA))
            .build(keywords.keys())
            .expect("keywords are short and few");
        Self { automaton, rules: keywords.into_values().collect(), whole }
    }
}

/// The embedded rules, shared by tests and examples.
pub(crate) fn embedded() -> Arc<RuleSet> {
    static SET: OnceLock<Arc<RuleSet>> = OnceLock::new();
    let load = || Arc::new(RuleSet::load(&[]).expect("the tests load the embedded rules"));
    Arc::clone(SET.get_or_init(load))
}
