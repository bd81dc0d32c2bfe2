//! What expressions of a running workflow read.

use std::sync::LazyLock;

use serde_json::{Value, json};

use super::{Failure, walk::Walk};
use crate::{
    expression::{ExpressionError, Names, render},
    program::Program,
};

/// A step that did not run: its branch was not taken, or it comes later.
static PENDING: LazyLock<Value> =
    LazyLock::new(|| json!({ "status": "pending", "out": null, "error": null }));

impl Names for Walk<'_> {
    fn root(&self, name: &str) -> Option<&Value> {
        for scope in self.scopes.iter().rev() {
            if let Some(value) = scope.variables.get(name) {
                return Some(value);
            }
            if let Some(inputs) = &scope.inputs {
                return match name {
                    "inputs" => Some(inputs),
                    "run" => Some(&self.core.run),
                    _ => None,
                };
            }
        }
        None
    }

    fn step(&self, id: &str) -> Option<&Value> {
        for scope in self.scopes.iter().rev() {
            if let Some(value) = scope.results.get(id) {
                return Some(value);
            }
            if scope.inputs.is_some() {
                break;
            }
        }
        Some(&PENDING)
    }
}

/// The names, and an event that arrived.
pub(super) struct WithEvent<'a> {
    pub(super) names: &'a dyn Names,
    pub(super) event: &'a Value,
}

impl Names for WithEvent<'_> {
    fn root(&self, name: &str) -> Option<&Value> {
        if name == "event" { Some(self.event) } else { self.names.root(name) }
    }

    fn step(&self, id: &str) -> Option<&Value> {
        self.names.step(id)
    }
}

impl Walk<'_> {
    /// Writes out a value.
    pub(super) fn render(&self, program: &Program, value: &Value) -> Result<Value, Failure> {
        render(value, &program.templates, self).map_err(failed)
    }

    /// Whether a condition holds; without one it does.
    pub(super) fn holds(&self, program: &Program, condition: Option<&str>) -> Result<bool, Failure> {
        holds(program, condition, self)
    }
}

pub(super) fn holds(program: &Program, condition: Option<&str>, names: &dyn Names) -> Result<bool, Failure> {
    let Some(text) = condition else { return Ok(true) };
    let missing = || Failure::new("expression", "the expression was not checked");
    program.conditions.get(text).ok_or_else(missing)?.holds(names).map_err(failed)
}

fn failed(error: ExpressionError) -> Failure {
    Failure::new("expression", error.0)
}
