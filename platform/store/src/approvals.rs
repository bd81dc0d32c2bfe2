//! Who said yes to what. A grant is for one principal and one exact call, works once, and expires.

use std::{path::Path, time::Duration};

use kernel::{ApprovalTicket, ErrorKind, Principal, PrincipalKind, ToolError};
use parking_lot::Mutex;
use pipeline::seams::{ApprovalRequest, Approvals};
use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior};
use serde::Serialize;

use crate::{Clock, StoreError, contexts::is_admin, error::state_error, random, schema::MIGRATIONS, sqlite};

/// Requests one principal may have open at the same time, so that a loop cannot bury the humans.
const OPEN_MAX: i64 = 50;
/// How long a decided or expired request can still be listed.
const KEPT_SECONDS: i64 = 86_400;
/// Ended requests of one principal that are kept meanwhile: a client that always says no fills nothing.
const ENDED_MAX: i64 = 200;
/// Longest listing.
const LIST_MAX: i64 = 500;

/// Ways in which the human at the caller's own client answers.
const OWN_CLIENT: [&str; 2] = ["elicitation", "input_required"];
/// Ways in which somebody decides about the queue.
const QUEUE: [&str; 2] = ["cli", "console"];

/// How approvals are kept.
#[derive(Clone, Debug)]
pub struct ApprovalOptions {
    /// How long a request waits for a decision, and a grant for its call.
    pub lifetime: Duration,
    /// Where the time comes from.
    pub clock: Clock,
}

impl Default for ApprovalOptions {
    fn default() -> Self {
        Self { lifetime: Duration::from_secs(300), clock: Clock::system() }
    }
}

/// A request in a listing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ApprovalInfo {
    /// What `approve` takes.
    pub id: String,
    /// Whose call.
    pub principal: String,
    /// `server.tool`.
    pub tool: String,
    /// What a human reads.
    pub question: String,
    /// Why policy asks.
    pub reason: String,
    /// `open`, `granted`, `declined`, `used` or `expired`.
    pub state: String,
    /// Unix seconds.
    pub opened_at: i64,
    /// Unix seconds.
    pub expires_at: i64,
    /// Who decided.
    pub decided_by: Option<String>,
    /// How: `cli`, `console`, `elicitation` or `input_required`.
    pub decided_via: Option<String>,
}

/// All approvals of a data directory. Several processes may use them at once.
pub struct ApprovalStore {
    connection: Mutex<Connection>,
    options: ApprovalOptions,
}

impl ApprovalStore {
    /// Opens `state.db`. Blocks on the disk.
    pub fn open(path: &Path, options: ApprovalOptions) -> Result<Self, StoreError> {
        Ok(Self { connection: Mutex::new(sqlite::open(path, MIGRATIONS)?), options })
    }

    /// Requests `who` may see, what waits first, then newest first: their own; whoever may decide sees everybody's.
    pub fn list(&self, who: &Principal) -> Result<Vec<ApprovalInfo>, ToolError> {
        let now = self.now();
        let connection = self.connection.lock();
        let mut rows = connection
            .prepare_cached(
                "SELECT id, principal, tool, question, reason, state, opened_at, expires_at,
                        decided_by, decided_via
                 FROM approvals WHERE ?1 OR principal = ?2
                 ORDER BY state = 'open' AND expires_at > ?3 DESC, opened_at DESC, id LIMIT ?4",
            )
            .map_err(state_error)?;
        let rows = rows
            .query_map((is_approver(who), &who.id, now, LIST_MAX), |row| info(row, now))
            .and_then(Iterator::collect::<rusqlite::Result<Vec<_>>>);
        rows.map_err(state_error)
    }

    /// Forgets requests that ended a day ago. Returns how many.
    pub fn sweep(&self) -> Result<usize, ToolError> {
        let before = self.now() - KEPT_SECONDS;
        self.connection
            .lock()
            .execute("DELETE FROM approvals WHERE expires_at < ?1", [before])
            .map_err(state_error)
    }

    fn now(&self) -> i64 {
        self.options.clock.now_seconds()
    }

    fn end(&self, now: i64) -> i64 {
        now.saturating_add(i64::try_from(self.options.lifetime.as_secs()).unwrap_or(i64::MAX))
    }
}

impl Approvals for ApprovalStore {
    fn open(&self, request: ApprovalRequest) -> Result<ApprovalTicket, ToolError> {
        let now = self.now();
        let mut connection = self.connection.lock();
        let work =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(state_error)?;
        if let Some(ticket) = open_ticket(&work, &request, now).map_err(state_error)? {
            return Ok(ticket);
        }
        let count: i64 = work
            .prepare_cached(
                "SELECT count(*) FROM approvals
                 WHERE principal = ?1 AND state = 'open' AND expires_at > ?2",
            )
            .and_then(|mut it| it.query_row((&request.principal, now), |row| row.get(0)))
            .map_err(state_error)?;
        if count >= OPEN_MAX {
            return Err(ToolError::new(
                ErrorKind::Overloaded,
                format!("{count} of your requests wait for approval"),
            )
            .hint("wait until they are decided or expire")
            .after(self.options.lifetime));
        }
        let ticket = ApprovalTicket {
            id: random::hex_id(16),
            digest: request.digest.clone(),
            question: request.question.clone(),
            expires_at: self.end(now),
        };
        forget_ended(&work, &request.principal, now).map_err(state_error)?;
        work.prepare_cached(
            "INSERT INTO approvals
               (id, principal, digest, tool, question, reason, opened_at, expires_at, state)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'open')",
        )
        .and_then(|mut it| {
            let ApprovalTicket { id, digest, question, expires_at } = &ticket;
            let ApprovalRequest { principal, tool, reason, .. } = &request;
            it.execute((id, principal, digest, tool, question, reason, now, expires_at))
        })
        .map_err(state_error)?;
        work.commit().map_err(state_error)?;
        Ok(ticket)
    }

    fn consume(&self, principal: &str, digest: &str) -> Result<bool, ToolError> {
        // One statement, so that of two callers in two processes only one changes the row.
        self.connection
            .lock()
            .prepare_cached(
                "UPDATE approvals SET state = 'used' WHERE id = (
                   SELECT id FROM approvals
                   WHERE principal = ?1 AND digest = ?2 AND state = 'granted' AND expires_at > ?3
                   ORDER BY expires_at LIMIT 1)",
            )
            .and_then(|mut it| it.execute((principal, digest, self.now())))
            .map(|changed| changed == 1)
            .map_err(state_error)
    }

    fn decide(&self, id: &str, grant: bool, by: &Principal, via: &str) -> Result<(), ToolError> {
        let now = self.now();
        let mut connection = self.connection.lock();
        let work =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(state_error)?;
        let found: Option<(String, String, i64)> = work
            .prepare_cached("SELECT principal, state, expires_at FROM approvals WHERE id = ?1")
            .and_then(|mut it| {
                it.query_row([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()
            })
            .map_err(state_error)?;
        let (owner, state, expires_at) = found.ok_or_else(unknown)?;
        may_decide(&owner, by, via)?;
        if state != "open" {
            return Err(ToolError::new(
                ErrorKind::ValidationFailed,
                format!("this request is already {state}"),
            )
            .hint("see `core-mcp approval list`"));
        }
        if expires_at <= now {
            return Err(unknown());
        }
        let state = if grant { "granted" } else { "declined" };
        work.prepare_cached(
            "UPDATE approvals SET state = ?2, decided_by = ?3, decided_via = ?4, expires_at = ?5
             WHERE id = ?1",
        )
        .and_then(|mut it| it.execute((id, state, &by.id, via, self.end(now))))
        .map_err(state_error)?;
        work.commit().map_err(state_error)
    }
}

fn forget_ended(connection: &Connection, principal: &str, now: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "DELETE FROM approvals WHERE id IN (
               SELECT id FROM approvals
               WHERE principal = ?1 AND NOT (state IN ('open', 'granted') AND expires_at > ?2)
               ORDER BY opened_at DESC, id LIMIT -1 OFFSET ?3)",
        )?
        .execute((principal, now, ENDED_MAX))
        .map(drop)
}

fn open_ticket(
    connection: &Connection,
    request: &ApprovalRequest,
    now: i64,
) -> rusqlite::Result<Option<ApprovalTicket>> {
    connection
        .prepare_cached(
            "SELECT id, question, expires_at FROM approvals
             WHERE principal = ?1 AND digest = ?2 AND state = 'open' AND expires_at > ?3",
        )?
        .query_row((&request.principal, &request.digest, now), |row| {
            let digest = request.digest.clone();
            Ok(ApprovalTicket { id: row.get(0)?, digest, question: row.get(1)?, expires_at: row.get(2)? })
        })
        .optional()
}

fn info(row: &Row<'_>, now: i64) -> rusqlite::Result<ApprovalInfo> {
    let (state, expires_at): (String, i64) = (row.get(5)?, row.get(7)?);
    let is_waiting = matches!(state.as_str(), "open" | "granted");
    Ok(ApprovalInfo {
        id: row.get(0)?,
        principal: row.get(1)?,
        tool: row.get(2)?,
        question: row.get(3)?,
        reason: row.get(4)?,
        state: if is_waiting && expires_at <= now { "expired".into() } else { state },
        opened_at: row.get(6)?,
        expires_at,
        decided_by: row.get(8)?,
        decided_via: row.get(9)?,
    })
}

/// At the caller's own client (`elicitation`, `input_required`) only the caller decides. In the queue
/// (`cli`, `console`) people with the role `operator` or `security` decide about requests of others,
/// and admins about all; an agent or a service never does, unless it is an admin.
fn may_decide(owner: &str, by: &Principal, via: &str) -> Result<(), ToolError> {
    let denied = |message: String| ToolError::new(ErrorKind::PermissionDenied, message);
    if OWN_CLIENT.contains(&via) {
        let own = owner == by.id;
        return if own { Ok(()) } else { Err(denied("only the caller answers at their own client".into())) };
    }
    if !QUEUE.contains(&via) {
        return Err(ToolError::invalid(
            "via",
            "an approval is given via cli, console, elicitation or input_required",
        ));
    }
    if is_admin(by) {
        return Ok(());
    }
    if owner == by.id {
        return Err(denied("nobody approves their own request".into())
            .reason("SELF_APPROVAL")
            .hint("ask somebody else with the role `operator`, `security` or `admin`"));
    }
    if is_approver(by) {
        return Ok(());
    }
    Err(denied(format!("`{}` may not decide about approvals", by.id))
        .hint("a person with the role `operator`, `security` or `admin` can"))
}

fn is_approver(who: &Principal) -> bool {
    let decides = |role: &String| role == "operator" || role == "security";
    is_admin(who) || (who.kind == PrincipalKind::User && who.roles.iter().any(decides))
}

fn unknown() -> ToolError {
    ToolError::new(ErrorKind::NotFound, "no such request waits for approval; it may have expired")
        .hint("see `core-mcp approval list`; repeating the call opens a new request")
}
