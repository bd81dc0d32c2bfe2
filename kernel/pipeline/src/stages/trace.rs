use std::sync::Arc;

use async_trait::async_trait;
use tracing::{Instrument, field::Empty, info_span};

use crate::{Call, Metrics, Next, Operation, Outcome, Stage};

/// What methods are called that we do not know.
const EXTENSION: &str = "extension";

/// Opens the span, joins the client's trace and counts how the call ended.
///
/// Attribute names follow the OpenTelemetry semantic conventions for MCP.
pub(crate) struct Trace {
    metrics: Arc<Metrics>,
}

impl Trace {
    pub(crate) fn new(metrics: Arc<Metrics>) -> Self {
        Self { metrics }
    }
}

#[async_trait]
impl Stage for Trace {
    fn name(&self) -> &'static str {
        "trace"
    }

    async fn handle(&self, call: Call, next: Next<'_>) -> Outcome {
        let trace_id = call
            .request
            .trace_parent
            .as_deref()
            .and_then(trace_id_of)
            .unwrap_or_else(|| call.id.as_str())
            .to_owned();
        let (record, started) = (Arc::clone(&call.record), call.started);
        // As recorded and not as sent: names are the caller's text, and a log line is no place for that.
        let (server, tool) = {
            let record = record.lock();
            (record.server.clone(), record.tool.clone())
        };
        let method = match &call.request.operation {
            Operation::Tool => "tools/call",
            Operation::Method(method) => known_method(&method.name),
        };
        let span = info_span!(
            "tools/call",
            mcp.method.name = method,
            gen_ai.tool.name = %tool,
            mcp.server = %server,
            trace_id = %trace_id,
            call_id = %call.id,
            error.type = Empty,
        );
        record.lock().trace_id = Some(trace_id);
        let outcome = next.run(call).instrument(span.clone()).await;
        let code = outcome.as_ref().map_or_else(|error| error.kind.code(), |_| "ok");
        if outcome.is_err() {
            span.record("error.type", code);
        }
        let elapsed = started.elapsed();
        let (server, tool) = {
            let record = record.lock();
            match record.effect {
                // A server may answer any method of an extension: those share one label.
                Some(_) if method == EXTENSION => (record.server.clone(), EXTENSION.to_owned()),
                Some(_) => (record.server.clone(), record.tool.clone()),
                // A name that was never resolved is the caller's text: it must not become a label.
                None => ("unknown".to_owned(), "unknown".to_owned()),
            }
        };
        self.metrics.finished(&server, &tool, code, elapsed.as_secs_f64());
        tracing::debug!(parent: &span, code, micros = elapsed.as_micros(), "call finished");
        outcome
    }
}

/// The name of a method as spans and labels write it.
fn known_method(name: &str) -> &'static str {
    const KNOWN: [&str; 8] = [
        "resources/read",
        "resources/subscribe",
        "resources/unsubscribe",
        "prompts/get",
        "completion/complete",
        "tasks/get",
        "tasks/update",
        "tasks/cancel",
    ];
    KNOWN.into_iter().find(|it| *it == name).unwrap_or(EXTENSION)
}

/// The trace id of a W3C `traceparent`, if it is well formed and not all zero.
fn trace_id_of(header: &str) -> Option<&str> {
    let mut parts = header.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let hex = |text: &str, digits: usize| {
        text.len() == digits && text.bytes().all(|it| it.is_ascii_digit() || (b'a'..=b'f').contains(&it))
    };
    let sound = hex(version, 2) && version != "ff" && hex(trace, 32) && hex(span, 16) && hex(flags, 2);
    (sound && trace.bytes().any(|it| it != b'0')).then_some(trace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_sound_traceparent_is_joined() {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(trace_id_of(&format!("00-{id}-00f067aa0ba902b7-01")), Some(id));
        for bad in [
            "",
            "00",
            "00-xyz-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(trace_id_of(bad), None, "{bad}");
        }
    }
}
