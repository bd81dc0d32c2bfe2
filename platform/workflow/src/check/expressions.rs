//! Whether expressions parse and name what is there.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Path, Report};
use crate::{
    expression::{Expression, ExpressionError, Template, known},
    model::Definition,
    problem::{ProblemClass, suggest},
    program::walk,
};

/// What expressions at one place of the file may read.
pub(super) struct Reader<'a> {
    definition: &'a Definition,
    all: BTreeSet<&'a str>,
    visible: Vec<String>,
    variables: Vec<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(definition: &'a Definition) -> Self {
        let mut all = BTreeSet::new();
        walk(&definition.steps, &mut |step| {
            all.insert(step.id.as_str());
        });
        Self { definition, all, visible: Vec::new(), variables: Vec::new() }
    }

    /// From here on `steps.ID` can be read.
    pub(super) fn now_visible(&mut self, id: &str) {
        self.visible.push(id.to_owned());
    }

    pub(super) fn visible_count(&self) -> usize {
        self.visible.len()
    }

    /// Takes away what became visible after a moment.
    pub(super) fn hide_after(&mut self, count: usize) -> Vec<String> {
        self.visible.split_off(count)
    }

    /// Inside a `for_each`.
    pub(super) fn enter(&mut self, name: &str) {
        self.variables.extend([name.to_owned(), "index".to_owned()]);
    }

    pub(super) fn leave(&mut self) {
        self.variables.truncate(self.variables.len() - 2);
    }

    pub(super) fn condition(&self, text: Option<&str>, path: &Path, report: &mut Report<'_>) {
        self.one(text, false, path, report);
    }

    /// A condition about an event that arrived.
    pub(super) fn event_condition(&self, text: Option<&str>, path: &Path, report: &mut Report<'_>) {
        self.one(text, true, path, report);
    }

    fn one(&self, text: Option<&str>, with_event: bool, path: &Path, report: &mut Report<'_>) {
        let Some(text) = text else { return };
        if text.trim_start().starts_with("${{") {
            let fix = "write the expression without the braces";
            report.add(ProblemClass::Expression, path, "a condition is an expression already", fix);
            return;
        }
        match Expression::parse(text) {
            Ok(it) => self.names(&it, with_event, path, report),
            Err(error) => broken(error, path, report),
        }
    }

    pub(super) fn text(&self, text: &str, path: &Path, report: &mut Report<'_>) {
        self.template(text, path, report);
    }

    pub(super) fn value(&self, value: &Value, path: &Path, report: &mut Report<'_>) {
        self.every(value, path, report);
    }

    fn every(&self, value: &Value, path: &Path, report: &mut Report<'_>) {
        match value {
            Value::String(text) => self.template(text, path, report),
            Value::Array(items) => {
                items.iter().enumerate().for_each(|(at, it)| self.every(it, &path.with(at), report));
            }
            Value::Object(map) => {
                map.iter().for_each(|(key, it)| self.every(it, &path.with(key), report));
            }
            _ => {}
        }
    }

    fn template(&self, text: &str, path: &Path, report: &mut Report<'_>) {
        match Template::parse(text) {
            Ok(template) => {
                template.expressions().into_iter().for_each(|it| self.names(it, false, path, report));
            }
            Err(error) => broken(error, path, report),
        }
    }

    fn names(&self, expression: &Expression, with_event: bool, path: &Path, report: &mut Report<'_>) {
        let class = ProblemClass::Expression;
        let found = expression.references();
        for name in &found.unknown_functions {
            let known = known();
            let fix = suggest(name, known.iter().copied(), format!("there are {}", known.join(", ")));
            report.add(class, path, format!("there is no function `{name}`"), fix);
        }
        if found.bare_steps {
            report.add(class, path, "`steps` alone is no value", "read one of them: `steps.ID.out`");
        }
        let mut roots = vec!["inputs", "steps", "run"];
        roots.extend(self.variables.iter().map(String::as_str));
        if with_event {
            roots.push("event");
        }
        for name in found.roots.iter().filter(|it| !roots.contains(&it.as_str())) {
            let fix = suggest(name, roots.iter().copied(), format!("there are {}", roots.join(", ")));
            report.add(class, path, format!("there is no `{name}` here"), fix);
        }
        for name in found.inputs.iter().filter(|it| !self.definition.inputs.contains_key(*it)) {
            let fix =
                suggest(name, self.definition.inputs.keys().map(String::as_str), "declare it under `inputs`");
            report.add(class, path, format!("there is no input `{name}`"), fix);
        }
        for id in found.steps.iter().filter(|it| !self.visible.contains(it)) {
            if self.all.contains(id.as_str()) {
                let message = format!("step `{id}` has not ended here");
                report.add(class, path, message, "read it in a later step outside its loop or branch");
            } else {
                let fix = suggest(id, self.all.iter().copied(), "name a step of this file");
                report.add(class, path, format!("there is no step `{id}`"), fix);
            }
        }
    }
}

fn broken(error: ExpressionError, path: &Path, report: &mut Report<'_>) {
    report.add(ProblemClass::Expression, path, error.0, "docs/workflows.md has the language of expressions");
}
