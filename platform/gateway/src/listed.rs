//! What an upstream offers, as it was seen last.

use std::{collections::HashMap, sync::Arc, time::Instant};

use kernel::{Effect, Facts, Offers, Raw, ToolSpec};
use serde_json::{Map, Value, value::RawValue};

use crate::{
    TrustLevel, UpstreamConfig,
    error::UpstreamError,
    findings::look,
    link::Hello,
    order::Order,
    rpc::{Fields, RpcError, push_string},
    tool::Definition,
    upstream::Upstream,
};

/// Pages of one list that are fetched.
const PAGES_MAX: usize = 100;

/// Items of one list that are kept.
const ITEMS_MAX: usize = 10_000;

/// Longest instructions that are passed on.
const INSTRUCTIONS_BYTES_MAX: usize = 4096;

/// The tasks extension.
const TASKS: &str = "io.modelcontextprotocol/tasks";

/// Everything static about a served upstream.
pub(crate) struct Listed {
    pub(crate) facts: Arc<Facts>,
    pub(crate) offers: Offers,
    pub(crate) specs: Vec<Arc<ToolSpec>>,
    pub(crate) tools: HashMap<String, Arc<Served>>,
    /// Why tools are not here: for the operator.
    pub(crate) refused: Vec<String>,
}

/// A tool that is served.
pub(crate) struct Served {
    pub(crate) definition: Definition,
    pub(crate) effect: Effect,
}

impl Listed {
    /// Puts together what is served.
    pub(crate) fn new(
        name: &str,
        config: &UpstreamConfig,
        hello: Option<&Hello>,
        definitions: Vec<Definition>,
        refused: Vec<String>,
    ) -> Self {
        let hello = hello.map_or(Value::Null, |it| serde_json::from_str(it.result.get()).unwrap_or_default());
        let mut specs = Vec::with_capacity(definitions.len());
        let mut tools = HashMap::with_capacity(definitions.len());
        let offers = offers(config, &hello);
        for definition in definitions {
            let effect =
                definition.effect(config.trust, config.effects.get(&definition.upstream_name).copied());
            specs.push(Arc::new(spec(name, &definition, effect, offers.tasks)));
            tools.insert(definition.name.clone(), Arc::new(Served { definition, effect }));
        }
        Self { facts: Arc::new(facts(name, config, &hello)), offers, specs, tools, refused }
    }

    /// Whether a client would see a difference.
    pub(crate) fn looks_like(&self, other: &Self) -> bool {
        self.facts == other.facts
            && self.offers == other.offers
            && self.specs.len() == other.specs.len()
            && self
                .specs
                .iter()
                .zip(&other.specs)
                .all(|(a, b)| (&a.raw, a.effect, &a.name) == (&b.raw, b.effect, &b.name))
    }
}

fn facts(name: &str, config: &UpstreamConfig, hello: &Value) -> Facts {
    let info = [&hello["serverInfo"], &hello["_meta"]["io.modelcontextprotocol/serverInfo"]]
        .into_iter()
        .find(|it| it.is_object())
        .cloned()
        .unwrap_or_default();
    let word = |key: &str| {
        info[key].as_str().map(|it| it.chars().filter(|it| !it.is_control()).take(200).collect::<String>())
    };
    let said = word("title").or_else(|| word("name")).unwrap_or_else(|| "an MCP server".into());
    Facts {
        name: name.to_owned(),
        version: word("version").unwrap_or_else(|| "0.0.0".into()),
        category: config.category.clone(),
        aliases: Vec::new(),
        description: config.description.clone().unwrap_or_else(|| format!("Upstream: {said}.")),
        concurrency: config.concurrency,
        open_world: true,
    }
}

fn offers(config: &UpstreamConfig, hello: &Value) -> Offers {
    let can = &hello["capabilities"];
    let has = |key: &str| can[key].is_object();
    let extensions: Map<String, Value> = can["extensions"].as_object().cloned().unwrap_or_default();
    let instructions = hello["instructions"].as_str().filter(|it| it.len() <= INSTRUCTIONS_BYTES_MAX);
    let instructions = instructions.filter(|it| config.trust == TrustLevel::High || look(it, "").is_empty());
    Offers {
        resources: has("resources"),
        subscribe: can["resources"]["subscribe"] == true,
        prompts: has("prompts"),
        completions: has("completions"),
        logging: has("logging"),
        tasks: extensions.contains_key(TASKS),
        extensions,
        trusted: config.trust == TrustLevel::High,
        instructions: instructions.map(ToOwned::to_owned),
    }
}

fn spec(server: &str, tool: &Definition, effect: Effect, may_take_long: bool) -> ToolSpec {
    ToolSpec {
        server: server.to_owned(),
        name: tool.name.clone(),
        title: tool.title.clone(),
        description: tool.description.clone(),
        input_schema: tool.input_schema.clone(),
        output_schema: tool.output_schema.clone(),
        effect,
        open_world: tool.open_world,
        permission: format!("mcp.{server}:execute"),
        long: may_take_long,
        raw: Some(tool.raw.clone()),
    }
}

/// Reads the definitions, keeps what can be offered, and says why the rest is left out.
pub(crate) fn definitions(
    name: &str,
    config: &UpstreamConfig,
    items: &[Raw],
) -> (Vec<Definition>, Vec<String>) {
    let (mut kept, mut refused): (Vec<Definition>, _) = (Vec::with_capacity(items.len()), Vec::new());
    for item in items {
        let read = serde_json::from_str::<&RawValue>(item.get())
            .map_err(|_| "a tool's definition cannot be read".to_owned())
            .and_then(|raw| Definition::read(name, raw));
        match read {
            Ok(it) if !config.tools.is_empty() && !config.tools.contains(&it.upstream_name) => {}
            Ok(it) if kept.iter().any(|other| other.name == it.name) => {
                refused.push(format!("two tools are called `{}`; the first one counts", it.name));
            }
            Ok(it) => kept.push(it),
            Err(why) => refused.push(why),
        }
    }
    (kept, refused)
}

/// Every page of a list, and how long it is good by the upstream's own word.
pub(crate) async fn fetch(
    upstream: &Upstream,
    method: &'static str,
    member: &str,
) -> Result<(Vec<Raw>, Option<u64>), UpstreamError> {
    let garbage = |why: &str| UpstreamError::garbage(&upstream.name, why);
    let deadline = Instant::now() + upstream.start_timeout();
    let (mut items, mut ttl_ms) = (Vec::new(), None);
    let mut cursor: Option<String> = None;
    for _ in 0..PAGES_MAX {
        let params = cursor.as_ref().map_or_else(
            || "{}".to_owned(),
            |cursor| {
                let mut text = br#"{"cursor":"#.to_vec();
                push_string(&mut text, cursor);
                text.push(b'}');
                String::from_utf8(text).unwrap_or_default()
            },
        );
        let order = Order::own(method, params, deadline);
        let page = upstream.request(&order).await?;
        let page =
            page.map_err(|RpcError { code, message, data }| UpstreamError::Rpc { code, message, data })?;
        let fields = Fields::read(page.get()).map_err(|_| garbage("a list is no object"))?;
        let list = fields.get(member).ok_or_else(|| garbage("a list has no items"))?;
        let list: Vec<&RawValue> =
            serde_json::from_str(list.get()).map_err(|_| garbage("a list is no list"))?;
        ttl_ms = ttl_ms.or_else(|| fields.get("ttlMs").and_then(|it| it.get().parse().ok()));
        if items.len() + list.len() > ITEMS_MAX {
            return Err(garbage("a list has too many items"));
        }
        items.extend(list.into_iter().map(Raw::from));
        let next: Option<String> = fields.text("nextCursor").map(Into::into);
        match next {
            Some(next) if cursor.as_ref() != Some(&next) => cursor = Some(next),
            _ => return Ok((items, ttl_ms)),
        }
    }
    Err(garbage("a list has too many pages"))
}
