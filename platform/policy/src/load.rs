//! Texts to rules. Every mistake of every file is reported at once.

use std::{collections::HashMap, panic::resume_unwind, sync::Arc, thread};

use cedar_policy::{Effect, Policy, PolicyId, PolicySet, ValidationMode, Validator, ffi::DetailedError};
use pipeline::seams::Obligations;

use crate::{
    Finding, Manifest, PolicyErrors, PolicyRef, Severity, finding,
    folder::SourceFile,
    lint,
    rule::{Facets, Rule},
    schema::schema,
    statement::{Statement, excess, position, statements},
};

/// Policies one set may hold.
const POLICIES_MAX: usize = 5000;
/// Enough for the most nested policy that [`excess`] lets through, in a build without optimisation.
const STACK_BYTES: usize = 64 * 1024 * 1024;
/// Longest id in bytes.
const ID_BYTES_MAX: usize = 128;

/// A set that may be put in force.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// In the order of ids.
    pub(crate) rules: Vec<Rule>,
    pub(crate) warnings: Vec<Finding>,
}

/// A rule with the text it came from.
pub(crate) struct Parsed<'a> {
    pub(crate) rule: Rule,
    pub(crate) source: &'a SourceFile,
    pub(crate) statement: Statement<'a>,
}

impl Parsed<'_> {
    /// A finding `offset` bytes into this policy.
    pub(crate) fn finding(&self, severity: Severity, offset: usize, message: impl Into<String>) -> Finding {
        place(self.source, self.statement.start + offset, severity, message.into())
    }
}

/// Parses, lints and validates; a set with a single error is refused whole.
///
/// Cedar's parser and validator recurse into what they read, so they work on a stack of their own.
pub(crate) fn load(sources: &[SourceFile], manifest: &Manifest) -> Result<Loaded, PolicyErrors> {
    thread::scope(|scope| {
        let builder = thread::Builder::new().name("policy-load".into()).stack_size(STACK_BYTES);
        match builder.spawn_scoped(scope, || load_here(sources, manifest)) {
            Ok(loading) => loading.join().unwrap_or_else(|panic| resume_unwind(panic)),
            Err(error) => {
                Err(PolicyErrors::one(Finding::file("policies", format!("no thread to load in: {error}"))))
            }
        }
    })
}

fn load_here(sources: &[SourceFile], manifest: &Manifest) -> Result<Loaded, PolicyErrors> {
    let (mut parsed, mut findings) = (Vec::new(), Vec::new());
    let mut count = 0;
    for source in sources {
        count += statements(&source.text).len();
        if count > POLICIES_MAX {
            let message = format!("there are more than {POLICIES_MAX} policies");
            return Err(PolicyErrors::one(Finding::file(&source.name, message)));
        }
        parse_file(source, &mut parsed, &mut findings);
    }
    refuse_duplicates(&parsed, &mut findings);
    for policy in &parsed {
        lint::annotations(policy, &mut findings);
        lint::names(policy, manifest, &mut findings);
    }
    validate(&parsed, &mut findings);
    if findings.iter().any(|it| it.severity == Severity::Error) {
        return Err(PolicyErrors::new(findings));
    }
    finding::tidy(&mut findings);
    let mut rules: Vec<Rule> = parsed.into_iter().map(|it| it.rule).collect();
    rules.sort_by(|left, right| left.info.id.cmp(&right.info.id));
    Ok(Loaded { rules, warnings: findings })
}

fn parse_file<'a>(source: &'a SourceFile, parsed: &mut Vec<Parsed<'a>>, findings: &mut Vec<Finding>) {
    let stem = source.name.strip_suffix(".cedar").unwrap_or(&source.name);
    for (index, statement) in statements(&source.text).into_iter().enumerate() {
        let fallback = format!("{stem}#{}", index + 1);
        if let Some((offset, message)) = excess(statement) {
            findings.push(place(source, statement.start + offset, Severity::Error, message));
            continue;
        }
        match Policy::parse(Some(PolicyId::new(&fallback)), statement.text) {
            Ok(policy) => {
                parsed.push(Parsed { rule: rule(policy, fallback, source, statement), source, statement })
            }
            Err(errors) => findings.extend(errors.iter().map(|error| {
                let detail = DetailedError::from(error);
                explain(detail, source, statement, Severity::Error)
            })),
        }
    }
}

fn rule(policy: Policy, fallback: String, source: &SourceFile, statement: Statement<'_>) -> Rule {
    let note = |key: &str| policy.annotation(key).map(str::to_owned);
    let id = note("id").filter(|id| !id.is_empty()).unwrap_or(fallback);
    let is_permit = policy.effect() == Effect::Permit;
    let info = PolicyRef {
        file: source.name.clone(),
        line: position(&source.text, statement.start).0,
        effect: if is_permit { "permit" } else { "forbid" },
        description: note("description").filter(|text| !text.is_empty()),
        id,
    };
    let approval = note("approval")
        .map(|text| if text.is_empty() { format!("policy `{}` asks for approval", info.id) } else { text });
    let redact = note("redact").unwrap_or_default();
    let redact = redact.split(',').map(str::trim).filter(|it| !it.is_empty()).map(str::to_owned).collect();
    let duties = Obligations { approval, redact, rate_class: note("rate_class") };
    Rule {
        policy: policy.new_id(PolicyId::new(&info.id)),
        duties: if is_permit { duties } else { Obligations::default() },
        facets: Facets::of(&policy, statement.text),
        info: Arc::new(info),
    }
}

fn refuse_duplicates(parsed: &[Parsed<'_>], findings: &mut Vec<Finding>) {
    let mut seen: HashMap<&str, &PolicyRef> = HashMap::new();
    for policy in parsed {
        let info = policy.rule.info.as_ref();
        if info.id.len() > ID_BYTES_MAX || info.id.chars().any(char::is_control) {
            let rule = format!("an @id is at most {ID_BYTES_MAX} bytes long and has no control characters");
            findings.push(policy.finding(Severity::Error, 0, rule));
        }
        if let Some(first) = seen.insert(&info.id, info) {
            let message = format!("the id `{}` is used twice", printable(&info.id));
            let place = format!("the other one is at {}:{}", first.file, first.line);
            findings.push(policy.finding(Severity::Error, 0, message).hint(place));
        }
    }
}

fn validate(parsed: &[Parsed<'_>], findings: &mut Vec<Finding>) {
    let by_id: HashMap<&str, &Parsed<'_>> = parsed.iter().map(|it| (it.rule.info.id.as_str(), it)).collect();
    let policies = by_id.values().map(|it| it.rule.policy.clone());
    let set = PolicySet::from_policies(policies).expect("the ids of a map are different");
    let result = Validator::new(schema()).validate(&set, ValidationMode::Strict);
    let mut add = |id: &PolicyId, mut detail: DetailedError, severity: Severity| {
        // The finding has a place; the id in front of every message would only repeat it.
        if let Some(message) = detail.message.strip_prefix(&format!("for policy `{id}`, ")) {
            detail.message = message.to_owned();
        }
        if let Some(policy) = by_id.get::<str>(id.as_ref()) {
            findings.push(explain(detail, policy.source, policy.statement, severity));
        }
    };
    for error in result.validation_errors() {
        add(error.policy_id(), DetailedError::from(error), Severity::Error);
    }
    for warning in result.validation_warnings() {
        add(warning.policy_id(), DetailedError::from(warning), Severity::Warning);
    }
}

fn explain(
    detail: DetailedError,
    source: &SourceFile,
    statement: Statement<'_>,
    severity: Severity,
) -> Finding {
    let label = detail.source_locations.first();
    let offset = label.map_or(0, |it| it.loc.start.min(statement.text.len()));
    let mut message = detail.message;
    if let Some(text) = label.and_then(|it| it.label.as_deref()) {
        message = format!("{message}: {text}");
    }
    let found = place(source, statement.start + offset, severity, message.replace('\n', " "));
    Finding { hint: detail.help.map(|help| help.replace('\n', " ")), ..found }
}

fn place(source: &SourceFile, offset: usize, severity: Severity, message: String) -> Finding {
    let (line, column) = position(&source.text, offset);
    Finding { severity, file: source.name.clone(), line, column, message, hint: None }
}

fn printable(id: &str) -> String {
    id.chars().filter(|it| !it.is_control()).take(ID_BYTES_MAX).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PIECES: &[&str] = &[
        "permit (principal, action, resource);",
        "forbid (principal, action, resource) when { \"a;b\" == \"c\" };",
        "permit (principal, action, resource) when { \"\\\"; //\" == \"\" }; // done; really\n",
        "@note(\"//;\") permit (principal, action, resource);",
        "permit (principal, // one; two\n action, resource);",
        "// only a comment; with a \"\n",
        "// ends at a bare return\r",
        "permit (principal, action, resource)",
        "\n",
        "\t\u{a0}",
        ";",
        "\"",
        "\\",
        "/",
        "/*",
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        /// Cut and parsed one by one, a file holds the same policies as parsed by Cedar in one go.
        #[test]
        fn no_policy_is_lost_or_made_up_by_cutting(picks in prop::collection::vec(0..PIECES.len(), 0..7)) {
            let text: String = picks.into_iter().map(|at| PIECES[at]).collect();
            let whole = text.parse::<PolicySet>();
            let source = SourceFile { name: "x.cedar".to_owned(), text };
            let (mut parsed, mut findings) = (Vec::new(), Vec::new());
            parse_file(&source, &mut parsed, &mut findings);
            match whole {
                Ok(set) => {
                    prop_assert!(findings.is_empty(), "{:?}: {findings:?}", source.text);
                    prop_assert_eq!(parsed.len(), set.policies().count(), "{:?}", source.text);
                    let forbids = |effect: Effect| effect == Effect::Forbid;
                    prop_assert_eq!(
                        parsed.iter().filter(|it| it.rule.is_forbid()).count(),
                        set.policies().filter(|it| forbids(it.effect())).count()
                    );
                }
                Err(_) => prop_assert!(!findings.is_empty(), "{:?}", source.text),
            }
        }
    }
}
