//! `workflows.db`: definitions, runs, their events, and what each run is owed.
//!
//! A run's row holds its newest state; its events are the history it can be replayed from. Both are written in
//! one transaction with everything the commands ask for (`owed`), so a crash at any instant loses nothing.

mod read;
mod schema;

use std::sync::Arc;

use kernel::{ErrorKind, ToolError};
use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{DataDir, StoreError, sqlite};

use crate::{
    interpreter::EventKind,
    program::{Bundle, Program},
};

pub use read::{Attempt, RunInfo, RunView};
pub(crate) use read::{decider, sees_all, unknown};
pub(crate) use schema::MIGRATIONS;

/// What a process asks the owner of the runs to do. Kept in the inbox when the owner is another process.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub(crate) enum Ask {
    /// Begin a run.
    Start(NewRun),
    /// Feed an event.
    Event {
        /// The run.
        run: String,
        /// What happened.
        kind: EventKind,
    },
    /// Bring an event to every run that waits for it.
    Emit {
        /// Its type.
        kind: String,
        /// All of it.
        body: Value,
        /// Only to runs of this principal.
        only: Option<String>,
    },
}

/// A run that does not exist yet.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct NewRun {
    pub(crate) id: String,
    pub(crate) hash: String,
    pub(crate) workflow: String,
    /// What was asked for: `name`, `name@alias` or a file.
    pub(crate) reference: String,
    pub(crate) principal: String,
    /// The context its calls belong to.
    pub(crate) context: Option<String>,
    pub(crate) inputs: Value,
}

/// A published version.
#[derive(Clone, Debug, Serialize)]
pub struct Published {
    /// The workflow.
    pub name: String,
    /// `stable` or `canary`.
    pub alias: String,
    /// Which version.
    pub hash: String,
    /// Percent of the runs of the plain name that take it; only for `canary`.
    pub weight: u8,
    /// The version before, for `rollback`.
    pub previous: Option<String>,
    /// Unix seconds.
    pub published_at: i64,
}

/// The file, shared by the threads of one process. Several processes may have it open.
pub struct Journal {
    pub(crate) connection: Mutex<Connection>,
}

/// A failed statement on `workflows.db`, as the caller may see it.
pub(crate) fn broken(error: rusqlite::Error) -> ToolError {
    ToolError::new(ErrorKind::Unavailable, "the workflow journal cannot be used")
        .reason("STATE_UNAVAILABLE")
        .hint("run `core-mcp doctor` on the machine; the log there names the file and the cause")
        .caused_by(error)
}

impl Journal {
    /// Opens or makes the file. Blocks on the disk.
    ///
    /// # Errors
    /// When it cannot be used, or was written by a newer program.
    pub fn open(data: &DataDir) -> Result<Arc<Self>, StoreError> {
        let connection = sqlite::open(&data.workflows_db(), MIGRATIONS)?;
        Ok(Arc::new(Self { connection: Mutex::new(connection) }))
    }

    /// Keeps a version, so that runs of it can go on whatever becomes of its file.
    pub(crate) fn keep(&self, program: &Program) -> Result<(), ToolError> {
        keep(&self.connection.lock(), program).map_err(broken)
    }

    /// The version with this hash.
    pub fn program(&self, hash: &str) -> Result<Program, ToolError> {
        program(&self.connection.lock(), hash)
    }

    /// Asks the owner of the runs, whichever process that is.
    pub(crate) fn ask(&self, ask: &Ask) -> Result<(), ToolError> {
        let text = serde_json::to_string(ask).map_err(|error| ToolError::wrap(ErrorKind::Internal, error))?;
        let connection = self.connection.lock();
        let mut insert = connection.prepare_cached("INSERT INTO inbox (ask) VALUES (?1)").map_err(broken)?;
        insert.execute([text]).map_err(broken)?;
        Ok(())
    }

    /// Whether something waits to be taken up by the owner.
    pub(crate) fn has_open_asks(&self) -> Result<bool, ToolError> {
        let connection = self.connection.lock();
        connection.query_row("SELECT EXISTS (SELECT 1 FROM inbox)", [], |row| row.get(0)).map_err(broken)
    }

    /// Publishes a version under an alias; the one before can come back with [`Self::rollback`].
    pub fn publish(&self, program: &Program, alias: &str, weight: u8) -> Result<Published, ToolError> {
        check_alias(alias)?;
        if weight > 100 {
            return Err(ToolError::invalid("weight", "a weight is a percentage from 0 to 100"));
        }
        let mut connection = self.connection.lock();
        let work = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(broken)?;
        keep(&work, program).map_err(broken)?;
        let name = &program.definition.workflow;
        work.execute(
            "INSERT INTO aliases (name, alias, hash, weight, published_at) VALUES (?1, ?2, ?3, ?4, unixepoch())
             ON CONFLICT (name, alias) DO UPDATE SET
               previous = CASE WHEN hash = excluded.hash THEN previous ELSE hash END,
               hash = excluded.hash, weight = excluded.weight, published_at = excluded.published_at",
            (name, alias, &program.hash, weight),
        )
        .map_err(broken)?;
        work.commit().map_err(broken)?;
        drop(connection);
        self.alias(name, alias)?.ok_or_else(|| ToolError::new(ErrorKind::Internal, "the alias is gone"))
    }

    /// Goes back to the version before.
    pub fn rollback(&self, name: &str, alias: &str) -> Result<Published, ToolError> {
        check_alias(alias)?;
        let changed = self
            .connection
            .lock()
            .execute(
                "UPDATE aliases SET hash = previous, previous = hash, published_at = unixepoch()
                 WHERE name = ?1 AND alias = ?2 AND previous IS NOT NULL",
                (name, alias),
            )
            .map_err(broken)?;
        if changed == 0 {
            let message = format!("`{name}@{alias}` has no version before");
            return Err(ToolError::new(ErrorKind::NotFound, message)
                .hint("`core-mcp workflow list --published` shows what there is"));
        }
        self.alias(name, alias)?.ok_or_else(|| ToolError::new(ErrorKind::Internal, "the alias is gone"))
    }

    /// Takes an alias away. Runs of it go on.
    pub fn unpublish(&self, name: &str, alias: &str) -> Result<bool, ToolError> {
        let gone = self
            .connection
            .lock()
            .execute("DELETE FROM aliases WHERE name = ?1 AND alias = ?2", (name, alias))
            .map_err(broken)?;
        Ok(gone > 0)
    }

    /// The version behind an alias.
    pub fn alias(&self, name: &str, alias: &str) -> Result<Option<Published>, ToolError> {
        Ok(self.published()?.into_iter().find(|it| it.name == name && it.alias == alias))
    }

    /// Everything that is published.
    pub fn published(&self) -> Result<Vec<Published>, ToolError> {
        let connection = self.connection.lock();
        let mut rows = connection
            .prepare_cached(
                "SELECT name, alias, hash, weight, previous, published_at FROM aliases ORDER BY name, alias DESC LIMIT 2000",
            )
            .map_err(broken)?;
        let rows = rows.query_map([], |row| {
            Ok(Published {
                name: row.get(0)?,
                alias: row.get(1)?,
                hash: row.get(2)?,
                weight: row.get(3)?,
                previous: row.get(4)?,
                published_at: row.get(5)?,
            })
        });
        rows.and_then(Iterator::collect).map_err(broken)
    }

    /// The version a new run of `name` or `name@alias` takes. A canary gets its share of the sticky keys.
    pub fn choose(&self, reference: &str, sticky: &str) -> Result<Option<Published>, ToolError> {
        let (name, alias) = reference.split_once('@').unwrap_or((reference, ""));
        let published: Vec<Published> = self.published()?.into_iter().filter(|it| it.name == name).collect();
        let find = |alias: &str| published.iter().find(|it| it.alias == alias);
        if !alias.is_empty() {
            return Ok(find(alias).cloned());
        }
        let canary = find("canary").filter(|it| bucket(name, sticky) < u64::from(it.weight));
        Ok(canary.or_else(|| find("stable")).cloned())
    }
}

/// Where a key falls among a hundred; the same key always falls alike.
fn bucket(name: &str, sticky: &str) -> u64 {
    let digest = kernel::digest_hex(format!("{name}\0{sticky}").as_bytes());
    u64::from_str_radix(&digest[..12], 16).unwrap_or_default() % 100
}

fn check_alias(alias: &str) -> Result<(), ToolError> {
    if matches!(alias, "stable" | "canary") {
        return Ok(());
    }
    Err(ToolError::invalid("alias", "an alias is `stable` or `canary`"))
}

fn keep(connection: &Connection, program: &Program) -> rusqlite::Result<()> {
    let bundle = serde_json::to_string(&program.bundle()).unwrap_or_default();
    connection
        .prepare_cached("INSERT OR IGNORE INTO definitions (hash, name, bundle) VALUES (?1, ?2, ?3)")?
        .execute((&program.hash, &program.definition.workflow, bundle))?;
    Ok(())
}

/// Reads a version back. What was kept was checked; a row that does not parse is damage.
pub(crate) fn program(connection: &Connection, hash: &str) -> Result<Program, ToolError> {
    let text: Option<String> = connection
        .prepare_cached("SELECT bundle FROM definitions WHERE hash = ?1")
        .and_then(|mut it| it.query_row([hash], |row| row.get(0)).optional())
        .map_err(broken)?;
    let unknown = || ToolError::new(ErrorKind::NotFound, format!("no version has the hash {hash}"));
    let bundle: Bundle = serde_json::from_str(&text.ok_or_else(unknown)?)
        .map_err(|error| ToolError::wrap(ErrorKind::Internal, error))?;
    Program::from_bundle(bundle).map_err(|error| ToolError::new(ErrorKind::Internal, error.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_always_falls_alike_and_keys_spread() {
        assert_eq!(bucket("a", "x"), bucket("a", "x"));
        let low = (0..1000).filter(|it| bucket("a", &it.to_string()) < 10).count();
        assert!((60..150).contains(&low), "{low}");
    }
}
