//! The dyn twins. Server authors never need this file.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, OnceLock},
    time::Duration,
};

use jsonschema::{ValidationError, Validator};
use serde_json::Value;

use crate::{
    Caching, CallContext, Effect, ErrorKind, Facts, Health, Peer, Raw, Resource, Server, ServerFacts,
    StartContext, StartError, Tool, ToolError, ToolSpec, Trust, schema::schema_of,
};

/// A boxed, sendable future.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A decoded call that has not run yet.
pub trait Prepared: Send + Sync {
    /// What the road must know of the call.
    fn traits(&self) -> Traits;
    /// What the call would touch.
    fn resources(&self) -> Vec<Resource>;
    /// How long the call may take by its own parameters.
    fn deadline(&self) -> Option<Duration>;
    /// Runs it.
    fn run(self: Box<Self>, cx: CallContext) -> BoxFuture<'static, Result<Output, ToolError>>;
}

/// What the road must know of a call before it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traits {
    /// What the call does to the world.
    pub effect: Effect,
    /// Whether its result may be answered from the cache.
    pub caching: Caching,
    /// Whether its result carries text that somebody outside wrote.
    pub trust: Trust,
}

/// What a call answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// A typed result: a JSON object, which the door puts into the protocol's form.
    Typed(Value),
    /// A result in the protocol's own form, to be passed on as it is.
    Raw(Raw),
}

impl Output {
    /// The result as a tree, whichever form it has.
    pub fn into_value(self) -> Value {
        match self {
            Self::Typed(value) => value,
            Self::Raw(raw) => raw.to_value(),
        }
    }
}

/// A connected server with its types forgotten. Native servers and, later, relayed ones look alike here.
pub trait Mounted: Send + Sync {
    /// What the catalogue shows.
    fn facts(&self) -> Arc<Facts>;
    /// Its tools, in reading order.
    fn specs(&self) -> &[Arc<ToolSpec>];
    /// Types and checks the arguments of one call. Pure.
    fn prepare(&self, tool: &str, args: Value) -> Result<Box<dyn Prepared>, ToolError>;
    /// Whether the backend answers.
    fn health(&self) -> BoxFuture<'_, Health>;
    /// Suggests values for one argument.
    fn complete<'a>(
        &'a self,
        tool: &'a str,
        argument: &'a str,
        prefix: &'a str,
    ) -> BoxFuture<'a, Vec<String>>;
    /// What it offers beyond typed tools; `None` for a server that has only those.
    fn peer(&self) -> Option<Arc<dyn Peer>> {
        None
    }
}

pub(crate) struct Entry<S> {
    spec: fn() -> ToolSpec,
    validator: OnceLock<Validator>,
    decode: fn(&Arc<S>, Value) -> Result<Box<dyn Prepared>, ToolError>,
}

impl<S: Server> Entry<S> {
    pub(crate) fn of<T: Tool<Server = S>>() -> Self {
        Self {
            spec: ToolSpec::of::<T>,
            validator: OnceLock::new(),
            decode: |server, args| {
                let tool: T = serde_json::from_value(args)
                    .map_err(|error| ToolError::wrap(ErrorKind::ValidationFailed, error))?;
                Ok(Box::new(Pending { tool, server: Arc::clone(server) }))
            },
        }
    }
}

struct Pending<T: Tool> {
    tool: T,
    server: Arc<T::Server>,
}

impl<T: Tool> Prepared for Pending<T> {
    fn traits(&self) -> Traits {
        Traits { effect: T::META.effect, caching: T::META.caching, trust: T::META.trust }
    }

    fn resources(&self) -> Vec<Resource> {
        self.tool.resources()
    }

    fn deadline(&self) -> Option<Duration> {
        self.tool.deadline()
    }

    fn run(self: Box<Self>, cx: CallContext) -> BoxFuture<'static, Result<Output, ToolError>> {
        Box::pin(async move {
            let output = self.tool.call(&self.server, &cx).await?;
            serde_json::to_value(output)
                .map(Output::Typed)
                .map_err(|error| ToolError::wrap(ErrorKind::Internal, error))
        })
    }
}

struct Running<S> {
    facts: Arc<Facts>,
    server: Arc<S>,
    entries: Vec<Entry<S>>,
    specs: Vec<Arc<ToolSpec>>,
}

impl<S: Server> Mounted for Running<S> {
    fn facts(&self) -> Arc<Facts> {
        Arc::clone(&self.facts)
    }

    fn specs(&self) -> &[Arc<ToolSpec>] {
        &self.specs
    }

    fn prepare(&self, tool: &str, mut args: Value) -> Result<Box<dyn Prepared>, ToolError> {
        let index = self
            .specs
            .iter()
            .position(|spec| spec.name == tool)
            .ok_or_else(|| unknown_tool(S::FACTS.name, tool))?;
        let (entry, spec) = (&self.entries[index], &self.specs[index]);
        drop_absent(&mut args, &spec.input_schema);
        let validator = entry.validator.get_or_init(|| {
            jsonschema::validator_for(&spec.input_schema).expect("a derived schema compiles")
        });
        if let Some(error) = validator.iter_errors(&args).next() {
            return Err(refusal(&error));
        }
        (entry.decode)(&self.server, args)
    }

    fn health(&self) -> BoxFuture<'_, Health> {
        Box::pin(self.server.health())
    }

    fn complete<'a>(
        &'a self,
        tool: &'a str,
        argument: &'a str,
        prefix: &'a str,
    ) -> BoxFuture<'a, Vec<String>> {
        Box::pin(self.server.complete(tool, argument, prefix))
    }
}

fn unknown_tool(server: &str, tool: &str) -> ToolError {
    ToolError::new(ErrorKind::NotFound, format!("server `{server}` has no tool `{tool}`"))
        .hint(format!("list its tools with `core-mcp tools {server}` or tools/list"))
}

/// Models write `null` for an optional argument they leave out; that is the same as leaving it out.
fn drop_absent(args: &mut Value, schema: &Value) {
    let Some(object) = args.as_object_mut() else { return };
    let required = schema["required"].as_array();
    let is_required = |key: &str| required.is_some_and(|it| it.iter().any(|name| name == key));
    object.retain(|key, value| !value.is_null() || is_required(key));
}

/// Says which field broke which rule, without repeating the value: it may be a secret.
fn refusal(error: &ValidationError<'_>) -> ToolError {
    let field = error.instance_path().to_string();
    let field = field.trim_start_matches('/');
    let rule = error.masked().to_string();
    let field = if field.is_empty() { "arguments" } else { field };
    ToolError::invalid(field, format!("argument `{field}` is not valid: {rule}"))
        .hint("compare the arguments with the tool's input schema")
}

/// What a server crate hands to the catalog.
#[derive(Clone, Copy)]
pub struct ServerEntry {
    /// What the catalogue shows.
    pub facts: ServerFacts,
    /// Lists its tools without connecting.
    pub specs: fn() -> Vec<ToolSpec>,
    /// The JSON Schema of its config section.
    pub config_schema: fn() -> Value,
    /// Connects it with its config section (an object, empty when unset).
    pub mount: fn(Value, StartContext) -> BoxFuture<'static, Result<Arc<dyn Mounted>, StartError>>,
}

impl ServerEntry {
    /// Erases one server type.
    pub fn of<S: Server>() -> Self {
        Self {
            facts: S::FACTS,
            specs: || S::tools().entries.iter().map(|entry| (entry.spec)()).collect(),
            config_schema: schema_of::<S::Config>,
            mount: |config, start| Box::pin(mount::<S>(config, start)),
        }
    }
}

async fn mount<S: Server>(config: Value, start: StartContext) -> Result<Arc<dyn Mounted>, StartError> {
    let config = serde_json::from_value(config)
        .map_err(|error| StartError::new(S::FACTS.name, format!("its config section is wrong: {error}")))?;
    let server = Arc::new(S::connect(config, start).await?);
    let entries = S::tools().entries;
    let specs = entries.iter().map(|entry| Arc::new((entry.spec)())).collect();
    Ok(Arc::new(Running { facts: Arc::new(S::FACTS.into()), server, entries, specs }))
}
