//! What a listing may cost: a model pays for every byte of it in every conversation.

use kernel::ToolSpec;
use protocol::{Naming, share_bytes_max, wire_tools};
use serde_json::Value;

use super::Findings;

const OUTPUT_SCHEMA_BYTES_MAX: usize = 4 * 1024;

pub(super) fn check(server: &str, specs: &[ToolSpec], findings: &mut Findings) {
    let max = share_bytes_max(server);
    let specs: Vec<&ToolSpec> = specs.iter().collect();
    let listed = wire_tools(&specs, Naming::Bare);
    let size = serde_json::to_string(&listed).map_or(usize::MAX, |it| it.len());
    findings.must(size <= max, "B1", server, format!("tools/list takes {size} bytes, {max} are allowed"));
    for spec in specs {
        let size = without_descriptions(&spec.output_schema).to_string().len();
        findings.must(
            size <= OUTPUT_SCHEMA_BYTES_MAX,
            "B2",
            &spec.name,
            format!("the output schema takes {size} bytes, {OUTPUT_SCHEMA_BYTES_MAX} are allowed"),
        );
    }
}

fn without_descriptions(schema: &Value) -> Value {
    match schema {
        Value::Object(object) => {
            let kept = object.iter().filter(|(key, value)| *key != "description" || !value.is_string());
            Value::Object(kept.map(|(key, value)| (key.clone(), without_descriptions(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(without_descriptions).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use kernel::ServerEntry;
    use serde_json::json;

    use super::*;
    use crate::EchoServer;

    fn broken(server: &str, change: impl Fn(&mut ToolSpec)) -> Vec<&'static str> {
        let mut specs = (ServerEntry::of::<EchoServer>().specs)();
        change(&mut specs[0]);
        let mut findings = Findings::default();
        check(server, &specs, &mut findings);
        findings.broken().into_iter().map(|it| it.rule).collect()
    }

    #[test]
    fn a_listing_that_costs_too_much_is_found() {
        assert_eq!(broken("echo", |_| {}), Vec::<&str>::new());
        assert_eq!(broken("echo", |it| it.description = "d".repeat(12 * 1024)), ["B1"]);
        assert_eq!(
            broken("kubernetes-operator", |it| it.description = "d".repeat(12 * 1024)),
            Vec::<&str>::new()
        );
    }

    #[test]
    fn only_what_is_sent_counts_in_an_output_schema() {
        assert_eq!(
            broken("echo", |it| it.output_schema["description"] = "d".repeat(9000).into()),
            Vec::<&str>::new()
        );
        assert_eq!(broken("echo", |it| it.output_schema["examples"] = json!(["e".repeat(5000)])), ["B2"]);
    }
}
