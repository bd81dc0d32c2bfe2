//! Paste-ready settings for MCP clients. The token stays in the environment wherever a client allows it.

use std::path::Path;

use serde::Serialize;
use serde_json::{Value, json};

/// How one client is told about this server.
#[derive(Debug, Serialize)]
pub(crate) struct Snippet {
    /// The client.
    pub(crate) client: &'static str,
    /// Where the text goes.
    pub(crate) place: &'static str,
    /// What to paste.
    pub(crate) text: String,
}

/// What the snippets point at.
pub(crate) struct Target<'a> {
    /// The MCP endpoint, `http://…/mcp`.
    pub(crate) url: &'a str,
    /// This program.
    pub(crate) program: &'a Path,
    /// The data directory.
    pub(crate) data_dir: &'a Path,
}

/// One snippet per client, in the order a reader should meet them.
pub(crate) fn snippets(target: &Target<'_>) -> Vec<Snippet> {
    vec![
        Snippet {
            client: "Claude Code",
            place: "run once; it writes .mcp.json, which reads CORE_MCP_TOKEN when it starts",
            text: format!(
                "claude mcp add --transport http --scope project core-mcp {} --header 'Authorization: Bearer ${{CORE_MCP_TOKEN}}'",
                target.url
            ),
        },
        Snippet {
            client: "VS Code",
            place: ".vscode/mcp.json; it asks for the token once and keeps it",
            text: pretty(&json!({
                "inputs": [{"type": "promptString", "id": "core-mcp-token", "description": "core-mcp token", "password": true}],
                "servers": {"core-mcp": {
                    "type": "http",
                    "url": target.url,
                    "headers": {"Authorization": "Bearer ${input:core-mcp-token}"},
                }},
            })),
        },
        Snippet {
            client: "Cursor",
            place: ".cursor/mcp.json; it reads CORE_MCP_TOKEN when it starts",
            text: pretty(&json!({"mcpServers": {"core-mcp": {
                "url": target.url,
                "headers": {"Authorization": "Bearer ${env:CORE_MCP_TOKEN}"},
            }}})),
        },
        Snippet {
            client: "Claude Desktop",
            place: "claude_desktop_config.json; put the token where it says so",
            text: pretty(&json!({"mcpServers": {"core-mcp": {
                "command": target.program.to_string_lossy(),
                "args": ["stdio", "--data-dir", target.data_dir.to_string_lossy()],
                "env": {"CORE_MCP_TOKEN": "<the token>"},
            }}})),
        },
    ]
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).expect("a JSON value is JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_json_snippet_is_json_and_none_holds_a_token() {
        let target = Target {
            url: "http://127.0.0.1:7332/mcp",
            program: Path::new("/opt/core \"mcp\""),
            data_dir: Path::new("/data"),
        };
        let made = snippets(&target);
        assert_eq!(made.len(), 4);
        for snippet in made.iter().filter(|it| it.text.starts_with('{')) {
            assert!(serde_json::from_str::<Value>(&snippet.text).is_ok(), "{}", snippet.client);
        }
        for snippet in &made {
            assert!(
                snippet.text.contains("TOKEN") || snippet.text.contains("${input:"),
                "{}",
                snippet.client
            );
        }
    }
}
