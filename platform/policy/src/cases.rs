//! Table tests for policies: `*.test.toml` files next to them.

use std::{fmt, path::Path};

use kernel::{Effect, Principal, PrincipalKind, Resource};
use pipeline::seams::{Action, PolicyQuestion};
use serde::{Deserialize, Serialize};

use crate::{Finding, Manifest, PolicyErrors, PolicyRef, engine, folder};

/// Cases one folder may hold.
const CASES_MAX: usize = 10_000;

/// Why the tests could not run at all.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct CaseError(#[from] PolicyErrors);

/// How the tests went.
#[derive(Clone, Debug, Default, Serialize)]
pub struct CaseReport {
    /// Cases that were run.
    pub cases: usize,
    /// The ones that did not come out as expected.
    pub failures: Vec<CaseFailure>,
}

/// A case that did not come out as expected.
#[derive(Clone, Debug, Serialize)]
pub struct CaseFailure {
    /// Which file.
    pub file: String,
    /// The case's name, else its number from 1.
    pub case: String,
    /// What it expected.
    pub expected: String,
    /// What came out.
    pub got: String,
    /// The policies that decided.
    pub deciding: Vec<PolicyRef>,
}

impl fmt::Display for CaseFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: expected {}, got {}", self.file, self.case, self.expected, self.got)
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(default)]
    case: Vec<Case>,
}

/// One row. `tool` (`server.tool`) or `server` says what is asked about.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: Option<String>,
    /// `user:alice`, `agent:ci-bot` or `service:cron`; without a kind a user is meant.
    #[serde(default = "somebody")]
    principal: String,
    #[serde(default)]
    roles: Vec<String>,
    #[serde(default = "execute")]
    action: Action,
    tool: Option<String>,
    server: Option<String>,
    /// Needed only for tools and servers that are not mounted.
    effect: Option<String>,
    category: Option<String>,
    #[serde(default = "http")]
    door: String,
    context: Option<String>,
    #[serde(default)]
    resources: Vec<Resource>,
    expect: Expected,
    /// The id of a policy that must be among the deciding ones.
    policy: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Expected {
    Allow,
    Approval,
    Deny,
}

fn somebody() -> String {
    "user:somebody".to_owned()
}

fn execute() -> Action {
    Action::Execute
}

fn http() -> String {
    "http".to_owned()
}

/// Runs every `*.test.toml` of `dir` against the policies of `dir`, loaded fresh.
pub fn run_cases(dir: &Path, manifest: &Manifest) -> Result<CaseReport, CaseError> {
    let compiled = engine::compile(&folder::read(dir, ".cedar")?, manifest, 0)?.0;
    let mut report = CaseReport::default();
    for source in folder::read(dir, ".test.toml")? {
        let table: Table = toml::from_str(&source.text).map_err(|error| broken(&source, &error))?;
        for (index, case) in table.case.iter().enumerate() {
            if report.cases >= CASES_MAX {
                let message = format!("there are more than {CASES_MAX} cases");
                return Err(PolicyErrors::one(Finding::file(&source.name, message)).into());
            }
            report.cases += 1;
            let label = case.name.clone().unwrap_or_else(|| format!("case {}", index + 1));
            if let Err((got, deciding)) = case.run(&compiled, manifest) {
                let expected = case.expected();
                report.failures.push(CaseFailure {
                    file: source.name.clone(),
                    case: label,
                    expected,
                    got,
                    deciding,
                });
            }
        }
    }
    Ok(report)
}

fn broken(source: &folder::SourceFile, error: &toml::de::Error) -> PolicyErrors {
    let offset = error.span().map_or(0, |span| span.start);
    let (line, column) = crate::statement::position(&source.text, offset);
    PolicyErrors::one(Finding { line, column, ..Finding::file(&source.name, error.message()) })
}

/// What came out instead, and the policies that decided.
type Surprise = (String, Vec<PolicyRef>);

impl Case {
    fn expected(&self) -> String {
        let word = format!("{:?}", self.expect).to_lowercase();
        self.policy.as_ref().map_or(word.clone(), |policy| format!("{word} by `{policy}`"))
    }

    fn run(&self, compiled: &crate::compiled::Compiled, manifest: &Manifest) -> Result<(), Surprise> {
        let wrong = |text: String| (text, Vec::new());
        let principal = self.principal().map_err(wrong)?;
        let target = self.target(manifest).map_err(wrong)?;
        let question = PolicyQuestion {
            principal: &principal,
            action: self.action,
            server: &target.server,
            category: &target.category,
            tool: target.tool.as_deref(),
            effect: target.effect,
            resources: &self.resources,
            door: &self.door,
            context: self.context.as_deref(),
        };
        let verdicts = compiled.evaluate(&question);
        let got = match (verdicts.decision.allowed, &verdicts.decision.obligations.approval) {
            (false, _) => Expected::Deny,
            (true, None) => Expected::Allow,
            (true, Some(_)) => Expected::Approval,
        };
        let named = self.policy.as_ref().is_none_or(|id| verdicts.decision.policies.contains(id));
        if got == self.expect && named {
            return Ok(());
        }
        let by = verdicts.decision.policies.join("`, `");
        let by = if by.is_empty() { " by no policy".to_owned() } else { format!(" by `{by}`") };
        let word = format!("{got:?}").to_lowercase();
        Err((word + &by, verdicts.deciding.iter().map(|it| PolicyRef::clone(it)).collect()))
    }

    fn principal(&self) -> Result<Principal, String> {
        let (kind, id) = self.principal.split_once(':').unwrap_or(("user", &self.principal));
        let kind = match kind {
            "user" => PrincipalKind::User,
            "agent" => PrincipalKind::Agent,
            "service" => PrincipalKind::Service,
            other => return Err(format!("a broken case: `{other}` is none of user, agent, service")),
        };
        let mut roles = self.roles.clone();
        roles.sort();
        Ok(Principal { id: id.to_owned(), kind, roles, token_id: None })
    }

    fn target(&self, manifest: &Manifest) -> Result<Target, String> {
        let (server, tool) = match (&self.tool, &self.server) {
            (Some(tool), None) => tool.split_once('.').map(|(server, tool)| (server, Some(tool))),
            (None, Some(server)) => Some((server.as_str(), None)),
            _ => None,
        }
        .ok_or("a broken case: it needs either tool = \"server.tool\" or server = \"name\"")?;
        let names = manifest.servers.get(server);
        let known = names.and_then(|it| it.tools.get(tool?)).copied();
        let stated = match self.effect.as_deref() {
            None => None,
            Some("read") => Some(Effect::Read),
            Some("write") => Some(Effect::Write { idempotent: false }),
            Some("destroy") => Some(Effect::Destroy { idempotent: false }),
            Some(other) => return Err(format!("a broken case: `{other}` is none of read, write, destroy")),
        };
        if tool.is_some() && stated.or(known).is_none() {
            return Err(
                "a broken case: the tool is not mounted, so the case must state its effect".to_owned()
            );
        }
        let category = self.category.clone().or_else(|| names.map(|it| it.category.clone()));
        Ok(Target {
            server: server.to_owned(),
            tool: tool.map(str::to_owned),
            effect: stated.or(known),
            category: category
                .ok_or("a broken case: the server is not mounted, so the case must state its category")?,
        })
    }
}

struct Target {
    server: String,
    category: String,
    tool: Option<String>,
    effect: Option<Effect>,
}
