//! Conditions and templates in CEL, parsed by a crate and evaluated here.
//!
//! Evaluation is ours for two reasons: it must be bounded (an expression reads what servers answered, and a
//! workflow must not be able to spend a minute or a gigabyte), and it must be the same on every machine.
//! [`Expression`] is one parsed text, [`Template`] a string with `${{ … }}` in it, [`Names`] what they may read.

mod evaluate;
mod functions;
mod template;

use std::collections::BTreeSet;

use cel::common::ast::{EntryExpr, Expr, IdedExpr};
use serde_json::Value;

use crate::bounds::{EXPRESSION_CHARS_MAX, EXPRESSION_DEPTH_MAX};

pub(crate) use functions::known;
pub(crate) use template::{Template, render, texts};

/// What an expression may read.
pub(crate) trait Names {
    /// A root such as `inputs` or `item`.
    fn root(&self, name: &str) -> Option<&Value>;
    /// What is remembered of a step: `status`, `out`, `error`.
    fn step(&self, id: &str) -> Option<&Value>;
}

/// One parsed expression.
#[derive(Debug)]
pub(crate) struct Expression {
    root: IdedExpr,
}

/// Why an expression cannot be used or did not evaluate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct ExpressionError(pub(crate) String);

/// What an expression reads.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct References {
    /// Roots, without the variables of `map`, `filter` and the like.
    pub(crate) roots: BTreeSet<String>,
    /// `steps.NAME`.
    pub(crate) steps: BTreeSet<String>,
    /// `inputs.NAME`.
    pub(crate) inputs: BTreeSet<String>,
    /// Functions that do not exist.
    pub(crate) unknown_functions: BTreeSet<String>,
    /// `steps` without a literal name behind it.
    pub(crate) bare_steps: bool,
}

impl Expression {
    /// Parses one expression.
    pub(crate) fn parse(text: &str) -> Result<Self, ExpressionError> {
        if text.chars().count() > EXPRESSION_CHARS_MAX {
            return Err(ExpressionError(format!(
                "the expression is longer than {EXPRESSION_CHARS_MAX} characters"
            )));
        }
        if text.trim().is_empty() {
            return Err(ExpressionError("the expression is empty".into()));
        }
        if depth(text) > EXPRESSION_DEPTH_MAX {
            return Err(ExpressionError(format!(
                "the expression nests deeper than {EXPRESSION_DEPTH_MAX} brackets"
            )));
        }
        let root = cel::parser::Parser::default().parse(text).map_err(|errors| {
            let first = errors.errors.first().map_or_else(String::new, |it| it.msg.clone());
            let column = errors.errors.first().map_or(0, |it| it.pos.1);
            ExpressionError(format!("not a CEL expression: {} at character {}", one_line(&first), column + 1))
        })?;
        Ok(Self { root })
    }

    /// Evaluates it. Pure: the same names give the same value.
    pub(crate) fn evaluate(&self, names: &dyn Names) -> Result<Value, ExpressionError> {
        evaluate::run(&self.root, names)
    }

    /// Evaluates a condition.
    pub(crate) fn holds(&self, names: &dyn Names) -> Result<bool, ExpressionError> {
        match self.evaluate(names)? {
            Value::Bool(it) => Ok(it),
            other => Err(ExpressionError(format!("the condition is {} and not true or false", kind(&other)))),
        }
    }

    /// What it reads.
    pub(crate) fn references(&self) -> References {
        let mut found = References::default();
        collect(&self.root, &mut Vec::new(), &mut found);
        found
    }
}

/// Brackets, and signs before a value, inside one another. Quoted text counts too: a bound may be coarse.
fn depth(text: &str) -> usize {
    let (mut now, mut most, mut signs) = (0_usize, 0, 0_usize);
    for it in text.chars() {
        signs = if matches!(it, '!' | '-') { signs + 1 } else { 0 };
        match it {
            '(' | '[' | '{' | '?' => now += 1,
            ')' | ']' | '}' => now = now.saturating_sub(1),
            _ => {}
        }
        most = most.max(now + signs);
    }
    most
}

fn one_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(160).collect()
}

/// What people call the type of a value.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn collect(at: &IdedExpr, bound: &mut Vec<String>, found: &mut References) {
    match &at.expr {
        Expr::Ident(name) => {
            if !bound.contains(name) {
                found.bare_steps |= name == "steps";
                found.roots.insert(name.clone());
            }
        }
        Expr::Select(select) => match &select.operand.expr {
            Expr::Ident(name) if name == "steps" && !bound.contains(name) => {
                found.roots.insert(name.clone());
                found.steps.insert(select.field.clone());
            }
            Expr::Ident(name) if name == "inputs" && !bound.contains(name) => {
                found.roots.insert(name.clone());
                found.inputs.insert(select.field.clone());
            }
            _ => collect(&select.operand, bound, found),
        },
        Expr::Call(call) => {
            if !functions::is_known(&call.func_name, call.target.is_some()) {
                found.unknown_functions.insert(call.func_name.clone());
            }
            call.target.iter().for_each(|it| collect(it, bound, found));
            call.args.iter().for_each(|it| collect(it, bound, found));
        }
        Expr::List(list) => list.elements.iter().for_each(|it| collect(it, bound, found)),
        Expr::Map(map) => {
            for entry in &map.entries {
                if let EntryExpr::MapEntry(entry) = &entry.expr {
                    collect(&entry.key, bound, found);
                    collect(&entry.value, bound, found);
                }
            }
        }
        Expr::Comprehension(it) => {
            collect(&it.iter_range, bound, found);
            collect(&it.accu_init, bound, found);
            let before = bound.len();
            bound.extend([it.iter_var.clone(), it.accu_var.clone()]);
            bound.extend(it.iter_var2.clone());
            for part in [&it.loop_cond, &it.loop_step, &it.result] {
                collect(part, bound, found);
            }
            bound.truncate(before);
        }
        Expr::Struct(_) => {
            found.unknown_functions.insert("message literals".into());
        }
        Expr::Literal(_) | Expr::Unspecified => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_expression_reads_is_known_before_it_runs() {
        let found = Expression::parse(
            "steps.scan.out.findings.filter(f, f.severity in inputs.levels).size() > 0 && item.ok && sise(x) == 1",
        )
        .unwrap()
        .references();
        let names = |it: &BTreeSet<String>| it.iter().cloned().collect::<Vec<_>>().join(" ");
        assert_eq!(names(&found.steps), "scan");
        assert_eq!(names(&found.inputs), "levels");
        assert_eq!(names(&found.roots), "inputs item steps x");
        assert_eq!(names(&found.unknown_functions), "sise");
        assert!(!found.bare_steps);
        assert!(Expression::parse("steps").unwrap().references().bare_steps);
    }

    #[test]
    fn what_does_not_parse_or_is_out_of_bounds_is_refused() {
        for bad in [
            "",
            "1 +",
            "a ==",
            "(",
            &"(".repeat(40),
            &format!("{}1{}", "(".repeat(40), ")".repeat(40)),
            &"!".repeat(40),
            &format!("{}true", "a ? b : ".repeat(40)),
            &"x".repeat(EXPRESSION_CHARS_MAX + 1),
        ] {
            assert!(Expression::parse(bad).is_err(), "{bad}");
        }
    }
}
