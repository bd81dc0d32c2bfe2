//! Mistakes that Cedar's validator cannot see: names that do not exist, annotations that mean nothing.

use cedar_policy::EntityUid;

use crate::{Finding, Manifest, Severity, load::Parsed, spelling};

/// Annotations the engine acts on. Operators may add their own (`@owner`, `@ticket`).
const KNOWN: [&str; 5] = ["id", "description", "approval", "redact", "rate_class"];
/// The ones that bind the pipeline.
const DUTIES: [&str; 3] = ["approval", "redact", "rate_class"];

/// A misspelt duty would silently be no duty, so it is an error and not a warning.
pub(crate) fn annotations(parsed: &Parsed<'_>, findings: &mut Vec<Finding>) {
    let policy = &parsed.rule.policy;
    let mut report = |message: String, hint: &str| {
        findings.push(parsed.finding(Severity::Error, 0, message).hint(hint));
    };
    for (key, value) in policy.annotations() {
        if DUTIES.contains(&key) && parsed.rule.is_forbid() {
            report(format!("@{key} on a forbid does nothing"), "put it on the permit that it belongs to");
        }
        if matches!(key, "redact" | "rate_class") && value.trim().is_empty() {
            report(format!("@{key} needs a value"), "for example @redact(\"password,token\")");
        }
        let meant = KNOWN.into_iter().find(|known| *known != key && spelling::distance(known, key) <= 2);
        if let Some(meant) = meant.filter(|_| !KNOWN.contains(&key) && key.len() > 2) {
            report(format!("there is no annotation @{key}"), &format!("did you mean @{meant}?"));
        }
    }
}

/// Names that nothing answers to: the policy is valid, but can never match. A warning, because a server
/// may be mounted later.
pub(crate) fn names(parsed: &Parsed<'_>, manifest: &Manifest, findings: &mut Vec<Finding>) {
    if manifest.servers.is_empty() {
        return;
    }
    for uid in parsed.rule.policy.entity_literals() {
        let Some((message, hint)) = unknown(&uid, manifest) else { continue };
        let spelled = format!("{}::\"{}\"", uid.type_name(), uid.id().unescaped());
        let offset = parsed.statement.text.find(&spelled).unwrap_or(0);
        let found = parsed.finding(Severity::Warning, offset, message);
        findings.push(if hint.is_empty() { found } else { found.hint(hint) });
    }
}

fn unknown(uid: &EntityUid, manifest: &Manifest) -> Option<(String, String)> {
    let id = uid.id().unescaped();
    let (kind, known): (&str, Vec<String>) = match uid.type_name().basename() {
        "Role" if !manifest.roles.contains(id) => ("role", manifest.roles.iter().cloned().collect()),
        "Category" if !manifest.categories().contains(id) => {
            ("category", manifest.categories().into_iter().map(str::to_owned).collect())
        }
        "Server" if !manifest.servers.contains_key(id) => {
            if let Some(name) = manifest.aliases.get(id) {
                return Some((format!("`{id}` is an alias"), format!("policies name the server `{name}`")));
            }
            ("server", manifest.servers.keys().cloned().collect())
        }
        "Tool" if manifest.tool(id).is_none() => {
            if let Some((alias, tool)) = id.split_once('.')
                && let Some(name) = manifest.aliases.get(alias)
            {
                return Some((
                    format!("`{alias}` is an alias"),
                    format!("policies name the tool `{name}.{tool}`"),
                ));
            }
            ("tool", tools_near(id, manifest))
        }
        _ => return None,
    };
    let message = format!(
        "no {kind} is called `{}`",
        id.chars().filter(|it| !it.is_control()).take(80).collect::<String>()
    );
    let hint =
        spelling::nearest(id, known.iter().map(String::as_str)).map(|it| format!("did you mean `{it}`?"));
    Some((message, hint.unwrap_or_default()))
}

fn tools_near(id: &str, manifest: &Manifest) -> Vec<String> {
    let all = |(server, names): (&String, &crate::manifest::ServerNames)| {
        names.tools.keys().map(|tool| format!("{server}.{tool}")).collect::<Vec<_>>()
    };
    let mut near: Vec<String> = manifest.servers.iter().flat_map(all).collect();
    // A bare tool name is the commonest slip: offer its qualified form.
    if let Some(qualified) = near.iter().find(|it| it.split_once('.').is_some_and(|(_, tool)| tool == id)) {
        near = vec![qualified.clone()];
    }
    near
}
