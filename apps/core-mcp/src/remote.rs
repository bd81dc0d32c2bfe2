//! Calling a running server over HTTP, as any MCP client of protocol 2026-07-28 would.

use std::{net::IpAddr, time::Duration};

use kernel::{ErrorKind, Progress, Secret};
use reqwest::{Client, Response, StatusCode, Url, header, redirect};
use serde_json::{Value, json};

use crate::failure::Failure;

mod events;

/// The revision we speak; every request states it.
const REVISION: &str = "2026-07-28";
/// Largest answer that is read.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// Time to get through to the server.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest time without a byte; the server's own deadline ends calls long before.
const READ_TIMEOUT: Duration = Duration::from_secs(3900);
/// Pages of `tools/list` that are read before giving up.
const PAGES_MAX: usize = 100;

/// A running core-mcp and the right to call it.
pub(crate) struct Remote {
    client: Client,
    endpoint: Url,
    token: Secret<String>,
}

impl Remote {
    /// Points at `url`. Without a path the endpoint is `/mcp`, or the context's own.
    pub(crate) fn new(url: &str, context: Option<&str>, token: Secret<String>) -> Result<Self, Failure> {
        let endpoint = endpoint(url, context)?;
        let mut builder = Client::builder();
        if endpoint.scheme() == "http" {
            // To this machine only: a proxy would read the token.
            builder = builder.no_proxy();
        }
        let client = builder
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            // A token goes where the user sent it and nowhere else.
            .redirect(redirect::Policy::none())
            .user_agent(concat!("core-mcp/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| Failure::local("the HTTP client cannot start", error))?;
        Ok(Self { client, endpoint, token })
    }

    /// The input schema of one tool; `None` when the caller cannot see such a tool.
    pub(crate) async fn input_schema(&self, wire_name: &str) -> Result<Option<Value>, Failure> {
        let mut cursor = Value::Null;
        for _ in 0..PAGES_MAX {
            let params = if cursor.is_null() { json!({}) } else { json!({ "cursor": cursor }) };
            let mut page = self.request("tools/list", None, params, &Progress::silent()).await?;
            let tools = page["tools"].as_array_mut();
            let found = tools.and_then(|it| it.iter_mut().find(|tool| tool["name"] == wire_name));
            if let Some(tool) = found {
                return Ok(Some(tool["inputSchema"].take()));
            }
            cursor = page["nextCursor"].take();
            if cursor.is_null() {
                return Ok(None);
            }
        }
        Ok(None)
    }

    /// Calls one tool and returns its `structuredContent`.
    pub(crate) async fn call(
        &self,
        wire_name: &str,
        arguments: Value,
        progress: &Progress,
    ) -> Result<Value, Failure> {
        let params = json!({ "name": wire_name, "arguments": arguments });
        let mut result = self.request("tools/call", Some(wire_name), params, progress).await?;
        if result["isError"] == true {
            return Err(tool_failure(&result));
        }
        match result["structuredContent"].take() {
            Value::Null => Ok(json!({ "content": result["content"] })),
            structured => Ok(structured),
        }
    }

    async fn request(
        &self,
        method: &str,
        name: Option<&str>,
        mut params: Value,
        progress: &Progress,
    ) -> Result<Value, Failure> {
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": REVISION,
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": {"name": "core-mcp", "version": env!("CARGO_PKG_VERSION")},
        });
        if progress.is_heard() {
            params["_meta"]["progressToken"] = 1.into();
        }
        let mut request = self
            .client
            .post(self.endpoint.clone())
            .bearer_auth(self.token.expose())
            .header(header::ACCEPT, "application/json, text/event-stream")
            .header("MCP-Protocol-Version", REVISION)
            .header("Mcp-Method", method)
            .json(&json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }));
        if let Some(name) = name {
            request = request.header("Mcp-Name", name);
        }
        let response = request.send().await.map_err(|error| unreachable(&self.endpoint, &error))?;
        let status = response.status();
        let wait = response.headers().get(header::RETRY_AFTER).and_then(|it| it.to_str().ok()?.parse().ok());
        let message = read_message(response, progress).await?;
        result_of(status, message).map_err(|failure| Failure {
            retry_after_seconds: failure.retry_after_seconds.or(wait),
            ..failure
        })
    }
}

/// Checks that the token would not travel in clear text, and completes the path.
fn endpoint(url: &str, context: Option<&str>) -> Result<Url, Failure> {
    let wrong =
        |why: &str| Failure::usage(format!("--url: {why}")).hint("write for example http://127.0.0.1:7332");
    let mut url = Url::parse(url).map_err(|error| wrong(&error.to_string()))?;
    let loopback = match url.host_str() {
        Some("localhost") => true,
        Some(host) => host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|it| it.is_loopback()),
        None => return Err(wrong("there is no host in it")),
    };
    match url.scheme() {
        "https" => {}
        "http" if loopback => {}
        "http" => return Err(wrong("the token would cross the network in clear text; use https")),
        _ => return Err(wrong("only http and https are spoken")),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("credentials do not belong in an address; use CORE_MCP_TOKEN"));
    }
    match (url.path(), context) {
        ("" | "/", None) => url.set_path("/mcp"),
        ("" | "/", Some(id)) => {
            let mut path = url.path_segments_mut().map_err(|()| wrong("it cannot have a path"))?;
            path.clear().extend(["contexts", id, "mcp"]);
        }
        (_, Some(_)) => return Err(wrong("with --context, leave out the path")),
        (_, None) => {}
    }
    Ok(url)
}

fn unreachable(endpoint: &Url, error: &reqwest::Error) -> Failure {
    let place = endpoint.origin().ascii_serialization();
    let why = if error.is_timeout() {
        "it does not answer in time"
    } else if error.is_connect() {
        "no connection"
    } else {
        "the connection broke"
    };
    Failure::new(ErrorKind::Unavailable, format!("{place} cannot be reached: {why}"))
        .hint("is it running? start one with `core-mcp serve`, or leave out --url to call without a server")
}

/// The JSON-RPC answer, whether it comes as one document or at the end of an event stream.
async fn read_message(mut response: Response, progress: &Progress) -> Result<Option<Value>, Failure> {
    let kind =
        response.headers().get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or_default();
    let streams = kind.starts_with("text/event-stream");
    let mut events = events::Events::default();
    let mut body = Vec::new();
    let mut size = 0;
    let broken = |error: reqwest::Error| Failure::local("the answer broke off", error.without_url());
    while let Some(chunk) = response.chunk().await.map_err(broken)? {
        size += chunk.len();
        if size > ANSWER_BYTES_MAX {
            return Err(Failure::new(ErrorKind::ToolExecutionFailed, "the answer is larger than 64 MiB"));
        }
        if !streams {
            body.extend_from_slice(&chunk);
            continue;
        }
        for message in events.push(&chunk) {
            if message["method"] == "notifications/progress" {
                let params = &message["params"];
                let text = params["message"].as_str().unwrap_or_default();
                progress.report(params["progress"].as_f64().unwrap_or(0.0), params["total"].as_f64(), text);
            } else if message["id"] == 1 {
                return Ok(Some(message));
            }
        }
    }
    Ok(serde_json::from_slice(&body).ok())
}

/// The `result`, or what went wrong on the way to the tool.
fn result_of(status: StatusCode, message: Option<Value>) -> Result<Value, Failure> {
    let mut message = message.unwrap_or(Value::Null);
    if message["result"].is_object() {
        return Ok(message["result"].take());
    }
    let detail = &message["error"]["data"]["core-mcp/error"];
    if let Ok(failure) = serde_json::from_value(detail.clone()) {
        return Err(failure);
    }
    // Refusals before the protocol have the form of OAuth errors.
    let text = message["error"]["message"].as_str().or(message["error_description"].as_str());
    let text = text.unwrap_or("the server gave no reason");
    let kind = match (status, message["error"]["code"].as_i64()) {
        (StatusCode::UNAUTHORIZED, _) => return Err(refused_token(text)),
        (StatusCode::FORBIDDEN, _) => ErrorKind::PermissionDenied,
        (StatusCode::TOO_MANY_REQUESTS, _) => ErrorKind::RateLimited,
        (StatusCode::SERVICE_UNAVAILABLE, _) => ErrorKind::Unavailable,
        (_, Some(-32602)) => ErrorKind::ValidationFailed,
        _ => ErrorKind::ToolExecutionFailed,
    };
    Err(Failure::new(kind, format!("the server answered {}: {text}", status.as_u16())))
}

fn refused_token(text: &str) -> Failure {
    Failure::new(ErrorKind::AuthenticationFailed, format!("the server refused the token: {text}"))
        .hint("make a new one with `core-mcp token create USER`, then set CORE_MCP_TOKEN")
}

/// A result with `isError`; our own servers say exactly what happened in `_meta`.
fn tool_failure(result: &Value) -> Failure {
    serde_json::from_value(result["_meta"]["core-mcp/error"].clone()).unwrap_or_else(|_| {
        let text = result["content"][0]["text"].as_str().unwrap_or("the tool failed and said nothing");
        Failure::new(ErrorKind::ToolExecutionFailed, text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_completed_and_a_token_never_leaves_in_clear_text() {
        let check = |url: &str, context: Option<&str>, expected: Option<&str>| {
            let found = endpoint(url, context).ok().map(|it| it.to_string());
            assert_eq!(found.as_deref(), expected, "{url} {context:?}");
        };
        check("http://127.0.0.1:7332", None, Some("http://127.0.0.1:7332/mcp"));
        check("http://[::1]:1/", None, Some("http://[::1]:1/mcp"));
        check(
            "http://localhost:1/mcp/security-scanner",
            None,
            Some("http://localhost:1/mcp/security-scanner"),
        );
        check("https://core.example.com", Some("d/1"), Some("https://core.example.com/contexts/d%2F1/mcp"));
        check("http://localhost:1/mcp", Some("d"), None);
        check("http://core.example.com", None, None);
        check("http://127.0.0.1.example.com", None, None);
        check("http://10.0.0.1:7332", None, None);
        check("https://user:secret@core.example.com", None, None);
        check("ftp://127.0.0.1", None, None);
        check("127.0.0.1:7332", None, None);
    }

    #[test]
    fn every_answer_finds_its_exit_code() {
        let check = |status: u16, message: Value, code: u8| {
            let failure =
                result_of(StatusCode::from_u16(status).unwrap(), Some(message.clone())).unwrap_err();
            assert_eq!(failure.exit_code(), code, "{status} {message}");
        };
        check(401, json!({}), 3);
        check(403, json!({"error": {"code": -32000, "message": "no"}}), 4);
        check(429, json!(null), 5);
        check(400, json!({"error": {"code": -32602, "message": "unknown tool"}}), 2);
        check(500, json!({}), 1);
        check(
            200,
            json!({"error": {"code": 1, "data": {"core-mcp/error": {"code": "circuit_open", "message": "x"}}}}),
            6,
        );
    }

    #[test]
    fn a_refusal_before_the_protocol_says_why() {
        let body = json!({"error": "slow_down", "error_description": "too many refused requests"});
        let failure = result_of(StatusCode::TOO_MANY_REQUESTS, Some(body)).unwrap_err();
        assert_eq!(
            (failure.exit_code(), failure.message.contains("too many refused")),
            (5, true),
            "{failure:?}"
        );
    }

    #[test]
    fn a_failed_tool_keeps_its_code_hints_and_ticket() {
        let failure = tool_failure(&json!({"isError": true, "_meta": {"core-mcp/error": {
            "code": "needs_approval", "message": "ask first", "hints": ["approve it"],
            "approval": {"id": "a1", "digest": "d", "question": "q", "expires_at": 1},
        }}}));
        assert_eq!((failure.exit_code(), failure.hints.len()), (8, 1));
        assert_eq!(failure.approval.map(|it| it.id), Some("a1".into()));
        assert_eq!(tool_failure(&json!({"content": [{"text": "boom"}]})).message, "boom");
    }
}
