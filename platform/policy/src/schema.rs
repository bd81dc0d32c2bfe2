//! The Cedar schema, generated from what is mounted.

use std::fmt::Write;

use cedar_policy::Schema;

use crate::Manifest;

/// The fixed part: entity types, actions, and what a question carries.
const SHAPE: &str = r#"
// Who asks. Roles are parents: `principal in Role::"operator"`.
entity Role;
entity User, Agent, Service in [Role] = { "name": String, "kind": String };

// What is asked about. A server as a resource is only ever looked at, so its effect is "read".
entity Category;
entity Server in [Category] = { "name": String, "server": String, "category": String, "effect": String };
entity Tool in [Server, Category] = { "name": String, "server": String, "category": String, "effect": String };

// One thing a call names, for example { kind: "file", id: "/srv/app/main.rs" }.
type Thing = { "kind": String, "id": String };

type Call = {
  // "http", "stdio", "cli" or "workflow".
  "door": String,
  // The context the call belongs to, if any.
  "context_id"?: String,
  // Everything the call names. Empty in listings.
  "resources": Set<Thing>,
  // Kind and id of the one thing the call names; absent when it names none or several.
  "resource_kind"?: String,
  "resource_id"?: String,
  // Ids of the things of kind "file".
  "paths": Set<String>,
  // Every folder (and path) that at least one of the paths lies in.
  "any_within": Set<String>,
  // Every folder (and path) that all of the paths lie in. Empty without paths.
  "all_within": Set<String>,
};

action "list", "read" appliesTo { principal: [User, Agent, Service], resource: [Tool, Server], context: Call };
action "execute" appliesTo { principal: [User, Agent, Service], resource: [Tool], context: Call };
"#;

/// The schema policies are validated against, with the names that exist as comments for people and editors.
pub fn schema_text(manifest: &Manifest) -> String {
    let mut text = String::from(
        "// Generated from the mounted servers. Policies are validated against this in strict mode.\n",
    );
    text.push_str(SHAPE);
    text.push_str("\n// Names in use:\n");
    for role in &manifest.roles {
        comment(&mut text, "Role", role, "");
    }
    for category in manifest.categories() {
        comment(&mut text, "Category", category, "");
    }
    for (server, names) in &manifest.servers {
        comment(&mut text, "Server", server, &names.category);
        for (tool, effect) in &names.tools {
            comment(&mut text, "Tool", &format!("{server}.{tool}"), effect.as_str());
        }
    }
    text
}

fn comment(text: &mut String, kind: &str, name: &str, note: &str) {
    // `{:?}` escapes line ends, so a hostile name of an upstream tool cannot leave its comment.
    writeln!(text, "//   {kind}::{name:?} {}", note.escape_debug()).expect("a String takes every write");
}

pub(crate) fn schema() -> Schema {
    Schema::from_cedarschema_str(SHAPE).expect("the shape is a constant that a test parses").0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generated_schema_parses_and_hostile_names_stay_comments() {
        let manifest = Manifest::new().roles(["x\"\naction \"evil\";\r\u{2028}".to_owned()]);
        let text = schema_text(&manifest);
        let (parsed, _) = Schema::from_cedarschema_str(&text).expect("it parses");
        assert_eq!(parsed.actions().count(), 3);
        assert_eq!(schema().actions().count(), 3);
    }
}
