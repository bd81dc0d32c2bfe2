//! Arguments against the schemas of the tools they go to.

use serde_json::{Map, Value};

use super::{Path, Report, steps::each_step};
use crate::{
    catalog::{Found, ToolCatalog},
    expression::Template,
    model::{Definition, Step},
    problem::{ProblemClass, suggest},
    program::Program,
};

/// The server published workflows belong to.
const WORKFLOWS: &str = "workflows";

pub(super) fn check(definition: &Definition, catalog: &ToolCatalog, report: &mut Report<'_>) {
    each_step(definition, &mut |step, path| {
        let is_optional = step.when_installed;
        if let Some(name) = &step.call {
            check_call(name, &step.with, path, is_optional, catalog, report);
        }
        if let Some(undo) = &step.undo {
            check_call(&undo.call, &undo.with, &path.with("undo"), is_optional, catalog, report);
        }
    });
}

/// Steps that are only for where their server is installed are skipped where it is not.
pub(super) fn skip_missing(steps: &mut [Step], catalog: &ToolCatalog) {
    for step in steps {
        let has = |name: &str| {
            let (server, tool) = name.split_once('.').unwrap_or((name, ""));
            catalog.effect(server, tool).is_some()
        };
        let calls = [step.call.as_deref(), step.undo.as_ref().map(|it| it.call.as_str())];
        if step.when_installed && !calls.into_iter().flatten().all(has) {
            step.condition = Some("false".into());
        }
        let mut blocks: Vec<&mut Vec<Step>> = Vec::new();
        blocks.extend(&mut step.steps);
        blocks.extend(&mut step.parallel);
        blocks.extend(step.for_each.as_mut().map(|it| &mut it.steps));
        blocks.extend(step.switch.iter_mut().flatten().map(|it| &mut it.steps));
        blocks.into_iter().for_each(|it| skip_missing(it, catalog));
    }
}

fn check_call(
    name: &str,
    with: &Map<String, Value>,
    path: &Path,
    is_optional: bool,
    catalog: &ToolCatalog,
    report: &mut Report<'_>,
) {
    let at = path.with("call");
    let Some((server, tool)) = name.split_once('.').filter(|(a, b)| !a.is_empty() && !b.is_empty()) else {
        let message = format!("`{name}` is not of the form server.tool");
        report.add(ProblemClass::UnknownTool, &at, message, "`core-mcp tools` lists the tools");
        return;
    };
    if server == WORKFLOWS {
        let fix = format!("write `workflow: {}` instead of `call`", tool.replace('_', "-"));
        report.add(ProblemClass::Nested, &at, "a workflow is no call", fix);
        return;
    }
    match catalog.find(server, tool) {
        Found::NoServer => {
            let fix = suggest(server, catalog.server_names(), "`core-mcp servers` lists the servers");
            report.add(ProblemClass::UnknownTool, &at, format!("no server is called `{server}`"), fix);
        }
        Found::NoTool { server } => {
            let fix =
                suggest(tool, catalog.tool_names(server), format!("`core-mcp tools {server}` lists them"));
            report.add(ProblemClass::UnknownTool, &at, format!("`{server}` has no tool `{tool}`"), fix);
        }
        Found::Undocumented { server } if !is_optional => not_installed(server, tool, &at, report),
        Found::Undocumented { .. } => {}
        Found::Tool { server, tool: known, installed } => {
            arguments(&known.schema, with, path, ProblemClass::Arguments, report);
            if !installed && !is_optional {
                not_installed(server, tool, &at, report);
            }
        }
    }
}

fn not_installed(server: &str, tool: &str, path: &Path, report: &mut Report<'_>) {
    let message = format!("`{tool}` of server `{server}` is documented, but not part of this installation");
    let fix = "the workflow can run once the server is installed";
    report.add(ProblemClass::ServerNotInstalled, path, message, fix);
}

/// The inputs of a nested workflow.
pub(super) fn check_inputs(step: &Step, program: &Program, path: &Path, report: &mut Report<'_>) {
    arguments(&program.inputs_schema(), &step.with, path, ProblemClass::Arguments, report);
}

/// Names, what is missing, and every value that is known before the run.
fn arguments(
    schema: &Value,
    with: &Map<String, Value>,
    path: &Path,
    class: ProblemClass,
    report: &mut Report<'_>,
) {
    let empty = Map::new();
    let known = schema["properties"].as_object().unwrap_or(&empty);
    let at = path.with("with");
    let missing = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    for name in missing.filter(|it| !with.contains_key(*it)) {
        let place = if with.is_empty() { path } else { &at };
        report.add(
            class,
            place,
            format!("argument `{name}` is missing"),
            format!("add `{name}` under `with`"),
        );
    }
    for (name, value) in with {
        let at = at.with(name);
        match known.get(name) {
            Some(rule) => one_argument(rule, value, &at, class, report),
            None if schema["additionalProperties"] == false => {
                let all: Vec<&str> = known.keys().map(String::as_str).collect();
                let fix = suggest(name, all.iter().copied(), format!("there are {}", all.join(", ")));
                report.add(class, &at, format!("there is no argument `{name}`"), fix);
            }
            None => {}
        }
    }
}

fn one_argument(rule: &Value, value: &Value, path: &Path, class: ProblemClass, report: &mut Report<'_>) {
    let mut has_templates = Vec::new();
    crate::expression::texts(value, &mut has_templates);
    if has_templates.is_empty() {
        let Ok(validator) = jsonschema::validator_for(rule) else { return };
        for error in validator.iter_errors(value).take(5) {
            let pointer = error.instance_path().to_string();
            let mut at = path.clone();
            for part in pointer.split('/').skip(1) {
                at = at.with(part);
            }
            report.add(class, &at, error.to_string(), "`core-mcp tools SERVER` shows what the tool takes");
        }
        return;
    }
    // Text with a value in it is text, whatever the value is.
    if let Value::String(text) = value
        && matches!(Template::parse(text), Ok(Template::Mixed(_)))
        && rule["type"].as_str().is_some_and(|it| it != "string")
    {
        let message =
            format!("the tool takes {} here, and this is text", rule["type"].as_str().unwrap_or_default());
        report.add(class, path, message, "use one `${{ … }}` alone: its value keeps its type");
    }
}
