//! Text with `${{ … }}` in it.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::{Expression, ExpressionError, Names};
use crate::bounds::VALUE_BYTES_MAX;

const OPEN: &str = "${{";
const CLOSE: &str = "}}";

/// A parsed text.
#[derive(Debug)]
pub(crate) enum Template {
    /// Nothing to evaluate.
    Plain,
    /// One expression and nothing else: its value keeps its type.
    Whole(Expression),
    /// Text with values in it.
    Mixed(Vec<Part>),
}

/// A piece of a mixed text.
#[derive(Debug)]
pub(crate) enum Part {
    Text(String),
    Value(Expression),
}

impl Template {
    /// Parses a text. Without `${{` it is plain.
    pub(crate) fn parse(text: &str) -> Result<Self, ExpressionError> {
        if !text.contains(OPEN) {
            return Ok(Self::Plain);
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(start) = rest.find(OPEN) {
            if start > 0 {
                parts.push(Part::Text(rest[..start].to_owned()));
            }
            let inner = &rest[start + OPEN.len()..];
            let end = closing(inner).ok_or_else(|| ExpressionError(format!("`{OPEN}` without `{CLOSE}`")))?;
            parts.push(Part::Value(Expression::parse(&inner[..end])?));
            rest = &inner[end + CLOSE.len()..];
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        match (parts.len(), parts.pop()) {
            (1, Some(Part::Value(whole))) => Ok(Self::Whole(whole)),
            (_, last) => {
                parts.extend(last);
                Ok(Self::Mixed(parts))
            }
        }
    }

    /// The expressions in it.
    pub(crate) fn expressions(&self) -> Vec<&Expression> {
        match self {
            Self::Plain => Vec::new(),
            Self::Whole(it) => vec![it],
            Self::Mixed(parts) => parts
                .iter()
                .filter_map(|it| match it {
                    Part::Value(it) => Some(it),
                    Part::Text(_) => None,
                })
                .collect(),
        }
    }

    fn render(&self, text: &str, names: &dyn Names) -> Result<Value, ExpressionError> {
        match self {
            Self::Plain => Ok(text.into()),
            Self::Whole(it) => it.evaluate(names),
            Self::Mixed(parts) => {
                let mut rendered = String::new();
                for part in parts {
                    match part {
                        Part::Text(it) => rendered.push_str(it),
                        Part::Value(it) => match it.evaluate(names)? {
                            Value::String(it) => rendered.push_str(&it),
                            other => rendered.push_str(&other.to_string()),
                        },
                    }
                    if rendered.len() > VALUE_BYTES_MAX {
                        return Err(too_large());
                    }
                }
                Ok(rendered.into())
            }
        }
    }
}

/// Where the `}}` of a template stands: not in quoted text, not the end of a map literal.
fn closing(inner: &str) -> Option<usize> {
    let (mut quote, mut escaped, mut depth) = (None, false, 0_usize);
    for (at, it) in inner.char_indices() {
        match (quote, it) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), _) if open == it => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(it),
            (None, '{') => depth += 1,
            (None, '}') if depth > 0 => depth -= 1,
            (None, '}') if inner[at..].starts_with(CLOSE) => return Some(at),
            (None, _) => {}
        }
    }
    None
}

fn too_large() -> ExpressionError {
    ExpressionError(format!("the value is larger than {} KiB", VALUE_BYTES_MAX >> 10))
}

/// Writes out a value with templates in its texts. `parsed` holds every template of the program.
pub(crate) fn render(
    value: &Value,
    parsed: &HashMap<String, Template>,
    names: &dyn Names,
) -> Result<Value, ExpressionError> {
    let mut left = VALUE_BYTES_MAX;
    render_within(value, parsed, names, &mut left)
}

fn render_within(
    value: &Value,
    parsed: &HashMap<String, Template>,
    names: &dyn Names,
    left: &mut usize,
) -> Result<Value, ExpressionError> {
    let rendered = match value {
        Value::String(text) => {
            let rendered = match parsed.get(text) {
                Some(template) => template.render(text, names)?,
                None => Template::parse(text)?.render(text, names)?,
            };
            let size = usize::try_from(super::evaluate::size_of(&rendered)).unwrap_or(usize::MAX);
            *left = left.checked_sub(size).ok_or_else(too_large)?;
            rendered
        }
        Value::Array(items) => {
            let items = items.iter().map(|it| render_within(it, parsed, names, left));
            Value::Array(items.collect::<Result<_, _>>()?)
        }
        Value::Object(map) => {
            let pairs =
                map.iter().map(|(key, it)| Ok((key.clone(), render_within(it, parsed, names, left)?)));
            Value::Object(pairs.collect::<Result<Map<_, _>, ExpressionError>>()?)
        }
        other => other.clone(),
    };
    Ok(rendered)
}

/// Every template text in a value.
pub(crate) fn texts<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::String(text) if text.contains(OPEN) => found.push(text),
        Value::Array(items) => items.iter().for_each(|it| texts(it, found)),
        Value::Object(map) => map.values().for_each(|it| texts(it, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    struct World(Value);

    impl Names for World {
        fn root(&self, name: &str) -> Option<&Value> {
            self.0.get(name)
        }
        fn step(&self, _id: &str) -> Option<&Value> {
            None
        }
    }

    fn rendered(value: Value) -> Result<Value, String> {
        let names = World(json!({"inputs": {"n": 3, "who": "web"}, "long": "x".repeat(600_000)}));
        render(&value, &HashMap::new(), &names).map_err(|it| it.0)
    }

    #[test]
    fn a_whole_expression_keeps_its_type_and_a_mixed_one_is_text() {
        let check =
            |value: Value, expected: Value| assert_eq!(rendered(value.clone()), Ok(expected), "{value}");
        check(json!("${{ inputs.n + 1 }}"), json!(4));
        check(json!("v${{ inputs.n }}-${{inputs.who}}!"), json!("v3-web!"));
        check(json!("${{ {'a': {'b': 1}} }}"), json!({"a": {"b": 1}}));
        check(json!("${{ {'a': {'b': 1}}}}"), json!({"a": {"b": 1}}));
        check(json!("${{ '}}' }}${{ \"a\\\"}}\" }}"), json!("}}a\"}}"));
        check(
            json!({"a": ["${{ inputs.n }}", 1, null], "b": "plain $x {{}}"}),
            json!({"a": [3, 1, null], "b": "plain $x {{}}"}),
        );
    }

    #[test]
    fn broken_and_exploding_templates_are_refused() {
        assert!(rendered(json!("${{ inputs.n")).is_err());
        assert!(rendered(json!("${{ }}")).is_err());
        assert!(rendered(json!("${{ long }}${{ long }}")).is_err());
        assert!(rendered(json!(["${{ long }}", "${{ long }}"])).is_err());
    }
}
