//! Contexts: named groups of calls that may use some servers, kept with a bounded history.

use std::{path::Path, time::Duration};

use kernel::{ErrorKind, Principal, ToolError};
use parking_lot::Mutex;
use pipeline::seams::{Contexts, HistoryEntry};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use serde::Serialize;

use crate::{Clock, StoreError, error::state_error, schema::MIGRATIONS, sqlite};

use self::{
    history::HistoryWriter,
    rules::{check, check_id, check_server, expiry, is_for, is_over, unknown, visible},
    snapshot::Snapshot,
};

mod history;
mod rules;
mod snapshot;

pub(crate) use self::rules::is_admin;

/// Contexts one principal may have at the same time.
const PER_OWNER_MAX: i64 = 1000;
/// Servers one context may enable.
const SERVERS_MAX: usize = 256;

/// How contexts are kept.
#[derive(Clone, Debug)]
pub struct ContextOptions {
    /// Calls remembered per context; older ones are forgotten.
    pub history_max: u32,
    /// How long a change by another process may stay unnoticed. A change by this one shows at once.
    pub freshness: Duration,
    /// Where the time comes from.
    pub clock: Clock,
}

impl Default for ContextOptions {
    fn default() -> Self {
        Self { history_max: 200, freshness: Duration::from_millis(50), clock: Clock::system() }
    }
}

/// A context in a listing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ContextInfo {
    /// Its name.
    pub id: String,
    /// Whose it is.
    pub owner: String,
    /// Catalogue names, sorted.
    pub servers: Vec<String>,
    /// Unix seconds.
    pub created_at: i64,
    /// Unix seconds; `None`: never.
    pub expires_at: Option<i64>,
}

/// A context with what it did.
#[derive(Clone, Debug, Serialize)]
pub struct ContextDetails {
    /// The context.
    #[serde(flatten)]
    pub info: ContextInfo,
    /// Its calls, newest first.
    pub history: Vec<HistoryEntry>,
}

/// All contexts of a data directory. Several processes may use them at once.
pub struct ContextStore {
    connection: Mutex<Connection>,
    snapshot: Snapshot,
    history: HistoryWriter,
    options: ContextOptions,
}

impl ContextStore {
    /// Opens `state.db` and removes contexts whose time is over. Blocks on the disk.
    pub fn open(path: &Path, options: ContextOptions) -> Result<Self, StoreError> {
        let connection = sqlite::open(path, MIGRATIONS)?;
        let writer = sqlite::open(path, MIGRATIONS)?;
        let history = HistoryWriter::start(writer, options.history_max).map_err(StoreError::io(path))?;
        let snapshot = Snapshot::new(options.freshness);
        let store = Self { connection: Mutex::new(connection), snapshot, history, options };
        store.delete_expired().map_err(StoreError::sqlite(path))?;
        Ok(store)
    }

    /// Makes a context of `owner` that enables `servers` (catalogue names).
    ///
    /// # Errors
    /// `ValidationFailed` when the id is malformed or taken, or a bound is exceeded.
    pub fn create(
        &self,
        id: &str,
        owner: &Principal,
        servers: &[String],
        ttl: Option<Duration>,
    ) -> Result<ContextInfo, ToolError> {
        check_id(id)?;
        servers.iter().try_for_each(|server| check_server(server))?;
        if servers.len() > SERVERS_MAX {
            return Err(ToolError::invalid(
                "servers",
                format!("a context enables at most {SERVERS_MAX} servers"),
            ));
        }
        let now = self.options.clock.now_seconds();
        let expires_at = expiry(now, ttl)?;
        self.change(|work| {
            work.execute("DELETE FROM contexts WHERE id = ?1 AND expires_at <= ?2", (id, now))
                .map_err(state_error)?;
            let count: i64 = work
                .query_row("SELECT count(*) FROM contexts WHERE owner = ?1", [&owner.id], |row| row.get(0))
                .map_err(state_error)?;
            if count >= PER_OWNER_MAX {
                return Err(ToolError::invalid(
                    "id",
                    format!("you have {count} contexts, which is the most"),
                )
                .hint("delete one with `core-mcp context delete ID`"));
            }
            let row = (id, &owner.id, now, expires_at);
            let added = work
                .execute("INSERT INTO contexts VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING", row)
                .map_err(state_error)?;
            if added == 0 {
                return Err(ToolError::invalid("id", format!("a context `{id}` exists already"))
                    .hint("choose another id, or see `core-mcp context list`"));
            }
            servers.iter().try_for_each(|server| add_server(work, id, server))?;
            find(work, id)?.ok_or_else(|| unknown(id))
        })
    }

    /// Lets a context use one more server. Enabling twice equals enabling once.
    pub fn enable(&self, id: &str, who: &Principal, server: &str) -> Result<ContextInfo, ToolError> {
        check_server(server)?;
        self.change_one(id, who, |work, context| {
            if context.servers.len() >= SERVERS_MAX {
                return Err(ToolError::invalid(
                    "server",
                    format!("a context enables at most {SERVERS_MAX} servers"),
                ));
            }
            add_server(work, id, server)
        })
    }

    /// Takes a server away from a context. Disabling twice equals disabling once.
    pub fn disable(&self, id: &str, who: &Principal, server: &str) -> Result<ContextInfo, ToolError> {
        self.change_one(id, who, |work, _| {
            let sql = "DELETE FROM context_servers WHERE context = ?1 AND server = ?2";
            work.execute(sql, (id, server)).map(drop).map_err(state_error)
        })
    }

    /// Deletes a context with its history.
    pub fn delete(&self, id: &str, who: &Principal) -> Result<(), ToolError> {
        let now = self.options.clock.now_seconds();
        self.change(|work| {
            visible(find(work, id)?, id, who, now)?;
            work.execute("DELETE FROM contexts WHERE id = ?1", [id]).map(drop).map_err(state_error)
        })
    }

    /// The caller's contexts by name; an admin sees everybody's.
    pub fn list(&self, who: &Principal) -> Result<Vec<ContextInfo>, ToolError> {
        let now = self.options.clock.now_seconds();
        let mut contexts = self.with_current(|all| {
            all.values().filter(|it| is_for(it, who) && !is_over(it, now)).cloned().collect::<Vec<_>>()
        })?;
        contexts.sort_unstable_by(|left, right| left.id.cmp(&right.id));
        Ok(contexts)
    }

    /// A context and what it did.
    pub fn show(&self, id: &str, who: &Principal) -> Result<ContextDetails, ToolError> {
        self.history.flush();
        let now = self.options.clock.now_seconds();
        let connection = self.connection.lock();
        let info = visible(find(&connection, id)?, id, who, now)?;
        let history = history::read(&connection, id, self.options.history_max).map_err(state_error)?;
        Ok(ContextDetails { info, history })
    }

    /// Removes contexts whose time is over, with their history. Returns how many.
    pub fn sweep(&self) -> Result<usize, ToolError> {
        self.delete_expired().map_err(state_error)
    }

    /// Calls that were not remembered because their queue was full.
    pub fn forgotten(&self) -> u64 {
        self.history.dropped()
    }

    fn delete_expired(&self) -> rusqlite::Result<usize> {
        let now = self.options.clock.now_seconds();
        let removed = self.connection.lock().execute("DELETE FROM contexts WHERE expires_at <= ?1", [now])?;
        self.snapshot.forget();
        Ok(removed)
    }

    fn change_one(
        &self,
        id: &str,
        who: &Principal,
        work: impl FnOnce(&Connection, &ContextInfo) -> Result<(), ToolError>,
    ) -> Result<ContextInfo, ToolError> {
        let now = self.options.clock.now_seconds();
        self.change(|connection| {
            let context = visible(find(connection, id)?, id, who, now)?;
            work(connection, &context)?;
            find(connection, id)?.ok_or_else(|| unknown(id))
        })
    }

    /// Does `work` in one transaction; this process sees the change at once.
    fn change<T>(&self, work: impl FnOnce(&Connection) -> Result<T, ToolError>) -> Result<T, ToolError> {
        let mut connection = self.connection.lock();
        let transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(state_error)?;
        let result = work(&transaction)?;
        transaction.commit().map_err(state_error)?;
        self.snapshot.forget();
        Ok(result)
    }

    fn with_current<T>(&self, read: impl FnOnce(&snapshot::ById) -> T) -> Result<T, ToolError> {
        self.snapshot.read(&self.connection, read).map_err(state_error)
    }
}

impl Contexts for ContextStore {
    fn admit(&self, id: &str, principal: &Principal, server: &str) -> Result<(), ToolError> {
        let now = self.options.clock.now_seconds();
        self.with_current(|all| {
            let context = check(all.get(id), id, principal, now)?;
            if context.servers.iter().any(|it| it == server) {
                return Ok(());
            }
            Err(ToolError::new(
                ErrorKind::PermissionDenied,
                format!("context `{id}` does not enable `{server}`"),
            )
            .reason("CONTEXT_SERVER_NOT_ENABLED")
            .hint(format!("its owner can run `core-mcp context enable {id} {server}`")))
        })?
    }

    fn servers(&self, id: &str, principal: &Principal) -> Result<Vec<String>, ToolError> {
        let now = self.options.clock.now_seconds();
        self.with_current(|all| check(all.get(id), id, principal, now).map(|it| it.servers.clone()))?
    }

    fn remember(&self, id: &str, call: HistoryEntry) {
        self.history.add(id, call);
    }
}

fn find(connection: &Connection, id: &str) -> Result<Option<ContextInfo>, ToolError> {
    let row = connection
        .prepare_cached("SELECT id, owner, created_at, expires_at FROM contexts WHERE id = ?1")
        .and_then(|mut it| it.query_row([id], snapshot::info).optional())
        .map_err(state_error)?;
    let Some(mut info) = row else { return Ok(None) };
    info.servers = connection
        .prepare_cached("SELECT server FROM context_servers WHERE context = ?1 ORDER BY server")
        .and_then(|mut it| it.query_map([id], |row| row.get(0))?.collect())
        .map_err(state_error)?;
    Ok(Some(info))
}

fn add_server(connection: &Connection, id: &str, server: &str) -> Result<(), ToolError> {
    let sql = "INSERT INTO context_servers VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    connection.execute(sql, (id, server)).map(drop).map_err(state_error)
}
