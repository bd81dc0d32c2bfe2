//! The server as the gate sees it.

use std::{sync::Arc, time::Duration};

use kernel::{
    BoxFuture, Caching, CallContext, Effect, ErrorKind, Facts, Health, Mounted, Output, Peer, Prepared, Raw,
    Resource, ToolError, ToolSpec, Traits, Trust,
};
use pipeline::Registry;
use serde_json::{Value, json};

use crate::tools::{self, Definition};

/// Its name in the catalogue and on its route.
pub const NAME: &str = "everything";

/// The server.
pub struct Everything {
    facts: Arc<Facts>,
    specs: Vec<Arc<ToolSpec>>,
    /// Where it says what changed, and where it mounts itself anew when its tools do.
    pub(crate) registry: Registry,
}

impl Everything {
    /// A server that tells `registry` of its changes. It is not mounted yet.
    pub fn new(registry: Registry) -> Arc<Self> {
        let facts = Facts {
            name: NAME.into(),
            version: "1.0.0".into(),
            category: "Test".into(),
            aliases: Vec::new(),
            description: "Carries what the conformance suite asks for.".into(),
            concurrency: 64,
            open_world: false,
        };
        let specs = tools::all().into_iter().map(|it| Arc::new(spec(&it))).collect();
        Arc::new(Self { facts: Arc::new(facts), specs, registry })
    }
}

fn spec(definition: &Definition) -> ToolSpec {
    let Definition { name, description, input_schema, long } = definition;
    let raw = json!({ "name": name, "description": description, "inputSchema": input_schema });
    ToolSpec {
        server: NAME.into(),
        name: (*name).into(),
        title: (*name).into(),
        description: (*description).into(),
        input_schema: input_schema.clone(),
        output_schema: json!({ "type": "object" }),
        effect: Effect::Write { idempotent: false },
        open_world: false,
        permission: format!("mcp.{NAME}:execute"),
        long: *long,
        raw: Some(Raw::of(&raw)),
    }
}

/// A handle that the trait objects share.
#[derive(Clone)]
pub(crate) struct Shared(pub(crate) Arc<Everything>);

/// What is mounted.
pub(crate) struct Handle {
    pub(crate) shared: Shared,
}

impl Everything {
    /// The server in the form the registry takes.
    pub fn mounted(self: &Arc<Self>) -> Arc<dyn Mounted> {
        Arc::new(Handle { shared: Shared(Arc::clone(self)) })
    }
}

impl Mounted for Handle {
    fn facts(&self) -> Arc<Facts> {
        Arc::clone(&self.shared.0.facts)
    }

    fn specs(&self) -> &[Arc<ToolSpec>] {
        &self.shared.0.specs
    }

    fn prepare(&self, tool: &str, args: Value) -> Result<Box<dyn Prepared>, ToolError> {
        let specs = &self.shared.0.specs;
        let spec = specs.iter().find(|it| it.name == tool).ok_or_else(|| {
            ToolError::new(ErrorKind::NotFound, format!("server `{NAME}` has no tool `{tool}`"))
        })?;
        Ok(Box::new(Call { tool: spec.name.clone(), args, shared: self.shared.clone() }))
    }

    fn health(&self) -> BoxFuture<'_, Health> {
        Box::pin(async { Health::Ready })
    }

    fn complete<'a>(&'a self, _: &'a str, _: &'a str, _: &'a str) -> BoxFuture<'a, Vec<String>> {
        Box::pin(async { Vec::new() })
    }

    fn peer(&self) -> Option<Arc<dyn Peer>> {
        Some(Arc::new(self.shared.clone()))
    }
}

/// One call of one tool.
struct Call {
    tool: String,
    args: Value,
    shared: Shared,
}

impl Prepared for Call {
    fn traits(&self) -> Traits {
        let effect = Effect::Write { idempotent: false };
        Traits { effect, caching: Caching::Never, trust: Trust::Own }
    }

    fn resources(&self) -> Vec<Resource> {
        vec![Resource::new("test.tool", &self.tool)]
    }

    fn deadline(&self) -> Option<Duration> {
        Some(Duration::from_secs(600))
    }

    fn run(self: Box<Self>, cx: CallContext) -> BoxFuture<'static, Result<Output, ToolError>> {
        Box::pin(async move { tools::run(&self.tool, &self.args, &cx, &self.shared).await.map(Output::Raw) })
    }
}
