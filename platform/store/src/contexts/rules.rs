//! Who sees which context, and what a context may be called.

use std::time::Duration;

use kernel::{ErrorKind, Principal, ToolError};

use super::ContextInfo;

/// Longest lifetime that can be asked for.
const TTL_MAX: Duration = Duration::from_secs(366 * 86_400);

pub(super) fn visible(
    found: Option<ContextInfo>,
    id: &str,
    who: &Principal,
    now: i64,
) -> Result<ContextInfo, ToolError> {
    check(found.as_ref(), id, who, now)?;
    found.ok_or_else(|| unknown(id))
}

/// Somebody else's context and one that never was look alike.
pub(super) fn check<'c>(
    found: Option<&'c ContextInfo>,
    id: &str,
    who: &Principal,
    now: i64,
) -> Result<&'c ContextInfo, ToolError> {
    let context = found.filter(|it| is_for(it, who)).ok_or_else(|| unknown(id))?;
    if is_over(context, now) {
        return Err(ToolError::new(ErrorKind::NotFound, format!("context `{id}` has expired"))
            .reason("CONTEXT_EXPIRED")
            .hint(format!("make it anew with `core-mcp context create {id}`")));
    }
    Ok(context)
}

pub(super) fn is_for(context: &ContextInfo, who: &Principal) -> bool {
    context.owner == who.id || is_admin(who)
}

pub(super) fn is_over(context: &ContextInfo, now: i64) -> bool {
    context.expires_at.is_some_and(|it| it <= now)
}

pub(crate) fn is_admin(who: &Principal) -> bool {
    who.roles.iter().any(|role| role == "admin")
}

pub(super) fn unknown(id: &str) -> ToolError {
    ToolError::new(ErrorKind::NotFound, format!("you have no context `{}`", shown(id)))
        .hint("see `core-mcp context list`, or make one with `core-mcp context create ID`")
}

/// An id as sent is from outside: only its harmless start is repeated.
fn shown(id: &str) -> String {
    id.chars().filter(|it| !it.is_control()).take(64).collect()
}

pub(super) fn check_id(id: &str) -> Result<(), ToolError> {
    let is_word = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'_' | b'-' | b'.');
    let starts_well = id.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric);
    if starts_well && id.len() <= 64 && id.bytes().all(is_word) {
        return Ok(());
    }
    Err(ToolError::invalid(
        "id",
        "a context id has 1 to 64 letters, digits, `.`, `_` or `-` and begins with a letter or digit",
    )
    .hint("for example `deployment_123`"))
}

pub(super) fn check_server(server: &str) -> Result<(), ToolError> {
    let is_name = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || matches!(it, b'-' | b'_');
    if (1..=64).contains(&server.len()) && server.bytes().all(is_name) {
        return Ok(());
    }
    Err(ToolError::invalid("server", "a server name has 1 to 64 of a-z, 0-9, `-` and `_`")
        .hint("see `core-mcp servers`"))
}

pub(super) fn expiry(now: i64, ttl: Option<Duration>) -> Result<Option<i64>, ToolError> {
    match ttl {
        None => Ok(None),
        Some(ttl) if ttl < Duration::from_secs(1) || ttl > TTL_MAX => {
            Err(ToolError::invalid("ttl", "a context lives between one second and 366 days"))
        }
        Some(ttl) => Ok(Some(now.saturating_add(i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX)))),
    }
}
