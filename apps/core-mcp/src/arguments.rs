//! `key=value` words and `--json` turned into a tool's arguments, typed by its input schema.

use std::{
    fs,
    io::{self, Read},
};

use serde_json::{Map, Value};

use crate::{config::nearest, failure::Failure};

/// Largest argument read from a file or from stdin.
const ARGUMENT_BYTES_MAX: u64 = 16 << 20;

/// Builds the arguments: `--json` first, then each `key=value` on top.
pub(crate) fn parse(json: Option<&str>, words: &[String], schema: Option<&Value>) -> Result<Value, Failure> {
    let mut arguments = match json {
        Some(text) => json_object(text)?,
        None => Map::new(),
    };
    let mut given = Map::new();
    for word in words {
        let (key, text) = word.split_once('=').filter(|(key, _)| !key.is_empty()).ok_or_else(|| {
            Failure::usage(format!("`{word}` is not of the form key=value"))
                .hint("write for example file_path=README.md, or give all arguments with --json '{…}'")
        })?;
        let rule = schema.and_then(|it| it["properties"].get(key));
        let text = content(key, text)?;
        let value = typed(key, &text, rule)?;
        add(&mut given, key, value, is_list(rule)).map_err(|failure| suggest(failure, key, schema))?;
    }
    arguments.extend(given);
    Ok(Value::Object(arguments))
}

/// `--json`: the object itself, `@file`, or `-` for stdin.
fn json_object(text: &str) -> Result<Map<String, Value>, Failure> {
    let text = match text {
        "-" => content("--json", "@-")?,
        other if other.starts_with('@') => content("--json", other)?,
        other => other.to_owned(),
    };
    match serde_json::from_str(&text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(Failure::usage("--json takes a JSON object")),
        Err(error) => Err(Failure::usage(format!("--json is not JSON: {error}"))
            .hint("quote it for the shell: --json '{\"file_path\": \"README.md\"}'")),
    }
}

/// `@path` reads a file, `@-` reads stdin, `@@text` is the text `@text`.
fn content(key: &str, text: &str) -> Result<String, Failure> {
    let Some(path) = text.strip_prefix('@') else { return Ok(text.to_owned()) };
    if path.starts_with('@') {
        return Ok(path.to_owned());
    }
    let mut found = String::new();
    let size = if path == "-" {
        io::stdin().lock().take(ARGUMENT_BYTES_MAX + 1).read_to_string(&mut found)
    } else {
        fs::File::open(path).and_then(|file| file.take(ARGUMENT_BYTES_MAX + 1).read_to_string(&mut found))
    };
    match size {
        Ok(size) if size as u64 > ARGUMENT_BYTES_MAX => {
            Err(Failure::usage(format!("`{key}`: `{path}` is larger than 16 MiB")))
        }
        Ok(_) => Ok(found),
        Err(error) => Err(Failure::usage(format!("`{key}`: `{path}` cannot be read: {error}"))
            .hint(format!("for a value that starts with @, write {key}=@@…"))),
    }
}

fn is_list(rule: Option<&Value>) -> bool {
    rule.is_some_and(|it| it["type"] == "array")
}

/// Reads one value as the schema wants it; without a rule it is text and the tool decides.
fn typed(key: &str, text: &str, rule: Option<&Value>) -> Result<Value, Failure> {
    let wrong = |expected: &str| {
        let failure = Failure::usage(format!("argument `{key}` is {expected}, and that is not one"));
        Failure { field: Some(key.to_owned()), ..failure }
    };
    match rule.and_then(|it| it["type"].as_str()) {
        Some("integer") => text.trim().parse::<i64>().map(Value::from).map_err(|_| wrong("a whole number")),
        Some("number") => {
            let number = text.trim().parse::<f64>().ok().and_then(serde_json::Number::from_f64);
            number.map(Value::Number).ok_or_else(|| wrong("a number"))
        }
        Some("boolean") => match text.trim() {
            "true" | "yes" | "1" => Ok(true.into()),
            "false" | "no" | "0" => Ok(false.into()),
            _ => Err(wrong("true or false")),
        },
        Some("array") if text.trim_start().starts_with('[') => {
            serde_json::from_str(text).map_err(|_| wrong("a JSON array"))
        }
        Some("array") => typed(key, text, rule.map(|it| &it["items"])),
        Some("object") => {
            let object = serde_json::from_str(text).ok().filter(Value::is_object);
            object.ok_or_else(|| wrong("a JSON object"))
        }
        Some(_) => Ok(text.into()),
        // More than one type is allowed: JSON when it is JSON of another kind than text.
        None if rule.is_some_and(|it| it.is_object()) => {
            Ok(serde_json::from_str(text).unwrap_or_else(|_| text.into()))
        }
        None => Ok(text.into()),
    }
}

/// Repeated keys collect into a list where the schema has a list; anywhere else they are a mistake.
fn add(given: &mut Map<String, Value>, key: &str, value: Value, list: bool) -> Result<(), Failure> {
    let value = if list && !value.is_array() { Value::Array(vec![value]) } else { value };
    match (given.get_mut(key), value) {
        (None, value) => {
            given.insert(key.to_owned(), value);
        }
        (Some(Value::Array(items)), Value::Array(more)) if list => items.extend(more),
        (Some(_), _) => return Err(Failure::usage(format!("argument `{key}` is given twice"))),
    }
    Ok(())
}

fn suggest(failure: Failure, key: &str, schema: Option<&Value>) -> Failure {
    let known = schema.and_then(|it| it["properties"].as_object());
    let near = known.and_then(|it| nearest(key, it.keys().map(String::as_str).filter(|it| *it != key)));
    match near {
        Some(near) => failure.hint(format!("did you mean `{near}`?")),
        None => failure,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> Value {
        json!({"type": "object", "properties": {
            "path": {"type": "string"}, "lines": {"type": "integer"}, "ratio": {"type": "number"},
            "deep": {"type": "boolean"}, "tags": {"type": "array", "items": {"type": "string"}},
            "ports": {"type": "array", "items": {"type": "integer"}}, "env": {"type": "object"}, "any": {},
        }})
    }

    fn parse_words(words: &[&str]) -> Result<Value, String> {
        let words: Vec<String> = words.iter().map(|it| (*it).to_owned()).collect();
        parse(None, &words, Some(&schema())).map_err(|it| it.message)
    }

    #[test]
    fn values_take_the_type_of_the_schema() {
        let check =
            |words: &[&str], expected: Value| assert_eq!(parse_words(words), Ok(expected), "{words:?}");
        check(&["path=12"], json!({"path": "12"}));
        check(&["path=a=b"], json!({"path": "a=b"}));
        check(&["path="], json!({"path": ""}));
        check(&["lines=-3", "deep=true"], json!({"lines": -3, "deep": true}));
        check(&["ratio=0.5"], json!({"ratio": 0.5}));
        check(&["tags=a"], json!({"tags": ["a"]}));
        check(&["tags=a", "tags=b"], json!({"tags": ["a", "b"]}));
        check(&["tags=[\"a\",\"b\"]"], json!({"tags": ["a", "b"]}));
        check(&["ports=80", "ports=443"], json!({"ports": [80, 443]}));
        check(&["env={\"A\":\"1\"}"], json!({"env": {"A": "1"}}));
        check(&["any=1"], json!({"any": 1}));
        check(&["any=x y"], json!({"any": "x y"}));
        check(&["unknown=1"], json!({"unknown": "1"}));
        check(&["path=@@handle"], json!({"path": "@handle"}));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let check = |words: &[&str]| assert!(parse_words(words).is_err(), "{words:?}");
        check(&["path"]);
        check(&["=x"]);
        check(&["lines=three"]);
        check(&["lines=1.5"]);
        check(&["ratio=NaN"]);
        check(&["deep=maybe"]);
        check(&["env=[]"]);
        check(&["tags=[1"]);
        check(&["path=a", "path=b"]);
        check(&["path=@/nowhere/at/all"]);
    }

    #[test]
    fn words_win_over_json() {
        let arguments = parse(Some(r#"{"path": "a", "lines": 1}"#), &["lines=2".into()], Some(&schema()));
        assert_eq!(arguments.ok(), Some(json!({"path": "a", "lines": 2})));
        assert!(parse(Some("[]"), &[], None).is_err());
        assert!(parse(Some("{"), &[], None).is_err());
    }

    #[test]
    fn a_value_can_come_from_a_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "two\nlines").unwrap();
        let word = format!("path=@{}", file.path().display());
        assert_eq!(parse_words(&[&word]), Ok(json!({"path": "two\nlines"})));
    }
}
