use std::{borrow::Cow, sync::Arc};

use async_trait::async_trait;
use kernel::{ErrorKind, Principal, Raw, ToolError, Trust};
use serde_json::{Map, Value};

use crate::{
    Answer, Call, Door, GateParts, Metrics, Next, Outcome, Stage,
    clean::clean_text,
    redact::{MASK, mask_secrets},
    relayed,
    seams::Artifacts,
    standard::Knobs,
};

/// Makes a result fit to leave: secrets masked, text from outside cleaned and marked, size bounded with
/// the whole kept as an artifact. Redaction runs before cutting, so that half a secret never shows.
pub(crate) struct Shape {
    artifacts: Arc<dyn Artifacts>,
    knobs: Knobs,
    metrics: Arc<Metrics>,
}

impl Shape {
    pub(crate) fn new(parts: GateParts, knobs: Knobs, metrics: Arc<Metrics>) -> Self {
        Self { artifacts: parts.artifacts, knobs, metrics }
    }
}

#[async_trait]
impl Stage for Shape {
    fn name(&self) -> &'static str {
        "shape"
    }

    async fn handle(&self, call: Call, next: Next<'_>) -> Outcome {
        let (facts, spec) = (Arc::clone(call.facts()?), Arc::clone(call.spec()?));
        let untrusted = call.prepared()?.traits().trust == Trust::Untrusted;
        let bytes_max = self.knobs.read().limits(&facts, &spec.name).result_bytes_max;
        let (principal, redact) = (Arc::clone(&call.request.caller.0), call.obligations.redact.clone());
        // The MCP doors pass a relayed result on as it is; only programs want it taken apart.
        let takes_apart = matches!(call.request.door, Door::Cli | Door::Workflow);
        let mut answer = next.run(call).await.map_err(|error| shaped_error(error, untrusted, &redact))?;
        if let Some(raw) = answer.raw.take() {
            let mut washer = Washer { untrusted, redact: &redact, masked: 0 };
            let raw = washer.wash_raw(&raw);
            let mut answer = self.relay(raw, washer.masked, untrusted, &principal, bytes_max).await?;
            if takes_apart {
                answer.look_into();
            }
            return Ok(answer);
        }
        if !answer.structured.is_object() {
            return Err(ToolError::new(ErrorKind::Internal, "the tool's result is not a JSON object"));
        }
        let mut washer = Washer { untrusted, redact: &redact, masked: 0 };
        washer.wash(&mut answer.structured);
        answer.untrusted = untrusted;
        answer.masked = washer.masked;
        if washer.masked > 0 {
            self.metrics.masked(washer.masked);
        }
        if size_of(&answer.structured) <= bytes_max {
            return Ok(answer);
        }
        let whole = serde_json::to_vec(&answer.structured)
            .map_err(|error| ToolError::wrap(ErrorKind::Internal, error))?;
        answer.artifact_uri = Some(self.artifacts.put(&principal, "application/json", whole).await?);
        answer.truncated = true;
        cut(&mut answer.structured, &mut bytes_max.saturating_sub(256));
        if let Some(object) = answer.structured.as_object_mut() {
            object.insert("truncated".into(), true.into());
        }
        Ok(answer)
    }
}

impl Shape {
    /// A relayed result: the same rules, kept to the bytes that break them.
    async fn relay(
        &self,
        mut raw: Raw,
        masked: usize,
        untrusted: bool,
        principal: &Principal,
        bytes_max: usize,
    ) -> Outcome {
        if masked > 0 {
            self.metrics.masked(masked);
        }
        let mut artifact_uri = None;
        if raw.get().len() > bytes_max {
            let whole = raw.get().as_bytes().to_vec();
            let size = whole.len();
            let uri = self.artifacts.put(principal, "application/json", whole).await?;
            raw = relayed::cut_blocks(&raw, bytes_max, &uri).ok_or_else(|| {
                ToolError::new(
                    ErrorKind::ToolExecutionFailed,
                    format!("the answer has {size} bytes, more than the {bytes_max} that are sent"),
                )
                .hint(format!("read it in pieces with resources/read: {uri}"))
                .hint("or raise `result_bytes_max` in [tuning]")
            })?;
            artifact_uri = Some(uri);
        }
        let truncated = artifact_uri.is_some();
        Ok(Answer { untrusted, masked, truncated, artifact_uri, ..Answer::relayed(raw) })
    }
}

/// Error texts may quote what a backend said: the same rules hold for them.
fn shaped_error(mut error: ToolError, untrusted: bool, redact: &[String]) -> ToolError {
    let mut washer = Washer { untrusted, redact, masked: 0 };
    if let Some(result) = &mut error.result {
        *result = washer.wash_raw(result);
        error.untrusted = untrusted;
    }
    if let Some(fault) = &mut error.fault {
        washer.wash_text(&mut fault.message);
        if let Some(data) = &mut fault.data {
            *data = washer.wash_raw(data);
        }
    }
    washer.wash_text(&mut error.message);
    error.hints.iter_mut().for_each(|hint| washer.wash_text(hint));
    error
}

struct Washer<'a> {
    untrusted: bool,
    redact: &'a [String],
    masked: usize,
}

impl Washer<'_> {
    fn wash(&mut self, value: &mut Value) {
        match value {
            Value::String(text) => self.wash_text(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.wash(item)),
            Value::Object(map) => {
                self.wash_keys(map);
                for (key, item) in map {
                    if self.redact.iter().any(|name| name == key) {
                        *item = Value::from(MASK);
                        self.masked += 1;
                    } else {
                        self.wash(item);
                    }
                }
            }
            _ => {}
        }
    }

    fn wash_raw(&mut self, raw: &Raw) -> Raw {
        let redact = self.redact;
        let (washed, hidden) = relayed::rewrite(raw, redact, |text| {
            let before = text.clone();
            self.wash_text(text);
            *text != before
        });
        self.masked += hidden;
        washed
    }

    /// Names come from outside as well: columns of a query, labels, variables. Of two names that become the
    /// same one, the later value stays.
    fn wash_keys(&mut self, map: &mut Map<String, Value>) {
        if !map.keys().any(|key| self.is_dirty(key)) {
            return;
        }
        let clean = std::mem::take(map).into_iter().map(|(mut key, item)| {
            self.wash_text(&mut key);
            (key, item)
        });
        *map = clean.collect();
    }

    fn is_dirty(&self, text: &str) -> bool {
        (self.untrusted && matches!(clean_text(text).0, Cow::Owned(_))) || mask_secrets(text).1 > 0
    }

    fn wash_text(&mut self, text: &mut String) {
        // Cleaning first: a zero-width character inside a token must not hide it from masking.
        if self.untrusted
            && let (Cow::Owned(clean), _) = clean_text(text)
        {
            *text = clean;
        }
        let (masked, count) = mask_secrets(text);
        if count > 0 {
            self.masked += count;
            *text = masked.into_owned();
        }
    }
}

/// Bytes of the value as compact JSON, counted without building it; escapes count once.
fn size_of(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 5,
        Value::Number(_) => 12,
        Value::String(text) => text.len() + 2,
        Value::Array(items) => 2 + items.iter().map(|item| size_of(item) + 1).sum::<usize>(),
        Value::Object(map) => 2 + map.iter().map(|(key, item)| key.len() + 4 + size_of(item)).sum::<usize>(),
    }
}

/// Spends `left` bytes in reading order: strings are cut, arrays end early, objects keep all their keys so
/// that the result still has the shape its schema promises.
fn cut(value: &mut Value, left: &mut usize) {
    match value {
        Value::String(text) => {
            if text.len() > *left {
                let at = (0..=*left).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
                text.truncate(at);
            }
            *left = left.saturating_sub(text.len() + 2);
        }
        Value::Array(items) => {
            let mut kept = 0;
            for item in items.iter_mut() {
                if *left < 64 {
                    break;
                }
                cut(item, left);
                kept += 1;
            }
            items.truncate(kept);
        }
        Value::Object(map) => {
            for (key, item) in map {
                *left = left.saturating_sub(key.len() + 4);
                cut(item, left);
            }
        }
        _ => *left = left.saturating_sub(12),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_from_outside_are_washed_like_values() {
        let secret = format!("ghp_{}", "aB3dE6gH9kLmN0pQrStUvWxYz1234567890A");
        let mut rows = json!({ "rows": [{ "a\u{202e}b\u{1b}[31m": 1, secret: 2, "plain": 3 }] });
        let mut washer = Washer { untrusted: true, redact: &[], masked: 0 };
        washer.wash(&mut rows);
        assert_eq!(rows, json!({ "rows": [{ "ab": 1, MASK: 2, "plain": 3 }] }));
        assert_eq!(washer.masked, 1);
    }
}
