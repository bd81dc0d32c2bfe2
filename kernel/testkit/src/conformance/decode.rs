//! How a mounted server treats arguments: good ones, unknown ones, wrong ones.

use std::{sync::Arc, thread};

use kernel::{Caching, Effect, ErrorKind, Mounted, ServerEntry, StartContext, ToolSpec};
use serde_json::{Value, json};

use super::Findings;
use crate::sample_arguments;

/// A value no message may repeat: arguments can be secrets.
const CANARY: &str = "canary-8d1f";

pub(super) fn check(entry: &ServerEntry, config: Value, specs: &[ToolSpec], findings: &mut Findings) {
    let server = match mount(entry, config) {
        Ok(server) => server,
        Err(reason) => {
            return findings.must(
                false,
                "C5",
                entry.facts.name,
                format!("does not start with this config while its backend is away: {reason}"),
            );
        }
    };
    findings.must(
        server.specs().len() == specs.len(),
        "T2",
        entry.facts.name,
        "mounted, it lists other tools",
    );
    for spec in specs {
        tool(server.as_ref(), spec, findings);
    }
    let stranger = server.prepare("no_such_tool", json!({})).err().map(|error| error.kind);
    findings.must(
        stranger == Some(ErrorKind::NotFound),
        "A5",
        entry.facts.name,
        "a tool it does not have is not refused as not_found",
    );
}

/// Connects in a thread of its own, so that the suite runs inside an async test too.
fn mount(entry: &ServerEntry, config: Value) -> Result<Arc<dyn Mounted>, String> {
    let entry = *entry;
    thread::scope(|scope| {
        let connecting = scope.spawn(|| {
            let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
            let start = StartContext {
                state_dir: folder.path().to_owned(),
                roots: vec![folder.path().to_owned()],
                protected: Vec::new(),
                launcher: None,
            };
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(|error| error.to_string())?;
            runtime.block_on((entry.mount)(config, start)).map_err(|error| error.to_string())
        });
        connecting.join().unwrap_or_else(|_| Err("it panicked".to_owned()))
    })
}

fn tool(server: &dyn Mounted, spec: &ToolSpec, findings: &mut Findings) {
    let name = spec.name.as_str();
    let arguments = match sample_arguments(&spec.input_schema) {
        Ok(arguments) => arguments,
        Err(field) => {
            return findings.must(
                false,
                "A1",
                name,
                format!("no value for `{field}` can be made from the schema: give it an example"),
            );
        }
    };
    good(server, spec, &arguments, findings);
    unknown_field(server, name, &arguments, findings);
    not_an_object(server, name, findings);
    let properties = spec.input_schema["properties"].as_object();
    for (field, schema) in properties.into_iter().flatten() {
        wrong_type(server, name, field, schema, &arguments, findings);
    }
    for field in spec.input_schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        let mut arguments = arguments.clone();
        arguments.as_object_mut().and_then(|it| it.remove(field));
        let refused = refusal(server, name, arguments).is_some();
        findings.must(refused, "A3", name, format!("`{field}` is required, yet a call without it is taken"));
    }
}

fn good(server: &dyn Mounted, spec: &ToolSpec, arguments: &Value, findings: &mut Findings) {
    let name = spec.name.as_str();
    let first = match server.prepare(name, arguments.clone()) {
        Ok(prepared) => prepared,
        Err(error) => {
            return findings.must(false, "A1", name, format!("refuses what its schema allows: {error}"));
        }
    };
    let again = server.prepare(name, arguments.clone()).map(|it| it.resources()).unwrap_or_default();
    let resources = first.resources();
    findings.must(
        resources == first.resources() && resources == again,
        "R1",
        name,
        "resources() is not pure",
    );
    let named = resources.iter().all(|it| !it.kind.is_empty() && !it.id.is_empty());
    findings.must(named, "R2", name, "a resource has no kind or no id");
    let traits = first.traits();
    findings.must(traits.effect == spec.effect, "E2", name, "the effect differs from the listing's");
    findings.must(
        traits.caching == Caching::Never || traits.effect == Effect::Read,
        "E3",
        name,
        "only a read may be answered from the cache",
    );
}

fn unknown_field(server: &dyn Mounted, name: &str, arguments: &Value, findings: &mut Findings) {
    let mut arguments = arguments.clone();
    arguments["no_such_field"] = CANARY.into();
    match refusal(server, name, arguments) {
        None => findings.must(false, "A2", name, "an unknown field is taken"),
        Some(message) => {
            findings.must(!message.contains(CANARY), "A4", name, "the refusal repeats the value of a field");
        }
    }
}

fn not_an_object(server: &dyn Mounted, name: &str, findings: &mut Findings) {
    for arguments in [json!([]), json!("text"), json!(7), Value::Null] {
        let refused = refusal(server, name, arguments).is_some();
        findings.must(refused, "A2", name, "arguments that are no object are taken");
    }
}

fn wrong_type(
    server: &dyn Mounted,
    name: &str,
    field: &str,
    schema: &Value,
    arguments: &Value,
    findings: &mut Findings,
) {
    let place = format!("{name}.{field}");
    let Ok(validator) = jsonschema::draft202012::new(schema) else { return };
    let wrong = [json!(CANARY), json!([[CANARY]]), json!({ CANARY: [CANARY] }), json!(-0.5), json!(true)];
    for value in wrong.into_iter().filter(|value| !validator.is_valid(value)) {
        let mut arguments = arguments.clone();
        arguments[field] = value;
        match refusal(server, name, arguments) {
            None => findings.must(false, "A3", &place, "a value of the wrong type is taken"),
            Some(message) => {
                findings.must(!message.contains(CANARY), "A4", &place, "the refusal repeats the value");
            }
        }
    }
}

/// The text of a refusal with `validation_failed`; `None` when the call was taken or refused otherwise.
fn refusal(server: &dyn Mounted, tool: &str, arguments: Value) -> Option<String> {
    let error = server.prepare(tool, arguments).err()?;
    let hints = error.hints.join(" ");
    (error.kind == ErrorKind::ValidationFailed).then(|| format!("{} {hints}", error.message))
}
