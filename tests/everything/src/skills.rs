//! The skills extension: one skill of two files.

use kernel::{Raw, ToolError};
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

pub(crate) const EXTENSION: &str = "io.modelcontextprotocol/skills";

pub(crate) const METHODS: [&str; 3] = ["skills/list", "skills/get", "resources/directory/read"];

const ROOT: &str = "skill://git-review";
const SKILL: &str = "skill://git-review/SKILL.md";
const DESCRIPTION: &str = "Reviews a change before it is committed.";

const FILES: [(&str, &str); 2] = [
    (
        SKILL,
        "---\nname: git-review\ndescription: Reviews a change before it is committed.\n---\n\nRead the difference, then say what is wrong.\n",
    ),
    ("skill://git-review/references/CHECKS.md", "# Checks\n\nNames, bounds, errors.\n"),
];

/// What `resources/list` shows of it: the directory and the files.
pub(crate) fn resources() -> Vec<Value> {
    let directory =
        |uri: &str, name: &str| json!({ "uri": uri, "name": name, "mimeType": "inode/directory" });
    let mut all =
        vec![directory(ROOT, "git-review"), directory("skill://git-review/references", "references")];
    all.extend(FILES.iter().map(|(uri, _)| file(uri)));
    all
}

fn file(uri: &str) -> Value {
    let name = uri.rsplit('/').next().unwrap_or(uri);
    json!({ "uri": uri, "name": name, "mimeType": "text/markdown" })
}

pub(crate) fn content(uri: &str) -> Option<Value> {
    let (_, text) = FILES.iter().find(|(it, _)| *it == uri)?;
    Some(json!({ "mimeType": "text/markdown", "text": text }))
}

pub(crate) fn answer(method: &str, params: &Value) -> Result<Raw, ToolError> {
    let uri = params["uri"].as_str().unwrap_or_default();
    let unknown = || ToolError::relayed(-32602, format!("nothing is served at `{uri}`"), None);
    Ok(match method {
        "skills/list" => Raw::of(&json!({ "skills": [entry()] })),
        "skills/get" if uri == SKILL => Raw::of(&json!({ "skill": entry() })),
        "resources/directory/read" => Raw::of(&json!({ "resources": children(uri).ok_or_else(unknown)? })),
        "skills/get" => return Err(unknown()),
        _ => return Err(ToolError::relayed(-32601, format!("no method `{method}`"), None)),
    })
}

fn entry() -> Value {
    let resources: Vec<Value> = FILES
        .iter()
        .map(|(uri, text)| json!({ "uri": uri, "digest": format!("sha256:{}", hex(text)), "size": text.len() }))
        .collect();
    json!({
        "uri": SKILL,
        "frontmatter": { "name": "git-review", "description": DESCRIPTION },
        "resources": resources,
    })
}

fn children(directory: &str) -> Option<Vec<Value>> {
    let all = resources();
    let is_directory = |it: &Value| it["uri"] == directory && it["mimeType"] == "inode/directory";
    all.iter().find(|it| is_directory(it))?;
    let prefix = format!("{directory}/");
    let direct = |it: &Value| {
        it["uri"].as_str().and_then(|uri| uri.strip_prefix(&prefix)).is_some_and(|rest| !rest.contains('/'))
    };
    Some(all.iter().filter(|it| direct(it)).cloned().collect())
}

fn hex(text: &str) -> String {
    digest(&SHA256, text.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
