//! The server `workflows`: every workflow that can run here as a tool, and tools for runs and batches.

use std::{collections::HashMap, sync::Arc, time::Duration};

use kernel::{
    BoxFuture, Caching, CallContext, Effect, ErrorKind, Facts, Health, Mounted, Output, Prepared, Resource,
    ServerFacts, ToolError, ToolSpec, Traits, Trust,
};
use pipeline::Door;
use serde_json::{Value, json};

use crate::{
    ToolCatalog,
    calls::{BatchCaller, CallList, call_all},
    engine::{Engine, GateCaller, Order},
    interpreter::RunStatus,
    library::{SHIPPED, resolve, runnable},
    program::Program,
};

/// The server's name.
pub const NAME: &str = "workflows";
/// The tool for many calls at once.
pub(crate) const BATCH: &str = "batch";
/// How long a call of a workflow waits for its end; the run goes on afterwards.
const PATIENCE: Duration = Duration::from_secs(600);
/// Workflows shown as tools at most.
const TOOLS_MAX: usize = 200;

const FACTS: ServerFacts = ServerFacts {
    name: NAME,
    version: env!("CARGO_PKG_VERSION"),
    category: "DevOps",
    aliases: &["workflow"],
    description: "Runs durable workflows made of tool calls, and many calls at once.",
    concurrency: 10,
    open_world: true,
};

/// What runs behind a tool.
#[derive(Clone)]
enum Kind {
    Workflow(String),
    Run,
    Get,
    List,
    Cancel,
    Batch,
}

#[derive(Clone)]
struct Known {
    kind: Kind,
    traits: Traits,
    schema: Value,
}

/// The mounted server.
pub struct WorkflowServer {
    shared: Arc<Shared>,
    specs: Vec<Arc<ToolSpec>>,
    tools: HashMap<String, Known>,
}

struct Shared {
    engine: Arc<Engine>,
    caller: Arc<GateCaller>,
    catalog: ToolCatalog,
}

impl WorkflowServer {
    /// Lists what is published, and of what is shipped that which can run here.
    pub fn new(
        engine: Arc<Engine>,
        caller: Arc<GateCaller>,
        catalog: ToolCatalog,
    ) -> Result<Self, ToolError> {
        let mut names: Vec<String> = engine.journal.published()?.into_iter().map(|it| it.name).collect();
        names.extend(SHIPPED.iter().map(|(name, _)| (*name).to_owned()));
        names.sort();
        names.dedup();
        let shared = Arc::new(Shared { engine, caller, catalog });
        let mut server = Self { shared, specs: Vec::new(), tools: HashMap::new() };
        server.add_fixed();
        for name in names.into_iter().take(TOOLS_MAX) {
            let journal = &server.shared.engine.journal;
            let checked = resolve(&name, &server.shared.catalog, Some(journal), "");
            // What cannot run here is no tool; `workflow validate` says why.
            if let Ok(program) = checked.and_then(runnable) {
                server.add_workflow(&program);
            }
        }
        Ok(server)
    }

    fn add_workflow(&mut self, program: &Program) {
        let definition = &program.definition;
        let effect = program.effect(&self.shared.catalog);
        let title = title_of(&definition.workflow);
        let description = if definition.description.is_empty() {
            format!("Runs the workflow `{}`.", definition.workflow)
        } else {
            definition.description.clone()
        };
        let kind = Kind::Workflow(definition.workflow.clone());
        self.add(kind, &definition.workflow, &title, &description, effect, program.inputs_schema());
    }

    fn add_fixed(&mut self) {
        let run = json!({ "type": "string", "pattern": "^[0-9a-f]{32}$", "description": "The run's id." });
        let object = |properties: Value, required: Value| json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false });
        let start = object(
            json!({
                "name": { "type": "string", "pattern": "^[a-z0-9-]{1,48}(@(stable|canary))?$",
                          "description": "A published or shipped workflow, as NAME or NAME@ALIAS." },
                "inputs": { "type": "object", "description": "Its inputs.", "additionalProperties": true },
                "wait_seconds": { "type": "integer", "minimum": 0, "maximum": 600, "default": 600,
                                  "description": "How long to wait for the end." },
            }),
            json!(["name"]),
        );
        let destroy = Effect::Destroy { idempotent: false };
        self.add(Kind::Run, "run_workflow", "Run a workflow", "Starts a workflow by name and waits for its end, or until it waits for people. The run goes on when the wait is over; look at it with get_run.", destroy, start);
        self.add(Kind::Get, "get_run", "Show a run", "Shows one run of a workflow: its steps with their results, what it waits for, and why it failed.", Effect::Read, object(json!({ "run": run }), json!(["run"])));
        let status = json!({ "type": "string", "description": "Only runs that stand so.",
            "enum": ["running", "waiting", "undoing", "succeeded", "failed", "cancelled", "needs_attention"] });
        self.add(
            Kind::List,
            "list_runs",
            "List runs",
            "Lists your runs of workflows, newest first.",
            Effect::Read,
            object(json!({ "status": status }), json!([])),
        );
        self.add(
            Kind::Cancel,
            "cancel_run",
            "Cancel a run",
            "Cancels a run: nothing new begins, calls under way end, and what was done is undone.",
            Effect::Destroy { idempotent: true },
            object(json!({ "run": run }), json!(["run"])),
        );
        let mut calls = schemars::schema_for!(CallList).to_value();
        inline(&mut calls);
        self.add(Kind::Batch, BATCH, "Make many calls", "Makes many tool calls at once, each through every check, and reports the outcome of each. One that fails does not stop the others.", destroy, calls);
    }

    fn add(&mut self, kind: Kind, name: &str, title: &str, description: &str, effect: Effect, schema: Value) {
        if self.tools.contains_key(name) {
            return;
        }
        let spec = ToolSpec {
            server: NAME.to_owned(),
            name: name.to_owned(),
            title: title.to_owned(),
            description: description.to_owned(),
            input_schema: schema.clone(),
            output_schema: json!({ "type": "object" }),
            effect,
            open_world: true,
            permission: format!("mcp.{NAME}:execute"),
            long: matches!(kind, Kind::Workflow(_) | Kind::Run | Kind::Batch),
            raw: None,
        };
        let traits = Traits { effect, caching: Caching::Never, trust: Trust::Untrusted };
        self.specs.push(Arc::new(spec));
        self.tools.insert(name.to_owned(), Known { kind, traits, schema });
    }
}

/// `$defs` written out and notes for generators left out, as clients want it.
fn inline(schema: &mut Value) {
    let definitions = schema["$defs"].take();
    if let Some(object) = schema.as_object_mut() {
        ["$defs", "$schema", "title", "description"].iter().for_each(|key| {
            object.remove(*key);
        });
    }
    replace(schema, &definitions);
}

fn replace(schema: &mut Value, definitions: &Value) {
    if let Some(name) = schema["$ref"].as_str().and_then(|it| it.strip_prefix("#/$defs/")).map(str::to_owned)
    {
        *schema = definitions[&name].clone();
    }
    match schema {
        Value::Object(object) => {
            if let Some(Value::Array(types)) = object.get_mut("type") {
                types.retain(|it| it != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    object.insert("type".into(), only);
                }
            }
            object.retain(|key, it| !(key == "format" || key == "default" && it.is_null()));
            object.values_mut().for_each(|it| replace(it, definitions));
        }
        Value::Array(items) => items.iter_mut().for_each(|it| replace(it, definitions)),
        _ => {}
    }
}

/// `security-audit` becomes `Security audit`.
fn title_of(name: &str) -> String {
    let words = name.replace('-', " ");
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
}

impl Mounted for WorkflowServer {
    fn facts(&self) -> Arc<Facts> {
        Arc::new(FACTS.into())
    }

    fn specs(&self) -> &[Arc<ToolSpec>] {
        &self.specs
    }

    fn prepare(&self, tool: &str, args: Value) -> Result<Box<dyn Prepared>, ToolError> {
        let known = self.tools.get(tool).ok_or_else(|| {
            ToolError::new(ErrorKind::NotFound, format!("server `{NAME}` has no tool `{tool}`"))
                .hint("a workflow that was published meanwhile is called with run_workflow")
        })?;
        let validator = jsonschema::validator_for(&known.schema)
            .map_err(|error| ToolError::new(ErrorKind::Internal, error.to_string()))?;
        if let Some(error) = validator.iter_errors(&args).next() {
            let field = error.instance_path().to_string();
            let field = field.trim_start_matches('/');
            let field = if field.is_empty() { "arguments" } else { field };
            let rule = error.masked().to_string();
            return Err(ToolError::invalid(field, format!("argument `{field}` is not valid: {rule}"))
                .hint("compare the arguments with the tool's input schema"));
        }
        Ok(Box::new(Pending { known: known.clone(), args, shared: Arc::clone(&self.shared) }))
    }

    fn health(&self) -> BoxFuture<'_, Health> {
        Box::pin(async { Health::Ready })
    }

    fn complete<'a>(
        &'a self,
        tool: &'a str,
        argument: &'a str,
        prefix: &'a str,
    ) -> BoxFuture<'a, Vec<String>> {
        let known = self.tools.values().filter_map(|it| match &it.kind {
            Kind::Workflow(name) => Some(name.clone()),
            _ => None,
        });
        let wanted = tool == "run_workflow" && argument == "name";
        let mut names: Vec<String> = known.filter(|it| wanted && it.starts_with(prefix)).collect();
        names.sort();
        Box::pin(async move { names })
    }
}

struct Pending {
    known: Known,
    args: Value,
    shared: Arc<Shared>,
}

impl Prepared for Pending {
    fn traits(&self) -> Traits {
        self.known.traits
    }

    fn resources(&self) -> Vec<Resource> {
        match &self.known.kind {
            Kind::Workflow(name) => vec![Resource::new("workflow", name)],
            Kind::Run => {
                self.args["name"].as_str().map(|it| Resource::new("workflow", it)).into_iter().collect()
            }
            Kind::Get | Kind::Cancel => {
                self.args["run"].as_str().map(|it| Resource::new("workflow.run", it)).into_iter().collect()
            }
            Kind::Batch => {
                let tools =
                    self.args["calls"].as_array().into_iter().flatten().filter_map(|it| it["tool"].as_str());
                tools.take(64).map(|it| Resource::new("tool", it)).collect()
            }
            Kind::List => Vec::new(),
        }
    }

    fn deadline(&self) -> Option<Duration> {
        match &self.known.kind {
            Kind::Workflow(_) | Kind::Run | Kind::Batch => Some(PATIENCE + Duration::from_secs(30)),
            Kind::Get | Kind::List | Kind::Cancel => None,
        }
    }

    fn run(self: Box<Self>, cx: CallContext) -> BoxFuture<'static, Result<Output, ToolError>> {
        Box::pin(async move { self.answer(cx).await.map(Output::Typed) })
    }
}

impl Pending {
    async fn answer(self, cx: CallContext) -> Result<Value, ToolError> {
        let Self { known, args, shared } = self;
        let journal = &shared.engine.journal;
        match known.kind {
            Kind::Workflow(name) => shared.run(&cx, &name, args, PATIENCE).await,
            Kind::Run => {
                let name = args["name"].as_str().unwrap_or_default();
                let inputs = if args["inputs"].is_null() { json!({}) } else { args["inputs"].clone() };
                let wait = Duration::from_secs(args["wait_seconds"].as_u64().unwrap_or(600));
                shared.run(&cx, name, inputs, wait.min(PATIENCE)).await
            }
            Kind::Get => shared.view(&cx, args["run"].as_str().unwrap_or_default()),
            Kind::List => {
                let runs = journal.list(&cx.principal, None, args["status"].as_str())?;
                Ok(json!({ "runs": runs }))
            }
            Kind::Cancel => {
                let run = args["run"].as_str().unwrap_or_default();
                shared.engine.cancel(&cx.principal, run).await?;
                Ok(json!({ "run": run, "cancelling": true }))
            }
            Kind::Batch => shared.batch(&cx, args).await,
        }
    }
}

impl Shared {
    async fn run(
        &self,
        cx: &CallContext,
        name: &str,
        inputs: Value,
        patience: Duration,
    ) -> Result<Value, ToolError> {
        let checked = resolve(name, &self.catalog, Some(&self.engine.journal), &cx.principal.id)?;
        let program = runnable(checked)?;
        let order =
            Order { reference: name, principal: &cx.principal.id, context: cx.context_id.as_deref(), inputs };
        let run = self.engine.start(&program, order).await?;
        let until = tokio::time::Instant::now() + patience;
        let status = tokio::select! {
            status = self.engine.settled(&run, until) => status?,
            () = cx.cancel.cancelled() => {
                self.engine.cancel(&cx.principal, &run).await?;
                return Err(ToolError::new(ErrorKind::Cancelled, format!("the run {run} is being cancelled")));
            }
        };
        if status == RunStatus::Failed || status == RunStatus::NeedsAttention {
            return Err(self.failure(cx, &run, status));
        }
        self.view(cx, &run)
    }

    fn failure(&self, cx: &CallContext, run: &str, status: RunStatus) -> ToolError {
        let view = self.engine.journal.view(&cx.principal, run).ok();
        let why = view.and_then(|it| it.error["message"].as_str().map(str::to_owned)).unwrap_or_default();
        let undone = if status == RunStatus::Failed {
            "what was done is undone"
        } else {
            "not everything could be undone"
        };
        ToolError::new(ErrorKind::ToolExecutionFailed, format!("the run {run} failed, {undone}: {why}"))
            .hint("get_run shows its steps; `core-mcp workflow history RUN` every attempt")
    }

    fn view(&self, cx: &CallContext, run: &str) -> Result<Value, ToolError> {
        let view = self.engine.journal.view(&cx.principal, run)?;
        serde_json::to_value(view).map_err(|error| ToolError::wrap(ErrorKind::Internal, error))
    }

    async fn batch(&self, cx: &CallContext, args: Value) -> Result<Value, ToolError> {
        let list: CallList = serde_json::from_value(args)
            .map_err(|error| ToolError::wrap(ErrorKind::ValidationFailed, error))?;
        let gate = self
            .caller
            .gate()
            .ok_or_else(|| ToolError::new(ErrorKind::Unavailable, "the gate has closed"))?;
        let who = BatchCaller {
            caller: gate.on_behalf_of(&cx.principal.id)?,
            door: Door::Workflow,
            context: cx.context_id.clone(),
            progress: cx.progress.clone(),
            cancel: cx.cancel.clone(),
        };
        let report = call_all(&gate, list, who).await?;
        serde_json::to_value(report).map_err(|error| ToolError::wrap(ErrorKind::Internal, error))
    }
}
