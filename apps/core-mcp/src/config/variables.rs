//! `CORE_MCP__SECTION__KEY=value` as a layer of config.

use serde_json::Value;

use super::{Node, Origin, check::Problem, suggest::nearest};

/// Turns the variables into one tree. Names are matched without regard to case, `_` stands for `-`.
pub(super) fn tree(variables: &[(String, String)], schema: &Value, problems: &mut Vec<Problem>) -> Node {
    let mut tree = Node::default();
    for (name, text) in variables {
        let parts: Vec<String> = name.split("__").skip(1).map(str::to_lowercase).collect();
        let origin = Origin::Variable(name.clone());
        match resolve(&parts, schema) {
            Ok((path, schema)) => tree.overlay(Node::at(&path, typed(text, schema), origin)),
            Err(fix) => problems.push(Problem {
                origin,
                key: parts.join("."),
                message: "no config key is called like this variable".into(),
                fix,
            }),
        }
    }
    tree
}

/// The real path behind the parts of a variable's name, and the schema that stands there.
fn resolve<'a>(parts: &[String], schema: &'a Value) -> Result<(Vec<String>, &'a Value), String> {
    let mut path = Vec::new();
    let mut here = schema;
    for part in parts {
        let folded = part.replace('-', "_");
        let known = || here["properties"].as_object().into_iter().flatten();
        let found = known().find(|(key, _)| key.replace('-', "_") == folded);
        here = match found {
            Some((key, schema)) => {
                path.push(key.clone());
                schema
            }
            // A map with free keys: the name is taken as written.
            None if here["additionalProperties"].is_object() => {
                path.push(part.replace('_', "-"));
                &here["additionalProperties"]
            }
            None => return Err(unknown(part, known().map(|(key, _)| key.as_str()))),
        };
    }
    Ok((path, here))
}

fn unknown<'a>(part: &str, known: impl Iterator<Item = &'a str>) -> String {
    match nearest(part, known) {
        Some(near) => format!("did you mean `{}`?", near.replace('-', "_").to_uppercase()),
        None => "`core-mcp config explain` lists every key".into(),
    }
}

/// Text stays text where the schema wants text; anything else is read as a TOML value.
fn typed(text: &str, schema: &Value) -> Value {
    if schema["type"] == "string" || schema["enum"].is_array() {
        return text.into();
    }
    let document = format!("value = {text}");
    let parsed = document.parse::<toml::Table>().ok().and_then(|mut it| it.remove("value"));
    match parsed.map(serde_json::to_value) {
        Some(Ok(value)) => value,
        // A list of one or more plain words may leave out brackets and quotes.
        _ if schema["type"] == "array" => text.split(',').map(|it| Value::from(it.trim())).collect(),
        _ => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn layer(name: &str, text: &str) -> (Value, Vec<Problem>) {
        let mut problems = Vec::new();
        let tree = tree(&[(name.into(), text.into())], &crate::config::schema(), &mut problems);
        (tree.to_value(), problems)
    }

    #[test]
    fn values_take_the_type_the_key_wants() {
        let check = |name: &str, text: &str, expected: Value| {
            assert_eq!(layer(name, text), (expected, Vec::new()), "{name}={text}");
        };
        check("CORE_MCP__SERVER__LISTEN", "127.0.0.1:1", json!({"server": {"listen": "127.0.0.1:1"}}));
        check("CORE_MCP__TUNING__RATE_PER_MINUTE", "30", json!({"tuning": {"rate_per_minute": 30}}));
        check("CORE_MCP__SERVER__BEHIND_TLS_PROXY", "true", json!({"server": {"behind_tls_proxy": true}}));
        check(
            "CORE_MCP__SERVER__ALLOWED_HOSTS",
            "a.example, b.example",
            json!({"server": {"allowed_hosts": ["a.example", "b.example"]}}),
        );
        check("CORE_MCP__SERVER__ALLOWED_HOSTS", "[\"a\"]", json!({"server": {"allowed_hosts": ["a"]}}));
        check(
            "CORE_MCP__SERVERS__SECURITY_SCANNER__ENABLED",
            "false",
            json!({"servers": {"security-scanner": {"enabled": false}}}),
        );
        check(
            "CORE_MCP__TUNING__SERVER__SECURITY_SCANNER__QUEUE",
            "7",
            json!({"tuning": {"server": {"security-scanner": {"queue": 7}}}}),
        );
        check("CORE_MCP__LOG__LEVEL", "1", json!({"log": {"level": "1"}}));
    }

    #[test]
    fn an_unknown_name_is_refused_with_a_suggestion() {
        let (tree, problems) = layer("CORE_MCP__SERVER__LISTN", "x");
        assert_eq!(tree, json!({}));
        assert_eq!(problems[0].fix, "did you mean `LISTEN`?");
    }
}
