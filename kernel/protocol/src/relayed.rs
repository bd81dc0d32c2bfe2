//! Results that somebody else wrote, made into answers with as few changes as the revision asks for.

use kernel::Raw;
use serde_json::{Map, Value, json};

use crate::{
    Id, Implementation, Revision,
    answer::{caution, marker},
    reply::{open_result, push_line},
};

const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";

/// What we add to a relayed result.
#[derive(Clone, Copy, Debug, Default)]
pub struct RelayedView<'a> {
    /// True when text from outside is in it and it is a tool's result.
    pub untrusted: bool,
    /// Where the whole can be read, when it was cut.
    pub artifact_uri: Option<&'a str>,
    /// Secrets masked in it.
    pub masked: usize,
    /// True when modern clients want to know how long it is good.
    pub cacheable: bool,
}

/// Writes a result as the answer to `id`.
pub fn write_relayed(
    id: &Id,
    result: &Raw,
    view: RelayedView<'_>,
    revision: Revision,
    server: &Implementation,
) -> Vec<u8> {
    let mut result = result.clone();
    let mut facts = Map::new();
    if view.untrusted
        && let Some(marked) = with_caution(&result, &mut facts)
    {
        result = marked;
    }
    if view.masked > 0 {
        facts.insert("core-mcp/masked".into(), view.masked.into());
    }
    if let Some(uri) = view.artifact_uri {
        facts.insert("core-mcp/truncated".into(), true.into());
        facts.insert("core-mcp/artifact_uri".into(), uri.into());
    }
    if revision.is_modern() {
        result = modern(result, view.cacheable);
        facts.insert(SERVER_INFO.into(), json!({ "name": server.name, "version": server.version }));
    }
    result = with_facts(result, facts);
    let mut out = open_result(id);
    push_line(&mut out, result.get());
    out.push(b'}');
    out
}

/// The kind of a result: `complete`, `input_required`, `task` or another word; absent means complete.
pub fn result_type(result: &Raw) -> Option<String> {
    result.member("resultType").and_then(|it| serde_json::from_str(it.get()).ok())
}

fn modern(mut result: Raw, cacheable: bool) -> Raw {
    if result.member("resultType").is_none() {
        result = result.with("resultType", Some(&Raw::of(&"complete")));
    }
    if cacheable {
        if result.member("ttlMs").is_none() {
            result = result.with("ttlMs", Some(&Raw::of(&0)));
        }
        if result.member("cacheScope").is_none() {
            result = result.with("cacheScope", Some(&Raw::of(&"private")));
        }
    }
    result
}

/// One more block after those that others wrote.
fn with_caution(result: &Raw, facts: &mut Map<String, Value>) -> Option<Raw> {
    let content = result.member("content")?.get().trim_end();
    let blocks = content.strip_prefix('[')?.strip_suffix(']')?;
    let marker = marker();
    let block = json!({ "type": "text", "text": caution(&marker) });
    facts.insert("core-mcp/untrusted".into(), json!({ "marker": marker }));
    let comma = if blocks.trim().is_empty() { "" } else { "," };
    Some(result.with("content", Raw::parse(format!("[{blocks}{comma}{block}]")).as_ref()))
}

fn with_facts(result: Raw, facts: Map<String, Value>) -> Raw {
    if facts.is_empty() {
        return result;
    }
    let old = result.member("_meta").filter(|it| it.get().starts_with('{'));
    let mut meta = old.map_or_else(|| Raw::of(&json!({})), Raw::from);
    for (key, value) in facts {
        // Who answers a client is us; who answered us stands in what we did not touch.
        meta = meta.with(&key, Some(&Raw::of(&value)));
    }
    result.with("_meta", Some(&meta))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(result: &str, view: RelayedView<'_>, revision: Revision) -> String {
        let server =
            Implementation { name: "core-mcp".into(), title: "Core".into(), version: "1.0.0".into() };
        let raw = Raw::parse(result.into()).unwrap();
        let bytes = write_relayed(&Id::own("1"), &raw, view, revision, &server);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn an_older_client_gets_the_bytes_as_they_are() {
        let odd = r#"{"content":[{"type":"video","n":1.00e+40}],"future":{"x" : [1,2 ]}}"#;
        let answer = written(odd, RelayedView::default(), Revision::V2025_11_25);
        assert_eq!(answer, format!(r#"{{"jsonrpc":"2.0","id":"1","result":{odd}}}"#));
    }

    #[test]
    fn a_modern_client_is_told_what_its_revision_asks_for_and_no_more() {
        let view = RelayedView { cacheable: true, ..RelayedView::default() };
        let answer = written(r#"{"contents":[],"_meta":{"theirs":1.0}}"#, view, Revision::V2026_07_28);
        assert!(
            answer.contains(r#""contents":[],"_meta":{"theirs":1.0,"io.modelcontextprotocol/serverInfo""#)
        );
        assert!(answer.contains(r#""resultType":"complete","ttlMs":0,"cacheScope":"private""#), "{answer}");
        let said =
            written(r#"{"resultType":"task","ttlMs":5,"cacheScope":"public"}"#, view, Revision::V2026_07_28);
        assert!(said.contains(r#"{"resultType":"task","ttlMs":5,"cacheScope":"public","#), "{said}");
    }

    #[test]
    fn what_others_wrote_is_marked_after_it_and_stays_one_line() {
        let view = RelayedView { untrusted: true, ..RelayedView::default() };
        let answer =
            written("{\"content\":[\n{\"type\":\"text\",\"text\":\"a\"} ]}", view, Revision::V2025_11_25);
        let value: Value = serde_json::from_str(&answer).unwrap();
        let marker = value["result"]["_meta"]["core-mcp/untrusted"]["marker"].as_str().unwrap();
        assert_eq!(value["result"]["content"][0]["text"], "a");
        assert!(value["result"]["content"][1]["text"].as_str().unwrap().contains(marker));
        assert!(!answer.contains('\n'));
        let empty = written(r#"{"content":[]}"#, view, Revision::V2025_11_25);
        assert_eq!(
            serde_json::from_str::<Value>(&empty).unwrap()["result"]["content"].as_array().unwrap().len(),
            1
        );
    }
}
