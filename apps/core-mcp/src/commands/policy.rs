//! `core-mcp policy`.

use clap::{Args, Subcommand, ValueEnum};
use kernel::{Effect, Principal, PrincipalKind, Resource};
use pipeline::{
    Mount,
    seams::{Action, PolicyQuestion},
};
use serde_json::json;

use crate::{
    app::App,
    failure::Failure,
    output::{Output, Table, plain},
    platform::Local,
};

/// Check, explain and test the policies
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  core-mcp policy check\n  \
    core-mcp policy explain --principal alice --tool desktop-commander.write_file --resource file:/srv/main.rs\n  \
    core-mcp policy explain --role viewer --tool security-scanner.file_security_scan\n  \
    core-mcp policy explain --role viewer --tool security-scanner --action read\n  core-mcp policy test\n\n\
    A running server picks up changed policies within two seconds; a set with errors is refused and the old one stays.")]
pub(crate) struct Policy {
    #[command(subcommand)]
    action: PolicyAction,
}

#[derive(Debug, Subcommand)]
enum PolicyAction {
    /// Parse, lint and validate every policy
    Check,
    /// Say whether a call would be allowed, and by which policy
    Explain(Explain),
    /// Run the *.test.toml tables next to the policies
    Test,
    /// List the policy files and what they hold
    List,
}

#[derive(Debug, Args)]
struct Explain {
    /// The tool, or only a server
    #[arg(long, value_name = "SERVER[.TOOL]")]
    tool: String,
    /// Somebody of this installation; kind and roles are looked up
    #[arg(long, visible_alias = "user", value_name = "NAME")]
    #[arg(required_unless_present = "roles", conflicts_with = "roles")]
    principal: Option<String>,
    /// Somebody with this role; repeat for more
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<String>,
    /// What they want to do
    #[arg(long, value_enum, default_value_t = ActionName::Execute)]
    action: ActionName,
    /// A thing the call names, as KIND:ID; repeat for more
    #[arg(long = "resource", value_name = "KIND:ID")]
    resources: Vec<String>,
    /// Which way the call comes in
    #[arg(long, default_value = "http", value_parser = ["http", "stdio", "cli", "workflow"])]
    door: String,
    /// The context of the call
    #[arg(long, value_name = "ID")]
    context: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ActionName {
    List,
    Execute,
    Read,
}

impl Policy {
    pub(crate) async fn run(self, app: &App) -> Result<(), Failure> {
        let local = Local::open(app)?;
        match self.action {
            PolicyAction::Check => check(app.output, &local),
            PolicyAction::Explain(it) => it.run(app.output, &local),
            PolicyAction::Test => test(app.output, &local),
            PolicyAction::List => list(app.output, &local),
        }
    }
}

fn check(output: Output, local: &Local) -> Result<(), Failure> {
    match policy::check(&local.data.policies(), &local.manifest()?) {
        Ok(report) => output.one(&json!({ "ok": true, "files": report.files, "policies": report.policies, "findings": report.warnings }), || {
            let warnings = report.warnings.iter().map(|it| format!("\n{}", plain(&it.to_string())));
            format!("ok: {} policies in {} files{}", report.policies, report.files, warnings.collect::<String>())
        }),
        Err(errors) => {
            output.one(&json!({ "ok": false, "findings": errors.findings }), || {
                let lines = errors.findings.iter().map(|it| plain(&it.to_string()));
                lines.collect::<Vec<_>>().join("\n")
            })?;
            Err(Failure::usage(format!("findings in the policies: {}", errors.findings.len())))
        }
    }
}

fn test(output: Output, local: &Local) -> Result<(), Failure> {
    let report = policy::run_cases(&local.data.policies(), &local.manifest()?).map_err(|error| {
        Failure::usage(error.to_string()).hint("`core-mcp policy check` shows what is wrong")
    })?;
    output.one(&report, || {
        let failures: Vec<String> = report.failures.iter().map(|it| plain(&it.to_string())).collect();
        let passed = report.cases - report.failures.len();
        [failures, vec![format!("{passed} of {} cases hold", report.cases)]].concat().join("\n")
    })?;
    if report.failures.is_empty() {
        return Ok(());
    }
    Err(Failure::new(
        kernel::ErrorKind::ToolExecutionFailed,
        format!("{} cases do not hold", report.failures.len()),
    ))
}

fn list(output: Output, local: &Local) -> Result<(), Failure> {
    let folder = local.data.policies();
    let wrong = |error: std::io::Error| Failure::local("the policies cannot be listed", error);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(wrong)? {
        let entry = entry.map_err(wrong)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".cedar") || name.ends_with(".test.toml") {
            files.push(json!({ "file": name, "bytes": entry.metadata().map_err(wrong)?.len() }));
        }
    }
    files.sort_by_key(|it| it["file"].to_string());
    output.list(&files, || {
        let mut table = Table::new(&["file", "bytes"]);
        for it in &files {
            table.row([it["file"].as_str().unwrap_or_default(), &it["bytes"].to_string()]);
        }
        format!(
            "{}\n{}",
            plain(&folder.display().to_string()),
            table.render("no policy: everything is denied")
        )
    })
}

impl Explain {
    fn run(self, output: Output, local: &Local) -> Result<(), Failure> {
        let registry = local.registry();
        let (server, tool) = self.tool.split_once('.').unwrap_or((&self.tool, ""));
        let mount = registry.find(server)?;
        let principal = self.principal(local)?;
        let resources = self.resources.iter().map(|it| resource(it)).collect::<Result<Vec<_>, _>>()?;
        let question = PolicyQuestion {
            principal: &principal,
            action: match self.action {
                ActionName::List => Action::List,
                ActionName::Execute => Action::Execute,
                ActionName::Read => Action::Read,
            },
            server: &mount.facts.name,
            category: &mount.facts.category,
            tool: (!tool.is_empty()).then_some(tool),
            effect: effect_of(&mount, tool)?,
            resources: &resources,
            door: &self.door,
            context: self.context.as_deref(),
        };
        let engine = local.policy()?;
        let explanation = engine.explain(&question);
        output.one(&explanation, || {
            let text = explanation.to_string();
            text.lines().map(plain).collect::<Vec<_>>().join("\n")
        })
    }

    fn principal(&self, local: &Local) -> Result<Principal, Failure> {
        match &self.principal {
            Some(name) => local.principal(name),
            None => Ok(Principal {
                id: "somebody".into(),
                kind: PrincipalKind::User,
                roles: self.roles.clone(),
                token_id: None,
            }),
        }
    }
}

fn effect_of(mount: &Mount, tool: &str) -> Result<Option<Effect>, Failure> {
    if tool.is_empty() {
        return Ok(None);
    }
    let spec = mount.specs.iter().find(|it| it.name == tool);
    let names = mount.specs.iter().map(|it| it.name.as_str());
    spec.map(|it| Some(it.effect)).ok_or_else(|| {
        let failure = Failure::usage(format!("`{}` has no tool `{tool}`", mount.facts.name));
        match crate::config::nearest(tool, names) {
            Some(near) => failure.hint(format!("did you mean `{near}`?")),
            None => failure.hint(format!("`core-mcp tools {}` lists them", mount.facts.name)),
        }
    })
}

fn resource(text: &str) -> Result<Resource, Failure> {
    let (kind, id) = text.split_once(':').ok_or_else(|| {
        Failure::usage(format!("`{text}` is not of the form KIND:ID"))
            .hint("write for example file:/srv/app/main.rs")
    })?;
    Ok(Resource { kind: kind.to_owned(), id: id.to_owned() })
}
