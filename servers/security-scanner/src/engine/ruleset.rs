//! All rules of one engine, and the automaton that finds where they might match.

use std::{collections::BTreeMap, sync::OnceLock};

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use super::{
    file_scan::{FileScan, Hit},
    rule::{Detector, Example, Family, Matcher, Rule},
    rule_file::{RuleError, parse, place_of},
    template::{Dice, fill},
};

/// Below this a hit is more likely noise; what callers get unless they say otherwise.
pub(crate) const CONFIDENCE_DEFAULT: f32 = 0.4;

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
    ("rules/agents.toml", include_str!("../../rules/agents.toml")),
    ("rules/behaviour.toml", include_str!("../../rules/behaviour.toml")),
    ("rules/patterns-code.toml", include_str!("../../rules/patterns-code.toml")),
    ("rules/patterns-config.toml", include_str!("../../rules/patterns-config.toml")),
];

/// What a scan looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Wanted {
    Secrets,
    Patterns,
    All,
    /// Tokens that their form alone gives away: what can be told in a file that is no text.
    Tokens,
}

impl Wanted {
    fn takes(self, rule: &Rule) -> bool {
        match self {
            Self::All => true,
            Self::Secrets => rule.family == Family::Secrets,
            Self::Patterns => rule.family == Family::Patterns,
            Self::Tokens => match rule.matcher {
                Matcher::Token { before: 0, .. } => rule.confidence >= 0.9 && rule.files.is_empty(),
                Matcher::Built(detector) => matches!(detector, Detector::PrivateKey | Detector::Jwt),
                _ => false,
            },
        }
    }
}

/// The rules in a fixed order, with one automaton per kind of scan, built when first used.
#[derive(Debug)]
pub(crate) struct RuleSet {
    pub(crate) rules: Vec<Rule>,
    digest: String,
    filters: [OnceLock<Prefilter>; 4],
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
        let own = rules.len();
        for (file, text) in user {
            for rule in parse(file, text, true)? {
                if rules.iter().any(|it| it.id == rule.id) {
                    let reason = format!("rule `{}` exists already; choose another id", rule.id);
                    return Err(RuleError::at(file, text, place_of_rule(text, &rule.id, "id"), reason));
                }
                rules.push(rule);
            }
            sources.extend_from_slice(text.as_bytes());
        }
        let set = Self { rules, digest: kernel::digest_hex(&sources), filters: Default::default() };
        set.check_examples(user, own)?;
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
    fn check_examples(&self, user: &[(String, String)], own: usize) -> Result<(), RuleError> {
        for rule in &self.rules[own..] {
            let Some((key, reason)) = self.failed_example(rule) else { continue };
            let quoted = format!("\"{}\"", rule.id);
            let home = user.iter().find(|(_, text)| text.contains(&quoted)).or(user.first());
            let (file, text) = home.map_or(("", ""), |(file, text)| (file.as_str(), text.as_str()));
            return Err(RuleError::at(file, text, place_of_rule(text, &rule.id, key), reason));
        }
        Ok(())
    }

    /// The first example of `rule` that does not behave, in words, and the key it stands under.
    pub(crate) fn failed_example(&self, rule: &Rule) -> Option<(&'static str, String)> {
        let finds = |example: &Example| {
            let text = fill(&example.template, &mut Dice::new(11));
            let mut scan = FileScan::new(self, Wanted::All);
            let found = scan.scan(&example.path, text.as_bytes());
            let is_it = |hit: &Hit| {
                hit.confidence >= CONFIDENCE_DEFAULT && self.rules[usize::from(hit.rule)].id == rule.id
            };
            found.iter().any(is_it)
        };
        let said = |verb: &str, it: &Example| format!("rule `{}` {verb} example `{}`", rule.id, it.template);
        let missed = rule.positive.iter().find(|it| !finds(it));
        let excess = rule.negative.iter().find(|it| finds(it));
        missed
            .map(|it| ("positive", said("does not find its positive", it)))
            .or_else(|| excess.map(|it| ("negative", said("finds its negative", it))))
    }
}

/// Where `key` of the rule called `id` stands in `text`.
fn place_of_rule(text: &str, id: &str, key: &str) -> usize {
    let name = text.find(&format!("\"{id}\"")).unwrap_or_default();
    let start = text[..name].rfind("[[rule").unwrap_or_default();
    place_of(text, start, key)
}

impl Prefilter {
    fn of(rules: &[Rule], wanted: Wanted) -> Self {
        let mut keywords: BTreeMap<&str, Vec<u16>> = BTreeMap::new();
        let mut whole = Vec::new();
        for (index, rule) in rules.iter().enumerate().filter(|(_, rule)| wanted.takes(rule)) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_embedded_rule_compiles_and_passes_its_own_examples() {
        for (file, text) in EMBEDDED {
            parse(file, text, true).unwrap_or_else(|error| panic!("{error}"));
        }
        let set = RuleSet::load(&[]).unwrap();
        let failed: Vec<String> =
            set.rules.iter().filter_map(|rule| Some(set.failed_example(rule)?.1)).collect();
        assert!(failed.is_empty(), "{}", failed.join("\n"));
    }

    #[test]
    fn ids_are_unique_and_the_set_is_broad() {
        let set = RuleSet::load(&[]).unwrap();
        let ids: std::collections::HashSet<_> = set.rules.iter().map(|it| it.id.as_str()).collect();
        assert_eq!(ids.len(), set.rules.len());
        let of = |family| set.rules.iter().filter(|it| it.family == family).count();
        assert!(of(Family::Secrets) >= 240 && of(Family::Patterns) >= 80);
    }

    #[test]
    fn a_user_rule_that_fails_its_own_example_is_refused() {
        let rule = "[[rule]]\nid = \"acme-key\"\ntitle = \"t\"\ndescription = \"d\"\nkind = \"token\"\n\
            severity = \"high\"\nconfidence = 0.9\ncwe = 798\nkeywords = [\"acme_\"]\nregex = 'acme_[a-z]{8}'\n\
            positive = [\"acme_<lower:8>\"]\n";
        let load = |text: &str| RuleSet::load(&[("mine.toml".into(), text.into())]).map(|it| it.rules.len());
        assert!(load(rule).is_ok());
        let refused = load(&rule.replace("acme_<lower:8>", "acme_<lower:3>")).unwrap_err();
        assert_eq!((refused.file.as_str(), refused.line, refused.column), ("mine.toml", 11, 1));
        assert!(refused.reason.contains("positive example"), "{refused}");
        let refused = load(&rule.replace("acme-key", "github-pat")).unwrap_err();
        assert!(refused.reason.contains("exists already"), "{refused}");
        assert_eq!((refused.line, refused.column), (2, 1));
    }
}
