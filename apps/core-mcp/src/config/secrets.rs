//! Values behind `secret:NAME`: filled in where the schema says that a credential goes, and nowhere else.

use serde_json::Value;

/// Replaces every reference in `section` that stands where `schema` marks a credential (`writeOnly`).
///
/// # Errors
/// The dotted key and what `look_up` said.
pub(crate) fn fill_in(
    section: &mut Value,
    schema: &Value,
    look_up: &dyn Fn(&str) -> Result<String, String>,
) -> Result<(), String> {
    let mut wrong = Ok(());
    each_credential(section, schema, &mut Vec::new(), &mut |path, value| {
        let Some(text) = value.as_str().filter(|it| it.starts_with(vault::REFERENCE_PREFIX)) else { return };
        match look_up(text) {
            Ok(found) => *value = found.into(),
            Err(error) if wrong.is_ok() => wrong = Err(format!("{}: {error}", path.join("."))),
            Err(_) => {}
        }
    });
    wrong
}

/// The names of secrets that `section` refers to where `schema` marks a credential.
pub(crate) fn referenced(section: &Value, schema: &Value) -> Vec<String> {
    let mut names = Vec::new();
    each_credential(&mut section.clone(), schema, &mut Vec::new(), &mut |_, value| {
        names.extend(value.as_str().and_then(vault::name_in).map(str::to_owned));
    });
    names
}

fn each_credential(
    value: &mut Value,
    schema: &Value,
    path: &mut Vec<String>,
    visit: &mut dyn FnMut(&[String], &mut Value),
) {
    for keyword in ["anyOf", "oneOf", "allOf"] {
        for option in schema[keyword].as_array().into_iter().flatten() {
            each_credential(value, option, path, visit);
        }
    }
    if schema["writeOnly"] == true {
        return visit(path, value);
    }
    match value {
        Value::Object(fields) => {
            for (key, field) in fields {
                let known = &schema["properties"][key];
                let schema = if known.is_null() { &schema["additionalProperties"] } else { known };
                path.push(key.clone());
                each_credential(field, schema, path, visit);
                path.pop();
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                path.push(index.to_string());
                each_credential(item, &schema["items"], path, visit);
                path.pop();
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use kernel::Secret;
    use schemars::{JsonSchema, generate::SchemaSettings};
    use serde_json::json;

    use super::*;

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is used")]
    struct Section {
        url: String,
        token: Secret<String>,
        maybe: Option<Secret<String>>,
        many: Vec<Secret<String>>,
        named: BTreeMap<String, Secret<String>>,
        inner: Vec<Inner>,
    }

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is used")]
    struct Inner {
        password: Secret<String>,
    }

    fn schema() -> Value {
        let settings = SchemaSettings::draft2020_12().with(|it| it.inline_subschemas = true);
        settings.into_generator().into_root_schema_for::<Section>().to_value()
    }

    fn section() -> Value {
        json!({
            "url": "secret:a", "token": "secret:a", "maybe": "secret:b", "many": ["secret:a", "plain"],
            "named": {"x": "secret:b"}, "inner": [{"password": "secret:a"}], "unknown": "secret:a",
        })
    }

    #[test]
    fn references_are_filled_in_where_a_credential_goes_and_nowhere_else() {
        let mut filled = section();
        fill_in(&mut filled, &schema(), &|name| Ok(format!("<{name}>"))).unwrap();
        assert_eq!(
            filled,
            json!({
                "url": "secret:a", "token": "<secret:a>", "maybe": "<secret:b>", "many": ["<secret:a>", "plain"],
                "named": {"x": "<secret:b>"}, "inner": [{"password": "<secret:a>"}], "unknown": "secret:a",
            })
        );
        assert_eq!(referenced(&section(), &schema()).len(), 5);
    }

    #[test]
    fn a_missing_secret_is_named_with_its_key() {
        let missing =
            |name: &str| if name == "secret:b" { Err("no such secret".into()) } else { Ok(String::new()) };
        assert_eq!(fill_in(&mut section(), &schema(), &missing), Err("maybe: no such secret".into()));
    }
}
