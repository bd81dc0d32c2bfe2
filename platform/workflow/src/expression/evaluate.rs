//! The evaluator: values are JSON, work is counted.

use std::{borrow::Cow, cell::Cell};

use cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue, operators as op,
};
use serde_json::{Map, Number, Value};

use super::{ExpressionError, Names, functions, kind};
use crate::bounds::FUEL;

pub(super) type Result<T> = std::result::Result<T, ExpressionError>;

/// Evaluates with full fuel.
pub(super) fn run(root: &IdedExpr, names: &dyn Names) -> Result<Value> {
    let fuel = Cell::new(FUEL);
    let scope = Scope { names, fuel: &fuel, bound: None };
    scope.eval(root).map(Cow::into_owned)
}

pub(super) fn fail<T>(message: impl Into<String>) -> Result<T> {
    Err(ExpressionError(message.into()))
}

/// The names of one place, and the fuel that is left.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    names: &'a dyn Names,
    fuel: &'a Cell<u64>,
    bound: Option<&'a Bound<'a>>,
}

/// A variable of a macro.
struct Bound<'a> {
    name: &'a str,
    value: &'a Value,
    outer: Option<&'a Self>,
}

impl<'a> Scope<'a> {
    pub(super) fn eval(&self, at: &'a IdedExpr) -> Result<Cow<'a, Value>> {
        self.burn(1)?;
        match &at.expr {
            Expr::Literal(literal) => literal_value(literal).map(Cow::Owned),
            Expr::Ident(name) => self.name(name),
            Expr::Select(select) => {
                if select.test {
                    return self.has(&select.operand, &select.field).map(|it| Cow::Owned(it.into()));
                }
                self.select(&select.operand, &select.field)
            }
            Expr::List(list) => {
                let items = list.elements.iter().map(|it| self.owned(it)).collect::<Result<_>>()?;
                Ok(Cow::Owned(Value::Array(items)))
            }
            Expr::Map(map) => {
                let mut object = Map::new();
                for entry in &map.entries {
                    let EntryExpr::MapEntry(entry) = &entry.expr else {
                        return fail("a map has keys and values");
                    };
                    let key = match self.owned(&entry.key)? {
                        Value::String(key) => key,
                        other => return fail(format!("a key is text, and this one is {}", kind(&other))),
                    };
                    object.insert(key, self.owned(&entry.value)?);
                }
                Ok(Cow::Owned(Value::Object(object)))
            }
            Expr::Call(call) => self.call(call),
            Expr::Comprehension(it) => self.comprehension(it).map(Cow::Owned),
            Expr::Struct(_) | Expr::Unspecified => fail("message literals are not supported"),
        }
    }

    /// The value as our own; copying costs.
    pub(super) fn owned(&self, at: &'a IdedExpr) -> Result<Value> {
        match self.eval(at)? {
            Cow::Owned(value) => Ok(value),
            Cow::Borrowed(value) => {
                self.burn(size_of(value) / 32)?;
                Ok(value.clone())
            }
        }
    }

    pub(super) fn burn(&self, work: u64) -> Result<()> {
        match self.fuel.get().checked_sub(work) {
            Some(left) => {
                self.fuel.set(left);
                Ok(())
            }
            None => fail("the expression does too much work; narrow the list or let a tool do it"),
        }
    }

    fn name(&self, name: &str) -> Result<Cow<'a, Value>> {
        let mut bound = self.bound;
        while let Some(it) = bound {
            if it.name == name {
                return Ok(Cow::Borrowed(it.value));
            }
            bound = it.outer;
        }
        if name == "steps" {
            return fail("`steps` is read as `steps.NAME`");
        }
        self.names
            .root(name)
            .map(Cow::Borrowed)
            .ok_or_else(|| ExpressionError(format!("there is no `{name}` here")))
    }

    fn is_steps(&self, at: &IdedExpr) -> bool {
        matches!(&at.expr, Expr::Ident(name) if name == "steps")
    }

    fn select(&self, operand: &'a IdedExpr, field: &str) -> Result<Cow<'a, Value>> {
        if self.is_steps(operand) {
            let found = self.names.step(field).map(Cow::Borrowed);
            return found.ok_or_else(|| ExpressionError(format!("there is no step `{field}` here")));
        }
        let missing = |value: &Value| match value {
            Value::Object(_) => ExpressionError(format!("there is no field `{field}`; test it with has(…)")),
            other => ExpressionError(format!("{} has no field `{field}`", kind(other))),
        };
        match self.eval(operand)? {
            Cow::Borrowed(value) => value.get(field).map(Cow::Borrowed).ok_or_else(|| missing(value)),
            Cow::Owned(mut value) => match value.get_mut(field).map(Value::take) {
                Some(inner) => Ok(Cow::Owned(inner)),
                None => Err(missing(&value)),
            },
        }
    }

    fn has(&self, operand: &'a IdedExpr, field: &str) -> Result<bool> {
        if self.is_steps(operand) {
            return Ok(self.names.step(field).is_some());
        }
        Ok(self.eval(operand).is_ok_and(|it| it.get(field).is_some_and(|it| !it.is_null())))
    }

    fn call(&self, call: &'a CallExpr) -> Result<Cow<'a, Value>> {
        let args = &call.args;
        match (call.func_name.as_str(), args.as_slice()) {
            (op::CONDITIONAL, [condition, yes, no]) => {
                if self.boolean(condition)? {
                    self.eval(yes)
                } else {
                    self.eval(no)
                }
            }
            (op::LOGICAL_AND, [left, right]) => {
                self.either(left, right, false).map(|it| Cow::Owned(it.into()))
            }
            (op::LOGICAL_OR, [left, right]) => self.either(left, right, true).map(|it| Cow::Owned(it.into())),
            (op::LOGICAL_NOT, [it]) => Ok(Cow::Owned((!self.boolean(it)?).into())),
            (op::NOT_STRICTLY_FALSE, [it]) => {
                let value = self.eval(it);
                Ok(Cow::Owned((!value.is_ok_and(|it| *it == Value::Bool(false))).into()))
            }
            (op::INDEX, [list, index]) => self.index(list, index),
            (name, _) => {
                let target = call.target.as_ref().map(|it| self.eval(it)).transpose()?;
                let args = args.iter().map(|it| self.eval(it)).collect::<Result<Vec<_>>>()?;
                functions::call(self, name, target.as_deref(), &args).map(Cow::Owned)
            }
        }
    }

    /// CEL's `&&` and `||`: an error on one side does not matter when the other side decides.
    fn either(&self, left: &'a IdedExpr, right: &'a IdedExpr, decides: bool) -> Result<bool> {
        let first = self.boolean(left);
        if first == Ok(decides) {
            return Ok(decides);
        }
        match (first, self.boolean(right)) {
            (_, Ok(it)) if it == decides => Ok(decides),
            (Err(error), _) | (_, Err(error)) => Err(error),
            (Ok(_), Ok(_)) => Ok(!decides),
        }
    }

    fn boolean(&self, at: &'a IdedExpr) -> Result<bool> {
        match &*self.eval(at)? {
            Value::Bool(it) => Ok(*it),
            other => fail(format!("expected true or false, and this is {}", kind(other))),
        }
    }

    fn index(&self, list: &'a IdedExpr, index: &'a IdedExpr) -> Result<Cow<'a, Value>> {
        let index = self.owned(index)?;
        if self.is_steps(list) {
            let name = index.as_str().unwrap_or_default();
            let found = self.names.step(name).map(Cow::Borrowed);
            return found.ok_or_else(|| ExpressionError(format!("there is no step `{name}` here")));
        }
        let find = |value: &Value| match (value, &index) {
            (Value::Array(_), Value::Number(it)) => {
                it.as_u64().and_then(|it| usize::try_from(it).ok()).map(At::Item)
            }
            (Value::Object(_), Value::String(key)) => Some(At::Key(key.clone())),
            _ => None,
        };
        let missing = || ExpressionError(format!("there is nothing at [{index}]"));
        match self.eval(list)? {
            Cow::Borrowed(value) => {
                let found = match find(value).ok_or_else(missing)? {
                    At::Item(it) => value.get(it),
                    At::Key(it) => value.get(&it),
                };
                found.map(Cow::Borrowed).ok_or_else(missing)
            }
            Cow::Owned(mut value) => {
                let found = match find(&value).ok_or_else(missing)? {
                    At::Item(it) => value.get_mut(it),
                    At::Key(it) => value.get_mut(&it),
                };
                found.map(|it| Cow::Owned(it.take())).ok_or_else(missing)
            }
        }
    }

    fn comprehension(&self, it: &'a ComprehensionExpr) -> Result<Value> {
        let range = self.eval(&it.iter_range)?;
        let items: Vec<Cow<'_, Value>> = match &*range {
            Value::Array(items) => items.iter().map(Cow::Borrowed).collect(),
            Value::Object(map) => map.keys().map(|key| Cow::Owned(Value::from(key.as_str()))).collect(),
            other => return fail(format!("expected a list, and this is {}", kind(other))),
        };
        let mut accu = self.owned(&it.accu_init)?;
        for item in &items {
            let inner = Bound { name: &it.iter_var, value: item, outer: self.bound };
            let scope = Scope { bound: Some(&inner), ..*self };
            if !scope.goes_on(it, &accu)? {
                break;
            }
            accu = scope.step(it, &it.loop_step, accu)?;
        }
        let inner = Bound { name: &it.accu_var, value: &accu, outer: self.bound };
        Scope { bound: Some(&inner), ..*self }.owned(&it.result)
    }
}

enum At {
    Item(usize),
    Key(String),
}

impl Scope<'_> {
    fn goes_on(&self, it: &ComprehensionExpr, accu: &Value) -> Result<bool> {
        if matches!(it.loop_cond.expr, Expr::Literal(_)) {
            return Ok(true);
        }
        let inner = Bound { name: &it.accu_var, value: accu, outer: self.bound };
        Scope { names: self.names, fuel: self.fuel, bound: Some(&inner) }.boolean(&it.loop_cond)
    }

    /// One round. `map` and `filter` add to a list: done in place, so that a long list costs its length.
    fn step(&self, it: &ComprehensionExpr, step: &IdedExpr, mut accu: Value) -> Result<Value> {
        self.burn(1)?;
        match &step.expr {
            Expr::Ident(name) if *name == it.accu_var => return Ok(accu),
            Expr::Call(call) if call.func_name == op::CONDITIONAL && call.args.len() == 3 => {
                let chosen = if self.boolean(&call.args[0])? { &call.args[1] } else { &call.args[2] };
                return self.step(it, chosen, accu);
            }
            Expr::Call(call) if call.func_name == op::ADD && call.args.len() == 2 => {
                if let (Expr::Ident(name), Expr::List(more), Value::Array(items)) =
                    (&call.args[0].expr, &call.args[1].expr, &mut accu)
                    && *name == it.accu_var
                {
                    for element in &more.elements {
                        items.push(self.owned(element)?);
                    }
                    return Ok(accu);
                }
            }
            _ => {}
        }
        let inner = Bound { name: &it.accu_var, value: &accu, outer: self.bound };
        Scope { names: self.names, fuel: self.fuel, bound: Some(&inner) }.owned(step)
    }
}

fn literal_value(literal: &LiteralValue) -> Result<Value> {
    Ok(match literal {
        LiteralValue::Boolean(it) => (*it.inner()).into(),
        LiteralValue::Int(it) => (*it.inner()).into(),
        LiteralValue::UInt(it) => (*it.inner()).into(),
        LiteralValue::Double(it) => Number::from_f64(*it.inner()).map_or(Value::Null, Value::Number),
        LiteralValue::String(it) => it.inner().into(),
        LiteralValue::Null => Value::Null,
        LiteralValue::Bytes(_) => return fail("bytes are not supported"),
    })
}

/// Bytes of a value, roughly.
pub(super) fn size_of(value: &Value) -> u64 {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 8,
        Value::String(text) => 16 + text.len() as u64,
        Value::Array(items) => 16 + items.iter().map(size_of).sum::<u64>(),
        Value::Object(map) => {
            16 + map.iter().map(|(key, it)| 16 + key.len() as u64 + size_of(it)).sum::<u64>()
        }
    }
}
