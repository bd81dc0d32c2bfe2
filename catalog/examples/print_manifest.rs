//! Prints the catalogue and the error codes as JSON; `cargo xtask docs` turns it into pages.

use kernel::{ErrorKind, ServerEntry};
use serde_json::{Value, json};

/// Each class of errors: what it means, and what its reader does next.
const ERRORS: &[(ErrorKind, &str, &str)] = &[
    (
        ErrorKind::AuthenticationFailed,
        "The token is missing, unknown, expired or revoked.",
        "Give a valid token; make one with `core-mcp token create`.",
    ),
    (
        ErrorKind::PermissionDenied,
        "No policy allows the call, or one forbids it.",
        "Ask `core-mcp policy explain` which rule decided; then grant a role or change the policy.",
    ),
    (
        ErrorKind::ValidationFailed,
        "The arguments break a rule of the schema, or a guard refused them. `field` names the argument, `reason` the guard's rule.",
        "Correct the argument that `field` names. The hint says what was expected.",
    ),
    (
        ErrorKind::NotFound,
        "The named server, tool or thing does not exist.",
        "List what there is, then use one of those names.",
    ),
    (
        ErrorKind::RateLimited,
        "Too many calls in the last minute.",
        "Wait for `retry_after` seconds. The operator sets `tuning.rate_per_minute`.",
    ),
    (
        ErrorKind::Overloaded,
        "The queue of this server is full.",
        "Wait for `retry_after` seconds, and call less at once.",
    ),
    (
        ErrorKind::CircuitOpen,
        "The backend failed too often, so calls are refused for a while.",
        "Wait for `retry_after` seconds; look at the server's health with `core-mcp servers`.",
    ),
    (
        ErrorKind::NeedsApproval,
        "Policy wants a human to say yes to exactly these arguments.",
        "Have the ticket approved, then send the same call again before it expires.",
    ),
    (
        ErrorKind::Timeout,
        "The deadline passed. A read did nothing; a write that had not been sent did nothing.",
        "Ask for less, or for more time where the tool takes a timeout.",
    ),
    (ErrorKind::Cancelled, "The caller gave up.", "Call again if the result is still wanted."),
    (ErrorKind::Unavailable, "The backend is away.", "Try again later; the hint says what to check."),
    (
        ErrorKind::ToolExecutionFailed,
        "The tool ran and failed.",
        "Read the sentence and the hint; the same call fails again.",
    ),
    (
        ErrorKind::OutcomeUnknown,
        "A write was sent and no answer came: it may or may not have happened.",
        "Look at the thing itself before trying again.",
    ),
    (
        ErrorKind::AuditUnavailable,
        "The call could not be recorded, so it was refused. Nothing happened.",
        "The operator frees disk space or repairs the data directory.",
    ),
    (ErrorKind::Internal, "A fault of core-mcp.", "Report it with the call id."),
];

fn main() {
    let servers: Vec<Value> = catalog::native_servers().iter().map(server).collect();
    let errors: Vec<Value> = ERRORS
        .iter()
        .map(|(kind, meaning, next)| {
            json!({ "code": kind.code(), "exit_code": kind.exit_code(), "meaning": meaning, "next": next })
        })
        .collect();
    println!("{}", json!({ "servers": servers, "errors": errors }));
}

fn server(entry: &ServerEntry) -> Value {
    let mut shown = json!(entry.facts);
    shown["config_schema"] = (entry.config_schema)();
    shown["tools"] = json!((entry.specs)());
    shown
}
