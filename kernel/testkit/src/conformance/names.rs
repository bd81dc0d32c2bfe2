//! Names, titles and descriptions: what a person or a model reads first.

use std::collections::HashSet;

use kernel::{Effect, ServerFacts, ToolSpec};

use super::Findings;

/// Longest tool name any model provider takes, with the server's name in front.
const WIRE_NAME_MAX: usize = 64;
const TITLE_CHARS_MAX: usize = 64;
const DESCRIPTION_CHARS_MAX: usize = 1024;

/// Words in a tool's name that promise something is lost.
const FINAL_WORDS: &[&str] =
    &["delete", "remove", "rm", "kill", "drop", "purge", "destroy", "prune", "terminate"];

pub(super) fn check(facts: &ServerFacts, specs: &[ToolSpec], findings: &mut Findings) {
    server(facts, findings);
    findings.must(!specs.is_empty(), "T1", facts.name, "a server has at least one tool");
    let mut seen = HashSet::new();
    for spec in specs {
        let name = spec.name.as_str();
        findings.must(seen.insert(name), "N2", name, "two tools share this name");
        tool(spec, findings);
    }
}

fn server(facts: &ServerFacts, findings: &mut Findings) {
    let name = facts.name;
    findings.must(is_kebab(name), "N1", name, "a server's name is lower case words joined by `-`");
    let mut seen = HashSet::from([name]);
    for alias in facts.aliases {
        findings.must(is_kebab(alias), "N4", alias, "an alias is lower case words joined by `-`");
        findings.must(
            seen.insert(alias),
            "N4",
            alias,
            "an alias differs from the name and the other aliases",
        );
    }
    findings.must(is_version(facts.version), "D1", name, "the version has the form 1.2.3");
    findings.must(!facts.category.trim().is_empty(), "D1", name, "the category is missing");
    findings.must(is_sentence(facts.description), "D1", name, "the description is a sentence with a stop");
    findings.must(facts.concurrency > 0, "D1", name, "concurrency 0 would let nothing run");
}

fn tool(spec: &ToolSpec, findings: &mut Findings) {
    let name = spec.name.as_str();
    findings.must(is_snake(name), "N2", name, "a tool's name is lower case words joined by `_`");
    findings.must(
        !name.contains("__"),
        "N3",
        name,
        "`__` parts the server from the tool on the wire and may not be in a name",
    );
    let wire = spec.wire_name();
    findings.must(
        wire.len() <= WIRE_NAME_MAX,
        "N3",
        name,
        format!("`{wire}` has {} characters, clients take {WIRE_NAME_MAX}", wire.len()),
    );
    let permission = format!("mcp.{}:execute", spec.server);
    findings.must(spec.permission == permission, "N5", name, format!("its permission is not `{permission}`"));

    let title = spec.title.trim();
    findings.must(!title.is_empty(), "D2", name, "the title is missing");
    findings.must(title.chars().count() <= TITLE_CHARS_MAX, "D2", name, "the title is too long");
    findings.must(title != name, "D2", name, "the title repeats the name");
    let length = spec.description.chars().count();
    findings.must(
        is_sentence(&spec.description),
        "D3",
        name,
        "the description is not a sentence with a stop",
    );
    findings.must(
        length <= DESCRIPTION_CHARS_MAX,
        "D3",
        name,
        format!("the description has {length} characters, {DESCRIPTION_CHARS_MAX} are allowed"),
    );

    let promises_loss = name.split('_').any(|word| FINAL_WORDS.contains(&word));
    let is_final = matches!(spec.effect, Effect::Destroy { .. });
    findings.must(
        is_final || !promises_loss,
        "E1",
        name,
        "the name says something is lost, the effect does not",
    );
}

fn is_kebab(name: &str) -> bool {
    is_word(name, '-')
}

fn is_snake(name: &str) -> bool {
    is_word(name, '_')
}

fn is_word(name: &str, joint: char) -> bool {
    name.starts_with(|it: char| it.is_ascii_lowercase())
        && !name.ends_with(joint)
        && name.chars().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == joint)
}

fn is_version(version: &str) -> bool {
    let parts: Vec<&str> = version.split('.').collect();
    parts.len() == 3 && parts.iter().all(|it| it.parse::<u32>().is_ok())
}

fn is_sentence(text: &str) -> bool {
    let text = text.trim();
    text.len() > 10 && text.ends_with(['.', '!', '?', ')'])
}

#[cfg(test)]
mod tests {
    use kernel::{Server, ServerEntry, ServerFacts};

    use super::*;
    use crate::EchoServer;

    fn broken_rules(facts: &ServerFacts, specs: &[ToolSpec]) -> Vec<&'static str> {
        let mut findings = Findings::default();
        check(facts, specs, &mut findings);
        findings.broken().into_iter().map(|it| it.rule).collect()
    }

    fn with_tool(change: impl Fn(&mut ToolSpec)) -> Vec<&'static str> {
        let mut specs = (ServerEntry::of::<EchoServer>().specs)();
        change(&mut specs[0]);
        broken_rules(&EchoServer::FACTS, &specs)
    }

    fn with_facts(change: impl Fn(&mut ServerFacts)) -> Vec<&'static str> {
        let mut facts = EchoServer::FACTS;
        change(&mut facts);
        broken_rules(&facts, &(ServerEntry::of::<EchoServer>().specs)())
    }

    #[test]
    fn each_broken_tool_fact_is_found() {
        assert_eq!(with_tool(|_| {}), Vec::<&str>::new());
        assert_eq!(with_tool(|it| it.name = "Echo".into()), ["N2"]);
        assert_eq!(with_tool(|it| it.name = "big".into()), ["N2"]);
        assert_eq!(with_tool(|it| it.name = "echo_".into()), ["N2"]);
        assert_eq!(with_tool(|it| it.name = "e__o".into()), ["N3"]);
        assert_eq!(with_tool(|it| it.name = "e".repeat(60)), ["N3"]);
        assert_eq!(with_tool(|it| it.permission = "mcp.other:execute".into()), ["N5"]);
        assert_eq!(with_tool(|it| it.title = " ".into()), ["D2"]);
        assert_eq!(with_tool(|it| it.title = "t".repeat(65)), ["D2"]);
        assert_eq!(with_tool(|it| it.title = "echo".into()), ["D2"]);
        assert_eq!(with_tool(|it| it.description.clear()), ["D3"]);
        assert_eq!(with_tool(|it| it.description = format!("{}.", "d".repeat(1024))), ["D3"]);
        assert_eq!(with_tool(|it| it.name = "echo_delete".into()), ["E1"]);
    }

    #[test]
    fn each_broken_server_fact_is_found() {
        assert_eq!(with_facts(|_| {}), Vec::<&str>::new());
        assert_eq!(with_facts(|it| it.name = "Echo Server"), ["N1"]);
        assert_eq!(with_facts(|it| it.aliases = &["a_b"]), ["N4"]);
        assert_eq!(with_facts(|it| it.aliases = &["other", "other"]), ["N4"]);
        assert_eq!(with_facts(|it| it.version = "1.0"), ["D1"]);
        assert_eq!(with_facts(|it| it.category = ""), ["D1"]);
        assert_eq!(with_facts(|it| it.description = "no stop here"), ["D1"]);
        assert_eq!(with_facts(|it| it.concurrency = 0), ["D1"]);
        assert_eq!(broken_rules(&EchoServer::FACTS, &[]), ["T1"]);
    }
}
