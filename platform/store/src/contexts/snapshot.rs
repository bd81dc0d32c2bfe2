//! All contexts in memory, so that admitting a call costs a look-up and no statement.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use parking_lot::{Mutex, RwLock};
use rusqlite::{Connection, Row};

use super::ContextInfo;

/// Contexts by id.
pub(super) type ById = HashMap<String, ContextInfo>;

pub(super) struct Snapshot {
    freshness: Duration,
    state: RwLock<State>,
}

#[derive(Default)]
struct State {
    contexts: ById,
    /// When the database was last asked; `None`: what is here must not be used.
    checked: Option<Instant>,
    /// SQLite's mark of foreign commits, and our own count of changes to contexts. History lines move
    /// the first but not the second.
    seen: Option<(i64, i64)>,
}

impl Snapshot {
    pub(super) fn new(freshness: Duration) -> Self {
        Self { freshness, state: RwLock::default() }
    }

    /// The next reader asks the database.
    pub(super) fn forget(&self) {
        let mut state = self.state.write();
        (state.checked, state.seen) = (None, None);
    }

    /// Reads what is current. An unreadable database is an error, never an old answer.
    pub(super) fn read<T>(
        &self,
        connection: &Mutex<Connection>,
        read: impl FnOnce(&ById) -> T,
    ) -> rusqlite::Result<T> {
        {
            let state = self.state.read();
            if state.checked.is_some_and(|it| it.elapsed() < self.freshness) {
                return Ok(read(&state.contexts));
            }
        }
        let connection = connection.lock();
        let mut state = self.state.write();
        state.refresh(&connection)?;
        Ok(read(&state.contexts))
    }
}

impl State {
    fn refresh(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let asked = Instant::now();
        let version = connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?;
        if self.seen.is_none_or(|(seen, _)| seen != version) {
            let revision = connection
                .prepare_cached("SELECT n FROM context_revision")?
                .query_row([], |row| row.get(0))?;
            if self.seen.is_none_or(|(_, seen)| seen != revision) {
                self.contexts = load(connection)?;
            }
            self.seen = Some((version, revision));
        }
        self.checked = Some(asked);
        Ok(())
    }
}

fn load(connection: &Connection) -> rusqlite::Result<ById> {
    let mut contexts = ById::new();
    let mut rows = connection.prepare_cached("SELECT id, owner, created_at, expires_at FROM contexts")?;
    for context in rows.query_map([], info)? {
        let context = context?;
        contexts.insert(context.id.clone(), context);
    }
    let mut rows =
        connection.prepare_cached("SELECT context, server FROM context_servers ORDER BY context, server")?;
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        if let Some(context) = contexts.get_mut(row.get_ref(0)?.as_str()?) {
            context.servers.push(row.get(1)?);
        }
    }
    Ok(contexts)
}

/// A row of `contexts`, servers still missing.
pub(super) fn info(row: &Row<'_>) -> rusqlite::Result<ContextInfo> {
    Ok(ContextInfo {
        id: row.get(0)?,
        owner: row.get(1)?,
        servers: Vec::new(),
        created_at: row.get(2)?,
        expires_at: row.get(3)?,
    })
}
