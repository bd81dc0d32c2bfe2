//! CEL's operators and functions over JSON values.

use std::{borrow::Cow, cmp::Ordering};

use cel::common::ast::operators as op;
use serde_json::{Map, Number, Value};

use super::{
    ExpressionError,
    evaluate::{Result, Scope, fail, size_of},
    kind,
};

const OPERATORS: &[&str] = &[
    op::CONDITIONAL,
    op::LOGICAL_AND,
    op::LOGICAL_OR,
    op::LOGICAL_NOT,
    op::NOT_STRICTLY_FALSE,
    op::INDEX,
    op::IN,
    op::ADD,
    op::SUBSTRACT,
    op::MULTIPLY,
    op::DIVIDE,
    op::MODULO,
    op::NEGATE,
    op::EQUALS,
    op::NOT_EQUALS,
    op::GREATER,
    op::GREATER_EQUALS,
    op::LESS,
    op::LESS_EQUALS,
];
/// Called as `f(x)`.
const GLOBAL: &[&str] = &["size", "string", "int", "double", "type", "json", "default"];
/// Called as `x.f(…)`.
const METHODS: &[&str] = &[
    "size",
    "contains",
    "startsWith",
    "endsWith",
    "matches",
    "lowerAscii",
    "upperAscii",
    "trim",
    "split",
    "join",
    "replace",
];

/// Whether a call names something that exists.
pub(super) fn is_known(name: &str, is_method: bool) -> bool {
    if is_method { METHODS.contains(&name) } else { OPERATORS.contains(&name) || GLOBAL.contains(&name) }
}

/// The functions for people.
pub(crate) fn known() -> Vec<&'static str> {
    let mut all = [GLOBAL, METHODS, &["has", "all", "exists", "exists_one", "map", "filter"]].concat();
    all.sort_unstable();
    all.dedup();
    all
}

/// Calls one function with evaluated arguments.
pub(super) fn call(
    scope: &Scope<'_>,
    name: &str,
    target: Option<&Value>,
    args: &[Cow<'_, Value>],
) -> Result<Value> {
    match (target, name, args) {
        (None, op::ADD, [left, right]) => add(scope, left, right),
        (None, op::SUBSTRACT | op::MULTIPLY | op::DIVIDE | op::MODULO, [left, right]) => {
            arithmetic(name, left, right)
        }
        (None, op::NEGATE, [it]) => arithmetic(op::SUBSTRACT, &Value::from(0), it),
        (None, op::EQUALS, [left, right]) => {
            compare_work(scope, left, right).map(|()| equal(left, right).into())
        }
        (None, op::NOT_EQUALS, [left, right]) => {
            compare_work(scope, left, right).map(|()| (!equal(left, right)).into())
        }
        (None, op::GREATER, [left, right]) => order(left, right).map(|it| it.is_gt().into()),
        (None, op::GREATER_EQUALS, [left, right]) => order(left, right).map(|it| it.is_ge().into()),
        (None, op::LESS, [left, right]) => order(left, right).map(|it| it.is_lt().into()),
        (None, op::LESS_EQUALS, [left, right]) => order(left, right).map(|it| it.is_le().into()),
        (None, op::IN, [item, list]) => {
            scope.burn(size_of(list) / 32)?;
            match &**list {
                Value::Array(items) => Ok(items.iter().any(|it| equal(it, item)).into()),
                Value::Object(map) => Ok(item.as_str().is_some_and(|key| map.contains_key(key)).into()),
                other => fail(format!("`in` needs a list or an object, and this is {}", kind(other))),
            }
        }
        (None, "size", [it]) => size(it),
        (Some(it), "size", []) => size(it),
        (None, "string", [it]) => text(scope, it).map(Value::from),
        (None, "json", [it]) => {
            scope.burn(size_of(it) / 16)?;
            Ok(it.to_string().into())
        }
        (None, "int", [it]) => int(it),
        (None, "double", [it]) => double(it),
        (None, "type", [it]) => Ok(type_name(it).into()),
        (None, "default", [it, otherwise]) => {
            let chosen = if it.is_null() { otherwise } else { it };
            scope.burn(size_of(chosen) / 32)?;
            Ok(Value::clone(chosen))
        }
        (Some(Value::String(it)), _, _) => on_text(scope, name, it, args),
        (Some(Value::Array(it)), "join", [separator]) => join(scope, it, separator),
        (Some(Value::Array(it)), "contains", [item]) => {
            scope.burn(it.len() as u64)?;
            Ok(it.iter().any(|other| equal(other, item)).into())
        }
        (Some(other), _, _) => {
            fail(format!("{} has no function `{name}` with {} arguments", kind(other), args.len()))
        }
        (None, _, _) => fail(format!("there is no function `{name}` with {} arguments", args.len())),
    }
}

fn on_text(scope: &Scope<'_>, name: &str, it: &str, args: &[Cow<'_, Value>]) -> Result<Value> {
    scope.burn(it.len() as u64 / 32)?;
    let words: Vec<&str> = args.iter().filter_map(|it| it.as_str()).collect();
    if words.len() != args.len() {
        return fail(format!("`{name}` takes text"));
    }
    Ok(match (name, words.as_slice()) {
        ("contains", [part]) => it.contains(part).into(),
        ("startsWith", [part]) => it.starts_with(part).into(),
        ("endsWith", [part]) => it.ends_with(part).into(),
        ("matches", [pattern]) => matches(scope, it, pattern)?.into(),
        ("lowerAscii", []) => it.to_ascii_lowercase().into(),
        ("upperAscii", []) => it.to_ascii_uppercase().into(),
        ("trim", []) => it.trim().into(),
        ("split", [separator]) => {
            let parts: Vec<Value> = it.split(separator).map(Value::from).collect();
            scope.burn(parts.len() as u64)?;
            parts.into()
        }
        ("replace", [from, to]) => {
            let found = it.matches(from).count() as u64;
            scope.burn(found * (1 + to.len() as u64 / 32))?;
            it.replace(from, to).into()
        }
        _ => return fail(format!("text has no function `{name}` with {} arguments", args.len())),
    })
}

fn matches(scope: &Scope<'_>, it: &str, pattern: &str) -> Result<bool> {
    // Compiling costs more than matching; both are bounded by the sizes.
    scope.burn(200 + pattern.len() as u64 * 4 + it.len() as u64 / 8)?;
    let compiled = regex::RegexBuilder::new(pattern).size_limit(1 << 18).build();
    compiled.map(|it_is| it_is.is_match(it)).map_err(|_| {
        ExpressionError("the pattern of `matches` is no regular expression, or too large".into())
    })
}

fn join(scope: &Scope<'_>, items: &[Value], separator: &Value) -> Result<Value> {
    let Some(separator) = separator.as_str() else { return fail("`join` takes text") };
    let mut joined = String::new();
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            joined.push_str(separator);
        }
        scope.burn(1 + separator.len() as u64 / 32)?;
        joined.push_str(&text(scope, item)?);
    }
    Ok(joined.into())
}

/// How a value reads inside text.
pub(super) fn text(scope: &Scope<'_>, value: &Value) -> Result<String> {
    scope.burn(size_of(value) / 32)?;
    Ok(match value {
        Value::String(it) => it.clone(),
        other => other.to_string(),
    })
}

fn add(scope: &Scope<'_>, left: &Value, right: &Value) -> Result<Value> {
    match (left, right) {
        (Value::String(left), Value::String(right)) => {
            scope.burn((left.len() + right.len()) as u64 / 32)?;
            Ok(format!("{left}{right}").into())
        }
        (Value::Array(left), Value::Array(right)) => {
            let work: u64 = left.iter().chain(right).map(size_of).sum();
            scope.burn(work / 32)?;
            Ok(left.iter().chain(right).cloned().collect())
        }
        _ => arithmetic(op::ADD, left, right),
    }
}

fn arithmetic(name: &str, left: &Value, right: &Value) -> Result<Value> {
    let (Value::Number(left), Value::Number(right)) = (left, right) else {
        return fail(format!("cannot compute with {} and {}", kind(left), kind(right)));
    };
    let overflow = || ExpressionError("the number is too large, or divided by zero".into());
    if let (Some(left), Some(right)) = (left.as_i64(), right.as_i64()) {
        let whole = match name {
            op::ADD => left.checked_add(right),
            op::SUBSTRACT => left.checked_sub(right),
            op::MULTIPLY => left.checked_mul(right),
            op::DIVIDE => left.checked_div(right),
            _ => left.checked_rem(right),
        };
        return whole.map(Value::from).ok_or_else(overflow);
    }
    let (left, right) = (left.as_f64().unwrap_or(f64::NAN), right.as_f64().unwrap_or(f64::NAN));
    let real = match name {
        op::ADD => left + right,
        op::SUBSTRACT => left - right,
        op::MULTIPLY => left * right,
        op::DIVIDE => left / right,
        _ => return fail("% needs whole numbers"),
    };
    Number::from_f64(real).map(Value::Number).ok_or_else(overflow)
}

fn compare_work(scope: &Scope<'_>, left: &Value, right: &Value) -> Result<()> {
    scope.burn(size_of(left).min(size_of(right)) / 32)
}

/// Numbers are equal when they mean the same: `1 == 1.0`.
fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left == right || left.as_f64() == right.as_f64(),
        _ => left == right,
    }
}

fn order(left: &Value, right: &Value) -> Result<Ordering> {
    match (left, right) {
        (Value::Number(a), Value::Number(b)) => {
            let whole = a.as_i64().zip(b.as_i64()).map(|(a, b)| a.cmp(&b));
            let real = || a.as_f64().zip(b.as_f64()).and_then(|(a, b)| a.partial_cmp(&b));
            whole.or_else(real).ok_or_else(|| ExpressionError("these numbers cannot be compared".into()))
        }
        (Value::String(a), Value::String(b)) => Ok(a.cmp(b)),
        (Value::Bool(a), Value::Bool(b)) => Ok(a.cmp(b)),
        _ => fail(format!("{} and {} have no order", kind(left), kind(right))),
    }
}

fn size(it: &Value) -> Result<Value> {
    let count = match it {
        Value::String(text) => text.chars().count(),
        Value::Array(items) => items.len(),
        Value::Object(map) => Map::len(map),
        other => return fail(format!("{} has no size", kind(other))),
    };
    Ok(count.into())
}

fn int(it: &Value) -> Result<Value> {
    let whole = match it {
        Value::Number(it) if it.is_i64() || it.is_u64() => return Ok(it.clone().into()),
        Value::Number(it) => it.as_f64().filter(|it| it.abs() < 9.0e15).map(|it| it.trunc() as i64),
        Value::String(text) => text.trim().parse().ok(),
        Value::Bool(it) => Some((*it).into()),
        _ => None,
    };
    whole.map(Value::from).ok_or_else(|| ExpressionError(format!("{} is no whole number", kind(it))))
}

fn double(it: &Value) -> Result<Value> {
    let real = match it {
        Value::Number(it) => it.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    real.and_then(Number::from_f64)
        .map(Value::Number)
        .ok_or_else(|| ExpressionError(format!("{} is no number", kind(it))))
}

fn type_name(it: &Value) -> &'static str {
    match it {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(it) if it.is_f64() => "double",
        Value::Number(_) => "int",
        Value::String(_) => "string",
        Value::Array(_) => "list",
        Value::Object(_) => "map",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{Expression, Names};
    use super::*;

    struct World(Value);

    impl Names for World {
        fn root(&self, name: &str) -> Option<&Value> {
            self.0.get(name)
        }
        fn step(&self, id: &str) -> Option<&Value> {
            self.0["steps"].get(id)
        }
    }

    fn world() -> World {
        let findings = json!([{"severity": "high", "n": 1}, {"severity": "low", "n": 2}]);
        World(json!({
            "inputs": {"name": "web", "count": 3, "none": null, "tags": ["a", "b"]},
            "steps": {"scan": {"status": "succeeded", "out": {"findings": findings}}},
            "big": vec![1; 3000], "long": "x".repeat(100_000),
        }))
    }

    fn eval(text: &str) -> std::result::Result<Value, String> {
        Expression::parse(text).and_then(|it| it.evaluate(&world())).map_err(|it| it.0)
    }

    #[test]
    fn expressions_have_the_values_cel_gives_them() {
        let check = |text: &str, expected: Value| assert_eq!(eval(text), Ok(expected), "{text}");
        check("1 + 2 * 3", json!(7));
        check("7 / 2 == 3 && 7 % 2 == 1 && 7.0 / 2 == 3.5", json!(true));
        check("-inputs.count", json!(-3));
        check("'a' + inputs.name", json!("aweb"));
        check("inputs.count > 2 ? 'many' : 'few'", json!("many"));
        check("size(inputs.tags) == inputs.tags.size()", json!(true));
        check("'b' in inputs.tags && !('c' in inputs.tags) && 'name' in inputs", json!(true));
        check("steps.scan.out.findings.filter(f, f.severity == 'high').map(f, f.n)", json!([1]));
        check("steps.scan.out.findings.exists(f, f.severity == 'critical')", json!(false));
        check("steps.scan.out.findings.all(f, f.n > 0)", json!(true));
        check("steps.scan.out.findings.exists_one(f, f.n == 2)", json!(true));
        check("steps['scan'].status", json!("succeeded"));
        check("has(steps.scan.out) && !has(steps.scan.out.nothing) && !has(steps.other)", json!(true));
        check("inputs.none == null", json!(true));
        check("default(inputs.none, 5)", json!(5));
        check("{'a': [1, 2]}['a'][1]", json!(2));
        check("{'a': 1}.a", json!(1));
        check("'A-b'.lowerAscii().split('-').join('+')", json!("a+b"));
        check("'v1.2'.matches('^v[0-9.]+$') && 'x'.startsWith('x') && 'xy'.endsWith('y')", json!(true));
        check("string(12) + json([1]) + 'a.b'.replace('.', '/')", json!("12[1]a/b"));
        check("int('12') + int(3.9)", json!(15));
        check("[1, 2] + [3]", json!([1, 2, 3]));
        check("true || inputs.missing", json!(true));
        check("inputs.missing && false", json!(false));
        check("type(1.5) == 'double'", json!(true));
        check("big.map(x, x + 1).size()", json!(3000));
    }

    #[test]
    fn what_makes_no_sense_is_an_error_and_never_a_panic() {
        for bad in [
            "1 + 'a'",
            "1 / 0",
            "9223372036854775807 + 1",
            "inputs.missing",
            "nothing",
            "steps.other",
            "steps",
            "inputs.name.count",
            "inputs.tags[7]",
            "inputs.tags[-1]",
            "inputs.tags['a']",
            "1 < 'a'",
            "!1",
            "1 && true",
            "size(1)",
            "'a'.matches('(')",
            "'a'.matches('(a{1000}){1000}')",
            "int('x')",
            "5.map(x, x)",
            "b'1'",
            "{1: 2}",
        ] {
            assert!(eval(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn work_is_bounded_however_it_is_spelled() {
        for bad in [
            "big.map(x, big.map(y, big.map(z, z))).size()",
            "big.all(x, big.all(y, y == 1))",
            "big.map(x, long + long).size()",
            "big.map(x, long).size()",
            "big.map(x, long.replace('x', 'yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy')).size()",
            "big.map(x, 'a'.matches('a')).size()",
        ] {
            assert!(eval(bad).is_err_and(|it| it.contains("too much work")), "{bad}");
        }
    }
}
