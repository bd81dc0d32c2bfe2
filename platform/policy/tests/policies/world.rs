//! A policy folder, some servers, and a short way to ask.

use std::{fs, path::Path, sync::Arc};

use kernel::{Effect, Principal, PrincipalKind, Resource, ServerFacts, ToolSpec};
use pipeline::seams::{Action, Decision, Policy, PolicyQuestion};
use policy::{Manifest, PolicyEngine, PolicyErrors, ReloadReport};
use tempfile::TempDir;

const READ: Effect = Effect::Read;
const WRITE: Effect = Effect::Write { idempotent: false };
const DESTROY: Effect = Effect::Destroy { idempotent: false };

const SERVERS: &[(&str, &str, &[&str], &[(&str, Effect)])] = &[
    (
        "desktop-commander",
        "Infrastructure",
        &[],
        &[
            ("read_file", READ),
            ("execute_command", DESTROY),
            ("make_command", DESTROY),
            ("write_file", WRITE),
            ("edit_file", WRITE),
            ("move_path", WRITE),
            ("git_change", DESTROY),
            ("stop_process", DESTROY),
            ("write_process_stdin", DESTROY),
            ("undo_change", DESTROY),
            ("delete_path", DESTROY),
        ],
    ),
    (
        "docker-manager",
        "Infrastructure",
        &["docker"],
        &[("docker_ps", READ), ("docker_build", WRITE), ("docker_remove", DESTROY)],
    ),
    (
        "security-scanner",
        "Security",
        &[],
        &[("file_security_scan", READ), ("suppress_finding", WRITE), ("purge_results", DESTROY)],
    ),
    ("slack-notifier", "Communication", &["slack"], &[("send_message", WRITE)]),
    ("azure-devops", "DevOps", &[], &[("trigger_pipeline", WRITE)]),
    ("s3-storage", "Storage", &[], &[]),
    ("prometheus-metrics", "Monitoring", &[], &[("query_metrics", READ)]),
    ("brave-search", "External Services", &[], &[]),
    ("chapter-extraction", "Content Processing", &[], &[]),
];

/// Every tool that exists, as `server.tool`.
pub(crate) fn tool_names() -> Vec<String> {
    let tools = |(server, _, _, tools): &(&str, &str, &[&str], &[(&str, Effect)])| {
        tools.iter().map(|(tool, _)| format!("{server}.{tool}")).collect::<Vec<_>>()
    };
    SERVERS.iter().flat_map(tools).collect()
}

pub(crate) fn manifest() -> Manifest {
    SERVERS.iter().fold(Manifest::new(), |manifest, (name, category, aliases, tools)| {
        let facts = ServerFacts {
            name,
            version: "1.0.0",
            category,
            aliases,
            description: "",
            concurrency: 1,
            open_world: false,
        };
        let specs: Vec<_> = tools.iter().map(|(tool, effect)| spec(name, tool, *effect)).collect();
        manifest.server(facts, &specs)
    })
}

fn spec(server: &str, name: &str, effect: Effect) -> ToolSpec {
    ToolSpec {
        server: server.to_owned(),
        name: name.to_owned(),
        title: String::new(),
        description: String::new(),
        input_schema: serde_json::Value::Null,
        output_schema: serde_json::Value::Null,
        effect,
        open_world: false,
        permission: format!("mcp.{server}:execute"),
        long: false,
        raw: None,
    }
}

/// A folder with an engine on it.
pub(crate) struct World {
    dir: TempDir,
    pub(crate) engine: Arc<PolicyEngine>,
    pub(crate) report: ReloadReport,
}

impl World {
    pub(crate) fn with_defaults() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        policy::write_defaults(dir.path()).expect("written");
        let (engine, report) = PolicyEngine::open(dir.path(), manifest()).expect("the defaults are valid");
        Self { dir, engine, report }
    }

    /// One file, `test.cedar`.
    pub(crate) fn with(policies: &str) -> Self {
        Self::try_with(policies).unwrap_or_else(|errors| panic!("{errors}"))
    }

    pub(crate) fn try_with(policies: &str) -> Result<Self, PolicyErrors> {
        let dir = tempfile::tempdir().expect("a folder");
        fs::write(dir.path().join("test.cedar"), policies).expect("written");
        let (engine, report) = PolicyEngine::open(dir.path(), manifest())?;
        Ok(Self { dir, engine, report })
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn manifest(&self) -> Manifest {
        manifest()
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.dir().join(name)).expect("it exists")
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.dir().join(name), text).expect("written");
    }

    pub(crate) fn decide(&self, ask: &Ask) -> Decision {
        self.engine.decide(&ask.question())
    }

    pub(crate) fn allows(&self, ask: &Ask) -> bool {
        self.decide(ask).allowed
    }
}

/// A question that owns its parts.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) principal: Principal,
    pub(crate) action: Action,
    pub(crate) server: String,
    pub(crate) category: String,
    pub(crate) tool: Option<String>,
    pub(crate) effect: Option<Effect>,
    pub(crate) resources: Vec<Resource>,
    pub(crate) door: String,
    pub(crate) context: Option<String>,
}

/// `who` is `kind:id`; `what` is `server.tool`, or a server. What nobody knows is taken for a read or, when
/// its name says otherwise, for the worst.
pub(crate) fn ask(who: &str, roles: &[&str], action: Action, what: &str) -> Ask {
    let (kind, id) = who.split_once(':').expect("kind:id");
    let kind = match kind {
        "user" => PrincipalKind::User,
        "agent" => PrincipalKind::Agent,
        _ => PrincipalKind::Service,
    };
    let (server, tool) = match what.split_once('.') {
        Some((server, tool)) => (server, Some(tool)),
        None => (what, None),
    };
    let known = SERVERS.iter().find(|it| it.0 == server);
    let effect = known.and_then(|it| it.3.iter().find(|(name, _)| Some(*name) == tool)).map(|it| it.1);
    Ask {
        principal: Principal {
            id: id.to_owned(),
            kind,
            roles: roles.iter().map(|it| (*it).to_owned()).collect(),
            token_id: None,
        },
        action,
        server: server.to_owned(),
        category: known.map_or("Unknown", |it| it.1).to_owned(),
        tool: tool.map(str::to_owned),
        effect,
        resources: Vec::new(),
        door: "http".to_owned(),
        context: None,
    }
}

impl Ask {
    pub(crate) fn on(mut self, kind: &'static str, id: &str) -> Self {
        self.resources.push(Resource::new(kind, id));
        self
    }

    pub(crate) fn through(mut self, door: &str) -> Self {
        self.door = door.to_owned();
        self
    }

    pub(crate) fn inside(mut self, context: &str) -> Self {
        self.context = Some(context.to_owned());
        self
    }

    pub(crate) fn question(&self) -> PolicyQuestion<'_> {
        PolicyQuestion {
            principal: &self.principal,
            action: self.action,
            server: &self.server,
            category: &self.category,
            tool: self.tool.as_deref(),
            effect: self.effect,
            resources: &self.resources,
            door: &self.door,
            context: self.context.as_deref(),
        }
    }
}
